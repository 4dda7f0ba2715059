"""Specification curve: which findings are called at which strength of correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm

from scpareto._cells import read_records
from scpareto._constants import UNS_KEY
from scpareto.pl._finish import Finish
from scpareto.pl._sources import is_cells
from scpareto.pl._style import FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, make_axes, tidy

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

_COLORS = {"robust": "#0072B2", "fragile": "#E69F00", "only beyond the alarm": "#CC79A7"}
_KINDS = {
    "expression": "differences in expression",
    "markers": "markers",
    "abundance": "shifts in abundance",
}
_EFFECTS = {"expression": "log2 fold change", "markers": "log2 fold change", "abundance": "log2 odds ratio"}
_WIDTH, _BARS_HEIGHT, _ROW_HEIGHT, _MIN_HEIGHT = 5.6, 1.1, 0.155, 0.9  # inches
_MAX_CHARACTERS = 34


def survives(
    adata: AnnData,
    *,
    kind: str | None = None,
    n: int = 30,
    key: str = "survives",
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the specification curve of the findings of :func:`scpareto.tl.survives`.

    Columns are the points of the front, from the weakest to the strongest correction; the background is grey where the
    over-correction alarm rings. Bars above count the findings that are called. Each row below is a finding: a dot
    coloured by its effect where it is called, a small dot where it is not called, and nothing where the group of cells
    is missing.

    Parameters
    ----------
    adata
        Cells with the record.
    kind
        ``"expression"``, ``"markers"`` or ``"abundance"``; None for the first of these that has findings.
    n
        Largest number of findings to draw: those with the largest effects, of each call in proportion to its number.
    key
        Key of the record in ``adata.uns["scpareto"]``.
    axes
        Two axes to draw on, for counts and findings; by default of a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"survives.pdf"``; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    The two axes, shape ``(2,)``. Artists carry the ids ``"count"``, ``"called"`` and ``"not called"``.

    Raises
    ------
    TypeError
        If ``adata`` is not an AnnData.
    KeyError
        If the record does not exist.
    ValueError
        If the record holds no findings of this kind, ``save`` cannot be written, or there are not two ``axes``.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=80, n_batches=4, n_types=3, seed=0)
    >>> front = sp.tl.sweep(adata, "combat", values=[0.5, 1.0], batch_key="batch", n_bootstrap=20, progress=False)
    >>> findings = sp.tl.survives(front, adata, groupby="cell_type", sample_key="batch", progress=False)
    >>> axes = sp.pl.survives(adata, n=10)
    >>> axes[0].get_title(loc="left").split(": ")[0]
    'markers'
    """
    finish = Finish(show, save, return_fig)
    if not is_cells(adata):
        raise TypeError(f"adata must be an AnnData that sp.tl.survives was run on, got {type(adata).__name__}.")
    record = read_records(adata).get(key)
    if record is None:
        raise KeyError(f"adata.uns[{UNS_KEY!r}] has no {key!r}: call sp.tl.survives(model, adata, ...) first.")
    findings, kind = _select_kind(record["findings"], kind)
    drawn = _select_largest(findings, n)
    points, by_point = record["points"], record["findings_by_point"]
    by_point = by_point[by_point["kind"] == kind].merge(findings[["group", "gene", "call"]], on=["group", "gene"])
    rows = max(_ROW_HEIGHT * len(drawn), _MIN_HEIGHT)
    if axes is None:
        panels = make_axes(2, 1, figsize=(_WIDTH, _BARS_HEIGHT + 0.75 + rows), heights=[_BARS_HEIGHT, rows])[1][:, 0]
    elif len(panels := np.asarray(axes, dtype=object).ravel()) != 2:
        raise ValueError(f"survives draws in 2 axes, got {len(panels)}.")
    for ax in panels:
        tidy(ax)
        for place in np.flatnonzero(~points["admissible"].to_numpy(dtype=bool)):
            ax.axvspan(place - 0.5, place + 0.5, color=FAINT, alpha=0.45, lw=0, zorder=0)
        ax.set_xlim(-0.5, len(points) - 0.5)
    _draw_counts(panels[0], by_point, points, findings)
    _draw_findings(panels[1], by_point, points, drawn, kind)
    n_calls = findings["call"].value_counts()
    counts = ", ".join(f"{n_calls[call]:,} {call}" for call in _COLORS if call in n_calls)
    panels[0].set_title(f"{_KINDS[kind]}: {counts}", fontsize=LABEL_SIZE, loc="left", pad=16)
    return finish(panels)


def _select_kind(findings: pd.DataFrame, kind: str | None) -> tuple[pd.DataFrame, str]:
    available = [name for name in _KINDS if (findings["kind"] == name).any()]
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"kind={kind!r} is none of {', '.join(map(repr, _KINDS))}.")
    if not available or (kind is not None and kind not in available):
        alternatives = f"; there are {', '.join(available)}" if available else ""
        raise ValueError(f"No finding{'' if kind is None else f' of {kind}'} is called at any point{alternatives}.")
    selected_kind = available[0] if kind is None else kind
    return findings[findings["kind"] == selected_kind], selected_kind


def _select_largest(findings: pd.DataFrame, n: int) -> pd.DataFrame:
    """Select the findings with the largest effects, of each call in proportion to its number, and at least one."""
    size = findings[["effect", "effect_low", "effect_high"]].abs().max(axis=1)
    ranked = findings.assign(size=size).sort_values("size", ascending=False, kind="stable")
    selected = []
    for call in _COLORS:
        rows_of_call = ranked[ranked["call"] == call]
        selected.append(rows_of_call.head(max(1, round(n * len(rows_of_call) / len(findings)))))
    return pd.concat(selected)


def _draw_counts(ax: Axes, by_point: pd.DataFrame, points: pd.DataFrame, findings: pd.DataFrame) -> None:
    """Draw stacked bars: how many findings of each call are called at each point."""
    called = by_point[by_point["called"].astype(bool)]
    below = np.zeros(len(points))
    for call, color in _COLORS.items():
        if not (findings["call"] == call).any():
            continue
        height = called[called["call"] == call].groupby("point").size().reindex(points["point"]).fillna(0).to_numpy()
        for bar in ax.bar(np.arange(len(points)), height, bottom=below, width=0.7, color=color, lw=0, label=call):
            bar.set_gid("count")
        below += height
    ax.set_ylabel("called", fontsize=LABEL_SIZE)
    ax.tick_params(labelbottom=False, bottom=False)
    ax.legend(
        fontsize=NOTE_SIZE, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(-0.01, 0.97), handlelength=0.8,
        borderpad=0, columnspacing=1.2,
    )  # fmt: skip


def _draw_findings(ax: Axes, by_point: pd.DataFrame, points: pd.DataFrame, drawn: pd.DataFrame, kind: str) -> None:
    """Draw a row for each finding."""
    row_of = {key: row for row, key in enumerate(zip(drawn["group"], drawn["gene"], strict=True))}
    place_of = {int(number): place for place, number in enumerate(points["point"])}
    keys = list(zip(by_point["group"], by_point["gene"], strict=True))
    shown = by_point[[key in row_of for key in keys]]
    x = shown["point"].map(place_of).to_numpy(dtype=float)
    y = np.array([row_of[key] for key in keys if key in row_of], dtype=float)
    called = shown["called"].to_numpy(dtype=bool)
    effect = shown["effect"].to_numpy(dtype=float)
    max_effect = float(np.nanmax(np.abs(effect[called]))) if called.any() else 1.0
    marks = ax.scatter(
        x[called], y[called], c=effect[called], cmap="RdBu_r", norm=TwoSlopeNorm(0.0, -max_effect, max_effect), s=26,
        lw=0.4, edgecolors=INK, zorder=3,
    )  # fmt: skip
    marks.set_gid("called")
    ax.scatter(x[~called], y[~called], color=MUTED, s=3, lw=0, zorder=3).set_gid("not called")
    ax.set_yticks(range(len(drawn)), [_make_label(row) for row in drawn.to_dict("records")], fontsize=NOTE_SIZE)
    for label, call in zip(ax.get_yticklabels(), drawn["call"], strict=True):
        label.set_color(_COLORS[call])
    ax.set_ylim(len(drawn) - 0.5, -0.5)
    ax.tick_params(left=False)
    judged = bool(points["batch_left"].notna().all())
    batch_left = [f"\n{value:.0f}" if judged else "" for value in points["batch_left"]]
    recommendation = [
        f"{number}{rows_of_call}" for number, rows_of_call in zip(points["point"], batch_left, strict=True)
    ]
    ax.set_xticks(range(len(points)), recommendation, fontsize=NOTE_SIZE)
    ax.set_xlabel(f"point{', batch batch_left (%)' if judged else ''}   stronger correction →", fontsize=LABEL_SIZE)
    for place in np.flatnonzero(points["recommended"].to_numpy(dtype=bool)):
        ax.get_xticklabels()[int(place)].set_fontweight("bold")
    bar = ax.figure.colorbar(
        marks, ax=ax, shrink=min(1.0, 1.2 / max(_ROW_HEIGHT * len(drawn), _MIN_HEIGHT)), aspect=12, pad=0.02
    )
    bar.set_label(_EFFECTS[kind], fontsize=NOTE_SIZE)
    bar.ax.tick_params(labelsize=NOTE_SIZE)
    bar.outline.set_visible(False)


def _make_label(row: Mapping[Any, Any]) -> str:
    recommendation = f"{row['gene']}, {row['group']}" if row["gene"] else str(row["group"])
    return recommendation if len(recommendation) <= _MAX_CHARACTERS else f"{recommendation[: _MAX_CHARACTERS - 1]}…"
