"""Simulate points in the plane and nine polynomial features of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

_N_BIG, _N_SMALL, _N_OUTLIERS, _N_CLUSTERS = 1000, 200, 200, 5


def simulate_polynomial(seed: int = 0) -> AnnData:
    r"""Draw clusters and outliers in the plane and map them to nine features.

    There are a large round cluster of 1,000 points on the left, five small ones of 200 points each close together on
    the right, and 200 uniform outliers. A two-dimensional embedding can be compared with the original plane.

    Parameters
    ----------
    seed
        Seed.

    Returns
    -------
    AnnData of 2,200 points. ``X``: features :math:`x + y, x - y, xy, x^2, y^2, x^2 y, x y^2, x^3, y^3`, each divided by
    its largest absolute value. ``obsm["X_true"]``: the points in the plane. ``obs["cluster"]``: ``"big"``,
    ``"small_1"`` to ``"small_5"``, ``"outlier"``.

    Notes
    -----
    The published experiment gives no coordinates; here the big cluster is :math:`N((-6, 0), 1.5^2 I)`, the small ones
    have standard deviation 0.35 and lie on a circle of radius 1.8 about :math:`(6, 0)`, and outliers are uniform in
    :math:`[-12, 11] \times [-7, 7]`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_polynomial(seed=0)
    >>> adata.shape, float(abs(adata.X).max())
    ((2200, 9), 1.0)
    """
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * np.arange(_N_CLUSTERS) / _N_CLUSTERS
    centres = np.column_stack([6 + 1.8 * np.cos(angles), 1.8 * np.sin(angles)])
    plane = np.concatenate(
        [
            rng.normal([-6.0, 0.0], 1.5, (_N_BIG, 2)),
            *(rng.normal(centre, 0.35, (_N_SMALL, 2)) for centre in centres),
            rng.uniform([-12.0, -7.0], [11.0, 7.0], (_N_OUTLIERS, 2)),
        ]
    )
    x, y = plane.T
    features = np.column_stack([x + y, x - y, x * y, x**2, y**2, x**2 * y, x * y**2, x**3, y**3])
    names = ["big", *(f"small_{i + 1}" for i in range(_N_CLUSTERS)), "outlier"]
    clusters = np.repeat(names, [_N_BIG, *[_N_SMALL] * _N_CLUSTERS, _N_OUTLIERS])
    return AnnData(
        (features / np.abs(features).max(axis=0)).astype(np.float32),
        obs=pd.DataFrame(
            {"cluster": pd.Categorical(clusters, categories=names)}, index=[f"point_{i}" for i in range(len(plane))]
        ),
        var=pd.DataFrame(index=["x+y", "x-y", "xy", "x^2", "y^2", "x^2y", "xy^2", "x^3", "y^3"]),
        obsm={"X_true": plane},
    )
