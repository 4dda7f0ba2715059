"""Over-correction, seen without labels: differences within batches that a stronger correction has erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_CERTAINTY = 1.28
"""One-sided 90 % quantile: a loss counts as far as it is certain."""
_LEAST_CONTRAST = 0.4
"""A contrast that no less corrected point shows clearly is one between noise and noise."""
ALARM_AT, ALARM_WIDTH = 0.06, 0.02
"""Loss at which the alarm is one half, and how fast it rises; settled on simulated designs 0 to 15."""


def contrast_lost(value: ArrayLike, standard_error: ArrayLike, correction: ArrayLike) -> NDArray[np.float64]:
    r"""Share of each contrast that a point has certainly lost against the best of the less corrected ones.

    Parameters
    ----------
    value
        What each point keeps of each contrast, shape ``(n_points, n_contrasts)``, see
        :func:`scpareto.metrics.contrast_retention`; NaN where unknown.
    standard_error
        Their standard errors, same shape.
    correction
        How strongly each point is corrected, shape ``(n_points,)``, for example its preference for the nuisance.

    Returns
    -------
    Losses in [0, 1], shape ``(n_points, n_contrasts)``; 0 where unknown, or where no less corrected point shows the
    contrast.

    Raises
    ------
    ValueError
        If shapes disagree.

    Notes
    -----
    With value :math:`v` and standard error :math:`s` of point :math:`p`, and :math:`r` the less corrected point of
    largest value,

    .. math:: \max\left(0,\ \frac{v_r - v_p - 1.28 \sqrt{s_r^2 + s_p^2}}{v_r}\right) .
    """
    kept, error = np.asarray(value, dtype=np.float64), np.asarray(standard_error, dtype=np.float64)
    strength = np.asarray(correction, dtype=np.float64)
    if kept.ndim != 2 or error.shape != kept.shape or strength.shape != kept.shape[:1]:
        raise ValueError(
            f"value, standard_error and correction have shapes {kept.shape}, {error.shape} and {strength.shape}; give "
            "(n_points, n_contrasts) twice, and (n_points,)."
        )
    lost = np.zeros_like(kept)
    columns = np.arange(kept.shape[1])
    known = np.where(np.isfinite(kept), kept, -np.inf)
    for point in range(len(kept)):
        weaker = np.flatnonzero(strength < strength[point])
        if not len(weaker):
            continue
        best = weaker[known[weaker].argmax(axis=0)]
        reference = known[best, columns]
        told = (reference > _LEAST_CONTRAST) & np.isfinite(known[point])
        uncertain = _CERTAINTY * np.hypot(error[best, columns], error[point])
        share = np.divide(reference - known[point] - uncertain, reference, out=np.zeros_like(reference), where=told)
        lost[point] = np.clip(share, 0, 1)
    return lost


def alarm(lost: ArrayLike) -> NDArray[np.float64]:
    r"""Over-correction alarm of each point, in [0, 1]; above one half the point should not be trusted.

    Parameters
    ----------
    lost
        Of :func:`contrast_lost`, shape ``(n_points, n_contrasts)``.

    Returns
    -------
    Alarm, shape ``(n_points,)``: :math:`1 / (1 + \exp(-(\ell - 0.06) / 0.02))` of the largest loss :math:`\ell` of a
    point. NaN without contrasts.
    """
    losses = np.atleast_2d(np.asarray(lost, dtype=np.float64))
    if losses.shape[1] == 0:
        return np.full(len(losses), np.nan)
    return 1 / (1 + np.exp(-(losses.max(axis=1) - ALARM_AT) / ALARM_WIDTH))
