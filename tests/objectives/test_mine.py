from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal

from scpareto.objectives import Context, CriticSchedule, Mine, estimate, get_objective

SCHEDULE = CriticSchedule(max_epochs=60, lr=2e-3, batch_size=500, patience=8, max_steps=1000)
# Ten equal categories, codes N(mu_i (1, 1), sigma_i^2 I): true information, mu, sigma.
CASES = {
    1: (0.0, [0] * 10, [1] * 10),
    2: (1.954, range(0, 20, 2), [1] * 10),
    4: (0.390, [0, 1, 2, 2, 2, 3, 3, 3, 3, 4], [1] + [1.5] * 9),
    5: (0.612, [0, 2, 4, 0, 0, 2, 0, 0, 0, 0], [1] * 10),
}


def posterior(codes, scale=1e-6):
    return Normal(codes, torch.full_like(codes, scale))


def simulated(means, sds, n_cells=16_000):
    """Codes and categories of one case, and a split of the cells."""
    labels = torch.arange(n_cells) % 10
    means, sds = torch.tensor(list(means)).float()[labels], torch.tensor(sds).float()[labels]
    codes = means[:, None] + sds[:, None] * torch.randn(n_cells, 2)
    split = torch.randperm(n_cells).split([n_cells * 9 // 16, n_cells // 16, n_cells * 6 // 16])
    return posterior(codes), Context(categorical={"batch": labels}), split


def held_out(means, sds, **kwargs):
    qz, context, split = simulated(means, sds, **kwargs)
    return estimate(Mine(2, 10, n_hidden=64, n_layers=2), qz, context, split, SCHEDULE)[-1]


def minibatch(n_cells=40, n_latent=3, n_categories=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n_cells, n_latent, generator=generator)
    labels = torch.randint(n_categories, (n_cells,), generator=generator)
    return z, posterior(z), Context(categorical={"batch": labels})


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


@pytest.mark.parametrize("case", CASES)
def test_held_out_value_meets_the_truth(case):
    torch.manual_seed(case)
    truth, means, sds = CASES[case]
    assert held_out(means, sds) == pytest.approx(truth, abs=0.02 if truth == 0 else 0.1)


def test_value_grows_with_dependence():
    torch.manual_seed(0)
    distances = (0.0, 0.2, 0.5, 1.0, 3.0)
    values = [held_out([distance * i for i in range(10)], [1] * 10, n_cells=4800) for distance in distances]
    assert (np.diff(values) > 0.1).all()
    assert values[-1] < math.log(10)


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


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda z, s: (torch.zeros_like(z), s), id="codes coincide"),
        pytest.param(lambda z, s: (z, torch.full_like(s, 2)), id="one batch only"),
        pytest.param(lambda z, s: (1e4 * z, s), id="far codes"),
    ],
)
@pytest.mark.parametrize("standardize", [True, False])
def test_gradients_are_finite(change, standardize):
    torch.manual_seed(0)
    mine = Mine(3, 4, standardize=standardize)
    z, _, context = minibatch()
    z, labels = change(z, context.categorical["batch"])
    context = Context(categorical={"batch": labels})
    for function in (mine.critic_loss, mine):
        codes = z.clone().requires_grad_()
        value = function(codes, posterior(z), context)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(codes.grad).all()
        assert all(torch.isfinite(p.grad).all() for p in mine.parameters())


def test_codes_that_coincide_have_no_information():
    mine = Mine(3, 4)
    z, _, context = minibatch()
    z = torch.zeros_like(z).requires_grad_()
    value = mine(z, posterior(z.detach()), context)
    value.backward()
    assert float(value.detach()) <= 1e-6, "Jensen: constant codes leave the mean below the log mean exponential"


def test_an_absent_batch_keeps_its_column():
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


def test_the_value_leaves_running_mean_and_moments_alone():
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


def test_running_mean_survives_a_state_dict():
    mine = Mine(3, 4)
    mine.critic_loss(*minibatch())
    twin = mine.fresh()
    twin.load_state_dict(mine.state_dict())
    assert torch.isfinite(twin.log_running_mean)
    losses = []
    for each in (mine, twin):
        torch.manual_seed(0)
        losses.append(float(each.critic_loss(*minibatch(seed=1))))
    assert losses[0] == losses[1]


def test_fresh_has_the_same_options_and_other_weights():
    options = {"n_latent": 3, "n_categories": 4, "target": "donor", "on": "both", "n_hidden": 7, "n_layers": 2}
    options |= {"init": "normal", "standardize": False, "ema_rate": 0.5}
    mine = get_objective("mine", **options)
    twin = mine.fresh()
    assert mine.options == twin.options == options
    assert torch.isnan(twin.log_running_mean)
    for (name, old), new in zip(mine.named_parameters(), twin.parameters(), strict=True):
        assert old.shape == new.shape
        if name.endswith("weight"):
            assert (old != new).all()


def test_half_precision_codes_are_judged_in_single_precision():
    mine = Mine(3, 4)
    z, qz, context = minibatch()
    mine.critic_loss(z, qz, context)
    assert mine(z.half(), qz, context).dtype == torch.float32
    assert mine(z.double(), qz, context).dtype == torch.float32


def test_one_level_is_refused():
    with pytest.raises(ValueError, match="n_categories=1.*two levels"):
        Mine(3, 1)
