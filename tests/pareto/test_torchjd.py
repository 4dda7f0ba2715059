from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import get_solver, preference_vectors, solver_class, solver_names
from scpareto.pareto._torchjd import project_onto_dual_cone, torchjd_solver

GRIDS = {p: preference_vectors(6, p) for p in (2, 3)}
seeds = st.integers(0, 2**32 - 1)
needs_torchjd = pytest.mark.skipif(not find_spec("torchjd"), reason="needs the extra solvers")


def random_gramian(seed, p):
    gradients = np.random.default_rng(seed).normal(size=(p, 8))
    return gradients @ gradients.T


def test_without_the_package_the_extra_is_named(monkeypatch):
    torchjd_solver.cache_clear()
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(ImportError, match=r"scpareto\[solvers\]"):
        get_solver("torchjd:UPGrad", preferences=GRIDS[2])
    # The others go on working.
    assert get_solver("mgda", preferences=GRIDS[2]).phase == "main"


@needs_torchjd
def test_unknown_weightings_and_options_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'UpGrad'.*'AlignedMTL'.*'MGDA'.*'UPGrad'"):
        get_solver("torchjd:UpGrad", preferences=GRIDS[2])
    # These read a Jacobian, of which there is none.
    with pytest.raises(ValueError, match="'MoDo'"):
        solver_class("torchjd:MoDo")
    with pytest.raises(ValueError, match=r"\['eps'\].*'torchjd:MGDA'.*'safeguards', 'epsilon', 'max_iters'"):
        get_solver("torchjd:MGDA", preferences=GRIDS[2], eps=1)
    with pytest.raises(ValueError, match=r"\['pref_vector'\]"):
        get_solver("torchjd:UPGrad", preferences=GRIDS[2], pref_vector=None)
    with pytest.raises(ValueError, match="'jd:UPGrad'.*'torchjd:<name>'"):
        solver_class("jd:UPGrad")


@needs_torchjd
def test_it_is_a_solver_like_the_others():
    cls = solver_class("torchjd:UPGrad")
    assert cls.name == "torchjd:UPGrad"
    assert cls is solver_class("torchjd:UPGrad")
    assert cls.needs_gramian
    assert not any("torchjd" in name for name in solver_names())
    np.testing.assert_array_equal(cls.default_preferences(5), preference_vectors(5))
    with pytest.raises(ValueError, match="needs the Gramian"):
        get_solver("torchjd:UPGrad", preferences=GRIDS[2]).weights([1, 1], None, GRIDS[2][1])


@needs_torchjd
@pytest.mark.parametrize("p", [2, 3])
@pytest.mark.parametrize("name", ["AlignedMTL", "DualProj", "GradVac", "IMTLG", "MGDA", "PCD", "PCGrad", "UPGrad"])
def test_weights_are_finite_and_those_of_torchjd(name, p):
    from torchjd import aggregation

    weighting = getattr(aggregation, f"{name}Weighting")
    solver = get_solver(f"torchjd:{name}", preferences=GRIDS[p])
    for gramian in (np.zeros((p, p)), np.ones((p, p)), np.diag(np.arange(p, dtype=float))):
        assert np.isfinite(solver.weights(np.ones(p), gramian, GRIDS[p][1])).all()
    if name in ("DualProj", "UPGrad"):
        return  # projected in another way, see below
    gramian, preference = random_gramian(0, p), GRIDS[p][1]
    options = {"pref_vector": torch.tensor(preference)} if name == "AlignedMTL" else {}
    torch.manual_seed(0)
    expected = weighting(**options)(torch.tensor(gramian)).numpy()
    torch.manual_seed(0)
    fresh = get_solver(f"torchjd:{name}", preferences=GRIDS[p])
    np.testing.assert_allclose(fresh.weights(np.ones(p), gramian, preference), expected, rtol=1e-12)


@needs_torchjd
@pytest.mark.parametrize("name", ["AlignedMTL", "DualProj", "UPGrad"])
def test_the_preference_counts(name):
    # Gradients at right angles do not conflict, so nothing is changed.
    for p, grid in GRIDS.items():
        solver = get_solver(f"torchjd:{name}", preferences=grid)
        for preference in grid:
            np.testing.assert_allclose(solver.weights(np.ones(p), np.eye(p), preference), preference, atol=1e-12)


@needs_torchjd
@given(seed=seeds, p=st.sampled_from([2, 3]))
def test_upgrad_conflicts_with_no_gradient(seed, p):
    gramian = random_gramian(seed, p)
    alpha = get_solver("torchjd:UPGrad", preferences=GRIDS[p]).weights(np.ones(p), gramian, GRIDS[p][2])
    assert (gramian @ alpha >= -1e-9 * gramian.max()).all()
    assert alpha.min() >= 0


@needs_torchjd
def test_upgrad_has_the_documented_weights():
    jacobian = np.array([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]])
    solver = get_solver("torchjd:UPGrad", preferences=GRIDS[2])
    alpha = solver.weights([1, 1], jacobian @ jacobian.T, [0.5, 0.5])
    # TorchJD adds 1e-4 to the normalised Gramian before it projects.
    np.testing.assert_allclose(alpha, [1.1109, 0.7894], atol=2e-3)
    np.testing.assert_allclose(alpha @ jacobian, [0.2929, 1.9004, 1.9004], atol=1e-2)


@given(seed=seeds, p=st.integers(2, 5), rank=st.integers(1, 6))
def test_the_projection_satisfies_its_optimality_conditions(seed, p, rank):
    rng = np.random.default_rng(seed)
    gradients, u = rng.normal(size=(p, rank)), rng.uniform(-1, 1, size=(4, p))
    gramian = gradients @ gradients.T
    v = project_onto_dual_cone(torch.tensor(u), torch.tensor(gramian)).numpy()
    products = v @ gramian
    assert (v >= u).all()
    assert products.min() >= -1e-7 * np.abs(gramian).max()
    np.testing.assert_allclose(((v - u) * products).sum(axis=1), 0, atol=1e-6 * np.abs(gramian).max())
    one = project_onto_dual_cone(torch.tensor(u[0]), torch.tensor(gramian)).numpy()
    np.testing.assert_array_equal(one, v[0])


@needs_torchjd
@pytest.mark.parametrize("name", ["GradVac", "PCD", "UPGrad"])
def test_state_survives_as_plain_values_and_continues_equally(name):
    solver = get_solver(f"torchjd:{name}", preferences=GRIDS[3])
    for seed in range(4):
        solver.weights(np.ones(3), random_gramian(seed, 3), GRIDS[3][1])
    resumed = get_solver(f"torchjd:{name}", preferences=GRIDS[3])
    before = torch.random.get_rng_state()
    resumed.load_state_dict(json.loads(json.dumps(solver.state_dict())))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = []
    for one in (solver, resumed):
        torch.manual_seed(1)
        weights.append(one.weights(np.ones(3), random_gramian(9, 3), GRIDS[3][1]))
    np.testing.assert_array_equal(*weights)
    assert resumed.state_dict() == solver.state_dict()
    assert bool(solver.state_dict()["buffers"]) == (name != "UPGrad")
