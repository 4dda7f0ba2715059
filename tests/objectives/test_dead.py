"""Critics that never left their start, on codes of two batches whose information is known."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm
from torch.distributions import Normal

from scpareto.objectives import (
    Context,
    CriticSchedule,
    Objective,
    PriorDivergence,
    estimate,
    fit_critic,
    get_objective,
    is_dead,
)
from scpareto.train import PUBLISHED

N_CELLS = 640
INFORMATION_OBJECTIVES = ("classifier", "mine", "mine_exact", "smile")


def two_batches(half_distance, seed=0):
    """Codes whose samples are Gaussian with variance 1 in each of two batches, and the information about the batch."""
    generator = torch.Generator().manual_seed(seed)
    batch = torch.arange(N_CELLS) % 2
    loc = 0.8 * torch.randn(N_CELLS, 10, generator=generator)
    loc[:, 0] += half_distance * (2 * batch - 1)
    x = np.linspace(-12, 12, 4001)
    each = np.stack([norm.pdf(x, -half_distance), norm.pdf(x, half_distance)])
    truth = float(trapezoid((each * np.log(each / each.mean(0))).mean(0), x))
    return Normal(loc, torch.full_like(loc, 0.6)), Context(categorical={"batch": batch}), truth


def split():
    """Training, validation and test cells, of both batches each."""
    cells = torch.randperm(N_CELLS, generator=torch.Generator().manual_seed(1))
    return cells.split([512, 28, 100])


def published_critic(seed=0):
    torch.manual_seed(seed)
    return get_objective("mine", n_latent=10, n_categories=2, **PUBLISHED.objective_defaults["mine"])


@pytest.mark.parametrize(
    "changed",
    [
        {"max_epochs": 5},
        {"max_epochs": 5, "lr": 1e-7},
        # A plateau has no better value, so that patience ends the training on it.
        {"max_epochs": 150, "lr": 1e-3, "patience": 5},
    ],
    ids=["too short", "too slow", "without patience"],
)
def test_the_published_critic_is_dead_after_too_little_training(changed):
    codes, context, truth = two_batches(1.9)
    assert truth == pytest.approx(0.618, abs=0.001)
    with pytest.warns(UserWarning, match=r"'mine'.*no measurement.*max_epochs.*lr.*patience=None.*n_layers") as told:
        found = estimate(published_critic(), codes, context, split(), replace(PUBLISHED.de_novo, **changed))
    assert len(told) == 1
    assert [math.isnan(value) for value in found] == [True] * 3


@pytest.mark.parametrize(
    "changed",
    [
        # Smaller minibatches and larger steps, so that a quarter of the passes is enough.
        pytest.param({"max_epochs": 100, "lr": 5e-4, "batch_size": 64}, id="shortened"),
        pytest.param({}, id="as published", marks=pytest.mark.slow),
    ],
)
def test_by_its_schedule_the_published_critic_reads_most_of_the_information(changed):
    codes, context, truth = two_batches(1.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate(published_critic(), codes, context, split(), replace(PUBLISHED.de_novo, **changed))
    assert found[2] == pytest.approx(truth, abs=0.2)


@pytest.mark.parametrize("name", INFORMATION_OBJECTIVES)
def test_where_there_is_no_information_practical_critics_read_none_and_live(name):
    codes, context, truth = two_batches(0.0)
    assert truth == pytest.approx(0, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.manual_seed(0)
        found = estimate(get_objective(name, n_latent=10, n_categories=2), codes, context, split())
    assert found[2] == pytest.approx(0, abs=0.05)


def test_a_critic_that_has_learned_to_be_constant_is_not_dead():
    codes, context, _ = two_batches(0.0)
    objective = get_objective("mine", n_latent=10, n_categories=2)
    for parameter in objective.parameters():
        torch.nn.init.zeros_(parameter)
    assert not is_dead(objective, codes.loc, codes, context)


def test_a_living_critic_is_not_dead_where_all_codes_are_the_same():
    codes, context, _ = two_batches(1.9)
    objective = get_objective("mine", n_latent=10, n_categories=2, n_layers=2, init="normal", standardize=False)
    assert fit_critic(objective, codes, context, *split()[:2], CriticSchedule(max_epochs=10))
    same = Normal(torch.zeros_like(codes.loc), torch.full_like(codes.scale, 1e-6))
    for on in ("mean", "sample", "both"):
        objective.on = on
        assert not is_dead(objective, same.loc, same, context)
    assert is_dead(published_critic(), same.loc, same, context)


def test_to_look_at_a_critic_changes_no_random_number():
    codes, context, _ = two_batches(1.9)
    objective = published_critic()
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    assert is_dead(objective, codes.loc, codes, context)
    torch.testing.assert_close(torch.rand(5), expected, rtol=0, atol=0)


def test_nothing_is_said_of_objectives_without_a_known_critic():
    class Unknown(Objective):
        name, has_critic = "unknown", True

        def forward(self, z, qz, context):
            return 0 * z.sum()

    codes, context, _ = two_batches(0.0)
    for objective in (Unknown(10), get_objective("mmd", n_latent=10, n_categories=2), PriorDivergence(10)):
        assert not is_dead(objective, codes.loc, codes, context)


def test_a_divergence_by_a_critic_is_watched_too():
    codes, context, _ = two_batches(0.0)
    objective = PriorDivergence(10, divergence="js")
    assert not is_dead(objective, codes.loc, codes, context)

    class Constant(PriorDivergence):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            for parameter in self.parameters():
                torch.nn.init.zeros_(parameter)

    assert is_dead(Constant(10, divergence="js"), codes.loc, codes, context)
