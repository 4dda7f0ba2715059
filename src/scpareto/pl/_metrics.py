from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from scpareto._constants import ALARM_FROM, GENERATIVE_LOSS

from ._alarm import alarm_entry, alarmed, shade_alarm
from ._legend import chosen_entry, marker_entry
from ._marks import RING
from ._style import CHOSEN, COLUMN_WIDTH, INK, MUTED, NOTE_SIZE, new_axes, point_colors, tidy
from ._table import (
    FrontLike,
    as_table,
    interval,
    is_higher_better,
    markers_of,
    measures,
    names_of_extremes,
    objectives_of,
    require,
)
from ._titles import broken_title, title_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_LONGEST = 27  # characters below a panel of half a column
_LEGEND_COLUMN, _LEGEND_ROW = 1.1, 0.16  # inches
_AUDITED = (
    *("leakage_mean", "leakage_sample", "retention", "structure_kept"),
    *("scib_bio", "scib_batch", "scib_total", "alarm"),
)


def metrics_along_front(
    front: FrontLike | pd.DataFrame,
    columns: Sequence[str] | None = None,
    *,
    x: str = "point",
    selected: int | None = None,
    higher_is_better: Collection[str] = (),
    n_columns: int = 2,
    legend: bool = True,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draw columns of a front against its points, one small panel each.

    Points have the colours and markers of :func:`front`: a square is the uncorrected extreme, diamonds are the others.
    Intervals are shaded where `<column>_low` and `<column>_high` exist. Stretches of points whose `alarm` rings are
    hatched; they end half-way to the neighbours. The panel of `alarm` shows from where it rings.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front`, or its table with one row for each of `n` points.
    columns
        Any columns that measure a point. By default the generative loss and the nuisances on test cells, leakage,
        retention, the aggregates of scib-metrics and the alarm, as far as they were measured.
    x
        `"point"`, `"preference"` (of the only nuisance), a column `preference_<objective>`, or any column that measures
        a point, such as `leakage_mean`; points without a value are left out.
    selected
        Number of the point to mark.
    higher_is_better
        Columns of which larger values are better, beside those known.
    n_columns
        Panels beside each other in a new figure.
    legend
        Whether to explain extremes, intervals, the chosen point and the alarm, below the panels of a new figure.
    axes
        Axes to draw in, one for each column; by default a new figure.

    Returns
    -------
    Axes of shape `(n_panels,)`. Artists carry the ids `"points"`, `"interval"`, `"selected"` and `"alarm"`.

    Raises
    ------
    TypeError
        If `front` is no front.
    ValueError
        If a column or `x` cannot be drawn, `selected` is not a point, an alarm lies outside [0, 1], `n_columns` is less
        than 1, or `axes` are too few or too many.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> table = pd.DataFrame({"point": [0, 1, 2], "retention": [0.40, 0.39, 0.31]})
    >>> axes = pl.metrics_along_front(table, ["retention"])
    >>> axes.shape
    (1,)
    """
    table = as_table(front)
    names = _default_columns(table) if columns is None else list(columns)
    if not names:
        raise ValueError(f"There are no columns to draw; valid columns: {', '.join(measures(table))}.")
    require(table, [*names, *higher_is_better])
    if n_columns < 1:
        raise ValueError(f"n_columns={n_columns} must be at least 1.")
    horizontal = _horizontal(table, x)
    table = table[table[horizontal].notna()].sort_values(horizontal, kind="stable").reset_index(drop=True)
    if selected is not None and selected not in table["point"].tolist():
        valid = sorted(table["point"].tolist())
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {valid}.")
    over = alarmed(table)
    panels = _new_panels(len(names), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(names):
        raise ValueError(f"{len(names)} columns need as many axes, got {len(panels)}.")
    places = table[horizontal].to_numpy(dtype=float)
    for ax, name in zip(panels, names, strict=True):
        edges = shade_alarm(ax, places, over)
        ax.margins(y=0.14)
        ax.set_xlim(edges[0], edges[-1])
        _draw(ax, table, horizontal, name, selected)
        higher = is_higher_better(table, name, higher_is_better=higher_is_better)
        _name(ax, name, higher)
    for ax in panels if axes is not None else panels[-n_columns:]:
        ax.set_xlabel(broken_title(horizontal, _LONGEST), fontsize=NOTE_SIZE + 0.5)
    if legend and axes is None:
        _draw_legend(panels[0], _entries(table, names, selected, over))
    return panels


def _default_columns(table: pd.DataFrame) -> list[str]:
    losses = [f"{GENERATIVE_LOSS}_test", *(f"{name}_test" for name in objectives_of(table)[1:])]
    known = measures(table)
    return [c for c in [*losses, *_AUDITED] if c in known]


def _horizontal(table: pd.DataFrame, x: str) -> str:
    preferences = [str(c) for c in table.columns if str(c).startswith("preference_")]
    nuisances = [c for c in preferences if c != f"preference_{GENERATIVE_LOSS}"]
    if x == "preference" and len(nuisances) == 1:
        return nuisances[0]
    valid = ["point", *preferences, *measures(table)]
    require(table, [x], valid=valid if len(nuisances) != 1 else ["preference", *valid])
    return x


def _new_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = COLUMN_WIDTH / 2 if n_columns > 1 else 0.7 * COLUMN_WIDTH
    figure, grid = new_axes(n_rows, n_columns, figsize=(width * n_columns, 1.35 * n_rows + 0.15))
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    panels = np.asarray(grid.flat[:n_panels], dtype=object)
    for ax in panels:
        tidy(ax)
    return panels


def _draw(ax: Axes, table: pd.DataFrame, horizontal: str, column: str, selected: int | None) -> None:
    x, y = table[horizontal].to_numpy(dtype=float), table[column].to_numpy(dtype=float)
    ends = interval(table, column)
    if ends is not None:
        ax.fill_between(x, *ends.T, color=MUTED, alpha=0.35, lw=0, zorder=1).set_gid("interval")
    if selected is not None:
        row = (table["point"] == selected).to_numpy()
        ax.axvline(x[row][0], color=CHOSEN, lw=1.0, zorder=1.5).set_gid("selected")
        ax.scatter(x[row], y[row], s=60, zorder=3.5, **RING).set_gid("selected")
    if column == "alarm":
        ax.axhline(ALARM_FROM, color=MUTED, lw=0.7, ls=":", zorder=1.2)
    ax.plot(x, y, color=MUTED, lw=0.8, zorder=2)
    colors, markers = point_colors(table["point"].to_numpy()), markers_of(table)
    for marker in sorted(set(markers)):
        rows = markers == marker
        dots = ax.scatter(
            x[rows], y[rows], c=colors[rows], s=14, marker=marker, edgecolors=INK, linewidths=0.4, zorder=3
        )
        dots.set_gid("points")
    if horizontal == "point":
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4))


def _entries(table: pd.DataFrame, columns: list[str], selected: int | None, over: np.ndarray) -> list[Artist]:
    names = names_of_extremes(table)
    shapes = dict(zip(table["point"], markers_of(table), strict=True))
    entries: list[Artist] = [
        marker_entry(name, marker=shapes[point], mfc=MUTED, mec=INK, mew=0.4, ms=4.2) for point, name in names.items()
    ]
    if any(interval(table, column) is not None for column in columns):
        entries.append(Patch(facecolor=MUTED, alpha=0.35, lw=0, label="interval"))
    if selected is not None:
        entries.append(chosen_entry())
    if over.any():
        entries.append(alarm_entry())
    return entries


def _draw_legend(ax: Axes, entries: list[Artist]) -> None:
    figure = ax.get_figure(root=True)
    if entries and figure is not None:
        width, height = figure.get_size_inches()
        n_columns = min(max(1, int(width / _LEGEND_COLUMN)), len(entries))
        figure.set_size_inches(width, height + _LEGEND_ROW * -(-len(entries) // n_columns))
        figure.legend(
            handles=entries,
            loc="outside lower center",
            ncols=n_columns,
            fontsize=NOTE_SIZE,
            frameon=False,
            handletextpad=0.4,
            columnspacing=1.2,
            borderpad=0.1,
        )


def _name(ax: Axes, column: str, higher: bool) -> None:
    title = title_of(column).replace(", ", "\n", 1)
    ax.set_title(f"{title}\nhigher is better" if higher else title, fontsize=NOTE_SIZE, loc="left", pad=3)
