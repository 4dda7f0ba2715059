"""Two independent halves of the same counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells import to_canonical

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def thinned_halves(counts: ArrayLike | sparse.spmatrix | sparse.sparray, *, seed: int = 0) -> tuple[Any, Any]:
    r"""Divide the molecules of each cell at random into two halves, as if the cell had been measured twice.

    Parameters
    ----------
    counts
        Counts, shape ``(n_cells, n_genes)``, dense or sparse. They are not changed.
    seed
        Seed of the division.

    Returns
    -------
    The two halves: sparse where ``counts`` is sparse (CSR), dense otherwise. They add up to ``counts``.

    Raises
    ------
    ValueError
        If ``counts`` is not a matrix, or if counts are missing, infinite, negative or fractional.

    Notes
    -----
    With :math:`x` the count of a gene in a cell

    .. math:: a \sim \operatorname{Binomial}(x, 1/2), \quad b = x - a .

    If :math:`x` is Poisson with mean :math:`\mu`, the halves are independent and each is Poisson with mean
    :math:`\mu/2`. Their noise is independent, so that only the biology of the cell is common to both.

    References
    ----------
    Neufeld, A., Gao, L. L., Popp, J., Battle, A. and Witten, D. (2024). Inference after latent variable estimation for
    single-cell RNA sequencing data. Biostatistics 25, 270-287.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[0, 100], [1, 7]])
    >>> a, b = thinned_halves(counts, seed=0)
    >>> (a + b).tolist(), bool(30 < a[0, 1] < 70)
    ([[0, 100], [1, 7]], True)
    """
    matrix = check_counts(counts)
    rng = np.random.default_rng(seed)
    if not sparse.issparse(matrix):
        one = rng.binomial(matrix.astype(np.int64), 0.5).astype(matrix.dtype)
        return one, matrix - one
    one, other = matrix.copy(), matrix.copy()
    one.data = rng.binomial(matrix.data.astype(np.int64), 0.5).astype(matrix.dtype)
    other.data = matrix.data - one.data
    # Most counts are small, so that many entries of each half are zero and need not be stored.
    one.eliminate_zeros()
    other.eliminate_zeros()
    return one, other


def check_counts(counts: Any, name: str = "counts") -> Any:
    """Return ``counts`` as a CSR or dense matrix of exact whole numbers that are not negative."""
    counts = to_canonical(counts, f"`{name}`")
    matrix: Any = counts.tocsr() if sparse.issparse(counts) else np.asarray(counts)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"`{name}` has shape {matrix.shape}; give one row per cell and one column per gene.")
    values: NDArray[Any] = matrix.data if sparse.issparse(matrix) else matrix
    if values.dtype.kind not in "iuf":
        raise ValueError(f"`{name}` has dtype {values.dtype}; give whole numbers of molecules.")
    if values.size and (not np.isfinite(values).all() or values.min() < 0 or (values != np.floor(values)).any()):
        raise ValueError(
            f"`{name}` has values that are no counts (missing, negative or fractional, such as "
            f"{_example(values)}); give raw counts, not normalised or log-transformed values."
        )
    return matrix


def _example(values: Any) -> float:
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    return round(float(values[wrong].flat[0]), 3)
