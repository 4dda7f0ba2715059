"""Plot the estimates of :func:`scpareto.pp.adjust_counts`, their donors, and cells before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy import sparse
from sklearn.decomposition import PCA

from scpareto._cells import read_records
from scpareto._constants import ADJUST_COUNTS_KEY, BATCH_EFFECT_KEY
from scpareto.pl._finish import Finish
from scpareto.pl._palette import Palette, category_colors, read_colors
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, TICK_SIZE, make_axes, tidy

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MAX_LABELS = 12


def batch_effects(
    adata: AnnData,
    *,
    max_cells: int = 3000,
    palette: Palette | None = None,
    seed: int = 0,
    axes: np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the estimates of :func:`scpareto.pp.adjust_counts`, their support, and cells before and after.

    Six panels: effects of batches on genes; the share of cells of a batch with accepted donors in another; the
    likelihood after each iteration; the mean of every gene in each batch against its mean over batches, before and
    after; and principal components of log expression before and after.

    Parameters
    ----------
    adata
        Data that :func:`scpareto.pp.adjust_counts` has been run on.
    max_cells
        Largest number of cells in the last two panels and in the means, sampled at random.
    palette
        Colours of batches: a matplotlib colormap, a list of colours or a dict by name. By default those in
        `adata.uns["<column>_colors"]`, where scanpy stores them, or the package's.
    seed
        Seed of the sample and of the drawing order.
    axes
        Axes to draw in, shape `(2, 3)`; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"effects.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(2, 3)`.

    Raises
    ------
    TypeError
        If `adata` is not an AnnData.
    KeyError
        If `adata` holds no batch effects, or their layer or batches do not exist any more.
    ValueError
        If a batch has no colour, `save` cannot be written, `axes` are not of shape `(2, 3)`, or `max_cells` is less
        than 10.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_multiplicative(300, 60, seed=0)
    >>> sp.pp.adjust_counts(adata)
    >>> sp.pl.batch_effects(adata).shape
    (2, 3)
    """
    finish = Finish(show, save, return_fig)
    if not is_cells(adata):
        raise TypeError(f"adata must be an AnnData that sp.pp.adjust_counts was run on, got {type(adata).__name__}.")
    record = read_records(adata).get(ADJUST_COUNTS_KEY)
    if record is None or BATCH_EFFECT_KEY not in adata.varm:
        raise KeyError("adata holds no batch effects; run sp.pp.adjust_counts(adata, batch_key=...) first.")
    for name, where, attribute in (
        (record["batch_key"], adata.obs, "obs"),
        (record["key_added"], adata.layers, "layers"),
        (record.get("layer"), adata.layers, "layers"),
    ):
        if name is not None and name not in where:
            raise KeyError(f"{name!r} is no longer in adata.{attribute}, where adjust_counts left it.")
    if max_cells < 10:
        raise ValueError(f"max_cells={max_cells} must be at least 10.")
    grid = _make_panels() if axes is None else np.asarray(axes, dtype=object)
    if grid.shape != (2, 3):
        raise ValueError(f"axes must have shape (2, 3), got {grid.shape}.")

    effect: pd.DataFrame = adata.varm[BATCH_EFFECT_KEY]
    names = [str(name) for name in effect.columns]
    if palette is None:
        palette = read_colors(adata, record["batch_key"], names)
    colors = category_colors(names, palette)
    rng = np.random.default_rng(seed)
    cells = np.arange(adata.n_obs)
    if len(cells) > max_cells:
        cells = rng.choice(cells, max_cells, replace=False)
    batch = adata.obs[record["batch_key"]].astype(str).to_numpy()[cells]
    layer = record.get("layer")
    raw = _dense(adata.X if layer is None else adata.layers[layer], cells)
    adjusted = _dense(adata.layers[record["key_added"]], cells)

    _draw_effects(grid[0, 0], effect, colors)
    _draw_donors(grid[0, 1], np.asarray(record["donor_share"]), list(effect.columns))
    _draw_likelihood(grid[0, 2], np.asarray(record["log_likelihood"]), bool(record["converged"]))
    _draw_means(grid[1, 0], raw, adjusted, batch)
    shuffled = rng.permutation(len(cells))
    for ax, counts, title in ((grid[1, 1], raw, "Cells, raw counts"), (grid[1, 2], adjusted, "Cells, adjusted counts")):
        _draw_cells(ax, _components(counts)[shuffled], [colors[b] for b in batch[shuffled]], title)
    _draw_legend(grid[1, 2], colors)
    return finish(grid)


def _make_panels() -> np.ndarray:
    figure, grid = make_axes(2, 3, figsize=(2 * COLUMN_WIDTH, 1.28 * COLUMN_WIDTH))
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    for ax in grid.flat:
        tidy(ax)
    return grid


def _dense(matrix: Any, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    rows = matrix[cells]
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=np.float32)


def _set_title(ax: Axes, title: str) -> None:
    ax.set_title(title, fontsize=LABEL_SIZE, loc="left", pad=5)


def _draw_effects(ax: Axes, effect: pd.DataFrame, colors: dict[str, str]) -> None:
    """Draw quantile curves, which, unlike histograms, neither hide each other nor need bins."""
    values = np.log2(effect.to_numpy())
    share = (np.arange(len(values)) + 0.5) / len(values)
    for k, name in enumerate(effect.columns):
        ax.plot(share, np.sort(values[:, k]), color=colors[name], lw=1.3, gid="effect")
    ax.axhline(0, color=FAINT, lw=0.8, zorder=0)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("genes, by effect", fontsize=NOTE_SIZE + 0.5)
    ax.set_ylabel("log2 batch effect", fontsize=NOTE_SIZE + 0.5)
    _set_title(ax, "Effects on genes")


def _draw_donors(ax: Axes, share: NDArray[np.float64], names: list[str]) -> None:
    shown = share.copy()
    np.fill_diagonal(shown, np.nan)
    ax.imshow(shown, cmap="viridis", vmin=0, vmax=1, aspect="auto").set_gid("donors")
    if len(names) <= _MAX_LABELS:
        ticks = range(len(names))
        ax.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=NOTE_SIZE)
        ax.set_yticks(ticks, names, fontsize=NOTE_SIZE)
        size = NOTE_SIZE if len(names) <= 6 else NOTE_SIZE - 1.5
        for row, column in zip(*np.nonzero(np.isfinite(shown)), strict=True):
            value = shown[row, column]
            tone = "white" if value < 0.6 else "black"
            ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=size, color=tone)
    ax.set_xlabel("batch of donors", fontsize=NOTE_SIZE + 0.5)
    ax.set_ylabel("batch of cells", fontsize=NOTE_SIZE + 0.5)
    _set_title(ax, "Cells with donors, %")


def _draw_likelihood(ax: Axes, trace: NDArray[np.float64], converged: bool) -> None:
    # The remaining gain of the last value is 0, which a logarithmic axis cannot show.
    remaining_gain = trace[-1] - trace[:-1]
    shown = remaining_gain > 0
    steps = np.arange(1, len(trace))[shown]
    ax.plot(steps, remaining_gain[shown], color=INK, marker="o", ms=2.5, lw=1.0, gid="likelihood")
    if shown.any():
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    ax.set_xlabel("iteration", fontsize=NOTE_SIZE + 0.5)
    ax.set_ylabel("nats still to gain", fontsize=NOTE_SIZE + 0.5)
    _set_title(ax, f"Likelihood, {'converged' if converged else 'not converged'} after {len(trace)}")


def _draw_means(ax: Axes, raw: NDArray[np.float64], adjusted: NDArray[np.float64], batch: NDArray[np.str_]) -> None:
    before, after = (_log_means(counts, batch) for counts in (raw, adjusted))
    for (reference, means), color, name in ((before, MUTED, "raw"), (after, "#0072B2", "adjusted")):
        x, y = np.broadcast_to(reference[:, None], means.shape).ravel(), means.ravel()
        rms = np.sqrt(np.mean((y - x) ** 2)) if len(x) else np.nan
        dots = ax.scatter(x, y, s=2.5, color=color, alpha=0.5, lw=0, rasterized=True, label=f"{name}: {rms:.2f}")
        dots.set_gid("means")
    ends = [min(before[0].min(initial=0), 0), max(before[0].max(initial=1), 1)]
    ax.plot(ends, ends, color=INK, lw=0.6, zorder=3)
    ax.set_xlabel("log2 mean over batches", fontsize=NOTE_SIZE + 0.5)
    ax.set_ylabel("log2 mean in a batch", fontsize=NOTE_SIZE + 0.5)
    legend = ax.legend(
        title="RMS difference", fontsize=NOTE_SIZE, title_fontsize=NOTE_SIZE, frameon=False,
        loc="lower right", borderpad=0, handletextpad=0.1, markerscale=2.5,
    )  # fmt: skip
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    _set_title(ax, "Means of genes")


def _log_means(counts: NDArray[np.float64], batch: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log means of genes over and within batches, at equal depth; genes without counts are left out."""
    depth = counts.sum(axis=1, keepdims=True)
    normalised = counts * (np.median(depth) / np.maximum(depth, 1e-12))
    means = pd.DataFrame(normalised).groupby(batch).mean().to_numpy().T
    means = np.log2(means[(means > 0).all(axis=1)])
    return means.mean(axis=1), means


def _components(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    depth = counts.sum(axis=1, keepdims=True)
    log_counts = np.log1p(1e4 * counts / np.maximum(depth, 1e-12))
    return PCA(2, svd_solver="randomized", random_state=0).fit_transform(log_counts)


def _draw_cells(ax: Axes, points: NDArray[np.float64], colors: list[str], title: str) -> None:
    size = float(np.clip(3000 / len(points), 0.8, 8))
    ax.scatter(points[:, 0], points[:, 1], c=colors, s=size, lw=0, rasterized=True).set_gid("cells")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("PC 1", fontsize=NOTE_SIZE + 0.5)
    ax.set_ylabel("PC 2", fontsize=NOTE_SIZE + 0.5)
    _set_title(ax, title)


def _draw_legend(ax: Axes, colors: dict[str, str]) -> None:
    """Draw a legend of the batches below the figure."""
    figure = ax.get_figure(root=True)
    if figure is None or len(colors) > 4 * _MAX_LABELS:
        return
    handles = [
        ax.plot([], [], ls="none", marker="o", ms=4, color=color, label=name)[0] for name, color in colors.items()
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 8), fontsize=TICK_SIZE, frameon=False,
        handletextpad=0.1, columnspacing=1.2,
    )  # fmt: skip
