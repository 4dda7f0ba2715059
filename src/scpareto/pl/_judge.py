"""Judged embeddings on one plane: how much batch is left, how much structure is kept."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import read_records
from scpareto._constants import BATCH_LEFT, JUDGE_KEY, STRUCTURE_KEPT, UNS_KEY
from scpareto.pareto import is_higher_better
from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import widen
from scpareto.pl._labels import place_labels
from scpareto.pl._marks import RING
from scpareto.pl._palette import unchosen_color
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, INK, LABEL_SIZE, MUTED, NOTE_SIZE, new_axes, settle, tidy
from scpareto.pl._titles import axis_words

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes

_HEIGHT = 3.0
_LINE = 62
"""Letters of a line of text across the axes."""
_PARTS = 9
"""Places along an interval that labels keep clear of."""
_AXES = (BATCH_LEFT, STRUCTURE_KEPT)
_LONGEST = 44


def judge(
    adata: AnnData | pd.DataFrame,
    *,
    key: str = JUDGE_KEY,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw what :func:`scpareto.tl.judge` found: a point for each embedding.

    Bars are 95 % intervals. The recommended embedding is ringed; those whose alarm rings are crossed out.

    Parameters
    ----------
    adata
        Cells whose embeddings were judged, or the table that was returned.
    key
        Where in ``adata.uns["scpareto"]`` the record is.
    ax
        Where to draw; by default a new figure of one journal column.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"judge.pdf"``; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    The axes. Artists carry the ids ``"interval"``, ``"embedding"``, ``"recommended"`` and ``"alarm"``.

    Raises
    ------
    TypeError
        If ``adata`` is neither cells nor a table.
    KeyError
        If no embedding of ``adata`` was judged.
    ValueError
        If ``save`` cannot be written, or no embedding has a value on both axes.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> table = pd.DataFrame(
    ...     {"batch_left": [100.0, 15.0], "structure_kept": [89.0, 91.0], "recommended": [False, True]},
    ...     index=["X_pca", "X_harmony"],
    ... )
    >>> pl.judge(table).get_title(loc="left")
    'X_harmony: 15 % of the batch left, 91 % of the structure kept'
    """
    finish = Finish(show, save, return_fig)
    table = adata if isinstance(adata, pd.DataFrame) else _table_of(adata, key)
    known = table[table["batch_left"].notna() & table["structure_kept"].notna()]
    if not len(known):
        raise ValueError(
            "No embedding has both batch_left and structure_kept. Without a batch effect or counts one of them has no "
            "value: the sentence and the notes of the record say why."
        )
    if ax is None:
        ax = new_axes(figsize=(COLUMN_WIDTH, _HEIGHT))[1][0, 0]
        tidy(ax)
    xy = known[["batch_left", "structure_kept"]].to_numpy(dtype=float)
    ends = [_draw_interval(ax, known, axis, xy) for axis in (0, 1)]
    colors = [unchosen_color(i) for i in range(len(known))]
    ax.scatter(xy[:, 0], xy[:, 1], s=26, c=colors, zorder=3).set_gid("embedding")
    chosen = known["recommended"].to_numpy(dtype=bool)
    ax.scatter(xy[chosen, 0], xy[chosen, 1], s=95, zorder=4, **RING).set_gid("recommended")
    if chosen.any():
        ax.collections[-1].set_label("recommended")
    rings = known["alarm"].to_numpy(dtype=bool) if "alarm" in known else np.zeros(len(known), dtype=bool)
    if rings.any():
        alarmed = ax.scatter(xy[rings, 0], xy[rings, 1], s=70, marker="x", c=INK, lw=0.9, zorder=4, label="alarm rings")
        alarmed.set_gid("alarm")
    if chosen.any() or rings.any():
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.98), "ncols": 2}
        ax.legend(fontsize=NOTE_SIZE, frameon=False, handletextpad=0.2, columnspacing=0.8, **place)
    for axis, column in zip((ax.xaxis, ax.yaxis), _AXES, strict=True):
        words = axis_words(column, higher=is_higher_better(column), longest=_LONGEST)
        axis.set_label_text(words, fontsize=LABEL_SIZE)
    if left_out := [str(name) for name in table.index if name not in known.index]:
        text = textwrap.fill(f"not drawn, without a value on both axes: {', '.join(left_out)}", _LINE)
        ax.set_xlabel(f"{ax.get_xlabel()}\n{text}", fontsize=LABEL_SIZE)
    ax.margins(0.12)
    ax.axvline(0, lw=0.6, color=MUTED, zorder=1)
    widen(ax, "y")
    ax.set_title(textwrap.fill(_title(known, table), _LINE), fontsize=NOTE_SIZE, loc="left", pad=16)
    settle(ax)
    obstacles = np.concatenate([end for end in ends if end is not None] or [np.empty((0, 2))])
    place_labels(ax, xy, [str(name) for name in known.index], obstacles=obstacles, fontsize=NOTE_SIZE, color=INK)
    return finish(ax)


def _title(known: pd.DataFrame, table: pd.DataFrame) -> str:
    """Say what the recommended embedding has, or that none is recommended."""
    chosen = known[known["recommended"]]
    if len(chosen):
        row = chosen.iloc[0]
        told = f"{row['batch_left']:.0f} % of the batch left, {row['structure_kept']:.0f} % of the structure kept"
        return f"{chosen.index[0]}: {told}".replace(" -0 %", " 0 %")
    if table["recommended"].any():
        return f"Recommended, and not drawn: {table.index[table['recommended']][0]}"
    return "None is recommended: each has an alarm, has erased composition, or has removed next to nothing"


def _draw_interval(ax: Axes, table: pd.DataFrame, axis: int, xy: np.ndarray) -> np.ndarray | None:
    """Draw the intervals along one axis; return places along them, shape ``(n, 2)``, if there are any."""
    column = _AXES[axis]
    if not {f"{column}_low", f"{column}_high"} <= set(table):
        return None
    low, high = xy.copy(), xy.copy()
    low[:, axis], high[:, axis] = table[f"{column}_low"], table[f"{column}_high"]
    for start, end in zip(low, high, strict=True):
        ax.plot(*np.stack([start, end]).T, lw=0.9, color=MUTED, zorder=2)[0].set_gid("interval")
    return np.concatenate([low + share * (high - low) for share in np.linspace(0, 1, _PARTS)])


def _table_of(adata: AnnData, key: str) -> pd.DataFrame:
    if not is_cells(adata):
        raise TypeError(
            "adata must be an AnnData or MuData that sp.tl.judge was run on, or the table that it returned; "
            f"got {type(adata).__name__}."
        )
    known = read_records(adata)
    if key not in known or "table" not in known[key]:
        raise KeyError(f"adata.uns[{UNS_KEY!r}] holds no {key!r}: run sp.tl.judge(adata, [...], batch_key=...) first.")
    return known[key]["table"]
