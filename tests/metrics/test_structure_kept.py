"""What neighbours in an embedding tell of genes that it has not used."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import kneighbors_graph

from scpareto.metrics import programme_scores, stratified_rows, structure_kept
from scpareto.metrics._neighbor_weights import _descent, neighbor_weights
from scpareto.metrics._saved_distance import chance_distance, influence_on_saved

TYPES = np.array([0.3, 0.25, 0.2, 0.15, 0.1])


class Cells:
    """Cells with a known state ``z`` in six dimensions, of five types."""

    def __init__(self, seed, n=600, *, n_genes=200, depth=1500, n_batches=1, shift=0.0, shares=(TYPES,)):
        rng = self.rng = np.random.default_rng(seed)
        self.batch = np.arange(n) % n_batches
        self.types = np.array([rng.choice(5, p=shares[b % len(shares)]) for b in self.batch])
        centres = 2 * rng.normal(size=(5, 6))
        self.z = centres[self.types] + 0.7 * rng.normal(size=(n, 6))
        self.shift = shift * rng.normal(size=(n_batches, 6))
        base = rng.normal(size=n_genes) + 0.3 * shift * rng.normal(size=(n_batches, n_genes))[self.batch]
        level = np.exp(self.z @ (0.25 * rng.normal(size=(6, n_genes))) + base)
        self.counts = rng.poisson(depth * level / level.sum(axis=1, keepdims=True))

    def noisy(self, sd=0.3):
        return self.z + sd * self.rng.normal(size=self.z.shape)

    def scores(self, **options):
        return programme_scores(self.counts, self.batch, **options)


@pytest.fixture(scope="module")
def cells():
    return Cells(0)


def test_ends_of_the_scale(cells):
    scores = cells.scores()
    codes = {
        "half A": scores.a,
        "random": cells.rng.normal(size=(600, 10)),
        "constant": np.ones((600, 3)),
        "one dimension": cells.z[:, :1],
        "no neighbours": sparse.csr_matrix((600, 600)),
    }
    kept = structure_kept(codes, scores)
    assert kept.value["half A"] == pytest.approx(100)
    assert abs(kept.value["random"]) < 5
    assert abs(kept.value["constant"]) < 5
    assert 10 < kept.value["one dimension"] < 80
    assert kept.value["no neighbours"] == pytest.approx(0, abs=1e-4)
    assert 0.5 < kept.ceiling["half A"] < 1
    table = kept.table.set_index("embedding")
    assert (table["low"] <= table["structure_kept"] + 1e-6).all()
    assert (table["structure_kept"] <= table["high"] + 1e-6).all()
    assert kept.seen
    assert kept.n_cells == 600


def families(cells):
    """The same truth with equal noise, drawn afresh for each family: a rotation, smooth warps, a graph."""
    rng = cells.rng
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    bent = cells.noisy() / 2.5
    network = bent + 0.7 * np.tanh(bent @ rng.normal(size=(6, 64)) / np.sqrt(6)) @ rng.normal(size=(64, 6)) / 8
    return {
        "linear": cells.noisy() @ rotation,
        "monotone": np.sinh(cells.noisy() / 3),
        "network": network,
        "graph": kneighbors_graph(cells.noisy(), 15),
        "small graph": kneighbors_graph(cells.noisy(), 5),
    }


def test_no_family_of_methods_is_favoured():
    """Differences to the linear embedding, over eight worlds, are below two points on average."""
    found = []
    for seed in range(8):
        cells = Cells(seed)
        kept = structure_kept(families(cells), cells.scores(), n_bootstrap=20, seed=seed)
        found.append([kept.value[name] - kept.value["linear"] for name in kept.value])
        assert kept.value["linear"] > 90
    assert (np.abs(np.mean(found, axis=0)) < 2).all(), np.mean(found, axis=0)


def test_what_is_merged_is_lost_where_it_was(cells):
    other, rare = np.flatnonzero(cells.types == 0), np.flatnonzero(cells.types == 4)
    z = cells.z.copy()
    z[rare] = cells.z[cells.rng.choice(other, len(rare))]
    merged = z + 0.3 * cells.rng.normal(size=z.shape)
    kept = structure_kept({"whole": cells.noisy(), "merged": merged}, cells.scores(populations=cells.types))
    rows = kept.per_population.pivot(index="population", columns="embedding", values="structure_kept")
    drop = rows["whole"] - rows["merged"]
    assert drop.idxmax() == 4
    assert drop[4] > 20
    assert drop[[1, 2, 3]].abs().max() < 5
    assert kept.differences["low"].item() > 0
    by_population = structure_kept(
        {"whole": cells.noisy(), "merged": merged}, cells.scores(populations=cells.types), weights="populations"
    )
    assert by_population.differences["difference"].item() > kept.differences["difference"].item()


def test_removing_a_batch_shift_costs_nothing_and_mixing_unlike_cells_does():
    """Two batches of unequal composition: the second holds the types in reverse shares."""
    cells = Cells(3, n=1000, n_batches=2, shift=1.0, shares=(TYPES, TYPES[::-1]))
    shifted = cells.noisy() + 4 * cells.shift[cells.batch]
    unlike = cells.noisy()
    # Each cell of the second batch is laid onto one of the first of another type.
    first, second = np.flatnonzero(cells.batch == 0), np.flatnonzero(cells.batch == 1)
    places = {t: cells.z[first[cells.types[first] == (t + 1) % 5]] for t in range(5)}
    for i in second:
        choice = places[cells.types[i]]
        unlike[i] = choice[cells.rng.integers(len(choice))] + 0.3 * cells.rng.normal(size=6)
    codes = {"removed": cells.noisy(), "shifted": shifted, "unlike": unlike}
    kept = structure_kept(codes, cells.scores(populations=cells.types))
    assert kept.value["removed"] > kept.value["shifted"] - 1
    assert kept.value["unlike"] < kept.value["removed"] - 15
    # Centred per batch, true mixing looks like a loss: the means of the batches differ in what lives there.
    per_batch = structure_kept(codes, cells.scores())
    assert per_batch.value["removed"] - per_batch.value["shifted"] < kept.value["removed"] - kept.value["shifted"]


def test_intervals_cover_redrawn_cells():
    """95 % intervals of a value and of a difference cover the mean over redraws in 60 draws about as often."""
    world, rows = Cells(11, n=300 * 40, n_genes=150), []
    noise = np.random.default_rng(1).normal(size=(2, *world.z.shape))
    first, second = world.z + 0.6 * noise[0], world.z[:, :3] + 0.3 * noise[1][:, :3]
    for draw in range(40):
        own = slice(300 * draw, 300 * (draw + 1))
        scores = programme_scores(world.counts[own], world.batch[own], populations=world.types[own], seed=draw)
        kept = structure_kept({"a": first[own], "b": second[own]}, scores, n_bootstrap=100, seed=draw)
        value = kept.table[["structure_kept", "low", "high"]].to_numpy()
        rows.append(np.vstack([value, kept.differences[["difference", "low", "high"]].to_numpy()]))
    found = np.array(rows)
    mean = found[:, :, 0].mean(axis=0)
    covered = ((found[:, :, 1] <= mean) & (mean <= found[:, :, 2])).mean(axis=0)
    assert (covered >= 0.87).all(), covered
    width = (found[:, :, 2] - found[:, :, 1]).mean(axis=0) / 3.92
    assert (width < 1.6 * found[:, :, 0].std(axis=0)).all()


def test_influence_is_the_derivative():
    """Doubling the weight of one cell changes the sum by its influence."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(40, 3))
    scores -= scores.mean(axis=0)
    near = neighbor_weights(scores + rng.normal(size=scores.shape), "codes", 40, 5, seed=0)
    target = rng.random(40)

    def total(weight):
        distance = ((scores[:, None] - scores[None]) ** 2).sum(axis=2)
        links = near.toarray() * weight
        own = (links * distance).sum(axis=1) / links.sum(axis=1)
        chance = distance @ weight / weight.sum()
        return float((target * weight) @ (chance - own))

    influence = influence_on_saved(scores, near, target[:, None])[:, 0]
    assert influence.sum() == pytest.approx(total(np.ones(40)))
    for cell in range(0, 40, 7):
        step = np.ones(40)
        step[cell] += 1e-5
        assert (total(step) - total(np.ones(40))) / 1e-5 == pytest.approx(influence[cell], rel=1e-3, abs=1e-4)
    assert chance_distance(scores)[0] == pytest.approx(((scores[0] - scores) ** 2).sum(axis=1).mean())


def test_unused_genes_are_taken_where_there_are_enough(cells):
    used = np.arange(200) < 60
    scores = cells.scores(used_genes=used, min_genes=100)
    assert not scores.seen
    assert not scores.genes[used].any()
    few = cells.scores(used_genes=~used, min_genes=100)
    assert few.seen
    assert not few.genes[used].any()
    assert structure_kept({"z": cells.z}, few).seen


def test_a_component_of_depth_is_left_out():
    rng = np.random.default_rng(0)
    cells = Cells(0)
    depth = rng.lognormal(0, 1.5, size=600)
    counts = rng.poisson(np.exp(rng.normal(size=200) - 1.0) * depth[:, None])
    scores = programme_scores(counts, cells.batch)
    assert scores.depth_share[0] > 0.5
    assert scores.a.shape[1] < 20
    assert programme_scores(counts, cells.batch, max_depth_share=1.0).a.shape[1] == 20


def test_sparse_counts_give_the_same_as_dense(cells):
    dense, thin = (programme_scores(kind(cells.counts), cells.batch) for kind in (np.asarray, sparse.csr_matrix))
    assert dense.a.shape == thin.a.shape
    values = [structure_kept({"z": cells.z}, scores).value["z"] for scores in (dense, thin)]
    # The halves are dealt in another order.
    assert values[0] == pytest.approx(values[1], abs=1.5)


def test_order_of_cells_does_not_matter_where_codes_are_equal(cells):
    """Sorted by type, cells at one place are neighbours by chance, not by their order."""
    order = np.argsort(cells.types, kind="stable")
    scores = programme_scores(cells.counts[order], cells.batch)
    assert abs(structure_kept({"constant": np.zeros((600, 2))}, scores).value["constant"]) < 5


def test_samples_are_redrawn_where_every_batch_has_three(cells):
    scores = cells.scores()
    donors = np.arange(600) % 6
    assert structure_kept({"z": cells.z}, scores, sample=donors).resampled == "samples"
    assert structure_kept({"z": cells.z}, scores, sample=donors // 3).resampled == "cells"


def test_only_judged_cells_count(cells):
    scores, codes = cells.scores(), cells.noisy()
    codes[:300] = cells.rng.normal(size=(300, 6)) + 100
    whole = structure_kept({"z": codes}, scores)
    half = structure_kept({"z": codes}, scores, cells=np.arange(300, 600))
    assert half.n_cells == 300
    assert half.value["z"] > 90 > whole.value["z"]


def test_a_sample_keeps_rare_populations():
    batch, populations = np.repeat([0, 1], 5000), np.where(np.arange(10_000) % 100 == 0, 1, 0)
    rows = stratified_rows(batch, populations, 1000, seed=0)
    assert len(rows) <= 1100
    assert (populations[rows] == 1).sum() == 100
    assert abs((batch[rows] == 0).mean() - 0.5) < 0.01
    np.testing.assert_array_equal(stratified_rows(batch, populations, None, seed=0), np.arange(10_000))


def test_a_large_set_is_judged_on_a_sample(cells):
    scores = cells.scores(max_cells=300)
    assert len(scores.rows) == 300
    assert structure_kept({"z": cells.noisy()}, scores).n_cells == 300
    with pytest.raises(ValueError, match="max_cells=None"):
        structure_kept({"graph": kneighbors_graph(cells.z, 5)}, scores)


@pytest.mark.slow
def test_descent_finds_nearly_all_neighbours():
    points = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
    found = _descent(points, 15, 0)
    exact = neighbor_weights(points, "codes", 2000, 15, seed=0)
    shared = [len(set(found[i]) & set(exact[i].indices)) / 15 for i in range(200)]
    assert np.mean(shared) > 0.9
    assert not (found == np.arange(2000)[:, None]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": {}}, "empty"),
        ({"embeddings": {"z": np.full((600, 2), np.nan)}}, "NaN"),
        ({"embeddings": {"z": np.zeros((10, 2))}}, "have 10 cells"),
        ({"embeddings": {"z": np.zeros((600, 2)), "y": np.zeros((599, 2))}}, "different numbers"),
        ({"embeddings": {"g": sparse.csr_matrix((600, 599))}}, "graph 'g'"),
        ({"weights": "types"}, "choose 'cells' or 'populations'"),
        ({"level": 95}, "between 0 and 1"),
    ],
)
def test_bad_input_is_named(cells, change, message):
    options = {"embeddings": {"z": cells.z}} | change
    with pytest.raises(ValueError, match=message):
        structure_kept(options.pop("embeddings"), cells.scores(), **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"populations": np.zeros(5, dtype=int)}, "populations"),
        ({"populations": np.full(600, 0.5)}, "populations"),
        ({"used_genes": np.zeros(3, dtype=bool)}, "used_genes"),
        ({"min_genes": 0, "used_genes": np.ones(200, dtype=bool)}, "0 gene"),
    ],
)
def test_bad_programmes_are_named(cells, change, message):
    with pytest.raises(ValueError, match=message):
        cells.scores(**change)


def test_parts_are_what_separate_calls_find(cells):
    scores, codes = cells.scores(), {"state": cells.z, "one": cells.z[:, :1]}
    rows = {"even": np.arange(0, 600, 2), "few": np.arange(50)}
    found = structure_kept(codes, scores, parts=rows, n_bootstrap=20)
    for name, own in rows.items():
        apart = structure_kept(codes, scores, cells=own, n_bootstrap=20)
        assert found.parts[name].value == apart.value
        assert found.parts[name].n_cells == len(own)
        assert found.parts[name].differences.equals(apart.differences)
