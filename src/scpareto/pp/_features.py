"""Coordinates in which cells of different batches are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, svds

from scpareto.pp._check import compute_totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_COUNTS_PER_CELL = 1e4
# Variable genes are selected on at most this number of cells: more cost memory without changing the selection.
_CELLS_FOR_GENES = 20_000
_CONTROL_COMPONENTS = 5
_ROWS_PER_BLOCK = 4096


@dataclass(frozen=True)
class Features:
    """A way to compute coordinates, their default number, and whether adjusted counts improve them."""

    compute: Callable[..., NDArray[np.float64]]
    n_components: int
    is_refined: bool = False


def compute_features(
    counts: sparse.csr_matrix,
    batch: NDArray[np.int64],
    *,
    features: str,
    n_components: int | None,
    n_top_genes: int,
    control: NDArray[np.bool_] | None,
    seed: int,
) -> NDArray[np.float64]:
    """Compute coordinates of the cells, the first with the largest variance.

    Parameters
    ----------
    counts
        Counts, shape ``(n_cells, n_genes)``.
    batch
        Batch number of each cell, shape ``(n_cells,)``.
    features
        Key of :data:`FEATURES`.
    n_components
        Number of coordinates; None for the default.
    n_top_genes
        Number of variable genes for principal components.
    control
        Mask of genes without biological variation, shape ``(n_genes,)``: their leading components are regressed out,
        and they are not used otherwise.
    seed
        Seed of random projections and of the start of the decomposition.

    Returns
    -------
    Coordinates, shape ``(n_cells, at most n_components)``.
    """
    entry = FEATURES[features]
    biological_counts = counts if control is None else counts[:, ~control]
    rng = np.random.default_rng(seed)
    size = compute_totals(counts)
    scores = entry.compute(biological_counts, batch, size, n_components or entry.n_components, n_top_genes, rng)
    if control is None:
        return scores
    log_counts = _log_normalise(counts[:, control], size)
    nuisance = _centred_components(log_counts, batch, min(_CONTROL_COMPONENTS, int(control.sum())), rng)
    return _residual(scores, nuisance)


def rotate_to_principal_axes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate given coordinates to their principal axes, which does not change distances."""
    centred = values - values.mean(axis=0)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    return _fix_signs(left * singular, right)


def scale_to_unit_length(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale each cell to length one; a cell at the origin stays there."""
    length = np.linalg.norm(scores, axis=1, keepdims=True)
    return scores / np.where(length > 0, length, 1.0)


def _pca_centered(
    counts: sparse.csr_matrix,
    batch: NDArray[np.int64],
    size: NDArray[np.float64],
    n_components: int,
    n_top_genes: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Compute principal components of log expression, centred within batches."""
    if counts.shape[1] > n_top_genes:
        counts = counts[:, _variable_genes(counts, batch, size, n_top_genes, rng)]
    return _centred_components(_log_normalise(counts, size), batch, n_components, rng)


def _rp_resid(
    counts: sparse.csr_matrix,
    batch: NDArray[np.int64],
    size: NDArray[np.float64],
    n_components: int,
    n_top_genes: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Compute random projections of the counts, centred within batches, as in the note."""
    projected = counts @ rng.standard_normal((counts.shape[1], n_components))
    sums = np.stack([np.bincount(batch, column) for column in projected.T], axis=1)
    return rotate_to_principal_axes(projected - (sums / np.bincount(batch)[:, None])[batch])


def _rp_cpm(
    counts: sparse.csr_matrix,
    batch: NDArray[np.int64],
    size: NDArray[np.float64],
    n_components: int,
    n_top_genes: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Compute random projections of relative counts; differences between batches are kept."""
    projected = counts @ rng.standard_normal((counts.shape[1], n_components))
    return rotate_to_principal_axes(projected * (_COUNTS_PER_CELL / size)[:, None])


FEATURES: dict[str, Features] = {
    "pca_centered": Features(_pca_centered, 20, is_refined=True),
    "rp_resid": Features(_rp_resid, 5),
    "rp_cpm": Features(_rp_cpm, 5),
}


def _log_normalise(counts: sparse.csr_matrix, size: NDArray[np.float64]) -> sparse.csr_matrix:
    """Return the log of one plus counts per 10,000; shares the index arrays of ``counts``."""
    values = counts.data.astype(np.float64)
    scale = _COUNTS_PER_CELL / size
    # In blocks: a factor for every count at once would be as large as the matrix.
    for start in range(0, len(scale), _ROWS_PER_BLOCK):
        ends = counts.indptr[start : start + _ROWS_PER_BLOCK + 1]
        values[ends[0] : ends[-1]] *= np.repeat(scale[start : start + _ROWS_PER_BLOCK], np.diff(ends))
    return sparse.csr_matrix((np.log1p(values, out=values), counts.indices, counts.indptr), shape=counts.shape)


def _variable_genes(
    counts: sparse.csr_matrix,
    batch: NDArray[np.int64],
    size: NDArray[np.float64],
    n_top_genes: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the genes whose expression varies most within batches, in the order of the matrix."""
    # scanpy is slow to import.
    import scanpy as sc
    from anndata import AnnData

    cells = np.arange(len(batch))
    if len(cells) > _CELLS_FOR_GENES:
        cells = np.sort(rng.choice(cells, _CELLS_FOR_GENES, replace=False))
    adata = AnnData(_log_normalise(counts[cells], size[cells]))
    adata.obs["batch"] = batch[cells].astype(str)
    adata.obs["batch"] = adata.obs["batch"].astype("category")
    sc.pp.highly_variable_genes(adata, n_top_genes=n_top_genes, batch_key="batch")
    return np.flatnonzero(adata.var["highly_variable"].to_numpy())


def _centred_components(
    matrix: sparse.csr_matrix, batch: NDArray[np.int64], n_components: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Compute principal component scores, centred within batches, without a dense copy."""
    n_cells, n_genes = matrix.shape
    members = sparse.csr_matrix((np.ones(n_cells), (batch, np.arange(n_cells))))
    means = np.asarray((members @ matrix).todense()) / np.bincount(batch)[:, None]
    n_components = min(n_components, min(matrix.shape))
    if min(matrix.shape) <= n_components + 1:
        left, singular, right = np.linalg.svd(matrix.toarray() - means[batch], full_matrices=False)
        return _fix_signs(left * singular, right)[:, :n_components]

    def forward(vectors: Any) -> Any:
        return matrix @ vectors - (means @ vectors)[batch]

    def backward(vectors: Any) -> Any:
        return matrix.T @ vectors - means.T @ (members @ vectors)

    operator = LinearOperator(
        matrix.shape, matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward, dtype=np.float64
    )
    start = rng.standard_normal(min(n_cells, n_genes))
    left, singular, right = svds(operator, k=n_components, v0=start)
    order = np.argsort(-singular)
    return _fix_signs(left[:, order] * singular[order], right[order])


def _fix_signs(scores: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fix the sign of each component by the largest entry of its axis, which does not depend on the order of cells."""
    largest = np.abs(axes).argmax(axis=1)
    return scores * np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)


def _residual(scores: NDArray[np.float64], nuisance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Regress nuisance scores out."""
    left, singular, _ = np.linalg.svd(nuisance, full_matrices=False)
    left = left[:, singular > 1e-10 * singular.max(initial=0.0)]
    return scores - left @ (left.T @ scores)
