from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from scpareto.metrics import clustering_scores, unsupervised_clustering_accuracy


def _types(n: int, n_types: int, distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_types
    return rng.standard_normal((n, n_types)) + distance * np.eye(n_types)[labels], labels


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[3, 0], [0, 5]], 1.0),
        ([[3, 2], [3, 0]], 5 / 8),
        ([[4, 3], [3, 0]], 6 / 10),  # matching the largest entry first would give 4/10
        ([[2, 2, 2]], 2 / 6),  # two clusters have no partner
        ([[4], [1], [1]], 4 / 6),
    ],
)
def test_hand_computed_accuracy(table, expected):
    counts = np.array(table)
    label, cluster = np.indices(counts.shape)
    labels, clusters = (np.repeat(which.ravel(), counts.ravel()) for which in (label, cluster))
    assert unsupervised_clustering_accuracy(labels, clusters) == pytest.approx(expected)
    assert unsupervised_clustering_accuracy(clusters, labels) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_accuracy_is_the_best_over_all_matchings(pairs):
    labels, clusters = np.array(pairs).T
    best = max(np.mean(np.array(order)[clusters] == labels) for order in permutations(range(4)))
    value = unsupervised_clustering_accuracy(labels, clusters)
    assert value == pytest.approx(best)
    assert 1 / 4 <= value <= 1
    renamed = unsupervised_clustering_accuracy(labels, np.array(["d", "a", "c", "b"])[clusters])
    assert renamed == value


def test_separate_types_are_found():
    codes, labels = _types(300, 5, 20.0)
    scores = clustering_scores(codes, labels, n_init=10)
    assert (scores.ari, scores.nmi, scores.uca) == pytest.approx((1.0, 1.0, 1.0))
    assert scores.clusters.shape == (300,)
    assert scores.clusters.dtype == np.int64
    assert set(scores.clusters) == set(range(5))
    with pytest.raises(dataclasses.FrozenInstanceError):
        scores.ari = 0.0


def test_scores_are_those_of_the_clusters():
    codes, labels = _types(400, 4, 2.5)
    scores = clustering_scores(codes, labels, n_init=10)
    assert 0.1 < scores.ari < 0.9
    assert scores.ari == pytest.approx(adjusted_rand_score(labels, scores.clusters))
    assert scores.nmi == pytest.approx(normalized_mutual_info_score(labels, scores.clusters))
    assert scores.uca == unsupervised_clustering_accuracy(labels, scores.clusters)
    again = clustering_scores(codes, labels, n_init=10)
    assert (again.clusters == scores.clusters).all()


def test_more_starts_find_tighter_clusters():
    codes, labels = _types(300, 30, 3.0)

    def within(n_init):
        clusters = clustering_scores(codes, labels, n_init=n_init).clusters
        return sum(((codes[clusters == c] - codes[clusters == c].mean(axis=0)) ** 2).sum() for c in set(clusters))

    assert within(200) < within(1)


def test_unrelated_labels_score_around_zero():
    codes, labels = _types(2000, 4, 5.0)
    scores = clustering_scores(codes, np.random.default_rng(1).permutation(labels), n_init=3)
    assert abs(scores.ari) < 0.01
    assert scores.nmi < 0.01
    assert scores.uca == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_unannotated_cells_are_clustered_but_not_scored(missing):
    codes, labels = _types(300, 3, 12.0)
    names = np.array(["B", "T", "NK"], dtype=object)[labels]
    names[:60] = missing
    scores = clustering_scores(codes, names, n_init=5)
    assert (scores.ari, scores.nmi, scores.uca) == pytest.approx((1.0, 1.0, 1.0))
    assert set(scores.clusters[:60]) == {0, 1, 2}
    from_list = clustering_scores(codes, names.tolist(), n_init=5)
    assert (from_list.clusters == scores.clusters).all()
    # As text, the missing label is one of the labels: a fourth cluster, and none of its cells belong together.
    assert clustering_scores(codes, names.astype(str), n_init=5).ari < 0.9


def test_number_of_clusters():
    codes, labels = _types(300, 4, 15.0)
    half = clustering_scores(codes, labels, n_clusters=2, n_init=20)
    assert len(set(half.clusters)) == 2
    assert half.uca <= 0.5
    assert clustering_scores(codes, labels, n_clusters=1, n_init=1).ari == 0.0


def test_constant_codes_are_one_cluster():
    labels = np.repeat(["a", "b", "c"], [50, 30, 20])
    with pytest.warns(ConvergenceWarning, match="distinct clusters"):
        scores = clustering_scores(np.full((100, 3), 0.1), labels, n_init=2)
    assert (scores.ari, scores.nmi, scores.uca) == (0.0, 0.0, 0.5)


def test_equals_scib_metrics_where_the_best_clusters_are_clear():
    scib_metrics = pytest.importorskip("scib_metrics", reason="scib-metrics is not installed")
    codes, labels = _types(400, 4, 6.0)
    labels = np.where(np.arange(400) % 10, labels, 0)  # a tenth of the labels is wrong
    expected = scib_metrics.nmi_ari_cluster_labels_kmeans(codes, labels)
    scores = clustering_scores(codes, labels, n_init=10)
    assert scores.nmi == pytest.approx(expected["nmi"], abs=1e-6)
    assert scores.ari == pytest.approx(expected["ari"], abs=1e-6)
    assert scores.ari < 0.95


@pytest.mark.parametrize(
    ("codes", "labels", "options", "message"),
    [
        ([[np.nan], [1.0]], [0, 1], {}, "`codes` is NaN or infinite in 1 of 2"),
        ([[0.0], [1.0]], [0, 1, 1], {}, "`labels` has shape"),
        ([[0.0], [1.0]], [0, 0], {}, "1 distinct"),
        ([[0.0], [1.0]], ["a", np.nan], {}, "1 distinct"),
        ([[0.0], [1.0]], [np.nan, np.nan], {}, "0 distinct"),
        ([[0.0], [1.0]], [0, 1], {"n_clusters": 3}, "`n_clusters` is 3; there are only 2 cells"),
        ([[0.0], [1.0]], [0, 1], {"n_clusters": 0}, "`n_clusters` is 0"),
        ([[0.0], [1.0]], [0, 1], {"n_init": 0}, "`n_init` is 0"),
    ],
)
def test_refuses(codes, labels, options, message):
    with pytest.raises(ValueError, match=message):
        clustering_scores(codes, labels, **options)


@pytest.mark.parametrize(
    ("labels", "clusters", "message"),
    [
        ([0, 1], [0, 1, 1], "`clusters` has shape"),
        ([[0, 1]], [0, 1], "`labels` has shape"),
        (["a", np.nan], [0, 1], "`labels` is missing for 1 of 2"),
        (["a", "b"], [0, np.nan], "`clusters` is missing for 1 of 2"),
        ([], [], "0 distinct"),
    ],
)
def test_accuracy_refuses(labels, clusters, message):
    with pytest.raises(ValueError, match=message):
        unsupervised_clustering_accuracy(labels, clusters)
