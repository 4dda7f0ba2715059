"""Pack coordinates and colourings into few bytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scpareto.pl._explorer._colorings import Coloring

_STEPS = 65535


def pack(
    coordinates: Mapping[Any, np.ndarray], colorings: Sequence[Coloring], description: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """Write coordinates and colourings as few bytes.

    Coordinates take two bytes each: 65,536 steps over the range of each axis over all points, which is finer than any
    screen. Each axis of each point is contiguous (all x, then all y), little-endian; colourings follow, with one byte
    for each cell. All bytes are compressed by zlib.

    Parameters
    ----------
    coordinates
        Coordinates by place, each of shape `(m, 2)`.
    colorings
        Colourings of the same cells.
    description
        Further entries of the header, in plain values.

    Returns
    -------
    Header, in plain values, and the compressed bytes.
    """
    all_coordinates = np.stack(list(coordinates.values()))
    low, high = all_coordinates.min(axis=(0, 1)), all_coordinates.max(axis=(0, 1))
    span = np.where(high > low, high - low, 1.0)
    steps = np.rint((all_coordinates - low) / span * _STEPS).astype("<u2")
    header = {
        **description,
        "n_cells": all_coordinates.shape[1],
        "low": low.tolist(),
        "high": (low + span).tolist(),
        "colorings": [
            {
                "name": c.name,
                "kind": c.kind,
                "categories": list(c.categories),
                "colors": list(c.colors),
                "low": c.low,
                "high": c.high,
            }
            for c in colorings
        ],
    }
    body = steps.transpose(0, 2, 1).tobytes() + b"".join(c.codes.tobytes() for c in colorings)
    return header, zlib.compress(body, 6)
