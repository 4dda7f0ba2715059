from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Context, CriticSchedule, PriorDivergence, estimate, get_objective

# Squared discrepancy (v statistic) of 256 codes in ten dimensions.
CASES = {
    "prior": lambda: torch.randn(256, 10),
    "collapsed": lambda: torch.zeros(256, 10),
    "half the width": lambda: 0.5 * torch.randn(256, 10),
    "shifted by a half": lambda: 0.5 + torch.randn(256, 10),
    "one active dimension": lambda: torch.randn(256, 10) * torch.eye(10)[0],
}
TABLE = {
    "tutorial": (0.0014, 0.011, 0.006, 0.041, 0.009),
    "rbf": (0.0048, 0.161, 0.079, 0.084, 0.129),
    "multirbf": (0.0047, 0.262, 0.095, 0.060, 0.194),
    "imq": (0.0039, 0.267, 0.064, 0.041, 0.172),
}
DIVERGENCES = pytest.mark.parametrize("divergence", ["mmd", "js", "stein"])


def call(objective, z, scale=1e-6):
    return objective(z, Normal(z.float(), torch.full(z.shape, scale)), Context())


def seeded(objective, z):
    """Value against the same draws of the prior each time."""
    torch.manual_seed(0)
    return call(objective, z)


@pytest.mark.parametrize("kernel", TABLE)
def test_discrepancy_of_typical_codes(kernel):
    torch.manual_seed(0)
    objective = PriorDivergence(10, kernel=kernel, statistic="v")
    for codes, expected in zip(CASES.values(), TABLE[kernel], strict=True):
        value = np.mean([float(call(objective, codes())) for _ in range(20)])
        assert value == pytest.approx(expected, rel=0.08, abs=9e-4)


@pytest.mark.parametrize("kernel", TABLE)
def test_statistics_differ_by_the_diagonals(kernel):
    z = torch.randn(100, 4)
    u, v = (float(seeded(PriorDivergence(4, kernel=kernel, statistic=s), z)) for s in "uv")
    # Both means within the sample lose 1/n of the 1 - k on the diagonal.
    assert 0 < v - u < 2 / 100
    assert v > 0


@pytest.mark.parametrize("options", [{"kernel": kernel} for kernel in TABLE] + [{"divergence": "stein"}])
@pytest.mark.parametrize("on", ["sample", "both"])
def test_unbiased_statistic_is_zero_on_average_at_the_prior(options, on):
    """Two codes of a cell, each standard Gaussian, are not independent of each other; both alone are."""
    torch.manual_seed(0)
    objective = PriorDivergence(5, on=on, **options)
    values = []
    for _ in range(150):
        z, other = torch.randn(64, 5), torch.randn(64, 5)
        qz = Normal(0.8 * z + 0.6 * other, torch.ones_like(z))
        values.append(float(objective(z, qz, Context())))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("options", [{"kernel": kernel} for kernel in TABLE] + [{"divergence": "stein"}])
def test_value_grows_with_the_distance_from_the_prior(options):
    torch.manual_seed(0)
    objective = PriorDivergence(5, **options)
    for change in (lambda z, x: z + x, lambda z, x: z * (1 - x / 2)):
        means = [
            np.mean([float(call(objective, change(torch.randn(128, 5), x))) for _ in range(20)]) for x in (0, 1, 2)
        ]
        assert (np.diff(means) > 0.003).all()


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_held_out_density_ratio_meets_the_truth(shift):
    torch.manual_seed(0)
    z = torch.randn(6000, 2) + torch.tensor([shift, 0.0])
    objective = PriorDivergence(2, divergence="js", n_hidden=32, n_layers=2)
    schedule = CriticSchedule(max_epochs=15, lr=3e-3, batch_size=300, patience=4)
    split = torch.randperm(6000).split([3000, 1000, 2000])
    value = estimate(objective, Normal(z, torch.full_like(z, 1e-6)), Context(), split, schedule)[-1]
    x = np.linspace(-8, 10, 4001)
    p, q = (np.exp(-((x - mean) ** 2) / 2) / math.sqrt(2 * math.pi) for mean in (0, shift))
    mixture = (p + q) / 2
    truth = np.sum(p * np.log(p / mixture) + q * np.log(q / mixture)) * (x[1] - x[0])
    assert value == pytest.approx(truth, abs=0.05)


@torch.no_grad()
def test_density_ratio_of_given_scores():
    """A critic that scores 0 knows nothing; one that is certain finds the greatest value."""
    objective = PriorDivergence(3, divergence="js")
    for parameter in objective.parameters():
        torch.nn.init.zeros_(parameter)
    z = torch.randn(50, 3)
    assert float(call(objective, z)) == pytest.approx(0, abs=1e-6)

    class FarFromTheOrigin(torch.nn.Module):
        def forward(self, x):
            return 100 * (50 - x.norm(dim=1, keepdim=True))

    objective.measure.critic = FarFromTheOrigin()
    assert float(call(objective, z + 100)) == pytest.approx(2 * math.log(2), abs=1e-6)


def test_only_a_density_ratio_has_a_critic():
    z = torch.randn(20, 3)
    qz = Normal(z, torch.ones_like(z))
    for divergence in ("mmd", "stein"):
        objective = PriorDivergence(3, divergence=divergence)
        assert not objective.has_critic
        with pytest.raises(TypeError, match="no critic"):
            objective.critic_loss(z, qz, Context())
    objective = PriorDivergence(3, divergence="js")
    assert objective.has_critic
    assert not PriorDivergence.has_critic
    value = seeded(objective, z)
    torch.manual_seed(0)
    torch.testing.assert_close(objective.critic_loss(z, qz, Context()), -value)


def stein_kernel_by_differentiation(x, y, variance):
    """Stein operator of N(0, I) on both sides of the Gaussian kernel."""

    def kernel(x, y):
        return torch.exp(-(x - y).square().sum() / (2 * variance))

    def once(x, y):
        return -x * kernel(x, y) + torch.func.grad(kernel, 0)(x, y)

    return (-y * once(x, y)).sum() + torch.func.jacrev(once, 1)(x, y).trace()


@pytest.mark.parametrize("statistic", ["u", "v"])
def test_stein_value_is_its_definition(statistic):
    torch.manual_seed(0)
    z = 1.3 * torch.randn(6, 3)
    table = torch.tensor([[stein_kernel_by_differentiation(a, b, 3.0) for b in z] for a in z])
    expected = table.mean() if statistic == "v" else (table.sum() - table.trace()) / 30
    value = call(PriorDivergence(3, divergence="stein", statistic=statistic), z)
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)


def gradient(z):
    z = z.clone().requires_grad_()
    call(PriorDivergence(z.shape[1], divergence="stein"), z).backward()
    return z.grad


def test_stein_gradient_is_the_descent_direction():
    torch.manual_seed(0)
    z = torch.randn(6, 3)
    direction = torch.zeros_like(z)
    for i in range(6):
        for j in range(6):

            def kernel(x, end=z[i]):
                return torch.exp(-(x - end).square().sum() / 6)

            direction[i] += (-kernel(z[j]) * z[j] + torch.func.grad(kernel)(z[j])) / 6
    torch.testing.assert_close(gradient(z), -direction / 6, atol=1e-6, rtol=1e-4)


def test_stein_descent_reaches_the_prior():
    torch.manual_seed(0)
    z = 3 + 0.3 * torch.randn(100, 2)
    for _ in range(400):
        z = z - 0.5 * len(z) * gradient(z)
    assert z.mean(0).abs().max() < 0.1
    assert z.std(0).sub(1).abs().max() < 0.15


@DIVERGENCES
def test_order_of_cells_does_not_matter(divergence):
    torch.manual_seed(0)
    objective, z = PriorDivergence(3, divergence=divergence), 0.5 * torch.randn(40, 3)
    torch.testing.assert_close(seeded(objective, z), seeded(objective, z[torch.randperm(40)]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("statistic", ["u", "v"])
def test_stein_value_of_many_codes_has_a_closed_form(statistic):
    """Kernel times (x'y + d / v - (1 / v + 1 / v^2) |x - y|^2); 700 codes are added up in two blocks."""
    torch.manual_seed(0)
    z, variance = 1.3 * torch.randn(700, 3, dtype=torch.double), 3.0
    squared = torch.cdist(z, z).square()
    table = torch.exp(-squared / (2 * variance)) * (z @ z.T + 3 / variance - (1 / variance + 1 / variance**2) * squared)
    expected = table.mean() if statistic == "v" else (table.sum() - table.trace()) / (700 * 699)
    value = call(PriorDivergence(3, divergence="stein", statistic=statistic), z.float())
    torch.testing.assert_close(value, expected.float(), atol=1e-5, rtol=1e-4)


@DIVERGENCES
@pytest.mark.parametrize(
    "z",
    [
        pytest.param(torch.zeros(20, 3), id="codes coincide"),
        pytest.param(1e4 * torch.randn(20, 3), id="far codes"),
        pytest.param(torch.randn(1, 3), id="one cell"),
    ],
)
@pytest.mark.parametrize("on", ["sample", "both"])
def test_gradients_are_finite(divergence, z, on):
    z = z.clone().requires_grad_()
    value = call(PriorDivergence(3, divergence=divergence, on=on), z)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(z.grad).all()


@DIVERGENCES
def test_half_precision_codes_are_judged_in_single_precision(divergence):
    assert call(PriorDivergence(3, divergence=divergence), torch.randn(20, 3).half()).dtype == torch.float32


def test_autocast_does_not_lower_the_precision_of_kernels():
    torch.manual_seed(0)
    for divergence in ("mmd", "stein"):
        objective, gradients = PriorDivergence(3, divergence=divergence), []
        z = torch.randn(40, 3, requires_grad=True)
        for enabled in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                gradients.append(torch.autograd.grad(seeded(objective, z), z)[0])
        torch.testing.assert_close(*gradients)


def test_fresh_has_the_same_options():
    options = {"n_latent": 3, "divergence": "js", "kernel": "rbf", "statistic": "v", "n_hidden": 7, "n_layers": 2}
    options["on"] = "both"
    objective = get_objective("prior_divergence", **options)
    twin = objective.fresh()
    assert objective.options == twin.options == options
    assert twin.has_critic
    assert [p.shape for p in twin.parameters()] == [p.shape for p in objective.parameters()]
    assert not objective.needs_nuisance


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"divergence": "kl"}, "divergence='kl'.*mmd, js, stein"),
        ({"kernel": "laplace"}, "kernel='laplace'.*imq, rbf, multirbf, tutorial"),
        ({"statistic": "w"}, "statistic='w'.*u, v"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PriorDivergence(3, **options)
