"""A saved model and its held-out cells: reordered data, parts of them, and other cells."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from scpareto._scvi_compat import SAVE_KEYS
from scpareto.model import BetaTCVAE, ParetoVI, ScInfoVAE

ORDER = np.random.default_rng(1).permutation(240)
QUIET = {"progress": False, "accelerator": "cpu"}


def parts(model, names=("train", "validation", "test")):
    found = {name: getattr(model, f"{name}_indices") for name in names}
    return {name: set(model.adata.obs_names[np.asarray(rows)]) for name, rows in found.items() if rows is not None}


def test_rows_of_a_loaded_model_follow_the_names_of_its_cells(saved, trained, simulated):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = ParetoVI.load(saved, simulated[ORDER].copy())
    assert parts(model) == parts(trained)


def test_rows_of_some_of_the_cells_are_theirs_and_it_is_said(saved, trained, simulated):
    some = simulated[ORDER[:60]].copy()
    with pytest.warns(UserWarning, match="60 of the 240 cells that the model was trained on"):
        model = ParetoVI.load(saved, some)
    assert parts(model) == {name: cells & set(some.obs_names) for name, cells in parts(trained).items()}
    for call in (lambda: model.refine(1, max_epochs=1, **QUIET), lambda: model.audit(n_bootstrap=2, progress=False)):
        with pytest.raises(ValueError, match="Cells differ: 180 of 240 cells of The training are not in adata"):
            call()


def test_a_point_is_refined_and_judged_on_the_same_cells_in_another_order(saved, simulated):
    in_order, reordered = ParetoVI.load(saved, simulated), ParetoVI.load(saved, simulated[ORDER].copy())
    one, other = (model.audit(n_bootstrap=2, progress=False) for model in (in_order, reordered))
    np.testing.assert_allclose(other["generative_loss_test"], one["generative_loss_test"], rtol=1e-4)
    assert reordered.refine(1, max_epochs=1, **QUIET) == 1


def test_data_that_take_the_place_of_others_bring_their_rows(saved, trained, simulated):
    model = ParetoVI.load(saved, simulated)
    model.adata = simulated[ORDER].copy()
    assert parts(model) == parts(trained)


@pytest.mark.filterwarnings("ignore:adata holds")
def test_nothing_is_lost_when_a_model_is_saved_with_some_of_its_cells(saved, trained, simulated, tmp_path):
    ParetoVI.load(saved, simulated[ORDER[:60]].copy()).save(tmp_path / "again")
    assert parts(ParetoVI.load(tmp_path / "again", simulated)) == parts(trained)


def test_a_model_that_was_saved_without_names_loads_as_before(saved, trained, simulated, tmp_path):
    content = torch.load(saved / "model.pt", weights_only=True)
    del content[SAVE_KEYS.ATTR_DICT_KEY]["front_"]["metadata"]["cell_names"]
    del content[SAVE_KEYS.ATTR_DICT_KEY]["trained_cells_"]
    torch.save(content, tmp_path / "model.pt")
    model = ParetoVI.load(tmp_path, simulated)
    assert parts(model) == parts(trained)
    few = ParetoVI.load(tmp_path, simulated[:50].copy())
    with pytest.raises(ValueError, match="adata has 50 cells, and the model was trained on 240 or more"):
        few.refine(1, max_epochs=1, **QUIET)


def test_models_without_a_front_keep_names_too(simulated, tmp_path):
    info, beta = simulated.copy(), simulated.copy()
    ScInfoVAE.setup_anndata(info)
    BetaTCVAE.setup_anndata(beta)
    models = [
        ScInfoVAE(info, n_clusters=3, n_hidden=[16], seed=0),
        BetaTCVAE(beta, gene_likelihood="nb", n_hidden=[16], seed=0),
    ]
    models[0].train(1, 1, **QUIET)
    models[1].train(1, **QUIET)
    for model in models:
        folder = tmp_path / type(model).__name__
        model.save(folder)
        loaded = type(model).load(folder, simulated[ORDER].copy())
        assert parts(loaded, ("train", "validation")) == parts(model, ("train", "validation"))


def test_query_data_have_no_held_out_cells_of_the_reference(saved, simulated):
    query = simulated[:60].copy()
    query.obs["batch"] = "new"
    model = ParetoVI.load_query_data(query, saved)
    assert model.trained_cells_ is None
    assert model.test_indices is None


@pytest.mark.parametrize("how", ["masks", "names"])
def test_a_split_is_given_by_masks_or_names(simulated, training, how):
    place = np.arange(240) % 10
    masks = [place < 7, place == 7, place > 7]
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated, n_hidden=8)
    given = masks if how == "masks" else [list(simulated.obs_names[mask]) for mask in masks]
    model.train(**training | {"max_epochs": 3, "split": given})
    np.testing.assert_array_equal(model.test_indices, np.flatnonzero(masks[2]))


@pytest.mark.parametrize(
    ("part", "said"),
    [([0.5, 1.5], "a part holds float64"), (["nobody"], "'nobody' is not the name of one cell"), ([[1]], "shape")],
)
def test_a_split_that_names_no_cells_is_refused(simulated, training, part, said):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated, n_hidden=8)
    with pytest.raises(ValueError, match=f"split: .*{said}"):
        model.train(**training | {"split": [part, [2], [3]]})


def test_renamed_cells_are_refused_with_the_way_on(saved, trained, simulated):
    renamed = simulated.copy()
    renamed.obs_names = [f"{name}-1" for name in renamed.obs_names]
    with pytest.warns(UserWarning, match="of the 240 cells that the model was trained on"):
        model = ParetoVI.load(saved, renamed)
    with pytest.raises(ValueError, match=r"under new names, .*: adata\.obs_names = front\.metadata") as refused:
        model.audit(n_bootstrap=2, progress=False)
    # What the message says, and nothing else.
    exec(str(refused.value).split(": ")[-1], {"adata": renamed, "front": model.front})
    model.adata = renamed
    assert parts(model) == parts(trained)
    assert len(model.audit(n_bootstrap=2, progress=False)) == len(model.front)


def test_cells_of_which_some_have_other_names_are_told_no_way_on(saved, simulated):
    other = simulated.copy()
    other.obs_names = ["new", *other.obs_names[1:]]
    with pytest.warns(UserWarning, match="cells that the model was trained on"):
        model = ParetoVI.load(saved, other)
    with pytest.raises(ValueError, match="Cells are known by their obs_names.$"):
        model.audit(n_bootstrap=2, progress=False)
