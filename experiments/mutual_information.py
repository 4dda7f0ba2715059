"""Estimators of the information that codes hold about a nuisance, where the truth is known.

Claim under test: on cells that its critic has not seen, the classifier bound is within 0.05 nats of the truth, the
Donsker-Varadhan bounds within 0.1, and none exceeds 0.02 where the truth is 0.

    python experiments/mutual_information.py --setting small --seeds 3 --jobs 2 --resume

Gaussian cases have ten levels and two dimensions. Mixture cases have two levels, each a mixture of Gaussians whose
centres are drawn once, for all seeds: "identity" has unit covariance at both levels, "partial identity" another scale
at the second. Truths are Monte-Carlo means of the known density ratios. The full setting has more cells, longer
training, mixtures of 128 components and the published critic. Writes results/mutual_information.csv (one row per case,
estimator and seed) and results/mutual_information.png.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from shared import RESULTS, run_missing

TABLE, FIGURE = RESULTS / "mutual_information.csv", RESULTS / "mutual_information.png"
N_TRUTH, N_NEAREST, CHUNK = 400_000, 2000, 20_000


@dataclass(frozen=True)
class Simulation:
    """Levels with ``proportions``, each an even mixture of round Gaussians: ``means[s]`` (M, d) and ``sds[s]``."""

    proportions: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Codes ``(n, d)`` and levels ``(n,)``."""
        level = rng.choice(len(self.proportions), n, p=self.proportions)
        component = rng.integers(self.means.shape[1], size=n)
        noise = rng.normal(size=(n, self.means.shape[2]))
        return self.means[level, component] + self.sds[level, None] * noise, level

    def log_densities(self, z: np.ndarray) -> np.ndarray:
        """Log density of each code at each level up to a constant of all levels, ``(n, n_levels)``."""
        columns = []
        for means, sd in zip(self.means, self.sds, strict=True):
            squares = (z**2).sum(1)[:, None] - 2 * z @ means.T + (means**2).sum(1)
            columns.append(logsumexp(-squares / (2 * sd**2), axis=1) - z.shape[1] * np.log(sd))
        return np.stack(columns, 1)

    def information(self) -> float:
        """Mutual information in nats, by Monte-Carlo (standard error about 0.001)."""
        rng = np.random.default_rng(0)
        total = 0.0
        for _ in range(N_TRUTH // CHUNK):
            z, level = self.draw(CHUNK, rng)
            each = self.log_densities(z)
            total += (each[np.arange(CHUNK), level] - logsumexp(each + np.log(self.proportions), axis=1)).sum()
        return max(total / N_TRUTH, 0.0)


def gaussians(proportions: list[float], means: list[float], sds: list[float]) -> Simulation:
    centres = np.repeat(np.array(means, float)[:, None, None], 2, axis=2)
    return Simulation(np.array(proportions) / np.sum(proportions), centres, np.array(sds, float))


def mixtures(n_components: int, n_dimensions: int, shift: float, sd: float) -> Simulation:
    rng = np.random.default_rng([n_components, n_dimensions, int(shift)])
    centres = rng.normal(size=(2, n_components, n_dimensions))
    centres[1] += shift
    return Simulation(np.array([0.5, 0.5]), centres, np.array([1.0, sd]))


EVEN, SPREAD, GROWING = [0.1] * 10, list(range(0, 200, 20)), [1, 2, 3, 4, 5, 5, 8, 8, 10, 10]
CASES = {
    "1": gaussians(EVEN, [0] * 10, [1] * 10),
    "2": gaussians(EVEN, list(range(0, 20, 2)), [1] * 10),
    "3": gaussians(list(range(1, 20, 2)), [0, 0, 100, 100, 200, 200, 0, 0, 0, 0], [1, 1, 20, 20, 40, 40, 1, 1, 1, 1]),
    "4": gaussians(EVEN, [0, 1, 2, 2, 2, 3, 3, 3, 3, 4], [1] + [1.5] * 9),
    "5": gaussians(EVEN, [0, 2, 4, 0, 0, 2, 0, 0, 0, 0], [1] * 10),
    "6": gaussians(EVEN, SPREAD, GROWING),
    "7": gaussians([0.01] * 5 + [0.03, 0.2, 0.2, 0.3, 0.22], SPREAD, GROWING),
}
for m, d, shift, kind in product((10, 128), (2, 10), (1, 5), ("identity", "partial identity")):
    CASES[f"M={m} d={d} shift={shift} {kind}"] = mixtures(m, d, shift, 1.0 if kind == "identity" else 0.9 * shift)

ESTIMATORS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "classifier": ("classifier", {}, {}),
    "mine_exact": ("mine_exact", {}, {}),
    "mine": ("mine", {}, {}),
    "smile": ("smile", {}, {}),
    "mine, published critic": (
        "mine",
        {"n_layers": 10, "init": "normal", "standardize": False, "ema_rate": 0.001},
        {"max_epochs": 400, "lr": 5e-5, "batch_size": 512, "patience": None, "max_steps": None},
    ),
}
NEAREST = "nearest neighbours"
# Cases, estimators, cells of (training, validation, test), and length of the training.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "cases": [case for case in CASES if "M=128" not in case],
        "estimators": [*(name for name in ESTIMATORS if "published" not in name), NEAREST],
        "cells": (12_800, 3_200, 6_400),
        "schedule": {"max_epochs": 60, "batch_size": 512, "max_steps": 1_500},
    },
    "full": {
        "cases": list(CASES),
        "estimators": [*ESTIMATORS, NEAREST],
        "cells": (25_600, 12_800, 12_800),
        "schedule": {"max_epochs": 200, "batch_size": 512, "max_steps": 6_000},
    },
}
KEYS = ["setting", "case", "estimator", "seed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    setting = SETTINGS[arguments.setting]
    runs = [
        (arguments.setting, case, estimator, seed)
        for seed, case, estimator in product(range(arguments.seeds), setting["cases"], setting["estimators"])
    ]
    done = run_missing(judge, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    shown = done[done["setting"] == arguments.setting]
    draw(shown, setting["estimators"])
    print(summarise(shown, setting).to_string(float_format="%.3f"))


@lru_cache
def truth(case: str) -> float:
    return CASES[case].information()


def judge(setting: str, case: str, estimator: str, seed: int) -> pd.DataFrame:
    """One estimate from test cells, next to the truth."""
    rng = np.random.default_rng([list(CASES).index(case), seed])
    codes, level = CASES[case].draw(sum(SETTINGS[setting]["cells"]), rng)
    begun = time.perf_counter()
    if estimator == NEAREST:
        from scpareto.metrics import nn_mutual_information

        value = nn_mutual_information(codes[:N_NEAREST], level[:N_NEAREST], seed=seed)
    else:
        value = trained(codes, level, estimator, setting, case, seed)
    seconds = time.perf_counter() - begun
    row = dict(zip(KEYS, (setting, case, estimator, seed), strict=True))
    return pd.DataFrame([row | {"truth": truth(case), "estimate": value, "seconds": seconds}])


def trained(codes: np.ndarray, level: np.ndarray, estimator: str, setting: str, case: str, seed: int) -> float:
    """Value of an information objective on test cells; its critic learns from the others."""
    import torch

    from scpareto.objectives import Context, CriticSchedule, estimate, get_objective

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    name, options, published = ESTIMATORS[estimator]
    n_categories = len(CASES[case].proportions)
    objective = get_objective(name, n_latent=codes.shape[1], n_categories=n_categories, on="mean", **options)
    z = torch.as_tensor(codes, dtype=torch.float32)
    return estimate(
        objective,
        torch.distributions.Normal(z, torch.ones_like(z)),
        Context(categorical={"batch": torch.as_tensor(level)}),
        torch.arange(len(z)).split(list(SETTINGS[setting]["cells"])),
        CriticSchedule(**(SETTINGS[setting]["schedule"] | published)),
    )[-1]


def summarise(table: pd.DataFrame, setting: dict[str, Any]) -> pd.DataFrame:
    """Largest absolute error over seeds, of every case and estimator."""
    table = table.assign(error=(table["estimate"] - table["truth"]).abs())
    wide = table.pivot_table(index="case", columns="estimator", values="error", aggfunc="max")
    wide = wide.loc[setting["cases"], setting["estimators"]]
    wide.loc["largest"] = wide.max()
    wide.insert(0, "truth", table.groupby("case")["truth"].first())
    return wide


def draw(table: pd.DataFrame, estimators: list[str]) -> None:
    """Estimates and their errors against the truth, a column of panels for each estimator."""
    import matplotlib.pyplot as plt

    table = table.assign(error=table["estimate"] - table["truth"], mixture=table["case"].str.startswith("M="))
    kinds = {
        False: {"marker": "o", "color": "#0072B2", "label": "ten Gaussian levels, 2 dimensions"},
        True: {"marker": "D", "color": "#D55E00", "label": "two levels, each a mixture, 2 or 10 dimensions"},
    }
    size = (2.2 * len(estimators) + 0.8, 5.2)
    heights, look = {"height_ratios": [3, 2]}, {"s": 20, "alpha": 0.6, "linewidths": 0}
    figure, axes = plt.subplots(
        2, len(estimators), figsize=size, sharex=True, sharey="row", squeeze=False, layout="constrained", **heights
    )
    top = 1.08 * max(table["truth"].max(), table["estimate"].max())
    reach = max(0.12, 1.15 * table["error"].abs().max())
    for column, estimator in enumerate(estimators):
        upper, lower = axes[:, column]
        upper.axline((0, 0), slope=1, color="0.7", lw=0.8, zorder=0)
        lower.axhline(0, color="0.7", lw=0.8, zorder=1)
        if estimator != NEAREST:
            aim = 0.05 if estimator == "classifier" else 0.1
            band = lower.axhspan(-aim, aim, color="0.94", zorder=0, label="aim: 0.05 (classifier), 0.1 (others)")
        own = table[table["estimator"] == estimator]
        for mixture, style in kinds.items():
            some = own[own["mixture"] == mixture]
            upper.scatter(some["truth"], some["estimate"], **look, **style)
            lower.scatter(some["truth"], some["error"], **look, **style)
        upper.set_title(f"{estimator}\n", fontsize=11, fontweight="bold")
        worst = f"largest error {own['error'].abs().max():.3f}"
        upper.text(0.5, 1.03, worst, transform=upper.transAxes, ha="center", fontsize=9, color="0.3")
        lower.set_xlabel("truth (nats)")
        for axis in (upper, lower):
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=8.5)
    axes[0, 0].set(ylabel="estimate, test cells (nats)", xlim=(-0.12, top), ylim=(-0.12, top))
    axes[1, 0].set(ylabel="estimate $-$ truth (nats)", ylim=(-reach, reach))
    handles = [*axes[0, 0].collections, band]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9, handletextpad=0.4)
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
