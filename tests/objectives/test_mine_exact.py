from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Context, MineExact


def posterior(codes):
    return Normal(codes, torch.full_like(codes, 1e-6))


def test_held_out_value_meets_the_truth(known_case):
    margin = 0.02 if known_case.truth == 0 else 0.1
    assert known_case.held_out("mine_exact") == pytest.approx(known_case.truth, abs=margin)


@pytest.mark.parametrize("clustered", [False, True])
def test_partition_term_is_the_mean_over_permutations(clustered):
    """With the proportions of the minibatch, or of its clusters, and permutations that stay within them."""
    torch.manual_seed(0)
    labels = torch.tensor([0, 0, 1, 2, 2, 1])
    cluster = torch.tensor([0, 0, 0, 1, 1, 1]) if clustered else torch.zeros(6, dtype=torch.long)
    context = Context(categorical={"batch": labels}, clusters={"types": torch.eye(2)[cluster]})
    options = {"given": "types", "n_clusters": 2, "floor": 0.0} if clustered else {}
    exact = MineExact(2, 3, **options).eval()
    exact.observe(context)
    with torch.no_grad():
        exact.critic.layers[-1].weight.mul_(20)
    z = torch.randn(6, 2)
    inputs = exact.critic_input(z, posterior(z), context)
    share, joint, log_product = (term.detach() for term in exact.terms(inputs))
    scores = exact.critic(inputs.codes).detach().double().numpy()
    orders = [list(o) for o in itertools.permutations(range(6)) if (cluster[list(o)] == cluster).all()]
    assert len(orders) == (36 if clustered else 720)
    for c in range(exact.n_clusters):
        members = np.flatnonzero(cluster == c)
        sums = [np.exp(scores[np.array(o)[members], labels[members]]).mean() for o in orders]
        assert np.ptp(sums) > 1e-3
        assert float(log_product[c].exp()) == pytest.approx(np.mean(sums), rel=1e-5)
        assert float(joint[c]) == pytest.approx(scores[members, labels[members]].mean(), abs=1e-6)
        assert float(share[c]) == len(members) / 6


def test_proportions_are_not_those_of_the_minibatch():
    exact = MineExact(1, 2)
    exact.observe(Context(categorical={"batch": torch.tensor([0, 0, 0, 1])}))
    with torch.no_grad():
        exact.critic.layers[-1].weight.zero_()
        exact.critic.layers[-1].bias.copy_(torch.tensor([1.0, 0.0]))
    z = torch.zeros(4, 1)
    balanced = Context(categorical={"batch": torch.tensor([0, 1, 0, 1])})
    expected = 0.5 - np.log(0.75 * np.e + 0.25)
    assert float(exact(z, posterior(z), balanced).detach()) == pytest.approx(expected, abs=1e-6)


def test_value_is_the_same_every_time(minibatch):
    """Nothing is shuffled."""
    exact = MineExact(3, 4)
    values = {float(exact(*minibatch()).detach()) for _ in range(5)}
    assert len(values) == 1


def test_offset_of_the_scores_does_not_matter():
    """Within each cluster, the bound has one degree of freedom to spare."""
    torch.manual_seed(0)
    exact = MineExact(2, 3, given="types", n_clusters=2)
    codes, nuisance = torch.randn(8, 2), torch.arange(8) % 3
    context = Context(categorical={"batch": nuisance}, clusters={"types": torch.eye(2)[torch.arange(8) % 2]})
    exact.observe(context)
    values = []
    for offset in (torch.zeros(2), torch.tensor([3.0, -5.0])):
        plain = MineExact(2, 3, given="types", n_clusters=2)
        plain.load_state_dict(exact.state_dict())
        plain.critic.register_forward_hook(lambda _, args, out, offset=offset: out + (args[0][:, 2:] @ offset)[:, None])
        values.append(float(plain.eval()(codes, posterior(codes), context).detach()))
    assert values[0] == pytest.approx(values[1], abs=1e-5)
