"""Anchors of canonical components: what they find, how they weigh, what stays."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

import scpareto as sp
from scpareto.bench import read_cells
from scpareto.bench._methods._neighbors import find_neighbors
from scpareto.bench._methods._seurat._anchors import (
    Anchors,
    compute_canonical_vectors,
    find_anchors,
    scale_genes,
    score_anchors,
    select_features,
)
from scpareto.bench._methods._seurat._genes import select_integration_genes
from scpareto.bench._methods._seurat._merge import Merger, compute_anchor_weights, find_merge_order
from scpareto.bench._methods._seurat._method import seurat_correct


@pytest.fixture(scope="module")
def copies(simulate):
    """Return the same cells twice, the second time with every gene multiplied by a factor of its own."""
    single = simulate(2, n_cells=300, n_genes=120, batch_strength=0.0, equal_depth=True, counts_per_gene=6.0)
    factors = np.exp(np.random.default_rng(0).normal(size=single.n_vars))
    shifted = single.copy()
    shifted.X = sparse.csr_matrix(np.round(single.X.toarray() * factors).astype(np.float32))
    joined = anndata.concat({"first": single, "second": shifted}, label="copy", index_unique="-")
    joined.obs["batch"] = joined.obs["copy"]
    return joined


def test_two_copies_of_the_same_cells_are_merged(copies):
    adata = copies.copy()
    sp.bench.integrate(adata, "pca", batch_key="batch")
    sp.bench.integrate(adata, "seurat_cca", batch_key="batch")
    before, after = (sp.metrics.silhouette(adata.obsm[f"X_{m}"], adata.obs["batch"]) for m in ("pca", "seurat_cca"))
    assert after < 0.02 < before
    told = [sp.metrics.probe_information(adata.obsm[f"X_{m}"], adata.obs["batch"]).value for m in ("pca", "seurat_cca")]
    assert told[1] < 0.3 < 0.4 < told[0]


def test_anchors_are_mutual_and_pair_copies_with_themselves(copies):
    cells = read_cells(copies, batch_key="batch")
    first, second = (cells.log_normalised[cells.rows(b)].toarray().astype(float) for b in ("first", "second"))
    found = find_anchors(first, second, k_filter=10**6)
    u, v = compute_canonical_vectors(scale_genes(first), scale_genes(second), 30, seed=0)
    near_ab, near_ba = (
        find_neighbors(normalize(u), normalize(v), 5)[0],
        find_neighbors(normalize(v), normalize(u), 5)[0],
    )
    assert all(b in near_ab[a] and a in near_ba[b] for a, b in zip(found.a, found.b, strict=True))
    assert len(found) == sum(a in near_ba[b] for a in range(len(first)) for b in near_ab[a])
    assert ((found.score >= 0) & (found.score <= 1)).all()
    # Most cells have their own copy among their anchors; there are up to five for each cell.
    assert np.mean(np.isin(np.arange(len(first)), found.a[found.a == found.b])) > 0.8
    filtered = find_anchors(first, second, k_filter=20)
    kept = set(zip(filtered.a, filtered.b, strict=True))
    assert kept < set(zip(found.a, found.b, strict=True))


def test_the_reference_stays_as_it_is(copies):
    cells = read_cells(copies, batch_key="batch")
    genes = select_integration_genes(cells, 80)
    assert len(genes) == 80
    corrected = seurat_correct(cells, n_features=80)
    before = cells.log_normalised[:, genes].toarray()
    unchanged = [np.array_equal(corrected[cells.rows(b)], before[cells.rows(b)]) for b in cells.batches]
    assert unchanged == [True, False]


def test_three_batches_of_which_one_lacks_a_type():
    composition = np.full((3, 5), 0.2)
    composition[2] = [0.25, 0.25, 0.25, 0.25, 0]
    adata = sp.datasets.simulate_batches(
        900, 300, n_batches=3, n_types=5, composition=composition, type_strength=2.5, counts_per_gene=3, seed=0
    )
    assert (adata.obs["cell_type"][adata.obs["batch"] == "batch_2"] != "type_4").all()
    sp.bench.integrate(adata, "seurat_cca", batch_key="batch")
    codes, types = adata.obsm["X_seurat_cca"], adata.obs["cell_type"]
    assert sp.metrics.clustering_scores(codes, types).ari >= 0.95
    assert sp.metrics.silhouette(codes, adata.obs["batch"]) < 0.02


def test_weights_sum_to_one_and_follow_distance_and_score():
    cells = np.array([[0.0], [1.0], [2.0], [4.0]])
    anchor_cells, scores = np.array([0, 0, 2, 3]), np.array([1.0, 0.5, 1.0, 1.0])
    chosen, weights = compute_anchor_weights(cells, anchor_cells, scores, k_weight=3)
    assert chosen.shape == weights.shape == (4, 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    # Cell 0: anchored cells 0, 2 and 3 at 0, 2 and 4, of which the first has two anchors; the walk ends after three.
    raw = 1 - np.exp(-np.array([1.0 * 1.0, 1.0 * 0.5, 0.5 * 1.0]) / 4)
    assert chosen[0].tolist() == [0, 1, 2]
    np.testing.assert_allclose(weights[0], raw / raw.sum())


def test_weights_of_fewer_anchors_than_asked_for_and_of_worthless_ones():
    _, weights = compute_anchor_weights(np.zeros((3, 2)), np.array([1]), np.array([0.0]), k_weight=100)
    np.testing.assert_array_equal(weights, np.ones((3, 1)))


def test_scores_count_shared_neighbours():
    own, across = np.array([[0, 1], [1, 0]]), np.array([[0, 1], [2, 3]])
    # The cells of anchor (0, 0) share 2 + 2 neighbours, those of (1, 1) 0 + 2. The 1 % quantile is 2.02, the 90 % one
    # 3.8.
    scores = score_anchors(np.arange(2), np.arange(2), (own, own, across, own), 2)
    np.testing.assert_allclose(scores, [1, 0])
    three = score_anchors(np.array([0, 1, 0]), np.array([0, 1, 1]), (own, own, across, own), 2)
    np.testing.assert_allclose(three, [1, 0, 0])
    np.testing.assert_array_equal(score_anchors(np.arange(2), np.arange(2), (own, own, own, own), 2), [1, 1])
    nothing = np.array([], dtype=int)
    assert len(score_anchors(nothing, nothing, (own, own, own, own), 2)) == 0


def test_canonical_vectors_are_singular_vectors_of_standardised_cells():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 50)), rng.normal(size=(20, 50))
    u, v = compute_canonical_vectors(a, b, 5, seed=0)
    standard = [(x - x.mean(1, keepdims=True)) / x.std(1, ddof=1, keepdims=True) for x in (a, b)]
    values = np.linalg.svd(standard[0] @ standard[1].T)[1][:5]
    np.testing.assert_allclose(np.diag(u.T @ standard[0] @ standard[1].T @ v), values, rtol=1e-2)
    assert (u[0] > 0).all()
    np.testing.assert_allclose(u.T @ u, np.eye(5), atol=1e-8)


def test_top_features_take_both_ends_of_every_component():
    loadings = np.zeros((50, 2))
    loadings[[0, 1], 0] = [5, -5]
    loadings[[2, 3], 1] = [5, -5]
    assert {0, 1, 2, 3} <= set(select_features(loadings, max_features=8))
    assert len(select_features(np.random.default_rng(0).normal(size=(2000, 30)))) < 200


def test_the_closest_batches_are_merged_first_and_the_larger_group_is_the_reference():
    order = find_merge_order([100, 80, 50], {(0, 1): 10, (0, 2): 5, (1, 2): 40})
    assert order == [([1], [2]), ([1, 2], [0])]
    assert find_merge_order([100, 80], {(0, 1): 0}) == [([0], [1])]


def test_a_query_without_anchors_stays():
    parts = [np.random.default_rng(i).normal(size=(12, 6)) for i in range(2)]
    nothing = Anchors(np.array([], int), np.array([], int), np.array([]))
    merger = Merger(parts, {(0, 1): nothing}, k_weight=5, n_components=2, seed=0)
    merger.merge([0], [1])
    np.testing.assert_array_equal(merger.expression[1], parts[1])
