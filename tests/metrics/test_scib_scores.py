from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.sparse import csr_matrix
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

from scpareto.metrics import ScibScorer, scib_scores
from scpareto.metrics._scib_columns import batch_share
from scpareto.metrics._scib_kbet import kbet_within_labels
from scpareto.metrics._scib_point import find_neighbors
from scpareto.metrics._scib_silhouettes import cosine_silhouette, euclidean_silhouette

LABELS, BATCHES = np.array(["B", "T", "NK", "DC"]), np.array([10, 9, 2])


@pytest.fixture(scope="module")
def scib_metrics():
    """scib-metrics with exact neighbours in place of its nearest-neighbour descent, which compiles for 30 seconds.

    The descent is what kBET runs on both sides of a comparison, and what finds neighbours of many cells.
    """
    module = pytest.importorskip("scib_metrics", reason="scib-metrics is not installed")
    module.settings.verbosity = logging.ERROR
    near = module.nearest_neighbors

    def exact(z, n_neighbors, random_state=0, n_jobs=1):
        distances, indices = NearestNeighbors(n_neighbors=min(n_neighbors, len(z))).fit(z).kneighbors(z)
        return near.NeighborsResults(indices=indices, distances=distances.astype(np.float32))

    with mock.patch.object(near, "pynndescent", mock.Mock(side_effect=exact)):
        yield module


@pytest.fixture(scope="module")
def cells():
    """Uncorrected components, labels, batches, and codes with all and with some of the batch effect."""
    rng = np.random.default_rng(0)
    # Equal sizes of label and batch keep the number of array shapes, for each of which JAX compiles, small.
    label, batch = np.arange(240) % 4, np.arange(240) // 4 % 3
    batch[label == 3] = 1  # isolated: in a single batch
    signal, effect = 2 * rng.normal(size=(4, 5)), 2 * rng.normal(size=(3, 5))
    noise = rng.normal(size=(240, 5))
    codes = {left: (signal[label] + left * effect[batch] + noise).astype(np.float32) for left in (1.0, 0.3)}
    return codes[1.0] + 0.1 * rng.normal(size=(240, 5)), LABELS[label], BATCHES[batch], codes


@pytest.fixture(scope="module")
def scores(scib_metrics, cells):
    """Scores of each of the codes by one scorer, and the number of PyTorch threads before and after."""
    expression, labels, batch, codes = cells
    before = torch.get_num_threads()
    scorer = ScibScorer(expression, labels, batch)
    found = {left: scorer.score(z) for left, z in codes.items()}
    return found, (before, torch.get_num_threads())


@pytest.fixture(scope="module")
def table(scib_metrics, cells):
    """What Benchmarker says of the same codes, given the same neighbours."""
    from scib_metrics.benchmark import Benchmarker

    expression, labels, batch, codes = cells
    obs = pd.DataFrame({"labels": labels, "batch": batch}, index=[f"c{i}" for i in range(len(labels))])
    # Copies, since k-means of scib-metrics changes arrays of single precision by rounding errors.
    adata = AnnData(obs=obs, obsm={"pre": expression} | {str(left): z.copy() for left, z in codes.items()})
    benchmarker = Benchmarker(
        adata,
        "batch",
        "labels",
        [str(left) for left in codes],
        pre_integrated_embedding_obsm_key="pre",
        progress_bar=False,
    )
    with mock.patch("gc.collect"):  # half a second, ten times for each of the codes
        benchmarker.prepare(neighbor_computer=lambda z, k: find_neighbors(z, k, exact=True, seed=0))
        benchmarker.benchmark()
    return benchmarker.get_results(clean_names=False).drop(index="Metric Type").astype(float)


@pytest.mark.parametrize("left", [1.0, 0.3])
def test_equals_benchmarker(scores, table, left):
    expected, found = table.loc[str(left)], scores[0][left]
    assert set(found.value) == set(expected.index) - {"Bio conservation", "Batch correction", "Total"}
    assert found.value == pytest.approx({name: expected[name] for name in found.value}, abs=5e-6)
    assert found.bio_conservation == pytest.approx(expected["Bio conservation"], abs=2e-6)
    assert found.batch_correction == pytest.approx(expected["Batch correction"], abs=2e-6)
    assert found.total == pytest.approx(expected["Total"], abs=2e-6)


def test_removing_the_batch_effect_raises_batch_correction(scores):
    uncorrected, corrected = scores[0][1.0], scores[0][0.3]
    assert corrected.batch_correction > uncorrected.batch_correction + 0.2
    assert uncorrected.value["pcr_comparison"] < 0.05 < 0.5 < corrected.value["pcr_comparison"]


def test_number_of_threads_stays(scores):
    before, after = scores[1]
    assert after == before


def test_function_equals_scorer_and_changes_nothing(scores, cells):
    expression, labels, batch, codes = cells
    arrays = [codes[0.3].copy(), labels.copy(), batch.copy(), expression.copy()]
    for array in arrays:
        array.setflags(write=False)
    found = scib_scores(arrays[0], arrays[1], arrays[2], expression=arrays[3])
    assert found.value == scores[0][0.3].value
    assert all(np.array_equal(a, b) for a, b in zip(arrays, (codes[0.3], labels, batch, expression), strict=True))


def test_neighbours_of_many_cells_are_approximate(scores, scib_metrics, cells):
    expression, labels, batch, codes = cells
    descent = scib_metrics.nearest_neighbors.pynndescent
    descent.reset_mock()
    found = scib_scores(codes[0.3], labels, batch, expression=expression, max_exact_cells=239, seed=7)
    assert descent.call_args_list[0].kwargs == {"n_neighbors": 90, "random_state": 7}
    assert found.value["kbet_per_label"] == pytest.approx(scores[0][0.3].value["kbet_per_label"])
    assert found.value["clisi_knn"] == pytest.approx(scores[0][0.3].value["clisi_knn"])


def test_undefined_scores_are_nan_with_a_warning(scib_metrics, cells):
    expression, labels, _, codes = cells
    with pytest.warns(UserWarning, match="bras, kbet_per_label undefined"):
        found = scib_scores(codes[0.3], labels, labels, expression=expression)
    value = found.value
    assert [name for name in value if np.isnan(value[name])] == ["bras", "kbet_per_label"]
    rest = [value[name] for name in ("ilisi_knn", "graph_connectivity", "pcr_comparison")]
    assert found.batch_correction == pytest.approx(np.mean(rest))


def test_few_cells_and_columns_of_zeros(scib_metrics):
    rng = np.random.default_rng(0)
    codes = np.append(rng.normal(size=(18, 2)), np.zeros((18, 1)), axis=1)
    with pytest.warns(UserWarning, match="kbet_per_label undefined"):
        found = scib_scores(codes, np.arange(18) % 2, np.arange(18) // 2 % 2, expression=rng.normal(size=(18, 3)))
    assert np.isnan(found.value["kbet_per_label"])
    assert np.isfinite([found.value[name] for name in found.value if name != "kbet_per_label"]).all()


def test_neighbours_start_with_the_cell_itself(scib_metrics):
    codes = np.repeat(np.random.default_rng(0).normal(size=(10, 3)), 5, axis=0).astype(np.float32)
    found = find_neighbors(codes, 7, exact=True, seed=0)
    assert found.indices[:, 0].tolist() == list(range(50))
    assert np.all(found.distances[:, :5] == 0)
    assert np.all(found.distances[:, 5:] > 0)


@given(seed=st.integers(0, 1000), n=st.integers(5, 300), scale=st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=30, deadline=None)
def test_silhouettes_equal_sklearn(seed, n, scale):
    rng = np.random.default_rng(seed)
    points, group = scale * (rng.normal(size=(n, 3)) + 5), np.arange(n) % 3
    expected = silhouette_samples(points, group)
    assert euclidean_silhouette(points, group) == pytest.approx(expected, abs=1e-7)
    halves = np.arange(n) % 2  # with two groups, all others are the nearest other group
    expected = silhouette_samples(points, halves, metric="cosine")
    assert cosine_silhouette(points, halves) == pytest.approx(expected, abs=1e-7)


def test_silhouettes_of_duplicates_and_single_cells():
    same = np.full((6, 2), 0.1)
    assert not euclidean_silhouette(same, np.arange(6) % 2).any()
    assert not cosine_silhouette(np.arange(1, 7)[:, None] * same, np.arange(6) % 2).any()
    points, group = np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1])
    assert euclidean_silhouette(points, group) == pytest.approx([4 / 5, 3 / 4, 0])


def test_batch_share_is_principal_component_regression(scib_metrics, cells):
    from scib_metrics.utils import principal_component_regression

    expression, _, batch, _ = cells
    number = np.unique(batch, return_inverse=True)[1]
    expected = principal_component_regression(expression, batch, categorical=True)
    assert batch_share(expression, number) == pytest.approx(expected, abs=1e-6)
    assert batch_share(np.array([[1.0], [1.0], [3.0], [5.0]]), np.array([0, 0, 1, 1])) == pytest.approx(9 / 11)


def test_kbet_of_labels_in_pieces_equals_scib_metrics(scib_metrics):
    rng = np.random.default_rng(0)
    # whole; too little of it in large pieces; enough of it; too few cells; a single batch
    pieces = [[60], [40, 16, 4], [50, 10], [8], [60]]
    blocks = [np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.3), 1) + np.eye(n, k=1) for n in sum(pieces, [])]
    graph = csr_matrix(block_diag(*[block + block.T for block in blocks]))
    label = np.repeat(np.arange(5), [sum(of_label) for of_label in pieces])
    batch = np.where(label == 4, 0, rng.integers(2, size=len(label)))
    neighbors = SimpleNamespace(indices=label, knn_graph_connectivities=graph)
    expected = scib_metrics.kbet_per_label(neighbors, batch, label, return_df=True)[1]["kBET"].to_numpy(float)
    found = kbet_within_labels(graph, batch, label)
    assert found == pytest.approx(expected, nan_ok=True)
    assert found[1] == 0 < found[0]
    assert np.isnan(found).tolist() == [False, False, False, True, True]


def test_missing_package_names_the_command(monkeypatch, cells):
    expression, labels, batch, _ = cells
    monkeypatch.setitem(sys.modules, "scib_metrics", None)
    with pytest.raises(ImportError, match="pip install scib-metrics"):
        ScibScorer(expression, labels, batch)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"codes": np.full((20, 2), np.nan)}, "`codes` is NaN or infinite in 20 of 20"),
        ({"codes": np.ones((20, 2))}, "`codes` are the same for all cells"),
        ({"codes": np.ones((19, 2))}, "`codes` has 19 rows but there are 20 cells"),
        ({"labels": ["a"] * 19 + [np.nan]}, "`labels` is missing for 1 of 20"),
        ({"labels": ["a"] * 20}, "`labels` has 1 distinct"),
        ({"labels": np.arange(20)}, "no label of `labels` has two cells"),
        ({"batch": [0] * 20}, "`batch` has 1 distinct"),
        ({"batch": [None] + [0, 1] * 9 + [0]}, "`batch` is missing for 1 of 20"),
        ({"batch": [0, 1]}, "`batch` has shape"),
        ({"expression": np.ones((20, 2))}, "`expression` is the same for all cells"),
        ({"expression": np.ones((14, 2))}, "`expression` has 14 cells; at least 15"),
        ({"n_neighbors": 14}, "`n_neighbors` is 14"),
        ({"seed": -1}, "`seed` is -1"),
    ],
)
def test_refuses(scib_metrics, changed, message):
    values = np.random.default_rng(0).normal(size=(20, 2))
    given = {"codes": values, "labels": np.arange(20) % 2, "batch": np.arange(20) // 2 % 2, "expression": values}
    with pytest.raises(ValueError, match=message):
        scib_scores(**(given | changed))
