"""What pickers take, and how often the alarm notices, over designs."""

from __future__ import annotations

import numpy as np
import pandas as pd

LOST = 0.75
KEYS = ["setting", "design", "seed"]
FRONTS = ("paretovi", "paretovi_populations")
_SEEN = ["recall", "mixing", "scib_total", "own_batch_left", "own_structure_kept", "own_alarm"]


def by_picker(points: pd.DataFrame) -> pd.DataFrame:
    """One row per design, seed, front and picker of a point, with whether it lost the planted population."""
    rows = []
    for (*key, front), table in points[points["method"].isin(FRONTS)].groupby([*KEYS, "method"], sort=False):
        own = table.sort_values("point").set_index("point")
        whole = points[(points[KEYS].astype(str) == np.array(key, dtype=str)).all(axis=1)]
        of_pca = float(whole.loc[whole["method"] == "pca", "recall"].iloc[0])
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
            {**dict(zip(KEYS, key, strict=True)), "front": front, **about, "picker": picker}
            | {"point": chosen.get(picker, -1), **row}
            for picker, row in values.items()
        ]
    return pd.DataFrame(rows)


def report(points: pd.DataFrame, picked: pd.DataFrame) -> None:
    """Print every expectation with what was found."""
    n_designs, n_runs = points["design"].nunique(), len(points[KEYS].drop_duplicates())
    print(f"{n_designs} designs, {n_runs} runs")
    null = picked["null"].astype(bool)
    counts = picked[~null & (picked["share"] >= 0.5)]
    lost = counts.groupby(["front", "picker", "design"])[["lost", "mixing", "recall", "scib_total"]].mean()
    print("\nDesigns with an effect and a loss: share of designs that lost the population, means over designs")
    print(lost.groupby(["front", "picker"]).agg(["mean", "count"]).round(3).to_string())
    print("\nRecall at equal mixing, the highest that both fronts reach: means over designs")
    print(at_equal_mixing(points).round(3).to_string())
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
        auto = picked[null & (picked["picker"] == "auto") & (picked["front"] == "paretovi")]
        print(f"Null designs: auto is point 0 in {auto['point'].eq(0).mean():.3f} of {len(auto)} runs")
        kept = nulls.groupby("recommended")["kept_neighbors"].mean()
        print(f"Null designs: share of 30 neighbours kept, recommended and other points: {kept.round(3).to_dict()}")


def by_method(points: pd.DataFrame) -> pd.DataFrame:
    """Losses of each method, ParetoVI by its recommended point, over designs with an effect and a loss."""
    counts = points[~points["null"].astype(bool) & (points["share"] >= 0.5)].copy()
    of_pca = counts[counts["method"] == "pca"].set_index(KEYS)["recall"]
    counts["of_pca"] = of_pca.reindex(pd.MultiIndex.from_frame(counts[KEYS])).to_numpy()
    counts = counts[~counts["method"].isin(FRONTS) | (counts["recommended"].astype(str) == "True")]
    counts["lost"] = np.where(counts["recall"].notna(), counts["recall"] < LOST * counts["of_pca"], np.nan).astype(
        float
    )
    counts["codes"] = counts["codes"].where(~counts["method"].isin(FRONTS), counts["method"] + ", auto")
    means = counts.groupby(["codes", "design"])[["lost", "recall", "mixing", "batch_left", "alarm", "scib_total"]]
    return means.mean(numeric_only=False).astype(float).groupby("codes").mean()


def at_equal_mixing(points: pd.DataFrame) -> pd.DataFrame:
    """Recall of the planted population of both fronts where they mix the shared populations equally."""
    rows = []
    for key, table in points[points["method"].isin(FRONTS)].groupby(KEYS, sort=False):
        curves = {name: own.sort_values("mixing") for name, own in table.groupby("method")}
        if len(curves) < len(FRONTS) or table["null"].astype(bool).any() or table["share"].iloc[0] < 0.5:
            continue
        reached = min(own["mixing"].max() for own in curves.values())
        found = {name: float(np.interp(reached, own["mixing"], own["recall"])) for name, own in curves.items()}
        rows.append({"design": key[1], "mixing": reached, **found})
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    means = table.groupby("design").mean()
    return pd.concat([means, means.mean().to_frame("mean").T])
