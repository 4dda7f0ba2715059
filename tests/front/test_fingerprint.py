"""A checkpoint folder belongs to one model, one data set and one recipe."""

from __future__ import annotations

import numpy as np
import pytest
import scvi

from scpareto.datasets import simulate_batches
from scpareto.front import FrontOptions
from scpareto.front._prepare import prepare
from scpareto.model import ParetoVI


@pytest.fixture(scope="module")
def cells():
    adata = simulate_batches(n_cells=120, n_genes=30, n_batches=2, seed=0)
    adata.obs["other"] = np.tile(["x", "y"], 60)
    adata.obs["age"] = np.linspace(0, 1, 120)
    adata.obs["donor"] = np.repeat(["u", "v"], 60)
    return adata


def begun(cells, folder, setup=None, model=None, **options):
    """What a model and its data make of a checkpoint folder."""
    adata = cells.copy()
    ParetoVI.setup_anndata(adata, **{"batch_key": "batch"} | (setup or {}))
    made = ParetoVI(adata, n_hidden=8, n_latent=2, seed=0, **model or {})
    return prepare(made, FrontOptions(seed=0, checkpoint_dir=folder, **options))


def test_the_same_again_is_taken(cells, tmp_path):
    begun(cells, tmp_path)
    begun(cells, tmp_path)
    begun(cells, tmp_path, trainer_kwargs={"enable_progress_bar": False, "logger": False})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model": {"dropout_rate": 0.3}}, r"\(model.dropout_rate was 0.1, now 0.3\)"),
        ({"model": {"gene_likelihood": "nb"}}, r"\(model.gene_likelihood was 'zinb', now 'nb'"),
        ({"trainer_kwargs": {"precision": "bf16-mixed"}}, "trainer.precision was None, now 'bf16-mixed'"),
        ({"trainer_kwargs": {"limit_train_batches": 1}}, "trainer.limit_train_batches was None"),
        ({"setup": {"labels_key": "other"}}, "data was"),
        ({"setup": {"continuous_covariate_keys": ["age"]}}, "data was"),
        ({"setup": {"categorical_covariate_keys": ["donor"]}}, "data was"),
        ({"batch_size": 64}, "batch_size was"),
    ],
)
def test_whatever_changes_the_result_is_refused_by_name(cells, tmp_path, change, named):
    begun(cells, tmp_path)
    with pytest.raises(ValueError, match=named):
        begun(cells, tmp_path, **change)


def test_other_values_of_the_same_columns_are_seen(cells, tmp_path):
    setup = {"labels_key": "other", "continuous_covariate_keys": ["age"]}
    begun(cells, tmp_path, setup)
    for column, value in (("age", 0.5), ("other", "y")):
        changed = cells.copy()
        changed.obs.loc[changed.obs_names[0], column] = value
        with pytest.raises(ValueError, match="data was"):
            begun(changed, tmp_path, setup)


def test_models_of_scvi_tools_are_told_apart(cells, tmp_path):
    adata = cells.copy()
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    scvi.settings.seed = 0
    model = scvi.model.SCVI(adata, n_hidden=8, n_latent=2)
    prepare(model, FrontOptions(seed=0, checkpoint_dir=tmp_path))
    scvi.settings.seed = 0
    other = scvi.model.SCVI(adata, n_hidden=8, n_latent=2, dropout_rate=0.4)
    with pytest.raises(ValueError, match="dropout_rate"):
        prepare(other, FrontOptions(seed=0, checkpoint_dir=tmp_path))
