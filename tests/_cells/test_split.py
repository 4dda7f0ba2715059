from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto._cells._split import sample_judged_cells
from scpareto.front import Split, stratified_split

batches = st.lists(st.integers(1, 60), min_size=1, max_size=5)
seeds = st.integers(0, 2**32 - 1)
shares = st.tuples(st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0.05, 1)).map(
    lambda parts: tuple(part / sum(parts) for part in parts)
)


def labels_of(sizes, seed):
    return np.random.default_rng(seed).permutation(np.repeat([f"b{i}" for i in range(len(sizes))], sizes))


@given(sizes=batches, seed=seeds, fractions=shares)
def test_parts_are_a_partition_and_sorted(sizes, seed, fractions):
    split = stratified_split(labels_of(sizes, seed), fractions=fractions, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([part for _, part in split.items()])), np.arange(sum(sizes)))
    for _, part in split.items():
        assert (np.diff(part) > 0).all()


@given(sizes=batches, seed=seeds, fractions=shares)
def test_every_batch_of_three_is_in_every_part_and_smaller_ones_are_for_training(sizes, seed, fractions):
    labels = labels_of(sizes, seed)
    split = stratified_split(labels, fractions=fractions, seed=seed)
    for level, size in zip(*np.unique(labels, return_counts=True), strict=True):
        counts = [int((labels[part] == level).sum()) for _, part in split.items()]
        assert min(counts) >= 1 if size >= 3 else counts == [size, 0, 0]


@given(sizes=st.lists(st.integers(5, 200), min_size=1, max_size=4), seed=seeds)
def test_shares_hold_within_one_cell_of_every_batch(sizes, seed):
    labels = labels_of(sizes, seed)
    split = stratified_split(labels, seed=seed)
    for level, size in zip(*np.unique(labels, return_counts=True), strict=True):
        for (_, part), share in zip(split.items(), (0.7, 0.1, 0.2), strict=True):
            assert abs((labels[part] == level).sum() - share * size) <= 1


@given(seed=seeds)
def test_the_seed_decides(seed):
    labels = np.repeat([0, 1], 100)
    first, again, other = (stratified_split(labels, seed=s) for s in (seed, seed, seed + 1))
    for (_, a), (_, b) in zip(first.items(), again.items(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.test, other.test)


def test_cells_are_drawn_at_random():
    """Each cell is tested equally often: 20 % of 400 seeds, give or take five standard errors."""
    labels = np.repeat([0, 1], [20, 30])
    counts = sum(np.bincount(stratified_split(labels, seed=seed).test, minlength=50) for seed in range(400))
    assert np.abs(counts / 400 - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 400)


@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.1), (0.8, 0.0, 0.2), (1.1, -0.2, 0.1)])
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="positive and sum to 1"):
        stratified_split([0, 1, 1], fractions=fractions)


def test_items_name_the_parts_in_order():
    split = Split(np.array([0]), np.array([1]), np.array([2]))
    assert [(name, part.tolist()) for name, part in split.items()] == [
        ("train", [0]),
        ("validation", [1]),
        ("test", [2]),
    ]


def test_all_of_few_cells_are_judged():
    batch = labels_of([40, 60], 0)
    split = stratified_split(batch)
    assert sample_judged_cells(split, batch, max_cells=100) == (None, split)


def test_many_cells_are_judged_by_a_sample_with_the_same_shares():
    batch = labels_of([40, 4000, 8000], 1)
    split = stratified_split(batch, seed=1)
    cells, judged = sample_judged_cells(split, batch, max_cells=3000)
    assert (np.diff(cells) > 0).all()
    for (_, part), (_, positions) in zip(split.items(), judged.items(), strict=True):
        assert np.isin(cells[positions], part).all()
        shares = {name: len(positions) / len(part) for name in ("whole",)}
        shares |= {b: np.mean(batch[cells[positions]] == b) / np.mean(batch[part] == b) for b in ("b1", "b2")}
        assert shares["whole"] == pytest.approx(3000 / 12_040, rel=0.01)
        assert [shares["b1"], shares["b2"]] == pytest.approx([1, 1], rel=0.02)
        assert "b0" in batch[cells[positions]]
    # Every judgement of a front is of the same cells, and another split has others.
    np.testing.assert_array_equal(sample_judged_cells(split, batch, max_cells=3000)[0], cells)
    assert (
        len(np.setdiff1d(sample_judged_cells(stratified_split(batch, seed=2), batch, max_cells=3000)[0], cells)) > 1000
    )
