from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scpareto.metrics import contrast_of_gene, contrast_retention, contrasts_within_batches, neighborhood_retention


def _cells(n_per_group: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three groups far apart; the third occurs in the first batch only."""
    batch = np.repeat(["a", "b"], [3 * n_per_group, 2 * n_per_group])
    group = np.r_[np.repeat([0, 1, 2], n_per_group), np.repeat([0, 1], n_per_group)]
    centres = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 9.0]])
    x = centres[group] + np.random.default_rng(seed).standard_normal((len(group), 2))
    return x, batch, group


def test_the_first_contrasts_of_a_batch_tell_its_groups_apart():
    x, batch, group = _cells()
    found = contrasts_within_batches(x, batch, max_depth=2)
    assert [c.name for c in found] == ["a", "a", "a", "b", "b", "b"]
    for contrast in found:
        assert set(batch[np.concatenate(contrast.groups)]) == {contrast.name}
        means = [x[rows].mean(0) @ contrast.axis for rows in contrast.groups]
        assert means[1] - means[0] == pytest.approx(1)
    # Of three groups the first split separates one from two, the second those two.
    parts = {frozenset(group[rows].tolist()) for c in found[:3] for rows in c.groups}
    assert {frozenset({0}), frozenset({1}), frozenset({2})} <= parts
    assert {frozenset(group[rows].tolist()) for rows in found[3].groups} == {frozenset({0}), frozenset({1})}


def test_small_batches_and_equal_cells_have_no_contrasts():
    x, _, _ = _cells()
    assert contrasts_within_batches(x[:19], ["a"] * 19) == []
    assert contrasts_within_batches(np.zeros((50, 2)), ["a"] * 50) == []
    assert len(contrasts_within_batches(x[:20], ["a"] * 20, max_depth=1)) <= 1
    assert contrast_retention(x, x, []).value.shape == (0,)


def test_separate_groups_keep_their_contrasts_and_mixed_ones_lose_them():
    x, batch, _ = _cells()
    contrasts = contrasts_within_batches(x, batch, max_depth=1)
    np.testing.assert_allclose(contrast_retention(x, x, contrasts).value, 1, atol=0.02)
    noise = np.random.default_rng(1).standard_normal(x.shape)
    mixed = contrast_retention(noise, x, contrasts)
    assert (abs(mixed.value) < 0.15).all()
    for value, (first, second) in zip(mixed.value, mixed.shown, strict=True):
        assert value == pytest.approx(second.mean() - first.mean())
    # 120 and 60 cells, 60 and 60; of fifteen neighbours each.
    assert sorted(mixed.witnesses[0]) == [4, 8]
    assert mixed.witnesses[1] == (4, 4)


def test_a_type_laid_onto_one_that_its_batch_lacks_is_seen_where_retention_within_batches_is_not():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], 100)
    # Batch a has types 0 and 1, batch b types 0 and 2; the codes lay 2 onto 1.
    kind = np.r_[np.repeat([0, 1], 50), np.repeat([0, 2], 50)]
    x = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[kind] + rng.standard_normal((200, 2))
    merged = np.where(kind[:, None] == 2, x[:, ::-1], x)
    contrasts = contrasts_within_batches(x, batch, max_depth=1)
    assert neighborhood_retention(x, merged, batch) > 0.99
    np.testing.assert_allclose(contrast_retention(x, x, contrasts).value, 1, atol=0.03)
    # Half of the neighbours are of the other type now, orthogonal to the contrast.
    np.testing.assert_allclose(contrast_retention(merged, x, contrasts).value, 0.5, atol=0.1)


def test_a_batch_effect_does_not_matter_where_batches_mix_alike():
    rng = np.random.default_rng(0)
    kind = np.tile([0, 1], 150)
    batch = np.repeat(["a", "b"], 150)
    z = 9.0 * kind[:, None] + rng.standard_normal((300, 3))
    x = np.hstack([z, 30.0 * (batch == "b")[:, None]])
    contrasts = contrasts_within_batches(x, batch, max_depth=1)
    np.testing.assert_allclose(contrast_retention(z, x, contrasts).value, 1, atol=0.1)


def test_only_some_cells_are_judged_with_neighbors_among_all():
    x, batch, group = _cells()
    contrasts = contrasts_within_batches(x, batch, max_depth=1)
    ruined = x.copy()
    ruined[::2] = np.random.default_rng(1).permutation(ruined[::2])
    good = contrast_retention(ruined, x, contrasts, cells=np.arange(1, len(x), 2)).value
    bad = contrast_retention(ruined, x, contrasts, cells=np.arange(0, len(x), 2)).value
    assert (good > bad + 0.05).all()
    few = contrast_retention(x, x, contrasts, cells=np.flatnonzero(batch == "a"))
    assert np.isfinite(few.value[0])
    assert np.isnan(few.value[1])
    assert [len(side) for side in few.shown[1]] == [0, 0]
    a_fifth = contrast_retention(x, x, contrasts, cells=np.arange(0, len(x), 5))
    assert sorted(a_fifth.witnesses[0]) == [4, 8]
    assert sorted(contrast_retention(x, x, contrasts, cells=np.arange(0, len(x), 10)).witnesses[0]) == [4, 8]
    assert max(contrast_retention(x, x, contrasts, cells=np.arange(0, len(x), 30), min_cells=1).witnesses[0]) <= 4


def test_a_gene_of_donors_is_kept_where_they_are_apart_and_lost_where_they_mix():
    female = np.random.default_rng(0).integers(2, size=300)
    gene = 3.0 * female + 0.3 * np.random.default_rng(1).standard_normal(300)
    contrast = contrast_of_gene("XIST", gene, 1, 2)
    assert contrast.name == "XIST"
    assert contrast.groups[1].tolist() == np.flatnonzero(female).tolist()
    noise = np.random.default_rng(2).standard_normal((300, 4))
    x = np.column_stack([np.zeros(300), gene])
    apart = contrast_retention(noise + 10 * female[:, None], x, [contrast]).value[0]
    assert apart == pytest.approx(1, abs=0.01)
    assert contrast_retention(noise, x, [contrast]).value[0] == pytest.approx(0, abs=0.1)
    with pytest.raises(ValueError, match="'XIST' is the same in all cells"):
        contrast_of_gene("XIST", np.ones(5), 0, 1)


@given(seed=st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_turning_scaling_and_shifting_codes_changes_nothing(seed):
    x, batch, _ = _cells(20, seed)
    contrasts = contrasts_within_batches(x, batch, max_depth=2, min_cells=5)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((2, 2)))[0]
    moved = contrast_retention(3 * x @ turn + 1, x, contrasts, n_neighbors=5)
    np.testing.assert_allclose(moved.value, contrast_retention(x, x, contrasts, n_neighbors=5).value, atol=0.02)


@pytest.mark.parametrize(
    ("codes", "expression", "message"),
    [
        (np.ones((30, 2)), np.ones((31, 2)), "31 rows but `codes` has 30"),
        (np.full((30, 2), np.nan), np.ones((30, 2)), "`codes` is NaN"),
        (np.ones((10, 2)), np.ones((10, 2)), "15 neighbours need at least 16"),
    ],
)
def test_bad_input_is_refused(codes, expression, message):
    with pytest.raises(ValueError, match=message):
        contrast_retention(codes, expression, [])


def test_bad_contrasts_are_refused():
    with pytest.raises(ValueError, match="`batch` is missing for 1"):
        contrasts_within_batches(np.ones((3, 1)), ["a", None, "a"])
    with pytest.raises(ValueError, match="`max_depth` is 0"):
        contrasts_within_batches(np.ones((3, 1)), ["a"] * 3, max_depth=0)
