"""What SCVI can do works on a selected point, with the values of a plain SCVI of the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import scvi
import torch

from scpareto._runtime._seeding import seeded
from scpareto.model import ParetoVI


def abundance(model):
    model.differential_abundance(sample_key="batch")
    return np.hstack([np.asarray(v) for k, v in model.adata.obsm.items() if "log_prob" in k])


METHODS = {
    "get_latent_representation": lambda m: m.get_latent_representation(),
    "samples of codes": lambda m: m.get_latent_representation(give_mean=False),
    "get_aggregated_posterior": lambda m: m.get_aggregated_posterior().component_distribution.base_dist.loc,
    "get_elbo": lambda m: m.get_elbo(),
    "get_reconstruction_error": lambda m: m.get_reconstruction_error()["reconstruction_loss"],
    "get_marginal_ll": lambda m: m.get_marginal_ll(n_mc_samples=3),
    "get_normalized_expression": lambda m: m.get_normalized_expression(),
    "expression in another batch": lambda m: m.get_normalized_expression(transform_batch="batch_1"),
    "get_likelihood_parameters": lambda m: m.get_likelihood_parameters()["mean"],
    "get_feature_correlation_matrix": lambda m: m.get_feature_correlation_matrix(n_samples=2),
    "posterior_predictive_sample": lambda m: m.posterior_predictive_sample().todense(),
    "differential_abundance": abundance,
}


POINTS = {"knee": "knee", "uncorrected": 0, "strongest": -1, "between points of one training": None}


@pytest.fixture(scope="module", params=POINTS)
def twins(request, saved, conditional, tmp_path_factory, make_adata):
    """Return a trained model in a point and its plain twin, on the same data."""
    which = POINTS[request.param]
    if which is None:
        saved = tmp_path_factory.mktemp("conditional") / "model"
        conditional.save(saved)
    model = ParetoVI.load(saved, make_adata())
    if which is None:
        model.select(preference=0.37)
        assert model.preference.tolist() == pytest.approx([0.63, 0.37])
    else:
        model.select(model.front.numbers[-1] if which == -1 else which)
    return model, model.to_scvi()


def seeded_alike(model, do):
    # The twins take turns with one AnnData; SCVI draws cells whose counts it looks at when its turn comes.
    model._validate_anndata(model.adata)
    with seeded(0):
        scvi.settings.seed = 0
        found = do(model)
    return found.numpy() if isinstance(found, torch.Tensor) else np.asarray(found)


@pytest.mark.parametrize("name", METHODS)
def test_values_are_those_of_scvi(twins, name):
    ours, plain = (seeded_alike(model, METHODS[name]) for model in twins)
    assert np.isfinite(ours).all()
    assert ours.std() > 0 or ours.ndim == 0
    np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-5)


def test_the_points_differ(saved, make_adata):
    """Else equal values would say nothing about the point."""
    model = ParetoVI.load(saved, make_adata())
    found = []
    for number in (0, model.front.numbers[-1]):
        model.select(number)
        found.append(seeded_alike(model, METHODS["get_normalized_expression"]))
    assert not np.allclose(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["change", "vanilla"])
def test_differential_expression_has_the_same_values(twins, mode):
    changes = ["lfc_mean", "lfc_median", "proba_de"] if mode == "change" else []
    columns = ["bayes_factor", "scale1", "scale2", *changes]

    def table(model):
        found = model.differential_expression(groupby="batch", mode=mode, silent=True)
        return found.set_index("comparison", append=True)[columns].sort_index()

    ours, plain = (seeded_alike(model, table) for model in twins)
    np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-5)


def test_minified_data_have_the_same_expression(twins, tmp_path, make_adata):
    # Copies: the others need the counts.
    twins[0].save(tmp_path / "model")
    model = ParetoVI.load(tmp_path / "model", make_adata())
    pair = [model, model.to_scvi()]
    values = []
    for one in pair:
        one.adata = one.adata.copy()
        one.adata.obsm["mean"], one.adata.obsm["variance"] = one.get_latent_representation(return_dist=True)
        one.minify_adata(use_latent_qzm_key="mean", use_latent_qzv_key="variance")
        assert one.adata.X.nnz == 0
        options = ({}, {"transform_batch": "batch_1", "library_size": 100.0})
        values.append([seeded_alike(one, lambda m, o=o: m.get_normalized_expression(**o)) for o in options])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4, atol=1e-5)
    with_counts, without = (
        seeded_alike(m, lambda m: m.get_normalized_expression(n_samples=200, return_numpy=True))
        for m in (twins[0], pair[0])
    )
    # Means over 200 samples of codes, drawn apart.
    np.testing.assert_allclose(with_counts, without, rtol=0.06)


def test_the_plain_twin_is_an_scvi_and_nothing_else(twins):
    model, plain = twins
    assert type(plain) is scvi.model.SCVI
    assert plain.is_trained
    assert model.front is not None
    np.testing.assert_array_equal(plain.test_indices, model.test_indices)


def test_what_scvi_does_not_have_is_refused(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    with pytest.raises(ValueError, match="encoder of the library size has one layer"):
        ParetoVI(simulated, preset="paper").to_scvi()
    with pytest.raises(ValueError, match="a decoder that SCVI does not have"):
        ParetoVI(simulated, gene_batch_effect="multiplicative").to_scvi()
