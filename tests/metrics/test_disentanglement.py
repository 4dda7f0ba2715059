"""Mutual information gap, FactorVAE score and Spearman gap against values found by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr

from scpareto.metrics import factor_vae_score, mutual_information_gap, spearman_gap
from scpareto.metrics._factor_vae_score import score_votes


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "path": pd.Categorical.from_codes(rng.integers(2, size=1200), ["a", "b"]),
            "step": rng.integers(5, size=1200),
            "library": rng.lognormal(size=1200),
        }
    )


def test_information_of_two_cells_by_hand():
    mean, scale = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[1.0, 2.0], [0.5, 2.0]])
    found = mutual_information_gap(mean, {"kind": ["a", "b"]}, scale=scale, seed=3)
    z = mean + scale * np.random.default_rng(3).standard_normal((2, 2))
    expected = []
    for j in range(2):
        density = norm.pdf(z[:, [j]], mean[:, j], scale[:, j])
        expected.append(np.mean(np.log(np.diag(density)) - np.log(density.mean(1))) / np.log(2))
    np.testing.assert_allclose(found.table.loc["kind"], expected, rtol=1e-10)
    assert found.value == pytest.approx(abs(expected[0] - expected[1]))


def test_information_gap_is_one_for_separate_and_zero_for_shared_dimensions(factors):
    path, step = factors["path"].cat.codes.to_numpy(), factors["step"].to_numpy()
    both = factors[["path", "step"]]
    apart = mutual_information_gap(np.column_stack([path, step, 0 * step]) * 1.0, both, scale=np.full((1200, 3), 0.02))
    assert apart.value > 0.98
    copied = mutual_information_gap(np.column_stack([path, path]) * 1.0, both[["path"]], scale=np.full((1200, 2), 0.02))
    assert copied.value < 0.02
    np.testing.assert_allclose(copied.table, 1.0, atol=0.02)


def test_uninformative_posteriors_have_no_information(factors):
    found = mutual_information_gap(np.zeros((1200, 2)), factors, scale=np.ones((1200, 2)))
    np.testing.assert_allclose(found.table, 0.0, atol=1e-12)
    assert found.table.index.tolist() == ["path", "step", "library"]


def test_information_is_normalised_by_the_entropy_of_uneven_levels():
    kind = np.repeat([0.0, 1.0], [900, 100])
    found = mutual_information_gap(
        np.column_stack([kind, 0 * kind]), {"kind": kind.astype(str)}, scale=np.full((1000, 2), 0.02)
    )
    assert found.table.loc["kind", 0] == pytest.approx(1.0, abs=0.01)


def test_thinning_is_seeded(factors):
    mean = np.random.default_rng(1).normal(size=(1200, 2))
    runs = [mutual_information_gap(mean, factors, scale=np.ones((1200, 2)), max_cells=300, seed=s) for s in (1, 1, 2)]
    assert runs[0].value == runs[1].value != runs[2].value


def test_spearman_gap_by_hand(factors):
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(1200, 3))
    codes[:, 1] += factors["step"]
    found = spearman_gap(codes, factors)
    for name, values in (
        ("path", factors["path"].cat.codes),
        ("step", factors["step"]),
        ("library", factors["library"]),
    ):
        expected = [abs(spearmanr(codes[:, j], values).statistic) for j in range(3)]
        np.testing.assert_allclose(found.table.loc[name], expected, atol=1e-12)
        first, second = sorted(expected)[::-1][:2]
        assert found.gaps[name] == pytest.approx(first - second)
    assert found.value == pytest.approx(found.gaps.mean())


def test_sign_of_a_dimension_and_constant_dimensions_do_not_matter(factors):
    codes = np.column_stack([-factors["step"], np.ones(1200)])
    found = spearman_gap(codes, factors[["step"]])
    assert found.value == pytest.approx(1.0)
    assert found.table.loc["step", 1] == 0


def test_factor_vae_score_of_separate_dimensions_is_one_and_of_noise_is_chance(factors):
    path, step = factors["path"].cat.codes.to_numpy(), factors["step"].to_numpy()
    codes = np.column_stack([path, step]) + 0.01 * np.random.default_rng(0).normal(size=(1200, 2))
    found = factor_vae_score(codes, factors[["path", "step"]], n_votes=1000)
    assert found.value == 1.0
    assert (np.diag(found.votes) > 0).all()
    assert found.votes.to_numpy().sum() == 800
    assert found.votes.to_numpy()[[0, 1], [1, 0]].tolist() == [0, 0]
    noise = factor_vae_score(np.random.default_rng(1).normal(size=(1200, 2)), factors[["path", "step"]], n_votes=3000)
    assert noise.value == pytest.approx(0.5, abs=0.08)


def test_recording_the_largest_variance_is_another_score():
    """Three factors, three dimensions: the fixed one has the least variance, but two others share the largest."""
    rng = np.random.default_rng(0)
    factors = {name: rng.integers(4, size=2000) for name in "abc"}
    codes = np.column_stack(list(factors.values())) + 0.01 * rng.normal(size=(2000, 3))
    least = factor_vae_score(codes, factors, n_votes=1000).value
    largest = score_votes(codes, factors, np.argmax, n_votes=1000, cells_per_vote=40, seed=0).value
    assert least == 1.0
    assert largest < 0.7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mutual_information_gap(np.zeros((4, 2)), {"a": [0, 1, 0, 1]}, scale=np.zeros((4, 2))), "not above 0"),
        (lambda: mutual_information_gap(np.zeros((4, 1)), {"a": [0, 1, 0, 1]}, scale=np.ones((4, 1))), "2 columns"),
        (lambda: spearman_gap(np.zeros((4, 2)), {"a": list("abcd")}), "'a' has 4 levels without an order"),
        (lambda: spearman_gap(np.zeros((4, 2)), {"a": [1, 2, 3]}), "3 values but there are 4 cells"),
        (lambda: spearman_gap(np.full((4, 2), np.nan), {"a": [1, 2, 3, 4]}), "NaN or infinite"),
        (lambda: spearman_gap(np.zeros((4, 2)), {"a": [1, 1, 1, 1]}), "same value in all cells"),
        (lambda: spearman_gap(np.zeros((4, 2)), {"a": [1, None, 1, 1]}), "missing for 1 of 4"),
        (lambda: spearman_gap(np.zeros((4, 2)), {}), "empty"),
        (lambda: factor_vae_score(np.zeros((4, 2)), {"a": [0, 1, 0, 1]}), "same for all cells"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
