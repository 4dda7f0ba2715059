"""Names of types written on their cells, where scanpy's ``legend_loc="on data"`` writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke

from ._style import INK, NOTE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LegendLoc = Literal["right margin", "on data"]
RIGHT_MARGIN: LegendLoc = "right margin"


def places_of_legends(legend_loc: LegendLoc | Mapping[str, LegendLoc], names: Iterable[str]) -> dict[str, LegendLoc]:
    """Read where each colouring is explained.

    Parameters
    ----------
    legend_loc
        A place for all, or by name of the colouring.
    names
        Names of the colourings.

    Returns
    -------
    A place for each.

    Raises
    ------
    ValueError
        If there is no such place or colouring.
    """
    known = list(names)
    given = dict(legend_loc) if isinstance(legend_loc, Mapping) else dict.fromkeys(known, legend_loc)
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"legend_loc names {unknown[0]!r}; colourings are {', '.join(map(repr, known))}.")
    if bad := [place for place in given.values() if place not in get_args(LegendLoc)]:
        valid = ", ".join(map(repr, get_args(LegendLoc)))
        raise ValueError(f"legend_loc={bad[0]!r} is unknown; valid: {valid}.")
    return {name: given.get(name, RIGHT_MARGIN) for name in known}


def write_on_data(ax: Axes, xy: np.ndarray, values: pd.Series) -> None:
    """Write the name of each category at the median of its cells, outlined in white; numbers have no names.

    Parameters
    ----------
    ax
        Where the cells are drawn.
    xy
        Their coordinates, shape ``(n, 2)``.
    values
        Their categories, shape ``(n,)``.
    """
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return
    codes = values.cat.codes.to_numpy()
    for code, name in enumerate(values.cat.categories):
        own = xy[codes == code]
        if len(own):
            x, y = np.median(own, axis=0)
            text = ax.text(x, y, str(name), ha="center", va="center", fontsize=NOTE_SIZE, color=INK, zorder=5)
            text.set_path_effects([withStroke(linewidth=1.8, foreground="white")])
            text.set_gid("name")
