"""Colours of categories, the same in every plot and in the explorer."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, is_color_like, to_hex

if TYPE_CHECKING:
    from anndata import AnnData

HIGHLIGHT = "#D55E00"
MISSING_COLOR = "#D9D9D9"

# The first seven are the colours of Okabe & Ito without black. The others were added greedily, each with the largest
# distance (CIE Lab and OKLab, normal vision and simulated protanopia and deuteranopia) to the preceding ones, to white
# and to the grey of missing values. None is darker than L* 38, because small dots of two dark colours look alike.
PALETTE: tuple[str, ...] = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#9900FF"),
    *("#AA0088", "#11DD66", "#775544", "#EE44FF", "#FF0066", "#BB0022", "#8877DD", "#336611"),
    *("#4444DD", "#99BB88", "#FF88EE", "#FFAAAA", "#0088FF", "#888833", "#DD00BB", "#BBAACC"),
    *("#FFBBFF", "#FF7755", "#33DDBB", "#447766", "#886688", "#FFCC88", "#AACC22", "#6699AA"),
)

Palette = str | Sequence[str] | Mapping[Any, str]
"""A name of matplotlib, colours in order, or a colour for each category."""


def category_colors(
    categories: Sequence[str], palette: Palette | None = None, *, name: str | None = None
) -> dict[str, str]:
    """Assign a colour to each category.

    Parameters
    ----------
    categories
        Names of the categories.
    palette
        A matplotlib colormap, a list of colours or a colour for each category; None for the colours of the package,
        beyond 32 categories those of scanpy.
    name
        Name of the colouring, for messages.

    Returns
    -------
    Colour of each category. The colours of the package repeat (with a warning) beyond 102.

    Raises
    ------
    ValueError
        If a category gets no colour, or a value is not a colour.
    TypeError
        If `palette` has another type.
    """
    if palette is None:
        return dict(zip(categories, _default_colors(len(categories)), strict=True))
    where = "palette" if name is None else f"palette[{name!r}]"
    if isinstance(palette, str):
        colors = dict(zip(categories, _take_from_colormap(palette, len(categories), where), strict=True))
    elif isinstance(palette, Mapping):
        colors = {str(category): color for category, color in palette.items()}
    elif isinstance(palette, Sequence):
        colors = dict(zip(categories, palette, strict=False))
    else:
        raise TypeError(
            f"{where} must be the name of a matplotlib colormap, a list of colours or a dict from category to colour, "
            f"got {type(palette).__name__}."
        )
    if missing := [category for category in categories if category not in colors]:
        raise ValueError(f"{where} has no colour for {', '.join(map(repr, missing))}.")
    if bad := [colors[category] for category in categories if not is_color_like(colors[category])]:
        raise ValueError(f"{where}: {bad[0]!r} is no colour of matplotlib, such as 'red' or '#1f77b4'.")
    return {category: colors[category] for category in categories}


def assign_palettes(palette: Palette | Mapping[str, Palette] | None, colorings: Iterable[str]) -> dict[str, Palette]:
    """Return the palette of each colouring.

    Parameters
    ----------
    palette
        One palette for all; or a dict by name of the colouring, if one of its keys is among `colorings`.
    colorings
        Names of the colourings.

    Returns
    -------
    Palettes by name, of those that get one.
    """
    if not palette:
        return {}
    colorings = list(colorings)
    if isinstance(palette, Mapping) and any(name in colorings for name in palette):
        return {name: palette_of_name for name, palette_of_name in palette.items() if name in colorings}
    return dict.fromkeys(colorings, palette)  # type: ignore[arg-type]


def read_colors(adata: AnnData, key: str, categories: Sequence[str]) -> dict[str, str] | None:
    """Read the colours that scanpy stores for a column, ``adata.uns[f"{key}_colors"]``.

    Parameters
    ----------
    adata
        Cells; nothing is written to them.
    key
        Column of ``adata.obs``.
    categories
        Categories to colour.

    Returns
    -------
    Colour of each category; None if no colours are stored, or they do not fit the column.
    """
    stored = adata.uns.get(f"{key}_colors")
    column = adata.obs[key]
    if stored is None or column.dtype != "category":
        return None
    names = [str(category) for category in column.cat.categories]
    if isinstance(stored, Mapping):
        colors = {str(category): str(color) for category, color in stored.items()}
    else:
        color_list = [str(color) for color in np.atleast_1d(np.asarray(stored, dtype=object))]
        # like scanpy, ignore the stored colours if categories were added
        colors = dict(zip(names, color_list, strict=False)) if len(color_list) >= len(names) else {}
    if any(category not in colors or not is_color_like(colors[category]) for category in categories):
        return None
    return {category: to_hex(colors[category]) for category in categories}


def get_color(number: int) -> str:
    """Return a colour of the palette by its number, without the colour of the recommended point."""
    colors = [color for color in PALETTE if color != HIGHLIGHT]
    return colors[number % len(colors)]


def _default_colors(n: int) -> list[str]:
    if n <= len(PALETTE):
        return list(PALETTE[:n])
    from scanpy.plotting.palettes import default_102  # scanpy takes long to import

    if n > len(default_102):
        warnings.warn(
            f"{n} categories share {len(default_102)} colours: some colours repeat.", UserWarning, stacklevel=4
        )
    return [default_102[i % len(default_102)] for i in range(n)]


def _take_from_colormap(palette: str, n: int, where: str) -> list[str]:
    if palette not in mpl.colormaps:
        names = "'tab10', 'tab20', 'Set2', 'Dark2', 'Paired', 'viridis'"
        raise ValueError(f"{where}={palette!r} is no colormap of matplotlib; valid are for example {names}.")
    colormap = mpl.colormaps[palette]
    if isinstance(colormap, ListedColormap) and colormap.N < 256:  # colours made to be told apart
        if n > colormap.N:
            raise ValueError(f"{where}={palette!r} has {colormap.N} colours for {n} categories.")
        return [to_hex(color) for color in np.asarray(colormap(range(n)))]
    return [to_hex(color) for color in colormap(np.linspace(0, 1, n))]
