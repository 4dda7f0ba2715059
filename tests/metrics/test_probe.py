from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from scpareto.metrics import _probe, _probe_classifier, probe_information
from scpareto.metrics._probe_classifier import stratified_parts


@pytest.mark.parametrize("case", ["separated", "overlapping", "partly merged"])
def test_known_information(draw_case, case):
    codes, labels, truth = draw_case(case, 5000)
    result = probe_information(codes, labels)
    assert result.value == pytest.approx(truth, abs=0.05)
    assert result.low < result.value < result.high < result.low + 0.1


@pytest.mark.parametrize("n_latent", [2, 30])
def test_independent_codes_carry_nothing(n_latent):
    rng = np.random.default_rng(0)
    result = probe_information(rng.standard_normal((2000, n_latent)), rng.choice(7, 2000, p=[0.4] + [0.1] * 6))
    assert abs(result.value) <= 0.02


def test_memorising_does_not_help():
    # Every training cell can be told apart in 50 dimensions; only a probe that saw the scored cells would profit.
    rng = np.random.default_rng(1)
    value = probe_information(rng.standard_normal((300, 50)), rng.integers(2, size=300)).value
    assert -0.1 < value < 0.03


def test_no_cell_is_scored_by_a_probe_that_saw_it(monkeypatch):
    codes = np.arange(60.0)[:, None]
    scored = []

    def fit_probe(train, labels, *, n_labels, rng):
        assert {100.0, 101.0} <= set(train[:, 0])  # the extra cells

        def predict(new):
            assert not set(new[:, 0]) & set(train[:, 0])
            assert len(new) + len(train) == 62
            scored.extend(new[:, 0])
            return np.full((len(new), n_labels), 0.5)

        return predict

    monkeypatch.setattr(_probe, "fit_probe", fit_probe)
    result = probe_information(codes, np.arange(60) % 2, extra_codes=[[100.0], [101.0]], extra_labels=[0, 1])
    assert sorted(scored) == list(range(60))
    assert result.value == 0.0


def test_network_goes_back_to_its_best_epoch(monkeypatch):
    rng = np.random.default_rng(0)
    codes, labels = rng.standard_normal((400, 30)), rng.integers(2, size=400)

    def held_out_cross_entropy(max_epochs):
        monkeypatch.setattr(_probe_classifier, "_MAX_EPOCHS", max_epochs)
        network = _probe_classifier._train(
            codes[:300], labels[:300], codes[300:], labels[300:], 2, np.random.default_rng(1)
        )
        return -np.log(network.predict_proba(codes[300:])[np.arange(100), labels[300:]]).mean()

    assert held_out_cross_entropy(30) <= held_out_cross_entropy(1)


def test_pointwise_information_follows_the_true_one():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=2000)
    codes = 1.5 * labels[:, None] + rng.standard_normal((2000, 1))
    log_density = -0.5 * (codes - 1.5 * np.arange(3)) ** 2
    truth = log_density[np.arange(2000), labels] - logsumexp(log_density, axis=1) + np.log(3)
    result = probe_information(codes, labels)
    assert result.per_cell.shape == (2000,)
    assert result.per_cell.mean() == pytest.approx(result.value)
    assert np.corrcoef(result.per_cell, truth)[0, 1] > 0.95
    # The interval is the one of a mean of 2000 cells.
    half_width = 1.96 * result.per_cell.std() / np.sqrt(2000)
    assert result.high - result.low == pytest.approx(2 * half_width, rel=0.25)


def test_never_exceeds_the_entropy():
    labels = np.arange(400) % 4
    result = probe_information(100.0 * labels[:, None] + np.zeros((400, 1)), labels)
    assert result.entropy == pytest.approx(np.log(4))
    assert result.entropy - 0.01 < result.value <= result.entropy


def test_finds_information_of_tiny_scale_and_takes_constant_dimensions():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=600)
    codes = np.column_stack([rng.standard_normal(600), 1e-4 * (labels + 0.1 * rng.standard_normal(600)), np.ones(600)])
    assert probe_information(codes, labels).value > 0.6


def test_extra_cells_tighten_the_bound_and_unknown_labels_are_left_out(draw_case):
    codes, labels, truth = draw_case("separated", 3000)
    few = probe_information(codes[:150], labels[:150])
    more = probe_information(codes[:150], labels[:150], extra_codes=codes[150:], extra_labels=labels[150:])
    assert few.value + 0.05 < more.value < truth + 0.15
    unknown = probe_information(codes[:150], labels[:150], extra_codes=codes[150:], extra_labels=labels[150:] + 100)
    assert unknown.value == few.value
    none = probe_information(codes[:150], labels[:150], extra_codes=codes[:0], extra_labels=labels[:0])
    assert none.value == few.value


def test_same_seed_same_bits_whatever_the_label_type(draw_case):
    codes, labels, _ = draw_case("overlapping", 400)
    first = probe_information(codes, labels, seed=3)
    again = probe_information(codes.tolist(), labels.astype(str).astype(object), seed=3)
    np.testing.assert_array_equal(first.per_cell, again.per_cell)
    assert (first.low, first.high) == (again.low, again.high)
    assert probe_information(codes, labels, seed=4).value != first.value


def test_options(draw_case):
    codes, labels, truth = draw_case("separated", 1500)
    wide, narrow = (probe_information(codes, labels, level=level) for level in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert probe_information(codes, labels, max_training_cells=400).value < wide.value < truth + 0.1


def test_rare_labels_are_scored_and_finite():
    rng = np.random.default_rng(0)
    labels = np.array(["a"] * 100 + ["b"] * 100 + ["rare"])
    result = probe_information(rng.standard_normal((201, 2)), labels)
    assert np.isfinite(result.per_cell).all()
    assert -0.2 < result.value < 0.05


def test_parts_are_equal_and_stratified():
    labels = np.random.default_rng(0).choice(3, 103, p=[0.7, 0.2, 0.1])
    part = stratified_parts(labels, 5, np.random.default_rng(1))
    table = np.array([np.bincount(part[labels == s], minlength=5) for s in range(3)])
    assert (np.ptp(table, axis=1) <= 1).all()
    assert np.ptp(table.sum(axis=0)) <= 1


GOOD = np.random.default_rng(0).standard_normal((20, 2))
HALF = np.arange(20) % 2


@pytest.mark.parametrize(
    ("codes", "labels", "options", "message"),
    [
        (np.where(GOOD > 1, np.nan, GOOD), HALF, {}, "NaN or infinite"),
        (GOOD, HALF[:19], {}, "`labels` has shape"),
        (GOOD, np.zeros(20), {}, "1 distinct"),
        (GOOD, np.where(HALF, np.nan, 0.0), {}, "missing for 10 of 20"),
        (GOOD[:8], HALF[:8], {}, "8 cells"),
        (GOOD, HALF, {"n_splits": 25}, "at least 25"),
        (GOOD, HALF, {"n_splits": 1}, "`n_splits` is 1"),
        (GOOD, HALF, {"n_bootstrap": 0}, "`n_bootstrap` is 0"),
        (GOOD, HALF, {"max_training_cells": 1}, "`max_training_cells` is 1"),
        (GOOD, HALF, {"level": 95}, "`level` is 95"),
        (GOOD, HALF, {"extra_codes": GOOD}, "give both or neither"),
        (GOOD, HALF, {"extra_codes": GOOD[:, :1], "extra_labels": HALF}, "1 columns but `codes` has 2"),
        (GOOD, HALF, {"extra_codes": GOOD, "extra_labels": HALF[:5]}, "`extra_labels` has shape"),
        (GOOD, HALF, {"extra_codes": GOOD * np.inf, "extra_labels": HALF}, "`extra_codes` is NaN"),
    ],
)
def test_refuses(codes, labels, options, message):
    with pytest.raises(ValueError, match=message):
        probe_information(codes, labels, **options)
