from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import torch

from scpareto.datasets import simulate_perturbations
from scpareto.model import BetaTCVAE, ExpressionMixture, MichiGAN, ProbabilisticPCA, shifted_codes
from scpareto.train import TrainingDiverged

SMALL = {"n_hidden_generator": [24, 24], "n_hidden_critic": [24, 16], "n_noise": 6, "dropout_rate": 0.0, "seed": 0}
TRAINING = {"max_epochs": 2, "batch_size": 50, "accelerator": "cpu"}


def cells():
    adata = simulate_perturbations(200, 30, n_types=2, n_drugs=3, drug_strength=1.0, seed=0)
    adata.layers["counts"] = adata.X.copy()
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=4)
    torch.set_num_threads(1)
    adata.obsm["codes"] = adata.obsm["X_pca"].astype(np.float32)
    adata.obsm["scale"] = np.full((200, 4), 0.2, dtype=np.float32)
    return adata


def fit(output="linear", train=None, adata=None, **options):
    adata = cells() if adata is None else adata
    layer = None if output == "linear" else "counts"
    MichiGAN.setup_anndata(adata, layer=layer, code_key="codes", code_scale_key="scale")
    model = MichiGAN(adata, output=output, **SMALL | options)
    with warnings.catch_warnings():
        # Two epochs may leave a generator of little variance.
        warnings.simplefilter("ignore")
        model.train(**TRAINING | (train or {}))
    return model


@pytest.fixture(scope="module")
def trained():
    return fit()


@pytest.fixture(scope="module", params=["counts", "nb"])
def counting(request):
    return fit(request.param)


def test_generated_cells_have_the_shape_of_the_codes_and_follow_them(trained):
    codes = trained.get_codes()
    made = trained.generate(codes[:7], seed=1)
    assert made.shape == (7, 30)
    assert made.dtype == np.float32
    noise = np.zeros((1, 6))
    assert (
        np.abs(trained.generate(codes[:2], noise=noise)[0] - trained.generate(codes[:2], noise=noise)[1]).max() > 1e-4
    )


def test_seed_and_noise_decide_what_is_generated(trained):
    codes = trained.get_codes()[:5]
    np.testing.assert_array_equal(trained.generate(codes, seed=2), trained.generate(codes, seed=2))
    assert np.abs(trained.generate(codes, seed=2) - trained.generate(codes, seed=3)).max() > 1e-4
    noise = np.random.default_rng(0).normal(size=(5, 6))
    np.testing.assert_array_equal(
        trained.generate(codes, noise=noise, seed=2), trained.generate(codes, noise=noise, seed=3)
    )


def test_generating_without_codes_takes_those_of_registered_cells(trained):
    assert trained.generate(n_cells=11).shape == (11, 30)
    assert trained.generate().shape == (200, 30)
    np.testing.assert_array_equal(trained.generate(n_cells=300, seed=4), trained.generate(n_cells=300, seed=4))


def test_saved_model_generates_the_same_cells(trained, tmp_path):
    trained.save(tmp_path / "model")
    torch.load(tmp_path / "model" / "model.pt", weights_only=True)
    loaded = MichiGAN.load(tmp_path / "model", cells(), accelerator="cpu")
    codes = np.random.default_rng(0).normal(size=(9, 4))
    np.testing.assert_array_equal(loaded.generate(codes, seed=5), trained.generate(codes, seed=5))
    assert (loaded.collapsed, loaded.seed, loaded.is_trained_) == (trained.collapsed, 0, True)
    np.testing.assert_array_equal(loaded.traverse(3, 1), trained.traverse(3, 1))


def test_same_seed_same_bits_and_the_callers_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    codes = np.zeros((3, 4))
    made = [fit(seed=s).generate(codes) for s in (1, 1, 2)]
    assert torch.equal(torch.rand(1), expected)
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1e-4


def test_outputs_of_counts(counting):
    codes = counting.get_codes()[:8]
    library = np.linspace(50, 400, 8)
    made = counting.generate(codes, library_size=library)
    assert (made >= 0).all()
    if counting.module.output == "counts":
        np.testing.assert_allclose(made.sum(1), library, rtol=1e-4)
    else:
        assert (made == np.round(made)).all()
        assert made.sum() == pytest.approx(library.sum(), rel=0.5)
    assert counting.generate(n_cells=20).sum(1).min() > 0
    assert counting.traverse(0, 0).shape == (10, 30)
    source, target = {"cell_type": "type_0", "drug": "drug_0"}, {"cell_type": "type_0", "drug": "drug_2"}
    assert counting.predict(source, target).shape == (
        int((counting.adata.obs["cell_type"] == "type_0").sum() / 3) + 1,
        30,
    )


def test_a_traversal_moves_one_dimension_with_everything_else_fixed(trained):
    codes = trained.get_codes()
    values = np.array([-1.0, 0.0, 2.0])
    moved = trained.traverse(3, 1, values, seed=7)
    expected = np.repeat(codes[3:4], 3, axis=0)
    expected[:, 1] = values
    noise = np.random.default_rng(7).standard_normal((1, 6))
    np.testing.assert_array_equal(moved, trained.generate(expected, noise=noise, seed=7))
    np.testing.assert_array_equal(moved, trained.traverse(trained.adata.obs_names[3], 1, values, seed=7))
    np.testing.assert_array_equal(moved, trained.traverse(codes[3], 1, values, seed=7))
    ends = trained.traverse(3, 1, n_values=2, seed=7)
    expected = np.repeat(codes[3:4], 2, axis=0)
    expected[:, 1] = np.quantile(codes[:, 1], [0.01, 0.99])
    np.testing.assert_allclose(ends, trained.generate(expected, noise=noise, seed=7), atol=1e-5)


def test_latent_arithmetic_by_hand():
    obs = pd.DataFrame({"type": list("AAAABBBBCC"), "drug": list("0011001100")})
    z = np.arange(20, dtype=float).reshape(10, 2)
    moved, rows = shifted_codes(z, obs, {"type": "A", "drug": "0"}, {"type": "A", "drug": "1"})
    # Only B has cells of both drugs beside A, the target's own context.
    shift = z[6:8].mean(0) - z[4:6].mean(0)
    np.testing.assert_allclose(moved, z[:2] + shift)
    assert rows.tolist() == [0, 1]
    across, _ = shifted_codes(z, obs, {"type": "A", "drug": "1"}, {"type": "B", "drug": "1"})
    np.testing.assert_allclose(across, z[2:4] + z[4:6].mean(0) - z[:2].mean(0))


def test_contexts_weigh_the_same_whatever_their_size():
    obs = pd.DataFrame({"type": ["A"] + ["B"] * 2 + ["C"] * 11, "drug": ["0"] + ["0", "1"] + ["0"] + ["1"] * 10})
    z = np.concatenate([[0.0], [0.0, 1.0], [0.0], np.full(10, 3.0)])[:, None]
    moved, _ = shifted_codes(z, obs, {"type": "A", "drug": "0"}, {"type": "A", "drug": "1"})
    np.testing.assert_allclose(moved, [[2.0]])


def test_cells_of_the_target_are_never_used():
    obs = pd.DataFrame({"type": list("AABB"), "drug": list("0101")})
    z = np.array([[0.0], [99.0], [5.0], [7.0]])
    moved, _ = shifted_codes(z, obs, {"type": "A", "drug": "0"}, {"type": "A", "drug": "1"}, n_cells=3)
    np.testing.assert_allclose(moved, np.full((3, 1), 2.0))


def test_a_prediction_is_generated_from_shifted_codes(trained):
    source, target = {"cell_type": "type_0", "drug": "drug_1"}, {"cell_type": "type_1", "drug": "drug_1"}
    moved, _ = shifted_codes(trained.get_codes(), trained.adata.obs, source, target, n_cells=12, seed=3)
    np.testing.assert_array_equal(
        trained.predict(source, target, n_cells=12, seed=3), trained.generate(moved.astype(np.float32), seed=3)
    )


def test_keeping_the_residual_adds_the_generated_difference_to_the_source_cells(trained):
    source, target = {"cell_type": "type_0", "drug": "drug_1"}, {"cell_type": "type_0", "drug": "drug_2"}
    codes = trained.get_codes()
    moved, rows = shifted_codes(codes, trained.adata.obs, source, target)
    noise = np.random.default_rng(0).standard_normal((len(rows), 6))
    expected = trained.adata.X.toarray()[rows] + trained.generate(moved, noise=noise)
    expected -= trained.generate(codes[rows], noise=noise)
    np.testing.assert_allclose(trained.predict(source, target, keep_residual=True), expected, atol=1e-5)


def test_from_model_writes_codes_and_scales():
    adata = cells()
    BetaTCVAE.setup_anndata(adata)
    model = BetaTCVAE(adata, n_latent=3, n_hidden=[16], seed=0)
    model.train(1, progress=False, accelerator="cpu")
    gan = MichiGAN.from_model(model, **SMALL)
    assert gan.module.n_latent == 3
    mean, variance = model.get_latent_representation(return_dist=True)
    np.testing.assert_allclose(adata.obsm["X_betatcvae"], mean, rtol=1e-6)
    np.testing.assert_allclose(adata.obsm["X_betatcvae_scale"], np.sqrt(variance), rtol=1e-6)
    np.testing.assert_allclose(gan.get_codes(), mean, rtol=1e-6)
    away = gan.get_codes("sample", seed=0) - gan.get_codes()
    assert (away / np.sqrt(variance)).std() == pytest.approx(1.0, abs=0.1)


def test_models_without_a_posterior_give_their_codes():
    class Components:
        def __init__(self, adata):
            self.adata = adata

        def get_latent_representation(self, adata=None):
            return self.adata.obsm["X_pca"]

    adata = cells()
    gan = MichiGAN.from_model(Components(adata), **SMALL)
    np.testing.assert_allclose(gan.get_codes(), adata.obsm["X_components"], rtol=1e-6)
    with pytest.raises(ValueError, match="codes='sample' needs code_scale_key"):
        gan.train(1, codes="sample")


@pytest.mark.parametrize(
    ("options", "train"),
    [
        ({"conditional": False}, {}),
        ({"conditioning": "concatenation"}, {}),
        ({"wide_features": True, "critic_norm": "none"}, {"codes": "sample"}),
        ({"critic_norm": "layer"}, {"plan_kwargs": {"epsilon": "batch"}}),
        ({"conditional": False, "infer_codes": True}, {"plan_kwargs": {"information_weight": 1.0}}),
        (
            {"conditional": False, "infer_codes": True},
            {"plan_kwargs": {"information_weight": 1.0, "supervision_weight": 1.0}},
        ),
    ],
)
def test_every_variant_trains_to_finite_cells(options, train):
    model = fit(train=train, **options)
    assert np.isfinite(model.generate(n_cells=5)).all()
    losses = model.history[["critic_loss", "gradient_penalty", "generator_loss"]]
    assert np.isfinite(losses.to_numpy()).all()
    assert model.history.index.tolist() == [1, 2]


def test_an_unconditional_generator_needs_no_codes():
    adata = cells()
    MichiGAN.setup_anndata(adata)
    model = MichiGAN(adata, conditional=False, n_latent=5, **SMALL)
    assert model.generate(n_cells=4).shape == (4, 30)
    assert model.traverse(np.zeros(5), 2).shape == (10, 30)


def test_the_record_survives_h5ad(trained, tmp_path):
    record = trained.adata.uns["scpareto"]["michigan"]
    assert (record["max_epochs"], record["codes"], record["seed"]) == (2, "mean", 0)
    copy = anndata.AnnData(uns={"scpareto": {"michigan": record}})
    copy.write_h5ad(tmp_path / "a.h5ad")
    assert anndata.read_h5ad(tmp_path / "a.h5ad").uns["scpareto"]["michigan"]["batch_size"] == 50


def test_a_collapsed_generator_is_reported():
    adata = cells()
    MichiGAN.setup_anndata(adata, code_key="codes")
    model = MichiGAN(adata, **SMALL)
    assert model.collapsed is None
    torch.nn.init.zeros_(model.module.generator.head.weight)
    with pytest.warns(UserWarning, match="collapsed: generated cells have 0.0% of the variance"):
        model.train(1, batch_size=100, lr=1e-9, accelerator="cpu")
    assert model.collapsed is True
    assert float(model.history["relative_variance"].iloc[-1]) < 1e-3


def test_epochs_are_reported_as_they_end():
    seen = []
    fit(train={"max_epochs": 3, "on_epoch": lambda number, record: seen.append((number, sorted(record)))})
    assert seen == [(n, ["critic_loss", "generator_loss", "gradient_penalty"]) for n in (1, 2, 3)]


def test_diverged_training_says_so():
    with pytest.raises(TrainingDiverged, match="not finite"):
        fit(train={"lr": 1e12, "max_epochs": 5})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(np.zeros((2, 5))), r"shape \(2, 5\); the model takes \(n_cells, 4\)"),
        (lambda m: m.generate(np.full((2, 4), np.nan)), "NaN or infinite in 2 of 2"),
        (lambda m: m.generate(np.zeros((2, 4)), noise=np.zeros((3, 6))), r"noise has shape \(3, 6\)"),
        (lambda m: m.traverse(0, 4), "dim=4: the codes have dimensions 0 to 3"),
        (lambda m: m.get_codes("mode"), "codes='mode' is unknown"),
        (lambda m: m.predict({"drug": "drug_0"}, {"drug": "drug_1"}), "same two columns"),
        (
            lambda m: m.predict({"drug": "x", "cell_type": "type_0"}, {"drug": "drug_1", "cell_type": "type_0"}),
            "has no cells",
        ),
        (lambda m: m.train(0), "max_epochs=0"),
        (lambda m: m.train(1, plan_kwargs={"momentum": 1}), "unknown momentum"),
        (lambda m: m.train(1, plan_kwargs={"information_weight": 1.0}), "infer_codes=True"),
    ],
)
def test_bad_input_is_named(trained, call, message):
    with pytest.raises(ValueError, match=message):
        call(trained)


def test_unknown_cells_and_columns_are_named(trained):
    with pytest.raises(KeyError, match="cell 'x' is not"):
        trained.traverse("x", 0)
    with pytest.raises(KeyError, match="cell 200 is not one of the 200"):
        trained.traverse(200, 0)
    with pytest.raises(KeyError, match="'donor' is not in adata.obs"):
        trained.predict({"donor": "a", "drug": "b"}, {"donor": "a", "drug": "c"})


@pytest.mark.parametrize(
    ("setup", "init", "message"),
    [
        ({"code_key": "codes"}, {"n_latent": 7}, "n_latent=7, but the registered codes have 4"),
        ({}, {}, "needs codes: give code_key"),
        ({"code_key": "codes"}, {"conditioning": "none"}, "conditional=False"),
        ({"code_key": "codes", "layer": "counts"}, {}, "takes log-normalised expression"),
        ({"code_key": "codes"}, {"output": "nb"}, "raw counts are needed"),
        ({"code_key": "bad"}, {}, "finite matrix"),
        ({"code_key": "codes", "code_scale_key": "wide"}, {}, "standard deviation for every entry"),
        ({"code_scale_key": "scale"}, {}, "needs code_key"),
    ],
)
def test_bad_data_are_named(setup, init, message):
    adata = cells()
    adata.obsm["bad"] = np.full((200, 4), np.inf)
    adata.obsm["wide"] = np.ones((200, 5))
    with pytest.raises(ValueError, match=message):  # noqa: PT012 either step may refuse
        MichiGAN.setup_anndata(adata, **setup)
        MichiGAN(adata, **SMALL | init)


def test_posterior_of_probabilistic_pca_is_the_exact_one():
    """Bayes' rule in the space of genes: the joint Gaussian of codes and expression, conditioned by hand."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 12)) + 0.5 * rng.normal(size=(400, 12))
    model = ProbabilisticPCA(3).fit(x)
    pca = model._pca
    prior = np.diag(pca.explained_variance_ - pca.noise_variance_)
    loading = pca.components_.T
    total = loading @ prior @ loading.T + pca.noise_variance_ * np.eye(12)
    gain = prior @ loading.T @ np.linalg.inv(total)
    mean, scale = model.posterior(x)
    np.testing.assert_allclose(mean, (x - pca.mean_) @ gain.T, atol=1e-8)
    np.testing.assert_allclose(np.diag(scale[0] ** 2), prior - gain @ loading @ prior, atol=1e-8)
    decoded = model.decode(mean)
    assert np.corrcoef(decoded.ravel(), x.ravel())[0, 1] > 0.9
    noise = model.decode(np.zeros((5000, 3)), sample=True) - model.decode(np.zeros((5000, 3)))
    assert noise.std() == pytest.approx(np.sqrt(pca.noise_variance_), rel=0.02)


def test_mixture_finds_the_number_of_clusters():
    rng = np.random.default_rng(0)
    x = 8.0 * np.eye(3)[rng.integers(3, size=300)] + rng.normal(size=(300, 3))
    model = ExpressionMixture([1, 2, 3, 4], n_pcs=3).fit(x)
    assert model._mixture.n_components == 3
    made = model.generate(3000, seed=1)
    np.testing.assert_allclose(made.mean(0), x.mean(0), atol=0.5)
    np.testing.assert_array_equal(made, model.generate(3000, seed=1))
    with pytest.raises(RuntimeError, match="not fitted"):
        ExpressionMixture().generate(3)
    with pytest.raises(RuntimeError, match="not fitted"):
        ProbabilisticPCA().posterior(x)
