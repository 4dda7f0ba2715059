"""What does each dimension of the code do to a generated cell?

Claim of Yu and Welch (2021) under test: dimensions of MichiGAN on beta-TCVAE codes change single aspects of a cell, and
many do nothing; those of WGAN-GP change everything at once.

    python experiments/traversals.py --setting small --resume

paul15_myeloid. MichiGAN starts from the code of a cell of the most frequent type, WGAN-GP from the noise whose cell is
nearest to the mean of that type; each dimension goes from its 1st to its 99th percentile, everything else held fixed.
Writes results/traversals.csv (by dimension: share of generated variance, and of cells whose predicted type changes),
results/traversals.png and results/traversals_wgan.png.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from generative import SETTINGS, autoencoder, generator, posterior, real_cells
from shared import RESULTS, run_missing

TABLE, FIGURE = RESULTS / "traversals.csv", RESULTS / "traversals.png"
KEYS = ("setting", "dataset", "method", "seed")
DATASET, N_LATENT, N_VALUES = "paul15_myeloid", 10, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(arguments.setting, DATASET, m, s) for s in range(arguments.seeds) for m in ("michigan", "wgan")]
    table = run_missing(run, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    print(table.groupby(["method", "seed"])["active"].sum().to_string())


def run(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """Traversals of one generator; the first seed is drawn."""
    import matplotlib as mpl

    mpl.use("Agg")
    import scpareto as sp

    adata = real_cells(dataset, SETTINGS[setting]["n_genes"])
    types = adata.obs["cell_type"].astype(str).to_numpy()
    mine = types == pd.Series(types).mode()[0]
    centre = adata.X[mine].mean(axis=0)
    if method == "michigan":
        codes = posterior(autoencoder(adata, setting, seed, beta=10.0), adata)
        model = generator(adata, setting, seed, codes)
        start = codes[0][np.flatnonzero(mine)[np.argmin(((adata.X[mine] - centre) ** 2).sum(axis=1))]]
        values = np.linspace(*np.quantile(codes[0], [0.01, 0.99], axis=0), N_VALUES).T
    else:
        model = generator(adata, setting, seed, None, conditional=False, n_latent=N_LATENT, n_noise=0)
        drawn = np.random.default_rng(seed).standard_normal((2000, N_LATENT))
        start = drawn[np.argmin(((model.generate(drawn) - centre) ** 2).sum(axis=1))]
        values = np.tile(np.linspace(-2.326, 2.326, N_VALUES), (N_LATENT, 1))
    moved = np.stack([model.traverse(start, d, values[d], seed=seed) for d in range(N_LATENT)])
    table = sp.metrics.traversal_scores(moved, real=adata.X, labels=types).reset_index()
    if seed == 0:
        titles = [f"{d}: {share:.0%}" for d, share in enumerate(table["variance_share"])]
        axes = sp.pl.traversal(adata.X, moved, values, labels=types, titles=titles)
        figure = axes[0].get_figure()
        title = {"michigan": "MichiGAN on beta-TCVAE codes", "wgan": "WGAN-GP, ten dimensions"}[method]
        figure.suptitle(title, fontsize=8)
        figure.savefig(FIGURE if method == "michigan" else FIGURE.with_name("traversals_wgan.png"), dpi=200)
    run_of = dict(zip(KEYS, (setting, dataset, method, seed), strict=True))
    return table.assign(active=table["active"].astype(int), **run_of)


if __name__ == "__main__":
    main()
