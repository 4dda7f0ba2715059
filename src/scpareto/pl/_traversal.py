"""Generated cells along each dimension of a code, among real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from scipy import sparse
from sklearn.decomposition import PCA

from scpareto._cells import format_names
from scpareto.pl._finish import Finish
from scpareto.pl._on_data import RIGHT_MARGIN, LegendLoc, write_on_data
from scpareto.pl._palette import Palette, category_colors, colors_in_uns
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, FAINT, INK, LABEL_SIZE, NOTE_SIZE, new_axes, settle

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_N_COMPONENTS = 30
_LINE = 0.14
"""Height of a name in the legend, inches."""


def traversal(
    real: ArrayLike | AnnData,
    moved: ArrayLike,
    values: ArrayLike,
    *,
    labels: ArrayLike | str | None = None,
    layer: str | None = None,
    palette: Palette | None = None,
    legend_loc: LegendLoc | Literal["none"] = "right margin",
    titles: Sequence[str] | None = None,
    n_columns: int = 5,
    n_neighbors: int = 15,
    seed: int = 0,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw cells generated along each dimension of a code on the UMAP of real cells, one small panel per dimension.

    The map is fitted to principal components of the real cells; generated cells are placed on it. Lighter dots have
    larger values of the dimension; a line joins them. A dimension whose dots stay together is inactive.

    Parameters
    ----------
    real
        Expression of real cells, shape `(n_cells, n_genes)`, or an AnnData that holds it.
    moved
        Generated cells, shape `(n_dimensions, n_values, n_genes)`, for example of
        :meth:`scpareto.model.MichiGAN.traverse`.
    values
        Values of the moved dimension, shape `(n_dimensions, n_values)`.
    labels
        Types of the real cells, shape `(n_cells,)`, or of an AnnData a column of `obs`, which give them their colours;
        by default they are grey.
    layer
        Of an AnnData, the layer of the expression; `X` unless given.
    palette
        Colours of types: a matplotlib colormap, a list of colours or a dict by name. By default those in
        `adata.uns["<column>_colors"]`, where scanpy keeps them, or the package's.
    legend_loc
        Where types are named: `"right margin"`, beside a new figure; `"on data"`, at the median of their cells; or
        `"none"`.
    titles
        Title of each panel; by default the number of the dimension.
    n_columns
        Panels beside each other in a new figure.
    n_neighbors
        Neighbours of the map.
    seed
        Seed of the map.
    axes
        Axes to draw in, one per dimension; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"traversal.pdf"`; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(n_dimensions,)`. Artists carry the ids `"real"` and `"moved"`.

    Raises
    ------
    KeyError
        If an AnnData has no such layer or column.
    ValueError
        If `save` cannot be written, `legend_loc` is unknown, a type has no colour, shapes disagree, values are not
        finite, or `axes` are too few or too many.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto.pl as pl
    >>> rng = np.random.default_rng(0)
    >>> axes = pl.traversal(rng.normal(size=(60, 5)), rng.normal(size=(2, 3, 5)), [[0, 1, 2], [0, 1, 2]])
    >>> axes.shape
    (2,)
    """
    finish = Finish(show, save, return_fig)
    if legend_loc not in (valid := (*get_args(LegendLoc), "none")):
        raise ValueError(f"legend_loc={legend_loc!r} is unknown; valid: {', '.join(map(repr, valid))}.")
    if is_cells(real):
        real, labels, palette = _of_adata(real, labels, layer, palette)
    cells, made, path = (np.asarray(array, dtype=float) for array in (real, moved, values))
    if made.ndim != 3 or cells.ndim != 2 or made.shape[2] != cells.shape[1] or path.shape != made.shape[:2]:
        raise ValueError(
            f"real {cells.shape}, moved {made.shape} and values {path.shape} do not fit: give (n_cells, n_genes), "
            "(n_dimensions, n_values, n_genes) and (n_dimensions, n_values)."
        )
    if not (np.isfinite(cells).all() and np.isfinite(made).all()):
        raise ValueError("real and moved must be finite.")
    names = [f"dimension {i}" for i in range(len(made))] if titles is None else list(titles)
    panels = _new_panels(len(made), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(made) or len(names) != len(made):
        raise ValueError(f"{len(made)} dimensions need as many axes and titles, got {len(panels)} and {len(names)}.")
    colors: str | list[str] = FAINT
    types, key = None, {}
    if labels is not None:
        types = pd.Series(np.asarray(labels).astype(str), dtype="category")
        if len(types) != len(cells):
            raise ValueError(f"labels has {len(types)} values but there are {len(cells)} real cells.")
        key = category_colors(list(types.cat.categories), palette)
        colors = [key[t] for t in types]
    plane, placed = _embedded(cells, made, n_neighbors, seed)
    for ax, name, line, some in zip(panels, names, placed, path, strict=True):
        ax.scatter(*plane.T, c=colors, s=1.2, alpha=0.25, lw=0, rasterized=True).set_gid("real")
        ax.plot(*line.T, color=INK, lw=0.5, zorder=2)
        ax.scatter(*line.T, c=some, cmap="viridis", s=14, edgecolors=INK, linewidths=0.4, zorder=3).set_gid("moved")
        ax.set_title(name, fontsize=NOTE_SIZE, pad=2)
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)
    if axes is None:
        figure = panels[0].get_figure(root=True)
        figure.supxlabel("UMAP of real cells; light: larger value", fontsize=LABEL_SIZE)
        if key and legend_loc == RIGHT_MARGIN:
            _name_types(figure, key)
    if types is not None and legend_loc == "on data":
        settle(panels[0])
        for ax in panels:
            write_on_data(ax, plane, types)
    return finish(panels)


def _of_adata(
    adata: AnnData, labels: Any, layer: str | None, palette: Palette | None
) -> tuple[np.ndarray, Any, Palette | None]:
    """Expression, types and their colours of an AnnData."""
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers; there are {format_names(adata.layers)}.")
    if isinstance(labels, str):
        if labels not in adata.obs:
            raise KeyError(f"labels={labels!r} is not in adata.obs; its columns are {', '.join(adata.obs)}.")
        column, labels = labels, adata.obs[labels]
        if palette is None:
            palette = colors_in_uns(adata, column, sorted(set(labels.astype(str))))
    found = adata.X if layer is None else adata.layers[layer]
    return np.asarray(found.toarray() if sparse.issparse(found) else found), labels, palette


def _name_types(figure: Figure, key: dict[str, str]) -> None:
    """Name types at the right of a figure, which grows by the names."""
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=color, mec="none", label=name) for name, color in key.items()
    ]
    width, height = figure.get_size_inches()
    n_columns = -(-len(handles) // max(1, int(height / _LINE)))
    legend = figure.legend(
        handles=handles, loc="outside right center", ncols=n_columns, fontsize=NOTE_SIZE, frameon=False,
        handletextpad=0.1, columnspacing=0.8,
    )  # fmt: skip
    figure.set_size_inches(width + legend.get_window_extent().width / figure.dpi, height)


def _embedded(cells: np.ndarray, made: np.ndarray, n_neighbors: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of real and of generated cells."""
    from umap import UMAP  # compiles for seconds

    pca = PCA(min(_N_COMPONENTS, *cells.shape), random_state=seed).fit(cells)
    components = pca.transform(cells)
    reducer = UMAP(n_neighbors=min(n_neighbors, len(cells) - 1), random_state=seed, n_jobs=1).fit(components)
    placed = reducer.transform(pca.transform(made.reshape(-1, made.shape[2])))
    return reducer.embedding_, placed.reshape(*made.shape[:2], 2)


def _new_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = max(COLUMN_WIDTH, 1.25 * n_columns)
    figure, grid = new_axes(n_rows, n_columns, figsize=(width, width / n_columns * n_rows + 0.25))
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    return np.asarray(grid.flat[:n_panels], dtype=object)
