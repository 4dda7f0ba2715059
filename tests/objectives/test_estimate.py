from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Context, CriticSchedule, Mine, Objective, estimate, evaluate, fit_critic

N_CELLS = 300
SHORT = CriticSchedule(max_epochs=3, patience=None, batch_size=64)
SPLIT = torch.arange(N_CELLS).split([200, 50, 50])


def data(seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(N_CELLS) % 2
    loc = torch.randn(N_CELLS, 2, generator=generator) + 2 * labels[:, None]
    return Normal(loc, torch.full_like(loc, 0.1)), Context(categorical={"batch": labels})


def mine():
    torch.manual_seed(0)
    return Mine(2, 2, n_hidden=16, n_layers=2)


def judged(codes, context, schedule=SHORT):
    objective = mine()
    torch.manual_seed(1)
    return estimate(objective, codes, context, SPLIT, schedule)


def poisoned(codes, context, index):
    """Other codes and other labels in the cells of ``index``."""
    loc, labels = codes.loc.clone(), context.categorical["batch"].clone()
    loc[index] *= -100
    labels[index] = 1 - labels[index]
    return Normal(loc, codes.scale), Context(categorical={"batch": labels})


def test_critic_learns_from_training_cells_only():
    clean = judged(*data())
    held_out = torch.cat([SPLIT[1], SPLIT[2]])
    dirty = judged(*poisoned(*data(), held_out))
    assert dirty[0] == clean[0]
    assert dirty[1] != clean[1]
    assert dirty[2] != clean[2]
    assert judged(*poisoned(*data(), SPLIT[0]))[2] != clean[2]


def test_early_stopping_does_not_see_test_cells():
    schedule = CriticSchedule(max_epochs=10, patience=2, batch_size=64)
    clean = judged(*data(), schedule)
    dirty = judged(*poisoned(*data(), SPLIT[2]), schedule)
    assert dirty[:2] == clean[:2]
    assert dirty[2] != clean[2]


def test_same_seed_same_bits():
    assert judged(*data()) == judged(*data())
    objective = mine()
    torch.manual_seed(2)
    assert estimate(objective, *data(), SPLIT, SHORT) != judged(*data())


def test_the_objective_itself_is_not_touched():
    objective = mine()
    before = copy.deepcopy(objective.state_dict())
    estimate(objective, *data(), SPLIT, SHORT)
    for name, tensor in objective.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0, equal_nan=True)
    # A fooled training critic does not fool the estimate: the twin starts from its own weights.
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.zero_()
    assert evaluate(objective, *data(), SPLIT[2]) == pytest.approx(0, abs=1e-6)
    assert estimate(objective, *data(), SPLIT, CriticSchedule(max_epochs=20, lr=1e-2))[2] > 0.2


class Counting(Objective):
    """An objective whose critic counts its own steps."""

    name = "counting"
    has_critic = True

    def __init__(self):
        super().__init__(2)
        self.n_steps = torch.nn.Parameter(torch.zeros(()))

    def forward(self, z, qz, context):
        return self.n_steps

    def critic_loss(self, z, qz, context):
        return -self.n_steps


def scripted(monkeypatch, script, **options):
    """Number of passes of the kept critic, and number of validations, for given validation values."""
    objective, values = Counting(), iter(script)
    monkeypatch.setattr("scpareto.objectives._estimate.evaluate", lambda *args: next(values))
    schedule = CriticSchedule(max_epochs=len(script), lr=1.0, batch_size=200, **options)
    fit_critic(objective, *data(), SPLIT[0], SPLIT[1], schedule)
    return round(float(objective.n_steps.detach())), len(script) - len(list(values))


def test_patience_keeps_the_best_critic(monkeypatch):
    assert scripted(monkeypatch, [0.1, 0.5, 0.2, 0.3, 0.4, 0.9], patience=3) == (2, 5)
    assert scripted(monkeypatch, [0.1, 0.5, 0.2, 0.3, 0.6, 0.1], patience=3) == (5, 6)


def test_without_patience_the_last_critic_is_kept(monkeypatch):
    assert scripted(monkeypatch, [0.5, 0.1, 0.2], patience=None) == (3, 0)


def test_max_steps_ends_the_training(monkeypatch):
    assert scripted(monkeypatch, [0.1, 0.2, 0.3, 0.4], patience=9, max_steps=2) == (2, 2)


def test_evaluation_averages_draws_without_gradients():
    class Draw(Objective):
        name = "draw"

        def forward(self, z, qz, context):
            return z.mean() + 0 * qz.loc.sum()

    codes, context = data()
    wide = Normal(codes.loc, torch.full_like(codes.loc, 10.0))
    few = [evaluate(Draw(2), wide, context, SPLIT[2], n_draws=1) for _ in range(100)]
    many = [evaluate(Draw(2), wide, context, SPLIT[2], n_draws=25) for _ in range(100)]
    assert np.std(few) / np.std(many) == pytest.approx(5, rel=0.3)
    assert np.mean(many) == pytest.approx(float(codes.loc[SPLIT[2]].mean()), abs=0.1)


def test_an_objective_without_critic_is_read_as_it_is():
    class Mean(Objective):
        name = "mean"

        def __init__(self, n_latent=2, **options):
            super().__init__(n_latent, on="mean")

        def forward(self, z, qz, context):
            return self.codes(z, qz).mean()

        def fresh(self):
            return Mean()

    codes, context = data()
    expected = [float(codes.loc[part].mean()) for part in SPLIT]
    assert estimate(Mean(), codes, context, SPLIT) == pytest.approx(expected, rel=1e-5)
