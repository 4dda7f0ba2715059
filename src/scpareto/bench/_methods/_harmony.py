"""Harmony, by harmonypy. It is GPL-licensed and imported only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "harmony",
    title="Harmony",
    family="linear",
    library="harmonypy",
    extra="harmony",
    requires="harmonypy",
    reference="Korsunsky et al. 2019",
    knob=Knob("theta", (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)),
    least_cells=16,
)
def harmony(cells: Cells, *, theta: float = 2.0, max_iter_harmony: int = 20, **options: Any) -> NDArray:
    """Cluster principal components softly, and correct each cluster such that it mixes all batches.

    Parameters
    ----------
    cells
        The cells.
    theta
        Strength of the diversity penalty; 0 for none.
    max_iter_harmony
        Largest number of rounds of clustering and correction.
    **options
        Further arguments of ``harmonypy.run_harmony``. Without ``lamb`` its version 2 estimates the ridge penalty of
        each cluster from ``alpha`` (0.2).

    Returns
    -------
    Corrected components, shape ``(n_cells, 30)``.

    References
    ----------
    :cite:p:`Korsunsky2019`.
    """
    import harmonypy

    corrected = harmonypy.run_harmony(
        cells.components,
        pd.DataFrame({"batch": cells.batch}),
        "batch",
        theta=theta,
        max_iter_harmony=max_iter_harmony,
        random_state=cells.seed,
        verbose=False,
        ncores=1,
        **options,
    ).Z_corr
    corrected = np.asarray(corrected, dtype=np.float64)
    # Before version 2 of harmonypy cells were columns.
    return corrected if len(corrected) == len(cells) else corrected.T


@register_method(
    "harmony_ridge",
    title="Harmony, fixed ridge",
    family="linear",
    library="harmonypy",
    extra="harmony",
    requires="harmonypy",
    reference="Korsunsky et al. 2019",
    knob=Knob("theta", (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)),
    least_cells=16,
)
def harmony_ridge(
    cells: Cells, *, theta: float = 2.0, lamb: float = 1.0, max_iter_harmony: int = 20, **options: Any
) -> NDArray:
    """Run Harmony with one fixed ridge penalty for all clusters, as published; version 2 estimates the penalty.

    Parameters
    ----------
    cells
        The cells.
    theta, max_iter_harmony, **options
        As for :func:`harmony`.
    lamb
        Ridge penalty; a smaller one corrects more.

    Returns
    -------
    Corrected components, shape ``(n_cells, 30)``.

    References
    ----------
    :cite:p:`Korsunsky2019`.
    """
    return harmony(cells, theta=theta, lamb=lamb, max_iter_harmony=max_iter_harmony, **options)
