"""When does a generator predict unseen combinations better than its autoencoder?

Claims of Yu and Welch (2021) under test, on simulate_perturbations (3 types, 18 drugs) in place of data that cannot be
shipped: the advantage of MichiGAN over beta-TCVAE, in random-forest error, falls with the difference of latent-space
entropy between predicted and real codes; with the combinations of lowest difference left out and everything retrained,
the advantage is significant.

    python experiments/unseen_simulated.py --setting small --seeds 1 --resume

Round 1 leaves out three combinations and scores every combination, predicted from another type. Round 2 leaves out
the three combinations of different types with the lowest difference, and retrains on codes of beta-TCVAE and of a VAE;
these three are scored, predicted from both other types. Writes results/unseen_simulated.csv,
results/unseen_simulated_summary.csv and results/unseen_simulated.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from generative import SETTINGS, autoencoder, generator, log_normalised, posterior
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

TABLE, SUMMARY = RESULTS / "unseen_simulated.csv", RESULTS / "unseen_simulated_summary.csv"
FIGURE, CELLS = RESULTS / "unseen_simulated.png", RESULTS / "points" / "unseen_simulated_umap.csv"
KEYS = ("setting", "dataset", "seed")
FIRST = (("type_0", "drug_6"), ("type_1", "drug_11"), ("type_2", "drug_16"))
TREES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(arguments.setting, "simulate_perturbations", seed) for seed in range(arguments.seeds)]
    table = run_missing(run, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    summary = summarise(table)
    summary.to_csv(SUMMARY, index=False, float_format="%.3g")
    draw(table)
    print(summary.to_string(index=False))


def run(setting: str, dataset: str, seed: int) -> pd.DataFrame:
    """Both rounds of one simulation."""
    import scpareto as sp

    size = SETTINGS[setting]
    adata = log_normalised(sp.datasets.simulate_perturbations(min(size["n_cells"], 2160), size["n_genes"], seed=seed))
    first = one_round(adata, setting, seed, "tcvae", 10.0, FIRST)
    scores = first.assign(round=1)
    # One combination of each type, as in the first round.
    order = scores.groupby(["cell_type", "drug"])["entropy_difference"].mean().sort_values().reset_index()
    easy = order[order["drug"] != "drug_0"].groupby("cell_type", sort=False).first().reset_index()
    lowest = tuple(easy[["cell_type", "drug"]].itertuples(index=False, name=None))
    second = [
        one_round(adata, setting, seed, name, beta, lowest, only=True, draw_map=name == "tcvae").assign(round=2)
        for name, beta in (("tcvae", 10.0), ("vae", 0.0))
    ]
    found = pd.concat([scores, *second], ignore_index=True)
    return found.assign(**dict(zip(KEYS, (setting, dataset, seed), strict=True)))


def one_round(
    adata: AnnData,
    setting: str,
    seed: int,
    name: str,
    beta: float,
    left_out: tuple,
    *,
    only: bool = False,
    draw_map: bool = False,
    n_trees: int = TREES,
) -> pd.DataFrame:
    """Errors and entropies of predicted combinations, those left out or all."""
    import scpareto as sp

    pairs = list(zip(adata.obs["cell_type"].astype(str), adata.obs["drug"].astype(str), strict=True))
    out = np.array([pair in left_out for pair in pairs])
    train = adata[~out].copy()
    model = autoencoder(train, setting, seed, beta=beta)
    codes = posterior(model, train)
    everything = posterior(model, adata)
    rng = np.random.default_rng(seed)
    known = {"mean": codes[0], "sample": codes[0] + codes[1] * rng.standard_normal(codes[0].shape)}
    gans = {how: generator(train, setting, seed, codes, training={"codes": how}) for how in known}
    rows = []
    for cell_type, drug in left_out if only else sorted(set(pairs)):
        mine = np.array([pair == (cell_type, drug) for pair in pairs])
        real = adata.X[mine]
        others = sorted(set(adata.obs["cell_type"].astype(str)) - {cell_type})
        # All combinations are many: one source type for each is enough there.
        for other in [t for t in others if (t, drug) not in left_out][: None if only else 1]:
            source, target = {"cell_type": other, "drug": drug}, {"cell_type": cell_type, "drug": drug}
            row: dict[str, Any] = {"codes": name, "cell_type": cell_type, "drug": drug, "source": other}
            row["left_out"] = (cell_type, drug) in left_out
            for how, z in known.items():
                moved, _ = sp.model.shifted_codes(z, train.obs, source, target, n_cells=len(real), seed=seed)
                drawn = how == "sample"
                made = {
                    "michigan": gans[how].generate(moved, seed=seed),
                    "decoder": model.decode(moved, sample=drawn, seed=seed),
                }
                for kind, cells in made.items():
                    row[f"{kind}_{how}"] = sp.metrics.random_forest_error(
                        real, cells, reference=train.X, n_trees=n_trees, seed=seed
                    )
                if drawn:
                    mean, scale = everything[0][mine], everything[1][mine]
                    own = mean + scale * rng.standard_normal(mean.shape)
                    entropy = sp.metrics.latent_space_entropy
                    row["entropy_difference"] = entropy(moved, mean, scale) - entropy(own, mean, scale)
            rows.append(row)
    if draw_map:
        embed_predictions(adata, train, gans["sample"], left_out[0], seed)
    return pd.DataFrame(rows)


def embed_predictions(adata: AnnData, train: AnnData, gan: Any, combination: tuple, seed: int) -> None:
    """UMAP of predicted, real and source cells of one left-out combination, kept as a table."""
    from sklearn.decomposition import PCA
    from umap import UMAP

    cell_type, drug = combination
    other = next(t for t in ("type_0", "type_1", "type_2") if t != cell_type)
    real = adata.X[((adata.obs["cell_type"] == cell_type) & (adata.obs["drug"] == drug)).to_numpy()]
    before = adata.X[((adata.obs["cell_type"] == other) & (adata.obs["drug"] == drug)).to_numpy()]
    made = gan.predict({"cell_type": other, "drug": drug}, {"cell_type": cell_type, "drug": drug}, codes="sample")
    pca = PCA(10, random_state=0).fit(train.X)
    parts = {"training cells": train.X[:1200], "source": before, "real": real, "predicted": made}
    reducer = UMAP(random_state=0, n_jobs=1).fit(pca.transform(np.concatenate(list(parts.values())[:3])))
    frames = [
        pd.DataFrame(reducer.transform(pca.transform(cells)), columns=["umap_1", "umap_2"]).assign(
            kind=kind, combination=f"{cell_type}, {drug}", seed=seed
        )
        for kind, cells in parts.items()
    ]
    CELLS.parent.mkdir(exist_ok=True, parents=True)
    pd.concat(frames).to_csv(CELLS, index=False, float_format="%.4g")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Medians, wins and tests by round and codes."""
    from scipy.stats import spearmanr, wilcoxon

    rows = []
    for (which, codes, left), some in table.groupby(["round", "codes", "left_out"]):
        for how in ("sample", "mean"):
            gain = some[f"michigan_{how}"] - some[f"decoder_{how}"]
            row = {"round": which, "codes": codes, "left_out": left, "on": how, "n": len(gain)}
            row |= {"michigan": some[f"michigan_{how}"].median(), "decoder": some[f"decoder_{how}"].median()}
            row |= {"wins": int((gain > 0).sum())}
            row["p"] = wilcoxon(gain, alternative="greater").pvalue if gain.any() else 1.0
            known = some["entropy_difference"].notna() & (len(some) > 5)
            if known.any():
                test = spearmanr(some["entropy_difference"], gain)
                row |= {"correlation_with_entropy": test.statistic, "p_correlation": test.pvalue}
            rows.append(row)
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> None:
    """Advantage against entropy difference, errors of left-out combinations, and a map of predicted cells."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import FAINT, tidy

    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.5), layout="constrained")
    first = table[table["round"] == 1]
    gain = first["michigan_sample"] - first["decoder_sample"]
    for left, color, label in ((False, PALETTE[0], "seen"), (True, PALETTE[3], "left out")):
        chosen = (first["left_out"] == left).to_numpy()
        axes[0].scatter(first["entropy_difference"][chosen], gain[chosen], s=9, color=color, label=label, lw=0)
    axes[0].axhline(0, color="k", lw=0.6)
    axes[0].set_xlabel("difference of latent entropy (nats)", fontsize=7)
    axes[0].set_ylabel("random-forest error,\nMichiGAN minus beta-TCVAE", fontsize=7)
    axes[0].legend(frameon=False, fontsize=6)
    second = table[table["round"] == 2]
    names = [(codes, how) for codes in ("tcvae", "vae") for how in ("sample", "mean")]
    for place, (codes, how) in enumerate(names):
        some = second[second["codes"] == codes]
        for i, kind in enumerate(("decoder", "michigan")):
            values = some[f"{kind}_{how}"]
            x = np.full(len(values), place + 0.3 * (i - 0.5))
            axes[1].plot(x, values, "o", ms=3, color=PALETTE[(4, 0)[i]], mew=0, label=None if place else kind)
    axes[1].set_xticks(range(len(names)), [f"{c},\n{h}" for c, h in names], fontsize=6)
    axes[1].set_ylabel("random-forest error, left out", fontsize=7)
    axes[1].legend(frameon=False, fontsize=6)
    cells = pd.read_csv(CELLS)
    for kind, color in (
        ("training cells", FAINT),
        ("source", PALETTE[5]),
        ("real", PALETTE[1]),
        ("predicted", PALETTE[0]),
    ):
        some = cells[cells["kind"] == kind]
        axes[2].scatter(
            some["umap_1"], some["umap_2"], s=2 if kind == "training cells" else 7, color=color, lw=0, label=kind
        )
    axes[2].legend(frameon=False, fontsize=6, markerscale=1.3)
    axes[2].set(xticks=[], yticks=[])
    for axis in axes:
        tidy(axis)
    axes[2].axis("off")
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
