"""Random order for cells with equal codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As in scikit-learn: small enough to order tied cells only, far below any meaningful distance.
_TIE_NOISE = 1e-10


def break_ties(codes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return centred codes plus noise of relative size 1e-10, so that no two cells are at exactly the same place.

    Neighbour searches return tied cells in the order of the rows, which is often the order of the batches.
    """
    # Centred first: next to a large common offset the noise would be lost in rounding.
    centred = codes - codes.mean(axis=0)
    scale = np.sqrt(centred.var(axis=0).mean()) if np.ptp(codes, axis=0).any() else 1.0
    return centred + _TIE_NOISE * scale * rng.standard_normal(codes.shape)
