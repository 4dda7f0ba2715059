"""Generated cells along each dimension of a code, among real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.decomposition import PCA

from ._palette import category_colors
from ._style import COLUMN_WIDTH, FAINT, INK, LABEL_SIZE, NOTE_SIZE, new_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

_N_COMPONENTS = 30


def traversal(
    real: ArrayLike,
    moved: ArrayLike,
    values: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    titles: Sequence[str] | None = None,
    n_columns: int = 5,
    n_neighbors: int = 15,
    seed: int = 0,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draw cells generated along each dimension of a code on the UMAP of real cells, one small panel per dimension.

    The map is fitted to principal components of the real cells; generated cells are placed on it. Lighter dots have
    larger values of the dimension; a line joins them. A dimension whose dots stay together is inactive.

    Parameters
    ----------
    real
        Expression of real cells, shape `(n_cells, n_genes)`.
    moved
        Generated cells, shape `(n_dimensions, n_values, n_genes)`, for example of
        :meth:`scpareto.model.MichiGAN.traverse`.
    values
        Values of the moved dimension, shape `(n_dimensions, n_values)`.
    labels
        Types of the real cells, shape `(n_cells,)`, which give them their colours; by default they are grey.
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

    Returns
    -------
    Axes of shape `(n_dimensions,)`. Artists carry the ids `"real"` and `"moved"`.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, or `axes` are too few or too many.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto.pl as pl
    >>> rng = np.random.default_rng(0)
    >>> axes = pl.traversal(rng.normal(size=(60, 5)), rng.normal(size=(2, 3, 5)), [[0, 1, 2], [0, 1, 2]])
    >>> axes.shape
    (2,)
    """
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
    plane, placed = _embedded(cells, made, n_neighbors, seed)
    colors: str | list[str] = FAINT
    if labels is not None:
        types = np.asarray(labels).astype(str)
        if len(types) != len(cells):
            raise ValueError(f"labels has {len(types)} values but there are {len(cells)} real cells.")
        palette = category_colors(list(dict.fromkeys(sorted(types))))
        colors = [palette[t] for t in types]
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
        panels[0].get_figure(root=True).supxlabel("UMAP of real cells; light: larger value", fontsize=LABEL_SIZE)
    return panels


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
