from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

from scpareto.metrics import cluster_codes, number_before_drop, number_of_clusters, robust_spectral_clustering
from scpareto.metrics._robust_spectral import _adjacency, _remove_edges, _smallest_eigenpairs


@pytest.fixture(scope="module")
def blobs():
    """Four blobs of unequal size, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), [120, 60, 40, 30])
    return 8 * np.eye(4)[labels] + rng.normal(size=(250, 4)), labels


@pytest.fixture(scope="module")
def bridged():
    """Two noisy half moons, which a few edges of the neighbour graph join, and their labels."""
    return make_moons(400, noise=0.1, random_state=2)


@pytest.mark.parametrize("method", ["kmeans", "spectral", "robust_spectral", "leiden"])
def test_every_method_finds_separate_blobs_and_repeats_itself(blobs, method):
    codes, labels = blobs
    found = cluster_codes(codes, method, 4, seed=3, **({"resolution": 0.3} if method == "leiden" else {}))
    assert found.shape == (250,)
    assert found.min() == 0
    assert adjusted_rand_score(labels, found) > 0.97
    again = cluster_codes(codes, method, 4, seed=3, **({"resolution": 0.3} if method == "leiden" else {}))
    np.testing.assert_array_equal(found, again)


def test_removed_edges_keep_both_limits_and_lower_the_eigenvalues(bridged):
    codes, _ = bridged
    nearest = kneighbors_graph(codes, 6)
    rows, columns = nearest.maximum(nearest.T).nonzero()
    pairs = np.column_stack([rows, columns])[rows < columns]
    values, vectors = _smallest_eigenpairs(_adjacency(pairs, len(codes)), 2, 0)
    degrees = np.bincount(pairs.ravel())
    kept = _remove_edges(pairs, values, vectors, 12, degrees // 2)
    assert 0 < (~kept).sum() <= 12
    assert np.all(np.bincount(pairs[~kept].ravel(), minlength=len(codes)) <= degrees // 2)
    after, _ = _smallest_eigenpairs(_adjacency(pairs[kept], len(codes)), 2, 0)
    assert after.sum() < values.sum()


def test_eigenvectors_solve_the_generalised_problem(bridged):
    nearest = kneighbors_graph(bridged[0], 6)
    graph = nearest.maximum(nearest.T)
    values, vectors = _smallest_eigenpairs(graph, 3, 0)
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    residual = degrees[:, None] * vectors - graph @ vectors - degrees[:, None] * vectors * values
    assert np.abs(residual).max() < 1e-6
    assert values.min() == pytest.approx(0, abs=1e-8)


def test_removing_edges_helps_where_few_edges_join_clusters(bridged):
    codes, labels = bridged
    plain, robust = (
        adjusted_rand_score(labels, robust_spectral_clustering(codes, 2, n_neighbors=8, max_removed=m)) for m in (0, 20)
    )
    assert robust > plain + 0.02
    assert robust > 0.9


def test_share_and_number_of_removed_edges_agree(blobs):
    nearest = kneighbors_graph(blobs[0], 15)
    n_edges = nearest.maximum(nearest.T).nnz // 2
    a = robust_spectral_clustering(blobs[0], 4, max_removed=0.005)
    b = robust_spectral_clustering(blobs[0], 4, max_removed=int(0.005 * n_edges))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["silhouette", "leiden"])
def test_number_of_clusters_of_blobs(blobs, method):
    found = number_of_clusters(blobs[0], method)
    assert found.value == 4
    assert "4" in found.reason
    assert len(found.candidates) == len(found.scores)


def test_last_number_before_the_steepest_fall():
    found = number_before_drop([2, 4, 6, 8], [0.9, 0.88, 0.5, 0.45])
    assert found.value == 4
    assert "0.880 to 0.500" in found.reason
    with pytest.raises(ValueError, match="at least two"):
        number_before_drop([2], [0.9])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: cluster_codes(z, "dbscan", 2), "'dbscan'; choose one of kmeans, spectral"),
        (lambda z: cluster_codes(z, "kmeans"), "missing; method 'kmeans'"),
        (lambda z: cluster_codes(z, "kmeans", 300), "300; there are only 250 cells"),
        (lambda z: robust_spectral_clustering(z[:10], 2), "only 10 cells"),
        (lambda z: robust_spectral_clustering(z, 2, max_removed=-1), "`max_removed` is -1"),
        (lambda z: number_of_clusters(z, "gap"), "'gap'; choose one of silhouette, leiden"),
        (lambda z: number_of_clusters(z[:3]), "only 3 cells"),
    ],
)
def test_bad_arguments_are_refused(blobs, call, message):
    with pytest.raises(ValueError, match=message):
        call(blobs[0])
