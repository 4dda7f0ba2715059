"""Findings along a front: what is called robust holds at every admissible point, and nothing else."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scpareto as sp
from scpareto.pareto import Front
from scpareto.tl._survives._clusters import classify_fate, compute_jaccard, count_shared_cells, leiden, name_groups
from scpareto.tl._survives._points import FrontPoints
from scpareto.tl._survives._samples import (
    compare_shares,
    compute_deseq2,
    compute_moderated_t,
    estimate_prior_variance,
    make_design,
    pseudobulk,
)
from scpareto.tl._survives._summaries import summarize_findings

N_CELLS, N_GENES, N_SAMPLES = 720, 60, 6


@pytest.fixture(scope="module")
def cells():
    """Three types with ten markers each, and six samples of two conditions; gene_50 to gene_54 rise in the second."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, N_CELLS)
    sample = rng.integers(0, N_SAMPLES, N_CELLS)
    stimulated = sample % 2 == 1
    rate = np.full((N_CELLS, N_GENES), 2.0)
    for own in range(3):
        rate[:, 10 * own : 10 * own + 10] *= np.where(kind == own, 4.0, 1.0)[:, None]
    rate[stimulated, 50:55] *= 3.0
    counts = rng.poisson(rate * rng.lognormal(0, 0.1, (N_SAMPLES, N_GENES))[sample])
    adata = anndata.AnnData(counts.astype(np.float32))
    adata.var_names = [f"gene_{i}" for i in range(N_GENES)]
    adata.obs_names = [f"cell_{i}" for i in range(N_CELLS)]
    adata.obs["type"] = np.array(["A", "B", "C"])[kind]
    adata.obs["sample"] = [f"s{i}" for i in sample]
    adata.obs["condition"] = np.where(stimulated, "stim", "ctrl")
    adata.obs["donor"] = [f"d{i // 2}" for i in sample]
    adata.obs["batch"] = np.where(sample < 2, "x", "y")
    return adata


@pytest.fixture(scope="module")
def front(cells):
    """Three points with all types, one where B and C are one, and one beyond the alarm, where all are."""
    rng = np.random.default_rng(1)
    kind = cells.obs["type"].map({"A": 0, "B": 1, "C": 2}).to_numpy()
    spread = rng.normal(size=(N_CELLS, 5))

    def around(centres, number):
        return (np.asarray(centres, dtype=float)[number] + 0.5 * rng.permuted(spread, axis=0)).astype(np.float32)

    apart = [[0, 0, 0, 0, 0], [9, 0, 0, 0, 0], [0, 9, 0, 0, 0]]
    merged = [apart[0], apart[1], apart[1]]
    codes = {number: around(apart, kind) for number in range(3)}
    codes[3] = around(merged, kind)
    codes[4] = around([apart[0]] * 3, kind)
    table = pd.DataFrame({"point": range(5), "alarm": [0.0, 0.0, 0.0, 0.0, 1.0], "batch_left": [40.0, 30, 20, 10, 5]})
    return made_of(table, cells, codes)


def made_of(table, cells, codes):
    names = {"cell_names": list(cells.obs_names)}
    return Front(table, objectives=["generative_loss", "strength"], metadata=names, codes=codes)


def survive(front, cells, **options):
    adata = cells.copy()
    options = {"groupby": "type", "sample_key": "sample", "batch_key": "batch", "resolution": 0.1} | options
    return sp.tl.survives(front, adata, progress=False, **options), adata


def test_what_becomes_of_a_cluster():
    first = np.repeat([0, 1, 2], [100, 100, 100])
    second = np.concatenate([np.repeat([0, 1], 50), np.repeat([2], 200)])
    shared = count_shared_cells(first, second)
    assert shared.tolist() == [[50, 50, 0], [0, 0, 100], [0, 0, 100]]
    assert compute_jaccard(shared)[0].tolist() == [0.5, 0.5, 0.0]
    assert classify_fate(shared, 0) == "same", "half is enough"
    thirds = count_shared_cells(first[:100], np.arange(100) % 3)
    assert classify_fate(thirds, 0) == "split"
    large = count_shared_cells(np.repeat([0, 1], [100, 300]), np.zeros(400, dtype=int))
    assert [classify_fate(large, 0), classify_fate(large, 1)] == ["merged", "same"]
    scattered = count_shared_cells(
        np.repeat([0, 1], [30, 300]), np.concatenate([np.arange(30) % 3, np.arange(300) % 3])
    )
    assert classify_fate(scattered, 0) == "gone"


def test_groups_bear_the_name_of_most_of_their_cells_or_of_the_same_cluster():
    reference, found = np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 0, 0, 2])
    labels = np.array(["T", "T", "B", "B", None, None], dtype=object)
    assert name_groups(reference, found, labels).tolist() == ["T", "T", "T", "B", "B", None]
    assert name_groups(reference, found, None).tolist() == ["0", "0", "0", "1", "1", None]


def test_sums_by_sample(cells):
    inside = (cells.obs["type"] == "A").to_numpy()
    sample = cells.obs["sample"].str[1:].astype(int).to_numpy()
    from scipy import sparse

    sums, n_cells = pseudobulk(sparse.csr_matrix(cells.X), sample, inside, N_SAMPLES)
    assert n_cells.tolist() == [int((inside & (sample == s)).sum()) for s in range(N_SAMPLES)]
    assert np.array_equal(sums[2], cells.X[inside & (sample == 2)].sum(axis=0))


@pytest.mark.parametrize(("degrees", "d0", "s0"), [(4, 6.0, 0.5), (2, 3.0, 2.0), (8, 20.0, 1.0)])
def test_the_variance_of_all_genes_is_found(degrees, d0, s0):
    rng = np.random.default_rng(0)
    own = d0 * s0 / rng.chisquare(d0, 40_000)
    variance = own * rng.chisquare(degrees, 40_000) / degrees
    prior, more = estimate_prior_variance(variance, degrees)
    assert prior == pytest.approx(s0, rel=0.05)
    assert more == pytest.approx(d0, rel=0.12)


def test_variances_that_differ_by_chance_alone_are_one():
    variance = np.random.default_rng(0).chisquare(5, 200) / 5
    variance = np.exp(0.5 * (np.log(variance) - np.log(variance).mean()))
    assert estimate_prior_variance(variance, 5)[1] == np.inf


def counts_of_samples(n_genes=2000, changed=0, fold=4.0, n=6, seed=0):
    rng = np.random.default_rng(seed)
    mean = np.repeat(rng.gamma(2, 60, n_genes)[None], n, axis=0)
    mean[: n // 2, :changed] *= fold
    return rng.negative_binomial(8, 8 / (8 + mean)).astype(float), (np.arange(n) < n // 2).astype(float)


def test_without_differences_p_values_are_uniform_and_next_to_nothing_is_called():
    p, n_called = [], 0
    for seed in range(5):
        sums, first = counts_of_samples(seed=seed)
        found = compute_moderated_t(sums, make_design(first, None))
        p.append(found["p_value"].dropna())
        n_called += int((found["p_adjusted"] <= 0.05).sum())
    p = np.concatenate(p)
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.05)
    assert n_called <= 10


def test_differences_are_found_at_their_size_and_rate():
    sums, first = counts_of_samples(changed=200)
    found = compute_moderated_t(sums, make_design(first, None))
    called = found["p_adjusted"] <= 0.05
    assert called[:200].mean() > 0.75
    assert called[200:].sum() / called.sum() <= 0.1
    assert found["effect"][:200].median() == pytest.approx(2.0, abs=0.2), "hardly shifted by the changed genes"


def test_blocks_are_taken_out():
    rng = np.random.default_rng(0)
    donor = np.repeat(["a", "b", "c"], 2)
    of_donor = np.exp(rng.normal(0, 1.0, (3, 500)))[np.repeat([0, 1, 2], 2)]
    first = np.tile([1.0, 0.0], 3)
    mean = 100 * of_donor
    mean[first == 1, :50] *= 3
    sums = rng.poisson(mean).astype(float)
    with_blocks = compute_moderated_t(sums, make_design(first, donor))["p_adjusted"] <= 0.05
    without = compute_moderated_t(sums, make_design(first, None))["p_adjusted"] <= 0.05
    assert with_blocks[:50].sum() >= 45
    assert with_blocks[50:].sum() <= 10
    assert without[:50].sum() < 25


def test_genes_with_few_counts_are_not_tested():
    sums, first = counts_of_samples(n_genes=50)
    sums[:, 0], sums[:, 1] = 0, [1, 1, 1, 2, 2, 2]
    found = compute_moderated_t(sums, make_design(first, None))
    assert found["p_value"][:2].isna().all()
    assert found["p_value"][2:].notna().all()


def test_what_cannot_be_told_apart_has_no_design():
    assert make_design(np.array([1.0, 1, 0, 0]), np.array(["a", "a", "b", "b"])) is None
    assert make_design(np.array([1.0, 0]), None) is None, "no freedom"
    assert make_design(np.array([1.0, 0, 1, 0]), np.array(["a", "a", "b", "b"])).shape == (4, 3)


def test_deseq2_finds_the_same_changes():
    pytest.importorskip("pydeseq2")
    sums, first = counts_of_samples(n_genes=300, changed=30)
    ours, theirs = (look(sums, make_design(first, None)) for look in (compute_moderated_t, compute_deseq2))
    assert np.corrcoef(ours["effect"], theirs["effect"])[0, 1] > 0.95
    assert (theirs["p_adjusted"][:30] <= 0.05).mean() > 0.8
    assert (theirs["p_adjusted"][30:] <= 0.05).mean() < 0.05


def test_shares_of_samples():
    first = np.array([1.0, 1, 1, 0, 0, 0])
    total = np.full(6, 1000)
    inside = np.array([198, 202, 200, 99, 101, 100])
    effect, p = compare_shares(inside, total, make_design(first, None))
    assert effect == pytest.approx(np.log2((0.2 / 0.8) / (0.1 / 0.9)), abs=0.02)
    assert p < 1e-4
    rng = np.random.default_rng(0)
    null = [
        compare_shares(rng.binomial(1000, rng.beta(8, 72, 6)), total, make_design(first, None))[1] for _ in range(400)
    ]
    assert stats.kstest(null, "uniform").pvalue > 0.01, "samples vary by more than cells"


def test_what_is_called_everywhere_is_robust():
    points = FrontPoints({n: np.zeros((1, 1)) for n in range(4)}, dict.fromkeys(range(4), 1.0), [0, 1, 2], 1)
    seen = {
        "robust": ([1, 1, 1, 0], [1.0, 1.5, 2.0, 1.0]),
        "other sign": ([1, 1, 1, 1], [1.0, -1.0, 1.0, 1.0]),
        "fragile": ([1, 0, 0, 0], [1.0, 1.0, 1.0, 1.0]),
        "beyond": ([0, 0, 0, 1], [0.1, 0.1, 0.1, 1.0]),
        "never": ([0, 0, 0, 0], [0.1, 0.1, 0.1, 0.1]),
    }
    rows = [
        {"kind": "markers", "group": "A", "gene": gene, "point": n, "effect": effects[n], "called": bool(calls[n]),
         "p_adjusted": 0.01 if calls[n] else 0.5}
        for gene, (calls, effects) in seen.items() for n in range(4)
    ]  # fmt: skip
    # A group that is missing at an admissible point holds nothing there.
    rows += [row | {"gene": "group missing"} for row in rows[:2]]
    found = summarize_findings(pd.DataFrame(rows), points).set_index("gene")
    assert found["call"].to_dict() == {
        "robust": "robust",
        "other sign": "fragile",
        "fragile": "fragile",
        "group missing": "fragile",
        "beyond": "only beyond the alarm",
    }
    assert found.loc["robust", ["effect", "effect_low", "effect_high", "share"]].tolist() == [1.5, 1.0, 2.0, 1.0]
    assert found.loc["group missing", "share"] == pytest.approx(2 / 3)
    assert np.isnan(found.loc["group missing", "p_adjusted_high"])


def test_markers_of_a_type_that_is_merged_somewhere_are_fragile(front, cells):
    found, adata = survive(front, cells, kinds=["clusters", "markers"])
    up = found[(found["kind"] == "markers") & (found["effect_high"] > 0)]
    call = {(row.group, row.gene): row.call for row in up.itertuples()}
    assert all(call["A", f"gene_{i}"] == "robust" for i in range(10))
    assert all(call["B", f"gene_{i}"] == "fragile" for i in range(10, 20)), "there is no B at point 3"
    record = adata.uns["scpareto"]["survives"]
    share = record["clusters"].set_index("n_cells")["jaccard"]
    n = cells.obs["type"].value_counts()
    assert share[n["A"]] == 1.0
    assert share[n["B"] + n["C"]] == pytest.approx(max(n["B"], n["C"]) / (n["B"] + n["C"]))
    assert (record["clusters"]["jaccard_seed"] > 0.95).all()
    assert "4 of 5 strengths of correction are admissible (points 0 to 3, from 40 to 10 %" in record["sentence"]
    assert set(record["clusters_by_point"]["point"]) == {-1, 0, 1, 2, 3, 4}


def test_a_condition_is_seen_in_every_group_and_by_its_genes_alone(front, cells):
    found, _ = survive(front, cells, contrast=("condition", "stim", "ctrl"), kinds=["expression", "abundance"])
    robust = found[(found["kind"] == "expression") & (found["call"] == "robust")]
    assert {f"gene_{i}" for i in range(50, 55)} <= set(robust[robust["group"] == "A"]["gene"])
    strong = robust[robust["effect"].abs() > 1]
    assert set(strong["gene"]) == {f"gene_{i}" for i in range(50, 55)}
    assert not len(found[(found["kind"] == "abundance") & (found["call"] == "robust")])


def test_cells_follow_their_names_and_seeds_are_repeated(front, cells):
    order = np.random.default_rng(3).permutation(N_CELLS)
    first, adata = survive(front, cells)
    second, mixed = survive(front, cells[order])
    again, _ = survive(front, cells)
    pd.testing.assert_frame_equal(first, again)
    assert set(zip(first["gene"], first["group"], first["call"], strict=True)) == set(
        zip(second["gene"], second["group"], second["call"], strict=True)
    )
    ours, theirs = adata.obs["survives_labels"], mixed.obs["survives_labels"]
    assert theirs.loc[ours.index].tolist() == ours.tolist()


def test_labels_that_neighbours_in_other_batches_give(front, cells):
    _, adata = survive(front, cells, kinds=["labels"])
    kind = adata.obs["type"]
    changes = adata.obs["survives_labels"] > 1
    assert changes[kind == "A"].mean() < 0.02
    assert 0.3 < changes[kind != "A"].mean() < 0.9, "B and C are one at point 3"


def test_what_is_written_goes_to_a_file_and_back(front, cells, tmp_path):
    found, adata = survive(front, cells, contrast=("condition", "stim", "ctrl"), key_added="held")
    adata.write_h5ad(tmp_path / "cells.h5ad")
    record = anndata.read_h5ad(tmp_path / "cells.h5ad").uns["scpareto"]["held"]
    assert record["findings"]["call"].tolist() == found["call"].tolist()
    assert {"held_cluster", "held_stability", "held_labels"} <= set(adata.obs)
    assert adata.obs["held_stability"].between(0, 1).all()
    assert "pseudo" not in record["methods"]
    assert "moderated t-tests" in record["methods"]


def test_a_model_gives_its_points():
    adata = sp.datasets.simulate_batches(n_cells=300, n_genes=60, n_batches=4, type_strength=2.0, seed=0)
    short = {"n_points": 4, "max_epochs": 4, "max_epochs_pretrain": 2, "progress": False}
    model = sp.tl.integrate(adata, batch_key="batch", n_top_genes=20, **short)
    found = sp.tl.survives(model, adata, groupby="cell_type", sample_key="batch", progress=False)
    assert set(found["kind"]) <= {"markers"}
    assert adata.uns["scpareto"]["survives"]["points"]["point"].tolist() == [0, 1, 2, 3]
    assert set(found["gene"]) - set(model.adata.var_names), "all genes of adata are tested"


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"groupby": "kind"}, KeyError, "groupby='kind' is not in adata.obs; it holds 'type'"),
        ({"layer": "raw"}, KeyError, "layer='raw' is not in adata.layers; it holds nothing"),
        ({"contrast": "condition"}, ValueError, "must be column, first and second level"),
        ({"contrast": ("condition", "stim", "rest")}, ValueError, "'rest' is no value of adata.obs\\['condition'\\]"),
        ({"contrast": ("condition", "stim", "stim")}, ValueError, "compares 'stim' with itself"),
        ({"contrast": ("type", "A", "B")}, ValueError, "Sample 's\\d' has several values of 'type'"),
        ({"contrast": ("condition", "stim", "ctrl"), "sample_key": None}, ValueError, "contrast needs sample_key"),
        ({"contrast": ("batch", "x", "y")}, ValueError, "no batch holds both 'x' and 'y'"),
        ({"contrast": ("donor", "d0", "d1"), "block_key": "donor"}, ValueError, "cannot be told from the blocks"),
        ({"contrast": ("sample", "s0", "s1")}, ValueError, "1 sample\\(s\\) of sample 's0'; at least 2"),
        ({"block_key": "donor"}, ValueError, "block_key needs a contrast"),
        ({"kinds": ["labels"], "batch_key": None}, ValueError, "'labels' needs groupby and batch_key"),
        ({"kinds": ["abundance"]}, ValueError, "'abundance' needs contrast and sample_key"),
        ({"kinds": ["trajectory"]}, ValueError, "'trajectory' is none of clusters, labels, markers"),
        ({"kinds": []}, ValueError, "kinds is empty"),
        ({"test": "wilcoxon"}, ValueError, "test='wilcoxon' is none of 'moderated_t', 'deseq2'"),
        ({"fdr": 1.5}, ValueError, "fdr=1.5 must lie between 0 and 1"),
        ({"resolution": 0.0}, ValueError, "resolution=0.0 must be above 0"),
        ({"min_cells": 0}, ValueError, "min_cells"),
        ({"key_added": "a/b"}, ValueError, "without '/'"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_any_work(front, cells, monkeypatch, options, error, told):
    monkeypatch.setattr("scpareto.tl._survives._survives.cluster_points", lambda *a, **k: pytest.fail("work has begun"))
    with pytest.raises(error, match=told):
        survive(front, cells, **options)


def test_fronts_without_a_range_or_codes_are_refused(front, cells):
    table = front.to_dataframe()
    ringing = made_of(table.assign(alarm=[0, 1, 1, 1, 1]), cells, front.codes)
    with pytest.raises(ValueError, match="silent at 1 of 5 points \\(4 ring\\)"):
        survive(ringing, cells)
    with pytest.raises(ValueError, match="no over-correction alarm"):
        survive(made_of(table.drop(columns="alarm"), cells, front.codes), cells)
    with pytest.raises(ValueError, match="holds weights and no codes"):
        survive(made_of(table, cells, {}), cells)
    with pytest.raises(TypeError, match="give a model with a front"):
        survive("front", cells)
    with pytest.raises(ValueError, match="Cells differ"):
        survive(front, cells[:100])


def test_a_group_that_cannot_be_tested_says_why(front, cells):
    _, adata = survive(front, cells, kinds=["markers"], min_cells=60)
    left_out = adata.uns["scpareto"]["survives"]["left_out"]
    assert len(left_out)
    assert left_out["reason"].str.startswith("60 cells or more, of the group and of others, in").all()


def test_many_cells_are_clustered_as_few_are():
    """Of more than 4,096 cells scanpy takes approximate neighbours, by another library."""
    rng = np.random.default_rng(0)
    kind = np.arange(5000) % 3
    codes = 20 * np.eye(3)[kind] + rng.normal(size=(5000, 3))
    (found,) = leiden(codes, resolution=0.01, n_neighbors=15, seeds=(0,))
    assert [len(set(kind[found == cluster])) for cluster in range(found.max() + 1)] == [1] * (found.max() + 1)
