"""Bootstrap draws that are shared by all embeddings of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, t

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Draws:
    """Weights of cells and of repeats in each draw.

    Attributes
    ----------
    cells
        How often each cell is drawn, shape ``(n_draws, n_cells)``.
    repeats
        Weights of the repeats, which sum to 1, shape ``(n_draws, n_repeats)``.
    probe_position
        Uniform from -1 to 1, shape ``(n_draws,)``: position between the held-out (-1) and the training value (1).
    """

    cells: NDArray[np.float32]
    repeats: NDArray[np.float64]
    probe_position: NDArray[np.float64]

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sums over cells of ``values``, shape ``(n_cells, ...)``, in each draw: ``(n_draws, ...)``."""
        flat = np.ascontiguousarray(values.reshape(len(values), -1), dtype=np.float32)
        return (self.cells @ flat).reshape(len(self.cells), *values.shape[1:]).astype(np.float64)


def draw_bootstrap(
    n_draws: int,
    n_repeats: int,
    rng: np.random.Generator,
    *,
    batch: NDArray[np.int64],
    sample: NDArray[np.int64] | None,
    level: float,
) -> Draws:
    """Draw cells, or samples within batches, and repeats, with replacement.

    The variance of ``n`` units drawn with replacement is too small by the factor (n - 1) / n. This is negligible for
    many cells, but a factor of a half for two repeats. Deviations of samples and repeats are stretched to correct this.
    Those of samples are stretched further, as Student's t does for intervals of this ``level``, because their variance
    is estimated from few samples.
    """
    cells = np.empty((n_draws, len(batch)), dtype=np.float32)
    if sample is None:
        for row in cells:
            row[:] = np.bincount(rng.integers(len(batch), size=len(batch)), minlength=len(batch))
    else:
        samples = [np.unique(sample[batch == b]) for b in np.unique(batch)]
        inflation = t.ppf((1 + level) / 2, sum(map(len, samples)) - len(samples)) / norm.ppf((1 + level) / 2)
        for row in cells:
            weight = np.zeros(int(sample.max()) + 1)
            for names in samples:
                times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
                weight[names] = 1 + (times - 1) * inflation * np.sqrt(len(names) / max(len(names) - 1, 1))
            # The stretched weight of a sample that was not drawn is slightly negative; mean and variance of sums stay
            # correct.
            row[:] = weight[sample]
    times = np.stack([np.bincount(rng.integers(n_repeats, size=n_repeats), minlength=n_repeats) for _ in cells])
    stretch = np.sqrt(n_repeats / max(n_repeats - 1, 1))
    return Draws(cells, (1 + (times - 1) * stretch) / n_repeats, rng.uniform(-1, 1, n_draws))


def interval(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the two quantiles of draws; both NaN if a draw is NaN."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
