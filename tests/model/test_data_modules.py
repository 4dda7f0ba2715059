"""Fronts of cells that a data module reads."""

from __future__ import annotations

import functools
import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scvi
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

import scpareto
from scpareto import fit_front
from scpareto._cells import Stream, stratified_split
from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI
from scpareto.tl import survives

PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {"max_epochs": 4, "max_epochs_pretrain": 2, "n_points": 4, "plan_kwargs": PLAN, "progress": False}
SMALL = {"n_hidden": 16, "n_latent": 3}
N_CELLS, N_GENES = 500, 40


class Cells(Dataset):
    """Cells in memory that count how often they are read."""

    def __init__(self, adata, keys):
        self.counts, self.n_read = adata.X.tocsr(), 0
        self.batch = adata.obs["batch"].cat.codes.to_numpy().astype(int)
        self.further = {key: np.stack([find(adata) for find in columns], axis=1) for key, columns in keys.items()}

    def __len__(self):
        return len(self.batch)

    def __getitem__(self, rows):
        self.n_read += len(rows)
        counts = torch.from_numpy(self.counts[rows].toarray().astype(np.float32))
        further = {key: torch.from_numpy(values[rows]) for key, values in self.further.items()}
        return {"X": counts, "batch": torch.from_numpy(self.batch[rows])[:, None], "labels": None} | further


class Module(LightningDataModule):
    """A data module of one's own: 70 % of the cells train, the others are for validation."""

    model_name = "SCVI"

    def __init__(self, adata, keys=None, **registered):
        super().__init__()
        self.levels, self.genes, self.n_cells = adata.obs["batch"].cat.categories, list(adata.var_names), adata.n_obs
        order = np.random.default_rng(0).permutation(adata.n_obs)
        n_train = int(0.7 * adata.n_obs)
        self.parts = [Cells(adata[part], keys or {}) for part in (order[:n_train], order[n_train:])]
        self.registered = registered

    def _loader(self, cells, sampler):
        return DataLoader(cells, sampler=BatchSampler(sampler(cells), 150, drop_last=False), batch_size=None)

    def train_dataloader(self):
        return self._loader(self.parts[0], RandomSampler)

    def val_dataloader(self):
        return self._loader(self.parts[1], SequentialSampler)

    def inference_dataloader(self):
        return self.val_dataloader()

    @property
    def registry(self):
        genes = {"n_obs": self.n_cells, "n_vars": len(self.genes), "column_names": self.genes}
        levels = {"categorical_mapping": np.array(self.levels), "original_key": "batch"}
        fields = {
            "X": (genes, {"n_vars": len(self.genes), "n_cells": self.n_cells}),
            "batch": (levels, {"n_batch": len(self.levels)}),
            "labels": ({"categorical_mapping": ["all"], "original_key": "labels"}, {"n_labels": 1}),
            "size_factor": ({}, {}),
            "extra_categorical_covs": ({}, {"n_extra_categorical_covs": 0}),
            "extra_continuous_covs": ({}, {"n_extra_continuous_covs": 0}),
        } | self.registered
        return {
            "scvi_version": scvi.__version__,
            "model_name": self.model_name,
            "setup_method_name": "setup_datamodule",
            "setup_args": {"layer": None, "batch_key": "batch", "size_factor_key": None},
            "field_registries": {
                name: {"data_registry": {}, "state_registry": state, "summary_stats": stats}
                for name, (state, stats) in fields.items()
            },
        }


@pytest.fixture(scope="module")
def cells():
    return simulate_batches(N_CELLS, N_GENES, n_batches=2, n_types=3, batch_strength=1.0, seed=0)


@pytest.fixture
def module(cells):
    return Module(cells)


def trained(module, **changes):
    model = ParetoVI(registry=module.registry, **SMALL, seed=0)
    model.train(**SHORT | {"datamodule": module} | changes)
    return model


@pytest.fixture(scope="module")
def streamed(cells):
    """A model that a data module has trained, which no test may change."""
    return trained(Module(cells))


def first_cells(module):
    return [next(iter(module.val_dataloader()))]


def test_a_data_module_gives_the_kind_of_front_that_an_anndata_gives():
    adata = simulate_batches(1200, 60, n_batches=2, n_types=3, composition="equal", seed=0)
    options = SHORT | {"max_epochs": 50, "max_epochs_pretrain": 20, "n_points": 4}
    module = Module(adata)
    streamed = ParetoVI(registry=module.registry, n_latent=5, seed=0)
    streamed.train(**options, datamodule=module)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    whole = ParetoVI(adata, n_latent=5, seed=0)
    whole.train(**options)
    tables = [model.front.to_dataframe() for model in (streamed, whole)]
    assert set(tables[0]) == set(tables[1])
    for table in tables:
        assert table["kind"].iloc[0] == "extreme"
        assert table["batch_left"].is_monotonic_decreasing
        assert table["batch_left"].iloc[0] > table["batch_left"].iloc[-1] + 10
    # Other cells are held out, of which the loss differs by some percent.
    assert abs(tables[0]["generative_loss_test"] / tables[1]["generative_loss_test"] - 1).max() < 0.1


def test_cells_are_read_once_and_then_those_of_the_training_only(cells, monkeypatch):
    monkeypatch.setattr(Stream, "hold_cells", functools.partialmethod(Stream.hold_cells, max_cells=300))
    module = Module(cells)
    model = trained(module, early_stopping=False)
    n_train, n_validation = (len(part) for part in module.parts)
    assert module.parts[0].n_read == (1 + SHORT["max_epochs"]) * n_train
    assert module.parts[1].n_read == n_validation
    record = model.front.metadata["data_module"]
    assert record["n_cells"] == {"train": n_train, "validation": n_validation}
    assert record["n_held"] == model.front.metadata["n_judged"] == {"train": 210, "validation": 30, "test": 60}
    assert "judged on 60 of them" in model.front.explain()


def test_equal_seeds_give_equal_bits(cells, streamed):
    again = trained(Module(cells))
    pd.testing.assert_frame_equal(again.front.to_dataframe(), streamed.front.to_dataframe(), check_exact=True)
    for number in again.front.numbers:
        states = again.front.state(number), streamed.front.state(number)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_resumed_front_is_not_trained_again(cells, streamed, tmp_path):
    modules = [Module(cells), Module(cells)]
    found = [trained(module, checkpoint_dir=tmp_path) for module in modules]
    assert modules[1].parts[0].n_read == len(modules[1].parts[0])
    pd.testing.assert_frame_equal(found[1].front.to_dataframe(), streamed.front.to_dataframe(), check_exact=True)


def test_what_is_saved_is_loaded(streamed, module, tmp_path):
    streamed.save(tmp_path / "model")
    loaded = ParetoVI.load(tmp_path / "model", adata=False)
    assert loaded.front.explain() == streamed.front.explain()
    assert repr(loaded) == repr(streamed)
    for number in (streamed.selected, 0):
        codes = []
        for model in (loaded, streamed):
            with model.at(number):
                codes.append(model.get_latent_representation(dataloader=first_cells(module)))
        np.testing.assert_array_equal(*codes)
    loaded.select(3)
    loaded.save(tmp_path / "again")
    assert ParetoVI.load(tmp_path / "again", adata=False).selected == 3


def test_a_plain_scvi_has_the_same_codes(streamed, module):
    plain = streamed.to_scvi()
    loader = first_cells(module)
    np.testing.assert_array_equal(
        plain.get_latent_representation(dataloader=loader), streamed.get_latent_representation(dataloader=loader)
    )


@pytest.mark.parametrize(
    ("ask", "verb"),
    [
        (lambda model: model.get_latent_representation(), "encode"),
        (lambda model: model.get_latent_representation(batch_left=50), "encode"),
        (lambda model: model.audit(), "judge"),
        (lambda model: model.refine(1), "train on"),
        (lambda model: model.minify_adata(), "minify"),
    ],
)
def test_what_needs_the_cells_says_so_and_what_to_do(streamed, ask, verb):
    with pytest.raises(ValueError, match=rf"holds no cells to {verb}.*dataloader=datamodule.inference_dataloader"):
        ask(streamed)


def test_findings_of_cells_are_not_looked_for(streamed, cells):
    with pytest.raises(ValueError, match="The model holds no cells"):
        survives(streamed, cells, groupby="cell_type", progress=False)


def test_the_card_of_a_hub_folder_is_written(streamed, tmp_path):
    pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    streamed.save_for_hub(tmp_path / "model", license_info="mit")
    assert f"{N_CELLS} cells, {N_GENES} genes" in (tmp_path / "model" / "README.md").read_text()


def test_plain_scvi_gets_a_front_too(module):
    model = scvi.model.SCVI(registry=module.registry, **SMALL)
    front = fit_front(model, "mmd", seed=0, **SHORT, datamodule=module)
    assert len(front) == 4
    assert np.isfinite(front.table[["generative_loss_test", "batch_left"]]).all(axis=None)
    assert "cell_names" not in front.metadata


def test_populations_that_batches_share_are_found_among_held_cells(cells):
    model = trained(Module(cells), objective_kwargs={"given": "populations"})
    assert model.front.metadata["objective_options"]["classifier"]["given"] == "populations"
    with pytest.raises(ValueError, match="given='pca'.*held in part"):
        trained(Module(cells), objective_kwargs={"given": "pca"})


def test_covariates_of_the_data_module_reach_the_decoder(cells):
    adata = cells.copy()
    adata.obs["site"] = pd.Categorical(np.where(np.arange(N_CELLS) % 3, "b", "a"))
    adata.obs["depth"] = np.linspace(0, 1, N_CELLS, dtype=np.float32)
    keys = {
        "extra_categorical_covs": [lambda found: found.obs["site"].cat.codes.to_numpy().astype(int)],
        "extra_continuous_covs": [lambda found: found.obs["depth"].to_numpy()],
    }
    sites = {"field_keys": ["site"], "mapping": {"site": np.array(["a", "b"])}, "n_cats_per_key": [2]}
    registered = {
        "extra_categorical_covs": (sites, {"n_extra_categorical_covs": 1}),
        "extra_continuous_covs": ({"columns": np.array(["depth"], dtype=object)}, {"n_extra_continuous_covs": 1}),
    }
    model = trained(Module(adata, keys, **registered))
    before = model.module.decoder.px_decoder.fc_layers[0][0].in_features
    assert before == SMALL["n_latent"] + 2 + 2 + 1  # codes, two batches, two sites, depth
    assert model.front.table["generative_loss_test"].notna().all()


class OneBatch(Module):
    @property
    def registry(self):
        found = super().registry
        found["field_registries"]["batch"]["state_registry"]["categorical_mapping"] = np.array(["all"])
        found["field_registries"]["batch"]["summary_stats"]["n_batch"] = 1
        return found


class WithoutBatch(Module):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        return {"X": batch["X"]}


class FewerGenes(Module):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch | {"X": batch["X"][:, 1:]}


class NegativeCounts(Module):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch | {"X": -batch["X"]}


class NoValidation(Module):
    def val_dataloader(self):
        return None


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        (OneBatch, ValueError, "has one batch: there is nothing to correct"),
        (WithoutBatch, KeyError, "has no 'batch': it holds 'X'"),
        (FewerGenes, ValueError, rf"\(150, {N_GENES - 1}\); \(n_cells, {N_GENES}\)"),
        (NegativeCounts, ValueError, "negative"),
        (NoValidation, ValueError, "gives no validation cells"),
    ],
)
def test_bad_data_modules_are_refused_before_training(cells, kind, error, told, monkeypatch):
    monkeypatch.setattr("scpareto.train._loop.Trainer", None)
    module = kind(cells)
    model = ParetoVI(registry=module.registry, **SMALL, seed=0)
    with pytest.raises(error, match=told):
        model.train(**SHORT, datamodule=module)
    assert model.front is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train_size": 0.8}, "train_size=0.8: this data module parts its cells itself"),
        ({"split": [[0], [1], [2]]}, "parts its cells itself"),
        ({"shuffle_set_split": False}, "shuffle_set_split=False: this data module parts its cells itself"),
        ({"devices": 2}, "devices=2: one process reads"),
        ({"datamodule": None}, r"made without cells.*train\(datamodule=...\)"),
    ],
)
def test_arguments_that_need_rows_are_refused(module, changes, told):
    with pytest.raises(ValueError, match=told):
        trained(module, **changes)


def test_models_that_no_data_module_trains_are_refused(cells, module):
    for option in ({"preset": "paper"}, {"use_observed_lib_size": False}):
        with pytest.raises(ValueError, match="learned library size"):
            ParetoVI(registry=module.registry, **option)
    with pytest.raises(ValueError, match=r"made of nothing.*SCVI\(registry=datamodule.registry\)"):
        fit_front(scvi.model.SCVI(), **SHORT, datamodule=module)
    adata = cells.copy()
    ParetoVI.setup_anndata(adata, batch_key="batch")
    with pytest.raises(ValueError, match=r"holds an AnnData.*ParetoVI\(registry=datamodule.registry\)"):
        ParetoVI(adata, **SMALL).train(**SHORT, datamodule=module)
    scvi.model.LinearSCVI.setup_anndata(adata)
    with pytest.raises(TypeError, match="not of LinearSCVI"):
        fit_front(scvi.model.LinearSCVI(adata), **SHORT, datamodule=module)


# Stores of annbatch, which needs Python 3.12 or newer.


@pytest.fixture
def store(cells, tmp_path):
    """Two files of one batch each, in the order of the cells, as one store of annbatch."""
    annbatch = pytest.importorskip("annbatch", reason="annbatch needs Python 3.12 or newer")
    import zarr

    paths = []
    for batch in cells.obs["batch"].cat.categories:
        paths.append(tmp_path / f"{batch}.h5ad")
        cells[cells.obs["batch"] == batch].copy().write_h5ad(paths[-1])
    collection = annbatch.DatasetCollection(zarr.open(tmp_path / "store.zarr", mode="w"))
    collection.add_adatas(
        [str(path) for path in paths], shuffle=False, dataset_size=200, shuffle_chunk_size=20, n_obs_per_chunk=16
    )
    return collection


def annbatch_module(collection, **options):
    import anndata
    from annbatch import Loader
    from anndata.io import read_elem, sparse_dataset
    from scvi.dataloaders import AnnbatchDataModule

    def load(group):
        return anndata.AnnData(sparse_dataset(group["X"]), obs=read_elem(group["obs"])[["batch", "cell_type"]])

    loader = Loader(batch_size=64, chunk_size=16, preload_nchunks=8, preload_to_gpu=False, to="torch")
    loader.use_collection(collection, load_adata=load)
    sizes = {"chunk_size": 16, "preload_nchunks": 8}
    return AnnbatchDataModule(loader, batch_key="batch", batch_size=64, **sizes | options)


def rows_in_store(cells, collection):
    """Cells in the order of the store, by which the rows of a front are known."""
    from anndata.io import read_elem

    return cells[np.concatenate([read_elem(group["obs"]).index.to_numpy() for group in collection])]


def test_cells_of_annbatch_are_split_and_held_by_row_as_those_of_anndata(cells, store):
    module = annbatch_module(store)
    model = trained(module, early_stopping=False)
    adata = rows_in_store(cells, store)
    batch = adata.obs["batch"].astype(str).to_numpy()
    whole = adata.copy()
    ParetoVI.setup_anndata(whole, batch_key="batch")
    other = ParetoVI(whole, **SMALL, seed=0)
    other.train(**SHORT, early_stopping=False)
    for name, rows in other.front.metadata["indices"].items():
        assert torch.equal(model.front.metadata["indices"][name], rows)
        assert len(np.unique(batch[rows])) == 2
    assert model.front.metadata["data_module"]["n_held"] == {"train": 350, "validation": 50, "test": 100}
    # The same cells by the same network: codes of the store in its order are those of the AnnData.
    other.module.load_state_dict(model.module.state_dict())
    np.testing.assert_allclose(
        model.get_latent_representation(dataloader=module.inference_dataloader()),
        other.get_latent_representation(),
        rtol=1e-4,
        atol=1e-5,
    )


def test_an_epoch_has_every_training_cell_of_a_store_once(cells, store):
    from scpareto._cells import AnnbatchStream, MinibatchFormat, batch_of_rows

    module, adata = annbatch_module(store), rows_in_store(cells, store)
    split = stratified_split(batch_of_rows(module), seed=0)
    stream = AnnbatchStream(module, MinibatchFormat(N_GENES, 2), split, batch_of_rows(module))
    whole = adata.X.toarray()
    held = stream.hold_cells(0, max_cells=100)
    np.testing.assert_array_equal(held.fields["X"].toarray(), whole[held.rows])
    np.testing.assert_array_equal(held.fields["batch"].ravel(), batch_of_rows(module)[held.rows])
    assert set(held.rows[held.split.test]) <= set(split.test)
    torch.manual_seed(0)
    epochs = [np.concatenate([batch["X"].numpy() for batch in stream.training(32)]) for _ in range(2)]
    for read in epochs:
        np.testing.assert_array_equal(np.unique(read, axis=0), np.unique(whole[split.train], axis=0))
        assert len(read) == len(split.train)
    assert (epochs[0] != epochs[1]).any()


def test_fronts_of_a_store_are_equal_with_equal_seeds_and_take_a_split(store):
    found = [trained(annbatch_module(store), train_size=0.5) for _ in range(2)]
    tables = [model.front.to_dataframe() for model in found]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert len(found[0].front.metadata["indices"]["train"]) == N_CELLS // 2


def test_cells_drawn_by_class_are_refused(store):
    with pytest.raises(ValueError, match="use_class_sampler"):
        trained(annbatch_module(store, class_sampler_key="cell_type"))


def test_a_store_without_a_batch_is_refused(store):
    module = annbatch_module(store)
    module.batch_encoder = None
    with pytest.raises(ValueError, match="has one batch"):
        trained(module)


SETUP_BROKEN = "setup_annbatch of this scvi-tools asks for annbatch 0.2"


def setup_works():
    """Whether scvi-tools' own set-up works with the annbatch that is installed."""
    from annbatch import Loader

    return "to_torch" in inspect.signature(Loader).parameters


def test_the_set_up_of_scvi_tools_is_read(cells, tmp_path):
    pytest.importorskip("annbatch", reason="annbatch needs Python 3.12 or newer")
    if not setup_works():
        pytest.skip(SETUP_BROKEN)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    module = ParetoVI.setup_annbatch(
        str(tmp_path / "store.zarr"), [str(tmp_path / "cells.h5ad")], batch_key="batch", preload_to_gpu=False
    )
    model = trained(module)
    assert model.registry["field_registries"]["X"]["state_registry"]["column_names"] == list(cells.var_names)
    assert len(model.get_latent_representation(dataloader=module.inference_dataloader())) == N_CELLS


def test_the_guide_is_as_it_says(cells, tmp_path, monkeypatch):
    pytest.importorskip("annbatch", reason="annbatch needs Python 3.12 or newer")
    if not setup_works():
        pytest.skip(SETUP_BROKEN)
    monkeypatch.chdir(tmp_path)
    cells.write_h5ad("one.h5ad")
    text = (Path(__file__).parents[2] / "docs" / "user_guide" / "scvi_tools.md").read_text()
    section = text.split("## Data modules")[1].split("\n## ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    # Short, and without a GPU: the guide is about what is called.
    monkeypatch.setattr(ParetoVI, "train", functools.partialmethod(ParetoVI.train, **SHORT))
    names = {"sp": scpareto, "paths": ["one.h5ad"]}
    exec(block, names)
    assert len(names["codes"]) == N_CELLS
