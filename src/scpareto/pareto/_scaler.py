"""Standardisation of losses that live on different scales."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

Losses = TypeVar("Losses", "NDArray[Any]", torch.Tensor)

_ROUNDING = 1e-5
"""Range, as a share of the size of a loss and of 1, below which it is rounding.

A loss is a sum of terms of order 1, or of its own size, in single precision, and is right to about 1e-6 of that. The
estimate of a critic that is constant ranges over 4e-7; the smallest true ranges, those of ``hsic``, are above 1e-3.
"""


@dataclass(frozen=True, eq=False)
class Scaler:
    """Linear map that sends the best loss of each objective to 0 and the worst to 1, without clipping.

    Parameters
    ----------
    name
        How the limits were found.
    minimum
        Loss of each objective that becomes 0, shape ``(p,)``.
    maximum
        Loss of each objective that becomes 1, shape ``(p,)``.

    Examples
    --------
    >>> import numpy as np
    >>> Scaler("payoff", [300.0, 0.0], [340.0, 0.5]).scale(np.array([310.0, 0.25]))
    array([0.25, 0.5 ])
    """

    name: str
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    def __post_init__(self) -> None:
        low, high = np.array(self.minimum, dtype=np.float64), np.array(self.maximum, dtype=np.float64)
        if low.ndim != 1 or low.shape != high.shape:
            raise ValueError(f"minimum and maximum must have one shape (p,), got {low.shape} and {high.shape}.")
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()):
            raise ValueError(f"Each maximum must exceed its minimum, got {low.tolist()} and {high.tolist()}.")
        object.__setattr__(self, "minimum", low)
        object.__setattr__(self, "maximum", high)

    @property
    def range(self) -> NDArray[np.float64]:
        """Distance between worst and best, shape ``(p,)``."""
        return self.maximum - self.minimum

    def scale(self, losses: Losses) -> Losses:
        """Standardise losses of shape ``(..., p)``; gradients pass through tensors."""
        if isinstance(losses, torch.Tensor):
            minimum = torch.as_tensor(self.minimum, dtype=losses.dtype, device=losses.device)
            return (losses - minimum) / torch.as_tensor(self.range, dtype=losses.dtype, device=losses.device)
        return (np.asarray(losses, dtype=np.float64) - self.minimum) / self.range

    @classmethod
    def payoff(
        cls,
        losses_of_anchors: ArrayLike,
        *,
        floor: Sequence[float | None] | None = None,
        least_range: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> Scaler:
        """Limits from the anchors, the points that minimise one objective each.

        Parameters
        ----------
        losses_of_anchors
            Row i holds the losses of all objectives at the anchor that minimises objective i, shape ``(p, p)``. The
            ideal is the diagonal, the nadir the maximum of each column.
        floor
            Known lower bound of each objective, or ``None``. The ideal is not set above it: a batch information of
            zero is ideal although the anchor may stop at a positive value.
        least_range
            Smallest range of each objective, shape ``(p,)``. Where the anchors hardly differ in an objective, a range
            of next to nothing would give it all weight.
        names
            Names of the objectives, for the warning.

        Warns
        -----
        UserWarning
            If the range of an objective is no more than rounding, see :meth:`trajectory`.
        """
        payoff = np.array(losses_of_anchors, dtype=np.float64)
        if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1] or not np.isfinite(payoff).all():
            raise ValueError(f"losses_of_anchors must be a finite (p, p) matrix, got {payoff.tolist()}.")
        minimum = np.diag(payoff).copy()
        if floor is not None:
            minimum = np.minimum(minimum, [np.inf if bound is None else bound for bound in floor])
        return cls("payoff", minimum, _worst(minimum, payoff.max(axis=0), least_range, names))

    @classmethod
    def trajectory(cls, minibatch_losses: ArrayLike, *, names: Sequence[str] | None = None) -> Scaler:
        """Limits from the smallest and largest minibatch losses, as in Li et al. (2022).

        Parameters
        ----------
        minibatch_losses
            Losses of each minibatch, shape ``(n, p)``.
        names
            Names of the objectives, for the warning.

        Warns
        -----
        UserWarning
            If the range of an objective is no more than rounding: below 1e-5, or 1e-5 of the smallest loss where that
            exceeds 1. Such losses are only shifted, or divided by the smallest one, so that rounding stays as small as
            it is.
        """
        losses = np.array(minibatch_losses, dtype=np.float64)
        if losses.ndim != 2 or len(losses) < 1 or not np.isfinite(losses).all():
            raise ValueError(f"minibatch_losses must be a finite (n, p) matrix, got shape {losses.shape}.")
        minimum = losses.min(axis=0)
        return cls("trajectory", minimum, _worst(minimum, losses.max(axis=0), None, names))

    @classmethod
    def identity(cls, n_objectives: int) -> Scaler:
        """Leave losses as they are."""
        return cls("none", np.zeros(n_objectives), np.ones(n_objectives))

    def to_plain(self) -> dict[str, Any]:
        """Plain values from which :meth:`from_plain` makes an equal scaler."""
        return {"name": self.name, "minimum": self.minimum.tolist(), "maximum": self.maximum.tolist()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Scaler:
        """Rebuild from :meth:`to_plain`."""
        return cls(plain["name"], plain["minimum"], plain["maximum"])


_SCALERS: dict[str, Callable[..., Scaler]] = {
    "payoff": Scaler.payoff,
    "trajectory": Scaler.trajectory,
    "none": Scaler.identity,
}


def get_scaler(name: str) -> Callable[..., Scaler]:
    """Return the constructor of a scaler: ``"payoff"``, ``"trajectory"`` or ``"none"``.

    Raises
    ------
    ValueError
        If there is no such scaler.

    Examples
    --------
    Each row holds the losses at one extreme; the best of each column becomes 0 and the worst 1:

    >>> import numpy as np
    >>> from scpareto.pareto import get_scaler
    >>> scaler = get_scaler("payoff")([[300.0, 0.5], [340.0, 0.0]])
    >>> scaler.scale(np.array([310.0, 0.25]))
    array([0.25, 0.5 ])
    """
    if name not in _SCALERS:
        raise ValueError(f"Unknown scaler {name!r}; choose from {scaler_names()}.")
    return _SCALERS[name]


def scaler_names() -> list[str]:
    """Names of all scalers.

    Examples
    --------
    >>> from scpareto.pareto import scaler_names
    >>> scaler_names()
    ['none', 'payoff', 'trajectory']
    """
    return sorted(_SCALERS)


def _worst(
    minimum: NDArray[np.float64],
    maximum: NDArray[np.float64],
    least_range: ArrayLike | None,
    names: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Maxima that leave every range at least as wide as asked, and 1, or the size of the loss, where it is rounding."""
    if least_range is not None:
        maximum = np.maximum(maximum, minimum + np.array(least_range, dtype=np.float64))
    size = np.maximum(1.0, np.abs(minimum))
    narrow = maximum - minimum < _ROUNDING * size
    for index in np.flatnonzero(narrow).tolist():
        name = f"objective {index}" if names is None else names[index]
        warnings.warn(
            f"The losses of {name} range over {maximum[index] - minimum[index]:.3g} only, which is rounding. They are "
            "not stretched to the range of the others, and hardly count. There is nothing to trade, or the trainings "
            "were too short: train longer (max_epochs), and a critic longer or faster (critic_warmup, critic_lr).",
            stacklevel=3,
        )
    return np.where(narrow, minimum + size, maximum)
