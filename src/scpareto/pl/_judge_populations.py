"""Plot judged embeddings by population: batch left and structure kept."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import read_records
from scpareto._constants import JUDGE_KEY, UNS_KEY
from scpareto.pl._finish import Finish
from scpareto.pl._palette import HIGHLIGHT, get_color
from scpareto.pl._sources import is_cells
from scpareto.pl._style import FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, make_axes, tidy

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

_WIDTH = 7.2
_ROW_HEIGHT = 0.085
"""Height of one embedding of one population, in inches."""
_GAP = 0.16
_MARKERS = "osD^vPX*h<>p"
_PANELS = {
    "batch_left": ("batch left (%)", "better \N{LEFTWARDS ARROW}", "batch_stays"),
    "structure_kept": ("structure kept (%)", "better \N{RIGHTWARDS ARROW}", "structure_lost"),
}
_NAME_WIDTH = 34


def judge_populations(
    adata: AnnData,
    use_rep: str | list[str] | None = None,
    *,
    key: str = JUDGE_KEY,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the results of :func:`scpareto.tl.judge` by population: a row per population, a marker per embedding.

    Rings mark populations with more batch left than others, or with less structure kept than in uncorrected data. Short
    grey lines are the structure kept in uncorrected data.

    Parameters
    ----------
    adata
        Cells whose embeddings were judged.
    use_rep
        Embeddings to draw; None for all.
    key
        Key of the record in ``adata.uns["scpareto"]``.
    axes
        Two axes to draw in; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"populations.pdf"``; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Two axes, shape ``(2,)``. Artists carry the ids ``"embedding"``, ``"interval"``, ``"reference"`` and ``"flag"``.

    Raises
    ------
    TypeError
        If ``adata`` is not an AnnData.
    ValueError
        If ``save`` cannot be written, or there are not two ``axes``.
    KeyError
        If no populations of ``adata`` were judged, or an embedding was not.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=400, n_genes=100, n_batches=2, n_types=3, seed=0)
    >>> adata.obsm["X_random"] = np.random.default_rng(0).normal(size=(400, 5))
    >>> _ = sp.tl.judge(adata, "X_random", batch_key="batch", labels_key="cell_type", n_bootstrap=20)
    >>> [ax.get_xlabel() for ax in sp.pl.judge_populations(adata)]
    ['batch left (%)   better \N{LEFTWARDS ARROW}', 'structure kept (%)   better \N{RIGHTWARDS ARROW}']
    """
    finish = Finish(show, save, return_fig)
    if not is_cells(adata):
        raise TypeError(f"adata must be an AnnData or MuData that sp.tl.judge was run on, got {type(adata).__name__}.")
    record = read_records(adata).get(key, {})
    if "populations" not in record:
        raise KeyError(f"adata.uns[{UNS_KEY!r}] holds no {key!r} with populations: run sp.tl.judge(adata, ...) first.")
    table: pd.DataFrame = record["populations"]
    all_names = list(dict.fromkeys(table["embedding"]))
    names = all_names if use_rep is None else [use_rep] if isinstance(use_rep, str) else list(use_rep)
    for name in names:
        if name not in all_names:
            raise KeyError(f"use_rep={name!r} was not judged; judged were {', '.join(map(repr, all_names))}.")
    # Embeddings without values, such as graphs in the panel of the batch, keep their position and colour.
    populations = table.drop_duplicates("population")
    step = _GAP + _ROW_HEIGHT * len(names)
    if axes is None:
        panels = make_axes(1, 2, figsize=(_WIDTH, 0.9 + step * len(populations)))[1][0]
    elif len(panels := np.asarray(axes, dtype=object).ravel()) != 2:
        raise ValueError(f"judge_populations draws in 2 axes, got {len(panels)}.")
    middle = np.arange(len(populations)) * step
    for ax, (column, (label, direction, flag)) in zip(panels, _PANELS.items(), strict=True):
        tidy(ax)
        for row, population in enumerate(populations["population"]):
            if row % 2 == 0:
                ax.axhspan(middle[row] - step / 2, middle[row] + step / 2, color=FAINT, alpha=0.25, lw=0, zorder=0)
            rows_of_population = table[table["population"] == population].set_index("embedding")
            reference = rows_of_population["structure_of_reference"].iloc[0]
            if column == "structure_kept" and np.isfinite(reference):
                ends = [middle[row] - step / 2 + 0.03, middle[row] + step / 2 - 0.03]
                ax.plot([reference, reference], ends, color=MUTED, lw=1.2, zorder=1)[0].set_gid("reference")
            if column == "batch_left" and population >= 0 and rows_of_population[column].isna().all():
                text = ax.annotate("no batch effect here", (0.5, middle[row]), xycoords=("axes fraction", "data"))
                text.set(fontsize=NOTE_SIZE, color=MUTED, ha="center", va="center")
            for position, name in enumerate(names):
                if name not in rows_of_population.index or not np.isfinite(rows_of_population.at[name, column]):
                    continue
                y = middle[row] + (position - (len(names) - 1) / 2) * _ROW_HEIGHT
                color = get_color(all_names.index(name))
                interval_of_value = rows_of_population.loc[name, [f"{column}_low", f"{column}_high"]].to_numpy(
                    dtype=float
                )
                ax.plot(interval_of_value, [y, y], color=color, lw=0.9, zorder=2)[0].set_gid("interval")
                mark = _MARKERS[all_names.index(name) % len(_MARKERS)]
                ax.scatter(rows_of_population.at[name, column], y, s=13, color=color, marker=mark, zorder=3).set_gid(
                    "embedding"
                )
                if bool(rows_of_population.at[name, flag]):
                    ring = ax.scatter(
                        rows_of_population.at[name, column],
                        y,
                        s=52,
                        facecolors="none",
                        edgecolors=HIGHLIGHT,
                        lw=1.1,
                        zorder=4,
                    )
                    ring.set_gid("flag")
        ax.set_ylim(middle[-1] + step / 2, middle[0] - step / 2)
        ax.set_yticks([])
        ax.set_xlabel(f"{label}   {direction}", fontsize=LABEL_SIZE)
    _set_limits(panels, table[table["embedding"].isin(names)])
    row_labels = [_format_name(name, n) for name, n in populations[["name", "n_cells"]].itertuples(index=False)]
    panels[0].set_yticks(middle, row_labels, fontsize=NOTE_SIZE)
    panels[0].tick_params(axis="y", length=0)
    if axes is None:
        _draw_legend(panels, names, all_names)
    return finish(panels)


def _format_name(name: str, n_cells: int) -> str:
    """Format the name of a population, and below it the distinguishing genes and the number of cells."""
    label, _, genes = name.partition(" (")
    details = f"{genes.split(')')[0]}, " if genes else ""
    first, second = (textwrap.shorten(text, _NAME_WIDTH, placeholder="...") for text in (label, details))
    return f"{first}\n{second} {n_cells:,} cells".replace("\n ", "\n")


def _set_limits(axes: np.ndarray, table: pd.DataFrame) -> None:
    """Set limits that show all values and their intervals, except parts of wide intervals far outside 0 to 100 %."""
    for ax, column in zip(axes, _PANELS, strict=True):
        values = table[[column, f"{column}_low", f"{column}_high"]].to_numpy(dtype=float)
        if not np.isfinite(values[:, 0]).any():
            continue
        low, high = np.nanmin(values), np.nanmax(values)
        low = max(low, min(np.nanmin(values[:, 0]), 0.0) - 20)
        high = min(high, max(np.nanmax(values[:, 0]), 100.0) + 20)
        margin = 0.04 * max(high - low, 10.0)
        ax.set_xlim(low - margin, high + margin)
    axes[0].axvline(0, lw=0.6, color=MUTED, zorder=1)


def _draw_legend(axes: np.ndarray, names: list[str], all_names: list[str]) -> None:
    """Draw a legend of embeddings, lines and rings above both panels."""
    figure = axes[0].figure
    handles = []
    for name in names:
        style = {"color": get_color(all_names.index(name)), "marker": _MARKERS[all_names.index(name) % len(_MARKERS)]}
        handles += axes[0].plot([], [], ls="", ms=3.6, label=name, **style)
    handles += axes[1].plot([], [], ls="", marker="|", ms=8, color=MUTED, label="uncorrected")
    ring = {"mfc": "none", "mec": HIGHLIGHT, "ms": 6.5, "marker": "o"}
    handles += axes[1].plot([], [], ls="", label="stands out", **ring)
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(len(handles), 5), fontsize=NOTE_SIZE, frameon=False,
        handletextpad=0.1, columnspacing=1.2, labelcolor=INK,
    )  # fmt: skip
