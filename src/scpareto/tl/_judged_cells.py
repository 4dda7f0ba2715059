"""The cells that are judged: all of them, or of many a sample, and only their rows are read."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scpareto._cells import as_rows, in_memory, rows_of
from scpareto.tl._judge_inputs import check_batches, column_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.tl._modalities import Source

MOST_CELLS = 50_000
"""Cells of which all are judged; of more a sample of about as many is."""
MOST_SWEPT = 10_000
"""The same for fronts of several embeddings, which are judged all at once."""
_LEAST_OF_BATCH = 500
_LEAST_OF_SAMPLE = 20


@dataclass(frozen=True)
class JudgedCells:
    """Cells that are judged.

    Parameters
    ----------
    adata
        The cells, in memory.
    rows
        Their rows among all cells, ascending; None for all.
    notes
        What to say of it.
    """

    adata: AnnData
    rows: NDArray[np.int64] | None = None
    notes: list[str] = field(default_factory=list)

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of the judged cells, of those of all cells."""
        return values if self.rows is None else values[self.rows]


def judged_cells(
    source: Source,
    use_rep: Sequence[str],
    *,
    batch_key: str,
    sample_key: str | None,
    neighbors_key: Sequence[str],
    held_out: NDArray[np.bool_] | None,
    max_cells: int,
    seed: int,
) -> JudgedCells:
    """Choose the cells that are judged and read their rows into memory.

    Cells in memory that are all judged are not copied. A key that does not exist is left to
    :func:`~scpareto.tl._judge_inputs.judge_inputs`, which says what there is before anything is read.

    Parameters
    ----------
    source
        All cells.
    use_rep, batch_key, sample_key, neighbors_key, max_cells, seed
        As :func:`scpareto.tl.judge` takes them.
    held_out
        Mask of cells that no training has seen: they keep their share of the sample.
    """
    adata, layer = source.adata, source.layer
    graphs = {key: _graph_name(adata, key) for key in neighbors_key}
    known = (layer is None or layer in adata.layers) and batch_key in adata.obs
    known = known and (sample_key is None or sample_key in adata.obs) and None not in graphs.values()
    if not known or any(name not in adata.obsm for name in use_rep):
        return JudgedCells(adata)
    expression = adata.X if layer is None else adata.layers[layer]
    if expression is None:
        return JudgedCells(adata)
    read = [expression, *(adata.obsm[name] for name in use_rep)]
    if adata.n_obs <= max_cells and all(in_memory(values) or isinstance(values, pd.DataFrame) for values in read):
        return JudgedCells(adata)
    batch = column_of(adata, batch_key, "batch_key")
    check_batches(batch, batch_key)
    notes = []
    rows = np.arange(adata.n_obs)
    if adata.n_obs > max_cells:
        sample = None if sample_key is None else column_of(adata, sample_key, "sample_key")
        rows = stratified_sample(batch, [sample, held_out], max_cells, seed=seed)
        strata = "batches" if sample is None else "batches and samples"
        notes.append(
            f"Judged on a sample of {len(rows):,} of {adata.n_obs:,} cells, drawn in proportion to {strata}; small "
            "ones keep more of their cells. max_cells= sets how many."
        )
        if graphs:
            notes.append(
                "Of neighbour graphs, the neighbours that lie in the sample were looked at, for graph_mixing. "
                "structure_kept and the alarm need all neighbours: max_cells= at least the number of cells."
            )
    with warnings.catch_warnings():
        # Cells are told by their place here: names that are not unique do no harm.
        warnings.filterwarnings("ignore", message="Observation names are not unique", category=UserWarning)
        taken = rows_of(as_rows(expression), slice(None) if len(rows) == adata.n_obs else rows)
        cells = AnnData(taken if layer is None else None, obs=adata.obs.iloc[rows], var=adata.var)
        if layer is not None:
            cells.layers[layer] = taken
        for name in dict.fromkeys(use_rep):
            values = adata.obsm[name]
            cells.obsm[name] = values.iloc[rows] if isinstance(values, pd.DataFrame) else rows_of(values, rows)
        for key, graph in graphs.items():
            cells.obsp[key] = sparse.csr_matrix(rows_of(adata.obsp[graph], rows))[:, rows]
    return JudgedCells(cells, rows if len(rows) < adata.n_obs else None, notes)


def stratified_sample(
    batch: NDArray[Any], within: Sequence[NDArray[Any] | None], most: int, *, seed: int
) -> NDArray[np.int64]:
    """Rows of about ``most`` cells, ascending: each batch in proportion, small ones with 500 cells or all they have.

    Parameters
    ----------
    batch
        Batch of each cell.
    within
        What the cells of a batch are drawn in proportion to, such as their samples; a stratum keeps 20 cells or all it
        has. None where it is not known.
    most
        Cells that are wanted.
    seed
        Seed of the draw.
    """
    rng = np.random.default_rng([seed, 5])
    _, level, size = np.unique(batch, return_inverse=True, return_counts=True)
    # With very many batches even 500 cells of each would be too many.
    least = min(_LEAST_OF_BATCH, max(most // len(size), _LEAST_OF_SAMPLE))
    floor = np.minimum(size, least)
    small = np.zeros(len(size), dtype=bool)
    while True:
        share = max(most - int(floor[small].sum()), 0) / max(int(size[~small].sum()), 1)
        more = ~small & (share * size < floor)
        if not more.any():
            break
        small |= more
    shares = np.where(small, floor / size, min(share, 1.0))
    stratum = level
    for other in within:
        if other is not None:
            own = np.unique(other, return_inverse=True)[1]
            stratum = np.unique(stratum * (own.max() + 1) + own, return_inverse=True)[1]
    order = rng.permutation(len(batch))
    order = order[np.argsort(stratum[order], kind="stable")]
    sizes = np.bincount(stratum)
    rank = np.arange(len(batch)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    of_batch = np.zeros(len(sizes))
    of_batch[stratum] = shares[level]
    quota = np.maximum(np.rint(of_batch * sizes), np.minimum(sizes, _LEAST_OF_SAMPLE))
    return np.sort(order[rank < quota[stratum[order]]])


def _graph_name(adata: AnnData, key: str) -> str | None:
    """Key of a neighbour graph in ``obsp``; None where there is none."""
    name = key if key in adata.obsp else adata.uns.get(key, {}).get("connectivities_key")
    return str(name) if name is not None and name in adata.obsp else None
