"""Where a model is on its front: for good by ``select``, for a block by ``at``; places are told from points."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import scpareto as sp
from scpareto.model import ParetoVI, ScInfoVAE

PLACES = ({"which": 0}, {"which": "knee"}, {"preference": 0.8}, {"preference": [0.2, 0.8]})


@pytest.fixture
def along(conditional, tmp_path, make_adata):
    """Return a model of its own with one training for all preferences, in point 1."""
    conditional.save(tmp_path / "along")
    model = ParetoVI.load(tmp_path / "along", make_adata())
    model.select(1)
    return model


def standing(model):
    """What must be the same after a block as before it."""
    record = model.adata.uns["scpareto"]["paretovi"]
    return {
        "selected": model.selected,
        "preference": model.preference.tolist(),
        "noted": (record["selected"], record["preference"].tolist()),
        "weights": {name: value.numpy().tobytes() for name, value in model.module.state_dict().items()},
        "training": model.module.training,
    }


@pytest.mark.parametrize("given", PLACES, ids=str)
def test_getters_in_a_block_equal_those_of_the_selected_place(along, given):
    def look(model):
        torch.manual_seed(0)
        codes = model.get_latent_representation()
        return codes, model.get_normalized_expression(indices=np.arange(40)).to_numpy(), model.get_elbo(), model.history

    before = standing(along)
    with along.at(**given) as model:
        assert model is along
        found, number, preference = look(model), model.selected, model.preference
    assert standing(along) == before
    assert along.select(**given) == number
    np.testing.assert_array_equal(preference, along.preference)
    expected = look(along)
    for here, there in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(here, there)
    assert found[3].keys() == expected[3].keys()


def test_a_block_leaves_no_trace_after_an_error(along):
    before, record = standing(along), along.adata.uns["scpareto"]["paretovi"]
    seen = []

    def fail():
        with along.at(preference=0.9):
            seen.append(along.preference.tolist())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    np.testing.assert_allclose(seen, [[0.1, 0.9]])
    assert standing(along) == before
    assert along.adata.uns["scpareto"]["paretovi"] is record


def test_blocks_are_nested(along):
    before = standing(along)
    with along.at(0):
        outer = standing(along)["weights"]
        with along.at(preference=0.9), pytest.raises(KeyError):
            with along.at("knee"):
                raise KeyError
        assert along.selected == 0
        assert standing(along)["weights"] == outer
        along.get_latent_representation(preference=0.3)
        assert standing(along)["weights"] == outer
    assert standing(along) == before


def test_what_is_selected_or_audited_in_a_block_is_not_noted_after_it(along):
    before = standing(along)
    with along.at(0):
        along.select(2)
        assert along.adata.uns["scpareto"]["paretovi"]["selected"] == 2
    assert standing(along) == before
    with along.at(0):
        along.audit("cell_type", scib=False, n_bootstrap=5, progress=False)
    assert standing(along) == before
    assert "nmi" in along.adata.uns["scpareto"]["paretovi"]["front"]


def test_a_model_that_is_trained_in_a_block_stays_trained(along, training):
    with along.at(0):
        along.refine(1, max_epochs=1, progress=False)
    assert along.selected == 1
    assert along.front.states.keys() == {1}
    assert all(torch.equal(v.cpu(), along.front.states[1][k]) for k, v in along.module.state_dict().items())
    front = along.front
    with along.at(0):
        along.train(**training)
    assert along.front is not front
    assert along.selected == along.front.recommended


def test_a_model_saved_in_a_block_is_at_its_place(along, tmp_path, make_adata):
    with along.at(preference=0.9):
        along.save(tmp_path / "there")
        codes = along.get_latent_representation()
    loaded = ParetoVI.load(tmp_path / "there", make_adata())
    assert loaded.preference.tolist() == pytest.approx([0.1, 0.9])
    np.testing.assert_array_equal(loaded.get_latent_representation(), codes)


def test_codes_take_places_only(along):
    before = standing(along)
    strongest = along.get_latent_representation(preference=1)
    with along.at(along.front.numbers[-1]):
        np.testing.assert_array_equal(strongest, along.get_latent_representation())
    for given, message in (("knee", "is no place"), ({"leakage_mean": 1.0}, "is no place"), (True, "is no place")):
        with pytest.raises(TypeError, match=message):
            along.get_latent_representation(preference=given)
    with pytest.raises(ValueError, match=r"Point 2 is select\(2\)"):
        along.get_latent_representation(preference=2)
    assert standing(along) == before


@pytest.mark.parametrize("which", [0.37, 1.0, np.float32(0.5), np.array(0.37), [0.6, 0.4], torch.tensor([0.6, 0.4])])
def test_every_door_names_the_keyword_for_a_place(along, which):
    before = standing(along)
    doors = (
        along.select,
        lambda w: along.at(w).__enter__(),
        along.refine,
        lambda w: sp.apply_point(along, along.front, w),
    )
    for door in doors:
        with pytest.raises(TypeError, match=r"which=.* as in select\(preference="):
            door(which)
    assert standing(along) == before


def test_before_training_no_place_can_be_taken(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated)
    with pytest.raises(RuntimeError, match="no front yet"), model.at(0):
        pass


def test_minified_data_hold_the_codes_of_one_place(along):
    along.select(preference=0.37)
    codes = along.get_latent_representation()
    along.adata.obsm["mean"], along.adata.obsm["variance"] = along.get_latent_representation(return_dist=True)
    along.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
    with along.at(preference=0.37):
        np.testing.assert_allclose(along.get_latent_representation(), codes)
    for given, words in (
        ({"which": 0}, "point 0"),
        ({"preference": 0.38}, "preference 0.38"),
        ({"which": 1}, "point 1"),
    ):
        with pytest.raises(
            ValueError, match=rf"minified with the codes of preference \[0.63, 0.37\]; {words} needs the counts"
        ):
            along.select(**given)
        with pytest.raises(ValueError, match="needs the counts"), along.at(**given):
            pass


def test_minifying_in_a_block_keeps_the_place_whose_codes_are_held(along):
    with along.at(0):
        along.adata.obsm["mean"], along.adata.obsm["variance"] = along.get_latent_representation(return_dist=True)
        codes = along.get_latent_representation()
        along.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
    assert along.selected == along.adata.uns["scpareto"]["paretovi"]["selected"] == 0
    np.testing.assert_allclose(along.get_latent_representation(), codes)


def test_clusters_are_those_of_the_place(make_adata):
    ScInfoVAE.setup_anndata(adata := make_adata(), batch_key="batch")
    model = ScInfoVAE(adata, n_hidden=[16], n_latent=4, n_clusters=3, seed=0)
    model.train(2, 1, progress=False, accelerator="cpu")
    with pytest.raises(RuntimeError, match="no front. Learn one"), model.at(0):
        pass
    short = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
    epochs = {"max_epochs": 4, "max_epochs_pretrain": 2}
    front = sp.fit_front(model, "mmd", "scalarization", 4, plan_kwargs=short, seed=0, progress=False, **epochs)
    model.select(0)
    here, record = model.predict(), adata.uns["scpareto"]["scinfovae"]
    with model.at(front.numbers[-1]):
        there = model.predict()
    assert adata.uns["scpareto"]["scinfovae"] is record
    assert model.predict().tolist() == here.tolist()
    model.select(front.numbers[-1])
    pd.testing.assert_series_equal(pd.Series(model.predict()), pd.Series(there))


def test_the_embedding_of_the_selected_point_is_written(along):
    along.select(2, key_added="X_paretovi")
    np.testing.assert_array_equal(along.adata.obsm["X_paretovi"], along.get_latent_representation())
    facts = along.adata.uns["scpareto"]["embeddings"]["X_paretovi"]
    assert (facts["point"], facts["model"]) == (2, "paretovi")
    assert facts["recommended"] == (along.front.recommended == 2)
    along.select(0)
    assert along.adata.uns["scpareto"]["embeddings"]["X_paretovi"]["point"] == 2
    for bad, error in (("a/b", ValueError), (3, TypeError)):
        with pytest.raises(error, match="key_added"):
            along.select(1, key_added=bad)
    assert along.selected == 0


def test_a_model_says_what_it_is_and_where(along, simulated):
    told = repr(along)
    assert told.startswith("ParetoVI: 240 cells, 60 genes, 2 batches, 10 latent dimensions\n  Front of ")
    assert "selected: point 1" in told or "selected and recommended: point 1" in told
    assert f"recommended: point {along.front.recommended}" in told
    assert "over-correction alarm: " in told
    assert "False" not in told
    assert along.front.selected == 1
    assert "selected" in along.front._repr_html_()
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    assert repr(ParetoVI(simulated)).endswith("not trained yet")
