"""Draw the small pictures of the guide page on judging: embeddings in two dimensions, with what the judge says of them.

Run as ``python docs/draw_judge_pictures.py``; the pictures are committed, since they take a minute.
"""

from __future__ import annotations

from pathlib import Path

import anndata
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import scpareto as sp

FOLDER = Path(__file__).parent / "_static"
TYPES = np.array([[0.0, 4.0], [-3.5, -2.0], [3.5, -2.0]])
CONDITION, BATCH = np.array([0.0, 2.2]), np.array([3.0, 1.0])
COLORS = ("#0072B2", "#E69F00", "#009E73")
PICTURES = {
    "batch_left": ("batch", ["uncorrected", "half", "corrected"]),
    "structure_kept": ("cell_type", ["corrected", "blurred", "random"]),
    "alarm": ("cell_type", ["corrected", "merged"]),
    "condition_kept": ("condition", ["corrected", "over"]),
}
NAMES = {
    "uncorrected": "uncorrected",
    "half": "half of the shift removed",
    "corrected": "corrected",
    "blurred": "blurred",
    "random": "random",
    "merged": "two types merged",
    "over": "condition removed, too",
}


def cells(n: int = 900, n_genes: int = 300, seed: int = 0) -> anndata.AnnData:
    """Three types in two batches, half of the cells stimulated, with embeddings that keep some of it."""
    rng = np.random.default_rng(seed)
    kind, batch, condition = rng.integers(3, size=n), rng.integers(2, size=n), rng.integers(2, size=n)
    effects = [0.6 * rng.normal(size=(k, n_genes)) for k in (3, 2, 2)]
    log_mean = 0.5 + effects[0][kind] + 0.4 * effects[1][batch] + 0.6 * effects[2][condition]
    names = {"cell_type": np.array(["type A", "type B", "type C"])[kind]}
    names |= {
        "batch": np.array(["batch 1", "batch 2"])[batch],
        "condition": np.array(["control", "stimulated"])[condition],
    }
    obs = pd.DataFrame(names, index=[f"cell {i}" for i in range(n)])
    adata = anndata.AnnData(rng.poisson(np.exp(log_mean)).astype(np.float32), obs=obs)
    noise = 0.7 * rng.normal(size=(n, 2))
    corrected = TYPES[kind] + condition[:, None] * CONDITION + noise
    adata.obsm = {
        "uncorrected": corrected + batch[:, None] * BATCH,
        "half": corrected + 0.5 * batch[:, None] * BATCH,
        "corrected": corrected,
        "blurred": corrected + 2.2 * rng.normal(size=(n, 2)),
        "random": 3 * rng.normal(size=(n, 2)),
        "merged": TYPES[np.maximum(kind, 1)] + condition[:, None] * CONDITION + noise,
        "over": TYPES[kind] + noise,
    }
    return adata


def words(what: str, name: str, row: pd.Series) -> str:
    """Return what is written above a panel."""
    if what == "alarm":
        return f"{NAMES[name]}\nthe alarm {'rings' if row['alarm'] else 'is silent'}"
    return f"{NAMES[name]}\n{what.replace('_', ' ')}: {round(row[what]) + 0:d} %"


def draw(adata: anndata.AnnData, table: pd.DataFrame, what: str) -> None:
    """Draw one picture: a panel for each embedding."""
    column, names = PICTURES[what]
    with mpl.rc_context({"font.size": 8}):
        figure, axes = plt.subplots(1, len(names), figsize=(2.1 * len(names) + 1.0, 2.3), layout="constrained")
        for ax, name in zip(axes, names, strict=True):
            for color, level in zip(COLORS, sorted(adata.obs[column].unique()), strict=False):
                own = (adata.obs[column] == level).to_numpy()
                ax.scatter(*adata.obsm[name][own].T, s=3, color=color, label=level, lw=0, alpha=0.8)
            ax.set(xticks=[], yticks=[])
            ax.set_title(words(what, name, table.loc[name]), fontsize=8)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, markerscale=3, handletextpad=0.1)
        figure.savefig(FOLDER / f"judge_{what}.png", dpi=110, metadata={"Software": None})
        plt.close(figure)


if __name__ == "__main__":
    judged = cells()
    numbers = sp.tl.judge(
        judged, list(judged.obsm), batch_key="batch", protect_key="condition", reference="uncorrected", n_bootstrap=100
    )
    for picture in PICTURES:
        draw(judged, numbers, picture)
