"""Clusters within batches, matched across them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from scpareto.metrics import populations_at_resolutions, shared_populations


def cells(types_of, seed=0, shift=20.0, n=80, interaction=0.0, width=10):
    """Cells of the types of each batch, each batch moved in a direction of its own."""
    rng = np.random.default_rng(seed)
    n_types = max(max(own) for own in types_of) + 1
    middle = rng.normal(size=(n_types, width)) * 4
    types = np.concatenate([np.repeat(own, n) for own in types_of])
    batch = np.repeat([f"b{i}" for i in range(len(types_of))], [n * len(own) for own in types_of])
    moved = {name: shift * rng.normal(size=width) / np.sqrt(width) for name in np.unique(batch)}
    x = middle[types] + np.array([moved[b] for b in batch]) + rng.normal(size=(len(types), width))
    if interaction:
        own = {(b, t): interaction * rng.normal(size=width) / np.sqrt(width) for b in moved for t in range(n_types)}
        x += np.array([own[b, t] for b, t in zip(batch, types, strict=True)])
    return x, batch, types


@pytest.mark.parametrize("shift", [0.0, 5.0, 40.0])
def test_shared_types_are_found_whatever_the_batch_adds(shift):
    x, batch, types = cells([range(5), range(5), range(5)], shift=shift)
    found = shared_populations(x, batch, n_clusters=5)
    assert adjusted_rand_score(types, found.labels) > 0.98
    assert (found.not_assessable < 0.02).all()
    assert found.spans(0) == ("b0", "b1", "b2")


def test_an_effect_that_differs_between_types_does_not_break_the_matching():
    x, batch, types = cells([range(6), range(6)], shift=20.0, interaction=4.0, width=20)
    found = shared_populations(x, batch, n_clusters=6)
    kept = found.labels >= 0
    assert kept.mean() > 0.8
    assert adjusted_rand_score(types[kept], found.labels[kept]) > 0.95


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_clusters", [6, 10])
def test_types_of_one_batch_each_are_not_assessable(seed, n_clusters):
    x, batch, types = cells([[0, 1, 2, 3, 4], [0, 1, 2, 3, 5]], seed=seed)
    found = shared_populations(x, batch, n_clusters=n_clusters)
    own = types >= 4
    assert (found.labels[own] < 0).mean() > 0.98
    assert (found.labels[~own] >= 0).mean() > 0.7
    assert found.not_assessable.between(0.18, 0.5).all()


def test_populations_are_transitive_and_one_cluster_of_a_batch_is_in_one():
    x, batch, types = cells([[0, 1, 2, 3], [0, 1, 2, 4], [1, 2, 3, 4]])
    found = shared_populations(x, batch, n_clusters=4)
    assert adjusted_rand_score(types, found.labels) > 0.98
    assert sorted(len(found.spans(p)) for p in found.sizes.index) == [2, 2, 2, 3, 3]
    assert found.sizes.to_numpy().sum() == (found.labels >= 0).sum()


def test_equal_batches_share_their_borders():
    """Between batches that differ in nothing, the population tells nothing, also of cells without any clusters."""
    x = np.random.default_rng(0).normal(size=(3000, 6)) * [4, 3, 2, 1, 1, 1]
    batch = np.arange(3000) % 3
    found = shared_populations(x, batch, n_clusters=10)
    assert found.not_assessable.max() < 0.05
    table = found.sizes.to_numpy() / found.sizes.to_numpy().sum()
    told = np.nansum(table * np.log(table / table.sum(axis=0) / table.sum(axis=1, keepdims=True)))
    assert told < 3 * (table.shape[0] - 1) * 2 / (2 * 3000)


def test_genes_sparse_or_dense_say_the_same():
    x, batch, types = cells([range(4), range(4)], width=60)
    counts = np.maximum(x - x.mean(), 0)
    dense = shared_populations(counts, batch, n_clusters=4)
    assert adjusted_rand_score(types, dense.labels) > 0.95
    assert np.array_equal(dense.labels, shared_populations(sparse.csr_matrix(counts), batch, n_clusters=4).labels)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 3))
def test_names_and_order_of_batches_do_not_matter(order, seed):
    x, batch, _ = cells([range(4)] * 4, seed=seed, n=40)
    renamed = {f"b{i}": f"c{j}" for i, j in enumerate(order)}
    one = shared_populations(x, batch, n_clusters=4)
    other = shared_populations(x, [renamed[b] for b in batch], n_clusters=4)
    assert adjusted_rand_score(one.labels, other.labels) > 0.97


def test_resolutions():
    x, batch, _ = cells([range(5), range(5)])
    assert len(populations_at_resolutions(x, batch)) == 3


def test_bad_input():
    x, batch, _ = cells([range(3), range(3)])
    with pytest.raises(ValueError, match="1 distinct label"):
        shared_populations(x, np.zeros(len(x)))
    with pytest.raises(ValueError, match="NaN"):
        shared_populations(np.full_like(x, np.nan), batch)
    with pytest.raises(ValueError, match="min_similarity"):
        shared_populations(x, batch, min_similarity=1.5)
