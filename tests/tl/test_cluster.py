from __future__ import annotations

import anndata
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import scpareto as sp


@pytest.fixture
def blobs():
    """Four clouds of 40 cells, far apart."""
    truth = np.repeat(np.arange(4), 40)
    codes = np.random.default_rng(0).normal(size=(160, 3)) + 25 * np.eye(4)[truth][:, :3]
    return anndata.AnnData(np.zeros((160, 1), dtype=np.float32), obs={"truth": truth.astype(str)}, obsm={"X": codes})


@pytest.mark.parametrize("method", ["kmeans", "spectral", "robust_spectral", "leiden"])
def test_clouds_are_found_and_said(blobs, method, tmp_path):
    options = {"resolution": 0.1} if method == "leiden" else {}
    sp.tl.cluster(blobs, "X", None if method == "leiden" else 4, method=method, key_added=method, **options)
    assert adjusted_rand_score(blobs.obs["truth"], blobs.obs[method]) == 1.0
    assert list(blobs.obs[method].cat.categories) == ["0", "1", "2", "3"]
    record = {"use_rep": "X", "method": method, "seed": 0, "n_clusters": 4}
    assert blobs.uns["scpareto"]["clusters"] == {method: record}
    blobs.write_h5ad(tmp_path / "cells.h5ad")


def test_the_number_is_found_and_other_clusters_stay(blobs):
    sp.tl.cluster(blobs, "X", 2, key_added="two")
    sp.tl.cluster(blobs, "X")
    assert blobs.obs["clusters"].nunique() == 4
    records = blobs.uns["scpareto"]["clusters"]
    assert set(records) == {"two", "clusters"}
    assert records["clusters"]["reason"].startswith("4 K-means clusters have the largest mean silhouette")


def test_wrong_arguments_are_named(blobs):
    with pytest.raises(ValueError, match="method='louvain' is unknown. Choose from kmeans, spectral"):
        sp.tl.cluster(blobs, "X", method="louvain")
    with pytest.raises(KeyError, match="use_rep='X_pca' is not in adata.obsm; it holds 'X'"):
        sp.tl.cluster(blobs, "X_pca")
    with pytest.raises(ValueError, match="n_clusters=0 must be at least 1"):
        sp.tl.cluster(blobs, "X", 0)
    with pytest.raises(ValueError, match="there are only 160 cells"):
        sp.tl.cluster(blobs, "X", 161)
    assert "clusters" not in blobs.obs
