"""Plot generated cells along each latent dimension, among real cells."""

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
from scpareto.pl._palette import Palette, category_colors, read_colors
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, FAINT, INK, LABEL_SIZE, NOTE_SIZE, make_axes, update_layout

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_N_COMPONENTS = 30
_ENTRY_HEIGHT = 0.14
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
    """Draw cells generated along each latent dimension on the UMAP of real cells, one panel per dimension.

    The UMAP is fitted to principal components of the real cells; generated cells are projected onto it. Lighter dots
    have larger values of the dimension; a line joins them. A dimension whose dots stay together is inactive.

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
        Types of the real cells to colour them by, shape `(n_cells,)`, or a column of `obs` of an AnnData; by default
        cells are grey.
    layer
        Layer of the expression in an AnnData; `X` unless given.
    palette
        Colours of types: a matplotlib colormap, a list of colours or a dict by name. By default those in
        `adata.uns["<column>_colors"]`, where scanpy stores them, or the package's.
    legend_loc
        Location of the names of types: `"right margin"` of a new figure; `"on data"`, at the median of their cells; or
        `"none"`.
    titles
        Title of each panel; by default the number of the dimension.
    n_columns
        Number of panels in a row in a new figure.
    n_neighbors
        Number of neighbours of the UMAP.
    seed
        Seed of the UMAP.
    axes
        Axes to draw in, one per dimension; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"traversal.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(n_dimensions,)`. Artists carry the ids `"real"` and `"moved"`.

    Raises
    ------
    KeyError
        If a layer or column of an AnnData does not exist.
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
    if legend_loc not in (valid_locations := (*get_args(LegendLoc), "none")):
        raise ValueError(f"legend_loc={legend_loc!r} is unknown; valid: {', '.join(map(repr, valid_locations))}.")
    if is_cells(real):
        real, labels, palette = _read_adata(real, labels, layer, palette)
    cells, generated, dimension_values = (np.asarray(array, dtype=float) for array in (real, moved, values))
    if (
        generated.ndim != 3
        or cells.ndim != 2
        or generated.shape[2] != cells.shape[1]
        or dimension_values.shape != generated.shape[:2]
    ):
        raise ValueError(
            f"real {cells.shape}, moved {generated.shape} and values {dimension_values.shape} do not fit: give "
            "(n_cells, n_genes), (n_dimensions, n_values, n_genes) and (n_dimensions, n_values)."
        )
    if not (np.isfinite(cells).all() and np.isfinite(generated).all()):
        raise ValueError("real and moved must be finite.")
    names = [f"dimension {i}" for i in range(len(generated))] if titles is None else list(titles)
    panels = _make_panels(len(generated), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(generated) or len(names) != len(generated):
        raise ValueError(
            f"{len(generated)} dimensions need as many axes and titles, got {len(panels)} and {len(names)}."
        )
    colors: str | list[str] = FAINT
    types, key = None, {}
    if labels is not None:
        types = pd.Series(np.asarray(labels).astype(str), dtype="category")
        if len(types) != len(cells):
            raise ValueError(f"labels has {len(types)} values but there are {len(cells)} real cells.")
        key = category_colors(list(types.cat.categories), palette)
        colors = [key[t] for t in types]
    plane, embedded = _embed(cells, generated, n_neighbors, seed)
    for ax, name, line, line_values in zip(panels, names, embedded, dimension_values, strict=True):
        ax.scatter(*plane.T, c=colors, s=1.2, alpha=0.25, lw=0, rasterized=True).set_gid("real")
        ax.plot(*line.T, color=INK, lw=0.5, zorder=2)
        ax.scatter(*line.T, c=line_values, cmap="viridis", s=14, edgecolors=INK, linewidths=0.4, zorder=3).set_gid(
            "moved"
        )
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
        update_layout(panels[0])
        for ax in panels:
            write_on_data(ax, plane, types)
    return finish(panels)


def _read_adata(
    adata: AnnData, labels: Any, layer: str | None, palette: Palette | None
) -> tuple[np.ndarray, Any, Palette | None]:
    """Read expression, types and their colours from an AnnData."""
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers; there are {format_names(adata.layers)}.")
    if isinstance(labels, str):
        if labels not in adata.obs:
            raise KeyError(f"labels={labels!r} is not in adata.obs; its columns are {', '.join(adata.obs)}.")
        column, labels = labels, adata.obs[labels]
        if palette is None:
            palette = read_colors(adata, column, sorted(set(labels.astype(str))))
    expression = adata.X if layer is None else adata.layers[layer]
    return np.asarray(expression.toarray() if sparse.issparse(expression) else expression), labels, palette


def _name_types(figure: Figure, key: dict[str, str]) -> None:
    """Draw a legend of types at the right of a figure, and enlarge the figure by its width."""
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=color, mec="none", label=name) for name, color in key.items()
    ]
    width, height = figure.get_size_inches()
    n_columns = -(-len(handles) // max(1, int(height / _ENTRY_HEIGHT)))
    legend = figure.legend(
        handles=handles, loc="outside right center", ncols=n_columns, fontsize=NOTE_SIZE, frameon=False,
        handletextpad=0.1, columnspacing=0.8,
    )  # fmt: skip
    figure.set_size_inches(width + legend.get_window_extent().width / figure.dpi, height)


def _embed(cells: np.ndarray, generated: np.ndarray, n_neighbors: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return UMAP coordinates of real and of generated cells."""
    from umap import UMAP  # compiles for seconds

    pca = PCA(min(_N_COMPONENTS, *cells.shape), random_state=seed).fit(cells)
    components = pca.transform(cells)
    reducer = UMAP(n_neighbors=min(n_neighbors, len(cells) - 1), random_state=seed, n_jobs=1).fit(components)
    embedded = reducer.transform(pca.transform(generated.reshape(-1, generated.shape[2])))
    return reducer.embedding_, embedded.reshape(*generated.shape[:2], 2)


def _make_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = max(COLUMN_WIDTH, 1.25 * n_columns)
    figure, grid = make_axes(n_rows, n_columns, figsize=(width, width / n_columns * n_rows + 0.25))
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    return np.asarray(grid.flat[:n_panels], dtype=object)
