"""Findings at all points, summed up: which hold at every admissible strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from scpareto.tl._survives._places import Places

ROBUST, FRAGILE, BEYOND = "robust", "fragile", "only beyond the alarm"
CALLS = (ROBUST, FRAGILE, BEYOND)
FINDING = ["kind", "group", "gene"]


def called(table: pd.DataFrame, fdr: float) -> pd.DataFrame:
    """Add ``called`` to findings of all points: adjusted p-value at or below the rate."""
    return table.assign(called=table["p_adjusted"] <= fdr)


def summed_up(table: pd.DataFrame, places: Places) -> pd.DataFrame:
    """Sum up findings that are called at one point or more.

    Parameters
    ----------
    table
        Findings at all points: ``point``, ``kind``, ``group``, ``gene``, ``effect``, ``p_adjusted``, ``called``.
    places
        The points.

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
    kept = table[keys.isin(set(keys[table["called"]]))]
    inside = kept[kept["point"].isin(places.admissible)]
    n = len(places.admissible)
    groups = inside.groupby(FINDING, sort=False)
    summary = pd.DataFrame(
        {
            "n_called": groups["called"].sum(),
            "effect_low": groups["effect"].min(),
            "effect_high": groups["effect"].max(),
            "p_adjusted_high": groups["p_adjusted"].max(),
            "n_seen": groups.size(),
        }
    )
    everywhere = pd.MultiIndex.from_frame(kept[FINDING].drop_duplicates())
    summary = summary.reindex(everywhere)
    at_reference = kept[kept["point"] == places.reference].set_index(FINDING)["effect"]
    summary["effect"] = at_reference.reindex(everywhere)
    n_called = summary["n_called"].fillna(0)
    one_sign = np.sign(summary["effect_low"]) == np.sign(summary["effect_high"])
    summary["call"] = np.where((n_called == n) & one_sign, ROBUST, np.where(n_called > 0, FRAGILE, BEYOND))
    summary["share"] = n_called / n
    summary.loc[summary["n_seen"] < n, "p_adjusted_high"] = np.nan
    return summary.reset_index().sort_values(
        ["kind", "call", "group", "p_adjusted_high"], key=_rank, kind="stable", ignore_index=True
    )[columns]


def _rank(column: pd.Series) -> pd.Series:
    """Order of calls: what holds first."""
    return column.map({call: i for i, call in enumerate(CALLS)}) if column.name == "call" else column


def of_clusters(fates: pd.DataFrame, places: Places) -> pd.DataFrame:
    """Return clusters of the reference as findings: robust where they are the same at every admissible point.

    ``effect`` is the mean Jaccard index over admissible points but the reference; ``seed`` that of the same clustering
    with another seed, which no cluster can be expected to exceed.
    """
    others = [number for number in places.admissible if number != places.reference]
    rows = []
    for cluster, own in fates.groupby("cluster"):
        known, inside = own.set_index("point"), own[own["point"].isin(others)]
        holds = (inside["fate"] == "same").all()
        rows.append(
            {
                "cluster": str(cluster),
                "n_cells": int(known["n_cells"][places.reference]),
                "call": ROBUST if holds else FRAGILE,
                "share": float((inside["fate"] == "same").mean()),
                "jaccard": float(inside["jaccard"].mean()),
                "jaccard_low": float(inside["jaccard"].min()),
                "jaccard_seed": float(known["jaccard"][-1]),
                "fates": ", ".join(dict.fromkeys(f for f in inside["fate"] if f != "same")) or "same",
            }
        )
    return pd.DataFrame(rows)
