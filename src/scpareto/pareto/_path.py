"""Every preference between the extremes from one training: a path of weights."""

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
"""Importance of an objective relative to the generative loss at which the path begins to move, and where it ends."""
_STRETCH = np.log1p(LARGEST_ODDS / SMALLEST_ODDS)


def shares_of(preference: ArrayLike) -> NDArray[np.float64]:
    r"""Share of each end of the path in the weights of a preference.

    .. math::
        s_k = \frac{\log(1 + o_k / a)}{\log(1 + b / a)}, \qquad o_k = \frac{w_k}{w_0}

    for the importances :math:`w`, with :math:`a` = 0.05 and odds that end at :math:`b` = 30: what a correction costs
    and brings changes with the order of magnitude of its weight. Shares of the other objectives that add up to more
    than one are divided by their sum; the generative loss has the rest.

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
    wanted = check_preferences(np.atleast_2d(np.asarray(preference, dtype=np.float64)))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(wanted[1:] > 0, wanted[1:] / wanted[0], 0.0)
    others = np.log1p(np.minimum(odds, LARGEST_ODDS) / SMALLEST_ODDS) / _STRETCH
    others = others / max(1.0, others.sum())
    return np.concatenate([[1 - others.sum()], others])


def preference_at(shares: ArrayLike) -> NDArray[np.float64]:
    """Return the importances, shape ``(p,)``, at a place of the path: the inverse of :func:`shares_of`.

    Examples
    --------
    >>> preference_at(shares_of([0.7, 0.3])).round(6)
    array([0.7, 0.3])
    """
    odds = SMALLEST_ODDS * np.expm1(_STRETCH * np.asarray(shares, dtype=np.float64)[1:])
    return np.concatenate([[1.0], odds]) / (1 + odds.sum())


@dataclass(frozen=True, eq=False)
class WeightPath:
    """Weights of one architecture that depend on the preference: mixtures of those of its ends.

    Parameters
    ----------
    start
        Whole state of the uncorrected end, buffers included.
    ends
        For each other objective the parameters of its strongest end; what is missing there is that of the start.

    Notes
    -----
    Mixtures are networks like any other: a point of the path is a plain state of the module.

    References
    ----------
    :cite:p:`Dimitriadis2023`.
    """

    start: Mapping[str, torch.Tensor]
    ends: Sequence[Mapping[str, torch.Tensor]]

    def state(self, preference: ArrayLike) -> dict[str, torch.Tensor]:
        """Weights at a preference.

        Parameters
        ----------
        preference
            Importance of each objective, shape ``(p,)``.

        Returns
        -------
        A state of the module, copied.
        """
        shares = shares_of(preference)
        if len(shares) != 1 + len(self.ends):
            raise ValueError(f"A preference of this path has {1 + len(self.ends)} numbers, got {len(shares)}.")
        mixed = {}
        for name, values in self.start.items():
            found = values.clone()
            if name in self.ends[0]:
                found *= float(shares[0])
                for share, end in zip(shares[1:], self.ends, strict=True):
                    found.add_(end[name], alpha=float(share))
            mixed[name] = found
        return mixed

    def to_plain(self) -> dict[str, Any]:
        """Tensors in plain containers, from which :meth:`from_plain` makes an equal path."""
        return {"start": dict(self.start), "ends": [dict(end) for end in self.ends]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> WeightPath:
        """Rebuild from :meth:`to_plain`."""
        return cls(plain["start"], plain["ends"])
