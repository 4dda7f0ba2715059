"""Test whether levels of a nuisance differ in their cell composition."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import COMPOSITION_MARGIN, MIN_UNMATCHED_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Z = 1.96
_MAX_WITHOUT_COUNTERPART = 0.25
"""Largest share of cells without a counterpart at which matches are trusted. A strong batch effect hides matches too
(human against mouse: 35 to 57 %), and unmatched cells would stay unmixed."""


@dataclass(frozen=True)
class Composition:
    """Information that the population of a cell holds about its level of a nuisance.

    Parameters
    ----------
    information, information_low
        Mutual information of population and level in nats, corrected for chance, and its lower 95 % limit.
    entropy
        Entropy of the level in nats.
    without_counterpart
        Share of cells whose population no other level has.
    """

    information: float
    information_low: float
    entropy: float
    without_counterpart: float

    @property
    def is_unlike(self) -> bool:
        """Whether levels differ in composition beyond chance and beyond a harmless amount."""
        return (
            self.without_counterpart > MIN_UNMATCHED_SHARE or self.information_low > COMPOSITION_MARGIN * self.entropy
        )

    @property
    def is_matched(self) -> bool:
        """Whether levels differ, and few enough cells lack a counterpart for the matches to be trusted."""
        return self.is_unlike and self.without_counterpart <= _MAX_WITHOUT_COUNTERPART

    def to_plain(self) -> dict[str, Any]:
        """Return all fields and the verdicts as plain types, for records."""
        return asdict(self) | {"is_unlike": self.is_unlike, "is_matched": self.is_matched}


def measure_composition(labels: NDArray[np.int64], level: NDArray[np.int64]) -> Composition:
    r"""Measure the information of populations about levels.

    Parameters
    ----------
    labels
        Population of each cell, -1 without counterpart, shape ``(n_cells,)``.
    level
        Level of each cell, from 0.

    Notes
    -----
    Of cells with a counterpart, the plug-in estimate of :math:`I(c; s)` less its bias
    :math:`(|c| - 1)(|s| - 1) / 2n`; its standard error is that of the mean of
    :math:`\log p(c, s) / p(c) p(s)` over cells.
    """
    inside = labels >= 0
    without_counterpart = float((labels < 0).mean())
    level_share = np.bincount(level) / len(level)
    entropy = float(-(level_share[level_share > 0] * np.log(level_share[level_share > 0])).sum())
    if not inside.any():
        return Composition(0.0, 0.0, entropy, without_counterpart)
    counts = np.zeros((labels.max() + 1, level.max() + 1))
    np.add.at(counts, (labels[inside], level[inside]), 1)
    n, rows, columns = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    log_ratio = np.log(counts * n / np.outer(rows, columns), out=np.zeros_like(counts), where=counts > 0)
    share = counts / n
    information = float((share * log_ratio).sum())
    error = float(np.sqrt((share * (log_ratio - information) ** 2).sum() / n))
    information -= float((np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1) / (2 * n))
    return Composition(information, information - _Z * error, entropy, without_counterpart)
