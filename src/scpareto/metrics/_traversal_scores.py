"""Scores of latent traversals: how generated cells change along each dimension of a code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier

from scpareto.metrics._checks import check_labels, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_MIN_ACTIVE_SHARE = 0.02


def traversal_scores(
    moved: ArrayLike, *, real: ArrayLike | None = None, labels: ArrayLike | None = None, n_neighbors: int = 15
) -> pd.DataFrame:
    r"""Score the dimensions of a code by how much generated cells change along each.

    Parameters
    ----------
    moved
        Generated cells along each dimension, shape ``(n_latent, n_values, n_genes)``, with all other dimensions fixed.
    real, labels
        Expression of real cells, shape ``(n_cells, n_genes)``, and their types, shape ``(n_cells,)``; both or neither.
    n_neighbors
        Real cells that vote on the type of a generated one.

    Returns
    -------
    pandas.DataFrame
        One row per dimension: ``variance_share``, its share of the variance along all dimensions (summed over genes);
        ``type_changes``, share of its cells whose type differs from the most frequent type, NaN without labels;
        ``active``, whether the variance share is at least 0.02.

    Raises
    ------
    ValueError
        If shapes disagree or values are not finite.

    References
    ----------
    :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import numpy as np
    >>> moved = np.stack([np.outer([0, 3, 6], [1, 1]), np.zeros((3, 2))])
    >>> traversal_scores(moved)["variance_share"].tolist()
    [1.0, 0.0]
    """
    cells = np.asarray(moved, dtype=np.float64)
    if cells.ndim != 3 or cells.shape[1] < 2 or not np.isfinite(cells).all():
        raise ValueError(f"`moved` has shape {cells.shape}; give finite (n_latent, n_values, n_genes).")
    variance = cells.var(axis=1).sum(axis=1)
    total = variance.sum()
    share = variance / total if total > 0 else np.zeros(len(cells))
    changes = np.full(len(cells), np.nan)
    if (real is None) != (labels is None):
        raise ValueError("`real` and `labels` belong together; give both or neither.")
    if real is not None and labels is not None:
        x = check_matrix(real, "real")
        if x.shape[1] != cells.shape[2]:
            raise ValueError(f"`real` has {x.shape[1]} genes but `moved` has {cells.shape[2]}; give the same.")
        voters = KNeighborsClassifier(min(n_neighbors, len(x))).fit(x, check_labels(labels, "labels", n_cells=len(x)))
        predicted = voters.predict(cells.reshape(-1, cells.shape[2])).reshape(cells.shape[:2])
        changes = np.array([1 - np.unique(row, return_counts=True)[1].max() / len(row) for row in predicted])
    return pd.DataFrame(
        {"variance_share": share, "type_changes": changes, "active": share >= _MIN_ACTIVE_SHARE},
        index=pd.RangeIndex(len(cells), name="dimension"),
    )
