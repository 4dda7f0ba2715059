from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto._simplex_program import _on_segment, _on_simplex, best_combination

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds)
def test_the_closed_form_equals_the_linear_program(seed):
    rng = np.random.default_rng(seed)
    values, matrix, bounds = rng.normal(size=2), rng.normal(size=(3, 2)), rng.normal(size=3) - 0.8
    closed, program = _on_segment(values, matrix, bounds), _on_simplex(values, matrix, bounds)
    assert (closed is None) == (program is None)
    if closed is not None:
        np.testing.assert_allclose(closed, program, atol=1e-6)


@given(seed=seeds, m=st.integers(2, 4))
def test_no_random_feasible_combination_is_better(seed, m):
    rng = np.random.default_rng(seed)
    values, matrix, bounds = rng.normal(size=m), rng.normal(size=(2, m)), rng.normal(size=2) - 0.8
    bounds[0] = rng.choice([bounds[0], -np.inf])
    others = rng.dirichlet(np.ones(m), 300)
    others = others[(others @ matrix.T >= bounds).all(axis=1)]
    best = best_combination(values, matrix, bounds)
    if best is None:
        assert not len(others)
        return
    assert best.min() >= 0
    assert best.sum() == pytest.approx(1)
    assert (matrix @ best >= bounds - 1e-6)[np.isfinite(bounds)].all()
    assert best @ values >= (others @ values).max(initial=-np.inf) - 1e-6


def test_known_solutions():
    np.testing.assert_array_equal(best_combination(np.array([1.0, 2.0]), np.eye(2), np.zeros(2)), [0, 1])
    np.testing.assert_array_equal(best_combination(np.array([1.0, 2.0]), np.eye(2), np.array([0.25, 0])), [0.25, 0.75])
    # Nothing to choose by: the middle of what is feasible.
    np.testing.assert_array_equal(best_combination(np.zeros(2), np.eye(2), np.array([0.5, 0])), [0.75, 0.25])
    three = best_combination(np.array([1.0, 2.0, 0.0]), np.eye(3), np.array([0.25, -np.inf, 0.5]))
    np.testing.assert_allclose(three, [0.25, 0.25, 0.5], atol=1e-9)


@pytest.mark.parametrize("m", [2, 3])
def test_what_cannot_be_satisfied_gives_none(m):
    assert best_combination(np.ones(m), np.eye(m), np.full(m, 0.9)) is None
    assert best_combination(np.ones(m), np.ones((1, m)), np.array([1.5])) is None


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1e200])
def test_scale_does_not_matter(scale):
    values, matrix, bounds = np.array([1.0, 2.0, 0.5]), np.array([[1.0, -2.0, 0.5], [-1.0, 1.0, 2.0]]), np.zeros(2)
    expected = best_combination(values, matrix, bounds)
    np.testing.assert_allclose(best_combination(values * scale, matrix * scale, bounds), expected, atol=1e-9)
