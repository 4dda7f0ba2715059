"""A hub folder: from saving to a newcomer who selects a point of it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import scanpy as sc

from scpareto import fit_front
from scpareto.model import BetaTCVAE, MichiGAN, ParetoVI, ScInfoVAE

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """Return the hub folder of the trained model."""
    path = tmp_path_factory.mktemp("hub") / "model"
    trained.save_for_hub(path, license_info="cc-by-4.0", description="Simulated cells.")
    return path


def test_a_newcomer_loads_the_model_and_selects_a_point(folder, trained, make_adata):
    from scvi.hub import HubModel

    hub = HubModel(str(folder))
    hub.load_model(adata=make_adata())
    model = hub.model
    assert isinstance(model, ParetoVI)
    assert model.selected == trained.selected
    np.testing.assert_array_equal(model.get_latent_representation(), trained.get_latent_representation())
    assert model.select(0) == 0


def test_data_in_the_folder_are_all_that_a_newcomer_needs(own, tmp_path):
    from scvi.hub import HubModel

    own.save_for_hub(tmp_path / "model", license_info="mit", save_anndata=True)
    assert (tmp_path / "model" / "adata.h5ad").exists()
    hub = HubModel(str(tmp_path / "model"))
    assert hub.adata.shape == (240, 60)
    model = hub.model
    np.testing.assert_array_equal(model.get_latent_representation(), own.get_latent_representation())
    for number in own.front.numbers:
        assert model.select(number) == own.select(number)
        np.testing.assert_array_equal(model.get_latent_representation(), own.get_latent_representation())


def test_minified_data_travel_small_and_keep_their_point(own, tmp_path):
    from scvi.hub import HubModel

    point = own.select(2)
    codes = own.get_latent_representation()
    own.adata.obsm["mean"], own.adata.obsm["variance"] = own.get_latent_representation(return_dist=True)
    own.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
    own.save_for_hub(tmp_path / "model", license_info="mit", save_anndata=True)
    model = HubModel(str(tmp_path / "model")).model
    assert model.minified_data_type == own.minified_data_type
    assert model.adata.X.nnz == 0
    assert model.selected == model.select(point) == 2
    np.testing.assert_allclose(model.get_latent_representation(), codes)
    with pytest.raises(ValueError, match="minified with the codes of point 2"):
        model.select(0)


def test_the_full_data_open_every_point_of_a_minified_model(own, tmp_path, make_adata):
    reference = own.select(0), own.get_latent_representation()
    own.select(2)
    own.adata.obsm["mean"], own.adata.obsm["variance"] = own.get_latent_representation(return_dist=True)
    own.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
    own.save_for_hub(tmp_path / "model", license_info="mit")
    model = ParetoVI.load(tmp_path / "model", make_adata())
    assert model.select(0) == reference[0]
    np.testing.assert_array_equal(model.get_latent_representation(), reference[1])


def test_scinfovae_with_a_front_is_shared_likewise(make_adata, tmp_path):
    from scvi.hub import HubModel

    ScInfoVAE.setup_anndata(adata := make_adata(), batch_key="batch")
    model = ScInfoVAE(adata, n_hidden=[16], n_latent=4, n_clusters=3, seed=0)
    model.train(2, 1, progress=False, accelerator="cpu")
    short = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
    epochs = {"max_epochs": 4, "max_epochs_pretrain": 2}
    fit_front(model, "prior_divergence", "scalarization", 4, plan_kwargs=short, seed=0, progress=False, **epochs)
    model.select(1)
    model.save_for_hub(tmp_path / "model", license_info="mit", save_anndata=True)
    card = (tmp_path / "model" / "README.md").read_text()
    assert 'sp.model.ScInfoVAE.load("FOLDER", adata)' in card
    assert "model_cls_name:ScInfoVAE" in card
    loaded = HubModel(str(tmp_path / "model")).model
    assert isinstance(loaded, ScInfoVAE)
    assert loaded.predict().tolist() == model.predict().tolist()
    assert loaded.select(0) == model.select(0) == 0
    np.testing.assert_array_equal(loaded.get_latent_representation(), model.get_latent_representation())


def test_the_card_shows_the_front(folder, trained):
    card = (folder / "README.md").read_text()
    assert (folder / "front.png").stat().st_size > 10_000
    assert "![The front](front.png)" in card
    assert "license: cc-by-4.0" in card
    assert "Simulated cells." in card
    rows = [line for line in card.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert len(rows) == len(trained.front)
    left = trained.front.to_dataframe()["batch_left"]
    assert [float(row.split("|")[2]) for row in rows] == pytest.approx(left.round(1).tolist())
    assert trained.front.explain() in card
    place = float(re.search(r"or batch_left=(-?[\d.]+)", card).group(1))
    assert trained.front.resolve(batch_left=place).number in trained.front.numbers


def test_what_cannot_be_shared_is_refused(simulated, trained, folder):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    with pytest.raises(RuntimeError, match="not trained. Call train"):
        ParetoVI(simulated).save_for_hub("nowhere", license_info="mit")
    with pytest.raises(ValueError, match="license_info is empty"):
        trained.save_for_hub("nowhere", license_info="")
    with pytest.raises(ValueError, match="already exists"):
        trained.save_for_hub(folder, license_info="mit")
    with pytest.raises(ValueError, match="criticism=True compares .* labels_key"):
        trained.save_for_hub("nowhere", license_info="mit", criticism=True)


def plain(cls, adata):
    """Train a model of another class, without a front."""
    if cls is ScInfoVAE:
        cls.setup_anndata(adata, batch_key="batch")
        model = cls(adata, n_hidden=[16], n_latent=4, n_clusters=3, seed=0)
        model.train(2, 1, progress=False, accelerator="cpu")
    elif cls is BetaTCVAE:
        sc.pp.normalize_total(adata)
        sc.pp.log1p(adata)
        cls.setup_anndata(adata)
        model = cls(adata, n_hidden=[16, 8], n_latent=4, seed=0)
        model.train(2, progress=False, accelerator="cpu")
    else:
        sc.pp.normalize_total(adata)
        sc.pp.log1p(adata)
        adata.obsm["codes"] = np.random.default_rng(0).normal(size=(adata.n_obs, 4)).astype(np.float32)
        cls.setup_anndata(adata, code_key="codes")
        model = cls(adata, n_hidden_generator=[16, 16], n_hidden_critic=[16, 8], n_noise=4, seed=0)
        with warnings.catch_warnings():
            # Two epochs may leave a generator of little variance.
            warnings.simplefilter("ignore")
            model.train(2, accelerator="cpu")
    return model


@pytest.mark.parametrize("cls", [ScInfoVAE, BetaTCVAE, MichiGAN])
def test_models_without_a_front_are_shared_as_well(cls, make_adata, tmp_path):
    from scvi.hub import HubModel

    model = plain(cls, make_adata())
    model.save_for_hub(tmp_path / "model", license_info="mit", save_anndata=True)
    card = (tmp_path / "model" / "README.md").read_text()
    assert f'sp.model.{cls.__name__}.load("FOLDER", adata)' in card
    assert "front.png" not in card
    assert "240 cells, 60 genes" in card
    loaded = HubModel(str(tmp_path / "model")).model
    assert isinstance(loaded, cls)
    used = {} if cls is MichiGAN else {"found": loaded.get_latent_representation()}
    exec(re.search(r"adata: genes.*\n(.*)\n", card).group(1), {"model": loaded}, used)
    if cls is MichiGAN:
        np.testing.assert_array_equal(loaded.generate(n_cells=9, seed=0), model.generate(n_cells=9, seed=0))
        with pytest.raises(ValueError, match="MichiGAN draws no counts"):
            model.save_for_hub(tmp_path / "other", license_info="mit", criticism=True)
        assert not (tmp_path / "other").exists()
    else:
        np.testing.assert_array_equal(used["found"], model.get_latent_representation())


def test_the_card_holds_the_criticism_of_scvi_tools(make_adata, tmp_path):
    ParetoVI.setup_anndata(adata := make_adata(), batch_key="batch", labels_key="cell_type")
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    model.train(4, max_epochs_pretrain=2, n_points=4, progress=False)
    model.save_for_hub(tmp_path / "model", license_info="mit", criticism=True)
    card = (tmp_path / "model" / "README.md").read_text()
    report = card[card.index("## Criticism") :]
    for table in ("each cell, over genes", "each gene, over cells", "Differential expression between labels"):
        assert table in report
    for name in adata.obs["cell_type"].cat.categories:
        assert f"| {name} |" in report
    assert (tmp_path / "model" / "metrics.json").exists()
