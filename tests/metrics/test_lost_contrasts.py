"""Differences that embeddings have lost, with a stated rate of false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import kneighbors_graph

from scpareto.metrics import lost_contrasts

SHARES = np.array([0.3, 0.25, 0.2, 0.1, 0.15])


class World:
    """Five types in two batches, with a batch effect on genes; ``z`` is the true state."""

    def __init__(self, seed, n=600, *, n_genes=100, depth=600, spread=0.3):
        rng = self.rng = np.random.default_rng(seed)
        self.types, self.batch = rng.choice(5, n, p=SHARES), rng.integers(2, size=n)
        self.centres = 1.5 * rng.normal(size=(5, 6))
        self.z = self.centres[self.types] + 0.7 * rng.normal(size=(n, 6))
        genes = 0.3 * rng.normal(size=(6, n_genes))
        base = rng.normal(size=n_genes) + 0.3 * rng.normal(size=(2, n_genes))[self.batch]
        level = np.exp(self.z @ genes + base)
        self.depth = depth * rng.lognormal(0, spread, n)
        self.counts = rng.poisson(level / level.sum(axis=1, keepdims=True) * self.depth[:, None])

    def noisy(self, z=None, sd=0.4):
        z = self.z if z is None else z
        return z + sd * self.rng.normal(size=z.shape)

    def merged(self, one, other):
        z, own = self.z.copy(), np.flatnonzero(self.types == one)
        z[own] = self.z[self.rng.choice(np.flatnonzero(self.types == other), len(own))]
        return self.noisy(z)


def test_embeddings_of_equal_truth_ring_in_at_most_one_of_twenty_worlds():
    """Two embeddings against a third of equal noise, without any margin: the hardest null there is."""
    false = 0
    for seed in range(60):
        world = World(seed, n=400, n_genes=60)
        codes = {name: world.noisy() for name in ("reference", "one", "other")}
        found = lost_contrasts(world.counts, codes, world.batch, reference="reference", margin=0.0, seed=seed)
        assert found.n_judged > 5
        false += any(found.value.values())
    assert false <= 3


def test_a_merged_type_rings_and_is_named():
    found_by_seed = []
    for seed in range(5):
        world = World(100 + seed)
        nearest = int(np.argsort(((world.centres - world.centres[4]) ** 2).sum(axis=1))[1])
        codes = {"reference": world.noisy(), "merged": world.merged(4, nearest), "whole": world.noisy()}
        names = [f"gene_{i}" for i in range(100)]
        found = lost_contrasts(world.counts, codes, world.batch, reference="reference", gene_names=names, seed=seed)
        assert not found.value["whole"]
        found_by_seed.append(found.value["merged"])
        table = found.table
        assert not table.duplicated(["contrast", "embedding"]).any()
        rings = table[table["rings"]]
        if len(rings):
            assert (rings["lost"] > 0.1).all()
            assert (rings["status"] == "judged").all()
            assert rings["markers_first"].str.startswith("gene_").all()
            # What was merged is of the merged type, one group or several.
            top = rings.sort_values("lost").iloc[-1]["contrast"].split(" | ")
            batch = top[0].split(":")[0]
            sides = [side.removeprefix(f"{batch}: ").removeprefix("group").removeprefix("s") for side in top]
            numbers = [n.strip() for side in sides for n in side.split(",") if n.strip().isdigit()]
            groups = [found.names.index(f"{batch}: group {n}") for n in numbers]
            labels = [np.bincount(world.types[found.groups == g]).argmax() for g in groups]
            assert {4, nearest} & set(labels)
    assert sum(found_by_seed) >= 4


def test_graphs_are_judged_too():
    world = World(7)
    nearest = int(np.argsort(((world.centres - world.centres[4]) ** 2).sum(axis=1))[1])
    codes = {"reference": world.noisy(), "graph": kneighbors_graph(world.merged(4, nearest), 15)}
    found = lost_contrasts(sparse.csr_matrix(world.counts), codes, world.batch, reference="reference")
    assert found.value == {"graph": True}


def test_a_merged_type_of_few_cells_is_seen_beside_large_ones():
    """Fourteen cells in a batch of 400: with groups split by size alone two of these three were missed."""
    for seed in range(3):
        world = World(300 + seed, n=800, n_genes=200, depth=800)
        rare = np.flatnonzero(world.batch == 0)[:14]
        z = world.z.copy()
        z[rare] = world.centres[0] + 2.5 * np.eye(6)[seed] + 0.3 * world.rng.normal(size=(14, 6))
        level = np.exp(0.3 * z @ np.random.default_rng(seed).normal(size=(6, 200)))
        counts = world.rng.poisson(level / level.sum(axis=1, keepdims=True) * world.depth[:, None])
        onto = np.setdiff1d(np.flatnonzero((world.types == 0) & (world.batch == 0)), rare)
        merged = z.copy()
        merged[rare] = z[world.rng.choice(onto, 14)]
        codes = {"reference": world.noisy(z), "merged": world.noisy(merged), "whole": world.noisy(z)}
        found = lost_contrasts(counts, codes, world.batch, reference="reference", seed=seed)
        assert found.value == {"merged": True, "whole": False}


def test_a_loss_in_one_donor_of_many_is_not_taken_for_a_loss_in_all():
    """Donors that lose two fifths of a type by chance, a tenth on average, which is the margin: a null by sample."""
    rings = {"cells": 0, "samples": 0}
    for seed in range(12):
        world = World(400 + seed, n=600)
        rng = world.rng
        donor = world.batch * 4 + rng.integers(4, size=600)
        lossy = rng.permutation(np.repeat([0.4, 0.0], [2, 6]))
        mixed = (world.types == 0) & (rng.random(600) < lossy[donor])
        z = world.z.copy()
        z[mixed] = world.z[rng.choice(np.flatnonzero(world.types == 1), mixed.sum())]
        codes = {"reference": world.noisy(sd=0.1), "one": world.noisy(z, sd=0.1)}
        for errors_of, sample in (("cells", None), ("samples", donor)):
            found = lost_contrasts(world.counts, codes, world.batch, reference="reference", sample=sample, seed=seed)
            assert found.table["errors_of"].eq(errors_of).all()
            rings[errors_of] += found.value["one"]
    assert rings["samples"] <= 1, rings
    assert rings["cells"] > rings["samples"]


def test_a_merged_type_rings_by_sample_too():
    for seed in range(3):
        world = World(500 + seed)
        nearest = int(np.argsort(((world.centres - world.centres[1]) ** 2).sum(axis=1))[1])
        codes = {"reference": world.noisy(), "merged": world.merged(1, nearest), "whole": world.noisy()}
        donor = world.rng.integers(5, size=600)
        found = lost_contrasts(world.counts, codes, world.batch, reference="reference", sample=donor, seed=seed)
        assert found.value == {"merged": True, "whole": False}


def test_groups_of_one_sample_do_not_ring_by_sample():
    world = World(600)
    donor = world.batch * 4 + world.rng.integers(4, size=600)
    donor[world.types == 4] = world.batch[world.types == 4] * 4
    codes = {"reference": world.noisy(sd=0.1), "merged": world.merged(4, 0)}
    found = lost_contrasts(world.counts, codes, world.batch, reference="reference", sample=donor)
    few = found.table[found.table["status"] == "few samples"]
    assert len(few) > 0
    assert not few["rings"].any()
    without = lost_contrasts(
        world.counts, codes, world.batch, reference="reference", sample=np.arange(600) % 2 + 2 * world.batch
    )
    assert without.table["errors_of"].eq("cells").all(), "two samples in each batch are too few"


def test_losing_depth_does_not_ring():
    """One population in which nothing but depth differs, and it moves genes: a method that drops it loses no type."""
    rng = np.random.default_rng(0)
    n, batch = 600, np.arange(600) % 2
    log_depth = rng.normal(size=n)
    level = np.exp(np.outer(log_depth, 0.5 + 0.4 * rng.normal(size=100)) + rng.normal(size=100) + 1.5)
    counts = rng.poisson(level)
    codes = {"reference": np.column_stack([log_depth, 0.1 * rng.normal(size=n)]), "without": rng.normal(size=(n, 2))}
    found = lost_contrasts(counts, codes, batch, reference="reference")
    assert not found.value["without"]
    technical = found.table[found.table["status"] == "technical"]
    assert len(technical) > 0
    assert technical["explained_by"].isin(["depth", "detected genes", "doublet-like depth"]).all()
    unaware = lost_contrasts(counts, codes, batch, reference="reference", max_explained=1.0)
    assert unaware.value["without"], "it is the covariates that keep it silent"


def test_mitochondrial_share_and_given_covariates_explain():
    world = World(1)
    rng, n = np.random.default_rng(1), 600
    stress = rng.gamma(2.0, 0.5, size=n)
    mitochondrial = rng.poisson(60 * stress[:, None] * rng.uniform(0.5, 1.5, size=10))
    names = [f"gene_{i}" for i in range(100)] + [f"mt-{i}" for i in range(10)]
    counts = np.column_stack([world.counts, mitochondrial])
    codes = {"reference": np.column_stack([world.noisy(), 4 * stress]), "without": world.noisy()}
    found = lost_contrasts(counts, codes, world.batch, reference="reference", gene_names=names)
    technical = found.table[found.table["status"] == "technical"]
    assert (technical["explained_by"] == "mitochondrial share").any()
    told = lost_contrasts(counts, codes, world.batch, reference="reference", covariates={"stress": stress})
    assert (told.table["explained_by"] == "stress").any()


def test_a_gradient_is_a_state_and_a_gap_a_type():
    rng = np.random.default_rng(0)
    place = np.sort(rng.uniform(-2, 2, size=400))
    separate = np.repeat([0.0, 6.0], 200)
    genes = rng.normal(size=(1, 80))
    for z, kind in ((place, "state"), (separate, "type")):
        counts = rng.poisson(np.exp(0.4 * z[:, None] @ genes + 1.5))
        codes = {"reference": z[:, None] + 0.01 * rng.normal(size=(400, 1)), "lost": rng.normal(size=(400, 1))}
        found = lost_contrasts(counts, codes, np.repeat("a", 400), reference="reference")
        rings = found.table[found.table["rings"]]
        assert rings["kind"].eq(kind).any(), kind
        if kind == "state":
            assert rings["kind"].eq("state").all()


def test_smallest_population_falls_with_the_noise_and_is_never_below_what_is_looked_at():
    found = [
        lost_contrasts(w.counts, {"a": w.noisy(sd=sd), "b": w.noisy(sd=sd)}, w.batch, reference="a").smallest_population
        for w, sd in ((World(0), 0.2), (World(0), 1.5))
    ]
    assert 20 <= found[0] <= found[1]


def test_groups_are_small_within_one_batch_and_named():
    world = World(2)
    found = lost_contrasts(world.counts, {"a": world.noisy(), "b": world.noisy()}, world.batch, reference="a")
    assert found.groups.shape == (600,)
    for group in range(found.groups.max() + 1):
        own = found.groups == group
        assert 10 <= own.sum() <= 75
        assert len(np.unique(world.batch[own])) == 1
        assert found.names[group].startswith(f"{world.batch[own][0]}: group ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "X_pca"}, "choose one of the embeddings: a, b"),
        ({"margin": 1.0}, "margin"),
        ({"level": 5}, "level"),
        ({"gene_names": ["a"]}, "gene_names"),
        ({"covariates": {"doublets": np.full(600, np.nan)}}, "'doublets' is NaN"),
        ({"embeddings": {"a": np.zeros((3, 2))}}, "3 rows"),
        ({"sample": ["donor"]}, "`sample` has 1 entries"),
    ],
)
def test_bad_input_is_named(change, message):
    world = World(0)
    options = {"embeddings": {"a": world.z, "b": world.z}, "reference": "a"} | change
    with pytest.raises(ValueError, match=message):
        lost_contrasts(world.counts, options.pop("embeddings"), world.batch, **options)
