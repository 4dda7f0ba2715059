"""Does the training of a GAN end well, whatever the seed?

    python experiments/gan_stability.py --setting small --seeds 20 --resume

MichiGAN on principal components of kang_ifnb_pbmc, tiny networks (small) or the published ones (full), by two recipes:
the one of the other experiments, and the published one (batch normalisation in the critic, one rectified feature for
each code dimension, dropout, five critic steps). A run is finite if all losses are, and collapsed if generated cells
have less than 5 % of the variance of real ones. Writes results/gan_stability.csv.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from generative import SETTINGS, generator, halves, real_cells
from shared import RESULTS, run_missing

TABLE = RESULTS / "gan_stability.csv"
KEYS = ("setting", "dataset", "method", "seed")
TINY = {"n_hidden_generator": [32, 64], "n_hidden_critic": [64, 32]}
N_GENES = 200
METHODS = ("practical", "published")
PUBLISHED = {"dropout_rate": 0.2, "critic_norm": "batch", "wide_features": False}
PUBLISHED_TRAINING = {
    "batch_size": 64,
    "n_critic": 5,
    "lr": 1e-4,
    "plan_kwargs": {"beta1": 0.9, "beta2": 0.999, "penalty": 10.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, "kang_ifnb_pbmc", method, seed)
        for method in arguments.methods
        for seed in range(arguments.seeds)
    ]
    table = run_missing(run, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    print(table.groupby("method")[["finite", "collapsed"]].sum().to_string())


def run(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """One training."""
    import scpareto as sp
    from scpareto.train import TrainingDiverged

    adata = real_cells(dataset, N_GENES if setting == "small" else SETTINGS[setting]["n_genes"])
    train, test = halves(adata, 0)
    pca = sp.model.ProbabilisticPCA(10).fit(train.X)
    options = (TINY if setting == "small" else {}) | (PUBLISHED if method == "published" else {})
    row = dict(zip(KEYS, (setting, dataset, method, seed), strict=True)) | {"finite": 1, "collapsed": 0}
    try:
        training = {"max_epochs": 20} if setting == "small" else {}
        training |= PUBLISHED_TRAINING if method == "published" else {}
        model = generator(train, setting, seed, pca.posterior(train.X), training=training, **options)
    except TrainingDiverged:
        return pd.DataFrame([row | {"finite": 0}])
    made = model.generate(pca.posterior(test.X)[0])
    row |= {"collapsed": int(model.collapsed), "relative_variance": float(model.history["relative_variance"].iloc[-1])}
    row["random_forest_error"] = sp.metrics.random_forest_error(test.X, made, reference=train.X, n_trees=50)
    row["finite"] = int(np.isfinite(made).all())
    return pd.DataFrame([row])


if __name__ == "__main__":
    main()
