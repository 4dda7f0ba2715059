"""Judged embeddings population by population: what is left of the batch, what is kept of the structure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import read_records
from scpareto._constants import JUDGE_KEY, UNS_KEY
from scpareto.pl._finish import Finish
from scpareto.pl._palette import CHOSEN, unchosen_color
from scpareto.pl._sources import is_cells
from scpareto.pl._style import FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, new_axes, tidy

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

_WIDTH = 7.2
_ROW = 0.085
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
    """Draw what :func:`scpareto.tl.judge` found in each population: a row per population, a mark per embedding.

    Rings mark populations that still hold more of the batch than others, or have lost structure against uncorrected
    data. Short grey strokes are the structure that uncorrected data keep.

    Parameters
    ----------
    adata
        Cells whose embeddings were judged.
    use_rep
        Embeddings to draw; None for all.
    key
        Where in ``adata.uns["scpareto"]`` the record is.
    axes
        Two axes to draw in; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"populations.pdf"``; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Two axes, shape ``(2,)``. Artists carry the ids ``"embedding"``, ``"interval"``, ``"reference"`` and ``"flag"``.

    Raises
    ------
    TypeError
        If ``adata`` is no AnnData.
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
    known = list(dict.fromkeys(table["embedding"]))
    wanted = known if use_rep is None else [use_rep] if isinstance(use_rep, str) else list(use_rep)
    for name in wanted:
        if name not in known:
            raise KeyError(f"use_rep={name!r} was not judged; judged were {', '.join(map(repr, known))}.")
    # Embeddings without any value, such as graphs in the panel of the batch, keep their place and colour.
    populations = table.drop_duplicates("population")
    step = _GAP + _ROW * len(wanted)
    if axes is None:
        panels = new_axes(1, 2, figsize=(_WIDTH, 0.9 + step * len(populations)))[1][0]
    elif len(panels := np.asarray(axes, dtype=object).ravel()) != 2:
        raise ValueError(f"judge_populations draws in 2 axes, got {len(panels)}.")
    middle = np.arange(len(populations)) * step
    for ax, (column, (label, direction, flag)) in zip(panels, _PANELS.items(), strict=True):
        tidy(ax)
        for row, population in enumerate(populations["population"]):
            if row % 2 == 0:
                ax.axhspan(middle[row] - step / 2, middle[row] + step / 2, color=FAINT, alpha=0.25, lw=0, zorder=0)
            own = table[table["population"] == population].set_index("embedding")
            before = own["structure_of_reference"].iloc[0]
            if column == "structure_kept" and np.isfinite(before):
                ends = [middle[row] - step / 2 + 0.03, middle[row] + step / 2 - 0.03]
                ax.plot([before, before], ends, color=MUTED, lw=1.2, zorder=1)[0].set_gid("reference")
            if column == "batch_left" and population >= 0 and own[column].isna().all():
                note = ax.annotate("no batch effect here", (0.5, middle[row]), xycoords=("axes fraction", "data"))
                note.set(fontsize=NOTE_SIZE, color=MUTED, ha="center", va="center")
            for place, name in enumerate(wanted):
                if name not in own.index or not np.isfinite(own.at[name, column]):
                    continue
                y = middle[row] + (place - (len(wanted) - 1) / 2) * _ROW
                color = unchosen_color(known.index(name))
                span = own.loc[name, [f"{column}_low", f"{column}_high"]].to_numpy(dtype=float)
                ax.plot(span, [y, y], color=color, lw=0.9, zorder=2)[0].set_gid("interval")
                mark = _MARKERS[known.index(name) % len(_MARKERS)]
                ax.scatter(own.at[name, column], y, s=13, color=color, marker=mark, zorder=3).set_gid("embedding")
                if bool(own.at[name, flag]):
                    ring = ax.scatter(
                        own.at[name, column], y, s=52, facecolors="none", edgecolors=CHOSEN, lw=1.1, zorder=4
                    )
                    ring.set_gid("flag")
        ax.set_ylim(middle[-1] + step / 2, middle[0] - step / 2)
        ax.set_yticks([])
        ax.set_xlabel(f"{label}   {direction}", fontsize=LABEL_SIZE)
    _limits(panels, table[table["embedding"].isin(wanted)])
    names = [_two_lines(name, n) for name, n in populations[["name", "n_cells"]].itertuples(index=False)]
    panels[0].set_yticks(middle, names, fontsize=NOTE_SIZE)
    panels[0].tick_params(axis="y", length=0)
    if axes is None:
        _legend(panels, wanted, known)
    return finish(panels)


def _two_lines(name: str, n_cells: int) -> str:
    """Return a name, and below it the genes that tell it from others of the same label, and the number of cells."""
    label, _, genes = name.partition(" (")
    below = f"{genes.split(')')[0]}, " if genes else ""
    first, second = (textwrap.shorten(text, _NAME_WIDTH, placeholder="...") for text in (label, below))
    return f"{first}\n{second} {n_cells:,} cells".replace("\n ", "\n")


def _limits(axes: np.ndarray, table: pd.DataFrame) -> None:
    """Show all values and their intervals, except wide ones far beyond what percentages mean."""
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


def _legend(axes: np.ndarray, wanted: list[str], known: list[str]) -> None:
    """Name embeddings, strokes and rings above both panels."""
    figure = axes[0].figure
    handles = []
    for name in wanted:
        look = {"color": unchosen_color(known.index(name)), "marker": _MARKERS[known.index(name) % len(_MARKERS)]}
        handles += axes[0].plot([], [], ls="", ms=3.6, label=name, **look)
    handles += axes[1].plot([], [], ls="", marker="|", ms=8, color=MUTED, label="uncorrected")
    ring = {"mfc": "none", "mec": CHOSEN, "ms": 6.5, "marker": "o"}
    handles += axes[1].plot([], [], ls="", label="stands out", **ring)
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(len(handles), 5), fontsize=NOTE_SIZE, frameon=False,
        handletextpad=0.1, columnspacing=1.2, labelcolor=INK,
    )  # fmt: skip
