from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Context, TotalCorrelation, get_objective
from scpareto.objectives._total_correlation import stratified_weights, uniform_weights


def call(objective, qz, z=None):
    return objective(qz.rsample() if z is None else z, qz, Context())


def independent(sd, n_cells=128, n_latent=10):
    """Posteriors whose aggregate is standard Gaussian."""
    loc = math.sqrt(1 - sd**2) * torch.randn(n_cells, n_latent)
    return Normal(loc, torch.full_like(loc, sd))


def small(n_cells=6, n_latent=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    loc = torch.randn(n_cells, n_latent, generator=generator)
    scale = 0.2 + torch.rand(n_cells, n_latent, generator=generator)
    return loc + scale * torch.randn(n_cells, n_latent, generator=generator), Normal(loc, scale)


def by_definition(z, qz, weights):
    density = np.exp(qz.log_prob(z[:, None]).double().numpy())
    joint = np.log((weights * density.prod(2)).sum(1))
    return (joint - np.log((weights[:, :, None] * density).sum(1)).sum(1)).mean()


@pytest.mark.parametrize(("n_minibatch", "n_cells"), [(2, 2), (5, 5), (5, 1000), (128, 4221)])
def test_stratified_weights(n_minibatch, n_cells):
    weights = stratified_weights(torch.arange(n_minibatch), n_minibatch, n_cells).double().numpy()
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.diag(weights), 1 / n_cells, rtol=1e-6)
    others = weights[~np.eye(n_minibatch, dtype=bool)].reshape(n_minibatch, -1)
    reduced = 1 / (n_minibatch - 1) - 1 / n_cells
    np.testing.assert_allclose(np.sort(others, 1)[:, 0], reduced, rtol=1e-4)
    np.testing.assert_allclose(np.sort(others, 1)[:, 1:], 1 / (n_minibatch - 1), rtol=1e-6)
    assert (weights > 0).all()


def test_rows_of_weights_are_those_of_the_whole():
    for function in (stratified_weights, uniform_weights):
        whole = function(torch.arange(7), 7, 50)
        torch.testing.assert_close(function(torch.tensor([0, 4, 6]), 7, 50), whole[[0, 4, 6]])


@pytest.mark.parametrize("estimator", ["mss", "mws"])
@pytest.mark.parametrize("n_minibatch", [6, 700])
def test_value_is_its_definition(estimator, n_minibatch):
    """Of 700 cells, densities are added up in two blocks."""
    z, qz = small(n_minibatch)
    rows = torch.arange(n_minibatch)
    weights = {"mss": stratified_weights, "mws": uniform_weights}[estimator](rows, n_minibatch, 4000)
    value = float(call(TotalCorrelation(3, n_cells=4000, estimator=estimator), qz, z))
    assert value == pytest.approx(by_definition(z, qz, weights.double().numpy()), abs=1e-5)


@pytest.mark.parametrize(("sd", "bias", "tolerance"), [(0.9, -0.01, 0.01), (0.8, -0.08, 0.02), (0.7, -0.22, 0.03)])
def test_bias_where_dimensions_are_independent(sd, bias, tolerance):
    torch.manual_seed(0)
    objective = TotalCorrelation(10, n_cells=4221)
    values = [float(call(objective, independent(sd))) for _ in range(80)]
    assert np.mean(values) == pytest.approx(bias, abs=tolerance)


def test_narrow_posteriors_look_correlated():
    torch.manual_seed(0)
    assert np.mean([float(call(TotalCorrelation(10, n_cells=4221), independent(0.3))) for _ in range(40)]) > 3.5


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_whole_dataset_meets_the_truth(correlation):
    """Two Gaussian dimensions: half the negative log determinant of their correlations."""
    torch.manual_seed(0)
    sd, n_cells = 0.25, 2000
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]]) - sd**2 * torch.eye(2)
    loc = torch.randn(n_cells, 2) @ torch.linalg.cholesky(covariance).T
    value = float(call(TotalCorrelation(2, n_cells=n_cells), Normal(loc, torch.full_like(loc, sd))))
    assert value == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.08)


def test_weighted_sampling_of_wide_posteriors_is_off_by_the_size_of_the_dataset():
    loc = torch.zeros(32, 4)
    value = float(call(TotalCorrelation(4, n_cells=500, estimator="mws"), Normal(loc, torch.ones_like(loc))))
    assert value == pytest.approx(3 * math.log(500), abs=1e-3)


def test_equal_posteriors_have_no_correlation():
    loc = torch.zeros(32, 4)
    assert float(call(TotalCorrelation(4, n_cells=500), Normal(loc, torch.ones_like(loc)))) == pytest.approx(
        0, abs=1e-4
    )


def test_order_of_cells_does_not_matter():
    """Exactly for equal weights; in stratified ones, another posterior of the row has the smaller weight."""
    z, qz = small(200)
    order = torch.randperm(200)
    for estimator, tolerance in (("mws", 1e-4), ("mss", 0.02)):
        objective = TotalCorrelation(3, n_cells=1000, estimator=estimator)
        value = float(call(objective, Normal(qz.loc[order], qz.scale[order]), z[order]))
        assert value == pytest.approx(float(call(objective, qz, z)), abs=tolerance)


@pytest.mark.parametrize("estimator", ["mss", "mws"])
@pytest.mark.parametrize(("n_cells", "spread", "sd"), [(20, 0, 1), (20, 1, 1e-4), (20, 1e4, 1), (2, 1, 1), (1, 1, 1)])
def test_gradients_are_finite(estimator, n_cells, spread, sd):
    loc = (spread * torch.randn(n_cells, 3)).requires_grad_()
    scale = torch.full((n_cells, 3), float(sd), requires_grad=True)
    value = call(TotalCorrelation(3, n_cells=50, estimator=estimator), Normal(loc, scale))
    value.backward()
    assert torch.isfinite(value)
    for parameter in (loc, scale):
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_gradient_reaches_codes_and_posteriors():
    z, qz = small(20)
    loc, scale, z = (x.clone().requires_grad_() for x in (qz.loc, qz.scale, z))
    call(TotalCorrelation(3, n_cells=50), Normal(loc, scale), z).backward()
    assert all((x.grad.abs() > 1e-6).any() for x in (loc, scale, z))


def test_minibatch_larger_than_the_dataset_counts_as_the_dataset():
    z, qz = small(30)
    torch.testing.assert_close(
        call(TotalCorrelation(3, n_cells=10), qz, z), call(TotalCorrelation(3, n_cells=30), qz, z)
    )


def test_half_precision_codes_are_judged_in_single_precision():
    z, qz = small()
    halves = Normal(qz.loc.half(), qz.scale.half(), validate_args=False)
    assert call(TotalCorrelation(3, n_cells=40), halves, z.half()).dtype == torch.float32


def test_fresh_has_the_same_options():
    options = {"n_latent": 3, "n_cells": 40, "estimator": "mws", "on": "sample"}
    objective = get_objective("total_correlation", **options)
    assert objective.options == objective.fresh().options == options
    assert not objective.needs_nuisance
    assert objective.label == "total_correlation"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": "mean"}, "on='mean'.*sample"),
        ({"on": "both"}, "on='both'.*sample"),
        ({"n_cells": 1}, "n_cells=1"),
        ({"estimator": "mcmc"}, "estimator='mcmc'.*mss, mws"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TotalCorrelation(3, **({"n_cells": 40} | options))
