from __future__ import annotations

import numpy as np
import pytest

from scpareto.audit import judge_codes
from scpareto.metrics import batch_entropy, neighborhood_retention, nn_mutual_information, probe_information

COLUMNS = {
    *(f"leakage_{on}{end}" for on in ("mean", "sample") for end in ("", "_low", "_high")),
    "nn_mean",
    "nn_sample",
    "batch_entropy",
    "retention",
}


@pytest.fixture
def cells():
    """Batch hidden below the noise: visible in the mean, drowned in the sample."""
    rng = np.random.default_rng(0)
    batch = rng.choice(["x", "y", "z"], 900)
    mean = rng.standard_normal((900, 4))
    mean[:, 0] = 0.05 * np.unique(batch, return_inverse=True)[1] + 0.002 * rng.standard_normal(900)
    sample = mean + rng.standard_normal((900, 4))
    return mean, sample, batch, rng.permutation(900)[:300]


def test_columns_and_the_hidden_batch(cells):
    mean, sample, batch, test = cells
    columns = judge_codes(mean, sample, batch, test_indices=test, expression=mean)
    assert set(columns) == COLUMNS
    assert all(type(value) is float for value in columns.values())
    assert columns["leakage_mean"] > 0.95
    assert abs(columns["leakage_sample"]) < 0.05
    assert columns["leakage_mean_low"] <= columns["leakage_mean"] <= columns["leakage_mean_high"]
    assert columns["retention"] == 1.0


def test_of_a_single_batch_nothing_can_leak(cells):
    mean, sample, _, test = cells
    columns = judge_codes(mean, sample, np.zeros(900), test_indices=test, expression=mean)
    assert columns.pop("retention") == 1.0
    assert set(columns) == COLUMNS - {"retention"}
    assert np.isnan(list(columns.values())).all()


def test_is_what_the_metrics_say_of_the_test_cells(cells):
    mean, sample, batch, test = cells
    columns = judge_codes(mean, sample, batch, test_indices=test, expression=sample, seed=5, n_bootstrap=50)
    rows = np.sort(test)
    rest = np.setdiff1d(np.arange(900), test)
    probe = probe_information(
        sample[rows], batch[rows], extra_codes=sample[rest], extra_labels=batch[rest], seed=5, n_bootstrap=50
    )
    assert (columns["leakage_sample"], columns["leakage_sample_low"]) == (probe.value, probe.low)
    assert columns["nn_mean"] == nn_mutual_information(mean[rows], batch[rows], seed=5)
    assert columns["retention"] == neighborhood_retention(sample[rows], mean[rows], batch[rows])
    assert columns["batch_entropy"] == batch_entropy(mean[rows], batch[rows], n_neighbors=50, seed=5)
    few = judge_codes(mean, sample, batch, test_indices=test[:40], expression=mean)["batch_entropy"]
    assert few == batch_entropy(mean[np.sort(test[:40])], batch[np.sort(test[:40])], n_neighbors=10)


def test_order_of_the_indices_does_not_matter(cells):
    mean, sample, batch, test = cells
    assert judge_codes(mean, sample, batch, test_indices=test, expression=mean) == judge_codes(
        mean, sample, batch, test_indices=test[::-1], expression=mean
    )


def test_values_outside_the_test_cells_only_train_the_probe(cells):
    mean, sample, batch, test = cells
    rest = np.setdiff1d(np.arange(900), test)
    other = mean.copy()
    other[rest] = 0.0
    first, second = (judge_codes(m, sample, batch, test_indices=test, expression=m) for m in (mean, other))
    assert (first["nn_mean"], first["retention"]) == (second["nn_mean"], second["retention"])
    assert first["leakage_mean"] != second["leakage_mean"]


def test_without_expression_there_is_no_retention(cells):
    mean, sample, batch, test = cells
    assert np.isnan(judge_codes(mean, sample, batch, test_indices=test)["retention"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.ones((899, 4))}, "`mean` has shape"),
        ({"sample": np.ones(900)}, "`sample` has shape"),
        ({"expression": np.ones((5, 4))}, "`expression` has shape"),
        ({"test_indices": [0, 0, 1]}, "distinct row numbers"),
        ({"test_indices": [-1, 3]}, "distinct row numbers"),
        ({"test_indices": [900]}, "from 0 to 899"),
        ({"test_indices": np.array([], dtype=int)}, "at least one"),
        ({"test_indices": np.ones(900, dtype=bool)}, "row numbers"),
        ({"mean": np.full((900, 4), np.nan)}, "NaN"),
    ],
)
def test_refuses(cells, change, message):
    arguments = dict(zip(("mean", "sample", "batch", "test_indices"), cells, strict=True)) | change
    with pytest.raises(ValueError, match=message):
        judge_codes(**arguments)
