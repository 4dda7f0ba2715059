from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from scvi import REGISTRY_KEYS
from scvi.distributions import Poisson, ZeroInflatedNegativeBinomial
from scvi.module import VAE
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import softplus

from scpareto.module import ParetoVAE, SparseNegativeBinomial, SparseZeroInflatedNegativeBinomial

N_GENES, N_BATCH = 12, 3
LEARNED = {
    "use_observed_lib_size": False,
    "library_log_means": np.array([[1.0, 2.0, 3.0]]),
    "library_log_vars": np.array([[0.5, 0.6, 0.7]]),
}


def tensors(n_cells=40, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)
    x = torch.poisson(0.4 * torch.ones(n_cells, N_GENES), generator=generator)
    x[:, 0] += 1
    batch = torch.randint(N_BATCH, (n_cells, 1), generator=generator)
    return {
        REGISTRY_KEYS.X_KEY: x,
        REGISTRY_KEYS.BATCH_KEY: batch,
        REGISTRY_KEYS.LABELS_KEY: torch.zeros(n_cells, 1).long(),
        **more,
    }


def build(cls=ParetoVAE, **options):
    torch.manual_seed(0)
    return cls(N_GENES, n_batch=N_BATCH, n_hidden=16, n_latent=4, **options)


def pass_through(module, data, **loss_kwargs):
    torch.manual_seed(1)
    return module(data, loss_kwargs=loss_kwargs, get_inference_input_kwargs={"full_forward_pass": True})


@pytest.mark.parametrize("likelihood", ["zinb", "nb", "poisson"])
@pytest.mark.parametrize("library", [{}, LEARNED])
@pytest.mark.parametrize("dispersion", ["gene", "gene-batch", "gene-cell"])
def test_loss_and_gradients_are_those_of_scvi(likelihood, library, dispersion):
    """Same weights and same random numbers, in training mode: dropout and batch normalisation included."""
    options = {"gene_likelihood": likelihood, "dispersion": dispersion, "n_layers": 2, **library}
    ours, theirs = build(**options), build(VAE, **options)
    theirs.load_state_dict(ours.state_dict())
    losses = [pass_through(module.train(), tensors())[2].loss for module in (ours, theirs)]
    assert float(losses[0].detach()) == pytest.approx(float(losses[1].detach()), rel=1e-6)
    for loss in losses:
        loss.backward()
    reference = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        if reference[name].grad is None:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, reference[name].grad, rtol=1e-3, atol=1e-4)


def test_negative_binomial_counts_get_the_sparse_likelihood():
    expected = {
        "zinb": SparseZeroInflatedNegativeBinomial,
        "nb": SparseNegativeBinomial,
        "poisson": Poisson,
    }
    for likelihood, cls in expected.items():
        _, generative, _ = pass_through(build(gene_likelihood=likelihood), tensors())
        assert type(generative["px"]) is cls
    px = pass_through(build(), tensors())[1]["px"]
    assert isinstance(px, ZeroInflatedNegativeBinomial)
    torch.testing.assert_close(px.scale.sum(1), torch.ones(40))


@pytest.mark.parametrize("library", [{}, LEARNED])
def test_negative_elbo_is_reconstruction_and_unweighted_kl(library):
    module, data = build(**library).eval(), tensors()
    inference, generative, loss = pass_through(module.requires_grad_(False), data, kl_weight=1.0)
    divergence = kl_divergence(inference["qz"], Normal(0.0, 1.0)).sum(1)
    if library:
        row = data[REGISTRY_KEYS.BATCH_KEY].flatten()
        prior = Normal(
            torch.tensor(library["library_log_means"])[0, row], torch.tensor(library["library_log_vars"])[0, row].sqrt()
        )
        divergence = divergence + kl_divergence(inference["ql"], Normal(prior.loc[:, None], prior.scale[:, None]))[:, 0]
    reconstruction = -generative["px"].log_prob(data[REGISTRY_KEYS.X_KEY]).sum(1)
    assert float(loss.loss) == pytest.approx(float((reconstruction + divergence).mean()), rel=1e-5)
    default = pass_through(module, data)[2].loss
    assert float(default) == float(loss.loss), "the weight is 1 where nobody asks for another"


@pytest.mark.parametrize("library", [{}, LEARNED])
def test_the_encoder_does_not_see_the_batch(library):
    module, data = build(**library).eval(), tensors()
    other = data | {REGISTRY_KEYS.BATCH_KEY: (data[REGISTRY_KEYS.BATCH_KEY] + 1) % N_BATCH}
    (first, decoded, _), (second, decoded_again, _) = (pass_through(module, d) for d in (data, other))
    for name in ("qz", *(["ql"] if library else [])):
        torch.testing.assert_close(first[name].loc, second[name].loc, rtol=0, atol=0)
        torch.testing.assert_close(first[name].scale, second[name].scale, rtol=0, atol=0)
    assert not torch.allclose(decoded["px"].mu, decoded_again["px"].mu), "the decoder does"


def linears(encoder):
    return [layer for layer in encoder.modules() if isinstance(layer, torch.nn.Linear)]


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_library_encoder_has_the_layers_asked_for(n_layers):
    module = build(n_layers_library=n_layers, **LEARNED)
    assert [layer.in_features for layer in linears(module.l_encoder.encoder)] == [N_GENES] + [16] * (n_layers - 1)
    assert module.l_encoder.mean_encoder.out_features == 1
    _, _, loss = pass_through(module, tensors())
    loss.loss.backward()
    assert all(parameter.grad is not None for parameter in module.l_encoder.parameters())


def test_an_observed_library_size_has_no_trained_encoder():
    module = build()
    trained = {name.split(".")[0] for name, p in module.named_parameters() if p.requires_grad}
    assert "l_encoder" not in trained
    assert {"z_encoder", "decoder", "px_r"} <= trained
    pass_through(module, tensors())[2].loss.backward()
    without = {name for name, p in module.named_parameters() if p.requires_grad and p.grad is None}
    assert without == {"decoder.px_r_decoder.weight", "decoder.px_r_decoder.bias"}, "unused by scvi-tools itself"


def test_a_deeper_library_encoder_differs_in_depth_only():
    """Covariates, activation of the variance and its floor are those of the one-layer encoder of scvi-tools."""
    options = {
        "encode_covariates": True,
        "n_continuous_cov": 2,
        "n_cats_per_cov": [4],
        "var_activation": softplus,
        "var_eps": 0.25,
        "use_batch_norm": "none",
        "use_layer_norm": "both",
        **LEARNED,
    }
    one, two = build(**options), build(n_layers_library=2, **options)
    data = tensors(
        **{REGISTRY_KEYS.CONT_COVS_KEY: torch.randn(40, 2), REGISTRY_KEYS.CAT_COVS_KEY: torch.randint(4, (40, 1))}
    )
    for module in (one, two):
        assert torch.isfinite(pass_through(module, data)[2].loss)
    assert two.l_encoder.var_activation is one.l_encoder.var_activation
    assert two.l_encoder.var_eps == one.l_encoder.var_eps == 0.25
    first, deeper = (linears(module.l_encoder.encoder) for module in (one, two))
    assert [len(first), len(deeper)] == [1, 2]
    assert deeper[0].in_features == first[0].in_features == N_GENES + 2 + N_BATCH + 4
    norms = [{type(layer) for layer in m.l_encoder.modules() if "Norm" in type(layer).__name__} for m in (one, two)]
    assert norms == [{torch.nn.LayerNorm}] * 2


def test_floor_of_the_posterior_variances():
    for floor in (0.0, 0.5):
        module = build(var_eps=floor).eval()
        with torch.no_grad():
            module.z_encoder.var_encoder.weight.zero_()
            module.z_encoder.var_encoder.bias.fill_(-30.0)
        scale = pass_through(module, tensors())[0]["qz"].scale
        torch.testing.assert_close(scale**2, torch.full_like(scale, floor), rtol=1e-5, atol=1e-9)
    assert build().z_encoder.var_eps == VAE(N_GENES).z_encoder.var_eps


def test_every_parameter_of_scvi_is_declared_by_name_with_its_default():
    ours, theirs = (inspect.signature(cls.__init__).parameters for cls in (ParetoVAE, VAE))
    assert not [name for name, p in ours.items() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    assert set(theirs) - {"kwargs"} <= set(ours)
    changed = {name for name in theirs if name in ours and theirs[name].default != ours[name].default}
    assert changed == {"n_layers"}
