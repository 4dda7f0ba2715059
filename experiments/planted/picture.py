"""The figure: recall of the planted population and scib-metrics' total, against what is left of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

STYLE = {
    "pca": ("#7f7f7f", "PCA"),
    "combat": ("#8c564b", "ComBat"),
    "harmony": ("#1f77b4", "Harmony"),
    "scanorama": ("#17becf", "Scanorama"),
    "fastmnn": ("#bcbd22", "fastMNN"),
    "seurat_cca": ("#9467bd", "Seurat CCA"),
    "scvi": ("#2ca02c", "scVI"),
    "scanvi": ("#98df8a", "scANVI (sees the types)"),
    "sysvi": ("#e377c2", "SysVI"),
    "paretovi": ("#d62728", "ParetoVI, all cells"),
    "paretovi_populations": ("#ff9896", "ParetoVI, within shared populations"),
}


def draw(points: pd.DataFrame, path: Path) -> None:
    """Draw means over the designs with an effect in which the whole population was taken out of a batch."""
    import matplotlib.pyplot as plt

    counts = points[~points["null"].astype(bool) & (points["share"] >= 0.9)]
    if counts.empty:
        return
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 7), sharex=True, layout="constrained")
    for method, table in counts.groupby("method"):
        color, label = STYLE[str(method)]
        order = table["point"].fillna(table["value"]).fillna(0)
        curve = table.assign(order=order).groupby(["order", "design"]).mean(numeric_only=True).groupby("order").mean()
        for axis, column in zip(axes, ("recall", "scib_total"), strict=True):
            axis.plot(curve["batch_left"], curve[column], "o-", color=color, label=label, ms=4, lw=1.5)
    front = counts[counts["method"] == "paretovi"].groupby(["point", "design"]).mean(numeric_only=True)
    front = front.groupby("point")[["batch_left", "recall", "scib_total", "own_alarm"]].mean()
    picks = counts[(counts["method"] == "paretovi") & (counts["recommended"].astype(str) == "True")]
    picked = picks.groupby("design")[["batch_left", "recall", "scib_total"]].mean().mean()
    best = counts[counts["method"] == "paretovi"]
    best = best.loc[best.groupby(["setting", "design", "seed"])["scib_total"].idxmax()]
    best = best.groupby("design")[["batch_left", "recall", "scib_total"]].mean().mean()
    for axis, column in zip(axes, ("recall", "scib_total"), strict=True):
        rang = front[front["own_alarm"] >= 0.5]
        axis.scatter(
            rang["batch_left"], rang[column], marker="x", color="black", zorder=4, label="alarm in most designs"
        )
        axis.scatter(*picked[["batch_left", column]], s=130, facecolor="none", edgecolor="black", label="recommended")
        axis.scatter(*best[["batch_left", column]], s=130, marker="s", facecolor="none", edgecolor="gray",
                     label="best by scib-metrics")  # fmt: skip
    axes[0].set_ylabel("recall of the population\nthat one batch lacks")
    axes[1].set_ylabel("scib-metrics' total")
    axes[1].set_xlabel("batch left (%)   better ←")
    n = counts["design"].nunique()
    axes[0].set_title(f"Means over {n} designs, {len(counts[['design', 'seed']].drop_duplicates())} runs", fontsize=10)
    axes[0].legend(fontsize=7, ncols=2, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
