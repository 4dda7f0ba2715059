"""A saved model is the whole model, and opening one runs no code."""

from __future__ import annotations

import os
import pickle
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from scvi.model import SCVI
from scvi.model.base import BaseModelClass

from scpareto.model import BetaTCVAE, MichiGAN, ParetoVI, ScInfoVAE


def assert_same(a, b, where="front"):
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        assert a.numpy().tobytes() == b.numpy().tobytes(), where
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (left, right) in enumerate(zip(a, b, strict=True)):
            assert_same(left, right, f"{where}[{i}]")
    else:
        assert a == b or (a != a and b != b), where


def rewritten(saved, folder, change):
    content = torch.load(saved / "model.pt", weights_only=True)
    change(content)
    folder.mkdir()
    torch.save(content, folder / "model.pt")
    return folder


def stock_load(folder, adata):
    """Load as scvi-tools does, without our door."""
    return BaseModelClass.load.__func__(ParetoVI, str(folder), adata)


@pytest.mark.parametrize("load", [ParetoVI.load, stock_load], ids=["ours", "stock"])
def test_everything_comes_back(trained, saved, make_adata, load):
    model = load(saved, make_adata())
    assert_same(model.front.to_plain(), trained.front.to_plain())
    pd.testing.assert_frame_equal(model.front.to_dataframe(), trained.front.to_dataframe(), check_exact=True)
    assert (model.selected, model.is_trained, model.seed) == (trained.selected, True, trained.seed)
    state = trained.module.state_dict()
    assert model.module.state_dict().keys() == state.keys()
    assert all(value.equal(state[key]) for key, value in model.module.state_dict().items())
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(model, f"{name}_indices_"), getattr(trained, f"{name}_indices_"))
    codes = trained.get_latent_representation()
    assert model.get_latent_representation().tobytes() == codes.tobytes()
    assert model.history.keys() == trained.history.keys()
    for name, frame in trained.history.items():
        pd.testing.assert_frame_equal(model.history[name], frame, check_exact=True)
    for number in trained.front.numbers:
        model.select(number)
        assert all(value.equal(trained.front.states[number][k]) for k, value in model.module.state_dict().items())


def test_a_second_save_is_the_same_again(own, trained, tmp_path, make_adata):
    own.save(tmp_path / "again")
    model = ParetoVI.load(tmp_path / "again", make_adata())
    assert_same(model.front.to_plain(), trained.front.to_plain())
    assert model.init_params_ == trained.init_params_


def test_the_selection_at_saving_is_the_selection_after_loading(own, tmp_path, make_adata):
    for number in (0, 3):
        own.select(number)
        own.save(tmp_path / "model", overwrite=True)
        adata = make_adata()
        model = ParetoVI.load(tmp_path / "model", adata)
        assert model.selected == number
        assert adata.uns["scpareto"]["paretovi"]["selected"] == number
        np.testing.assert_array_equal(model.get_latent_representation(), own.get_latent_representation())


def test_loading_without_data(saved, trained):
    model = ParetoVI.load(saved, adata=False)
    assert_same(model.front.to_plain(), trained.front.to_plain())
    assert model.select(0) == 0
    assert all(value.equal(trained.front.states[0][key]) for key, value in model.module.state_dict().items())


def test_data_saved_with_the_model_come_with_it(own, trained, tmp_path):
    own.save(tmp_path / "model", prefix="a_", save_anndata=True)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["a_adata.h5ad", "a_model.pt"]
    model = ParetoVI.load(tmp_path / "model", prefix="a_")
    np.testing.assert_array_equal(model.get_latent_representation(), trained.get_latent_representation())
    assert model.adata.uns["scpareto"]["paretovi"]["selected"] == trained.selected


def test_minified_data_come_with_the_model(own, tmp_path):
    own.select(2)
    own.adata.obsm["mean"], own.adata.obsm["variance"] = own.get_latent_representation(return_dist=True)
    own.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
    own.save(tmp_path / "model", save_anndata=True)
    model = ParetoVI.load(tmp_path / "model")
    np.testing.assert_array_equal(model.get_latent_representation(), own.get_latent_representation())
    with pytest.raises(ValueError, match="minified with the codes of point 2"):
        model.select(0)


def test_an_untrained_model_comes_back_untrained(simulated, tmp_path, make_adata):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated, n_latent=4, gene_likelihood="nb", seed=7)
    model.save(tmp_path / "model")
    again = ParetoVI.load(tmp_path / "model", make_adata())
    assert (again.front, again.selected, again.is_trained, again.seed) == (None, None, False, 7)
    assert (again.module.n_latent, again.module.gene_likelihood) == (4, "nb")


def test_every_kind_of_key_survives(simulated, tmp_path):
    """Registries hold arrays of strings, whole numbers and truth values."""
    n = np.arange(240)
    simulated.obs["batch"] = pd.Categorical(n % 2)
    simulated.obs["flag"] = n % 3 == 0
    simulated.obs["year"] = pd.Categorical(2020 + n % 2)
    ParetoVI.setup_anndata(
        simulated,
        batch_key="batch",
        labels_key="cell_type",
        categorical_covariate_keys=["flag", "year"],
        continuous_covariate_keys=["state"],
        nuisance_keys=["year", "library_size"],
    )
    model = ParetoVI(simulated, seed=0)
    model.save(tmp_path / "model")
    fresh = simulated[:, :].copy()
    fresh.obs = fresh.obs[["batch", "flag", "year", "state", "cell_type", "library_size"]].copy()
    again = ParetoVI.load(tmp_path / "model", fresh)
    for field in ("batch", "labels", "nuisance_categorical", "extra_categorical_covs"):
        before, after = (dict(m.adata_manager.get_state_registry(field)) for m in (model, again))
        assert str({k: np.asarray(v).tolist() for k, v in before.items() if k != "mappings"}) == str(
            {k: np.asarray(v).tolist() for k, v in after.items() if k != "mappings"}
        )
    assert again.summary_stats == model.summary_stats


def test_the_file_holds_tensors_and_plain_types(saved):
    assert [path.name for path in saved.iterdir()] == ["model.pt"]
    content = torch.load(saved / "model.pt", weights_only=True)
    assert content["scpareto"]["format_version"] == 1
    assert content["scpareto"]["model"] == "ParetoVI"


def test_a_folder_is_not_overwritten_by_accident(own, saved):
    before = (saved / "model.pt").read_bytes()
    with pytest.raises(ValueError, match="already exists"):
        own.save(saved)
    assert (saved / "model.pt").read_bytes() == before


class RunsCommand:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


class WritesFile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.fixture(scope="module")
def saved_by(make_adata, tmp_path_factory):
    """Return a function from a model class to the folder of an untrained model of it."""
    folders = {}

    def folder_of(cls):
        if cls not in folders:
            cls.setup_anndata(adata := coded(make_adata()), **SETUP[cls])
            folders[cls] = tmp_path_factory.mktemp(cls.__name__) / "model"
            cls(adata, **BUILD[cls]).save(folders[cls])
        return folders[cls]

    return folder_of


def coded(adata):
    adata.obsm["codes"] = np.zeros((adata.n_obs, 3), dtype=np.float32)
    return adata


SETUP = {ParetoVI: {"batch_key": "batch"}, ScInfoVAE: {}, BetaTCVAE: {}, MichiGAN: {"code_key": "codes"}}
BUILD = {
    ParetoVI: {"n_hidden": 8},
    ScInfoVAE: {"n_hidden": [8], "n_clusters": 2},
    BetaTCVAE: {"n_hidden": [8], "gene_likelihood": "nb"},
    MichiGAN: {"n_hidden_generator": [8], "n_hidden_critic": [8], "output": "nb"},
}


def loading_doors(cls, folder, adata):
    """All ways in which a class of ours opens a folder, by name; a door that a class does not have is left out."""
    doors = {
        "load": lambda: cls.load(folder, adata()),
        "load as text": lambda: cls.load(str(folder), adata()),
        "load without data": lambda: cls.load(folder, adata=False),
        "load_registry": lambda: cls.load_registry(folder),
        "view_setup_args": lambda: cls.view_setup_args(folder),
    }
    if find_spec("huggingface_hub"):
        doors["HubModel"] = lambda: opened_by_hub(cls, folder, adata())
    for name in ("load_query_data", "prepare_query_anndata", "prepare_query_mudata"):
        if (door := getattr(cls, name, None)) is not None:
            doors[name] = lambda door=door: door(adata(), folder)
            doors[f"{name} as text"] = lambda door=door: door(adata(), reference_model=str(folder))
    return doors


def opened_by_hub(cls, folder, adata):
    from huggingface_hub import ModelCard
    from scvi.hub import HubMetadata, HubModel

    metadata = HubMetadata("1.4.0", "0.12.0", cls.__name__, model_parent_module="scpareto.model")
    hub = HubModel(str(folder), metadata=metadata, model_card=ModelCard("A card."))
    hub.load_model(adata=adata)
    return hub.model


@pytest.mark.parametrize("write", ["torch", "pickle"])
@pytest.mark.parametrize("evil", [RunsCommand, WritesFile])
@pytest.mark.parametrize("cls", SETUP)
def test_no_code_of_a_file_is_run(tmp_path, saved_by, make_adata, cls, evil, write):
    marker, folder = tmp_path / "marker", tmp_path / "model"
    folder.mkdir()
    if write == "torch":
        content = torch.load(saved_by(cls) / "model.pt", weights_only=True)
        content["attr_dict"]["init_params_"]["non_kwargs"]["n_hidden"] = evil(marker)
        torch.save(content, folder / "model.pt")
    else:
        (folder / "model.pt").write_bytes(
            pickle.dumps({"scpareto": {"format_version": 1}, "x": evil(marker)}, protocol=2)
        )
    for name, door in loading_doors(cls, folder, lambda: coded(make_adata())).items():
        with pytest.raises(ValueError, match="not a model that scpareto saved.*could run code"):
            door()
        assert not marker.exists(), name
    # The file is what it claims to be: opened carelessly, its code runs.
    if write == "torch":
        torch.load(folder / "model.pt", weights_only=False)
    else:
        pickle.loads((folder / "model.pt").read_bytes())
    assert marker.exists()


@pytest.mark.parametrize("cls", SETUP)
def test_the_same_doors_open_for_a_file_of_ours(saved_by, make_adata, cls):
    for name, door in loading_doors(cls, saved_by(cls), lambda: coded(make_adata())).items():
        if name.startswith("prepare_query_mudata"):
            with pytest.raises(ValueError, match=f"{cls.__name__} takes AnnData, not MuData"):
                door()
        else:
            opened = door()
            is_a_model = name.startswith(("load", "HubModel")) and name != "load_registry"
            assert isinstance(opened, cls) == is_a_model, name
    assert ("prepare_query_anndata" in loading_doors(cls, None, None)) == (cls in (ParetoVI, ScInfoVAE))


def test_a_file_from_the_future_is_refused_by_name(saved, tmp_path, make_adata):
    def change(content):
        content["scpareto"] = {"format_version": 2, "version": "9.9.9", "model": "ParetoVI"}

    folder = rewritten(saved, tmp_path / "model", change)
    for door in (lambda: ParetoVI.load(folder, make_adata()), lambda: ParetoVI.load_registry(folder)):
        with pytest.raises(ValueError, match=r"scpareto 9\.9\.9 in format 2; .* up to 1\. Upgrade scpareto"):
            door()


def test_files_of_others_are_refused(saved, tmp_path, make_adata, simulated):
    folder = rewritten(saved, tmp_path / "headless", lambda content: content.pop("scpareto"))
    with pytest.raises(ValueError, match="was not saved by scpareto"):
        ParetoVI.load(folder, make_adata())
    SCVI.setup_anndata(simulated, batch_key="batch")
    SCVI(simulated).save(str(tmp_path / "scvi"))
    with pytest.raises(ValueError, match="not a model that scpareto saved"):
        ParetoVI.load(tmp_path / "scvi", make_adata())


def test_what_is_no_model_is_refused(saved, tmp_path, make_adata):
    with pytest.raises(ValueError, match=r"holds no saved model: model\.pt is missing"):
        ParetoVI.load(tmp_path, make_adata())
    with pytest.raises(ValueError, match=r"holds no saved model: b_model\.pt is missing"):
        ParetoVI.load(saved, make_adata(), prefix="b_")
    whole = (saved / "model.pt").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"not a model"):
        (tmp_path / "model.pt").write_bytes(damaged)
        with pytest.raises(ValueError, match="not a model that scpareto saved.*damaged"):
            ParetoVI.load(tmp_path, make_adata())


def test_other_genes_are_noticed(saved, make_adata):
    adata = make_adata()
    with pytest.warns(UserWarning, match="var_names"):
        ParetoVI.load(saved, adata[:, ::-1].copy())


def test_the_registry_can_be_read_alone(saved):
    registry = ParetoVI.load_registry(saved)
    assert registry["model_name"] == "ParetoVI"
    assert registry["setup_args"]["batch_key"] == "batch"
    assert list(registry["field_registries"]["batch"]["state_registry"]["categorical_mapping"]) == [
        "batch_0",
        "batch_1",
    ]
