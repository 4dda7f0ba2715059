from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import HSIC, Context, estimate, get_objective

ESTIMATORS = pytest.mark.parametrize("estimator", ["unbiased", "biased"])


def call(objective, z, *, levels=None, values=None, scale=1e-6):
    qz = Normal(z.float(), torch.full(z.shape, scale))
    categorical = {} if levels is None else {"batch": torch.as_tensor(levels)}
    continuous = {} if values is None else {"batch": torch.as_tensor(values)}
    return objective(z, qz, Context(categorical=categorical, continuous=continuous))


def two_batches(n_cells=128, *, shift=0.0, n_latent=10):
    levels = torch.arange(n_cells) % 2
    z = torch.randn(n_cells, n_latent)
    z[:, 0] += shift * levels
    return z, levels


def matrices(z, levels):
    """Kernel matrices by their definitions."""
    d = z.shape[1]
    mean_distance = 2 * math.gamma((d + 1) / 2) / math.gamma(d / 2)
    distances = ((z[:, None] - z[None]) ** 2).sum(-1).double().numpy()
    return np.exp(-distances / (2 * mean_distance**2)), (levels[:, None] == levels[None]).double().numpy()


@pytest.mark.parametrize(("d", "rate"), [(1, 0.393), (2, 0.159), (5, 0.055), (10, 0.0263), (30, 0.0085)])
def test_bandwidth_follows_the_dimension(d, rate):
    origin, unit = torch.zeros(1, d), torch.eye(d)[:1]
    assert -math.log(float(HSIC(d, 2).kernel(origin, unit))) == pytest.approx(rate, abs=6e-4)


@pytest.mark.parametrize(
    ("shift", "biased", "unbiased"), [(0, 0.039, 0.0), (0.5, 0.050, 0.0011), (1, 0.071, 0.0037), (3, 0.171, 0.028)]
)
def test_values_of_a_shift_in_one_of_ten_dimensions(shift, biased, unbiased):
    torch.manual_seed(0)
    for estimator, expected in (("biased", biased), ("unbiased", unbiased)):
        objective = HSIC(10, 2, estimator=estimator, standardize=False)
        values = []
        for _ in range(60):
            z, levels = two_batches(shift=shift)
            values.append(float(call(objective, z, levels=levels)))
        assert np.mean(values) == pytest.approx(expected, rel=0.1, abs=6e-4)


def test_unbiased_estimator_is_the_mean_over_distinct_cells():
    """Covariance of the kernels: products over one pair, over two pairs, and over two pairs that share a cell."""
    torch.manual_seed(0)
    z, levels = torch.randn(7, 2), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    k, same = matrices(z, levels)
    terms = [k[i, j] * (same[i, j] + same[q, r] - 2 * same[i, q]) for i, j, q, r in permutations(range(7), 4)]
    value = float(call(HSIC(2, 3, standardize=False), z, levels=levels))
    assert value == pytest.approx(np.mean(terms), abs=1e-6)


MINIBATCHES = pytest.mark.parametrize("n_cells", [30, 700])
"""Of 700 cells, kernels are added up in two blocks."""


@MINIBATCHES
def test_unbiased_estimator_has_a_closed_form(n_cells):
    """Song et al. (2012), equation 5, with kernels whose diagonals are zero."""
    torch.manual_seed(0)
    z, levels = two_batches(n_cells, shift=2, n_latent=2)
    k, same = matrices(z, levels)
    np.fill_diagonal(k, 0)
    np.fill_diagonal(same, 0)
    pairs = (k * same).sum() + k.sum() * same.sum() / ((n_cells - 1) * (n_cells - 2))
    expected = (pairs - 2 / (n_cells - 2) * (k.sum(1) * same.sum(1)).sum()) / (n_cells * (n_cells - 3))
    assert float(call(HSIC(2, 2, standardize=False), z, levels=levels)) == pytest.approx(expected, abs=1e-6)


@MINIBATCHES
def test_biased_estimator_is_its_definition(n_cells):
    torch.manual_seed(0)
    z, levels = two_batches(n_cells, shift=3, n_latent=2)
    k, same = matrices(z, levels)
    expected = (k * same).mean() + k.mean() * same.mean() - 2 * (k.mean(1) * same.mean(1)).mean()
    value = float(call(HSIC(2, 2, estimator="biased", standardize=False), z, levels=levels))
    assert value == pytest.approx(math.sqrt(expected), abs=2e-4)


def test_both_codes_are_stacked():
    torch.manual_seed(0)
    z, mean, levels = torch.randn(40, 3), torch.randn(40, 3), torch.arange(40) % 2
    qz, context = Normal(mean, torch.ones_like(mean)), Context(categorical={"batch": levels})
    both = HSIC(3, 2, on="both", estimator="biased")(z, qz, context)
    stacked = call(HSIC(3, 2, estimator="biased"), torch.cat([mean, z]), levels=torch.cat([levels, levels]))
    torch.testing.assert_close(both, stacked, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("on", ["sample", "both"])
@pytest.mark.parametrize("kind", ["categorical", "continuous"])
def test_unbiased_estimator_is_zero_on_average_without_any_dependence(on, kind):
    """Also for two codes of each cell, which resemble each other whatever the nuisance."""
    torch.manual_seed(0)
    objective = HSIC(5, 3 if kind == "categorical" else None, on=on)
    values = []
    for _ in range(300):
        qz = Normal(0.9 * torch.randn(64, 5), torch.full((64, 5), 0.3))
        context = Context(categorical={"batch": torch.randint(3, (64,))}, continuous={"batch": torch.randn(64)})
        values.append(float(objective(qz.sample(), qz, context)))
    error = np.std(values) / np.sqrt(len(values))
    assert error < 2e-4
    assert abs(np.mean(values)) < 3 * error


@ESTIMATORS
def test_value_grows_with_dependence_on_a_continuous_nuisance(estimator):
    torch.manual_seed(0)
    means = []
    for weight in (0, 0.5, 1, 3):
        values = []
        for _ in range(20):
            nuisance, z = torch.randn(128), torch.randn(128, 3)
            # Uncorrelated, not independent.
            z[:, 0] += weight * (nuisance**2 - 1)
            values.append(float(call(HSIC(3, estimator=estimator), z, values=nuisance)))
        means.append(np.mean(values))
    assert (np.diff(means) > 4e-4).all()


@ESTIMATORS
def test_units_of_a_continuous_nuisance_do_not_matter_once_observed(estimator):
    torch.manual_seed(0)
    z, nuisance = torch.randn(60, 3), torch.randn(60)
    z[:, 0] += nuisance
    values = []
    for units in (nuisance, 1000 + 50 * nuisance):
        objective = HSIC(3, estimator=estimator)
        objective.observe(Context(continuous={"batch": units}))
        values.append(float(call(objective, z, values=units)))
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    assert abs(float(call(HSIC(3, estimator=estimator), z, values=1000 + 50 * nuisance)) - values[0]) > 1e-3


def test_a_constant_nuisance_is_no_dependence():
    objective = HSIC(3)
    context = Context(continuous={"batch": torch.full((20,), 7.0)})
    objective.observe(context)
    z = torch.randn(20, 3, requires_grad=True)
    value = call(objective, z, values=context.continuous["batch"])
    value.backward()
    assert float(value.detach()) == pytest.approx(0, abs=1e-6)
    assert z.grad.abs().max() < 1e-6


@ESTIMATORS
@pytest.mark.parametrize("on", ["sample", "mean", "both"])
def test_order_of_cells_and_names_of_levels_do_not_matter(estimator, on):
    torch.manual_seed(0)
    z, levels = torch.randn(40, 3), torch.randint(3, (40,))
    order, names = torch.randperm(40), torch.tensor([2, 0, 1])

    def value(z, levels):
        return float(call(HSIC(3, 3, estimator=estimator, on=on), z, levels=levels))

    assert value(z[order], levels[order]) == pytest.approx(value(z, levels), abs=1e-6)
    assert value(z, names[levels]) == pytest.approx(value(z, levels), abs=1e-6)


@ESTIMATORS
def test_only_standardised_codes_have_no_scale(estimator):
    z, levels = two_batches(shift=2, n_latent=3)
    for standardize in (True, False):
        values = [
            float(call(HSIC(3, 2, estimator=estimator, standardize=standardize), factor * z, levels=levels))
            for factor in (1, 10)
        ]
        assert (abs(values[0] - values[1]) < 1e-5) == standardize


@ESTIMATORS
@pytest.mark.parametrize("on", ["sample", "both"])
def test_one_level_alone_is_no_dependence(estimator, on):
    z = torch.randn(20, 3, requires_grad=True)
    value = call(HSIC(3, 3, estimator=estimator, on=on), z, levels=torch.ones(20).long())
    value.backward()
    assert float(value.detach()) == pytest.approx(0, abs=1e-6)
    assert z.grad.abs().max() < 1e-6


@ESTIMATORS
@pytest.mark.parametrize(
    "z",
    [
        pytest.param(torch.full((20, 3), 0.3), id="codes coincide"),
        pytest.param(torch.tensor([[1e4, 1, 0]] + [[0, 0, 0]] * 19), id="far outlier"),
        pytest.param(torch.randn(3, 3), id="three cells"),
    ],
)
def test_gradients_are_finite(estimator, z):
    levels = torch.arange(len(z)) % 2
    z = z.clone().requires_grad_()
    # The third level has no cell.
    value = call(HSIC(3, 3, estimator=estimator), z, levels=levels)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(z.grad).all()


def test_a_twin_observes_and_takes_its_scale_from_the_training_cells():
    torch.manual_seed(0)
    z, nuisance = torch.randn(200, 3), torch.randn(200)
    z[:, 0] += 2 * nuisance
    split = torch.randperm(200).split([100, 50, 50])
    values = [
        estimate(
            HSIC(3), Normal(f * z, torch.full_like(z, 1e-6)), Context(continuous={"batch": f * nuisance + f}), split
        )
        for f in (1, 100)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    assert min(values[0]) > 0.005


def test_half_precision_codes_are_judged_in_single_precision():
    z, levels = two_batches(shift=1, n_latent=3)
    with torch.autocast("cpu", torch.bfloat16):
        value = call(HSIC(3, 2), z, levels=levels)
    assert call(HSIC(3, 2), z.half(), levels=levels).dtype == value.dtype == torch.float32
    torch.testing.assert_close(value, call(HSIC(3, 2), z, levels=levels))


@pytest.mark.parametrize("n_categories", [None, 4])
def test_fresh_has_the_same_options_and_has_observed_nothing(n_categories):
    options = {"n_latent": 3, "n_categories": n_categories, "target": "depth", "on": "both"}
    options |= {"estimator": "biased", "standardize": False}
    objective = get_objective("hsic", **options)
    objective.observe(Context(continuous={"depth": torch.arange(5.0)}))
    twin = objective.fresh()
    assert objective.options == twin.options == options
    assert float(objective.location) == (2 if n_categories is None else 0)
    assert float(twin.location) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_categories": 1}, "n_categories=1.*two levels"),
        ({"estimator": "best"}, "estimator='best'.*unbiased, biased"),
        ({"on": "code"}, "on='code'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HSIC(3, **options)
