from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal

from scpareto.objectives import Classifier, Context, CriticSchedule, MineExact, estimate


def posterior(codes):
    return Normal(codes, torch.full_like(codes, 1e-6))


class Fixed(torch.nn.Module):
    """A critic with given scores."""

    def __init__(self, scores):
        super().__init__()
        self.scores = torch.nn.Parameter(torch.as_tensor(scores, dtype=torch.float32))

    def forward(self, codes):
        return self.scores[: len(codes)]


def test_held_out_value_meets_the_truth(known_case):
    margin = 0.02 if known_case.truth == 0 else 0.05
    assert known_case.held_out("classifier") == pytest.approx(known_case.truth, abs=margin)


def test_value_grows_with_dependence(levels):
    distances = (0.0, 0.5, 1.0, 3.0)
    values = [levels([d * i for i in range(10)], [1] * 10, n_cells=3000).held_out("classifier") for d in distances]
    assert (np.diff(values) > 0.1).all()
    assert values[-1] < math.log(10)


def test_value_is_entropy_minus_cross_entropy():
    rng = np.random.default_rng(0)
    labels, scores = np.repeat([0, 1, 2], [5, 3, 2]), rng.normal(size=(10, 3))
    proportions = np.array([0.5, 0.3, 0.2])
    posterior_of_levels = proportions * np.exp(scores) / (proportions * np.exp(scores)).sum(1, keepdims=True)
    cross_entropy = -np.log(posterior_of_levels[np.arange(10), labels]).mean()
    entropy = -(proportions * np.log(proportions)).sum()
    classifier = Classifier(1, 3)
    context = Context(categorical={"batch": torch.tensor(labels)})
    classifier.observe(context)
    classifier.critic = Fixed(scores)
    z = torch.zeros(10, 1)
    value = float(classifier(z, posterior(z), context).detach())
    assert value == pytest.approx(entropy - cross_entropy, abs=1e-6)
    assert float(classifier.critic_loss(z, posterior(z), context).detach()) == pytest.approx(-value, abs=1e-6)


def test_value_within_soft_clusters_has_the_mixture_as_prior():
    types = torch.tensor([[0.75, 0.25], [0.25, 0.75], [1.0, 0.0], [0.0, 1.0]])
    context = Context(categorical={"batch": torch.tensor([0, 1, 0, 1])}, clusters={"types": types})
    classifier = Classifier(1, 2, given="types", n_clusters=2)
    classifier.proportions.copy_(torch.tensor([[0.8, 0.2], [0.4, 0.6]]))
    scores = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, 0.0]])
    classifier.critic = Fixed(scores)
    prior = np.array([[0.7, 0.3], [0.5, 0.5], [0.8, 0.2], [0.4, 0.6]])
    ratios = np.exp(scores) / (prior * np.exp(scores)).sum(1, keepdims=True)
    z = torch.zeros(4, 1)
    expected = np.log(ratios[np.arange(4), [0, 1, 0, 1]]).mean()
    assert float(classifier(z, posterior(z), context).detach()) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    n_cells=st.integers(1, 30),
    n_levels=st.integers(2, 6),
    n_clusters=st.integers(1, 4),
    scale=st.sampled_from([0.01, 1.0, 30.0, 1e4]),
)
def test_classifier_is_never_looser_than_the_exact_marginal(seed, n_cells, n_levels, n_clusters, scale):
    """The same network, cells and proportions: normalising the scores of each cell only tightens the bound."""
    torch.manual_seed(seed)
    z = torch.randn(n_cells, 2)
    types = torch.randn(n_cells, n_clusters).mul(3).softmax(1)
    context = Context(categorical={"batch": torch.randint(n_levels, (n_cells,))}, clusters={"types": types})
    options = {"given": "types", "n_clusters": n_clusters} if n_clusters > 1 else {}
    classifier = Classifier(2, n_levels, n_hidden=8, n_layers=1, **options)
    classifier.observe(context)
    with torch.no_grad():
        classifier.critic.layers[-1].weight.mul_(scale)
    exact = MineExact(2, n_levels, n_hidden=8, n_layers=1, **options)
    exact.load_state_dict(classifier.state_dict(), strict=False)
    with torch.no_grad():
        normalised, bound = float(classifier(z, posterior(z), context)), float(exact(z, posterior(z), context))
    assert normalised >= bound - 1e-5 * (1 + scale)


def test_value_does_not_exceed_the_entropy(minibatch):
    """A classifier that knows every label, on cells with the proportions it was told."""
    z, qz, context = minibatch()
    labels = context.categorical["batch"]
    classifier = Classifier(3, 4)
    classifier.observe(context)
    classifier.critic = Fixed(100 * torch.eye(4)[labels])
    shares = np.bincount(labels) / len(labels)
    value = float(classifier(z, qz, context).detach())
    assert value == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-5)


def test_an_estimate_takes_proportions_from_training_cells():
    """Labels of other cells change the reading, and neither the proportions nor the critic."""
    torch.manual_seed(0)
    codes = posterior(torch.randn(300, 2))
    split = torch.arange(300).split([200, 50, 50])
    values = []
    for rare in (0, 1):
        labels = torch.arange(300) % 2
        labels[200:] = rare
        torch.manual_seed(1)
        schedule = CriticSchedule(max_epochs=2, patience=None)
        values.append(estimate(Classifier(2, 2), codes, Context(categorical={"batch": labels}), split, schedule))
    assert values[0][0] == values[1][0]
    assert values[0][2] != values[1][2]
