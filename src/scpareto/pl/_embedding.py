"""Draw cells at several points of a front side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, to_rgba

from scpareto.pl._cells_of import find_cells
from scpareto.pl._embed import embed
from scpareto.pl._finish import Finish
from scpareto.pl._grid import draw_row_legend, make_grid, set_limits_and_titles, widen_for_legends
from scpareto.pl._on_data import get_legend_locations, write_on_data
from scpareto.pl._palette import MISSING_COLOR, assign_palettes, category_colors
from scpareto.pl._style import LABEL_SIZE, update_layout

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import ArrayLike

    from scpareto.pareto import Front
    from scpareto.pl._cells_of import Colors
    from scpareto.pl._on_data import LegendLoc
    from scpareto.pl._palette import Palette
    from scpareto.pl._sources import WithFront


def front_embedding(
    embeddings: Mapping[Any, ArrayLike] | AnnData | WithFront | Front,
    colors: Colors,
    *,
    use_rep: str | Sequence[str] | None = None,
    points: Sequence[int] | None = None,
    basis: Literal["umap", "tsne"] | None = None,
    titles: Mapping[Any, str] | None = None,
    palette: Palette | Mapping[str, Palette] | None = None,
    point_size: float | None = None,
    panel_size: float = 1.6,
    legend: bool = True,
    legend_loc: LegendLoc | Mapping[str, LegendLoc] = "right margin",
    seed: int = 0,
    axes: np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the cells at several points of a front: one column for each point, one row for each colouring.

    All panels have the same limits, so that with coordinates of :func:`embed` cells can be followed from point to
    point; coordinates stored in an AnnData get separate limits. Cells are drawn in shuffled order, so that no batch
    covers the others; cells without a value are drawn first, in grey.

    Parameters
    ----------
    embeddings
        An AnnData; a model with a front, which encodes its cells at `points`; a front that stores codes, as
        :func:`scpareto.tl.sweep` returns; or coordinates of the same `n` cells by point number, each of shape `(n, 2)`,
        or, with `basis`, their codes, each of shape `(n, d)`.
    colors
        Names of columns of `obs` of an AnnData or a model. Otherwise values by name, or a table such as `adata.obs`,
        each of shape `(n,)`: categories (strings, integers, booleans, categorical), or floating-point numbers, which
        get a colour bar.
    use_rep
        Keys of `obsm` of an AnnData, one for each column of panels; by default the embeddings that
        :func:`scpareto.tl.integrate` and `model.select(key_added=...)` wrote.
    points
        Numbers of points of a model or front; by default the first, last, recommended and selected one.
    basis
        `"umap"` or `"tsne"`: embed codes by :func:`embed` with its defaults. The embedding of each point starts from
        the preceding one, so that cells move little. By default coordinates are drawn as given, and codes of an
        AnnData, model or front are embedded by UMAP.
    titles
        Titles by point number, or by key of `obsm`; by default "point 3", or the key.
    palette
        Colours of categories: a matplotlib colormap, a list of colours, a dict by category, or a dict of these by name
        of the colouring. By default those in `adata.uns["<column>_colors"]`, where scanpy stores them, or the
        package's.
    point_size
        Area of a cell in square points; by default adapted to `n`.
    panel_size
        Width and height of a panel of a new figure, inches.
    legend
        Whether to draw a legend of the colours for each row.
    legend_loc
        `"right margin"`, or `"on data"` for the names of categories at the median of their cells; or a dict of these
        by name of the colouring.
    seed
        Of the order of drawing, and of the embedding.
    axes
        Axes to draw in, shape `(n_colors, n_points)`; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"umap.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(n_colors, n_points)`.

    Raises
    ------
    TypeError
        If `embeddings` has another type, or `colors` are names without an AnnData.
    KeyError
        If a key of `obsm` or a column does not exist.
    ValueError
        If there is nothing to draw, shapes disagree, coordinates are not finite, a palette lacks a category, `save`
        cannot be written, or `basis` or `legend_loc` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> cells = np.random.default_rng(0).normal(size=(50, 2))
    >>> sp.pl.front_embedding({0: cells, 5: cells / 2}, {"batch": ["a", "b"] * 25}).shape
    (1, 2)

    Columns and embeddings of an AnnData, with the names of types on their cells:

    >>> adata = sp.datasets.simulate_batches(n_cells=50, n_genes=20, seed=0)
    >>> adata.obsm["X_a"], adata.obsm["X_b"] = cells, cells / 2
    >>> axes = sp.pl.front_embedding(adata, ["batch", "cell_type"], use_rep=["X_a", "X_b"], legend_loc="on data")
    >>> [ax.get_title() for ax in axes[0]], len(axes[1, 0].texts) == adata.obs["cell_type"].nunique()
    (['X_a', 'X_b'], True)
    """
    finish = Finish(show, save, return_fig)
    data = find_cells(embeddings, colors, use_rep=use_rep, points=points)
    if not data.embeddings:
        raise ValueError("embeddings is empty: give the coordinates of at least one point.")
    if not len(data.colors):
        raise ValueError("colors is empty: give at least one colouring.")
    n = len(np.asarray(next(iter(data.embeddings.values()))))
    series = {str(name): _check_colors(str(name), values, n) for name, values in data.colors.items()}
    palettes = data.palettes | assign_palettes(palette, series)
    places = get_legend_locations(legend_loc, series)
    shape = (len(series), len(data.embeddings))
    given_axes = None if axes is None else np.asarray(axes, dtype=object)
    if given_axes is not None and given_axes.shape != shape:
        raise ValueError(f"axes must have shape {shape} (colourings, points), got {given_axes.shape}.")
    if basis is None and not isinstance(embeddings, Mapping) and any(_is_code(xy) for xy in data.embeddings.values()):
        basis = "umap"
    coordinates = _check_embeddings(
        data.embeddings if basis is None else _embed(data.embeddings, basis=basis, seed=seed)
    )
    colors_and_keys = {name: _assign_colors(name, values, palettes.get(name)) for name, values in series.items()}
    # embeddings stored in an AnnData may be unrelated, so they get separate limits
    common = basis is not None or isinstance(embeddings, Mapping)
    grid = make_grid(shape, panel_size, common=common) if given_axes is None else given_axes

    size = float(np.clip(4500.0 * panel_size / n, 0.35, 14.0)) if point_size is None else point_size
    shuffled = np.random.default_rng(seed).permutation(n)
    for row, (name, values) in zip(grid, series.items(), strict=True):
        rgba, key = colors_and_keys[name]
        order = shuffled[np.argsort(values.notna().to_numpy()[shuffled], kind="stable")]
        for ax, xy in zip(row, coordinates.values(), strict=True):
            ax.scatter(xy[order, 0], xy[order, 1], s=size, c=rgba[order], linewidths=0, rasterized=True)
        row[0].set_ylabel(name, fontsize=LABEL_SIZE)
        if legend and places[name] != "on data":
            draw_row_legend(row, key, panel_size)
    set_limits_and_titles(grid, coordinates, data.titles | dict(titles or {}), common=common)
    if axes is None and legend:
        widen_for_legends(grid, panel_size)
    if legend and "on data" in places.values():
        update_layout(grid[0, 0])
        for row, (name, values) in zip(grid, series.items(), strict=True):
            for ax, xy in zip(row, coordinates.values(), strict=True):
                if places[name] == "on data":
                    write_on_data(ax, xy, values)
    return finish(grid)


def _is_code(array: ArrayLike) -> bool:
    return np.asarray(array).shape[-1] != 2


def _embed(codes: Mapping[Any, ArrayLike], *, basis: Literal["umap", "tsne"], seed: int) -> dict[Any, np.ndarray]:
    """Embed codes in the order of their points, or in the given order of their keys."""
    if all(isinstance(point, int | np.integer) for point in codes):
        return dict(embed(codes, basis=basis, seed=seed))
    embedded = embed(dict(enumerate(codes.values())), basis=basis, seed=seed)
    return dict(zip(codes, embedded.values(), strict=True))


def _check_embeddings(embeddings: Mapping[Any, ArrayLike]) -> dict[Any, np.ndarray]:
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


def _check_colors(name: str, values: ArrayLike | pd.Series, n: int) -> pd.Series:
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


def _assign_colors(
    name: str, values: pd.Series, palette: Palette | None
) -> tuple[np.ndarray, dict[str, str] | mpl.cm.ScalarMappable]:
    """Return the colours of the cells, shape `(n, 4)`, and the key for the legend."""
    rgba = np.tile(to_rgba(MISSING_COLOR), (len(values), 1))
    has_value = values.notna().to_numpy()
    if not isinstance(values.dtype, pd.CategoricalDtype):
        low, high = np.nanpercentile(values, [1, 99]) if has_value.any() else (0.0, 1.0)
        scale = mpl.cm.ScalarMappable(Normalize(low, high, clip=True), "viridis")
        rgba[has_value] = scale.to_rgba(values[has_value].to_numpy())
        return rgba, scale
    categories = list(values.cat.categories)
    key = category_colors(categories, palette, name=name)
    if categories:
        table = np.array([to_rgba(c) for c in key.values()])
        rgba[has_value] = table[values.cat.codes[has_value]]
    return rgba, key if has_value.all() else {**key, "missing": MISSING_COLOR}
