"""How much of the pattern of single genes neighbours in an embedding still show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from scpareto.metrics._checks import check_labels, check_matrix
from scpareto.metrics._neighbor_weights import neighbor_weights
from scpareto.metrics._programmes import _cross, _offsets, check_populations, stratified_rows
from scpareto.metrics._resampling import bootstrap_sums, units_of
from scpareto.metrics._saved_distance import influence_on_saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

KEPT_FROM = 80.0
"""Percent of a gene's pattern below which, by the upper end of the interval, the alarm of that gene rings."""
_LEAST_SURE = 0.25
"""Share of a gene's pattern in the reference that the lower end of its interval must reach to give a percentage."""
_WHERE = ("kept", "kept_within_batches")


def genes_kept(
    expression: ArrayLike,
    embeddings: Mapping[str, Any],
    batch: ArrayLike,
    *,
    reference: str,
    genes: Sequence[str],
    populations: ArrayLike | None = None,
    sample: ArrayLike | None = None,
    kept_from: float = KEPT_FROM,
    n_neighbors: int = 15,
    n_bootstrap: int = 300,
    level: float = 0.95,
    max_cells: int | None = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Measure what neighbours in embeddings show of genes whose pattern must survive, relative to a reference.

    Parameters
    ----------
    expression
        Log-normalised expression of these genes, shape ``(n_cells, n_genes)``.
    embeddings
        By name, codes of all cells, shape ``(n_cells, n_latent)``, or sparse neighbour graphs, with the reference.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    reference
        Name of the embedding whose neighbours show 100 %; it has no rows of its own.
    genes
        Names of the genes.
    populations
        Population of each cell, -1 where it is not known.
    sample
        Sample of each cell; with three or more in every batch they are redrawn for the intervals.
    kept_from
        The alarm rings where the upper end of an interval is lower, in %.
    n_neighbors
        Neighbours in codes.
    n_bootstrap, level, seed
        Draws and coverage of the intervals, and their seed.
    max_cells
        Of more cells a sample is taken; graphs are not judged on a sample.

    Returns
    -------
    One row for each gene and embedding, in %: ``kept``, of the pattern across all cells, ``kept_within_batches``, of
    what remains once batches have the same mean in each population, both with ``_low`` and ``_high``;
    ``between_batches``, the share of the reference's pattern that batches make; ``alarm`` of ``kept``. NaN where the
    neighbours in the reference do not show the gene.

    Notes
    -----
    With the expression :math:`y`, neighbours show :math:`\sum_i \operatorname{mean}_j (y_i - y_j)^2 -
    \operatorname{mean}_{j \in N_i} (y_i - y_j)^2`: twice the covariance of a cell with its neighbours, in which the
    noise of single cells cancels.
    """
    y = check_matrix(expression, "expression")
    text = check_labels(batch, "batch", n_cells=len(y))
    rows = stratified_rows(
        np.unique(text, return_inverse=True)[1], check_populations(populations, len(y)), max_cells, seed=seed
    )
    number = np.unique(text[rows], return_inverse=True)[1]
    unit, stratum, _ = units_of(None if sample is None else np.asarray(sample)[rows], number)
    group, batch_of, population_of = _cross(number, check_populations(populations, len(y))[rows])
    own = y[rows]
    centred = own - _offsets(own, group, batch_of, population_of)[group]
    values = np.column_stack([own, centred])

    judged = {name: e for name, e in embeddings.items() if len(rows) == len(y) or not sparse.issparse(e)}
    everyone = np.ones((len(rows), 1))
    parts = []
    for name, e in judged.items():
        codes = e if sparse.issparse(e) else np.asarray(e)[rows]
        near = neighbor_weights(codes, name, len(rows), min(n_neighbors, len(rows) - 1), seed=seed)
        parts.append(np.column_stack([influence_on_saved(v[:, None], near, everyone) for v in values.T]))
    stacked = np.concatenate(parts, axis=1)
    shape = (-1, len(judged), len(_WHERE), len(genes))
    saved = stacked.sum(axis=0).reshape(shape)[0]
    drawn = bootstrap_sums(stacked, unit, stratum, n_bootstrap, seed=seed).reshape(shape)
    ends = (1 - level) / 2, (1 + level) / 2

    at = list(judged).index(reference)
    found = []
    for g, gene in enumerate(genes):
        whole, within = saved[at, :, g]
        for e, name in enumerate(judged):
            if name == reference:
                continue
            row: dict[str, Any] = {"gene": gene, "embedding": name}
            for w, column in enumerate(_WHERE):
                shown = np.quantile(drawn[:, at, w, g], ends[0]) > max(_LEAST_SURE * saved[at, w, g], 0)
                ratio = 100 * drawn[:, e, w, g] / drawn[:, at, w, g] if shown else np.full(n_bootstrap, np.nan)
                row[column] = 100 * saved[e, w, g] / saved[at, w, g] if shown else np.nan
                row[f"{column}_low"], row[f"{column}_high"] = np.quantile(ratio, ends)
            row["between_batches"] = 100 * np.clip(1 - within / whole, 0, 1) if whole > 0 else np.nan
            row["alarm"] = bool(row["kept_high"] < kept_from)
            found.append(row)
    return pd.DataFrame(found)
