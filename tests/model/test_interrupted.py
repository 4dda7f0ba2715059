"""An interruption keeps what is finished, and a failure to save the model that was there."""

from __future__ import annotations

import logging
import resource
import signal

import numpy as np
import pytest
import scanpy as sc
import scvi

import scpareto as sp
from scpareto.model import BetaTCVAE, MichiGAN, ParetoVI, ScInfoVAE


@pytest.fixture
def log_normalised(simulated):
    sc.pp.normalize_total(simulated, target_sum=1e4)
    sc.pp.log1p(simulated)
    simulated.obsm["X_pca"] = np.random.default_rng(0).normal(size=(240, 2)).astype(np.float32)
    return simulated


def test_the_default_method_keeps_point_0(simulated, training, interrupt_at, caplog, tmp_path):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated, n_hidden=16, seed=0)
    options = training | {"method": "conditional", "objective": "classifier"}
    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.WARNING, "scpareto"):
        model.train(**options, callbacks=[interrupt_at(3)])
    assert "Finished points: [0]; missing: [1, 2, 3]." in caplog.text
    assert (model.front.numbers, model.selected) == ([0], 0)
    codes = model.get_latent_representation()
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(ParetoVI.load(tmp_path / "model", simulated).get_latent_representation(), codes)


def test_a_second_training_that_finishes_nothing_leaves_the_first(own, training, interrupt_at):
    front, codes = own.front, own.get_latent_representation()
    with pytest.raises(KeyboardInterrupt):
        own.train(**training, callbacks=[interrupt_at(1)])
    assert own.front is front
    np.testing.assert_array_equal(own.get_latent_representation(), codes)


def test_a_model_that_keeps_no_front_leaves_it_with_the_exception(simulated, training, interrupt_at):
    scvi.model.SCVI.setup_anndata(simulated, batch_key="batch")
    model = scvi.model.SCVI(simulated, n_hidden=8)
    with pytest.raises(KeyboardInterrupt) as caught:
        sp.fit_front(
            model, **training | {"method": "conditional", "objective": "classifier"}, callbacks=[interrupt_at(3)]
        )
    assert caught.value.front.numbers == [0]
    assert sp.apply_point(model, caught.value.front, 0) == 0


@pytest.mark.parametrize(("epoch", "n_finetuned"), [(2, None), (5, 1), (7, 3)])
def test_scinfovae_keeps_the_epochs_that_are_finished(simulated, interrupt_at, caplog, epoch, n_finetuned):
    ScInfoVAE.setup_anndata(simulated)
    model = ScInfoVAE(simulated, n_clusters=3, n_hidden=[16], n_latent=2, seed=0)
    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.WARNING, "scpareto"):
        model.train(4, 4, tol=0, patience=None, progress=False, callbacks=[interrupt_at(epoch)])
    assert "Interrupted. The model of" in caplog.text
    assert model.is_trained_
    assert not model.module.training
    assert np.isfinite(model.get_latent_representation()).all()
    assert (model.clusters_ is None) == (n_finetuned is None)


def test_scinfovae_refuses_one_number_of_epochs_for_two_phases(simulated):
    ScInfoVAE.setup_anndata(simulated)
    model = ScInfoVAE(simulated, n_clusters=3, n_hidden=[16], n_latent=2, seed=0)
    with pytest.raises(TypeError, match="max_epochs=3: a training has two phases; give max_epochs_pretrain"):
        model.train(max_epochs=3)


def test_betatcvae_keeps_the_epochs_that_are_finished(log_normalised, interrupt_at, caplog):
    BetaTCVAE.setup_anndata(log_normalised)
    model = BetaTCVAE(log_normalised, n_latent=2, n_hidden=[8], seed=0)
    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.WARNING, "scpareto"):
        model.train(5, progress=False, callbacks=[interrupt_at(3)])
    assert "of 5 epochs is kept" in caplog.text
    assert np.isfinite(model.get_latent_representation()).all()


def test_michigan_keeps_the_epochs_that_are_finished(log_normalised, caplog):
    MichiGAN.setup_anndata(log_normalised, code_key="X_pca")
    model = MichiGAN(log_normalised, n_hidden_generator=[8], n_hidden_critic=[8], seed=0)

    def stop(number, record):
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.WARNING, "scpareto"):
        model.train(5, on_epoch=stop)
    assert "3 of 5 epochs is kept" in caplog.text
    assert len(model.history) == log_normalised.uns["scpareto"]["michigan"]["max_epochs"] == 3
    assert model.generate(log_normalised.obsm["X_pca"]).shape == (240, 60)


def test_a_full_disk_leaves_the_model_that_was_there(own, tmp_path):
    own.save(tmp_path / "model")
    before = (tmp_path / "model" / "model.pt").read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"model could not be written \(.*\); what was there before stays"):
            own.save(tmp_path / "model", overwrite=True)
        with pytest.raises(OSError, match="other could not be written"):
            own.save(tmp_path / "other")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "model" / "model.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_loading_says_nothing_of_downloads(saved, simulated, caplog):
    with caplog.at_level(logging.INFO, "scvi.data._download"):
        ParetoVI.load(saved, simulated)
    assert "already downloaded" not in caplog.text
