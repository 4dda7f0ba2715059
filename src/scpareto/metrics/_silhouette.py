"""Silhouette of annotated labels in the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import silhouette_score

from scpareto.metrics._checks import check_annotated, check_count, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def silhouette(codes: ArrayLike, labels: ArrayLike, *, max_cells: int = 20_000, seed: int = 0) -> float:
    r"""Average silhouette width of annotated labels, such as cell types.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``; usually posterior means. Distances are Euclidean; nothing
        is rescaled.
    labels
        One label per cell, shape ``(n_cells,)``; at least two distinct ones. Cells whose label is missing (NaN, None)
        are left out. A text such as ``"nan"`` is a label like any other.
    max_cells
        With more annotated cells than this, a random subset of this size is used (about 4 seconds for 20,000 cells of
        10 dimensions; time grows with the square).
    seed
        Seed of the subset.

    Returns
    -------
    float
        The average, in [-1, 1]: 1 for labels far apart, 0 for overlapping ones, negative where cells are nearer to
        another label than to their own. Not rescaled to [0, 1]. Codes that are the same for all cells give exactly 0.

    Raises
    ------
    ValueError
        If codes are not finite, lengths differ, there are fewer than two labels, or no label has two cells.

    Notes
    -----
    With :math:`a_i` the mean distance of cell :math:`i` to the other cells of its label and :math:`b_i` the smallest
    mean distance to the cells of another label

    .. math:: \frac{1}{n} \sum_i \frac{b_i - a_i}{\max(a_i, b_i)} ,

    where a cell that is alone with its label, or tied with the cells of both labels, contributes 0.

    References
    ----------
    Rousseeuw, P. J. (1987). Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
    Journal of Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> round(silhouette([[0.0], [1.0], [10.0], [11.0]], ["B", "B", "T", "T"]), 3)
    0.9
    """
    z = check_matrix(codes, "codes")
    text, annotated = check_annotated(labels, "labels", n_cells=len(z), min_labels=2)
    check_count(max_cells, "max_cells", minimum=3)
    z = z[annotated]
    if len(z) > max_cells:
        chosen = np.random.default_rng(seed).choice(len(z), int(max_cells), replace=False)
        z, text = z[chosen], text[chosen]

    n_labels = len(np.unique(text))
    if n_labels == 1:
        raise ValueError(f"`max_cells` is {max_cells}; the cells drawn are all {str(text[0])!r}. Give a larger number.")
    if n_labels == len(z):
        raise ValueError("no label of `labels` has two cells; give a categorical label, not one value per cell.")
    # Minkowski, because scikit-learn's Euclidean distances between duplicates are not exactly zero.
    return float(silhouette_score(z, text, metric="minkowski", p=2))
