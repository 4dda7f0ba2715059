from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, to_rgba
from matplotlib.lines import Line2D

from ._embed import embed
from ._style import FAINT, INK, LABEL_SIZE, MISSING, NOTE_SIZE, TICK_SIZE, category_colors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_LINE = 1.45 * NOTE_SIZE / 72  # height of one legend entry, inches


def front_embedding(
    embeddings: Mapping[int, ArrayLike],
    colors: Mapping[str, ArrayLike | pd.Series] | pd.DataFrame,
    *,
    basis: Literal["umap", "tsne"] | None = None,
    titles: Mapping[int, str] | None = None,
    palette: Mapping[str, Mapping[str, str]] | None = None,
    point_size: float | None = None,
    panel_size: float = 1.6,
    legend: bool = True,
    seed: int = 0,
    axes: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the cells at several points of a front: one column for each point, one row for each colouring.

    All panels share their limits, so that with coordinates of :func:`embed` cells can be followed from point to point.
    Cells are drawn in one shuffled order, so that no batch covers the others; cells without a value lie below, in grey.

    Parameters
    ----------
    embeddings
        Coordinates of the same `n` cells by point number, each of shape `(n, 2)`; with `basis` their codes, each of
        shape `(n, d)`.
    colors
        Values by name, or a table such as `adata.obs`, each of shape `(n,)`: categories (strings, integers, booleans,
        categorical), or floating-point numbers, which get a colour bar.
    basis
        `"umap"` or `"tsne"`: embed codes by :func:`embed` with its defaults, each point from the one before it, so that
        cells move rather than jump. By default coordinates are drawn as they are.
    titles
        Titles by point number; by default "point 3".
    palette
        Colours by name and category, for categories that should not take the package's colours.
    point_size
        Area of a cell in square points; by default adapted to `n`.
    panel_size
        Width and height of a panel of a new figure, inches.
    legend
        Whether to explain the colours, once for each row at its right.
    seed
        Of the order of drawing, and of the embedding.
    axes
        Axes to draw in, shape `(n_colors, n_points)`; by default a new figure.

    Returns
    -------
    Axes of shape `(n_colors, n_points)`.

    Raises
    ------
    ValueError
        If there is nothing to draw, shapes disagree, coordinates are not finite, a palette lacks a category or `basis`
        is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto.pl as pl
    >>> cells = np.random.default_rng(0).normal(size=(50, 2))
    >>> axes = pl.front_embedding({0: cells, 5: cells / 2}, {"batch": ["a", "b"] * 25})
    >>> axes.shape
    (1, 2)
    """
    if not embeddings:
        raise ValueError("embeddings is empty: give the coordinates of at least one point.")
    if not len(colors):
        raise ValueError("colors is empty: give at least one colouring.")
    n = len(np.asarray(next(iter(embeddings.values()))))
    series = {str(name): _checked_colors(str(name), values, n) for name, values in colors.items()}
    shape = (len(series), len(embeddings))
    given = None if axes is None else np.asarray(axes, dtype=object)
    if given is not None and given.shape != shape:
        raise ValueError(f"axes must have shape {shape} (colourings, points), got {given.shape}.")
    coordinates = _checked_embeddings(embeddings if basis is None else embed(embeddings, basis=basis, seed=seed))
    grid = _grid(shape, panel_size) if given is None else given

    size = float(np.clip(4500.0 * panel_size / n, 0.35, 14.0)) if point_size is None else point_size
    shuffled = np.random.default_rng(seed).permutation(n)
    for row, (name, values) in zip(grid, series.items(), strict=True):
        rgba, key = _paint(name, values, (palette or {}).get(name))
        order = shuffled[np.argsort(values.notna().to_numpy()[shuffled], kind="stable")]
        for ax, xy in zip(row, coordinates.values(), strict=True):
            ax.scatter(xy[order, 0], xy[order, 1], s=size, c=rgba[order], linewidths=0, rasterized=True)
        row[0].set_ylabel(name, fontsize=LABEL_SIZE)
        if legend:
            _explain(row, key, panel_size)
    _frame(grid, coordinates, titles or {})
    if axes is None and legend:
        _make_room(grid, panel_size)
    return grid


def _checked_embeddings(embeddings: Mapping[int, ArrayLike]) -> dict[int, np.ndarray]:
    coordinates = {point: np.asarray(xy, dtype=float) for point, xy in embeddings.items()}
    n = len(next(iter(coordinates.values())))
    for point, xy in coordinates.items():
        if xy.shape != (n, 2) or n == 0:
            hint = "; give basis to embed codes" if xy.ndim == 2 and xy.shape[1] > 2 else ""
            raise ValueError(
                f"embeddings[{point}] must have shape (n, 2) with the same n for all, got {xy.shape}{hint}."
            )
        if not np.isfinite(xy).all():
            raise ValueError(f"embeddings[{point}] contains coordinates that are not finite.")
    return coordinates


def _checked_colors(name: str, values: ArrayLike | pd.Series, n: int) -> pd.Series:
    series = pd.Series(values).reset_index(drop=True)
    if len(series) != n:
        raise ValueError(f"colors[{name!r}] must have shape ({n},), got ({len(series)},).")
    if pd.api.types.is_float_dtype(series):
        return series.astype(float).where(lambda v: np.isfinite(v))
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.cat.remove_unused_categories()
    else:
        series = series.astype("category")
    return series.cat.rename_categories([str(c) for c in series.cat.categories])


def _paint(
    name: str, values: pd.Series, palette: Mapping[str, str] | None
) -> tuple[np.ndarray, dict[str, str] | mpl.cm.ScalarMappable]:
    """Colour the cells, shape `(n, 4)`, and return what explains the colours."""
    rgba = np.tile(to_rgba(MISSING), (len(values), 1))
    known = values.notna().to_numpy()
    if not isinstance(values.dtype, pd.CategoricalDtype):
        low, high = np.nanpercentile(values, [1, 99]) if known.any() else (0.0, 1.0)
        scale = mpl.cm.ScalarMappable(Normalize(low, high, clip=True), "viridis")
        rgba[known] = scale.to_rgba(values[known].to_numpy())
        return rgba, scale
    categories = list(values.cat.categories)
    key = category_colors(categories) if palette is None else {str(c): v for c, v in palette.items()}
    missing = [c for c in categories if c not in key]
    if missing:
        raise ValueError(f"palette[{name!r}] has no colour for {', '.join(map(repr, missing))}.")
    key = {c: key[c] for c in categories}
    if categories:
        table = np.array([to_rgba(c) for c in key.values()])
        rgba[known] = table[values.cat.codes[known]]
    return rgba, key if known.all() else {**key, "missing": MISSING}


def _grid(shape: tuple[int, int], panel_size: float) -> np.ndarray:
    figure, grid = plt.subplots(
        *shape,
        figsize=(shape[1] * panel_size + 0.25, shape[0] * panel_size + 0.2),
        squeeze=False,
        sharex=True,
        sharey=True,
        gridspec_kw={"wspace": 0.02, "hspace": 0.02},
    )
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02)
    return grid


def _explain(row: np.ndarray, key: dict[str, str] | mpl.cm.ScalarMappable, panel_size: float) -> None:
    last: Axes = row[-1]
    if isinstance(key, mpl.cm.ScalarMappable):
        bar = last.figure.colorbar(key, cax=last.inset_axes((1.05, 0.15, 0.05, 0.7)))
        bar.ax.tick_params(labelsize=NOTE_SIZE, length=2, width=0.5)
        bar.outline.set_linewidth(0.4)
        return
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=color, mec="none", label=label) for label, color in key.items()
    ]
    last.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        ncols=int(np.ceil(len(handles) / max(1, int(panel_size / _LINE)))),
        fontsize=NOTE_SIZE,
        frameon=False,
        handletextpad=0.1,
        labelspacing=0.25,
        columnspacing=0.8,
        borderpad=0.2,
        labelcolor=INK,
    )


def _frame(grid: np.ndarray, coordinates: dict[int, np.ndarray], titles: Mapping[int, str]) -> None:
    everything = np.vstack(list(coordinates.values()))
    low, high = everything.min(axis=0), everything.max(axis=0)
    pad = 0.04 * np.where(high > low, high - low, 1.0)
    for ax in grid.flat:
        ax.set_xlim(low[0] - pad[0], high[0] + pad[0])
        ax.set_ylim(low[1] - pad[1], high[1] + pad[1])
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_color(FAINT)
            spine.set_linewidth(0.6)
    for ax, point in zip(grid[0], coordinates, strict=True):
        ax.set_title(titles.get(point, f"point {point}"), fontsize=TICK_SIZE + 0.5, pad=3)


def _make_room(grid: np.ndarray, panel_size: float) -> None:
    """Widen the figure by its legends, so that panels keep their size."""
    figure: Figure = grid[0, 0].figure
    figure.draw_without_rendering()
    beside = [artist for ax in grid[:, -1] for artist in (ax.get_legend(), *ax.child_axes) if artist is not None]
    room = max(artist.get_tightbbox().width for artist in beside) / figure.dpi
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + room + 0.12, height)
