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


def test_contrasts_are_between_the_groups_of_a_batch():
    x, batch, group = _cells()
    found = contrasts_within_batches(x, batch, min_cells=30)
    assert [c.name for c in found] == ["a", "a", "a", "b"]
    for contrast in found:
        assert set(batch[np.concatenate(contrast.groups)]) == {contrast.name}
        means = [x[rows].mean(0) @ contrast.axis for rows in contrast.groups]
        assert means[1] - means[0] == pytest.approx(1)
    pairs = [{frozenset(group[rows].tolist()) for rows in c.groups} for c in found]
    expected = [{frozenset({i}), frozenset({j})} for i, j in ((0, 1), (0, 2), (1, 2), (0, 1))]
    assert all(pairs.count(pair) == expected.count(pair) for pair in expected)


def test_each_group_meets_its_nearest_ones_only():
    # Five groups on a line, one further from the next than from the last.
    centres = np.array([0.0, 10.0, 21.0, 33.0, 46.0])
    x = np.repeat(centres, 40)[:, None] + np.random.default_rng(0).standard_normal((200, 1))
    found = contrasts_within_batches(x, ["a"] * 200, min_cells=25, n_nearest=1)
    steps = sorted(round(1 / abs(float(c.axis[0]))) for c in found)
    assert steps == pytest.approx([10, 11, 12, 13], abs=1)


def test_small_batches_and_equal_cells_have_no_contrasts():
    x, _, _ = _cells()
    assert contrasts_within_batches(x[:29], ["a"] * 29) == []
    assert contrasts_within_batches(np.zeros((90, 2)), ["a"] * 90) == []
    assert len(contrasts_within_batches(x[30:90], ["a"] * 60)) == 1
    assert contrast_retention(x, x, []).value.shape == (0,)


def test_groups_grow_with_the_batch():
    x = np.random.default_rng(0).standard_normal((4000, 2))
    found = contrasts_within_batches(x, ["a"] * 4000, max_groups=10, n_nearest=3)
    sizes = [len(group) for c in found for group in c.groups]
    assert 200 < max(sizes) <= 400


def test_separate_groups_keep_their_contrasts_and_mixed_ones_lose_them():
    x, batch, _ = _cells()
    contrasts = contrasts_within_batches(x, batch, min_cells=30)
    np.testing.assert_allclose(contrast_retention(x, x, contrasts).value, 1, atol=0.02)
    noise = np.random.default_rng(1).standard_normal(x.shape)
    mixed = contrast_retention(noise, x, contrasts)
    assert (abs(mixed.value) < 0.15).all()
    for value, (first, second) in zip(mixed.value, mixed.shown, strict=True):
        assert value == pytest.approx(second.mean() - first.mean())
    # 60 cells in each group, of fifteen neighbours each.
    assert mixed.n_independent == [(4, 4)] * 4


def test_a_type_laid_onto_one_that_its_batch_lacks_is_seen_where_retention_within_batches_is_not():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], 100)
    # Batch a has types 0 and 1, batch b types 0 and 2; the codes lay 2 onto 1.
    kind = np.r_[np.repeat([0, 1], 50), np.repeat([0, 2], 50)]
    x = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[kind] + rng.standard_normal((200, 2))
    merged = np.where(kind[:, None] == 2, x[:, ::-1], x)
    contrasts = contrasts_within_batches(x, batch, min_cells=25)
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
    contrasts = contrasts_within_batches(x, batch, group_size=75, min_cells=40)
    np.testing.assert_allclose(contrast_retention(z, x, contrasts).value, 1, atol=0.1)


def test_only_some_cells_are_judged_with_neighbors_among_all():
    x, batch, group = _cells()
    contrasts = contrasts_within_batches(x, batch, min_cells=30)
    ruined = x.copy()
    ruined[::2] = np.random.default_rng(1).permutation(ruined[::2])
    good = contrast_retention(ruined, x, contrasts, cells=np.arange(1, len(x), 2)).value
    bad = contrast_retention(ruined, x, contrasts, cells=np.arange(0, len(x), 2)).value
    assert (good > bad + 0.05).all()
    few = contrast_retention(x, x, contrasts, cells=np.flatnonzero(batch == "a"))
    assert np.isfinite(few.value[0])
    assert np.isnan(few.value[3])
    assert [len(side) for side in few.shown[3]] == [0, 0]
    # Of groups of 60 cells, 12, 6 and 2 are judged; neighbourhoods of fifteen cells are four witnesses at most.
    a_fifth, a_tenth, a_thirtieth = (
        contrast_retention(x, x, contrasts, cells=np.arange(0, len(x), step), min_cells=1).n_independent[0]
        for step in (5, 10, 30)
    )
    assert (a_fifth, a_tenth, a_thirtieth) == ((4, 4), (4, 4), (2, 2))


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
    contrasts = contrasts_within_batches(x, batch, min_cells=5)
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
    with pytest.raises(ValueError, match="`n_nearest` is 0"):
        contrasts_within_batches(np.ones((3, 1)), ["a"] * 3, n_nearest=0)
