"""Every preference between the extremes from one training: a path through the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto._preferences import check_preferences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

SMALLEST_ODDS, LARGEST_ODDS = 0.05, 30.0
"""Importance of an objective relative to the generative loss at the first change of the path, and at its extreme."""
RUNNING_VARIANCE = "running_var"
"""Suffix of the names of running variances of batch normalisation."""
_LOG_RANGE = np.log1p(LARGEST_ODDS / SMALLEST_ODDS)


def shares_of(preference: ArrayLike) -> NDArray[np.float64]:
    r"""Share of each extreme of the path in the weights of a preference.

    .. math::
        s_k = \frac{\log(1 + o_k / a)}{\log(1 + b / a)}, \qquad o_k = \frac{w_k}{w_0}

    for the importances :math:`w`, with :math:`a` = 0.05 and odds of at most :math:`b` = 30. The scale is logarithmic
    because costs and benefits of a correction change with the order of magnitude of its weight. If the shares of the
    other objectives add up to more than one, they are divided by their sum. The generative loss has the rest.

    Parameters
    ----------
    preference
        Importance of each objective, shape ``(p,)``, the generative loss first.

    Returns
    -------
    Shares, shape ``(p,)``, which sum to one.

    Raises
    ------
    ValueError
        If the preference is not a point of the simplex.

    Examples
    --------
    >>> shares_of([0.5, 0.5]).round(3)
    array([0.524, 0.476])
    """
    importances = check_preferences(np.atleast_2d(np.asarray(preference, dtype=np.float64)))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(importances[1:] > 0, importances[1:] / importances[0], 0.0)
    others = np.log1p(np.minimum(odds, LARGEST_ODDS) / SMALLEST_ODDS) / _LOG_RANGE
    others = others / max(1.0, others.sum())
    return np.concatenate([[1 - others.sum()], others])


def preference_at(shares: ArrayLike) -> NDArray[np.float64]:
    """Return the importances, shape ``(p,)``, at a place of the path: the inverse of :func:`shares_of`.

    Examples
    --------
    >>> preference_at(shares_of([0.7, 0.3])).round(6)
    array([0.7, 0.3])
    """
    odds = SMALLEST_ODDS * np.expm1(_LOG_RANGE * np.asarray(shares, dtype=np.float64)[1:])
    return np.concatenate([[1.0], odds]) / (1 + odds.sum())


def coefficients_at(shares: ArrayLike) -> NDArray[np.float64]:
    r"""Coefficients of the control points of a path: :math:`s_i^2`, and :math:`2 s_i s_j` for pairs of extremes.

    Parameters
    ----------
    shares
        Share of each extreme, shape ``(p,)``.

    Returns
    -------
    Coefficients, shape ``(p (p + 1) / 2,)``, which sum to one: the uncorrected extreme first, then each further extreme
    after its control points with the extremes before it.

    Examples
    --------
    >>> coefficients_at([0.5, 0.5])
    array([0.25, 0.5 , 0.25])
    """
    s = np.asarray(shares, dtype=np.float64)
    return np.array([s[i] * s[j] * (1 if i == j else 2) for j in range(len(s)) for i in range(j + 1)])


@dataclass(frozen=True, eq=False)
class WeightPath:
    """Weights of one architecture that depend on the preference: curves from the uncorrected extreme to the others.

    Parameters
    ----------
    start
        Whole state of the uncorrected extreme, buffers included.
    controls
        Parameters and running statistics at the other control points of the curves, in the order of
        :func:`coefficients_at`.

    Notes
    -----
    Weights at a place are mixtures of those at the control points, with :func:`coefficients_at`: a Bezier curve of
    degree two, or a surface with more than two objectives. A mixture is a normal state of the module.

    References
    ----------
    Straight lines between the extremes: :cite:p:`Dimitriadis2023`; curves through weights: :cite:p:`Garipov2018`.

    Examples
    --------
    A curve of one weight from 0 to 4, with a control point at 1:

    >>> import torch
    >>> from scpareto.pareto import WeightPath
    >>> path = WeightPath({"w": torch.tensor([0.0])}, [{"w": torch.tensor([1.0])}, {"w": torch.tensor([4.0])}])
    >>> for preference in ([1.0, 0.0], [0.5, 0.5], [0.0, 1.0]):
    ...     print(round(path.state(preference)["w"].item(), 2))
    0.0
    1.4
    4.0
    """

    start: Mapping[str, torch.Tensor]
    controls: Sequence[Mapping[str, torch.Tensor]]

    def state(self, preference: ArrayLike) -> dict[str, torch.Tensor]:
        """Weights at a preference.

        Parameters
        ----------
        preference
            Importance of each objective, shape ``(p,)``.

        Returns
        -------
        A state of the module, copied.

        Raises
        ------
        ValueError
            If the number of objectives of the path differs.
        """
        coefficients = coefficients_at(shares_of(preference))
        if len(coefficients) != 1 + len(self.controls):
            raise ValueError(f"This path is not one of {np.size(preference)} objectives.")
        mixed = {}
        for name, values in self.start.items():
            mixture = values.clone()
            if name in self.controls[0]:
                mixture *= float(coefficients[0])
                for coefficient, control in zip(coefficients[1:], self.controls, strict=True):
                    mixture.add_(control[name], alpha=float(coefficient))
                if name.endswith(RUNNING_VARIANCE):
                    # A control point may be negative.
                    mixture.clamp_(min=0.0)
                # Values that are equal at all control points, such as frozen weights, stay exactly equal.
                moved = self.controls[0][name] != values
                for control in self.controls[1:]:
                    moved = moved | (control[name] != values)
                mixture = mixture.where(moved, values)
            mixed[name] = mixture
        return mixed

    def to_plain(self) -> dict[str, Any]:
        """Tensors in plain containers, from which :meth:`from_plain` makes an equal path."""
        return {"start": dict(self.start), "controls": [dict(control) for control in self.controls]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> WeightPath:
        """Rebuild from :meth:`to_plain`."""
        return cls(plain["start"], plain["controls"])
