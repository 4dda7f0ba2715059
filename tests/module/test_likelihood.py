from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scvi.distributions import NegativeBinomial, ZeroInflatedNegativeBinomial

from scpareto.module import SparseNegativeBinomial, SparseZeroInflatedNegativeBinomial

seeds = st.integers(0, 2**32 - 1)
DTYPE = torch.float64


PAIRS = {
    "zinb": (ZeroInflatedNegativeBinomial, SparseZeroInflatedNegativeBinomial),
    "nb": (NegativeBinomial, SparseNegativeBinomial),
}


def likelihood(cls, counts, mu, theta, logits, weights=None):
    """Values, and gradients by all parameters."""
    names = ["mu", "theta", "zi_logits"] if issubclass(cls, ZeroInflatedNegativeBinomial) else ["mu", "theta"]
    parameters = [p.clone().requires_grad_() for p in (mu, theta, logits)][: len(names)]
    values = cls(**dict(zip(names, parameters, strict=True))).log_prob(counts)
    (values if weights is None else values * weights).sum().backward()
    return values.detach(), [p.grad for p in parameters]


def both(*tensors, kind="zinb"):
    """Values and gradients of scvi's likelihood and of ours."""
    return [likelihood(cls, *tensors) for cls in PAIRS[kind]]


def drawn(rng, n_cells, n_genes, density, per_cell, spread=3.0, dtype=DTYPE):
    counts = rng.integers(1, 50, (n_cells, n_genes)) * (rng.uniform(size=(n_cells, n_genes)) < density)
    tensors = [
        counts,
        np.exp(rng.normal(0, spread, (n_cells, n_genes))),
        np.exp(rng.normal(0, spread, (n_cells, n_genes) if per_cell else n_genes)),
        rng.normal(0, spread, (n_cells, n_genes)),
        rng.normal(size=(n_cells, n_genes)),
    ]
    return [torch.tensor(tensor, dtype=dtype) for tensor in tensors]


def assert_equal(expected, found, rtol=1e-9, atol=1e-9):
    torch.testing.assert_close(found[0], expected[0], rtol=rtol, atol=atol)
    for ours, theirs in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol)


@given(
    seed=seeds,
    n_cells=st.integers(1, 8),
    n_genes=st.integers(1, 8),
    density=st.floats(0, 1),
    per_cell=st.booleans(),
    spread=st.floats(0.1, 5),
    kind=st.sampled_from(list(PAIRS)),
)
def test_values_and_gradients_are_those_of_scvi(seed, n_cells, n_genes, density, per_cell, spread, kind):
    rng = np.random.default_rng(seed)
    tensors = drawn(rng, n_cells, n_genes, density, per_cell, spread)
    assert_equal(*both(*tensors, kind=kind), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("per_cell", [True, False])
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_equal_in_single_precision(monkeypatch, density, per_cell, kind):
    tensors = drawn(np.random.default_rng(0), 64, 50, density, per_cell, spread=1.0, dtype=torch.float32)
    theirs, ours = PAIRS[kind]
    expected = likelihood(theirs, *tensors)
    monkeypatch.setattr(theirs, "log_prob", lambda *args: pytest.fail("fell back"))
    # Differences of log-gamma functions of counts up to 50 leave about six digits.
    assert_equal(expected, likelihood(ours, *tensors), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", PAIRS)
def test_gradients_against_differences(kind):
    counts, mu, theta, logits, _ = drawn(np.random.default_rng(3), 3, 4, 0.5, False, spread=1.0)
    _, cls = PAIRS[kind]
    parameters = [p.requires_grad_() for p in (mu, theta, logits)][: 3 if kind == "zinb" else 2]

    def of(mu, theta, zi_logits=None):
        extra = {} if zi_logits is None else {"zi_logits": zi_logits}
        return cls(mu=mu, theta=theta, **extra).log_prob(counts)

    assert torch.autograd.gradcheck(of, parameters)


def test_gradients_of_a_sum_over_genes_and_without_dispersion():
    """The loss sums over genes, whose gradient comes broadcast; a fixed dispersion asks for none."""
    counts, mu, theta, logits, _ = drawn(np.random.default_rng(4), 6, 5, 0.4, False)
    found = []
    for cls in PAIRS["zinb"]:
        rates = mu.clone().requires_grad_()
        per_cell = cls(mu=rates, theta=theta, zi_logits=logits).log_prob(counts).sum(-1)
        (per_cell * torch.arange(6.0, dtype=DTYPE)).sum().backward()
        found.append(rates.grad)
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("per_cell", [True, False])
def test_log_gamma_is_computed_at_counts_only(monkeypatch, per_cell):
    counts, mu, theta, logits, _ = drawn(np.random.default_rng(0), 20, 30, 0.2, per_cell)
    n_arguments = []
    lgamma = torch.lgamma
    monkeypatch.setattr(torch, "lgamma", lambda x: n_arguments.append(x.numel()) or lgamma(x))
    SparseZeroInflatedNegativeBinomial(mu=mu, theta=theta, zi_logits=logits).log_prob(counts)
    n_counts = int((counts > 0).sum())
    # That of one dispersion a gene is computed once a gene.
    assert sorted(n_arguments) == sorted([n_counts, n_counts, n_counts if per_cell else 30])


@pytest.mark.parametrize("mu", [0.0, 1e-12, 1e8])
@pytest.mark.parametrize("theta", [1e-6, 1e8])
@pytest.mark.parametrize("logit", [-80.0, 80.0])
def test_extreme_parameters(mu, theta, logit):
    counts = torch.tensor([[0, 0, 1, 0, 0, 10_000, 0, 0]], dtype=DTYPE)
    expected, found = both(
        counts,
        torch.full_like(counts, mu),
        torch.full((8,), theta, dtype=DTYPE),
        torch.full_like(counts, logit),
    )
    assert torch.isfinite(found[0]).all()
    assert all(torch.isfinite(gradient).all() for gradient in found[1])
    assert_equal(expected, found, rtol=1e-6, atol=1e-6)


def test_all_zero_and_fully_dense_minibatches():
    for density in (0.0, 1.0):
        assert_equal(*both(*drawn(np.random.default_rng(1), 5, 7, density, False)))


def test_probabilities_sum_to_one():
    counts = torch.arange(3000, dtype=DTYPE)[:, None]
    for mu, theta, logit in ((5.0, 2.0, -1.0), (0.3, 0.5, 2.0)):
        distribution = SparseZeroInflatedNegativeBinomial(
            mu=torch.tensor([[mu]], dtype=DTYPE),
            theta=torch.tensor([theta], dtype=DTYPE),
            zi_logits=torch.tensor([[logit]], dtype=DTYPE),
        )
        # One count at a time, among zeros: the sparse way.
        padded = torch.cat([counts, torch.zeros(3000, 2, dtype=DTYPE)], 1)
        wide = SparseZeroInflatedNegativeBinomial(
            mu=distribution.mu.expand(3000, 3),
            theta=distribution.theta.expand(3000, 3),
            zi_logits=distribution.zi_logits.expand(3000, 3),
        )
        assert float(wide.log_prob(padded)[:, 0].exp().sum()) == pytest.approx(1, abs=1e-6)


def test_broadcast_parameters_fall_back_to_the_same_values():
    """Several posterior samples of the rates, ``(n_samples, n_cells, n_genes)``, against one matrix of counts."""
    counts, mu, theta, logits, _ = drawn(np.random.default_rng(2), 6, 9, 0.2, False)
    samples = torch.stack([mu, 2 * mu])
    assert_equal(*both(counts, samples, theta, torch.stack([logits, logits])))
