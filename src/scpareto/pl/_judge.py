"""Plot judged embeddings: how much batch is left, how much structure is kept."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import read_records
from scpareto._constants import BATCH_LEFT, JUDGE_KEY, STRUCTURE_KEPT, UNS_KEY
from scpareto.pareto import is_higher_better
from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import widen_limits
from scpareto.pl._labels import place_labels
from scpareto.pl._marks import RING
from scpareto.pl._palette import get_color
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, INK, LABEL_SIZE, MUTED, NOTE_SIZE, make_axes, tidy, update_layout
from scpareto.pl._titles import make_axis_label

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes

_HEIGHT = 3.0
_LINE_LENGTH = 62
"""Characters in a line of text across the axes."""
_N_OBSTACLES = 9
"""Positions along an interval that labels must not cover."""
_AXES = (BATCH_LEFT, STRUCTURE_KEPT)
_MAX_CHARACTERS = 44


def judge(
    adata: AnnData | pd.DataFrame,
    *,
    key: str = JUDGE_KEY,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the results of :func:`scpareto.tl.judge`, with a point for each embedding.

    Bars are 95 % intervals. The recommended embedding has a ring; those whose alarm rings are crossed out.

    Parameters
    ----------
    adata
        Cells whose embeddings were judged, or the table that was returned.
    key
        Key of the record in ``adata.uns["scpareto"]``.
    ax
        Axes to draw on; by default a new figure of one journal column.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"judge.pdf"``; its folder is created.
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
    table = adata if isinstance(adata, pd.DataFrame) else _read_table(adata, key)
    complete = table[table["batch_left"].notna() & table["structure_kept"].notna()]
    if not len(complete):
        raise ValueError(
            "No embedding has both batch_left and structure_kept. Without a batch effect or counts one of them has no "
            "value: the sentence and the notes of the record say why."
        )
    if ax is None:
        ax = make_axes(figsize=(COLUMN_WIDTH, _HEIGHT))[1][0, 0]
        tidy(ax)
    xy = complete[["batch_left", "structure_kept"]].to_numpy(dtype=float)
    ends = [_draw_interval(ax, complete, axis, xy) for axis in (0, 1)]
    colors = [get_color(i) for i in range(len(complete))]
    ax.scatter(xy[:, 0], xy[:, 1], s=26, c=colors, zorder=3).set_gid("embedding")
    recommended = complete["recommended"].to_numpy(dtype=bool)
    ax.scatter(xy[recommended, 0], xy[recommended, 1], s=95, zorder=4, **RING).set_gid("recommended")
    if recommended.any():
        ax.collections[-1].set_label("recommended")
    rings = complete["alarm"].to_numpy(dtype=bool) if "alarm" in complete else np.zeros(len(complete), dtype=bool)
    if rings.any():
        find_alarmed = ax.scatter(
            xy[rings, 0], xy[rings, 1], s=70, marker="x", c=INK, lw=0.9, zorder=4, label="alarm rings"
        )
        find_alarmed.set_gid("alarm")
    if recommended.any() or rings.any():
        legend_style: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.98), "ncols": 2}
        ax.legend(fontsize=NOTE_SIZE, frameon=False, handletextpad=0.2, columnspacing=0.8, **legend_style)
    for axis, column in zip((ax.xaxis, ax.yaxis), _AXES, strict=True):
        label = make_axis_label(column, higher=is_higher_better(column), max_characters=_MAX_CHARACTERS)
        axis.set_label_text(label, fontsize=LABEL_SIZE)
    if left_out := [str(name) for name in table.index if name not in complete.index]:
        text = textwrap.fill(f"not drawn, without a value on both axes: {', '.join(left_out)}", _LINE_LENGTH)
        ax.set_xlabel(f"{ax.get_xlabel()}\n{text}", fontsize=LABEL_SIZE)
    ax.margins(0.12)
    ax.axvline(0, lw=0.6, color=MUTED, zorder=1)
    widen_limits(ax, "y")
    ax.set_title(textwrap.fill(_make_title(complete, table), _LINE_LENGTH), fontsize=NOTE_SIZE, loc="left", pad=16)
    update_layout(ax)
    obstacles = np.concatenate([end for end in ends if end is not None] or [np.empty((0, 2))])
    place_labels(ax, xy, [str(name) for name in complete.index], obstacles=obstacles, fontsize=NOTE_SIZE, color=INK)
    return finish(ax)


def _make_title(complete: pd.DataFrame, table: pd.DataFrame) -> str:
    """State the values of the recommended embedding, or that none is recommended."""
    recommended = complete[complete["recommended"]]
    if len(recommended):
        row = recommended.iloc[0]
        recommendation = (
            f"{row['batch_left']:.0f} % of the batch left, {row['structure_kept']:.0f} % of the structure kept"
        )
        return f"{recommended.index[0]}: {recommendation}".replace(" -0 %", " 0 %")
    if table["recommended"].any():
        return f"Recommended, and not drawn: {table.index[table['recommended']][0]}"
    return "None is recommended: each has an alarm, has erased composition, or has removed next to nothing"


def _draw_interval(ax: Axes, table: pd.DataFrame, axis: int, xy: np.ndarray) -> np.ndarray | None:
    """Draw the intervals along one axis; return positions along them, shape ``(n, 2)``, or None without intervals."""
    column = _AXES[axis]
    if not {f"{column}_low", f"{column}_high"} <= set(table):
        return None
    low, high = xy.copy(), xy.copy()
    low[:, axis], high[:, axis] = table[f"{column}_low"], table[f"{column}_high"]
    for start, end in zip(low, high, strict=True):
        ax.plot(*np.stack([start, end]).T, lw=0.9, color=MUTED, zorder=2)[0].set_gid("interval")
    return np.concatenate([low + share * (high - low) for share in np.linspace(0, 1, _N_OBSTACLES)])


def _read_table(adata: AnnData, key: str) -> pd.DataFrame:
    if not is_cells(adata):
        raise TypeError(
            "adata must be an AnnData or MuData that sp.tl.judge was run on, or the table that it returned; "
            f"got {type(adata).__name__}."
        )
    stored = read_records(adata)
    if key not in stored or "table" not in stored[key]:
        raise KeyError(f"adata.uns[{UNS_KEY!r}] holds no {key!r}: run sp.tl.judge(adata, [...], batch_key=...) first.")
    return stored[key]["table"]
