from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from scpareto.front._clusters import DEFAULT_N_CLUSTERS, fit_soft_clusters, read_clustering


@pytest.fixture
def adata():
    rng = np.random.default_rng(0)
    soft = rng.dirichlet(np.ones(3), 12)
    obs = pd.DataFrame(index=[f"cell_{i}" for i in range(12)])
    obs["type"] = pd.Categorical(["b", "a", "c"] * 4, categories=["c", "b", "a", "never"])
    obs["leiden"] = [0, 1] * 6
    obs["gap"] = ["a", None] * 6
    obs["depth"] = rng.normal(size=12)
    obs["one"] = "same"
    adata = AnnData(np.ones((12, 2)), obs=obs)
    adata.obsm["soft"], adata.obsm["sparse"] = soft, sparse.csr_matrix(soft)
    adata.obsm["frame"] = pd.DataFrame(soft, index=obs.index, columns=["x", "y", "z"])
    adata.obsm["raw"], adata.obsm["negative"] = 2 * soft, soft - 0.4
    adata.obsm["nan"] = np.where(np.arange(36).reshape(12, 3) == 5, np.nan, soft)
    adata.obsm["alone"] = np.ones((12, 1))
    adata.obsm["words"] = pd.DataFrame({"x": ["a"] * 12, "y": ["b"] * 12}, index=obs.index)
    return adata


@pytest.mark.parametrize("name", ["corrected", "pca"])
def test_clusters_to_be_found(adata, name):
    found = read_clustering(adata, name)
    assert (found.name, found.n_clusters, found.memberships) == (name, DEFAULT_N_CLUSTERS, None)
    assert DEFAULT_N_CLUSTERS == 10
    assert read_clustering(adata, name, 4).n_clusters == 4


def test_given_labels_become_memberships_of_zero_and_one(adata):
    found = read_clustering(adata, "type")
    # A category without cells is no cluster.
    assert found.n_clusters == 3
    assert found.memberships.shape == (12, 3)
    assert set(found.memberships.unique().tolist()) == {0.0, 1.0}
    assert (found.memberships.sum(1) == 1).all()
    assert found.memberships.argmax(1)[:3].tolist() == [1, 0, 2]
    assert torch.equal(found.memberships[:3].repeat(4, 1), found.memberships)
    numbers = read_clustering(adata, "leiden", 2)
    assert torch.equal(numbers.memberships, torch.eye(2).repeat(6, 1))


@pytest.mark.parametrize("name", ["soft", "sparse", "frame"])
def test_soft_memberships_are_taken_as_they_are(adata, name):
    found = read_clustering(adata, name)
    assert found.n_clusters == 3
    assert found.memberships.dtype == torch.float32
    np.testing.assert_allclose(found.memberships, adata.obsm["soft"], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "n_clusters", "error", "message"),
    [
        (
            "cell_types",
            None,
            KeyError,
            "'cell_types' is neither.*'corrected', 'pca', 'populations', 'type', 'leiden'.*'soft'",
        ),
        ("gap", None, ValueError, "'gap'.*missing values"),
        ("depth", None, ValueError, "'depth'.*numbers, not clusters"),
        ("one", None, ValueError, "'one' has 1 clusters; give from 2 to 12"),
        ("raw", None, ValueError, "'raw'.*memberships, rows >= 0 that sum to 1"),
        ("negative", None, ValueError, "'negative'.*memberships"),
        ("nan", None, ValueError, "'nan'.*memberships"),
        ("alone", None, ValueError, "'alone' has 1 clusters"),
        ("words", None, ValueError, "'words'.*does not hold numbers"),
        ("type", 4, ValueError, "n_clusters=4.*'type' has 3 clusters of its own"),
        ("pca", 1, ValueError, "'pca' has 1 clusters; give from 2 to 12"),
        ("pca", 13, ValueError, "13 clusters; give from 2 to 12"),
        ("pca", 2.5, ValueError, "n_clusters=2.5 is not a whole number"),
        ("pca", True, ValueError, "n_clusters=True is not a whole number"),
        (["type", "leiden"], None, ValueError, r"given=\['type', 'leiden'\] must be the name of one clustering"),
    ],
)
def test_bad_clusterings_are_refused(adata, name, n_clusters, error, message):
    with pytest.raises(error, match=message):
        read_clustering(adata, name, n_clusters)


@pytest.fixture(scope="module")
def groups():
    """Three groups on very different scales, and a dimension that says nothing at all."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    centers = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 0]])
    codes = (centers[labels] + rng.normal(size=(180, 3))) * [1, 1000, 0.01]
    return np.column_stack([codes, np.full(180, 7.0)]), labels


def test_separate_groups_are_found_on_any_scale(groups):
    codes, labels = groups
    memberships = fit_soft_clusters(codes, 3, seed=1)
    assert memberships.shape == (180, 3)
    assert memberships.dtype == torch.float32
    torch.testing.assert_close(memberships.sum(1), torch.ones(180))
    assert (memberships >= 0).all()
    assert adjusted_rand_score(labels, memberships.argmax(1)) > 0.95


def test_equal_seeds_give_equal_clusters_and_generators_are_left_alone(groups):
    codes, _ = groups
    states = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002 - the caller's
    first, second = (fit_soft_clusters(codes, 3, seed=2**32 - 1) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tobytes() == states[1]  # noqa: NPY002 - the caller's
