from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import MMD, Context, MMDUnbiased, estimate, get_objective

BOTH = pytest.mark.parametrize("cls", [MMD, MMDUnbiased])


def call(objective, z, levels, scale=1e-6):
    qz = Normal(z.float(), torch.full(z.shape, scale))
    return objective(z, qz, Context(categorical={"batch": torch.as_tensor(levels)}))


def two_batches(n_cells=128, *, shift=0.0, share=0.5, n_latent=10):
    """Standard Gaussian codes of two batches, the second shifted in one dimension."""
    levels = (torch.arange(n_cells) >= share * n_cells).long()
    z = torch.randn(n_cells, n_latent)
    z[:, 0] += shift * levels
    return z, levels


def draws(objective, n_draws, **options):
    return np.array([float(call(objective, *two_batches(**options))) for _ in range(n_draws)])


def kernel_matrix(z, bandwidths=(1, 2, 5, 8, 10)):
    distances = ((z[:, None] - z[None]) ** 2).sum(-1)
    return np.mean([np.exp(-np.sqrt(z.shape[1]) * distances / (2 * b**2)) for b in bandwidths], axis=0)


def standardized(z):
    z = z.numpy().astype(float)
    return (z - z.mean(0)) / z.std(0, ddof=1)


@pytest.mark.parametrize(
    ("options", "floor"),
    [({}, 0.143), ({"share": 0.8}, 0.183), ({"n_cells": 256}, 0.101)],
    ids=["50/50", "80/20", "256"],
)
def test_published_estimator_has_a_floor_without_any_effect(options, floor):
    torch.manual_seed(0)
    assert draws(MMD(10, 2), 60, **options).mean() == pytest.approx(floor, abs=0.005)


@pytest.mark.parametrize(("shift", "value"), [(1, 0.19), (2, 0.24), (4, 0.29)])
def test_published_estimator_of_a_shift_in_one_of_ten_dimensions(shift, value):
    torch.manual_seed(0)
    assert draws(MMD(10, 2), 40, shift=shift).mean() == pytest.approx(value, abs=0.007)


MINIBATCHES = pytest.mark.parametrize("n_cells", [20, 700])
"""Of 700 cells, kernels are added up in two blocks."""


@MINIBATCHES
def test_two_batches_are_compared_with_each_other(n_cells):
    torch.manual_seed(0)
    z, levels = two_batches(n_cells, shift=1, share=0.3, n_latent=3)
    kernel, first = kernel_matrix(standardized(z)), levels.numpy() == 0
    squared = kernel[first][:, first].mean() - 2 * kernel[first][:, ~first].mean() + kernel[~first][:, ~first].mean()
    assert float(call(MMD(3, 2), z, levels)) == pytest.approx(np.sqrt(squared), abs=2e-4)


def test_more_batches_are_compared_with_the_whole_and_summed():
    torch.manual_seed(0)
    z, levels = torch.randn(30, 3), torch.arange(30) % 4
    levels[levels == 3] = 0
    kernel, expected = kernel_matrix(standardized(z)), 0.0
    for level in range(3):
        own = levels.numpy() == level
        expected += np.sqrt(kernel[own][:, own].mean() - 2 * kernel[own].mean() + kernel.mean())
    # Of four levels, the last has no cell.
    assert float(call(MMD(3, 4), z, levels)) == pytest.approx(expected, abs=4e-4)
    assert float(call(MMD(3, 4, reduction="mean"), z, levels)) == pytest.approx(expected / 3, abs=2e-4)


@MINIBATCHES
def test_unbiased_estimator_is_its_definition(n_cells):
    torch.manual_seed(0)
    z, levels = (
        torch.randn(n_cells, 3),
        torch.tensor([0, 1, 2]).repeat_interleave(torch.tensor([9, 7, 4]) * n_cells // 20),
    )
    levels[-1] = 3
    kernel, values, sizes = kernel_matrix(standardized(z)), [], []

    def mean_of_pairs(cells):
        return kernel[cells][:, cells][~np.eye(cells.sum(), dtype=bool)].mean()

    for level in range(3):  # the last batch has one cell only
        own = levels.numpy() == level
        values.append(mean_of_pairs(own) - 2 * kernel[own][:, ~own].mean() + mean_of_pairs(~own))
        sizes.append(own.sum())
    assert float(call(MMDUnbiased(3, 4), z, levels)) == pytest.approx(np.average(values, weights=sizes), abs=1e-5)


@pytest.mark.parametrize("on", ["sample", "both"])
@pytest.mark.parametrize("n_categories", [2, 3])
def test_unbiased_estimator_is_zero_on_average_without_any_effect(on, n_categories):
    """Also for two codes of each cell, which resemble each other whatever the batch."""
    torch.manual_seed(0)
    objective = MMDUnbiased(10, n_categories, on=on)
    values = []
    for _ in range(300):
        qz = Normal(0.9 * torch.randn(96, 10), torch.full((96, 10), 0.3))
        levels = torch.randint(n_categories, (96,))
        values.append(float(objective(qz.sample(), qz, Context(categorical={"batch": levels}))))
    error = np.std(values) / np.sqrt(len(values))
    assert error < 4e-4
    assert abs(np.mean(values)) < 3 * error


@pytest.mark.parametrize("n_categories", [2, 3])
def test_both_codes_are_stacked(n_categories):
    torch.manual_seed(0)
    z, mean, levels = torch.randn(40, 3), torch.randn(40, 3), torch.arange(40) % n_categories
    qz = Normal(mean, torch.ones_like(mean))
    both = MMD(3, n_categories, on="both")(z, qz, Context(categorical={"batch": levels}))
    stacked = call(MMD(3, n_categories), torch.cat([mean, z]), torch.cat([levels, levels]))
    torch.testing.assert_close(both, stacked, atol=1e-5, rtol=1e-5)


@BOTH
def test_value_grows_with_the_shift(cls):
    torch.manual_seed(0)
    means = [draws(cls(10, 2), 20, shift=shift).mean() for shift in (0, 0.7, 1.5, 3)]
    assert (np.diff(means) > 0.005).all()


@BOTH
@pytest.mark.parametrize("on", ["sample", "mean", "both"])
def test_order_of_cells_and_names_of_levels_do_not_matter(cls, on):
    torch.manual_seed(0)
    z, levels = torch.randn(40, 3), torch.randint(3, (40,))
    order, names = torch.randperm(40), torch.tensor([2, 0, 1])
    expected = float(call(cls(3, 3, on=on), z, levels))
    assert float(call(cls(3, 3, on=on), z[order], levels[order])) == pytest.approx(expected, abs=1e-5)
    assert float(call(cls(3, 3, on=on), z, names[levels])) == pytest.approx(expected, abs=1e-5)


@BOTH
def test_location_and_scale_of_the_dimensions_do_not_matter(cls):
    z, levels = two_batches(shift=1, n_latent=3)
    moved = z * torch.tensor([0.3, 5.0, 40.0]) + torch.tensor([7.0, -3.0, 0.0])
    assert float(call(cls(3, 2), moved, levels)) == pytest.approx(float(call(cls(3, 2), z, levels)), abs=1e-4)


@BOTH
def test_the_scale_multiplies_the_bandwidths(cls):
    torch.manual_seed(0)
    z, levels = two_batches(shift=1, n_latent=3)
    scaled = call(cls(3, 2, bandwidth_scale=5), z, levels)
    torch.testing.assert_close(scaled, call(cls(3, 2, bandwidths=(5, 10, 25, 40, 50)), z, levels))
    # Kernels much wider than the codes see little of a difference.
    assert 0 < float(scaled) < 0.7 * float(call(cls(3, 2), z, levels))


@BOTH
@pytest.mark.parametrize("n_categories", [2, 3])
@pytest.mark.parametrize("on", ["sample", "both"])
def test_one_batch_alone_differs_from_nothing(cls, n_categories, on):
    z = torch.randn(20, 3, requires_grad=True)
    value = call(cls(3, n_categories, on=on), z, torch.ones(20).long())
    value.backward()
    assert float(value.detach()) == 0
    assert (z.grad == 0).all()


@BOTH
@pytest.mark.parametrize("n_categories", [2, 4])
@pytest.mark.parametrize(
    "z",
    [
        pytest.param(torch.full((20, 3), 0.3), id="codes coincide"),
        pytest.param(torch.randn(20, 3) * torch.tensor([1, 0, 0]), id="collapsed dimensions"),
        pytest.param(torch.tensor([[1e4, 1, 0]] + [[0, 0, 0]] * 19), id="far outlier"),
        pytest.param(torch.randn(1, 3), id="one cell"),
    ],
)
def test_gradients_are_finite(cls, n_categories, z):
    levels = torch.arange(len(z)) % 2
    z = z.clone().requires_grad_()
    value = call(cls(3, n_categories), z, levels)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(z.grad).all()


def test_codes_that_coincide_do_not_differ():
    for cls in (MMD, MMDUnbiased):
        assert float(call(cls(3, 2), torch.full((20, 3), 0.3), torch.arange(20) % 2)) == pytest.approx(0, abs=1e-6)


def test_moments_follow_training_and_rest_while_judging():
    objective = MMDUnbiased(3, 2)
    call(objective, *two_batches(n_latent=3))
    before = copy.deepcopy(objective.state_dict())
    call(objective.eval(), 5 + two_batches(n_latent=3)[0], two_batches()[1])
    for name, tensor in objective.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    call(objective.train(), 5 + two_batches(n_latent=3)[0], two_batches()[1])
    assert (objective.standardizer.mean > before["standardizer.mean"] + 1).all()


def test_a_twin_takes_its_scale_from_the_training_cells():
    """Judging does not depend on the scale of the codes, though the twin that judges was never trained."""
    z, levels = two_batches(200, shift=2, n_latent=3)
    split = torch.randperm(200).split([100, 50, 50])
    context = Context(categorical={"batch": levels})
    values = [
        estimate(MMDUnbiased(3, 2), Normal(factor * z, torch.full_like(z, 1e-6)), context, split) for factor in (1, 100)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-4)
    assert min(values[0]) > 0.05


@BOTH
def test_half_precision_codes_are_judged_in_single_precision(cls):
    z, levels = two_batches(shift=1, n_latent=3)
    with torch.autocast("cpu", torch.bfloat16):
        value = call(cls(3, 2), z, levels)
    assert call(cls(3, 2), z.half(), levels).dtype == value.dtype == torch.float32
    torch.testing.assert_close(value, call(cls(3, 2), z, levels))


@pytest.mark.parametrize(("name", "more"), [("mmd", {"reduction": "mean"}), ("mmd_unbiased", {})])
def test_fresh_has_the_same_options(name, more):
    options = {"n_latent": 3, "n_categories": 4, "target": "donor", "on": "both", "bandwidths": (1, 3)}
    options |= {"bandwidth_scale": 0.2, **more}
    objective = get_objective(name, **options)
    assert objective.options == objective.fresh().options == options
    assert objective.fresh().kernel.keywords == objective.kernel.keywords


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_categories": 1}, "n_categories=1.*two levels"),
        ({"bandwidths": ()}, "bandwidths"),
        ({"bandwidths": (1, 0)}, "bandwidths=.1, 0.*positive"),
        ({"bandwidth_scale": 0}, "bandwidth_scale=0"),
        ({"reduction": "max"}, "reduction='max'.*sum, mean"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MMD(3, **({"n_categories": 2} | options))
