"""What SCVI can do works on a selected point, with the values of a plain SCVI of the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import scvi
import torch

from scpareto.model import ParetoVI
from scpareto.train._seeding import seeded


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


@pytest.fixture(scope="module")
def twins(saved, make_adata):
    """Return the trained model and its plain twin, on the same data."""
    model = ParetoVI.load(saved, make_adata())
    return model, model.to_scvi()


@pytest.mark.parametrize("name", METHODS)
def test_values_are_those_of_scvi(twins, name):
    values = []
    for model in twins:
        with seeded(0):
            scvi.settings.seed = 0
            found = METHODS[name](model)
        values.append(found.numpy() if isinstance(found, torch.Tensor) else np.asarray(found))
    assert np.isfinite(values[0]).all()
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4, atol=1e-5)


def test_differential_expression_finds_the_same_changes(twins):
    # It draws cells and codes at random in parallel to other generators: equal up to that.
    changes = []
    for model in twins:
        table = model.differential_expression(groupby="batch", mode="change", silent=True)
        changes.append(table.set_index("comparison", append=True)["lfc_mean"].sort_index())
    assert changes[0].index.equals(changes[1].index)
    assert np.corrcoef(*changes)[0, 1] > 0.99


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
