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
from scpareto.pl._style import FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, new_axes, tidy

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
_WIDTH, _BARS, _ROW, _LOWEST = 5.6, 1.1, 0.155, 0.9  # inches
_LONGEST = 34


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
    """Draw the specification curve of findings that :func:`scpareto.tl.survives` looked for.

    Points of the front stand side by side, from the least to the strongest correcting; the ground is grey where the
    over-correction alarm rings. Bars above count what is called. Below, each row is a finding, coloured by its effect
    where it is called and a small dot where it is not; it is empty where the group of cells is missing.

    Parameters
    ----------
    adata
        Cells with the record.
    kind
        ``"expression"``, ``"markers"`` or ``"abundance"``; None for the first of these that has findings.
    n
        Findings that are drawn at most: of each call as many as its share, those with the largest effects.
    key
        Where in ``adata.uns["scpareto"]`` the record is.
    axes
        Two axes to draw in, the counts and the findings; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"survives.pdf"``; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    The two axes, shape ``(2,)``. Artists carry the ids ``"count"``, ``"called"`` and ``"not called"``.

    Raises
    ------
    TypeError
        If ``adata`` is no AnnData.
    KeyError
        If there is no such record.
    ValueError
        If it holds no findings of this kind, ``save`` cannot be written, or there are not two ``axes``.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=80, n_batches=4, n_types=3, seed=0)
    >>> front = sp.tl.sweep(adata, "combat", values=[0.5, 1.0], batch_key="batch", n_bootstrap=20, progress=False)
    >>> found = sp.tl.survives(front, adata, groupby="cell_type", sample_key="batch", progress=False)
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
    findings, kind = _of_kind(record["findings"], kind)
    drawn = _largest(findings, n)
    points, by_point = record["points"], record["findings_by_point"]
    by_point = by_point[by_point["kind"] == kind].merge(findings[["group", "gene", "call"]], on=["group", "gene"])
    rows = max(_ROW * len(drawn), _LOWEST)
    if axes is None:
        panels = new_axes(2, 1, figsize=(_WIDTH, _BARS + 0.75 + rows), heights=[_BARS, rows])[1][:, 0]
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


def _of_kind(findings: pd.DataFrame, kind: str | None) -> tuple[pd.DataFrame, str]:
    there = [name for name in _KINDS if (findings["kind"] == name).any()]
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"kind={kind!r} is none of {', '.join(map(repr, _KINDS))}.")
    if not there or (kind is not None and kind not in there):
        known = f"; there are {', '.join(there)}" if there else ""
        raise ValueError(f"No finding{'' if kind is None else f' of {kind}'} is called at any point{known}.")
    chosen = there[0] if kind is None else kind
    return findings[findings["kind"] == chosen], chosen


def _largest(findings: pd.DataFrame, n: int) -> pd.DataFrame:
    """Take the findings with the largest effects, of each call as many as its share, and at least one."""
    size = findings[["effect", "effect_low", "effect_high"]].abs().max(axis=1)
    ranked = findings.assign(size=size).sort_values("size", ascending=False, kind="stable")
    parts = []
    for call in _COLORS:
        own = ranked[ranked["call"] == call]
        parts.append(own.head(max(1, round(n * len(own) / len(findings)))))
    return pd.concat(parts)


def _draw_counts(ax: Axes, by_point: pd.DataFrame, points: pd.DataFrame, findings: pd.DataFrame) -> None:
    """Stack how many findings of each call are called at each point."""
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
    most = float(np.nanmax(np.abs(effect[called]))) if called.any() else 1.0
    marks = ax.scatter(
        x[called], y[called], c=effect[called], cmap="RdBu_r", norm=TwoSlopeNorm(0.0, -most, most), s=26, lw=0.4,
        edgecolors=INK, zorder=3,
    )  # fmt: skip
    marks.set_gid("called")
    ax.scatter(x[~called], y[~called], color=MUTED, s=3, lw=0, zorder=3).set_gid("not called")
    ax.set_yticks(range(len(drawn)), [_name(row) for row in drawn.to_dict("records")], fontsize=NOTE_SIZE)
    for label, call in zip(ax.get_yticklabels(), drawn["call"], strict=True):
        label.set_color(_COLORS[call])
    ax.set_ylim(len(drawn) - 0.5, -0.5)
    ax.tick_params(left=False)
    judged = bool(points["batch_left"].notna().all())
    left = [f"\n{value:.0f}" if judged else "" for value in points["batch_left"]]
    told = [f"{number}{own}" for number, own in zip(points["point"], left, strict=True)]
    ax.set_xticks(range(len(points)), told, fontsize=NOTE_SIZE)
    ax.set_xlabel(f"point{', batch left (%)' if judged else ''}   stronger correction →", fontsize=LABEL_SIZE)
    for place in np.flatnonzero(points["recommended"].to_numpy(dtype=bool)):
        ax.get_xticklabels()[int(place)].set_fontweight("bold")
    bar = ax.figure.colorbar(marks, ax=ax, shrink=min(1.0, 1.2 / max(_ROW * len(drawn), _LOWEST)), aspect=12, pad=0.02)
    bar.set_label(_EFFECTS[kind], fontsize=NOTE_SIZE)
    bar.ax.tick_params(labelsize=NOTE_SIZE)
    bar.outline.set_visible(False)


def _name(row: Mapping[Any, Any]) -> str:
    told = f"{row['gene']}, {row['group']}" if row["gene"] else str(row["group"])
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"
