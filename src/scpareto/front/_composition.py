"""Whether levels of a nuisance hold unlike cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import COMPOSITION_MARGIN, MIN_UNMATCHED_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Z = 1.96
_MOST_WITHOUT = 0.25
"""Share of cells without a counterpart from which it is doubtful that all of them have none: a strong effect of the
batch hides matches as well (human against mouse: 35 to 57 %), and what is not matched would stay unmixed."""


@dataclass(frozen=True)
class Composition:
    """What the population of a cell tells about its level of a nuisance.

    Parameters
    ----------
    information, information_low
        Mutual information of population and level in nats, less what chance adds, and its lower 95 % limit.
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
        """Whether levels differ in the cells that they hold, beyond chance and beyond what does no harm."""
        return (
            self.without_counterpart > MIN_UNMATCHED_SHARE or self.information_low > COMPOSITION_MARGIN * self.entropy
        )

    @property
    def is_matched(self) -> bool:
        """Whether levels differ, and so few cells lack a counterpart that the matches can be relied on."""
        return self.is_unlike and self.without_counterpart <= _MOST_WITHOUT

    def to_plain(self) -> dict[str, Any]:
        """Return all fields and the verdicts as plain types, for records."""
        return asdict(self) | {"is_unlike": self.is_unlike, "is_matched": self.is_matched}


def measure_composition(labels: NDArray[np.int64], level: NDArray[np.int64]) -> Composition:
    r"""Measure what populations tell about levels.

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
    alone = float((labels < 0).mean())
    everyone = np.bincount(level) / len(level)
    entropy = float(-(everyone[everyone > 0] * np.log(everyone[everyone > 0])).sum())
    if not inside.any():
        return Composition(0.0, 0.0, entropy, alone)
    counts = np.zeros((labels.max() + 1, level.max() + 1))
    np.add.at(counts, (labels[inside], level[inside]), 1)
    n, rows, columns = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    told = np.log(counts * n / np.outer(rows, columns), out=np.zeros_like(counts), where=counts > 0)
    share = counts / n
    information = float((share * told).sum())
    error = float(np.sqrt((share * (told - information) ** 2).sum() / n))
    information -= float((np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1) / (2 * n))
    return Composition(information, information - _Z * error, entropy, alone)
