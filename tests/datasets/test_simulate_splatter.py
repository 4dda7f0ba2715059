from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from scpareto.datasets import simulate_splatter


def profiles(adata):
    """Mean share of counts of each gene, by path and step, of cells without batch effect."""
    shares = adata.X.toarray() / adata.obs["library_size"].to_numpy()[:, None]
    frame = pd.DataFrame(shares).groupby([adata.obs["path"].to_numpy(), adata.obs["step"].to_numpy()]).mean()
    return frame


def test_factors_are_on_record_and_independent():
    adata = simulate_splatter(4000, 30, n_batches=3, n_paths=2, n_steps=20, seed=1)
    assert adata.obs["batch"].cat.categories.tolist() == ["batch_0", "batch_1", "batch_2"]
    assert sorted(adata.obs["step"].unique()) == list(range(1, 21))
    numbers = np.column_stack(
        [adata.obs["batch"].cat.codes, adata.obs["path"].cat.codes, adata.obs["step"], adata.obs["library_size"]]
    )
    correlation = np.corrcoef(numbers.T) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(4000)
    assert adata.X.format == "csr"
    assert (adata.X.data == np.round(adata.X.data)).all()


def test_linear_step_lies_on_the_line_and_nonlinear_does_not():
    options = {"n_batches": 1, "n_steps": 3, "counts_per_gene": 400.0, "library_scale": 0.0, "seed": 2}
    away = {}
    for step in ("linear", "nonlinear"):
        adata = simulate_splatter(6000, 40, step=step, **options)
        found = profiles(adata)
        for path in ("path_0", "path_1"):
            # Shares of counts: the sum over genes changes along the path, hence the weights of both ends.
            start, middle, end = (found.loc[(path, s)].to_numpy() for s in (1, 2, 3))
            weight = np.linalg.lstsq(np.column_stack([start, end]), middle, rcond=None)[0]
            rest = middle - weight @ np.stack([start, end])
            away[step, path] = np.median(np.abs(rest) / middle)
    assert max(away["linear", p] for p in ("path_0", "path_1")) < 0.04
    assert min(away["nonlinear", p] for p in ("path_0", "path_1")) > 0.12


def test_both_steps_share_everything_else():
    linear, curved = (simulate_splatter(50, 30, step=step, seed=3) for step in ("linear", "nonlinear"))
    pd.testing.assert_frame_equal(linear.obs, curved.obs)
    pd.testing.assert_frame_equal(linear.varm["path_factor"], curved.varm["path_factor"])
    assert (linear.X != curved.X).nnz > 0


def test_mean_and_variance_are_those_of_the_formula():
    options = {"n_batches": 1, "n_paths": 1, "path_probability": 0.0, "library_scale": 0.0, "seed": 4}
    adata = simulate_splatter(5000, 40, counts_per_gene=20.0, biological_variation=0.1, **options)
    counts = adata.X.toarray()
    profile = (adata.var["base_mean"] * adata.varm["batch_factor"]["batch_0"]).to_numpy()
    mean = 20.0 * 40 * profile / profile.sum()
    # chi is one draw per gene with mean square 60 / 58: its average over genes is close to that.
    expected = mean + (0.1 * mean + np.sqrt(mean)) ** 2
    assert np.abs(counts.mean(0) - mean).max() / mean.max() < 0.1
    ratio = counts.var(0)[mean > 0.5] / expected[mean > 0.5]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.2)


def test_same_seed_same_bits():
    first, again, other = (simulate_splatter(300, 40, seed=s) for s in (5, 5, 6))
    assert (first.X != again.X).nnz == 0
    assert (first.X != other.X).nnz > 0
    pd.testing.assert_frame_equal(first.obs, again.obs)


def test_it_survives_h5ad(tmp_path):
    adata = simulate_splatter(60, 20)
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    pd.testing.assert_frame_equal(again.obs, adata.obs)
    assert again.uns["simulation"]["step"] == "linear"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": "curved"}, "'curved'.*'nonlinear'"),
        ({"n_steps": 1}, "`n_steps` is 1"),
        ({"path_probability": 1.5}, "`path_probability` is 1.5"),
        ({"batch_scale": -1.0}, "`batch_scale` is -1.0"),
        ({"counts_per_gene": 0}, "`counts_per_gene` is 0"),
    ],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_splatter(50, 20, **options)


@pytest.mark.data
def test_summary_statistics_of_real_cells(real_data):
    """At the depth of the real data: zeros, spread of gene means and of depth, and overdispersion are comparable."""
    real = anndata.read_h5ad(real_data / "cellmix_9cell.h5ad")
    counts = real.X.toarray()
    expressed = counts.mean(0) > 0.1
    counts = counts[:, expressed]
    depth = counts.sum(1)
    adata = simulate_splatter(
        len(counts), 2000, counts_per_gene=float(np.median(depth)) / counts.shape[1], library_scale=0.5, seed=0
    )
    simulated = adata.X.toarray()
    for values, low, high in ((counts, 0.2, 0.8), (simulated, 0.2, 0.8)):
        assert low < (values == 0).mean() < high
    spread = [np.log(values.mean(0)[values.mean(0) > 0.1]).std() for values in (counts, simulated)]
    assert 0.5 < spread[1] / spread[0] < 2.0
    cv2 = []
    for values in (counts, simulated):
        mean, variance = values.mean(0), values.var(0)
        common = (mean > 1) & (mean < 20)
        cv2.append(np.median((variance[common] - mean[common]) / mean[common] ** 2))
    assert 1 / 3 < cv2[1] / cv2[0] < 3
