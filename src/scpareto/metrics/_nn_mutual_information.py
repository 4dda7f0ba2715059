"""Nearest-neighbour estimate of the information that codes carry about a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from ._checks import check_count, check_labels, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# As small as in scikit-learn: it orders tied cells at random and is far below any distance that carries meaning.
_TIE_NOISE = 1e-10


def nn_mutual_information(
    codes: ArrayLike, labels: ArrayLike, *, n_neighbors: int = 3, max_cells: int = 20_000, seed: int = 0
) -> float:
    r"""Mutual information between continuous codes and a discrete label, from nearest neighbours.

    Needs no training and no tuning, which makes it an independent witness next to
    :func:`~scpareto.metrics.probe_information`. It resolves less: in many dimensions it underestimates strong
    dependence, and around zero it scatters to both sides.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``. Distances are Euclidean; nothing is rescaled.
    labels
        One label per cell, shape ``(n_cells,)``; at least two distinct ones. Labels held by a single cell are
        skipped, because that cell has no neighbour of its kind.
    n_neighbors
        Neighbours :math:`k` of the same label. A label of :math:`N_s \le k` cells uses :math:`N_s - 1`.
    max_cells
        With more cells than this, a random subset of this size is used. Neighbours are exact, found with a k-d tree
        (about 3 seconds for 20,000 cells of 10 dimensions).
    seed
        Seed of the subset and of the noise, of relative size 1e-10, that puts tied cells in random order.

    Returns
    -------
    float
        The estimate in nats. Not clipped: independent data give values around zero, negative ones included.
        Codes that are the same for all cells give exactly 0.

    Raises
    ------
    ValueError
        If codes are not finite, lengths differ, labels are missing, there is only one label, or no label has two cells.

    Notes
    -----
    For cell :math:`i` of a label with :math:`N_{s_i}` cells (itself included), let :math:`r_i` be the distance to its
    :math:`k`-th neighbour of the same label and :math:`m_i` the number of cells of any label, itself included, that
    are nearer than :math:`r_i`. With the digamma function :math:`\psi`

    .. math::
        \hat I = \psi(N) + \langle\psi(k_i)\rangle - \langle\psi(N_{s_i})\rangle - \langle\psi(m_i)\rangle .

    For one dimension this is what :func:`sklearn.feature_selection.mutual_info_classif` computes before it clips
    negative values.

    References
    ----------
    Ross, B. C. (2014). Mutual information between discrete and continuous data sets. PLoS ONE 9, e87357.

    Examples
    --------
    >>> import numpy as np
    >>> batch = np.repeat(["a", "b"], 500)
    >>> codes = np.random.default_rng(0).normal(size=(1000, 2))
    >>> abs(nn_mutual_information(codes, batch)) < 0.05
    True
    """
    z = check_matrix(codes, "codes")
    text = check_labels(labels, "labels", n_cells=len(z), min_labels=2)
    k = check_count(n_neighbors, "n_neighbors", minimum=1)
    check_count(max_cells, "max_cells", minimum=2)
    rng = np.random.default_rng(seed)
    if len(z) > max_cells:
        chosen = rng.choice(len(z), max_cells, replace=False)
        z, text = z[chosen], text[chosen]

    _, label, size = np.unique(text, return_inverse=True, return_counts=True)
    kept = size[label] > 1
    z, label = z[kept], label[kept]
    n = len(z)
    if n == 0:
        raise ValueError("no label of `labels` has two cells; give a categorical label, not one value per cell.")
    if not np.ptp(z, axis=0).any():
        return 0.0
    # Centred first: next to a large common offset the noise would be lost in rounding.
    z = z - z.mean(axis=0)
    z += _TIE_NOISE * np.sqrt(z.var(axis=0).mean()) * rng.standard_normal(z.shape)

    radius, neighbors = np.empty(n), np.empty(n)
    for s in np.unique(label):
        members = np.flatnonzero(label == s)
        k_s = min(k, len(members) - 1)
        # k_s + 1 because the nearest member of a cell is the cell itself.
        radius[members] = cKDTree(z[members]).query(z[members], k=[k_s + 1])[0][:, 0]
        neighbors[members] = k_s
    nearer = cKDTree(z).query_ball_point(z, np.nextafter(radius, 0), return_length=True)
    psi = digamma(neighbors) - digamma(size[label]) - digamma(nearer)
    return float(digamma(n) + psi.mean())
