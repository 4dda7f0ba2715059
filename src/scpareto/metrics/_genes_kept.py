"""Share of the pattern of single genes that neighbours in an embedding still show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from scpareto.metrics._checks import check_labels, check_matrix
from scpareto.metrics._neighbor_weights import neighbor_weights
from scpareto.metrics._programmes import batch_offsets, check_populations, cross_batch_and_population, stratified_rows
from scpareto.metrics._resampling import bootstrap_sums, resampling_units
from scpareto.metrics._saved_distance import influence_on_saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

MIN_KEPT = 80.0
"""The alarm of a gene rings if the upper end of its interval is below this percentage."""
_MIN_REFERENCE_SHARE = 0.25
"""A gene has a percentage only if the lower end of the reference's interval exceeds this share of its estimate."""
_COLUMNS = ("kept", "kept_within_batches")


def genes_kept(
    expression: ArrayLike,
    embeddings: Mapping[str, Any],
    batch: ArrayLike,
    *,
    reference: str,
    genes: Sequence[str],
    populations: ArrayLike | None = None,
    sample: ArrayLike | None = None,
    min_kept: float = MIN_KEPT,
    n_neighbors: int = 15,
    n_bootstrap: int = 300,
    level: float = 0.95,
    max_cells: int | None = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Measure how much of the pattern of genes neighbours in embeddings show, relative to a reference.

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
        Population of each cell, -1 where it is unknown.
    sample
        Sample of each cell. With three or more in every batch, samples are resampled for the intervals.
    min_kept
        The alarm rings if the upper end of an interval is below this percentage.
    n_neighbors
        Neighbours in codes.
    n_bootstrap, level, seed
        Draws and coverage of the intervals, and their seed.
    max_cells
        With more cells, a random sample is taken; graphs are then not judged.

    Returns
    -------
    One row for each gene and embedding, in %: ``kept``, share of the pattern across all cells; ``kept_within_batches``,
    share of the pattern after batches were given the same mean in each population; both with ``_low`` and ``_high``;
    ``between_batches``, the share of the reference's pattern that lies between batches; ``alarm`` of ``kept``. NaN
    where the neighbours in the reference do not show the gene.

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
    unit, stratum, _ = resampling_units(None if sample is None else np.asarray(sample)[rows], number)
    group, batch_of, population_of = cross_batch_and_population(number, check_populations(populations, len(y))[rows])
    of_rows = y[rows]
    centred = of_rows - batch_offsets(of_rows, group, batch_of, population_of)[group]
    values = np.column_stack([of_rows, centred])

    judged = {name: e for name, e in embeddings.items() if len(rows) == len(y) or not sparse.issparse(e)}
    all_cells = np.ones((len(rows), 1))
    parts = []
    for name, e in judged.items():
        codes = e if sparse.issparse(e) else np.asarray(e)[rows]
        near = neighbor_weights(codes, name, len(rows), min(n_neighbors, len(rows) - 1), seed=seed)
        parts.append(np.column_stack([influence_on_saved(v[:, None], near, all_cells) for v in values.T]))
    stacked = np.concatenate(parts, axis=1)
    shape = (-1, len(judged), len(_COLUMNS), len(genes))
    saved = stacked.sum(axis=0).reshape(shape)[0]
    drawn = bootstrap_sums(stacked, unit, stratum, n_bootstrap, seed=seed).reshape(shape)
    ends = (1 - level) / 2, (1 + level) / 2

    reference_row = list(judged).index(reference)
    records = []
    for g, gene in enumerate(genes):
        total, within = saved[reference_row, :, g]
        for e, name in enumerate(judged):
            if name == reference:
                continue
            row: dict[str, Any] = {"gene": gene, "embedding": name}
            for w, column in enumerate(_COLUMNS):
                shown = np.quantile(drawn[:, reference_row, w, g], ends[0]) > max(
                    _MIN_REFERENCE_SHARE * saved[reference_row, w, g], 0
                )
                ratio = (
                    100 * drawn[:, e, w, g] / drawn[:, reference_row, w, g] if shown else np.full(n_bootstrap, np.nan)
                )
                row[column] = 100 * saved[e, w, g] / saved[reference_row, w, g] if shown else np.nan
                row[f"{column}_low"], row[f"{column}_high"] = np.quantile(ratio, ends)
            row["between_batches"] = 100 * np.clip(1 - within / total, 0, 1) if total > 0 else np.nan
            row["alarm"] = bool(row["kept_high"] < min_kept)
            records.append(row)
    return pd.DataFrame(records)
