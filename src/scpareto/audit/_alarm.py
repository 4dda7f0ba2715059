"""Over-correction alarm without labels: differences within batches that a stronger correction has erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.metrics import ContrastRetention

_N_STANDARD_ERRORS = 2.0
"""Standard errors that are subtracted from a loss."""
_MIN_CONTRAST = 0.4
"""A contrast counts only if some less corrected point shows more than this; otherwise it is noise."""
ALARM_AT, ALARM_WIDTH = 0.07, 0.02
"""Loss at which the alarm is one half, and the width of its rise; chosen on simulated designs."""


def compute_contrast_losses(kept: Sequence[ContrastRetention], correction: ArrayLike) -> NDArray[np.float64]:
    r"""Compute the share of each contrast that a point has lost against the best less corrected point.

    Parameters
    ----------
    kept
        Retention of the same contrasts at each point, judged on the same cells, see
        :func:`scpareto.metrics.contrast_retention`.
    correction
        How strongly each point is corrected, shape ``(n_points,)``, for example its preference for the nuisance.

    Returns
    -------
    Losses in [0, 1], shape ``(n_points, n_contrasts)``; 0 where unknown, or where no less corrected point shows the
    contrast.

    Raises
    ------
    ValueError
        If there is not one correction for each point.

    Notes
    -----
    With value :math:`v` of point :math:`p`, :math:`r` the less corrected point of largest value, and :math:`s` the
    standard error of their difference, over the cells on which both were judged,

    .. math:: \max\left(0,\ \frac{v_r - v_p - 2 s}{v_r}\right) .

    Examples
    --------
    Uncorrected codes show a difference of two groups, and those of a strong correction have merged them:

    >>> import numpy as np
    >>> from scpareto.audit import compute_contrast_losses
    >>> from scpareto.metrics import contrast_of_gene, contrast_retention
    >>> expression = np.random.default_rng(0).normal(size=(200, 1)) + 9.0 * np.repeat([0, 1], 100)[:, None]
    >>> contrast = contrast_of_gene("XIST", expression[:, 0], column=0, n_columns=1)
    >>> merged = expression - 9.0 * np.repeat([0, 1], 100)[:, None]
    >>> kept = [contrast_retention(codes, expression, [contrast]) for codes in (expression, merged)]
    >>> lost = compute_contrast_losses(kept, correction=[0.1, 0.9])
    >>> lost.round(1).tolist()
    [[0.0], [0.9]]
    """
    strength = np.asarray(correction, dtype=np.float64)
    if strength.shape != (len(kept),):
        raise ValueError(f"correction has shape {strength.shape} but there are {len(kept)} points; give one for each.")
    value = np.array([one.value for one in kept]).reshape(len(kept), -1)
    lost = np.zeros_like(value)
    finite_value = np.where(np.isfinite(value), value, -np.inf)
    for point in range(len(kept)):
        weaker = np.flatnonzero(strength < strength[point])
        if not len(weaker):
            continue
        best = weaker[finite_value[weaker].argmax(axis=0)]
        for column in np.flatnonzero(finite_value[best, np.arange(value.shape[1])] > _MIN_CONTRAST):
            reference = kept[best[column]]
            pairs = zip(
                reference.shown[column], kept[point].shown[column], reference.n_independent[column], strict=True
            )
            error = np.sqrt(sum((before - after).var() / number for before, after, number in pairs))
            drop = reference.value[column] - value[point, column]
            lost[point, column] = np.clip((drop - _N_STANDARD_ERRORS * error) / reference.value[column], 0, 1)
    return lost


def compute_alarm(lost: ArrayLike) -> NDArray[np.float64]:
    r"""Compute the over-correction alarm of each point, in [0, 1]; above one half the point should not be trusted.

    Parameters
    ----------
    lost
        Result of :func:`compute_contrast_losses`, shape ``(n_points, n_contrasts)``.

    Returns
    -------
    Alarm, shape ``(n_points,)``: :math:`1 / (1 + \exp(-(\ell - 0.07) / 0.02))` of the largest loss :math:`\ell` of a
    point. NaN without contrasts.

    Examples
    --------
    >>> from scpareto.audit import compute_alarm
    >>> compute_alarm([[0.0, 0.0], [0.0, 0.07], [0.3, 0.0]]).round(2)
    array([0.03, 0.5 , 1.  ])
    """
    losses = np.atleast_2d(np.asarray(lost, dtype=np.float64))
    if losses.shape[1] == 0:
        return np.full(len(losses), np.nan)
    return 1 / (1 + np.exp(-(losses.max(axis=1) - ALARM_AT) / ALARM_WIDTH))
