from __future__ import annotations

import random

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from scpareto.model import ParetoVI

OBJECTIVES = ("generative_loss", "mine")


def same_state(a, b):
    return a.keys() == b.keys() and all(a[key].equal(b[key]) for key in a)


def same_front(a, b):
    pd.testing.assert_frame_equal(a.to_dataframe(), b.to_dataframe(), check_exact=True)
    assert a.states.keys() == b.states.keys()
    assert all(same_state(a.states[number], b.states[number]) for number in a.states)
    assert repr(a.metadata["history"]) == repr(b.metadata["history"])  # floats print with all their digits


def generative_inputs(model):
    tensors = next(iter(model._make_data_loader(adata=model.adata)))
    inference = model.module.inference(**model.module._get_inference_input(tensors))
    return model.module._get_generative_input(tensors, inference)


def test_the_table_has_the_promised_columns(trained):
    table = trained.front.to_dataframe()
    losses = [f"{o}_{s}" for o in OBJECTIVES for s in ("train", "validation", "test")]
    judged = [f"{what}{end}" for what in ("batch_left", "structure_kept") for end in ("", "_low", "_high")]
    assert list(table.columns)[: 4 + len(losses) + len(judged) + 3] == [
        *("point", "kind", *(f"preference_{o}" for o in OBJECTIVES), *losses, *judged),
        *("alarm", "non_dominated", "seed"),
    ]
    numbers = table.select_dtypes("number")
    assert np.isfinite(numbers.to_numpy(dtype=float)).all()
    for column in ("batch_left", "structure_kept", "leakage_mean"):
        assert (table[f"{column}_low"] <= table[f"{column}_high"]).all()
    assert {"batch_left_in_sample", "structure_kept_in_sample", "information", "graph_mixing"} <= set(table)


def test_points_go_from_uncorrected_to_strongest(trained):
    table = trained.front.to_dataframe()
    assert table["point"].tolist() == [0, 1, 2, 3]
    assert table["kind"].tolist() == ["extreme", "candidate", "candidate", "extreme"]
    np.testing.assert_allclose(table["preference_mine"], [0, 0.3, 0.7, 1])
    np.testing.assert_allclose(table["preference_generative_loss"], [1, 0.7, 0.3, 0])
    assert trained.front.missing == []
    assert (trained.front.method, trained.front.objectives) == ("pareto_mtl", list(OBJECTIVES))
    assert trained.front.metadata["objective"] == ["mine"]


def test_the_split_is_one_for_all_points_and_stratified(trained):
    parts = [getattr(trained, f"{name}_indices_") for name in ("train", "validation", "test")]
    assert sorted(np.concatenate(parts)) == list(range(240))
    assert [len(part) for part in parts] == [168, 24, 48]
    batch = trained.adata.obs["batch"].to_numpy()
    assert [int((batch[part] == "batch_0").sum()) for part in parts] == [84, 12, 24]
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        assert trained.front.metadata["indices"][name].tolist() == part.tolist()


def test_the_recommended_point_is_selected_after_training(trained):
    assert trained.selected == trained.front.recommended
    assert same_state(trained.module.state_dict(), trained.front.resolve(trained.front.recommended).state)
    assert not trained.module.training
    record = trained.adata.uns["scpareto"]["paretovi"]
    assert record["selected"] == record["recommended"] == trained.selected


def test_the_record_survives_h5ad_where_a_point_has_no_words(own, tmp_path):
    own.front.update(1, {"structure_lost_most": None})
    own.select(0)
    own.adata.write_h5ad(tmp_path / "cells.h5ad")
    before = own.adata.uns["scpareto"]["paretovi"]["front"]
    after = anndata.read_h5ad(tmp_path / "cells.h5ad").uns["scpareto"]["paretovi"]["front"]
    assert after["structure_lost_most"][1] == ""
    for column in before:
        assert after[column].tolist() == before[column].tolist(), column


@pytest.mark.parametrize(
    ("given", "number"),
    [
        *(({"which": 0}, 0), ({"which": 3}, 3), ({"which": np.int64(2)}, 2)),
        *(({"preference": 0.0}, 0), ({"preference": 1.0}, 3), ({"preference": 1}, 3), ({"preference": 0.31}, 1)),
        *(({"preference": [0.3, 0.7]}, 2), ({"preference": np.array([0.7, 0.3])}, 1)),
    ],
)
def test_select_loads_exactly_the_stored_weights(own, given, number):
    assert own.select(**given) == number
    assert own.selected == number
    assert same_state(own.module.state_dict(), own.front.states[number])
    assert own.adata.uns["scpareto"]["paretovi"]["selected"] == number


def test_select_by_limit_takes_the_least_corrected_point(own):
    table = own.front.to_dataframe()
    limit = float(table["batch_left"].median())
    allowed = table[table["batch_left"] <= limit]
    assert own.select({"batch_left": limit}, allow_alarm=True) == allowed["point"].min()
    kept = float(table["structure_kept"].median())
    enough = table[table["structure_kept"] >= kept]
    assert own.select({"structure_kept": kept}, allow_alarm=True) == enough["point"].min()
    assert own.select("knee") == own.front.find("knee")


def test_points_give_different_codes_and_come_back(own):
    codes = []
    for number in (0, 1, 2, 3, 0):
        own.select(number)
        codes.append(own.get_latent_representation())
    np.testing.assert_array_equal(codes[0], codes[4])
    for i in range(4):
        assert codes[i].shape == (240, 10)
        assert all(np.abs(codes[i] - codes[j]).max() > 1e-3 for j in range(i))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"which": 9}, ValueError),
        ({"which": 1.0}, TypeError),
        ({"which": [0.3, 0.7]}, TypeError),
        ({"preference": 1.5}, ValueError),
        ({"preference": "knee"}, TypeError),
        ({"which": "elbow"}, ValueError),
        ({"which": True}, TypeError),
        ({"which": {"leakage_mean": -9.0}}, ValueError),
        ({"batch_left": 900.0}, ValueError),
        ({"batch_left": 5, "preference": 0.3}, TypeError),
        ({"which": 1, "preference": 0.3}, TypeError),
        ({}, TypeError),
    ],
)
def test_a_refused_selection_changes_nothing(own, given, error):
    before, codes = own.selected, own.get_latent_representation()
    with pytest.raises(error):
        own.select(**given)
    assert own.selected == before
    np.testing.assert_array_equal(own.get_latent_representation(), codes)


def test_before_training_there_is_nothing(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated)
    assert (model.front, model.front_, model.selected, model.history) == (None, None, None, None)
    with pytest.raises(RuntimeError, match=r"no front yet. Call train\(\)"):
        model.select("knee")
    assert "scpareto" not in simulated.uns


def test_history_is_that_of_the_selected_point(own):
    lengths = {}
    for number in own.front.numbers:
        own.select(number)
        history = own.history
        assert {"generative_loss_train", "mine_train", "generative_loss_validation"} <= history.keys()
        for name, frame in history.items():
            assert list(frame.columns) == [name]
            assert frame.index.name == "epoch"
            stored = own.front.metadata["history"][f"point_{number}"].get(name)
            if stored is not None and name != "epoch":
                np.testing.assert_array_equal(frame[name].to_numpy()[2:], stored)
        np.testing.assert_array_equal(history["epoch"]["epoch"], np.arange(len(frame)))
        for part in ("train", "validation"):
            start = own.front.metadata["history"]["pretraining"][f"generative_loss_{part}"]
            np.testing.assert_array_equal(history[f"elbo_{part}"][f"elbo_{part}"][:2], start)
        lengths[number] = len(frame)
    assert lengths[0] == 2 + 2, "the shared start, then the point"
    assert lengths[3] == 2 + 4, "the strongest extreme is followed by a refit of the decoder"


def test_equal_seeds_give_equal_bits_and_others_do_not(trained, fit_model):
    twin = fit_model(seed=0)
    same_front(twin.front, trained.front)
    assert twin.selected == trained.selected
    assert twin.get_latent_representation().tobytes() == trained.get_latent_representation().tobytes()
    other = fit_model(seed=1)
    assert not same_state(other.front.state(0), trained.front.state(0))
    assert other.front.table["generative_loss_test"].tolist() != trained.front.table["generative_loss_test"].tolist()
    assert other.front.metadata["seed"] == 1
    assert set(other.front.table["seed"]) == {1}


def test_every_training_is_in_training_mode(fit_model):
    """Lightning keeps the mode that it finds: after the first training that would be evaluation."""
    modes = []

    class Note(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            modes.append((pl_module.module.decoder.training, pl_module.objectives.training))

    model = fit_model(max_epochs=2, max_epochs_pretrain=1, method="scalarization", callbacks=[Note()])
    assert modes == [(True, True)] * 6, "shared start, two extremes, a refit, two candidates"
    assert not model.module.training


def test_training_again_starts_where_the_first_training_started(own, trained, training, simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated, seed=0)
    start = {key: value.clone() for key, value in model.module.state_dict().items()}
    model.train(**training | {"max_epochs": 3})
    assert len(model.front.metadata["history"]["point_0"]["epoch"]) == 1
    model.train(**training)
    same_front(model.front, trained.front)
    assert same_state(model._initial_state, start)


def test_training_leaves_random_states_and_counts_alone(simulated, fit_model):
    torch.manual_seed(11)
    np.random.seed(12)  # noqa: NPY002
    random.seed(13)
    states = torch.get_rng_state().clone(), np.random.get_state()[1].tobytes(), random.getstate()  # noqa: NPY002
    counts = {name: getattr(simulated.X, name).tobytes() for name in ("data", "indices", "indptr")}
    dtype, layer = simulated.X.dtype, simulated.layers["counts"].data.tobytes()
    fit_model(adata=simulated, setup={"layer": "counts"}, max_epochs=2, max_epochs_pretrain=1)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tobytes() == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]
    assert {name: getattr(simulated.X, name).tobytes() for name in counts} == counts
    assert simulated.layers["counts"].data.tobytes() == layer
    assert simulated.X.dtype == dtype
    assert set(simulated.obsm) == set(), "codes are written by the user"


def test_the_record_survives_h5ad(own, tmp_path):
    own.select(2)
    own.adata.write_h5ad(tmp_path / "adata.h5ad")
    record = anndata.read_h5ad(tmp_path / "adata.h5ad").uns["scpareto"]["paretovi"]
    assert record["method"] == "pareto_mtl"
    assert record["objective"] == "mine"
    assert record["selected"] == 2
    table = own.front.to_dataframe()
    for column in table:
        assert record["front"][column].tolist() == table[column].tolist(), column


# Epochs in order: 2 of the shared start, 2 of point 0, 2 + 2 of point 3, then the candidates.
@pytest.mark.parametrize(("epoch", "finished"), [(3, []), (5, [0]), (9, [0, 3])])
def test_an_interrupted_run_keeps_what_is_finished_and_resumes_to_the_same_bits(
    simulated, make_adata, trained, training, interrupt_at, tmp_path, epoch, finished
):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated, seed=0)
    with pytest.raises(KeyboardInterrupt):
        model.train(**training, checkpoint_dir=tmp_path, callbacks=[interrupt_at(epoch)])
    if finished:
        assert model.front.numbers == finished
        assert model.front.missing == [number for number in range(4) if number not in finished]
        assert model.is_trained
        assert model.selected in finished
        assert same_state(model.front.state(0), trained.front.state(0))
        assert np.isfinite(model.get_latent_representation()).all()
        model.save(tmp_path / "model")
        assert ParetoVI.load(tmp_path / "model", make_adata()).front.missing == model.front.missing
    else:
        assert model.front is None
        assert not model.is_trained
    if epoch == 5:  # the same model
        again = model
    else:  # a new process
        again = ParetoVI(simulated, seed=0)
    again.train(**training, checkpoint_dir=tmp_path)
    same_front(again.front, trained.front)
    assert again.selected == trained.selected
    np.testing.assert_array_equal(again.get_latent_representation(), trained.get_latent_representation())


def test_a_checkpoint_of_another_run_is_refused_by_what_differs(simulated, training, tmp_path, interrupt_at):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    with pytest.raises(KeyboardInterrupt):
        ParetoVI(simulated, seed=0).train(**training, checkpoint_dir=tmp_path, callbacks=[interrupt_at(1)])
    with pytest.raises(ValueError, match="seed was 0, now 5"):
        ParetoVI(simulated, seed=5).train(**training, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="max_epochs was 4, now 5"):
        ParetoVI(simulated, seed=0).train(**training | {"max_epochs": 5}, checkpoint_dir=tmp_path)
    simulated.X.data[0] += 1
    with pytest.raises(ValueError, match="data was"):
        ParetoVI(simulated, seed=0).train(**training, checkpoint_dir=tmp_path)


def test_paper_preset_fixes_the_architecture(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    module = ParetoVI(simulated, preset="paper").module
    assert not module.use_observed_lib_size
    assert len(module.z_encoder.encoder.fc_layers) == len(module.l_encoder.encoder.fc_layers) == 2
    assert module.z_encoder.var_eps == module.l_encoder.var_eps == 0
    assert module.z_encoder.encoder.fc_layers[0][0].out_features == 128
    assert module.l_encoder.encoder.fc_layers[0][0].out_features == 128
    assert module.n_latent == 10
    assert all(parameter.requires_grad for parameter in module.l_encoder.parameters())
    ordinary = ParetoVI(simulated).module
    assert ordinary.use_observed_lib_size
    assert ordinary.z_encoder.var_eps == 1e-4
    for name, value in {
        "n_hidden": 64,
        "n_latent": 20,
        "n_layers": 1,
        "n_layers_library": 1,
        "dropout_rate": 0.2,
        "var_eps": 1e-4,
        "dispersion": "gene-batch",
        "gene_likelihood": "nb",
    }.items():
        with pytest.raises(ValueError, match=rf"preset='paper' fixes {name}=.* but {name}={value!r} was given"):
            ParetoVI(simulated, preset="paper", **{name: value})
    assert ParetoVI(simulated, preset="paper", n_hidden=128, n_layers_library=2).module.n_latent == 10


def test_paper_preset_trains_as_published_and_loads(fit_model, simulated, tmp_path):
    split = np.split(np.random.default_rng(0).permutation(simulated.n_obs), [200, 205])
    model = fit_model(adata=simulated, init={"preset": "paper"}, max_epochs=2, max_epochs_pretrain=1, split=split)
    for part, given in zip(("train", "validation", "test"), split, strict=True):
        np.testing.assert_array_equal(np.sort(getattr(model, f"{part}_indices_")), np.sort(given))
    recipe = model.front.metadata["recipe"]
    assert model.front.metadata["preset"] == "paper"
    assert (
        model.front.metadata["scaler"]["kind" if "kind" in model.front.metadata["scaler"] else "name"] == "trajectory"
    )
    assert (recipe["n_critic"], recipe["redraw"], recipe["early_stopping"]) == ("epoch", True, False)
    points = model.front.points()
    assert np.isfinite(points[:, 0]).all()
    # Two epochs are too few for the published critic: losses that nobody has measured are marked.
    np.testing.assert_array_equal(np.isnan(points[:, 1]), model.front.table["mine_dead"])
    model.save(tmp_path / "model")
    again = ParetoVI.load(tmp_path / "model", simulated.copy())
    assert again._preset == "paper"
    assert same_state(again.module.state_dict(), model.module.state_dict())


@pytest.mark.parametrize("likelihood", ["nb", "poisson"])
def test_other_likelihoods(fit_model, likelihood):
    model = fit_model(init={"gene_likelihood": likelihood}, max_epochs=2, max_epochs_pretrain=1, method="scalarization")
    assert len(model.front) == 4
    assert np.isfinite(model.front.points()).all()
    px = model.module.generative(**generative_inputs(model))["px"]
    assert type(px).__name__ == {"nb": "SparseNegativeBinomial", "poisson": "Poisson"}[likelihood]


@pytest.mark.parametrize("levels", [["a", "b", "c"], [10, 20, 30], [True, False]])
def test_a_categorical_nuisance_can_be_traded(simulated, fit_model, levels, tmp_path):
    rng = np.random.default_rng(0)
    simulated.obs["plate"] = pd.Categorical(rng.choice(levels, 240))
    model = fit_model(
        adata=simulated,
        setup={"nuisance_keys": ["plate"]},
        objective_kwargs={"target": "plate"},
        max_epochs=2,
        max_epochs_pretrain=1,
        method="scalarization",
    )
    assert model.front.metadata["target"] == "plate"
    assert len(model.front) == 4
    [injected] = {tuple(layer.n_cat_list) for layer in [model.module.decoder.px_decoder]}
    assert injected == (2,), "the decoder knows the batch and nothing else"
    model.save(tmp_path / "model")
    again = ParetoVI.load(tmp_path / "model", simulated.copy())
    np.testing.assert_array_equal(again.get_latent_representation(), model.get_latent_representation())


def test_a_nuisance_changes_nothing_unless_it_is_traded(simulated, trained, fit_model):
    simulated.obs["plate"] = np.where(np.arange(240) % 2, "a", "b")
    model = fit_model(adata=simulated, setup={"nuisance_keys": ["plate", "state"]})
    assert same_state(model.front.state(2), trained.front.state(2))
    pd.testing.assert_frame_equal(model.front.table, trained.front.table)


def test_one_batch_is_enough_if_another_nuisance_is_traded(simulated, training):
    simulated.obs["batch"] = "only"
    simulated.obs["plate"] = np.where(np.arange(240) % 2, "a", "b")
    ParetoVI.setup_anndata(simulated, batch_key="batch", nuisance_keys="plate")
    with pytest.raises(ValueError, match="target='batch' has one level only"):
        ParetoVI(simulated).train(**training)


def test_a_classifier_refuses_a_continuous_nuisance(simulated, training):
    ParetoVI.setup_anndata(simulated, batch_key="batch", nuisance_keys=["state"])
    model = ParetoVI(simulated)
    with pytest.raises(ValueError, match="target='state' is continuous; objective 'classifier' takes categorical"):
        model.train(**training | {"objective": "classifier"}, objective_kwargs={"target": "state"})
    assert not model.is_trained


def test_expression_and_elbo_are_those_of_the_selected_point(own):
    loss = own.front.table.set_index("point")["generative_loss_test"]
    expression = {}
    for number in (0, 3):
        own.select(number)
        elbo = float(own.get_elbo(indices=own.test_indices_))
        assert abs(elbo) == pytest.approx(loss[number], rel=0.03), "one draw of the codes each"
        frame = own.get_normalized_expression()
        np.testing.assert_allclose(frame.sum(axis=1), 1, rtol=1e-4)
        expression[number] = frame.to_numpy()
    assert np.abs(expression[0] - expression[3]).max() > 1e-4


def test_expression_can_be_moved_to_a_batch(own):
    torch.manual_seed(0)
    moved = {batch: own.get_normalized_expression(transform_batch=batch).to_numpy() for batch in ("batch_0", "batch_1")}
    assert np.abs(moved["batch_0"] - moved["batch_1"]).max() > 1e-3
    torch.manual_seed(0)
    plain = own.get_normalized_expression().to_numpy()
    kept = (own.adata.obs["batch"] == "batch_0").to_numpy()
    np.testing.assert_allclose(plain[kept], moved["batch_0"][kept], rtol=1e-5)
    with pytest.raises(ValueError, match="not a valid batch"):
        own.get_normalized_expression(transform_batch="batch_9")


def test_differential_expression_compares_every_type(own):
    result = own.differential_expression(groupby="cell_type", silent=True)
    assert len(result) == 3 * 60
    assert np.isfinite(result["bayes_factor"]).all()
    corrected = own.differential_expression(
        groupby="cell_type", group1="type_0", group2="type_1", batch_correction=True, silent=True
    )
    assert set(corrected.index) == set(own.adata.var_names)


def test_minified_data_hold_one_point(own, simulated, training):
    point = own.select(1)
    codes = own.get_latent_representation()
    mean, variance = own.get_latent_representation(return_dist=True)
    own.adata.obsm["mean"], own.adata.obsm["variance"] = mean, variance
    own.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
    assert own.adata.X.nnz == 0
    np.testing.assert_allclose(own.get_latent_representation(), codes)
    assert own.select(point) == point
    with pytest.raises(ValueError, match="minified with the codes of point 1; point 2 needs the counts.*full AnnData"):
        own.select(2)
    with pytest.raises(ValueError, match="no counts to train on"):
        own.train(**training)
    np.testing.assert_allclose(own.get_normalized_expression().sum(axis=1), 1, rtol=1e-4)


def test_query_models_start_without_the_front(trained, make_adata, saved, training):
    query = make_adata()
    query.obs["batch"] = np.where(np.arange(240) % 2, "batch_0", "new")
    for reference in (trained, saved, str(saved)):
        model = ParetoVI.load_query_data(query.copy(), reference)
        assert (model.front, model.front_, model.selected, model.history) == (None, None, None, None)
        assert not model.is_trained
        assert model.summary_stats.n_batch == 3
        assert model.train_indices_ is None, "indices of reference cells mean nothing here"
        weight = model.module.z_encoder.encoder.fc_layers[1][0].weight
        assert weight.equal(trained.module.z_encoder.encoder.fc_layers[1][0].weight)
        with pytest.raises(RuntimeError, match="no front yet"):
            model.select(0)
    assert trained.front is not None, "the reference keeps its own"
    model.train(**training | {"max_epochs": 2, "max_epochs_pretrain": 1, "method": "scalarization"})
    assert len(model.front) == 4


def test_audit_adds_labels_and_controls_and_leaves_the_model_as_it_was(own):
    before = own.front.to_dataframe()
    codes, selected = own.get_latent_representation(), own.selected
    table = own.audit("cell_type", control_genes="gene_1", scib=False, n_bootstrap=5, progress=False)
    assert {"nmi", "ari", "uca", "silhouette"} <= set(table)
    assert {"leakage_sample", "nn_mean", "batch_entropy", "retention"} <= set(table) - set(before)
    assert len(table) == len(before)
    for column in ("batch_left", "structure_kept", "generative_loss_test"):
        assert table[column].tolist() == before[column].tolist(), "equal codes, equal numbers"
    assert own.selected == selected
    np.testing.assert_array_equal(own.get_latent_representation(), codes)
    assert "nmi" in own.adata.uns["scpareto"]["paretovi"]["front"]
    again = own.audit("cell_type", control_genes="gene_1", scib=False, n_bootstrap=5, progress=False)
    pd.testing.assert_frame_equal(table, again)
    assert own.select("auto") == own.front.find("auto")
    assert own.front.explain().startswith(f"Point {own.selected} of 4:")


def test_audit_refuses_what_is_not_there(own):
    with pytest.raises(KeyError, match="labels_key='type' is not in adata.obs"):
        own.audit("type")
    with pytest.raises(KeyError, match="'XIST' is not among the 60 genes"):
        own.audit(control_genes=["XIST"])
    own._front = None
    with pytest.raises(RuntimeError, match="no front yet"):
        own.audit()


def test_the_front_has_an_alarm_after_training(trained):
    table = trained.front.to_dataframe()
    assert table["alarm"].isin([0, 1]).all()
    assert ((table["structure_lost"] > 0) == (table["alarm"] == 1)).all()
    assert table["structure_lost"][0] == 0
