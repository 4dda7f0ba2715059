"""Whether a front keeps its word: points told apart, at equal steps, a pick that one can trust.

Claims under test: intervals of ``batch_left`` cover what a second judge reads on other cells; points of a default front
are told apart by paired intervals; the recommended point is never alarmed, and by measures that see labels no worse
than other rules; over seeds it varies no more than scvi-tools' SCVI.

    python experiments/keeps_its_word.py --setting small --seeds 3 --jobs 2 --resume

For each data set and seed one front and SCVI with its defaults; ``--strategies`` says if all preferences are learnt
in one training (``path``, the default of the product) or each point by itself (``apart``). Test cells are halved: the
first judge reads one half, the second judge (another seed, other folds and weights) the other; two independent
estimates should differ by no more than the root of their squared half widths in 95 % of the points. scib-metrics and
the purity of the neighbours of the rarest types see labels. Writes results/points/keeps_its_word.csv (one row per
point, and SCVI as point -1) and results/keeps_its_word.csv (one row per data set, seed, strategy and rule).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from shared import RESULTS, load, plain_scvi, run_missing

POINTS, TABLE = RESULTS / "points" / "keeps_its_word.csv", RESULTS / "keeps_its_word.csv"
KEYS = ("setting", "dataset", "seed", "strategy")
STRATEGIES = {"path": {}, "apart": {"method": "pareto_mtl"}}
"""Arguments of the training: all preferences in one, or each by itself."""
SETTINGS = {
    "small": {"celllines_3protocols": 889, "kang_ifnb_pbmc": 1000, "pbmc_multistudy": 1000},
    "full": {
        "celllines_3protocols": 889,
        "kang_ifnb_pbmc": 1267,
        "pbmc_multistudy": 2000,
        "retina_fovea_periphery": 2000,
        "pancreas_baron_orthologues": 2000,
        "tal1_chimera": 300,
    },
}
"""Data sets and the variable genes that are taken of each."""
N_RARE = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--datasets", nargs="+")
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    names = arguments.datasets or list(SETTINGS[arguments.setting])
    seeds, strategies = range(arguments.seeds), arguments.strategies
    runs = [(arguments.setting, name, seed, strategy) for strategy in strategies for seed in seeds for name in names]
    points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    rules = by_rule(points)
    rules.to_csv(TABLE, index=False, float_format="%.5g")
    report(points, rules)


def train(setting: str, dataset: str, seed: int, strategy: str) -> pd.DataFrame:
    """One front and SCVI, judged twice, with measures that see labels."""
    import scpareto as sp
    from scpareto.audit import build_frame, judge_embeddings

    adata = load(dataset, n_genes=SETTINGS[setting][dataset])
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed)
    begun = time.process_time()
    model.train(progress=False, **STRATEGIES[strategy])
    seconds = time.process_time() - begun
    front = model.front
    codes = {}
    for number in front.numbers:
        with model.at(number):
            codes[f"point {number}"] = model.get_latent_representation()
    begun = time.process_time()
    codes["point -1"] = plain_scvi(adata, seed)
    scvi_seconds = time.process_time() - begun

    batch = adata.obs["batch"].astype(str).to_numpy()
    test = front.metadata["indices"]["test"].numpy()
    halves = {"first": test[::2], "second": test[1::2]}
    judged = {}
    for judge_seed, name in ((0, "first"), (1000 + seed, "second")):
        frame = build_frame(adata.X, batch, is_counts=True, genes=list(adata.var_names), seed=judge_seed)
        rows = {"half": halves[name], "test": test}
        judged[name] = judge_embeddings(frame, codes, parts=rows, marginal=False, alarm=False).parts
    table = front.to_dataframe().drop(columns=["structure_lost_most"])
    table.loc[len(table), "point"] = -1
    table["point"] = table["point"].astype(int)
    for name, parts in judged.items():
        left = parts["half"].left.table
        for row, point in table["point"].items():
            for column in ("batch_left", "low", "high"):
                table.loc[row, f"{name}_{column}"] = left.loc[f"point {point}", column]
    scvi_left, scvi_kept = judged["first"]["test"].left.table, judged["first"]["test"].kept.table.set_index("embedding")
    last = table["point"] == -1
    table.loc[last, "batch_left"] = scvi_left.loc["point -1", "batch_left"]
    table.loc[last, "structure_kept"] = scvi_kept.loc["point -1", "structure_kept"]
    for name, values in seen_by_labels(adata, codes, batch).items():
        table[name] = [values[f"point {point}"] for point in table["point"]]
    chosen = {"recommended": front.recommended, "knee": front.find("knee"), "n_steps": len(front.steps())}
    facts = {"seconds": seconds, "scvi_seconds": scvi_seconds, "margin": front.metadata["judged"].get("margin")}
    table = table.assign(setting=setting, dataset=dataset, seed=seed, strategy=strategy, **chosen, **facts)
    return table[[*KEYS, *(column for column in table if column not in KEYS)]]


def seen_by_labels(adata, codes: dict[str, np.ndarray], batch: np.ndarray) -> dict[str, dict[str, float]]:
    """scib-metrics' aggregates over all cells, and how pure the neighbourhoods of the rarest types are."""
    from sklearn.neighbors import NearestNeighbors

    import scpareto as sp
    from scpareto._cells import principal_components

    labels = adata.obs["cell_type"].astype(str).to_numpy()
    scorer = sp.metrics.ScibScorer(principal_components(adata.X), labels, batch)
    rare = pd.Series(labels).value_counts()
    rare = rare[rare >= 15].index[-N_RARE:]
    found: dict[str, dict[str, float]] = {"scib_total": {}, "scib_bio": {}, "scib_batch": {}, "rare_purity": {}}
    for name, z in codes.items():
        scores = scorer.score(z)
        near = NearestNeighbors(n_neighbors=16).fit(z).kneighbors(z, return_distance=False)[:, 1:]
        pure = [float((labels[near[labels == label]] == label).mean()) for label in rare]
        values = (scores.total, scores.bio_conservation, scores.batch_correction, float(np.mean(pure)))
        for column, value in zip(found, values, strict=True):
            found[column][name] = value
    return found


def by_rule(points: pd.DataFrame) -> pd.DataFrame:
    """What each way to choose a point comes to."""
    rows = []
    for key, table in points.groupby(list(KEYS)):
        own = table[table["point"] >= 0].set_index("point")
        numbers = list(own.index)
        chosen = {
            "auto": int(table["recommended"].iloc[0]),
            "knee": int(table["knee"].iloc[0]),
            "weakest": numbers[0],
            "middle": numbers[len(numbers) // 2],
            "strongest": numbers[-1],
            "best in scib total": int(own["scib_total"].idxmax()),
        }
        columns = ["batch_left", "structure_kept", "alarm", "scib_total", "scib_bio", "scib_batch", "rare_purity"]
        values = {rule: own.loc[number, columns] for rule, number in chosen.items()}
        values["random"] = own[columns].mean()
        values["SCVI"] = table.loc[table["point"] == -1, columns].iloc[0]
        for rule, row in values.items():
            gaps = {f"{c}_gap": own[c].max() - row[c] for c in ("scib_total", "rare_purity")}
            rows.append(
                {**dict(zip(KEYS, key, strict=True)), "rule": rule, "point": chosen.get(rule, -1), **row, **gaps}
            )
    return pd.DataFrame(rows)


def report(points: pd.DataFrame, rules: pd.DataFrame) -> None:
    """Print coverage, steps, and every rule with its spread over seeds, of each strategy by itself."""
    for strategy in STRATEGIES:
        own = points[(points["point"] >= 0) & (points["strategy"] == strategy)]
        if not len(own):
            continue
        print(f"\n{strategy}")
        first, second = ((own[f"{n}_high"] - own[f"{n}_low"]) / 2 for n in ("first", "second"))
        apart = (own["first_batch_left"] - own["second_batch_left"]).abs() <= np.hypot(first, second)
        print(f"Two judges on other cells agree within their intervals at {apart.mean():.3f} of {len(own)} points")
        fronts = own.groupby(["dataset", "seed"])
        ranks = fronts.apply(
            lambda t: -t["second_batch_left"].corr(t["point"], method="spearman"), include_groups=False
        )
        print(f"Rank correlation of points with what the second judge reads: {ranks.round(2).to_dict()}")
        facts = fronts[["n_steps", "seconds", "scvi_seconds"]].first()
        facts["from"], facts["to"] = fronts["batch_left"].max(), fronts["batch_left"].min()
        print(facts.round(1).to_string())
        columns = ["batch_left", "structure_kept", "alarm", "scib_total", "scib_total_gap", "rare_purity_gap"]
        chosen = rules[rules["strategy"] == strategy]
        print(chosen.groupby("rule")[columns].mean().round(3).to_string())
        spread = chosen.groupby(["dataset", "rule"])[["batch_left", "structure_kept", "scib_total"]].std().round(3)
        print(spread.to_string())


if __name__ == "__main__":
    main()
