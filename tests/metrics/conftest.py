from __future__ import annotations

import numpy as np
import pytest

# Ten equally frequent labels, two-dimensional isotropic Gaussians; information by Monte Carlo with 4e5 draws, in nats.
CASES = {
    "separated": ([0, 2, 4, 6, 8, 10, 12, 14, 16, 18], [1.0] * 10, 1.954),
    "overlapping": ([0, 1, 2, 2, 2, 3, 3, 3, 3, 4], [1.0] + [1.5] * 9, 0.390),
    "partly merged": ([0, 2, 4, 0, 0, 2, 0, 0, 0, 0], [1.0] * 10, 0.612),
    "independent": ([0] * 10, [1.0] * 10, 0.0),
}


@pytest.fixture
def draw_case():
    """Return a function that draws (codes, labels, true information) of a named case."""

    def draw(name: str, n_cells: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
        centers, spread, information = CASES[name]
        rng = np.random.default_rng(seed)
        labels = rng.integers(10, size=n_cells)
        noise = rng.standard_normal((n_cells, 2))
        return np.array(centers)[labels, None] + np.array(spread)[labels, None] * noise, labels, information

    return draw
