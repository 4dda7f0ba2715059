"""Tables of the report, as text that is read at a glance."""

from __future__ import annotations

import numpy as np
import pandas as pd

_MOST_LOST = 5
_MARKERS = 4


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    """One row per embedding: what is left and kept, and the verdict."""
    shown = pd.DataFrame({"embedding": table.index.astype(str)}, index=table.index)
    shown["batch left (%)"] = with_interval(table, "batch_left")
    shown["structure kept (%)"] = with_interval(table, "structure_kept")
    if "graph_mixing" in table:
        shown["neighbours mixed (%)"] = [_number(v) for v in table["graph_mixing"]]
    for name in ("scib_bio", "scib_batch", "scib_total"):
        if name in table:
            shown[name.replace("_", " ")] = [f"{v:.2f}" if np.isfinite(v) else "" for v in table[name]]
    shown["lost (alarm)"] = table["alarm_by"].astype(str) if "alarm_by" in table else ""
    shown[""] = np.where(table["recommended"], "recommended", "")
    return shown


def protected(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """One row per embedding with a percentage of the condition."""
    known = table[table[f"{key}_kept"].notna()]
    shown = pd.DataFrame({"embedding": known.index.astype(str)}, index=known.index)
    shown[f"{key} kept (%)"] = with_interval(known, f"{key}_kept")
    shown[""] = ["alarm" if key in str(told).split("; ") else "" for told in known["alarm_by"]]
    return shown


def control_genes(table: pd.DataFrame) -> pd.DataFrame:
    """One row per gene and embedding."""
    return pd.DataFrame(
        {
            "gene": table["gene"],
            "embedding": table["embedding"],
            "pattern kept (%)": with_interval(table, "kept"),
            "within batches (%)": with_interval(table, "kept_within_batches"),
            "of it between batches (%)": [_number(v) for v in table["between_batches"]],
            "": np.where(table["alarm"], "alarm", ""),
        }
    )


def lost(table: pd.DataFrame) -> pd.DataFrame:
    """Return the largest losses of each embedding whose alarm rings."""
    rung = table[table["rings"]].sort_values("lost", ascending=False)
    rung = rung.groupby("embedding", sort=False).head(_MOST_LOST).sort_values("embedding", kind="stable")
    percent = rung.assign(lost=100 * rung["lost"], lost_low=100 * rung["low"], lost_high=100 * rung["high"])
    return pd.DataFrame(
        {
            "embedding": rung["embedding"],
            "batch": rung["batch"],
            "one side": [_side(row, "first") for _, row in rung.iterrows()],
            "the other": [_side(row, "second") for _, row in rung.iterrows()],
            "kind": rung["kind"],
            "lost (%)": with_interval(percent, "lost"),
        }
    )


def populations(table: pd.DataFrame) -> pd.DataFrame:
    """One row per population: cells, and both numbers of each embedding."""
    first = table.drop_duplicates("population")
    shown = pd.DataFrame({"population": first["name"].to_numpy(), "cells": [f"{n:,}" for n in first["n_cells"]]})
    for name in dict.fromkeys(table["embedding"]):
        own = table[table["embedding"] == name].set_index("population").reindex(first["population"])
        for column, heading in (("batch_left", "batch left"), ("structure_kept", "structure")):
            if own[column].notna().any():
                shown[f"{name}: {heading} (%)"] = [_number(v) for v in own[column]]
    return shown


def not_assessable(table: pd.DataFrame) -> pd.DataFrame:
    """One row per batch: share of its cells without counterpart, in %."""
    resolutions = ("",) if table.shape[1] == 1 else (", coarse", ", middle", ", fine")
    shown = pd.DataFrame({"batch": table.index.astype(str)})
    for column, resolution in zip(table, resolutions, strict=False):
        shown[f"cells without counterpart{resolution} (%)"] = [_number(100 * v) for v in table[column]]
    return shown


def with_interval(table: pd.DataFrame, column: str) -> list[str]:
    """Values with their intervals; empty where there is none."""
    ends = [f"{column}_low", f"{column}_high"]
    if not {column, *ends} <= set(table):
        return [_number(v) for v in table.get(column, pd.Series(np.nan, index=table.index))]
    told = []
    for value, low, high in table[[column, *ends]].astype(float).itertuples(index=False):
        told.append(f"{_number(value)} ({_number(low)} to {_number(high)})" if np.isfinite(value) else "")
    return told


def _number(value: float) -> str:
    return f"{round(float(value)) + 0:d}" if np.isfinite(value) else ""


def _side(row: pd.Series, side: str) -> str:
    genes = ", ".join(str(row[f"markers_{side}"]).split(", ")[:_MARKERS])
    label = str(row.get(f"label_{side}", ""))
    return f"{label}: {genes} ({row[f'n_{side}']} cells)" if label else f"{genes} ({row[f'n_{side}']} cells)"
