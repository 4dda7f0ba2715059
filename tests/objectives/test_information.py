from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Classifier, Context, Mine, MineExact, get_objective

NAMES = ["classifier", "mine", "mine_exact", "smile"]
GIVEN = {"given": "types", "n_clusters": 3}

every_objective = pytest.mark.parametrize("name", NAMES)
marginal_and_given = pytest.mark.parametrize("options", [{}, GIVEN], ids=["marginal", "given types"])


def posterior(codes):
    return Normal(codes, torch.full_like(codes, 1e-6))


def built(name, **options):
    torch.manual_seed(0)
    return get_objective(name, **({"n_latent": 3, "n_categories": 4} | options))


def score(objective, *cells):
    """Value with the same random numbers each time."""
    torch.manual_seed(1)
    return objective(*cells)


@every_objective
@pytest.mark.parametrize(("soft", "apart"), [(False, 3.0), (True, 2.0)], ids=["hard", "soft"])
def test_composition_of_clusters_is_not_information_within_them(name, soft, apart, clusters):
    simulated = clusters(apart=apart, shift=0.0, soft=soft)
    assert simulated.truth == pytest.approx(0, abs=1e-9)
    assert simulated.held_out(name) <= 0.01


def test_composition_of_clusters_is_information(clusters):
    simulated = clusters(apart=20.0, shift=0.0, soft=False)
    marginal = Context(categorical=simulated.context.categorical)
    entropy = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    value = type(simulated)(simulated.codes, marginal, math.nan).held_out("classifier")
    assert value == pytest.approx(math.log(2) - entropy, abs=0.05)


@pytest.mark.parametrize(("name", "margin"), [("classifier", 0.05), ("mine_exact", 0.1), ("mine", 0.1), ("smile", 0.1)])
def test_information_within_clusters_meets_the_truth(name, margin, clusters):
    simulated = clusters(apart=3.0, shift=3.0, soft=False)
    assert simulated.truth > 0.3
    assert simulated.held_out(name) == pytest.approx(simulated.truth, abs=margin)


def test_proportions_are_those_of_the_cells_observed():
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    marginal = Classifier(2, 3)
    torch.testing.assert_close(marginal.proportions, torch.full((1, 3), 1 / 3))
    marginal.observe(Context(categorical={"batch": labels}))
    torch.testing.assert_close(marginal.proportions, torch.tensor([[3, 2, 1]]) / 6)
    types = torch.tensor([[1, 0], [0.5, 0.5], [0, 1], [1, 0], [0, 1], [0.5, 0.5]])
    given = Classifier(2, 3, given="types", n_clusters=2, floor=0.0)
    given.observe(Context(categorical={"batch": labels}, clusters={"types": types}))
    torch.testing.assert_close(given.proportions, torch.tensor([[1.5, 1, 0.5], [1.5, 1, 0.5]]) / 3)


@pytest.mark.parametrize("n_levels", [2, 20])
def test_levels_absent_from_a_cluster_cost_little(n_levels):
    """A classifier that knows the proportions of each cluster, and nothing else, finds the floor only."""
    labels = torch.arange(2000) % 2
    objective = Classifier(1, n_levels, given="types", n_clusters=2)
    types = torch.nn.functional.one_hot(torch.arange(2000) // 1000, 2)
    context = Context(categorical={"batch": labels}, clusters={"types": types})
    objective.observe(context)
    with torch.no_grad():
        objective.critic.layers[-1].weight.zero_()
        objective.critic.layers[-1].bias.copy_(torch.tensor([0.0, 0.0] + [-50.0] * (n_levels - 2)))
        value = float(objective(torch.zeros(2000, 1), posterior(torch.zeros(2000, 1)), context))
    assert -1e-6 <= value <= (n_levels - 2) * objective.floor + 1e-6
    assert value <= 0.02


@every_objective
def test_a_cluster_of_a_single_level_does_not_count(name, minibatch):
    z, qz, context = minibatch(n_cells=300)
    types = torch.nn.functional.one_hot(torch.arange(300) % 3, 3)
    labels = torch.where(types[:, 1] == 1, 2, context.categorical["batch"])
    labels[1] = 0  # one of a hundred cells makes no second level
    objective = built(name, **GIVEN)
    assert objective.single_level_clusters == []
    objective.observe(Context(categorical={"batch": labels}, clusters={"types": types}))
    assert objective.single_level_clusters == [1]
    assert built(name).single_level_clusters == []
    for within, cells in ((True, types[:, 1] == 1), (False, types[:, 1] == 0)):
        codes = z.clone().requires_grad_()
        context = Context(categorical={"batch": labels}, clusters={"types": types})
        for function in (objective, objective.critic_loss):
            (gradient,) = torch.autograd.grad(function(codes, qz, context), codes)
            assert bool((gradient[cells] == 0).all()) is within


@marginal_and_given
@every_objective
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda z, s, c: (torch.zeros_like(z), s, c), id="codes coincide"),
        pytest.param(lambda z, s, c: (z, torch.full_like(s, 2), c), id="one batch only"),
        pytest.param(lambda z, s, c: (z, s.clamp(max=2), c), id="a batch absent"),
        pytest.param(lambda z, s, c: (z, s, torch.eye(3)[2 * (c[:, 0] > 0.5).long()]), id="a cluster absent"),
        pytest.param(lambda z, s, c: (z[:2], s[:2], torch.eye(3)[:2]), id="clusters of one cell"),
        pytest.param(lambda z, s, c: (1e5 * z, s, c), id="huge scores"),
    ],
)
def test_gradients_are_finite(change, name, options, minibatch):
    z, _, context = minibatch()
    z, labels, types = change(z, context.categorical["batch"], context.clusters["types"])
    for standardize in (True, False):
        objective = built(name, standardize=standardize, **options)
        objective.observe(context)
        cells = Context(categorical={"batch": labels}, clusters={"types": types})
        for function in (objective.critic_loss, objective):
            codes = z.clone().requires_grad_()
            objective.zero_grad()
            value = function(codes, posterior(z), cells)
            value.backward()
            assert torch.isfinite(value)
            assert torch.isfinite(codes.grad).all()
            assert all(torch.isfinite(p.grad).all() for p in objective.parameters())


@marginal_and_given
@every_objective
def test_half_precision_codes_are_judged_in_single_precision(name, options, minibatch):
    objective = built(name, **options)
    z, _, context = minibatch()
    objective.critic_loss(z, posterior(z), context)
    rounded = z.half()
    value = score(objective, rounded, posterior(z), context)
    assert value.dtype == torch.float32
    assert float(value.detach()) == float(score(objective, rounded.float(), posterior(z), context).detach())


@every_objective
def test_means_and_samples_are_judged_as_asked(name, minibatch):
    z, _, context = minibatch()
    means = torch.randn_like(z)
    by_sample, by_mean, both = (built(name, on=on, **GIVEN) for on in ("sample", "mean", "both"))
    for objective in (by_mean, both):
        objective.load_state_dict(by_sample.state_dict())
    in_samples = float(score(by_sample, z, posterior(means), context).detach())
    assert float(score(by_mean, means + 9, posterior(z), context).detach()) == in_samples
    assert float(score(by_mean, z, posterior(means), context).detach()) != in_samples
    # Twice as many cells, each with its own nuisance and clusters.
    twice = Context.concatenate([context, context])
    stacked = torch.cat([means, z])
    expected = float(score(by_sample, stacked, posterior(stacked), twice).detach())
    assert float(score(both, z, posterior(means), context).detach()) == expected


@marginal_and_given
@every_objective
def test_state_dict_holds_all_that_was_learnt(name, options, minibatch):
    objective = built(name, **options)
    z, qz, context = minibatch()
    objective.observe(context)
    objective.critic_loss(z, qz, context)
    twin = objective.fresh()
    assert type(twin) is type(objective)
    assert twin.options == objective.options
    assert float(score(twin, z, qz, context).detach()) != float(score(objective, z, qz, context).detach())
    twin.load_state_dict(objective.state_dict())
    assert twin.single_level_clusters == objective.single_level_clusters
    for function, own in ((twin, objective), (twin.critic_loss, objective.critic_loss)):
        assert float(score(function, z, qz, context).detach()) == float(score(own, z, qz, context).detach())


@every_objective
def test_the_value_changes_nothing(name, minibatch):
    objective = built(name, **GIVEN)
    z, qz, context = minibatch()
    objective.critic_loss(z, qz, context)
    before = copy.deepcopy(objective.state_dict())
    objective(*minibatch(seed=1))
    for key, tensor in objective.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0, equal_nan=True)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="n_categories=1.*two levels"):
        Mine(3, 1)
    for name in ("classifier", "mine_exact"):
        with pytest.raises(ValueError, match=f"n_categories=None.*'{name}' needs a categorical nuisance"):
            get_objective(name, n_latent=3)
    with pytest.raises(ValueError, match="given='types' needs n_clusters of at least 2, got 1"):
        MineExact(3, 2, given="types")
