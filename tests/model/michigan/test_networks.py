"""Generator, critic and gradient penalty against values found by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scpareto.model.michigan import Critic, Generator, MichiGANModule, gradient_penalty


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_gradient_penalty_of_a_linear_critic_by_hand():
    """The gradient of ``w x`` is ``w`` everywhere: the penalty is (|w| - 1)^2."""
    weight = torch.tensor([3.0, 4.0])
    value = gradient_penalty(lambda x: x @ weight, torch.randn(5, 2), torch.randn(5, 2), torch.rand(5, 1))
    assert float(value) == pytest.approx((5.0 - 1.0) ** 2, rel=1e-5)


def test_gradient_penalty_of_a_quadratic_critic_by_hand():
    """The gradient of |x|^2 / 2 is x, here half-way between real and generated."""
    real, fake = torch.tensor([[2.0, 0.0], [0.0, 6.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    value = gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, torch.full((2, 1), 0.5))
    assert float(value) == pytest.approx(((1.0 - 1) ** 2 + (4.0 - 1) ** 2) / 2, rel=1e-5)


def test_gradient_penalty_can_be_differentiated_where_a_critic_is_flat():
    weight = torch.zeros(2, requires_grad=True)
    value = gradient_penalty(lambda x: x @ weight, torch.randn(5, 2), torch.randn(5, 2), torch.rand(5, 1))
    (gradient,) = torch.autograd.grad(value, weight)
    assert torch.isfinite(gradient).all()


def test_one_place_for_the_whole_minibatch():
    seen = []

    def critic(x):
        seen.append(x)
        return x.sum(1)

    real, fake = torch.ones(4, 2), torch.zeros(4, 2)
    gradient_penalty(critic, real, fake, torch.full((1, 1), 0.3))
    torch.testing.assert_close(seen[0], torch.full((4, 2), 0.3))


@pytest.mark.parametrize("wide", [False, True])
def test_projection_critic_is_the_unconditional_one_at_zero_codes(wide):
    critic = Critic(6, 3, n_hidden=[8], wide_features=wide).eval()
    plain = Critic(6, 3, n_hidden=[8], conditioning="none", wide_features=wide).eval()
    plain.load_state_dict({k: v for k, v in critic.state_dict().items() if not k.startswith("projection")})
    x = torch.randn(7, 6)
    torch.testing.assert_close(critic(x, torch.zeros(7, 3)), plain(x, torch.randn(7, 3)), rtol=0, atol=0)
    assert not torch.allclose(critic(x, torch.ones(7, 3)), plain(x, torch.ones(7, 3)))


def test_projection_by_hand():
    critic = Critic(6, 3, n_hidden=[8]).eval()
    x, c = torch.randn(7, 6), torch.randn(7, 3)
    h = critic.features(x, c)
    assert (h >= 0).all()
    expected = h @ critic.score.weight[0] + critic.score.bias + (c * h).sum(1)
    torch.testing.assert_close(critic(x, c), expected)


def test_concatenation_sees_codes_in_its_features():
    critic = Critic(6, 3, n_hidden=[8], conditioning="concatenation").eval()
    x = torch.randn(7, 6)
    assert not torch.allclose(critic.features(x, torch.zeros(7, 3)), critic.features(x, torch.ones(7, 3)))


def test_information_bound_of_a_constant_guess():
    """A guess of zero for standard normal codes: minus n (log 2 pi / 2 + 1 / 2), -14.19 for ten dimensions."""
    critic = Critic(4, 10, n_hidden=[8], n_inferred=10)
    critic.inferred = nn.Sequential(nn.Linear(10, 10))
    nn.init.zeros_(critic.inferred[0].weight)
    nn.init.zeros_(critic.inferred[0].bias)
    codes = torch.randn(20_000, 10)
    value = critic.information(torch.randn(20_000, 4), codes)
    assert float(value) == pytest.approx(-10 * (0.5 * math.log(2 * math.pi) + 0.5), abs=0.05)


def test_published_architecture():
    module = MichiGANModule(2000)
    widths = [layer.fc_layers[0][0].out_features for layer in module.generator.hidden.layers]
    assert widths == [256, 512, 1024]
    assert module.generator.hidden.layers[0].fc_layers[0][0].in_features == 128
    assert [layer.fc_layers[0][0].out_features for layer in module.critic.hidden.layers] == [1024, 512, 10]
    kinds = [type(layer.fc_layers[0][3]).__name__ for layer in module.critic.hidden.layers]
    assert kinds == ["LeakyReLU", "LeakyReLU", "ReLU"]
    assert not any(isinstance(m, nn.Dropout) for m in module.critic.modules())
    slopes = {m.negative_slope for m in module.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}


@pytest.mark.parametrize("output", ["counts", "nb"])
def test_outputs_of_counts_add_up_to_the_library_size(output):
    generator = Generator(3, 5, 20, n_hidden=[16], output=output).eval()
    library = torch.tensor([[100.0], [5000.0]])
    rate = generator(torch.randn(2, 3), torch.randn(2, 5), library)
    assert (rate >= 0).all()
    torch.testing.assert_close(rate.sum(1, keepdim=True), library)


def test_negative_binomial_counts_have_mean_variance_and_a_gradient():
    generator = Generator(3, 5, 2, n_hidden=[16], output="nb")
    rate = torch.tensor([2.0, 9.0]).repeat(40_000, 1).requires_grad_(True)
    counts = generator.sample_counts(rate)
    values = counts.detach()
    assert torch.equal(values, values.round())
    torch.testing.assert_close(values.mean(0), torch.tensor([2.0, 9.0]), rtol=0.03, atol=0)
    # Dispersion starts at theta = 1: variance mu + mu^2.
    torch.testing.assert_close(values.var(0), torch.tensor([6.0, 90.0]), rtol=0.06, atol=0)
    (gradient,) = torch.autograd.grad(counts.mean(), rate)
    # The derivative of the expected mean with respect to each of the 80,000 rates.
    assert float(gradient.sum()) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MichiGANModule(5, output="zinb"), "output='zinb' is unknown; choose linear, counts, nb"),
        (lambda: MichiGANModule(5, conditioning="film"), "conditioning='film' is unknown"),
        (lambda: Generator(2, 2, 3, n_hidden=[4], output="nb")(torch.zeros(1, 2), torch.zeros(1, 2)), "library size"),
        (lambda: Critic(2, 2, n_hidden=[4]).information(torch.zeros(1, 2), torch.zeros(1, 2)), "infers no codes"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
