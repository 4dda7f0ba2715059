"""Choose the cells that are judged, all or a sample, and read only their rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scpareto._cells import as_row_matrix, is_in_memory, read_rows
from scpareto.tl._judge_inputs import check_batches, get_text_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.tl._modalities import Source

MAX_JUDGED_CELLS = 50_000
"""Up to as many cells are all judged; of more, a sample of about this size."""
MAX_SWEPT_CELLS = 10_000
"""The same for fronts of several embeddings, which are judged together."""
_MIN_PER_BATCH = 500
_MIN_PER_SAMPLE = 20


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
        Notes about the sample.
    """

    adata: AnnData
    rows: NDArray[np.int64] | None = None
    notes: list[str] = field(default_factory=list)

    def subset(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values of the judged cells from those of all cells."""
        return values if self.rows is None else values[self.rows]


def choose_cells(
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

    Cells in memory that are all judged are not copied. If a key does not exist, all cells are returned, and
    :func:`~scpareto.tl._judge_inputs.read_inputs` raises the error.

    Parameters
    ----------
    source
        All cells.
    use_rep, batch_key, sample_key, neighbors_key, max_cells, seed
        As :func:`scpareto.tl.judge` takes them.
    held_out
        Mask of cells that no training has seen; their share of the sample stays the same.
    """
    adata, layer = source.adata, source.layer
    graphs = {key: _graph_name(adata, key) for key in neighbors_key}
    keys_exist = (layer is None or layer in adata.layers) and batch_key in adata.obs
    keys_exist = keys_exist and (sample_key is None or sample_key in adata.obs) and None not in graphs.values()
    if not keys_exist or any(name not in adata.obsm for name in use_rep):
        return JudgedCells(adata)
    expression = adata.X if layer is None else adata.layers[layer]
    if expression is None:
        return JudgedCells(adata)
    matrices = [expression, *(adata.obsm[name] for name in use_rep)]
    if adata.n_obs <= max_cells and all(
        is_in_memory(values) or isinstance(values, pd.DataFrame) for values in matrices
    ):
        return JudgedCells(adata)
    batch = get_text_column(adata, batch_key, "batch_key")
    check_batches(batch, batch_key)
    notes = []
    rows = np.arange(adata.n_obs)
    if adata.n_obs > max_cells:
        sample = None if sample_key is None else get_text_column(adata, sample_key, "sample_key")
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
        # Cells are selected by their rows here, so names need not be unique.
        warnings.filterwarnings("ignore", message="Observation names are not unique", category=UserWarning)
        counts = read_rows(as_row_matrix(expression), slice(None) if len(rows) == adata.n_obs else rows)
        cells = AnnData(counts if layer is None else None, obs=adata.obs.iloc[rows], var=adata.var)
        if layer is not None:
            cells.layers[layer] = counts
        for name in dict.fromkeys(use_rep):
            values = adata.obsm[name]
            cells.obsm[name] = values.iloc[rows] if isinstance(values, pd.DataFrame) else read_rows(values, rows)
        for key, graph in graphs.items():
            cells.obsp[key] = sparse.csr_matrix(read_rows(adata.obsp[graph], rows))[:, rows]
    return JudgedCells(cells, rows if len(rows) < adata.n_obs else None, notes)


def stratified_sample(
    batch: NDArray[Any], groupings: Sequence[NDArray[Any] | None], n_wanted: int, *, seed: int
) -> NDArray[np.int64]:
    """Draw about ``n_wanted`` cells in proportion to batches; small batches keep 500 cells or all they have.

    Parameters
    ----------
    batch
        Batch of each cell.
    groupings
        Groupings within batches, such as samples, whose proportions are kept; a stratum keeps 20 cells or all it has.
        None entries are ignored.
    n_wanted
        Number of cells to draw.
    seed
        Seed of the draw.

    Returns
    -------
    Rows of the drawn cells, ascending.
    """
    rng = np.random.default_rng([seed, 5])
    _, batch_of_cell, size = np.unique(batch, return_inverse=True, return_counts=True)
    # With very many batches even 500 cells of each would be too many.
    least = min(_MIN_PER_BATCH, max(n_wanted // len(size), _MIN_PER_SAMPLE))
    floor = np.minimum(size, least)
    small = np.zeros(len(size), dtype=bool)
    while True:
        share = max(n_wanted - int(floor[small].sum()), 0) / max(int(size[~small].sum()), 1)
        newly_small = ~small & (share * size < floor)
        if not newly_small.any():
            break
        small |= newly_small
    shares = np.where(small, floor / size, min(share, 1.0))
    stratum = batch_of_cell
    for grouping in groupings:
        if grouping is not None:
            stratum_of_cell = np.unique(grouping, return_inverse=True)[1]
            stratum = np.unique(stratum * (stratum_of_cell.max() + 1) + stratum_of_cell, return_inverse=True)[1]
    order = rng.permutation(len(batch))
    order = order[np.argsort(stratum[order], kind="stable")]
    sizes = np.bincount(stratum)
    rank = np.arange(len(batch)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    share_of_stratum = np.zeros(len(sizes))
    share_of_stratum[stratum] = shares[batch_of_cell]
    quota = np.maximum(np.rint(share_of_stratum * sizes), np.minimum(sizes, _MIN_PER_SAMPLE))
    return np.sort(order[rank < quota[stratum[order]]])


def _graph_name(adata: AnnData, key: str) -> str | None:
    """Return the key of a neighbour graph in ``obsp``; None if it does not exist."""
    name = key if key in adata.obsp else adata.uns.get(key, {}).get("connectivities_key")
    return str(name) if name is not None and name in adata.obsp else None
