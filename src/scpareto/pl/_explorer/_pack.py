from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scpareto.pl._explorer._colorings import Coloring

_STEPS = 65535


def pack(
    coordinates: Mapping[Any, np.ndarray], colorings: Sequence[Coloring], facts: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """Write coordinates and colourings as few bytes.

    Coordinates take two bytes each: 65,536 steps between the ends of each axis over all points, which is finer than
    any screen. Each axis of each point lies in one piece (all x, then all y), little-endian; colourings follow, one
    byte for each cell. Everything is compressed by zlib.

    Parameters
    ----------
    coordinates
        Coordinates by place, each of shape `(m, 2)`.
    colorings
        Colourings of the same cells.
    facts
        Further entries of the header, in plain values.

    Returns
    -------
    Header, in plain values, and the compressed bytes.
    """
    everything = np.stack(list(coordinates.values()))
    low, high = everything.min(axis=(0, 1)), everything.max(axis=(0, 1))
    span = np.where(high > low, high - low, 1.0)
    steps = np.rint((everything - low) / span * _STEPS).astype("<u2")
    header = {
        **facts,
        "n_cells": everything.shape[1],
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
