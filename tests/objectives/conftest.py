"""Simulated codes whose information about a nuisance is known, and small minibatches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from torch.distributions import Normal

from scpareto.objectives import Context, CriticSchedule, estimate, get_objective

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SCHEDULE = CriticSchedule(max_epochs=60, lr=3e-3, batch_size=500, patience=8, max_steps=500)
# Ten equal levels, codes N(mu_i (1, 1), sigma_i^2 I): true information, mu, sigma.
CASES = {
    "all alike": (0.0, [0] * 10, [1] * 10),
    "in a row": (1.954, range(0, 20, 2), [1] * 10),
    "four apart": (0.612, [0, 2, 4, 0, 0, 2, 0, 0, 0, 0], [1] * 10),
}


@dataclass(frozen=True)
class Simulated:
    """Codes ``(n_cells, n_latent)``, what is known of the cells, and the true information in nats."""

    codes: Tensor
    context: Context
    truth: float

    def held_out(self, name: str, schedule: CriticSchedule = SCHEDULE, **options: object) -> float:
        """Estimate on cells that the critic has not seen."""
        labels = self.context.categorical.get("batch")
        options = {"n_hidden": 64, "n_layers": 2, "on": "mean"} | options
        if labels is not None:
            options["n_categories"] = int(labels.max()) + 1
        if self.context.clusters:
            options |= {"given": "types", "n_clusters": self.context.clusters["types"].shape[1]}
        objective = get_objective(name, n_latent=self.codes.shape[1], **options)
        n = len(self.codes)
        split = torch.randperm(n).split([n // 2, n // 10, n - n // 2 - n // 10])
        return estimate(objective, Normal(self.codes, torch.ones_like(self.codes)), self.context, split, schedule)[-1]


def gaussian_levels(means: list[float], sds: list[float], truth: float = math.nan, n_cells: int = 12_000) -> Simulated:
    labels = torch.arange(n_cells) % len(sds)
    means, sds = torch.tensor(list(means)).float()[labels], torch.tensor(sds).float()[labels]
    codes = means[:, None] + sds[:, None] * torch.randn(n_cells, 2)
    return Simulated(codes, Context(categorical={"batch": labels}), truth)


@pytest.fixture
def levels() -> Callable[..., Simulated]:
    """Codes that are Gaussian at each level of the nuisance: a function of means and standard deviations."""
    torch.manual_seed(0)
    return gaussian_levels


@pytest.fixture(params=CASES)
def known_case(request: pytest.FixtureRequest) -> Simulated:
    """Ten Gaussian levels with known information."""
    torch.manual_seed(0)
    truth, means, sds = CASES[request.param]
    return gaussian_levels(means, sds, truth)


@pytest.fixture
def correlated() -> Simulated:
    """A continuous nuisance, in strange units, with correlation 0.8 to one of two dimensions."""
    torch.manual_seed(0)
    rho = 0.8
    codes = torch.randn(12_000, 2)
    values = rho * codes[:, 0] + math.sqrt(1 - rho**2) * torch.randn(12_000)
    return Simulated(codes, Context(continuous={"batch": 300 + 40 * values}), -0.5 * math.log(1 - rho**2))


def two_clusters(apart: float, shift: float, *, soft: bool, n_cells: int = 12_000) -> Simulated:
    """Two clusters, ``apart`` in one dimension, with 20% and 80% of the second level, which adds ``shift`` to another.

    Soft memberships are the probabilities of the clusters, hard ones the clusters. The truth is that within clusters.
    """
    cluster = torch.randint(2, (n_cells,))
    share = torch.tensor([0.2, 0.8])[cluster]
    labels = (torch.rand(n_cells) < share).long()
    codes = torch.randn(n_cells, 2)
    codes[:, 0] += apart * (cluster - 0.5)
    codes[:, 1] += shift * labels
    of_second = torch.sigmoid(apart * codes[:, 0]) if soft else cluster.float()
    types = torch.stack([1 - of_second, of_second], 1)
    context = Context(categorical={"batch": labels}, clusters={"types": types})
    # By symmetry, the information is the same in both clusters.
    x = np.linspace(-8, 8 + shift, 4001)
    each = np.exp(-0.5 * (x[:, None] - [0, shift]) ** 2) / math.sqrt(2 * math.pi)
    joint = each * [0.2, 0.8]
    truth = trapezoid((joint * np.log(each / joint.sum(1, keepdims=True))).sum(1), x)
    return Simulated(codes, context, float(truth))


@pytest.fixture
def clusters() -> Callable[..., Simulated]:
    """Clusters of unequal composition: a function, see :func:`two_clusters`."""
    torch.manual_seed(0)
    return two_clusters


@pytest.fixture
def minibatch() -> Callable[..., tuple[Tensor, Normal, Context]]:
    """Random codes, their posterior and context: batch of four levels, a continuous age and three soft types."""

    def draw(n_cells: int = 40, n_latent: int = 3, seed: int = 0) -> tuple[Tensor, Normal, Context]:
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(n_cells, n_latent, generator=generator)
        context = Context(
            categorical={"batch": torch.randint(4, (n_cells,), generator=generator)},
            continuous={"age": torch.randn(n_cells, generator=generator)},
            clusters={"types": torch.randn(n_cells, 3, generator=generator).mul(2).softmax(1)},
        )
        return z, Normal(z, torch.full_like(z, 1e-6)), context

    return draw
