from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal

from scpareto.objectives import Context, Mine, get_objective


def posterior(codes, scale=1e-6):
    return Normal(codes, torch.full_like(codes, scale))


class Scores(nn.Module):
    """A critic whose scores are the first input, so that a test chooses them."""

    def forward(self, x):
        return x[:, :1]


def scoring(**options):
    """Mine on one-dimensional codes that are the scores themselves."""
    mine = Mine(1, 2, standardize=False, **options)
    mine.critic = Scores()
    return mine


def score(mine, values, *, loss=False):
    z = torch.as_tensor(values, dtype=torch.float32)[:, None]
    context = Context(categorical={"batch": torch.zeros(len(z), dtype=torch.long)})
    return (mine.critic_loss if loss else mine)(z, posterior(z), context)


def test_held_out_value_meets_the_truth(known_case):
    margin = 0.02 if known_case.truth == 0 else 0.1
    assert known_case.held_out("mine") == pytest.approx(known_case.truth, abs=margin)


def test_held_out_value_meets_the_truth_of_a_continuous_nuisance(correlated):
    assert correlated.held_out("mine") == pytest.approx(correlated.truth, abs=0.1)


def test_value_is_the_donsker_varadhan_bound():
    """Mean score of the pairs, minus the log mean exponential score: both are known when codes are scores."""
    values = np.array([0.3, -1.2, 2.0, 0.0])
    expected = values.mean() - np.log(np.exp(values).mean())
    assert float(score(scoring(), values)) == pytest.approx(expected, abs=1e-6)


def test_codes_are_shuffled_against_their_labels():
    """With a critic that multiplies code and label, every permutation has its own value; most are below the pairs'."""

    class Product(nn.Module):
        def forward(self, x):
            return x[:, :1] * (x[:, 2:] - x[:, 1:2])

    mine = Mine(1, 2, standardize=False)
    mine.critic = Product()
    labels = torch.arange(40) % 2
    z = (2.0 * labels - 1)[:, None]
    context = Context(categorical={"batch": labels})
    values = {round(float(mine(z, posterior(z), context)), 5) for _ in range(20)}
    # Pairs agree always (score 1); shuffled ones half of the time (scores 1 and -1, log cosh(1) on average).
    assert len(values) > 3
    assert np.mean(list(values)) == pytest.approx(1 - math.log(math.cosh(1)), abs=0.1)


@pytest.mark.parametrize("values", [[1e4, 9e3, 1e4, 0], [-1e4, -9e3, -1e4, -9e3]])
def test_huge_scores_do_not_overflow(values):
    value = float(score(scoring(), values))
    assert value == pytest.approx(np.mean(values) - max(values) + math.log(4 / values.count(max(values))), rel=1e-5)
    mine = scoring()
    score(mine, [0.0, 0.0], loss=True)
    # The running mean takes in the newest minibatch first, so that the ratio has a limit.
    jumped = score(mine, values, loss=True)
    assert torch.isfinite(jumped)
    assert float(jumped) + np.mean(values) <= 1 / mine.ema_rate + 1


def test_codes_that_coincide_have_no_information(minibatch):
    mine = Mine(3, 4)
    z, _, context = minibatch()
    z = torch.zeros_like(z).requires_grad_()
    value = mine(z, posterior(z.detach()), context)
    value.backward()
    assert float(value.detach()) <= 1e-6, "Jensen: constant codes leave the mean below the log mean exponential"


def test_an_absent_batch_keeps_its_column(minibatch):
    """The same cells score the same whether or not another batch is in the minibatch."""
    torch.manual_seed(0)
    mine = Mine(3, 4, standardize=False).eval()
    z, _, _ = minibatch(n_cells=2)
    inputs = []
    mine.critic.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    for labels in ([3, 3], [3, 0]):
        mine(z, posterior(z), Context(categorical={"batch": torch.tensor(labels)}))
    torch.testing.assert_close(inputs[0][0, 3:], torch.tensor([0.0, 0.0, 0.0, 1.0]))
    torch.testing.assert_close(inputs[0][0], inputs[1][0])


@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_running_mean_follows_the_published_recursion(rate):
    mine = scoring(ema_rate=rate)
    assert torch.isnan(mine.log_running_mean)
    rng = np.random.default_rng(0)
    batches = rng.normal(size=(6, 8)) + np.arange(6)[:, None]
    means = np.exp(batches).mean(1)
    running = means[0]
    for i, (batch, mean) in enumerate(zip(batches, means, strict=True)):
        loss = score(mine, batch, loss=True)
        running = mean if i == 0 else (1 - rate) * running + rate * mean
        assert float(mine.log_running_mean.exp()) == pytest.approx(running, rel=1e-5)
        # The update comes before the use.
        assert float(loss) == pytest.approx(mean / running - batch.mean(), rel=1e-5, abs=1e-5)


def test_critic_gradient_divides_by_the_running_mean():
    """The running mean is a constant of the loss: the gradient is that of mean(exp f) / a - mean f."""
    mine = scoring()
    score(mine, [3.0, 3.0], loss=True)
    z = torch.tensor([[0.5], [1.0]], requires_grad=True)
    mine.critic_loss(z, posterior(z.detach()), Context(categorical={"batch": torch.zeros(2).long()})).backward()
    running = math.exp(float(mine.log_running_mean))
    expected = z.detach().exp() / 2 / running - 0.5
    torch.testing.assert_close(z.grad, expected)


def test_the_value_leaves_running_mean_and_moments_alone(minibatch):
    mine = Mine(3, 4)
    mine.critic_loss(*minibatch())
    before = copy.deepcopy(mine.state_dict())
    assert {"log_running_mean", "standardizer.mean", "standardizer.variance"} <= set(before)
    mine(*minibatch(seed=1))
    for name, tensor in mine.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    mine.critic_loss(*minibatch(seed=1))
    assert mine.log_running_mean != before["log_running_mean"]
    assert (mine.standardizer.mean != before["standardizer.mean"]).all()


def test_running_mean_survives_a_state_dict(minibatch):
    mine = Mine(3, 4)
    mine.critic_loss(*minibatch())
    twin = mine.fresh()
    twin.load_state_dict(mine.state_dict())
    assert torch.isfinite(twin.log_running_mean)
    losses = []
    for each in (mine, twin):
        torch.manual_seed(0)
        losses.append(float(each.critic_loss(*minibatch(seed=1)).detach()))
    assert losses[0] == losses[1]


def test_fresh_has_the_same_options_and_other_weights():
    options = {"n_latent": 3, "n_categories": 4, "target": "donor", "on": "both", "n_hidden": 7, "n_layers": 2}
    options |= {
        "init": "normal",
        "standardize": False,
        "n_ends": 0,
        "ema_rate": 0.5,
        "given": "types",
        "n_clusters": 6,
        "floor": 0.2,
    }
    mine = get_objective("mine", **options)
    twin = mine.fresh()
    assert mine.options == twin.options == options
    assert torch.isnan(twin.log_running_mean).all()
    for (name, old), new in zip(mine.named_parameters(), twin.parameters(), strict=True):
        assert old.shape == new.shape
        if name.endswith("weight"):
            assert (old != new).all()


def test_codes_are_shuffled_within_clusters_and_keep_their_memberships():
    torch.manual_seed(0)
    mine = Mine(1, 2, given="types", n_clusters=2, standardize=False)
    cluster = torch.arange(30) // 20
    z = torch.arange(30.0)[:, None]
    context = Context(categorical={"batch": torch.arange(30) % 2}, clusters={"types": torch.eye(2)[cluster]})
    inputs = []
    mine.critic.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    mine(z, posterior(z), context)
    pairs, shuffled = inputs[0].chunk(2)
    assert sorted(shuffled[:20, 0].tolist()) == list(range(20))
    assert sorted(shuffled[20:, 0].tolist()) == list(range(20, 30))
    assert (shuffled[:, 0] != z[:, 0]).sum() > 15
    torch.testing.assert_close(shuffled[:, 3:], pairs[:, 3:], msg="levels stay in place")
    torch.testing.assert_close(shuffled[:, 1:3], context.clusters["types"][shuffled[:, 0].long()])


def test_clusters_are_drawn_from_soft_memberships():
    """A quarter of the membership is a quarter of the shuffles, and the share of the bound."""
    torch.manual_seed(0)
    mine = Mine(1, 2, given="types", n_clusters=2)
    z = torch.randn(4000, 1)
    types = torch.tensor([0.25, 0.75]).expand(4000, 2)
    inputs = mine.critic_input(z, posterior(z), Context({"batch": torch.arange(4000) % 2}, clusters={"types": types}))
    share, _, _ = mine.terms(inputs)
    torch.testing.assert_close(share, torch.tensor([0.25, 0.75]), atol=0.03, rtol=0)
