"""What pickers take, and how often the alarm notices, over designs."""

from __future__ import annotations

import numpy as np
import pandas as pd

LOST = 0.75
KEYS = ["setting", "design", "seed"]
_SEEN = ["recall", "mixing", "scib_total", "own_batch_left", "own_structure_kept", "own_alarm"]


def by_picker(points: pd.DataFrame) -> pd.DataFrame:
    """One row per design, seed and picker of a point of the front, with whether it lost the planted population."""
    rows = []
    for key, table in points.groupby(KEYS, sort=False):
        own = table[table["method"] == "paretovi"].sort_values("point").set_index("point")
        of_pca = float(table.loc[table["method"] == "pca", "recall"].iloc[0])
        own = own.assign(lost=(own["recall"] < LOST * of_pca).astype(float))
        columns = [*_SEEN, "lost"]
        chosen = {
            "auto": int(own.index[own["recommended"].astype(str) == "True"][0]),
            "scib-best": int(own["scib_total"].idxmax()),
            "weakest": int(own.index[0]),
            "middle": int(own.index[len(own) // 2]),
            "strongest": int(own.index[-1]),
        }
        values = {picker: own.loc[number, columns] for picker, number in chosen.items()}
        values["random"] = own[columns].mean()
        about = table.iloc[0][["dataset", "share", "strength", "null"]].to_dict()
        rows += [
            {**dict(zip(KEYS, key, strict=True)), **about, "picker": picker, "point": chosen.get(picker, -1), **row}
            for picker, row in values.items()
        ]
    return pd.DataFrame(rows)


def report(points: pd.DataFrame, picked: pd.DataFrame) -> None:
    """Print every expectation with what was found."""
    n_designs, n_runs = points["design"].nunique(), len(points[KEYS].drop_duplicates())
    print(f"{n_designs} designs, {n_runs} runs")
    null = picked["null"].astype(bool)
    counts = picked[~null & (picked["share"] >= 0.5)]
    lost = counts.groupby(["picker", "design"])[["lost", "mixing", "recall", "scib_total"]].mean()
    print("\nDesigns with an effect and a loss: share of designs that lost the population, means over designs")
    print(lost.groupby("picker").agg(["mean", "count"]).round(3).to_string())
    print("\nThe same by method (codes of each method's default, or of its knob)")
    print(by_method(points).round(3).to_string())
    front = points[points["method"] == "paretovi"].copy()
    front["of_first"] = front.groupby(KEYS)["recall"].transform("first")
    front["gone"] = front["recall"] < LOST * front["of_first"]
    with_effect = front[~front["null"].astype(bool) & (front["share"] >= 0.5)]
    for gone, told in ((True, "lost it"), (False, "kept it")):
        own = with_effect[(with_effect["gone"] == gone) & (with_effect["point"] > 0)]
        print(f"Alarm at points that {told}: {own['own_alarm'].eq(1).mean():.3f} of {len(own)}")
    nulls = front[front["null"].astype(bool)]
    if len(nulls):
        rang = nulls.groupby(KEYS)["own_alarm"].max().eq(1)
        print(f"Null designs: alarm anywhere in {rang.mean():.3f} of {len(rang)} runs")
        auto = picked[null & (picked["picker"] == "auto")]
        print(f"Null designs: auto is point 0 in {auto['point'].eq(0).mean():.3f} of {len(auto)} runs")
        kept = nulls.groupby("recommended")["kept_neighbors"].mean()
        print(f"Null designs: share of 30 neighbours kept, recommended and other points: {kept.round(3).to_dict()}")


def by_method(points: pd.DataFrame) -> pd.DataFrame:
    """Losses of each method, ParetoVI by its recommended point, over designs with an effect and a loss."""
    counts = points[~points["null"].astype(bool) & (points["share"] >= 0.5)].copy()
    of_pca = counts[counts["method"] == "pca"].set_index(KEYS)["recall"]
    counts["of_pca"] = of_pca.reindex(pd.MultiIndex.from_frame(counts[KEYS])).to_numpy()
    counts = counts[(counts["method"] != "paretovi") | (counts["recommended"].astype(str) == "True")]
    counts["lost"] = np.where(counts["recall"].notna(), counts["recall"] < LOST * counts["of_pca"], np.nan).astype(
        float
    )
    counts["codes"] = counts["codes"].where(counts["method"] != "paretovi", "paretovi, auto")
    means = counts.groupby(["codes", "design"])[["lost", "recall", "mixing", "batch_left", "alarm", "scib_total"]]
    return means.mean(numeric_only=False).astype(float).groupby("codes").mean()
