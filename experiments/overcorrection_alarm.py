"""Does the label-free alarm see over-correction?

Claim under test: the alarm, which sees no labels, tells over-corrected points from sound ones, area under the ROC curve
at least 0.90 with a point of a design as the unit.

    python experiments/overcorrection_alarm.py --setting small --jobs 2 --resume

The alarm is that of scpareto.audit.set_alarm, which compares what each point keeps of differences within batches
(compute_contrast_losses). Fronts now have the alarm of sp.tl.judge, which names genes. New runs store it too, in the
columns judged_alarm and judged_lost.

Simulated designs of 800 cells x 300 genes have types that one batch alone has, a continuous state whose mean differs
between batches, or both. Designs 0 to 45 are those on which the alarm was developed; curves of the others had been seen
by then too. Real designs are data sets with a type removed from one batch. Each has a front from uncorrected to
information alone, of points that start from a shared one and are trained fast, so that some of them go too far.

A point is over-corrected if, by what the alarm does not see, it lost more than a quarter of what a less corrected point
kept: of the purity of any type's neighbourhoods, or of a state's correlation with its mean over a cell's neighbours.
Two readings of the latter: neighbours of all batches, so that a state whose difference between batches was taken for a
batch effect counts as lost, which nothing but labels or control genes can tell; and neighbours of the cell's own batch,
so that only an erased state does. In simulations the alarm is measured once more with the three genes that follow the
state best as positive controls. In real data the state is the first principal component of genes that the model does
not see, within each type and batch. Types and states that the uncorrected point hardly shows (purity or correlation up
to 0.3) do not count.

Writes results/points/overcorrection_alarm.csv (one row per point), results/overcorrection_alarm.csv (areas under the
ROC curve of the alarm and of simpler signals, with bootstrap intervals over designs, and of points that lost types or
states alone) and results/overcorrection_alarm.png.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from shared import RESULTS, data_folder, run_missing

from scpareto._constants import ALARM_FROM

if TYPE_CHECKING:
    from anndata import AnnData

POINTS = RESULTS / "points" / "overcorrection_alarm.csv"
TABLE, FIGURE = RESULTS / "overcorrection_alarm.csv", RESULTS / "overcorrection_alarm.png"
KEYS = ("setting", "dataset", "design")
DEVELOPMENT = 46
"""Simulated designs below this number were looked at while the alarm was made."""
DESIGNS = {"small": 70, "full": 146}
WEIGHTS = {"classifier": np.array([0.3, 1, 3, 10, 100, 1000]), "mmd": np.array([1, 10, 100, 1000, 1e4])}
REAL = {"celllines_3protocols": 500, "pancreas_human_mouse": 1000, "pbmc_multistudy": 1000}
"""Variable genes of each data set that the model sees."""
LOST, SOUND, LEAST_CELLS, LEAST_SIGNAL, N_NEIGHBORS = 0.25, 0.1, 10, 0.3, 15
N_CONTROLS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=DESIGNS, default="small")
    parser.add_argument("--seeds", type=int, help="simulated designs; 70 in the small setting, 146 in the full one")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    setting = arguments.setting
    runs: list[tuple[Any, ...]] = [
        (setting, "simulate_batches", design) for design in range(arguments.seeds or DESIGNS[setting])
    ]
    if os.environ.get("SCPARETO_TEST_DATA"):
        runs = [(setting, dataset, design) for dataset in REAL for design in range(len(removable(dataset)))] + runs
    points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    table = summarise(points)
    table.to_csv(TABLE, index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format="%.3f"))
    draw(points)


def train(setting: str, dataset: str, design: int) -> pd.DataFrame:
    """One design: its front, and what every point of it lost."""
    import scpareto as sp

    if dataset == "simulate_batches":
        adata, objective, rate = (
            simulated(design),
            ("mmd" if design % 4 == 3 else "classifier"),
            (3e-4, 1e-3)[design % 2],
        )
    else:
        adata, objective, rate = without_a_type(dataset, design), ("classifier" if design % 3 == 2 else "mmd"), 1e-3
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=design)
    weights = WEIGHTS[objective]
    model.train(
        110,
        max_epochs_pretrain=80,
        method="scalarization",
        objective=objective,
        preferences=weights / (1 + weights),
        plan_kwargs={"scaler": "none", "lr_front": rate, "n_bootstrap": 50},
        progress=False,
    )
    sp.front.audit_front(model, model.front, progress=False)
    table = model.front.to_dataframe().assign(setting=setting, dataset=dataset, design=design, objective=objective)
    table["judged_alarm"], table["judged_lost"] = table["alarm"], table["structure_lost"]
    codes = {}
    for point in table["point"]:
        model.select(int(point))
        codes[int(point)] = model.get_latent_representation()
    truths = [truth(z, adata.obs) for z in codes.values()]
    types, states, within = (pd.DataFrame([one[part] for one in truths]) for part in range(3))
    for name, kept in (("type_lost", types), ("state_lost", states), ("state_erased", within)):
        table[name] = lost(kept.loc[:, kept.iloc[0] > LEAST_SIGNAL]).max(axis=1).fillna(0)
    table[["structure_lost", "alarm"]] = alarms(model, adata, codes)
    table["lost_with_controls"] = np.nan
    if dataset == "simulate_batches":
        table["lost_with_controls"] = alarms(model, adata, codes, following_genes(adata))[:, 0]
    columns = ["objective", "point", "kind", "generative_loss_test", "leakage_mean", "leakage_sample", "retention"]
    columns += ["structure_lost", "alarm", "lost_with_controls", "type_lost", "state_lost", "state_erased"]
    columns += ["judged_alarm", "judged_lost"]
    return table[[*KEYS, *columns]]


def alarms(
    model: Any, adata: AnnData, codes: dict[int, np.ndarray], genes: dict[str, np.ndarray] | None = None
) -> np.ndarray:
    """Largest loss and alarm of every point, shape ``(n_points, 2)``; ``genes`` are positive controls."""
    from scpareto._cells import principal_components
    from scpareto.audit import StructureJudge, set_alarm

    held_out = np.union1d(model.validation_indices_, model.test_indices_)
    structure = StructureJudge(principal_components(adata.X), adata.obs["batch"], held_out, control_genes=genes or {})
    set_alarm(model.front, {point: structure(z.astype(np.float64)) for point, z in codes.items()})
    return model.front.to_dataframe()[["structure_lost", "alarm"]].to_numpy()


def following_genes(adata: AnnData) -> dict[str, np.ndarray]:
    """Log-normalised expression of the genes that follow the state best."""
    counts = np.asarray(adata.X.todense() if hasattr(adata.X, "todense") else adata.X, dtype=np.float64)
    logged = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    # cells of other lineages do not have the state
    rows = (adata.obs["lineage"] == adata.obs.groupby("lineage", observed=True)["state"].std().idxmax()).to_numpy()
    spread = np.where(logged[rows].std(axis=0) > 0, logged[rows].std(axis=0), np.inf)
    state = adata.obs["state"].to_numpy()[rows]
    follows = np.abs((logged[rows] - logged[rows].mean(axis=0)).T @ (state - state.mean())) / spread
    return {adata.var_names[i]: logged[:, i] for i in np.argsort(-follows)[:N_CONTROLS]}


def simulated(design: int) -> AnnData:
    """Draw a simulated design."""
    import scpareto as sp

    rng = np.random.default_rng(design)
    kind = ("type", "state", "both")[design % 3]
    options = {
        "n_batches": int(rng.integers(2, 4)),
        "n_types": int(rng.integers(5, 8)),
        "batch_strength": float(rng.uniform(0.8, 1.8)),
        "type_strength": float(rng.uniform(1.2, 2.2)),
        "type_specific": float(rng.uniform(0.1, 0.4)),
        "counts_per_gene": float(rng.uniform(0.8, 4)),
        "unique_types": 0 if kind == "state" else int(rng.integers(1, 3)),
        "state_shift": 0.0 if kind == "type" else float(rng.uniform(0.5, 1.5)),
        "composition": "unequal" if rng.random() < 0.6 or kind != "state" else "equal",
    }
    return sp.datasets.simulate_batches(800, 300, seed=design, **options)


def removable(dataset: str) -> list[tuple[str, str, list[str]]]:
    """Types that two batches or more have 25 cells of, the batch to take each from, and the batches that are used."""
    import scanpy as sc

    obs = sc.read_h5ad(data_folder() / f"{dataset}.h5ad", backed="r").obs
    counts = pd.crosstab(obs["cell_type"].astype(str), obs["batch"].astype(str))
    if dataset == "pbmc_multistudy":
        counts = counts[counts.sum().sort_values().index[-2:]]
    enough = counts[(counts >= 25).sum(axis=1) >= 2]
    return [
        (name, row.sort_values().index[0 if len(row) == 2 else 1], list(counts.columns))
        for name, row in enough.iterrows()
    ]


def without_a_type(dataset: str, design: int) -> AnnData:
    """Counts of the variable genes after a type was removed from one batch; the state is that of the other genes."""
    import scanpy as sc
    import torch
    from sklearn.decomposition import PCA

    removed, home, batches = removable(dataset)[design]
    adata = sc.read_h5ad(data_folder() / f"{dataset}.h5ad")
    types, batch = (adata.obs[key].astype(str) for key in ("cell_type", "batch"))
    adata = adata[(batch.isin(batches) & ~((types == removed) & (batch == home))).to_numpy()].copy()
    adata.obs["batch"] = adata.obs["batch"].astype(str).astype("category")
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(str).astype("category")
    logged = adata.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    sc.pp.highly_variable_genes(logged, n_top_genes=REAL[dataset], batch_key="batch")
    torch.set_num_threads(1)  # numba has raised the number that torch shares
    seen = logged.var["highly_variable"].to_numpy()
    others = np.asarray(logged.X[:, ~seen].todense())
    state = np.zeros(adata.n_obs)
    groups = adata.obs.groupby(["cell_type", "batch"], observed=True).indices
    for rows in groups.values():
        others[rows] -= others[rows].mean(axis=0)
    adata.obs["lineage"] = adata.obs["cell_type"]
    for rows in adata.obs.groupby("cell_type", observed=True).indices.values():
        if len(rows) > LEAST_CELLS:
            state[rows] = PCA(1, random_state=0).fit_transform(others[rows])[:, 0]
    adata.obs["state"] = state
    adata = adata[:, seen]
    return adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()


def truth(codes: np.ndarray, obs: pd.DataFrame) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Purity of types' neighbourhoods; correlation of the state with its mean over neighbours of all or own batch."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(codes).kneighbors(return_distance=False)
    types, lineage, batch, state = (obs[key].to_numpy() for key in ("cell_type", "lineage", "batch", "state"))
    pure = (types[near] == types[:, None]).mean(axis=1)
    names = [name for name in np.unique(types) if (types == name).sum() >= LEAST_CELLS]
    purity = {name: pure[types == name].mean() for name in names}
    signal = {}
    for name in np.unique(lineage):
        cells = np.flatnonzero(lineage == name)
        if len(cells) >= 3 * LEAST_CELLS:
            signal[name] = np.corrcoef(state[cells], state[near[cells]].mean(axis=1))[0, 1]
    within = np.empty(near.shape, dtype=int)
    for name in np.unique(batch):
        own = np.flatnonzero(batch == name)
        k = min(N_NEIGHBORS, len(own) - 1)
        within[own] = own[NearestNeighbors(n_neighbors=k).fit(codes[own]).kneighbors(return_distance=False)][
            :, np.arange(N_NEIGHBORS) % k
        ]
    kept: dict[str, list[tuple[float, int]]] = {}
    for name, home in {(a, b) for a, b in zip(lineage, batch, strict=True)}:
        cells = np.flatnonzero((lineage == name) & (batch == home))
        if len(cells) >= 3 * LEAST_CELLS:
            shown = np.corrcoef(state[cells], state[within[cells]].mean(axis=1))[0, 1]
            kept.setdefault(name, []).append((shown, len(cells)))
    inside = {name: float(np.average([s for s, _ in p], weights=[n for _, n in p])) for name, p in sorted(kept.items())}
    return purity, signal, inside


def lost(kept: pd.DataFrame) -> pd.DataFrame:
    """Share that each point lost of what the best of the less corrected ones kept."""
    best = kept.cummax()
    return ((best - kept) / best).fillna(0)


def over_corrected(table: pd.DataFrame, share: float = LOST, state: str = "state_lost") -> pd.Series:
    return (table["type_lost"] > share) | (table[state] > share)


def groups_of(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Development designs, new ones, and real data."""
    simulated_ones = table["dataset"] == "simulate_batches"
    known = table["design"].astype(int) < DEVELOPMENT
    groups = {
        "simulated, development": table[simulated_ones & known],
        "simulated, new": table[simulated_ones & ~known],
        "real, a type removed": table[~simulated_ones],
    }
    return {name: rows for name, rows in groups.items() if len(rows)}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Areas under the ROC curve of the alarm and of simpler signals beside it, and how often the alarm rings."""
    from sklearn.metrics import roc_auc_score

    summary = []
    for name, rows in groups_of(table).items():
        identity = rows["dataset"] + rows["design"].astype(str)
        first = rows.groupby(identity)[["retention", "generative_loss_test"]].transform("first")
        signals = {
            "alarm": rows["structure_lost"],
            "retention lost": 1 - rows["retention"] / first["retention"],
            "generative loss": rows["generative_loss_test"] - first["generative_loss_test"],
            "less leakage": -rows["leakage_mean"],
        }
        if rows["lost_with_controls"].notna().all():
            signals["alarm, control genes"] = rows["lost_with_controls"]
        at = over_corrected(rows)
        for signal, values in signals.items():
            low, high = _interval(at.to_numpy(), values.to_numpy(), identity.to_numpy())
            areas = {share: roc_auc_score(over_corrected(rows, share), values) for share in (LOST, 0.15, 0.4)}
            types = rows["type_lost"] > LOST
            apart = {
                "types": roc_auc_score(types[types | ~at], values[types | ~at]),
                "states": roc_auc_score(at[~types], values[~types]) if at[~types].any() else np.nan,
            }
            erased = over_corrected(rows, state="state_erased")
            sound = (rows["type_lost"] < SOUND) & (rows["state_lost"] < SOUND)
            rang = rows["alarm"] >= ALARM_FROM
            is_alarm = signal == "alarm"
            summary.append(
                {
                    "designs of": name,
                    "signal": signal,
                    "designs": identity.nunique(),
                    "points": len(rows),
                    "over-corrected": int(at.sum()),
                    "AUROC": areas[LOST],
                    "low": low,
                    "high": high,
                    "erased": int(erased.sum()),
                    "AUROC, erased": roc_auc_score(erased, values),
                    "AUROC, types": apart["types"],
                    "AUROC, states": apart["states"],
                    "AUROC if .15 lost": areas[0.15],
                    "AUROC if .40 lost": areas[0.4],
                    "rings, type lost": rang[types].mean() if is_alarm else np.nan,
                    "rings, over-corrected": rang[at].mean() if is_alarm else np.nan,
                    "rings, others": rang[~at].mean() if is_alarm else np.nan,
                    "rings, sound": rang[sound].mean() if is_alarm else np.nan,
                }
            )
    return pd.DataFrame(summary)


def _interval(truth: np.ndarray, signal: np.ndarray, design: np.ndarray) -> tuple[float, float]:
    from sklearn.metrics import roc_auc_score

    rng, draws = np.random.default_rng(0), []
    members = {name: np.flatnonzero(design == name) for name in np.unique(design)}
    for _ in range(300):
        rows = np.concatenate([members[name] for name in rng.choice(list(members), len(members))])
        if 0 < truth[rows].sum() < len(rows):
            draws.append(roc_auc_score(truth[rows], signal[rows]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def draw(table: pd.DataFrame) -> None:
    """What the alarm measures against what was lost, and ROC curves."""
    import matplotlib.pyplot as plt
    from sklearn.metrics import roc_auc_score, roc_curve

    from scpareto.audit._alarm import ALARM_AT

    groups = groups_of(table)
    figure, axes = plt.subplots(1, len(groups) + 1, figsize=(3.1 * (len(groups) + 1), 3.2), layout="constrained")
    for axis, (name, rows) in zip(axes, groups.items(), strict=False):
        worst = rows[["type_lost", "state_lost"]].max(axis=1)
        for kind, colour in ((False, "#0072B2"), (True, "#D55E00")):
            some = over_corrected(rows) == kind
            label = "over-corrected" if kind else "sound"
            axis.plot(worst[some], rows["structure_lost"][some], "o", ms=3, color=colour, alpha=0.6, mew=0, label=label)
        axis.axhline(ALARM_AT, color="0.5", lw=0.8, ls="--")
        axis.axvline(LOST, color="0.5", lw=0.8, ls="--")
        axis.set(title=name, xlabel="lost, by labels or state")
    axes[0].set_ylabel("lost, as the alarm sees it")
    axes[0].legend(frameon=False)
    for (name, rows), colour in zip(groups.items(), ("#999999", "#0072B2", "#009E73"), strict=False):
        at = over_corrected(rows)
        wrong, found, _ = roc_curve(at, rows["structure_lost"])
        label = f"{name}: {roc_auc_score(at, rows['structure_lost']):.2f}"
        axes[-1].plot(wrong, found, color=colour, label=label)
    axes[-1].plot([0, 1], [0, 1], color="0.8", lw=0.8)
    axes[-1].set(xlabel="sound points with an alarm", ylabel="over-corrected points found", aspect="equal")
    axes[-1].legend(frameon=False, fontsize=7, loc="lower right")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
