"""The guide has every public name of SCVI for every model of ours, and what it says works does."""

from __future__ import annotations

import re
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from scvi.distributions import NegativeBinomial
from scvi.model import SCVI

import scpareto.model
from scpareto.model import BetaTCVAE, MichiGAN, ParetoVI, ScInfoVAE

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide" / "scvi_tools.md"
CLASSES = ("ParetoVI", "ScInfoVAE", "BetaTCVAE", "MichiGAN")
ARGUMENTS = {
    "data_registry": {"registry_key": "X"},
    "differential_abundance": {"sample_key": "batch"},
    "differential_expression": {"groupby": "batch", "silent": True},
    "get_feature_correlation_matrix": {"n_samples": 2},
    "get_latent_library_size": {"give_mean": False},
    "get_marginal_ll": {"n_mc_samples": 2},
    "get_setup_arg": {"setup_arg": "layer"},
    "get_state_registry": {"registry_key": "X"},
    "to_device": {"device": "cpu"},
    "update_setup_method_args": {"setup_method_args": {}},
}
TESTED_ELSEWHERE = (
    *("setup_anndata", "train", "save", "load", "load_registry", "view_setup_args", "load_query_data"),
    *("prepare_query_anndata", "minify_adata", "register_manager"),
)


def public_names(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


def table():
    """What the guide says, by name and class."""
    found: dict[str, dict[str, str]] = {}
    for line in GUIDE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 1 + len(CLASSES):
            for name in re.findall(r"`(\w+)`", cells[0]):
                assert name not in found, f"{name} is in two rows"
                found[name] = dict(zip(CLASSES, cells[1:], strict=True))
    return found


TABLE = table()


@pytest.mark.skipif(not version("scvi-tools").startswith("1.4."), reason="the table is of scvi-tools 1.4")
def test_the_table_has_every_public_name_of_scvi():
    assert set(TABLE) == public_names(SCVI)


def test_every_cell_says_works_or_why_not():
    for name, cells in TABLE.items():
        for cls, cell in cells.items():
            assert re.fullmatch(r"works(; .+)?|not applicable: .+", cell), f"{name}, {cls}: {cell}"


@pytest.fixture(scope="module")
def models(trained, saved, make_adata):
    """Return a small trained model of every class."""
    made = {"ParetoVI": ParetoVI.load(saved, make_adata())}
    ScInfoVAE.setup_anndata(adata := make_adata(), batch_key="batch")
    made["ScInfoVAE"] = ScInfoVAE(adata, n_hidden=[8], n_clusters=2)
    made["ScInfoVAE"].train(1, 1, progress=False, accelerator="cpu")
    BetaTCVAE.setup_anndata(adata := make_adata(), batch_key="batch")
    made["BetaTCVAE"] = BetaTCVAE(adata, n_hidden=[8], gene_likelihood="nb")
    made["BetaTCVAE"].train(1, progress=False, accelerator="cpu")
    adata = make_adata()
    adata.obsm["codes"] = made["BetaTCVAE"].get_latent_representation()
    MichiGAN.setup_anndata(adata, code_key="codes")
    made["MichiGAN"] = MichiGAN(adata, n_hidden_generator=[8], n_hidden_critic=[8], output="nb")
    with warnings.catch_warnings():
        # One epoch may leave a generator of little variance.
        warnings.simplefilter("ignore")
        made["MichiGAN"].train(1, accelerator="cpu")
    return made


@pytest.mark.parametrize("name", CLASSES)
def test_what_works_works_and_what_does_not_is_not_there_or_says_so(models, name):
    cls, model = getattr(scpareto.model, name), models[name]
    for method, cells in TABLE.items():
        if not hasattr(SCVI, method):
            continue
        if cells[name].startswith("works"):
            assert hasattr(cls, method), method
            if method not in TESTED_ELSEWHERE:
                call(model, method)
        elif hasattr(cls, method) and callable(getattr(cls, method)):
            with pytest.raises((ValueError, NotImplementedError)):
                getattr(model, method)(None, None)
        else:
            assert getattr(model, method, None) is None, method
    # Last: nothing works after it.
    model.deregister_manager(model.adata)


def call(model, method):
    """Do what a user would, with finite numbers where there are any."""
    if method == "get_batch_representation":
        pytest.raises(KeyError, model.get_batch_representation)  # without batch_representation="embedding", as SCVI
        return
    if method == "deregister_manager":
        return
    if method == "get_importance_weights":
        ones, zeros = torch.ones(5, model.module.n_input), torch.zeros(5, model.module.n_latent)
        px = NegativeBinomial(mu=ones, theta=ones, scale=ones)
        qz = torch.distributions.Normal(zeros, zeros + 1)
        found = model.get_importance_weights(
            model.adata, np.arange(5), qz, px, zeros, n_mc_samples=2, n_mc_samples_per_pass=2
        )
    elif not callable(getattr(type(model), method)):
        getattr(model, method)
        return
    elif method == "get_anndata_manager":
        found = model.get_anndata_manager(model.adata)
    elif method == "transfer_fields":
        found = model.transfer_fields(model.adata.copy())
    elif method == "get_from_registry":
        found = model.get_from_registry(model.adata, "X")
    else:
        found = getattr(model, method)(**ARGUMENTS.get(method, {}))
    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        assert np.isfinite(found).all(), method
