"""One colour for each type, the same in every picture and in the explorer."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, is_color_like, to_hex

if TYPE_CHECKING:
    from anndata import AnnData

CHOSEN = "#D55E00"
MISSING = "#D9D9D9"

# The first seven are Okabe & Ito's without black. The others were added greedily, each the farthest (CIE Lab and OKLab,
# normal vision together with simulated protanopia and deuteranopia) from those before it, from white and from the grey
# of missing values. None is darker than L* 38: small dots of two dark colours look alike.
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
    """Give each category its colour.

    Parameters
    ----------
    categories
        Names of the categories.
    palette
        A matplotlib colormap, a list of colours or a colour for each category; None for the colours of the package,
        beyond 32 categories those of scanpy.
    name
        What the categories are of, for messages.

    Returns
    -------
    Colour of each category. The colours of the package repeat (with a warning) beyond 102.

    Raises
    ------
    ValueError
        If a category gets no colour, or something is no colour.
    TypeError
        If `palette` is none of these.
    """
    if palette is None:
        return dict(zip(categories, _default_colors(len(categories)), strict=True))
    where = "palette" if name is None else f"palette[{name!r}]"
    if isinstance(palette, str):
        colors = dict(zip(categories, _of_colormap(palette, len(categories), where), strict=True))
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


def by_coloring(palette: Palette | Mapping[str, Palette] | None, names: Iterable[str]) -> dict[str, Palette]:
    """Read which palette each colouring gets.

    Parameters
    ----------
    palette
        One for all; or one for each by its name, which a dict is of whose keys are among `names`.
    names
        Names of the colourings.

    Returns
    -------
    Palettes by name, of those that get one.
    """
    if not palette:
        return {}
    known = list(names)
    if isinstance(palette, Mapping) and any(name in known for name in palette):
        return {name: own for name, own in palette.items() if name in known}
    return dict.fromkeys(known, palette)  # type: ignore[arg-type]


def colors_in_uns(adata: AnnData, key: str, categories: Sequence[str]) -> dict[str, str] | None:
    """Read the colours that scanpy keeps of a column, ``adata.uns[f"{key}_colors"]``.

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
    Colour of each category; None where there are none, or they do not fit the column.
    """
    stored = adata.uns.get(f"{key}_colors")
    column = adata.obs[key]
    if stored is None or column.dtype != "category":
        return None
    known = [str(category) for category in column.cat.categories]
    if isinstance(stored, Mapping):
        colors = {str(category): str(color) for category, color in stored.items()}
    else:
        listed = [str(color) for color in np.atleast_1d(np.asarray(stored, dtype=object))]
        # scanpy, too, makes new colours where categories were added
        colors = dict(zip(known, listed, strict=False)) if len(listed) >= len(known) else {}
    if any(category not in colors or not is_color_like(colors[category]) for category in categories):
        return None
    return {category: to_hex(colors[category]) for category in categories}


def unchosen_color(number: int) -> str:
    """Colour of the palette by its number, leaving out the colour of the chosen point."""
    free = [color for color in PALETTE if color != CHOSEN]
    return free[number % len(free)]


def _default_colors(n: int) -> list[str]:
    if n <= len(PALETTE):
        return list(PALETTE[:n])
    from scanpy.plotting.palettes import default_102  # scanpy takes long to import

    if n > len(default_102):
        warnings.warn(
            f"{n} categories share {len(default_102)} colours: some colours repeat.", UserWarning, stacklevel=4
        )
    return [default_102[i % len(default_102)] for i in range(n)]


def _of_colormap(palette: str, n: int, where: str) -> list[str]:
    if palette not in mpl.colormaps:
        known = "'tab10', 'tab20', 'Set2', 'Dark2', 'Paired', 'viridis'"
        raise ValueError(f"{where}={palette!r} is no colormap of matplotlib; valid are for example {known}.")
    colormap = mpl.colormaps[palette]
    if isinstance(colormap, ListedColormap) and colormap.N < 256:  # colours made to be told apart
        if n > colormap.N:
            raise ValueError(f"{where}={palette!r} has {colormap.N} colours for {n} categories.")
        return [to_hex(color) for color in np.asarray(colormap(range(n)))]
    return [to_hex(color) for color in colormap(np.linspace(0, 1, n))]
