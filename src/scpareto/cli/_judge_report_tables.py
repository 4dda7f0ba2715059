"""Tables of the report, with numbers formatted as text."""

from __future__ import annotations

import numpy as np
import pandas as pd

_MAX_LOST = 5
_N_MARKERS = 4


def make_main_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per embedding: batch left, structure kept, alarm and recommendation."""
    text_table = pd.DataFrame({"embedding": table.index.astype(str)}, index=table.index)
    text_table["batch left (%)"] = format_with_interval(table, "batch_left")
    text_table["structure kept (%)"] = format_with_interval(table, "structure_kept")
    if "graph_mixing" in table:
        text_table["neighbours mixed (%)"] = [_format_number(v) for v in table["graph_mixing"]]
    for name in ("scib_bio", "scib_batch", "scib_total"):
        if name in table:
            text_table[name.replace("_", " ")] = [f"{v:.2f}" if np.isfinite(v) else "" for v in table[name]]
    text_table["lost (alarm)"] = table["alarm_by"].astype(str) if "alarm_by" in table else ""
    text_table[""] = np.where(table["recommended"], "recommended", "")
    return text_table


def make_condition_table(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return one row per embedding with the percentage kept of the condition."""
    judged = table[table[f"{key}_kept"].notna()]
    text_table = pd.DataFrame({"embedding": judged.index.astype(str)}, index=judged.index)
    text_table[f"{key} kept (%)"] = format_with_interval(judged, f"{key}_kept")
    text_table[""] = ["alarm" if key in str(texts).split("; ") else "" for texts in judged["alarm_by"]]
    return text_table


def make_genes_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per gene and embedding."""
    return pd.DataFrame(
        {
            "gene": table["gene"],
            "embedding": table["embedding"],
            "pattern kept (%)": format_with_interval(table, "kept"),
            "within batches (%)": format_with_interval(table, "kept_within_batches"),
            "of it between batches (%)": [_format_number(v) for v in table["between_batches"]],
            "": np.where(table["alarm"], "alarm", ""),
        }
    )


def make_lost_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the largest losses of each embedding whose alarm rings."""
    ringing = table[table["rings"]].sort_values("lost", ascending=False)
    ringing = ringing.groupby("embedding", sort=False).head(_MAX_LOST).sort_values("embedding", kind="stable")
    percent = ringing.assign(lost=100 * ringing["lost"], lost_low=100 * ringing["low"], lost_high=100 * ringing["high"])
    return pd.DataFrame(
        {
            "embedding": ringing["embedding"],
            "batch": ringing["batch"],
            "one side": [_describe_group(row, "first") for _, row in ringing.iterrows()],
            "the other": [_describe_group(row, "second") for _, row in ringing.iterrows()],
            "kind": ringing["kind"],
            "lost (%)": format_with_interval(percent, "lost"),
        }
    )


def make_populations_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per population: number of cells, batch left and structure kept of each embedding."""
    by_population = table.drop_duplicates("population")
    text_table = pd.DataFrame(
        {"population": by_population["name"].to_numpy(), "cells": [f"{n:,}" for n in by_population["n_cells"]]}
    )
    for name in dict.fromkeys(table["embedding"]):
        rows = table[table["embedding"] == name].set_index("population").reindex(by_population["population"])
        for column, heading in (("batch_left", "batch left"), ("structure_kept", "structure")):
            if rows[column].notna().any():
                text_table[f"{name}: {heading} (%)"] = [_format_number(v) for v in rows[column]]
    return text_table


def make_not_assessable_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per batch: share of its cells without counterpart, in %."""
    resolutions = ("",) if table.shape[1] == 1 else (", coarse", ", middle", ", fine")
    text_table = pd.DataFrame({"batch": table.index.astype(str)})
    for column, resolution in zip(table, resolutions, strict=False):
        text_table[f"cells without counterpart{resolution} (%)"] = [_format_number(100 * v) for v in table[column]]
    return text_table


def format_with_interval(table: pd.DataFrame, column: str) -> list[str]:
    """Return values with their intervals as text; empty for missing values."""
    ends = [f"{column}_low", f"{column}_high"]
    if not {column, *ends} <= set(table):
        return [_format_number(v) for v in table.get(column, pd.Series(np.nan, index=table.index))]
    texts = []
    for value, low, high in table[[column, *ends]].astype(float).itertuples(index=False):
        texts.append(
            f"{_format_number(value)} ({_format_number(low)} to {_format_number(high)})" if np.isfinite(value) else ""
        )
    return texts


def _format_number(value: float) -> str:
    return f"{round(float(value)) + 0:d}" if np.isfinite(value) else ""


def _describe_group(row: pd.Series, side: str) -> str:
    genes = ", ".join(str(row[f"markers_{side}"]).split(", ")[:_N_MARKERS])
    label = str(row.get(f"label_{side}", ""))
    return f"{label}: {genes} ({row[f'n_{side}']} cells)" if label else f"{genes} ({row[f'n_{side}']} cells)"
