"""Columns at the doors of all models: what cannot be trained on or saved is refused before anything is registered."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from scpareto.model import BetaTCVAE, MichiGAN, ParetoVI, ScInfoVAE

CATEGORICAL = [
    (ParetoVI, "batch_key"),
    (ParetoVI, "labels_key"),
    (ParetoVI, "categorical_covariate_keys"),
    (ParetoVI, "nuisance_keys"),
    (ScInfoVAE, "batch_key"),
    (BetaTCVAE, "batch_key"),
    (BetaTCVAE, "labels_key"),
]
NUMERIC = [
    (ParetoVI, "size_factor_key"),
    (ParetoVI, "continuous_covariate_keys"),
    (ParetoVI, "nuisance_keys"),
    (ScInfoVAE, "size_factor_key"),
]


def refused(cls, adata, message, **keys):
    before = set(adata.obs) | set(adata.obsm) | set(adata.uns)
    with pytest.raises(ValueError, match=message):
        cls.setup_anndata(adata, **{"batch_key": "batch"} | keys)
    assert set(adata.obs) | set(adata.obsm) | set(adata.uns) == before, "nothing was registered"


@pytest.mark.parametrize(("cls", "argument"), CATEGORICAL)
def test_dates_and_missing_values_are_no_categories(simulated, cls, argument):
    dates = pd.Series(pd.date_range("2024-01-01", periods=3).repeat(80), index=simulated.obs_names)
    simulated.obs["own"] = dates
    refused(cls, simulated, r"adata.obs\['own'\] holds values of type Timestamp", **{argument: "own"})
    simulated.obs["own"] = dates.astype(str).where(simulated.obs_names != "cell_7")
    refused(cls, simulated, r"adata.obs\['own'\] has 1 missing values; .* 'cell_7'", **{argument: "own"})


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, 1e300])
@pytest.mark.parametrize(("cls", "argument"), NUMERIC)
def test_numbers_that_cannot_be_trained_on_are_named(simulated, cls, argument, wrong):
    simulated.obs["own"] = np.linspace(0.5, 2, 240)
    simulated.obs.loc["cell_7", "own"] = wrong
    refused(cls, simulated, r"adata.obs\['own'\] holds 1 values .* 'cell_7'", **{argument: "own"})


@pytest.mark.parametrize("wrong", [0, -1, 1e-20, 1e12])
@pytest.mark.parametrize("cls", [ParetoVI, ScInfoVAE])
def test_size_factors_are_positive_and_comparable(simulated, cls, wrong):
    simulated.obs["own"] = np.linspace(0.5, 2, 240)
    simulated.obs.loc["cell_7", "own"] = wrong
    refused(cls, simulated, r"adata.obs\['own'\] holds 1 values .* 'cell_7'", size_factor_key="own")


@pytest.mark.parametrize(
    "values",
    [
        np.arange(240) % 2,
        np.arange(240) % 2 == 0,
        pd.array(np.where(np.arange(240) % 2, "a", "b"), dtype="string"),
        pd.Categorical(np.arange(240) % 2, categories=[7, 1, 0]),
    ],
    ids=["integers", "truth values", "texts", "categories"],
)
def test_categories_of_every_kind_come_back_from_a_saved_model(simulated, training, tmp_path, values):
    simulated.obs["own"] = pd.Series(values, index=simulated.obs_names)
    ParetoVI.setup_anndata(simulated, batch_key="own", nuisance_keys=("own",))
    model = ParetoVI(simulated, n_hidden=8, seed=0)
    model.train(**training | {"max_epochs": 3})
    model.save(tmp_path / "model")
    loaded = ParetoVI.load(tmp_path / "model", simulated.copy())
    np.testing.assert_allclose(loaded.get_latent_representation(), model.get_latent_representation(), atol=1e-5)


def test_keys_are_kept_as_lists_however_they_were_given(simulated):
    keys = {"batch_key": ["batch"], "categorical_covariate_keys": "cell_type", "nuisance_keys": ("state", "state")}
    simulated.obs["state"] = np.linspace(0, 1, 240)
    ParetoVI.setup_anndata(simulated, **keys)
    kept = ParetoVI(simulated, n_hidden=8).registry["setup_args"]
    assert kept["batch_key"] == "batch"
    assert kept["categorical_covariate_keys"] == ["cell_type"]
    assert kept["nuisance_keys"] == ["state"]


def test_codes_are_numbers(simulated):
    simulated.obsm["own"] = np.full((240, 2), "a")
    with pytest.raises(ValueError, match=r"adata.obsm\['own'\] holds values of type .*, which are no numbers"):
        MichiGAN.setup_anndata(simulated, code_key="own")


@pytest.mark.parametrize(("value", "kind"), [(1e200, "too large for single precision"), (1e-60, "no counts")])
def test_counts_are_numbers_of_single_precision(simulated, value, kind):
    dense = simulated.X.toarray().astype(np.float64)
    dense[7] = value
    simulated.X = dense
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(ParetoVI, simulated, f"{kind}.*'cell_7'")


def test_other_data_are_checked_before_they_are_encoded(trained, simulated):
    other = simulated.copy()
    other.X.indices[3] = 2**30
    with pytest.raises(ValueError, match=r"adata.X is a broken sparse matrix: cell 'cell_0'"):
        trained.get_latent_representation(other)
    negative = simulated.copy()
    negative.X.data[3] = -1
    with pytest.raises(ValueError, match="negative"):
        trained.get_latent_representation(negative)
