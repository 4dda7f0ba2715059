"""Bootstrap of cells, or of samples within batches, with the same draws for all embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.metrics._checks import check_labels
from scpareto.metrics._log_components import membership

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MIN_SAMPLES = 3
_DRAWS_AT_ONCE = 16


def resampling_units(
    sample: ArrayLike | None, batch: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Return the units of the bootstrap: samples if every batch has at least three of them, otherwise cells.

    Returns
    -------
    The unit of each cell, the stratum within which each unit is drawn (the batch for samples), and ``"samples"`` or
    ``"cells"``. A sample that spans batches counts once in each.
    """
    n = len(batch)
    if sample is not None:
        text = check_labels(sample, "sample", n_cells=n)
        number = np.unique(text, return_inverse=True)[1]
        pairs, unit = np.unique(np.stack([batch, number]), axis=1, return_inverse=True)
        if np.bincount(pairs[0]).min() >= _MIN_SAMPLES:
            return unit.ravel(), pairs[0], "samples"
    return np.arange(n), np.zeros(n, dtype=np.int64), "cells"


def bootstrap_sums(
    parts: NDArray[np.float64], unit: NDArray[np.int64], stratum: NDArray[np.int64], n_bootstrap: int, *, seed: int
) -> NDArray[np.float64]:
    """Return sums of ``parts``, shape ``(n_cells, n_columns)``, over units drawn with replacement within their strata.

    Returns
    -------
    Shape ``(n_bootstrap, n_columns)``.
    """
    table = parts if len(stratum) == len(parts) else np.asarray(membership(unit, len(stratum)) @ parts)
    members = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    rng = np.random.default_rng(seed)
    sums = np.empty((n_bootstrap, parts.shape[1]))
    for begin in range(0, n_bootstrap, _DRAWS_AT_ONCE):
        block = slice(begin, min(begin + _DRAWS_AT_ONCE, n_bootstrap))
        drawn = np.zeros((block.stop - block.start, len(table)), dtype=parts.dtype)
        for row in drawn:
            for units in members:
                row[units] = np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units))
        sums[block] = drawn @ table
    return sums
