"""Sum counts over strata and batches, the sufficient statistics of the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pseudobulk:
    """Sufficient statistics of ``n_genes`` genes, ``n_strata`` strata and ``n_batches`` batches.

    Parameters
    ----------
    by_stratum, by_batch
        Counts of each gene, summed over cells: shapes ``(n_genes, n_strata)`` and ``(n_genes, n_batches)``.
    exposure
        Summed size factors, shape ``(n_strata, n_batches)``.
    donated_by_stratum, donated_by_batch, donated_exposure
        The same for the donors of each cell, in the stratum of the cell and the batch of the donors.
    """

    by_stratum: NDArray[np.float64]
    by_batch: NDArray[np.float64]
    exposure: NDArray[np.float64]
    donated_by_stratum: NDArray[np.float64]
    donated_by_batch: NDArray[np.float64]
    donated_exposure: NDArray[np.float64]


def compute_pseudobulk(
    counts: sparse.csr_matrix,
    size_factor: NDArray[np.float64],
    batch: NDArray[np.int64],
    stratum: NDArray[np.int64],
    donors: Iterable[tuple[int, int, sparse.csr_matrix]],
) -> tuple[Pseudobulk, NDArray[np.bool_]]:
    """Sum counts, size factors and those of donors.

    Parameters
    ----------
    counts
        Counts, shape ``(n_cells, n_genes)``.
    size_factor, batch, stratum
        Size factor, batch and stratum of each cell, shape ``(n_cells,)``.
    donors
        From :func:`scpareto.pp._donors.find_donors`; iterated once.

    Returns
    -------
    The sums, and whether each cell has accepted donors in each batch, shape ``(n_cells, n_batches)``.
    """
    n_batches, n_strata = int(batch.max()) + 1, int(stratum.max()) + 1
    n_genes = counts.shape[1]
    cells = [np.flatnonzero(batch == b) for b in range(n_batches)]
    membership = sparse.csr_matrix(
        (np.ones(len(batch)), (stratum * n_batches + batch, np.arange(len(batch)))),
        shape=(n_strata * n_batches, len(batch)),
    )
    exposure = (membership @ size_factor).reshape(n_strata, n_batches)
    by_both = np.asarray((membership @ counts).todense(), dtype=np.float64).reshape(n_strata, n_batches, n_genes)
    by_stratum, by_batch = by_both.sum(axis=1).T, by_both.sum(axis=0).T
    del by_both

    donated_by_stratum, donated_by_batch = np.zeros((n_genes, n_strata)), np.zeros((n_genes, n_batches))
    donated_exposure = np.zeros((n_strata, n_batches))
    has_donors = np.zeros((len(batch), n_batches), dtype=bool)
    for query, donor, weights in donors:
        query_cells = cells[query]
        has_donors[query_cells, donor] = np.diff(weights.indptr) > 0
        rows = sparse.csr_matrix(
            (np.ones(len(query_cells)), (stratum[query_cells], np.arange(len(query_cells)))),
            shape=(n_strata, len(query_cells)),
        )
        # To save memory, sum the weights of donors by stratum first, then multiply by their counts.
        donor_weights_by_stratum = rows @ weights
        sums = np.asarray((donor_weights_by_stratum @ counts[cells[donor]]).todense(), dtype=np.float64)
        donated_by_stratum += sums.T
        donated_by_batch[:, donor] += sums.sum(axis=0)
        donated_exposure[:, donor] += donor_weights_by_stratum @ size_factor[cells[donor]]
    sums_of_data = Pseudobulk(by_stratum, by_batch, exposure, donated_by_stratum, donated_by_batch, donated_exposure)
    return sums_of_data, has_donors
