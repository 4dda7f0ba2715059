from __future__ import annotations

import math

import numpy as np
import pytest
import scanpy as sc
import torch

from scpareto import fit_front
from scpareto._scvi_compat import MODULE_KEYS
from scpareto.datasets import simulate_splatter
from scpareto.front import apply_point
from scpareto.model import BetaTCVAE, MichiGAN

SMALL = {"n_hidden": [32, 16], "n_latent": 3, "seed": 0}


def cells(n=240, batch_scale=0.5):
    adata = simulate_splatter(n, 40, batch_scale=batch_scale, path_scale=1.5, seed=0)
    adata.layers["counts"] = adata.X.copy()
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    torch.set_num_threads(1)
    return adata


def fit(adata=None, epochs=3, **options):
    adata = cells() if adata is None else adata
    likelihood = options.get("gene_likelihood", "gaussian")
    BetaTCVAE.setup_anndata(adata, layer=None if likelihood == "gaussian" else "counts")
    model = BetaTCVAE(adata, **SMALL | options)
    model.train(epochs, batch_size=64, progress=False, accelerator="cpu")
    return model


@pytest.fixture(scope="module")
def gaussian():
    return fit()


def forward(model):
    tensors = next(iter(model._make_data_loader(adata=model.adata, batch_size=50)))
    model.module.eval()
    torch.manual_seed(0)
    return tensors, *model.module(tensors)


def test_gaussian_likelihood_has_variance_one(gaussian):
    tensors, inference, generative, loss = forward(gaussian)
    px = generative[MODULE_KEYS.PX_KEY]
    assert torch.equal(px.scale, torch.ones_like(px.scale))
    error = (tensors["X"] - px.loc).square().sum(1)
    torch.testing.assert_close(
        loss.reconstruction_loss["reconstruction_loss"], 0.5 * error + 20 * math.log(2 * math.pi)
    )
    qz = inference[MODULE_KEYS.QZ_KEY]
    kl = 0.5 * (qz.loc.square() + qz.scale.square() - 1 - 2 * qz.scale.log()).sum(1)
    torch.testing.assert_close(loss.loss, (0.5 * error + 20 * math.log(2 * math.pi) + kl).mean())
    assert not gaussian.module.px_r.requires_grad


def test_library_size_plays_no_part_in_the_gaussian_decoder(gaussian):
    codes = gaussian.get_latent_representation()[:5]
    np.testing.assert_array_equal(gaussian.decode(codes), gaussian.decode(codes, library_size=7.0))


def test_widths_are_those_asked_for(gaussian):
    encoder, decoder = gaussian.module.z_encoder.encoder, gaussian.module.decoder.px_decoder
    assert [layer.fc_layers[0][0].out_features for layer in encoder.layers] == [32, 16]
    assert [layer.fc_layers[0][0].out_features for layer in decoder.layers] == [16, 32]
    kinds = [type(layer.fc_layers[0][3]).__name__ for layer in encoder.layers]
    assert kinds == ["LeakyReLU", "ReLU"]


def test_beta_zero_is_the_plain_autoencoder(gaussian):
    """With the penalty's weight at 0 no penalty is computed, and another weight gives other codes."""
    plain, again, strong = fit(beta=0), fit(beta=0), fit(beta=50)
    codes = [model.get_latent_representation() for model in (plain, again, strong)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert np.abs(codes[0] - codes[2]).max() > 1e-3
    assert "total_correlation_train" not in plain.history
    assert "total_correlation_train" in strong.history


def test_reported_losses_are_true_elbos():
    """The penalty is not in them: the history equals what the module says."""
    model = fit(beta=1000.0)
    reported = float(model.history["elbo_train"].iloc[-1, 0])
    evaluated = -float(model.get_elbo(indices=model.train_indices))
    assert reported == pytest.approx(abs(evaluated), rel=0.2)


def test_a_strong_penalty_lowers_the_total_correlation():
    adata = cells(400)
    values = [
        float(fit(adata.copy(), 15, beta=beta).history["total_correlation_train"].iloc[-5:].mean().iloc[0])
        for beta in (1e-9, 100.0)
    ]
    assert values[1] < values[0]


@pytest.mark.parametrize("likelihood", ["nb", "zinb", "poisson"])
def test_likelihoods_of_counts_decode_to_the_library_size(likelihood):
    model = fit(epochs=1, gene_likelihood=likelihood)
    codes = model.get_latent_representation()[:6]
    library = np.linspace(100, 600, 6)
    px_sum = model.decode(codes, library_size=library).sum(1)
    if likelihood == "zinb":
        assert (px_sum < library).all()
    else:
        np.testing.assert_allclose(px_sum, library, rtol=1e-4)
    drawn = model.decode(codes, library_size=library, sample=True)
    assert (drawn == np.round(drawn)).all()
    assert (drawn >= 0).all()


def test_draws_from_the_gaussian_are_the_mean_plus_unit_noise(gaussian):
    codes = np.repeat(gaussian.get_latent_representation()[:1], 4000, axis=0)
    noise = gaussian.decode(codes, sample=True) - gaussian.decode(codes)
    assert noise.std() == pytest.approx(1.0, abs=0.01)
    np.testing.assert_array_equal(
        gaussian.decode(codes, sample=True, seed=3), gaussian.decode(codes, sample=True, seed=3)
    )


def test_saved_model_is_the_same_and_opens_as_plain_types(gaussian, tmp_path):
    gaussian.save(tmp_path / "model")
    torch.load(tmp_path / "model" / "model.pt", weights_only=True)
    loaded = BetaTCVAE.load(tmp_path / "model", cells(), accelerator="cpu")
    np.testing.assert_array_equal(loaded.get_latent_representation(), gaussian.get_latent_representation())
    assert (loaded.beta, loaded.seed) == (gaussian.beta, gaussian.seed)
    codes = gaussian.get_latent_representation()[:4]
    np.testing.assert_array_equal(loaded.decode(codes), gaussian.decode(codes))
    np.testing.assert_array_equal(loaded.train_indices, gaussian.train_indices)


def test_same_seed_same_bits_and_the_callers_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    models = [fit(seed=s, epochs=1) for s in (1, 1, 2)]
    assert torch.equal(torch.rand(1), expected)
    runs = [model.get_latent_representation() for model in models]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 1e-3


def test_the_whole_front_of_weights():
    """fit_front trades the generative loss against total correlation, without any batch."""
    model = fit(epochs=1)
    front = fit_front(
        model,
        objective="total_correlation",
        method="scalarization",
        n_points=4,
        max_epochs=4,
        max_epochs_pretrain=2,
        seed=0,
        progress=False,
        accelerator="cpu",
        plan_kwargs={"n_bootstrap": 5},
    )
    table = front.to_dataframe()
    assert front.objectives == ["generative_loss", "total_correlation"]
    assert len(table) == 4
    assert np.isfinite(table[["generative_loss_test", "total_correlation_test"]].to_numpy()).all()
    apply_point(model, front, 0)
    codes = model.get_latent_representation()
    apply_point(model, front, 3)
    assert np.abs(codes - model.get_latent_representation()).max() > 1e-3


def test_the_judge_compares_with_the_components_of_log_expression(gaussian):
    """Log-normalised expression is not normalised a second time."""
    from scpareto.train._adapter import get_adapter

    assert get_adapter(gaussian).takes_counts is False
    assert get_adapter(fit(epochs=1, gene_likelihood="nb")).takes_counts is True


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a: BetaTCVAE(a, beta=-1), "beta=-1 must be"),
        (lambda a: BetaTCVAE(a, gene_likelihood="normal"), "gene_likelihood='normal' is unknown"),
        (lambda a: BetaTCVAE(a, gene_likelihood="nb"), "raw counts are needed"),
        (lambda a: BetaTCVAE(), "BetaTCVAE needs adata"),
        (lambda a: BetaTCVAE(a, **SMALL).train(train_size=0.0), "train_size=0.0"),
        (lambda a: BetaTCVAE(a, **SMALL).decode(np.zeros((2, 4))), r"shape \(2, 4\); the model takes \(n_cells, 3\)"),
        (lambda a: BetaTCVAE(a, **SMALL).decode(np.full((2, 3), np.nan)), "NaN or infinite in 2 of 2"),
        (lambda a: BetaTCVAE(a, **SMALL).decode(np.zeros((2, 3)), batch="x"), "batch='x' is unknown"),
    ],
)
def test_bad_arguments_are_named(make, message):
    adata = cells(60)
    BetaTCVAE.setup_anndata(adata)
    with pytest.raises(ValueError, match=message):
        make(adata)


def test_counts_are_refused_by_the_gaussian_and_bad_data_by_all():
    adata = cells(60)
    BetaTCVAE.setup_anndata(adata, layer="counts")
    with pytest.raises(ValueError, match=r"takes log-normalised expression, but adata.layers\['counts'\] holds counts"):
        BetaTCVAE(adata)
    adata.X.data[0] = np.nan
    with pytest.raises(ValueError, match="adata.X holds 1 values that are NaN"):
        BetaTCVAE.setup_anndata(adata)
    with pytest.raises(ValueError, match="view"):
        BetaTCVAE.setup_anndata(adata[:10])
    with pytest.raises(KeyError, match="layer='logs'"):
        MichiGAN.setup_anndata(adata, layer="logs")
