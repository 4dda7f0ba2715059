"""Draw static pictures for print and for browsers without WebGL."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from scpareto.pl._embedding import front_embedding
from scpareto.pl._explorer._colorings import MISSING_CODE
from scpareto.pl._front import front as draw_front

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from scpareto.pareto import Front
    from scpareto.pl._explorer._colorings import Coloring

_MAX_POINTS, _MAX_COLORINGS = 4, 2


def static_pictures(
    front: Front, selected: int | None, coordinates: Mapping[int, np.ndarray], colorings: Sequence[Coloring]
) -> dict[str, str]:
    """Draw static pictures for print and for browsers without WebGL.

    Parameters
    ----------
    front
        The front.
    selected
        Number of the point to frame.
    coordinates
        Coordinates by point number, each of shape `(m, 2)`.
    colorings
        Colourings of the same cells; the first two are drawn.

    Returns
    -------
    Data URL of each picture (`data:image/png;base64,...`), by name: `panels`, the cells at up to four points, and
    `front`, unless no point has values on both axes.
    """
    numbers = sorted(coordinates)
    places = np.unique(np.rint(np.linspace(0, len(numbers) - 1, _MAX_POINTS)).astype(int))
    shown_coordinates = {numbers[place]: coordinates[numbers[place]] for place in places}
    drawn_colorings = list(colorings[:_MAX_COLORINGS])
    palette = {
        c.name: dict(zip(c.categories, c.colors, strict=True)) for c in drawn_colorings if c.kind == "categories"
    }
    axes = front_embedding(shown_coordinates, {c.name: _values(c) for c in drawn_colorings}, palette=palette)
    pictures = {"panels": _encode_figure(axes.flat[0].get_figure(root=True))}
    try:
        pictures["front"] = _encode_figure(draw_front(front, selected=selected).get_figure(root=True))
    except ValueError:
        # No point has values on both axes; the table shows that.
        pass
    return pictures


def _values(coloring: Coloring) -> np.ndarray:
    has_value = coloring.codes != MISSING_CODE
    if coloring.kind == "categories":
        names = np.array([*coloring.categories, None], dtype=object)
        return names[np.where(has_value, coloring.codes, len(coloring.categories))]
    share = coloring.codes / (MISSING_CODE - 1)
    return np.where(has_value, coloring.low + share * (coloring.high - coloring.low), np.nan)


def _encode_figure(figure: Figure | None) -> str:
    assert figure is not None  # axes that were just drawn have one
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=170, bbox_inches="tight")
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
