"""Does the label-free alarm see over-correction?

Simulated designs of 800 cells x 300 genes in which one type occurs in one batch only, or in which types are shared and
continuous states can be erased; each with a front from uncorrected to batch information alone. A point is
over-corrected if, by the labels that the alarm does not see, the neighbourhoods of the unique type or the signal of the
state lost more than a quarter of what a less corrected point kept.

    python experiments/overcorrection_alarm.py --designs 32 --jobs 2 --resume

Points are judged on all cells by labels and by the alarm. Writes results/overcorrection_alarm.csv (one row per point
of a design) and results/overcorrection_alarm.png, and prints the area under the ROC curve with a point as the unit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from shared import RESULTS, run_missing

TABLE, FIGURE = RESULTS / "overcorrection_alarm.csv", RESULTS / "overcorrection_alarm.png"
KEYS = ("design",)
WEIGHTS = np.array([1.0, 10.0, 100.0, 1000.0])
LOST = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", type=int, default=32)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(design,) for design in range(arguments.designs)]
    table = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    report(table)
    draw(table)


def train(design: int, keep: str | None = None) -> pd.DataFrame:
    """One design; ``keep`` names a folder for its codes, for work on the alarm without training again."""
    from sklearn.neighbors import NearestNeighbors

    import scpareto as sp
    from scpareto.train._judge import principal_components

    rng = np.random.default_rng(design)
    options = {
        "n_batches": int(rng.integers(2, 4)),
        "n_types": int(rng.integers(5, 8)),
        "unique_types": int(design % 2 == 0),
        "batch_strength": float(rng.uniform(0.8, 2.0)),
        "type_strength": float(rng.uniform(0.8, 1.6)),
        "composition": "unequal" if rng.random() < 0.7 else "equal",
    }
    adata = sp.datasets.simulate_batches(800, 300, seed=design, **options)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=design)
    model.train(
        30,
        max_epochs_pretrain=60,
        method="scalarization",
        objective="classifier",
        preferences=WEIGHTS / (1 + WEIGHTS),
        plan_kwargs={"scaler": "none"},
        progress=False,
    )
    table = model.front.to_dataframe().assign(design=design, **options)
    codes = []
    for point in table["point"]:
        model.select(int(point))
        codes.append(model.get_latent_representation())
    batch, types = adata.obs["batch"].to_numpy(), adata.obs["cell_type"].to_numpy()
    state = adata.obs["state"].to_numpy(dtype=float)
    expression = principal_components(adata.X)
    if keep is not None:
        extra = {"expression": expression, "batch": batch, "types": types, "state": state}
        extra["lineage"] = adata.obs["lineage"].to_numpy()
        np.savez(Path(keep) / f"design_{design}.npz", codes=np.stack(codes), **extra)
    homes = pd.crosstab(types, batch) > 0
    unique = homes.index[homes.sum(1) == 1]
    kept_type, kept_state = [], []
    for z in codes:
        near = NearestNeighbors(n_neighbors=15).fit(z).kneighbors(return_distance=False)
        pure = (types[near] == types[:, None]).mean(1)
        kept_type.append(np.mean([pure[types == t].mean() for t in unique]) if len(unique) else np.nan)
        within = [np.corrcoef(state[c], state[near[c]].mean(1))[0, 1] for c in _cells_by(adata.obs["lineage"])]
        kept_state.append(np.mean(within))
    table["true_type_kept"], table["true_state_kept"] = kept_type, kept_state
    structure = sp.audit.measure_structure(codes, expression, batch)
    table["alarm"] = sp.audit.alarm(structure)
    table["structure_lost"] = structure.certain_loss().max(1)
    table["over_corrected"] = (_lost(table["true_type_kept"]) > LOST) | (_lost(table["true_state_kept"]) > LOST)
    columns = ["point", "kind", "generative_loss_test", "leakage_mean", "leakage_sample", "retention", "alarm"]
    columns += ["structure_lost", "true_type_kept", "true_state_kept", "over_corrected"]
    return table[[*KEYS, *options, *columns]]


def _cells_by(labels: pd.Series) -> list[np.ndarray]:
    return [np.flatnonzero(labels == level) for level in labels.unique()]


def _lost(kept: pd.Series) -> pd.Series:
    """Share that a point lost of what the best of the less corrected points kept."""
    best = kept.cummax().shift(fill_value=kept.iloc[0])
    return ((best - kept) / best).fillna(0)


def report(table: pd.DataFrame) -> None:
    """Area under the ROC curve of the alarm, and of simpler signals beside it, with bootstrap intervals over designs."""
    from sklearn.metrics import roc_auc_score

    print(f"{table['design'].nunique()} designs, {len(table)} points, {table['over_corrected'].sum()} over-corrected")
    first = table.groupby("design")["retention"].transform("first")
    signals = {"alarm": table["alarm"], "structure lost": table["structure_lost"]}
    signals |= {"retention lost": 1 - table["retention"] / first, "generative loss": table["generative_loss_test"]}
    rng = np.random.default_rng(0)
    designs = table["design"].unique()
    for name, signal in signals.items():
        value = roc_auc_score(table["over_corrected"], signal)
        draws = []
        for _ in range(200):
            rows = np.concatenate([np.flatnonzero(table["design"] == d) for d in rng.choice(designs, len(designs))])
            if 0 < table["over_corrected"].to_numpy()[rows].sum() < len(rows):
                draws.append(roc_auc_score(table["over_corrected"].to_numpy()[rows], signal.to_numpy()[rows]))
        low, high = np.quantile(draws, [0.025, 0.975])
        print(f"AUROC {name}: {value:.3f} ({low:.3f} to {high:.3f})")


def draw(table: pd.DataFrame) -> None:
    """Alarm of points that are over-corrected and of those that are not."""
    import matplotlib.pyplot as plt
    from sklearn.metrics import roc_curve

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.3), layout="constrained")
    bins = np.linspace(0, 1, 21)
    for truth, colour, label in ((False, "#0072B2", "sound"), (True, "#D55E00", "over-corrected")):
        left.hist(table[table["over_corrected"] == truth]["alarm"], bins, color=colour, alpha=0.7, label=label)
    left.set(xlabel="alarm", ylabel="points of all designs")
    left.legend(frameon=False)
    wrong, found, _ = roc_curve(table["over_corrected"], table["structure_lost"])
    right.plot(wrong, found, color="#0072B2")
    right.plot([0, 1], [0, 1], color="0.7", lw=0.8)
    right.set(xlabel="sound points with an alarm", ylabel="over-corrected points found", aspect="equal")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
