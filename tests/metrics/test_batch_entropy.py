from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.neighbors import kneighbors_graph

from scpareto.metrics import batch_entropy

LINE = np.array([[0.0], [1.0], [3.0], [7.0]])


def _cells(seed: int, n: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def test_hand_computed_value():
    # The two nearest cells of each: 1 and 2, 0 and 2, 1 and 0, 2 and 1. Only those of cell 2 are of one batch.
    value = batch_entropy(LINE, ["a", "a", "b", "b"], n_neighbors=2, n_pools=None)
    assert value == pytest.approx(0.75 * np.log(2))


def test_hand_computed_value_with_composition():
    # Cell 1, the only one of b, has neighbours of a alone; the other three have one of each, and a fraction of 1/2 is
    # 2/3 of what a has in the data and twice what b has: weights 1/4 and 3/4.
    value = batch_entropy(LINE, ["a", "b", "a", "a"], n_neighbors=2, n_pools=None, normalize="composition")
    assert value == pytest.approx(0.75 * entropy([0.25, 0.75], base=2))


@pytest.mark.parametrize("k", [1, 10, 50])
def test_equals_a_neighbor_graph_of_sklearn(k):
    codes, batch = _cells(0, 400), np.random.default_rng(1).choice(3, 400, p=[0.6, 0.3, 0.1])
    codes[batch == 1] += 1.0
    near = kneighbors_graph(codes, k, include_self=False)
    fractions = np.column_stack([near @ (batch == b) for b in range(3)]) / k
    value = batch_entropy(codes, batch, n_neighbors=k, n_pools=None)
    assert value == pytest.approx(entropy(fractions, axis=1).mean(), abs=1e-12)
    scaled = batch_entropy(codes, batch, n_neighbors=k, n_pools=None, normalize="composition")
    corrected = entropy(fractions / np.bincount(batch), axis=1, base=3).mean()  # entropy makes rows sum to 1
    assert scaled == pytest.approx(corrected, abs=1e-12)


@given(
    seed=st.integers(0, 1000),
    n=st.integers(4, 80),
    n_batches=st.integers(2, 4),
    k=st.integers(1, 79),
    n_pools=st.sampled_from([None, 1, 3]),
)
@settings(max_examples=50)
def test_bounds_and_invariances(seed, n, n_batches, k, n_pools):
    codes, batch, k = _cells(seed, n), np.arange(n) % n_batches, min(k, n - 1)
    plain = batch_entropy(codes, batch, n_neighbors=k, n_pools=n_pools, seed=seed)
    scaled = batch_entropy(codes, batch, n_neighbors=k, n_pools=n_pools, seed=seed, normalize="composition")
    assert 0 <= plain <= np.log(n_batches)
    assert 0 <= scaled <= 1
    if n % n_batches == 0:  # batches of equal size
        assert scaled == pytest.approx(plain / np.log(n_batches), abs=1e-12)
    turn = np.linalg.qr(_cells(seed, 4))[0]
    names = np.array(["w", "x", "y", "z"])[batch]
    moved = batch_entropy(3 * codes @ turn + 5, names, n_neighbors=k, n_pools=n_pools, seed=seed)
    assert moved == pytest.approx(plain, abs=1e-9)


def test_pools_estimate_the_mean_over_all_cells():
    codes, batch = _cells(0, 2000), np.arange(2000) % 2
    codes[:700] += 5 * batch[:700, None]
    whole = batch_entropy(codes, batch, n_pools=None)
    pooled = [batch_entropy(codes, batch, seed=s) for s in (0, 0, 1)]
    assert pooled[0] == pooled[1] != pooled[2]
    assert pooled == pytest.approx([whole] * 3, abs=3 * 0.35 / np.sqrt(5000))  # an entropy in [0, 0.69] has sd < 0.35
    # A pool of one cell is that cell's own value.
    single = {batch_entropy(LINE, list("aabb"), n_neighbors=2, n_pools=1, pool_size=1, seed=s) for s in range(20)}
    assert sorted(single) == pytest.approx([0.0, np.log(2)])


def test_separate_batches_have_none_and_mixed_ones_all():
    batch = np.repeat([0, 1, 2], 500)
    codes = _cells(0, 1500)
    assert batch_entropy(codes + 100 * batch[:, None], batch) == 0.0
    assert batch_entropy(codes, batch) == pytest.approx(np.log(3) - 2 / (2 * 50), abs=0.01)


def test_composition_makes_unequal_batches_comparable():
    codes, batch = _cells(0, 3000), np.arange(3000) % 10 == 0
    plain = batch_entropy(codes, batch, n_neighbors=300, n_pools=None)
    assert plain == pytest.approx(entropy([0.9, 0.1]), abs=0.01)
    assert batch_entropy(codes, batch, n_neighbors=300, n_pools=None, normalize="composition") > 0.97


@pytest.mark.parametrize("distinct", [1, 2])
def test_tied_cells_have_random_neighbors(distinct):
    batch = np.repeat([0, 1], 500)  # in the order in which a search would list them
    codes = np.full((1000, 3), 0.1) + 1e4 * (np.arange(1000) % distinct)[:, None]
    assert batch_entropy(codes, batch) == pytest.approx(np.log(2) - 0.01, abs=0.01)


def test_batch_smaller_than_the_neighborhood():
    codes, batch = _cells(0, 200), np.append(np.zeros(197), np.ones(3))
    value = batch_entropy(codes, batch, n_pools=None)
    assert 0 < value <= entropy([47, 3])


@pytest.mark.parametrize(
    ("codes", "batch", "options", "message"),
    [
        (np.full((4, 2), np.nan), [0, 0, 1, 1], {"n_neighbors": 1}, "`codes` is NaN or infinite in 4 of 4"),
        (LINE, [0, 1, 1], {"n_neighbors": 1}, "`batch` has shape"),
        (LINE, [0, 1, 1, np.nan], {"n_neighbors": 1}, "missing for 1 of 4"),
        (LINE, [0, 0, 0, 0], {"n_neighbors": 1}, "1 distinct"),
        (LINE, [0, 0, 1, 1], {}, "has 4 cells; 50 neighbours of each need at least 51"),
        (LINE, [0, 0, 1, 1], {"n_neighbors": 4}, "has 4 cells; 4 neighbours of each need at least 5"),
        (LINE, [0, 0, 1, 1], {"n_neighbors": 0}, "`n_neighbors` is 0"),
        (LINE, [0, 0, 1, 1], {"n_neighbors": 1, "n_pools": 0}, "`n_pools` is 0"),
        (LINE, [0, 0, 1, 1], {"n_neighbors": 1, "pool_size": 0.5}, "`pool_size` is 0.5"),
        (LINE, [0, 0, 1, 1], {"n_neighbors": 1, "normalize": "size"}, "`normalize` is 'size'; give None or"),
    ],
)
def test_refuses(codes, batch, options, message):
    with pytest.raises(ValueError, match=message):
        batch_entropy(codes, batch, **options)
