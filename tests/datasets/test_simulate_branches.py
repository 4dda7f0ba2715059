from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from scpareto.datasets import simulate_branches


@pytest.mark.parametrize("n_branches", [3, 4, 5])
def test_one_root_and_the_others_after_it(n_branches):
    adata = simulate_branches(900, 40, n_branches=n_branches)
    root = (adata.obs["branch"] == "branch_0").to_numpy()
    assert adata.obs["time"][root].between(0, 1).all()
    assert adata.obs["time"][~root].between(1, 2).all()
    assert adata.obs["branch"].nunique() == n_branches
    assert adata.uns["simulation"]["programs"].shape == (n_branches, 50, 10)


def test_programs_are_continuous_at_the_branch_point():
    programs = simulate_branches(10, 20, n_branches=5, seed=1).uns["simulation"]["programs"]
    np.testing.assert_array_equal(programs[0, 0], 0)
    for branch in range(1, 5):
        np.testing.assert_allclose(programs[branch, 0], programs[0, -1], atol=1e-12)
    jumps = np.abs(np.diff(programs, axis=1)).max()
    assert jumps < 0.15 * np.abs(programs).max()


def test_ends_of_programs_have_the_stated_spread():
    ends = [
        simulate_branches(3, 20, n_programs=50, program_strength=2.0, seed=s).uns["simulation"]["programs"][0, -1]
        for s in range(20)
    ]
    assert np.std(ends) == pytest.approx(2.0, rel=0.1)


def test_mean_and_variance_are_those_of_the_formula():
    options = {"program_strength": 0.0, "library_scale": 0.0, "dispersion_scale": 0.0, "counts_per_gene": 10.0}
    adata = simulate_branches(6000, 30, quadratic=0.3, linear=0.5, seed=2, **options)
    counts = adata.X.toarray()
    base = adata.var["base_level"].to_numpy()
    mean = 300 * base / base.sum()
    expected = 0.3 * mean**2 + 1.5 * mean
    assert np.abs((counts.mean(0) - mean) / np.sqrt(expected / 6000)).max() < 4
    assert np.median(counts.var(0) / expected) == pytest.approx(1.0, abs=0.05)


def test_branches_separate_with_time():
    adata = simulate_branches(3000, 200, program_strength=1.5, seed=3)
    logged = np.log1p(adata.X.toarray() / adata.X.sum(1).A1[:, None] * 200)
    time, branch = adata.obs["time"].to_numpy(), adata.obs["branch"].to_numpy()

    def apart(low, high):
        means = [logged[(branch == b) & (time > low) & (time < high)].mean(0) for b in ("branch_1", "branch_2")]
        return np.linalg.norm(means[0] - means[1])

    assert apart(1.8, 2.0) > 2 * apart(1.0, 1.1)


def test_same_seed_same_bits():
    first, again, other = (simulate_branches(300, 40, seed=s) for s in (5, 5, 6))
    assert (first.X != again.X).nnz == 0
    assert (first.X != other.X).nnz > 0
    pd.testing.assert_frame_equal(first.obs, again.obs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_branches": 2}, "`n_branches` is 2"),
        ({"active_share": 2}, "`active_share` is 2"),
        ({"linear": -1}, "linear"),
    ],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_branches(50, 20, **options)


@pytest.mark.data
def test_summary_statistics_of_real_cells(real_data):
    real = anndata.read_h5ad(real_data / "paul15_myeloid.h5ad")
    depth = np.asarray(real.X.sum(1)).ravel()
    adata = simulate_branches(
        2000, real.n_vars, counts_per_gene=float(np.median(depth)) / real.n_vars, base_scale=1.5, seed=0
    )
    zeros = [1 - values.X.nnz / np.prod(values.shape) for values in (real, adata)]
    assert zeros[1] == pytest.approx(zeros[0], abs=0.15)
    spread = [np.log(np.asarray(values.X.sum(1)).ravel()).std() for values in (real, adata)]
    assert 0.5 < spread[1] / spread[0] < 2.0
