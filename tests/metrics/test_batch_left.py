"""What is left of the batch within populations, against known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import norm, spearmanr
from sklearn.neighbors import kneighbors_graph

from scpareto.metrics import batch_left, graph_mixing, shared_populations
from scpareto.metrics._conditional_probe import assign_folds

N = 1000


def gaussian_information(distance):
    """Information about one of two equally frequent labels in a normal variable, by a sum over a fine grid."""
    z = np.linspace(-12, 12 + distance, 8001)
    density = norm.pdf(z[:, None], [0, distance], 1)
    return np.trapezoid((density * np.log(density / density.mean(axis=1, keepdims=True))).mean(axis=1), z)


def simulated(seed=0, n=N, unequal=False, n_types=3):
    """Types eight units apart, and batches; whether a batch has each type equally often."""
    rng = np.random.default_rng(seed)
    batch = np.arange(n) % 2
    shares = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]) if unequal else np.full((2, n_types), 1 / n_types)
    types = np.array([rng.choice(n_types, p=shares[b]) for b in batch])
    pure = 8 * np.eye(6)[types] + rng.normal(size=(n, 6))
    effect = np.zeros_like(pure)
    effect[:, -1] = 2.0 * batch
    return pure, effect, batch, types


def test_information_and_shares_are_the_integral():
    pure, effect, batch, types = simulated(n=2000)
    codes = {"X_pca": pure + effect, "half": pure + effect / 2, "none": pure}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    whole, half = gaussian_information(2.0), gaussian_information(1.0)
    assert found.table.loc["X_pca", "information"] == pytest.approx(whole, abs=0.04)
    assert found.value["half"] == pytest.approx(100 * half / whole, abs=7)
    assert found.value["none"] == pytest.approx(0, abs=1)
    assert found.table.loc["half", "low"] < 100 * half / whole < found.table.loc["half", "high"]
    assert found.value["X_pca"] == found.table.loc["X_pca", "low"] == found.table.loc["X_pca", "high"] == 100
    assert found.interval_of == "these cells"
    assert found.entropy == pytest.approx(np.log(2))


def test_many_dimensions_do_not_hide_the_batch():
    """Held-out cells alone would tell about 25 % where 33 % are left."""
    pure, effect, batch, types = simulated(n=1200)
    noise = np.random.default_rng(1).normal(size=(1200, 24))
    codes = {"X_pca": np.c_[pure + effect, noise], "half": np.c_[pure + effect / 2, noise]}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    truth = 100 * gaussian_information(1.0) / gaussian_information(2.0)
    assert found.value["half"] == pytest.approx(truth, abs=5)
    assert found.table.loc["half", "low"] < truth < found.table.loc["half", "high"]


def test_intervals_hold_what_few_cells_leave_open():
    """By the scatter of cells alone nine of ten intervals hold the truth; two of twenty may miss it by chance."""
    truth, held, width = 100 * gaussian_information(1.0) / gaussian_information(2.0), [], []
    for seed in range(20):
        pure, effect, batch, types = simulated(seed, n=300)
        noise = np.random.default_rng(seed).normal(size=(300, 8))
        codes = {"X_pca": np.c_[pure + effect, noise], "half": np.c_[pure + effect / 2, noise]}
        found = batch_left(codes, reference="X_pca", batch=batch, populations=types, marginal=False).table.loc["half"]
        held.append(found["low"] < truth < found["high"])
        width.append(found["high"] - found["low"])
    assert np.mean(held) >= 0.9
    assert np.mean(width) < 80


def test_nothing_found_leaves_room_in_the_interval():
    pure, effect, batch, types = simulated()
    codes = {"X_pca": pure + effect, "none": pure, "again": pure.copy()}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    row = found.table.loc["none"]
    assert row["batch_left"] == row["low"] == 0
    assert 0 < row["high"] < 10
    same = found.differences.set_index(["first", "second"]).loc[("none", "again")]
    assert same.tolist() == [0, 0, 0]


def test_numbers_do_not_depend_on_what_else_is_judged():
    pure, effect, batch, types = simulated(n=400)
    codes = {"X_pca": pure + effect, "half": pure + effect / 2, "none": pure}
    arguments = {"reference": "X_pca", "batch": batch, "populations": types}
    alone = batch_left({k: codes[k] for k in ("half", "X_pca")}, **arguments).table.loc["half"]
    together = batch_left(codes, **arguments).table.loc["half"]
    numbers = ["batch_left", "low", "high", "information", "marginal", "graph_mixing"]
    assert alone[numbers].astype(float).to_numpy() == pytest.approx(
        together[numbers].astype(float).to_numpy(), rel=1e-5
    )


def test_held_out_and_training_cells_count_alike():
    """Three folds, each cell held out in one: its value there and the mean of the others, half each."""
    folds = assign_folds(
        np.tile([0, 1], 3), np.zeros(6, dtype=int), np.ones(6, dtype=bool), None,
        n_splits=3, rng=np.random.default_rng(0),
    )  # fmt: skip
    values = np.where(folds.fold_of == np.arange(3)[:, None], 4.0, np.array([[1.0], [2.0], [3.0]]))
    expected = 2 + np.array([2.5, 2.0, 1.5])[folds.fold_of] / 2
    assert folds.mean_of_held_out_and_training(values, folds.rows) == pytest.approx(expected)


def test_composition_alone_is_no_batch_effect():
    pure, _, batch, types = simulated(unequal=True)
    found = batch_left({"X_pca": pure}, reference="X_pca", batch=batch, populations=types)
    row = found.table.loc["X_pca"]
    assert row["no_batch_effect"]
    assert np.isnan(row["batch_left"])
    assert row["information"] < 0.005
    assert row["composition"] > 0.15
    assert row["marginal"] == pytest.approx(row["composition"], abs=0.02)
    assert not row["composition_erased"]
    assert "no batch effect to remove" in found.notes[0]


def test_erased_composition_random_constant_and_identical_codes():
    pure, effect, batch, types = simulated(unequal=True)
    reference = pure + effect
    codes = {
        "X_pca": reference,
        "identity": reference.copy(),
        "random": np.random.default_rng(1).normal(size=(N, 4)),
        "constant": np.ones((N, 2)),
        "types": np.eye(3)[types],
    }
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    assert found.value["identity"] == 100
    assert found.value[["random", "constant", "types"]].abs().max() < 1
    assert found.table["composition_erased"].to_dict() == {
        "X_pca": False, "identity": False, "random": True, "constant": True, "types": False
    }  # fmt: skip
    same = found.differences.set_index(["first", "second"]).loc[("X_pca", "identity")]
    assert same.tolist() == [0, 0, 0]
    assert not found.table["reference_leaks_less"].any()


def test_more_than_the_reference_is_said():
    pure, effect, batch, types = simulated()
    codes = {"X_pca": pure + effect, "worse": pure + 2 * effect}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    assert found.table["reference_leaks_less"].to_dict() == {"X_pca": False, "worse": True}
    assert found.value["worse"] > 150


def test_order_of_smoothly_mixed_codes():
    pure, effect, batch, types = simulated()
    shares = np.array([0, 0.25, 0.4, 0.55, 0.7, 0.85, 1])
    codes = {f"{share}": pure + share * effect for share in shares}
    found = batch_left(codes, reference="1.0", batch=batch, populations=types)
    assert spearmanr(shares, found.value).statistic > 0.99
    assert np.allclose(found.differences["difference"], -found.differences["difference"].abs())


def test_order_of_cells_hardly_matters_and_equal_seeds_are_equal():
    pure, effect, batch, types = simulated()
    codes = {"X_pca": pure + effect, "half": pure + effect / 2}
    order = np.random.default_rng(3).permutation(N)
    one = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    again = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    moved = batch_left({k: z[order] for k, z in codes.items()}, reference="X_pca", batch=batch[order],
                       populations=types[order])  # fmt: skip
    assert one.table.equals(again.table)
    assert moved.value["half"] == pytest.approx(one.value["half"], abs=4)
    # Alone or in company: the numbers of an embedding do not depend on the others.
    alone = batch_left({"half": codes["half"]}, reference=codes["X_pca"], batch=batch, populations=types)
    assert alone.value["half"] == one.value["half"]


def test_range_from_biology_to_batch():
    """A type of each batch of its own that the codes keep apart is in the range, not in the number."""
    pure, effect, batch, types = simulated()
    pure, types = pure.copy(), types.copy()
    own = types == 2
    pure[own, 2 + batch[own]] += 8
    types[own] = -1
    codes = {"X_pca": pure + effect, "corrected": pure}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    row = found.table.loc["corrected"]
    assert abs(row["batch_left"]) < 1
    assert row["range_low"] == pytest.approx(row["batch_left"], abs=1e-9)
    assert row["range_high"] > 30
    assert found.not_assessable[0].to_numpy() == pytest.approx(own.mean(), abs=0.05)


def test_populations_tell_which_is_corrected():
    pure, effect, batch, types = simulated(n=1500)
    codes = {"X_pca": pure + effect, "partly": pure + effect * (types == 0)[:, None]}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types)
    at = found.populations.set_index(["embedding", "population"]).loc["partly"]
    assert at.loc[0, "batch_left"] > 80
    assert at.loc[[1, 2], "batch_left"].max() < 10
    assert at["n_cells"].sum() == 1500


def test_samples_widen_the_interval_and_too_few_are_said():
    pure, effect, batch, types = simulated(n=1500)
    rng = np.random.default_rng(5)
    sample = rng.integers(6, size=1500)
    pure[:, -1] += rng.normal(scale=0.7, size=12)[6 * batch + sample]
    codes = {"X_pca": pure + effect, "half": pure + effect / 2}
    arguments = {"reference": "X_pca", "batch": batch, "populations": types}
    by_cell, by_sample = (batch_left(codes, **arguments, sample=s) for s in (None, sample))
    assert by_sample.interval_of == "samples"
    widths = [found.table["information_high"] - found.table["information_low"] for found in (by_cell, by_sample)]
    assert (widths[1] > 1.5 * widths[0]).all()
    few = batch_left(codes, **arguments, sample=sample % 2)
    assert few.interval_of == "these cells"
    assert "2 sample(s)" in few.notes[0]


def test_judged_cells_resolutions_subsets_and_kinds():
    pure, effect, batch, types = simulated(n=1500)
    codes = {"X_pca": pure + effect, "half": pure + effect / 2}
    found = batch_left(
        codes,
        reference="X_pca",
        batch=batch,
        populations=[types, types // 2],
        cells=np.arange(600),
        kinds=["linear", "neighbors", "boosting", "network", "wide network"],
        n_repeats=1,
        max_cells=1200,
    )
    truth = 100 * gaussian_information(1.0) / gaussian_information(2.0)
    assert found.table.loc["half", "low"] - 3 < truth < found.table.loc["half", "high"] + 3
    assert found.kinds.shape == (2, 5)
    assert (found.kinds.loc["X_pca"] > 0.2).all()
    assert bool(found.table.loc["X_pca", "plateau"])
    assert set(found.populations["resolution"]) == {0, 1}
    assert "of 1500 cells" in found.notes[0]


def test_graph_mixing():
    pure, effect, batch, types = simulated(unequal=True)
    mixed, apart = (graph_mixing(batch, types, codes=z).value for z in (pure, pure + 20 * effect))
    assert mixed == pytest.approx(100, abs=3)
    assert apart == 0
    graph = kneighbors_graph(pure, 15)
    assert graph_mixing(batch, types, graph=graph).value == pytest.approx(mixed, abs=1)
    # Cells of other populations, and cells without one, are passed over.
    assert np.isnan(graph_mixing(batch, -np.ones(N, dtype=int), codes=pure).value)
    codes = {"X_pca": pure + effect}
    found = batch_left(codes, reference="X_pca", batch=batch, populations=types, graphs={"bbknn": graph})
    assert found.table.loc["bbknn", "graph_mixing"] == pytest.approx(mixed, abs=1)
    assert np.isnan(found.table.loc["bbknn", "batch_left"])
    assert found.table.loc["X_pca", "graph_mixing"] < 80


def test_batches_that_differ_in_nothing_end_to_end():
    rng = np.random.default_rng(0)
    x = 5 * rng.normal(size=(6, 8))[rng.integers(6, size=N)] + rng.normal(size=(N, 8))
    batch = np.arange(N) % 2
    found = batch_left({"X_pca": x}, reference="X_pca", batch=batch, populations=shared_populations(x, batch))
    assert found.table.loc["X_pca", "no_batch_effect"]


def test_bad_input():
    pure, _, batch, types = simulated(n=100)
    arguments = {"reference": "a", "batch": batch, "populations": types}
    with pytest.raises(ValueError, match="'b'; give codes, or one of"):
        batch_left({"a": pure}, **(arguments | {"reference": "b"}))
    with pytest.raises(ValueError, match="none that two batches share"):
        batch_left({"a": pure}, **(arguments | {"populations": batch}))
    with pytest.raises(ValueError, match="99 rows"):
        batch_left({"a": pure[:-1]}, **arguments)
    with pytest.raises(ValueError, match="10 judged cells"):
        batch_left({"a": pure}, **arguments, cells=np.arange(20))
    with pytest.raises(ValueError, match="give one or several of"):
        batch_left({"a": pure}, **arguments, kinds=["forest"])
    with pytest.raises(ValueError, match="either `codes` or `graph`"):
        graph_mixing(batch, types)
    with pytest.raises(ValueError, match="negative"):
        graph_mixing(batch, types, graph=sparse.csr_matrix(-np.eye(100)))


def test_equal_codes_are_probed_once_and_change_nothing():
    pure, effect, batch, types = simulated(n=400)
    memory: dict = {}
    told = {"reference": "X_pca", "batch": batch, "populations": types, "n_bootstrap": 20}
    first = batch_left({"X_pca": pure + effect, "half": pure + effect / 2}, memory=memory, **told)
    known = dict(memory)
    again = batch_left({"half": pure + effect / 2, "X_pca": pure + effect, "none": pure}, memory=memory, **told)
    afresh = batch_left({"half": pure + effect / 2, "X_pca": pure + effect, "none": pure}, **told)
    assert len(memory) == 1.5 * len(known), "one new embedding beside two known ones"
    assert all(memory[key] is found for key, found in known.items())
    pd.testing.assert_frame_equal(again.table, afresh.table)
    assert again.value["half"] == first.value["half"]
