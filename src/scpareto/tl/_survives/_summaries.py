"""Summarise the findings of all points: which hold at every admissible strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from scpareto.tl._survives._points import FrontPoints

ROBUST, FRAGILE, ONLY_BEYOND_ALARM = "robust", "fragile", "only beyond the alarm"
CALLS = (ROBUST, FRAGILE, ONLY_BEYOND_ALARM)
FINDING = ["kind", "group", "gene"]


def add_called(table: pd.DataFrame, fdr: float) -> pd.DataFrame:
    """Add ``called`` to findings of all points: adjusted p-value at or below the rate."""
    return table.assign(called=table["p_adjusted"] <= fdr)


def summarize_findings(table: pd.DataFrame, points: FrontPoints) -> pd.DataFrame:
    """Summarise the findings that are called at one point or more.

    Parameters
    ----------
    table
        Findings at all points: ``point``, ``kind``, ``group``, ``gene``, ``effect``, ``p_adjusted``, ``called``.
    points
        Points of the front.

    Returns
    -------
    One row per finding. ``call`` is ``"robust"``: called at every admissible point, with the same sign; ``"fragile"``:
    called at some; ``"only beyond the alarm"``: called at none of them, only where the alarm rings. Then ``share``, the
    share of admissible points where it is called; ``effect``, at the reference; ``effect_low`` and ``effect_high``, its
    range over admissible points; and ``p_adjusted_high``, the weakest evidence there (NaN where the group is missing).
    """
    columns = [*FINDING, "call", "share", "effect", "effect_low", "effect_high", "p_adjusted_high"]
    if table.empty or not table["called"].any():
        return pd.DataFrame(
            {name: pd.Series(dtype=object if name in (*FINDING, "call") else float) for name in columns}
        )
    keys = table[FINDING].agg("\t".join, axis=1)
    reported = table[keys.isin(set(keys[table["called"]]))]
    admissible = reported[reported["point"].isin(points.admissible)]
    n = len(points.admissible)
    groups = admissible.groupby(FINDING, sort=False)
    summary = pd.DataFrame(
        {
            "n_called": groups["called"].sum(),
            "effect_low": groups["effect"].min(),
            "effect_high": groups["effect"].max(),
            "p_adjusted_high": groups["p_adjusted"].max(),
            "n_seen": groups.size(),
        }
    )
    all_findings = pd.MultiIndex.from_frame(reported[FINDING].drop_duplicates())
    summary = summary.reindex(all_findings)
    at_reference = reported[reported["point"] == points.reference].set_index(FINDING)["effect"]
    summary["effect"] = at_reference.reindex(all_findings)
    n_called = summary["n_called"].fillna(0)
    one_sign = np.sign(summary["effect_low"]) == np.sign(summary["effect_high"])
    summary["call"] = np.where((n_called == n) & one_sign, ROBUST, np.where(n_called > 0, FRAGILE, ONLY_BEYOND_ALARM))
    summary["share"] = n_called / n
    summary.loc[summary["n_seen"] < n, "p_adjusted_high"] = np.nan
    return summary.reset_index().sort_values(
        ["kind", "call", "group", "p_adjusted_high"], key=_rank_calls, kind="stable", ignore_index=True
    )[columns]


def _rank_calls(column: pd.Series) -> pd.Series:
    """Return the sort order of calls, robust ones first."""
    return column.map({call: i for i, call in enumerate(CALLS)}) if column.name == "call" else column


def summarize_clusters(fates: pd.DataFrame, points: FrontPoints) -> pd.DataFrame:
    """Call the clusters of the reference: robust if they are the same at every admissible point.

    ``jaccard`` is the mean Jaccard index over the admissible points other than the reference. ``jaccard_seed`` is the
    index between two clusterings of the reference with different seeds, an upper bound of what can be expected.
    """
    others = [number for number in points.admissible if number != points.reference]
    rows = []
    for cluster, rows_of_cluster in fates.groupby("cluster"):
        by_point, admissible = (
            rows_of_cluster.set_index("point"),
            rows_of_cluster[rows_of_cluster["point"].isin(others)],
        )
        same_everywhere = (admissible["fate"] == "same").all()
        rows.append(
            {
                "cluster": str(cluster),
                "n_cells": int(by_point["n_cells"][points.reference]),
                "call": ROBUST if same_everywhere else FRAGILE,
                "share": float((admissible["fate"] == "same").mean()),
                "jaccard": float(admissible["jaccard"].mean()),
                "jaccard_low": float(admissible["jaccard"].min()),
                "jaccard_seed": float(by_point["jaccard"][-1]),
                "fates": ", ".join(dict.fromkeys(f for f in admissible["fate"] if f != "same")) or "same",
            }
        )
    return pd.DataFrame(rows)
