"""How evenly batches mix in the neighbourhoods of the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import entr

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._ties import break_ties

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def batch_entropy(
    codes: ArrayLike,
    batch: ArrayLike,
    *,
    n_neighbors: int = 50,
    n_pools: int | None = 50,
    pool_size: int = 100,
    normalize: Literal["composition"] | None = None,
    seed: int = 0,
) -> float:
    r"""Mean entropy of the batches among each cell's nearest neighbours.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``; usually posterior means. Distances are Euclidean.
    batch
        Batch of each cell, shape ``(n_cells,)``; at least two distinct ones. A batch may be smaller than
        ``n_neighbors``.
    n_neighbors
        Neighbours :math:`k` per cell, the cell itself not among them.
    n_pools, pool_size
        The mean is over ``n_pools`` pools of ``pool_size`` cells, drawn with replacement; neighbours are always
        searched, exactly, among all cells. ``n_pools=None`` takes the mean over all cells.
    normalize
        None gives the entropy in nats. ``"composition"`` allows for batches of unequal size, see the notes.
    seed
        Seed of the pools and of the noise, of relative size 1e-10, that puts tied cells in random order. Codes that
        are the same for all cells have random neighbours and count as well mixed.

    Returns
    -------
    float
        Without normalisation, between 0 (neighbours of one batch only) and :math:`\log B` for :math:`B` batches. Only
        batches of equal size can reach :math:`\log B`: codes without information about the batch reach about
        :math:`H(\pi) - (B - 1) / 2k`, with :math:`\pi` the batch proportions. With ``"composition"``, between
        0 and 1 (neighbours in the proportions of the data).

    Raises
    ------
    ValueError
        If codes are not finite, lengths differ, batches are missing, there is only one batch, there are not more
        cells than ``n_neighbors``, or an option is out of range.

    Notes
    -----
    With :math:`p_{ib}` the fraction of the :math:`k` nearest neighbours of cell :math:`i` that are of batch :math:`b`

    .. math:: H_i = - \sum_b p_{ib} \log p_{ib} .

    ``normalize="composition"`` divides the fractions by the proportions :math:`\pi_b` of the batches among all cells
    and makes them sum to 1 again, and divides the entropy by its maximum:

    .. math::
        w_{ib} = \frac{p_{ib} / \pi_b}{\sum_c p_{ic} / \pi_c} , \qquad
        \tilde H_i = - \frac{1}{\log B} \sum_b w_{ib} \log w_{ib} .

    Fractions of few neighbours are noisy, those of a rare batch most of all, and noise lowers the entropy. Perfect
    mixing reaches 1 only where :math:`k \pi_b \gg 1` for every batch.

    References
    ----------
    Haghverdi, L. et al. (2018). Batch effects in single-cell RNA-sequencing data are corrected by matching mutual
    nearest neighbors. Nature Biotechnology 36, 421-427.

    Lopez, R. et al. (2018). Deep generative modeling for single-cell transcriptomics. Nature Methods 15, 1053-1058.

    Examples
    --------
    >>> import numpy as np
    >>> batch = np.repeat(["a", "b"], 500)
    >>> codes = np.random.default_rng(0).normal(size=(1000, 2))
    >>> bool(0.66 < batch_entropy(codes, batch) < np.log(2))
    True
    >>> batch_entropy(codes + 100 * (batch == "b")[:, None], batch)
    0.0
    """
    z = check_matrix(codes, "codes")
    text = check_labels(batch, "batch", n_cells=len(z), min_labels=2)
    k = check_count(n_neighbors, "n_neighbors", minimum=1)
    check_count(pool_size, "pool_size", minimum=1)
    if normalize not in (None, "composition"):
        raise ValueError(f"`normalize` is {normalize!r}; give None or 'composition'.")
    n = len(z)
    if n <= k:
        raise ValueError(f"`codes` has {n} cells; {k} neighbours of each need at least {k + 1}. Lower `n_neighbors`.")

    rng = np.random.default_rng(seed)
    drawn = np.arange(n)
    if n_pools is not None:
        drawn = rng.integers(n, size=check_count(n_pools, "n_pools", minimum=1) * int(pool_size))
    rows, times = np.unique(drawn, return_counts=True)

    z = break_ties(z, rng)
    # Without ties the nearest cell of a cell is the cell itself.
    near = cKDTree(z).query(z[rows], k=k + 1)[1][:, 1:]
    _, of_batch, size = np.unique(text, return_inverse=True, return_counts=True)
    cell_and_batch = np.arange(len(rows))[:, None] * len(size) + of_batch[near]
    counts = np.bincount(cell_and_batch.ravel(), minlength=len(rows) * len(size)).reshape(len(rows), -1)
    weights = counts / size if normalize else counts
    # Rounding may leave values just beyond the bounds.
    entropy = np.clip(entr(weights / weights.sum(axis=1, keepdims=True)).sum(axis=1), 0.0, np.log(len(size)))
    return float(np.average(entropy, weights=times) / (np.log(len(size)) if normalize else 1.0))
