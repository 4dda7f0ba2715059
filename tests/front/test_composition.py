from __future__ import annotations

import numpy as np
import pytest

from scpareto.datasets import simulate_batches
from scpareto.front._composition import measure_composition
from scpareto.model import ParetoVI
from scpareto.pareto import Front, advice_on_composition

SHORT = {"max_epochs": 8, "max_epochs_pretrain": 3, "n_points": 4, "progress": False}


def drawn(proportions, n_cells, seed):
    """Cells of two equal batches, with populations in these proportions."""
    rng = np.random.default_rng(seed)
    level = np.arange(n_cells) % 2
    return np.array([rng.choice(len(proportions[s]), p=proportions[s]) for s in level]), level


def test_information_of_known_tables():
    """Proportions .75 : .25 against .25 : .75 tell log 2 - H(.25) of the batch; equal ones tell nothing."""
    labels, level = drawn([[0.75, 0.25], [0.25, 0.75]], 20_000, 0)
    exact = np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25)
    found = measure_composition(labels, level)
    assert found.information == pytest.approx(exact, abs=0.01)
    assert found.information_low < found.information
    assert (found.is_unlike, found.without_counterpart) == (True, 0.0)
    assert found.entropy == pytest.approx(np.log(2))
    assert measure_composition(np.repeat([0, 1], 50), np.tile([0, 1], 50)).information < 0, "less than chance adds"


@pytest.mark.parametrize("n_cells", [100, 1000])
def test_chance_alone_is_seldom_taken_for_unlike_cells(n_cells):
    """Alike batches of six populations: at most 5 of 100 draws, at the size of a small set and of a common one."""
    proportions = [np.full(6, 1 / 6)] * 2
    found = [measure_composition(*drawn(proportions, n_cells, seed)) for seed in range(100)]
    assert sum(one.is_unlike for one in found) <= 5
    assert abs(np.mean([one.information for one in found])) < 0.003


def test_cells_without_a_counterpart_count():
    labels, level = np.tile([0, 1], 50), np.repeat([0, 1], 50)
    for n_alone, unlike in ((5, False), (6, True)):
        some = labels.copy()
        some[:n_alone] = -1
        assert measure_composition(some, level).is_unlike is unlike
    nobody = measure_composition(np.full(100, -1), level)
    assert (nobody.information, nobody.without_counterpart, nobody.is_unlike) == (0.0, 1.0, True)


@pytest.mark.parametrize(("n_alone", "matched"), [(5, False), (6, True), (25, True), (26, False), (100, False)])
def test_matches_are_relied_on_where_most_cells_have_one(n_alone, matched):
    labels, level = np.tile([0, 1], 50), np.repeat([0, 1], 50)
    labels[:n_alone] = -1
    assert measure_composition(labels, level).is_matched is matched


@pytest.fixture(scope="module")
def fronts():
    """Default fronts of batches with unlike and with alike cells, and one that was told not to look."""
    found = {}
    for name, composition, options in (
        ("unlike", "unequal", {}),
        ("alike", "equal", {}),
        ("told", "unequal", {"objective_kwargs": {"given": None}}),
    ):
        adata = simulate_batches(600, 60, n_batches=2, composition=composition, counts_per_gene=2.0, seed=1)
        ParetoVI.setup_anndata(adata, batch_key="batch")
        model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
        model.train(**SHORT, **options)
        found[name] = model
    return found


def test_default_fronts_mix_within_populations_where_batches_hold_unlike_cells(fronts):
    given = {name: next(iter(m.front.metadata["objective_options"].values()))["given"] for name, m in fronts.items()}
    assert given == {"unlike": "populations", "alike": None, "told": None}
    decided = {name: m.front.metadata.get("composition", {}).get("is_unlike") for name, m in fronts.items()}
    assert decided == {"unlike": True, "alike": False, "told": None}


def test_the_front_says_what_was_done_and_what_can_be_done(fronts):
    said = {name: advice_on_composition(model.front) for name, model in fronts.items()}
    assert "were mixed within shared populations only" in said["unlike"]
    assert said["unlike"] in fronts["unlike"].front.explain()
    assert not said["alike"]
    assert 'objective_kwargs={"given": "populations"}' in said["told"]


def test_what_was_decided_is_kept_with_the_front(fronts, tmp_path):
    fronts["unlike"].save(tmp_path / "model")
    again = ParetoVI.load(tmp_path / "model", fronts["unlike"].adata).front
    assert again.metadata["composition"] == fronts["unlike"].front.metadata["composition"]
    assert advice_on_composition(again) == advice_on_composition(fronts["unlike"].front)


def test_points_within_populations_are_refined(fronts):
    """The same populations are found again from the cells."""
    model = fronts["unlike"]
    number = model.refine(preference=0.4, max_epochs=1, progress=False)
    assert number in model.front.numbers


def test_where_most_lack_a_counterpart_the_front_says_why_all_cells_were_mixed():
    labels, level = np.where(np.arange(100) < 60, -1, 0), np.arange(100) % 2
    decided = measure_composition(labels, level).to_plain()
    record = {"composition": decided, "objective_options": {"classifier": {"given": None}}}
    said = advice_on_composition(Front(metadata=record, objectives=["generative_loss", "classifier"]))
    assert "60 % of the cells have no counterpart" in said
    assert "may hide counterparts, so all cells were mixed" in said
