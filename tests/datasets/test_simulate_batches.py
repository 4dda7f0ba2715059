from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from scpareto.datasets import simulate_batches
from scpareto.metrics import nn_mutual_information

NULL = {"batch_strength": 0.0, "composition": "equal", "equal_depth": True}


def _pca(adata: ad.AnnData, n_components: int = 10) -> np.ndarray:
    counts = adata.X.toarray()
    logged = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    return PCA(n_components, random_state=0).fit_transform(logged)


def test_shapes_types_and_names():
    adata = simulate_batches(250, 120, n_batches=4, n_types=5)
    assert adata.shape == (250, 120)
    assert sparse.issparse(adata.X)
    assert (adata.X.format, adata.X.dtype) == ("csr", np.float32)
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert adata.X.data.min() >= 1
    assert adata.X.sum(axis=1).min() >= 1
    assert all(isinstance(name, str) for name in [*adata.obs_names, *adata.var_names])
    assert adata.obs_names.is_unique
    assert adata.obs["batch"].cat.categories.tolist() == ["batch_0", "batch_1", "batch_2", "batch_3"]
    assert np.ptp(adata.obs["batch"].value_counts()) <= 1
    assert adata.varm["batch_log_fold_change"].shape == (120, 4)
    assert adata.varm["batch_type_log_fold_change"].shape == (120, 4, 5)
    assert adata.uns["simulation"]["composition"].sum(axis=1) == pytest.approx(1)


def test_categories_keep_their_natural_order():
    adata = simulate_batches(600, 60, n_batches=12, n_types=12, composition="equal")
    assert adata.obs["batch"].cat.categories.tolist() == [f"batch_{b}" for b in range(12)]
    assert adata.obs["cell_type"].cat.categories.tolist() == [f"type_{t}" for t in range(12)]


@pytest.mark.parametrize("seed", range(4))
def test_sparsity_and_depth_look_real(seed):
    adata = simulate_batches(1000, 2000, seed=seed)
    zeros = 1 - adata.X.nnz / np.prod(adata.shape)
    assert 0.80 <= zeros <= 0.93
    depth = np.asarray(adata.X.sum(axis=1)).ravel()
    assert np.median(depth) == pytest.approx(1000, rel=0.15)
    assert 0.3 < np.log(depth).std() < 0.7


def test_counts_have_the_stated_mean_and_variance():
    # One type, no batch effect, no depth differences left: gene by gene mu + phi mu^2.
    adata = simulate_batches(4000, 50, n_batches=1, n_types=1, type_strength=0.0, counts_per_gene=20.0, **NULL)
    profile = np.exp(adata.var["base_log_expression"].to_numpy())
    library = adata.obs["library_size"].to_numpy()
    mu = library[:, None] * profile / profile.sum()
    residual = adata.X.toarray() - mu
    expected = (mu + adata.var["dispersion"].to_numpy() * mu**2).mean(axis=0)
    assert np.abs(residual.mean(axis=0) / np.sqrt(expected / 4000)).max() < 4  # in standard errors, 50 genes
    ratio = (residual**2).mean(axis=0) / expected
    assert np.median(ratio) == pytest.approx(1, abs=0.05)


def test_same_seed_same_bits():
    first, again, other = (simulate_batches(1100, 80, seed=s) for s in (5, 5, 6))
    assert (first.X != again.X).nnz == 0
    pd.testing.assert_frame_equal(first.obs, again.obs)
    assert (first.X != other.X).nnz > 0


def test_global_random_state_is_left_alone():
    np.random.seed(0)  # noqa: NPY002 the state under test
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate_batches(50, 30)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_null_case_makes_batches_exchangeable():
    adata = simulate_batches(2000, 300, **NULL)
    assert (adata.varm["batch_type_log_fold_change"] == 0).all()
    assert abs(nn_mutual_information(_pca(adata), adata.obs["batch"])) < 0.03


def test_batches_separate_while_types_stay_recognisable():
    adata = simulate_batches(2000, 500)
    codes = _pca(adata)
    assert nn_mutual_information(codes, adata.obs["batch"]) > 0.5
    one = (adata.obs["batch"] == "batch_0").to_numpy()
    accuracy = cross_val_score(KNeighborsClassifier(15), codes[one], adata.obs["cell_type"][one], cv=5).mean()
    assert accuracy > 0.85


def test_strength_orders_the_information_about_batch():
    values = [
        nn_mutual_information(_pca(a), a.obs["batch"])
        for a in (simulate_batches(800, 300, **{**NULL, "batch_strength": s}) for s in (0.0, 0.4, 1.0, 2.0))
    ]
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.5


def test_lineages_are_nested():
    adata = simulate_batches(1500, 500, **NULL)
    assert (adata.obs.groupby("cell_type", observed=True)["lineage"].nunique() == 1).all()
    codes = pd.DataFrame(_pca(adata)).groupby(adata.obs["cell_type"].to_numpy()).mean().to_numpy()
    distance = np.linalg.norm(codes[:, None] - codes, axis=2)
    lineage = np.arange(6) // 2
    same = (lineage[:, None] == lineage) & ~np.eye(6, dtype=bool)
    assert distance[same].mean() < 0.7 * distance[lineage[:, None] != lineage].mean()


def test_markers_are_where_the_truth_says():
    adata = simulate_batches(2000, 1000, counts_per_gene=3.0, **NULL)
    means = pd.DataFrame(adata.X.toarray()).groupby(adata.obs["cell_type"].to_numpy()).mean()
    genes = np.flatnonzero(adata.var["marker_of"] == "type_3")
    genes = genes[means.iloc[:, genes].min().to_numpy() > 0.2]
    log_ratio = np.log(means.loc["type_3"].iloc[genes] / means.loc["type_2"].iloc[genes])  # its sister type
    assert len(genes) > 8
    assert np.corrcoef(log_ratio, adata.varm["type_log_fold_change"]["type_3"].iloc[genes])[0, 1] > 0.8


def test_batch_effect_is_the_one_on_record():
    adata = simulate_batches(4000, 200, n_batches=2, n_types=1, type_specific=0.0, counts_per_gene=5.0)
    effect = adata.varm["batch_log_fold_change"]
    assert (effect.loc[~adata.var["batch_affected"]] == 0).all(axis=None)
    assert adata.var["batch_affected"].mean() == 0.5
    means = [np.asarray(adata[adata.obs["batch"] == b].X.mean(axis=0)).ravel() for b in effect.columns]
    common = (means[0] > 0.3) & (means[1] > 0.3)
    observed = np.log(means[1] / means[0])[common]
    assert np.corrcoef(observed, (effect["batch_1"] - effect["batch_0"])[common])[0, 1] > 0.9


def test_share_of_the_effect_in_some_types_only():
    adata = simulate_batches(10, 5000, n_types=6, type_specific=0.4)
    whole = adata.varm["batch_type_log_fold_change"][adata.var["batch_affected"]]
    shared = adata.varm["batch_log_fold_change"][adata.var["batch_affected"]].to_numpy()
    own = whole - shared[:, :, None]
    assert (np.any(own != 0, axis=0).sum(axis=1) == 3).all()  # half of the types, in every batch
    assert (whole**2).mean() == pytest.approx(0.25, rel=0.05)
    assert (own**2).mean() / (whole**2).mean() == pytest.approx(0.4, abs=0.03)


def test_unique_types_occur_in_one_batch_only():
    adata = simulate_batches(900, 60, unique_types=2)
    table = pd.crosstab(adata.obs["cell_type"], adata.obs["batch"])
    assert ((table > 0).sum(axis=1).loc[["type_4", "type_5"]] == 1).all()
    assert table.loc["type_5", "batch_0"] > 20
    assert table.loc["type_4", "batch_1"] > 20
    assert ((table > 0).sum(axis=1).loc[["type_0", "type_1", "type_2", "type_3"]] == 3).all()


def test_composition():
    given = np.array([[1.0, 0.0, 1.0], [0.0, 3.0, 1.0]])
    adata = simulate_batches(2000, 60, n_batches=2, n_types=3, composition=given)
    table = pd.crosstab(adata.obs["batch"], adata.obs["cell_type"], normalize="index").to_numpy()
    assert table == pytest.approx(np.array([[0.5, 0, 0.5], [0, 0.75, 0.25]]), abs=0.05)
    assert (given == [[1, 0, 1], [0, 3, 1]]).all()
    equal, drawn = (
        simulate_batches(50, 60, composition=c).uns["simulation"]["composition"] for c in ("equal", "unequal")
    )
    assert (equal == equal[0, 0]).all()
    assert drawn.std(axis=0).min() > 0.01


def test_equal_depth_changes_depth_only():
    own, equal = (simulate_batches(3000, 50, equal_depth=e) for e in (False, True))
    medians = [a.obs.groupby("batch", observed=True)["library_size"].median() for a in (own, equal)]
    assert np.ptp(np.log(medians[0])) > 0.15 > 0.08 > np.ptp(np.log(medians[1]))
    assert (own.obs["cell_type"] == equal.obs["cell_type"]).all()
    assert own.varm["batch_log_fold_change"].equals(equal.varm["batch_log_fold_change"])


def test_no_cell_is_empty_at_tiny_depth():
    adata = simulate_batches(300, 40, counts_per_gene=0.01)
    assert adata.X.sum(axis=1).min() == 1


def test_survives_h5ad(tmp_path):
    adata = simulate_batches(120, 60, unique_types=1)
    adata.write_h5ad(tmp_path / "simulated.h5ad")
    back = ad.read_h5ad(tmp_path / "simulated.h5ad")
    assert (adata.X != back.X).nnz == 0
    pd.testing.assert_frame_equal(adata.obs, back.obs)
    pd.testing.assert_frame_equal(adata.var, back.var)
    assert set(back.uns["simulation"]) == set(adata.uns["simulation"])
    for key, value in adata.varm.items():
        np.testing.assert_array_equal(np.asarray(value), np.asarray(back.varm[key]))
    assert back[:, :10].varm["batch_type_log_fold_change"].shape == (10, 3, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_cells": 2}, "`n_cells` is 2"),
        ({"n_genes": 5}, "`n_genes` is 5"),
        ({"n_batches": 0}, "`n_batches` is 0"),
        ({"n_types": 1.5}, "`n_types` is 1.5"),
        ({"unique_types": 6}, "from 0 to 5"),
        ({"batch_strength": -1.0}, "`batch_strength` is -1"),
        ({"type_strength": np.nan}, "`type_strength` is nan"),
        ({"affected_genes": 1.2}, "`affected_genes` is 1.2"),
        ({"type_specific": -0.1}, "`type_specific` is -0.1"),
        ({"concentration": 0.0}, "`concentration` is 0"),
        ({"counts_per_gene": np.inf}, "`counts_per_gene` is inf"),
        ({"composition": "random"}, "'unequal', 'equal' or a matrix"),
        ({"composition": np.ones((2, 6))}, r"give shape \(3, 6\)"),
        ({"composition": -np.ones((3, 6))}, "not negative"),
        ({"composition": np.zeros((3, 6))}, "not all zero"),
        ({"composition": np.ones((3, 6)), "unique_types": 1}, "put the zeros"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_batches(**options)
