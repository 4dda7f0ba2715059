from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scvi import REGISTRY_KEYS
from torch.distributions import Normal, kl_divergence

from scpareto.model.scinfovae import InfoVAE
from scpareto.model.scinfovae._reconstruction import RECONSTRUCTIONS
from scpareto.model.scinfovae._tapered import TaperedDecoder, TaperedEncoder, TaperedLayers

N_GENES = 12


@pytest.fixture
def minibatch():
    torch.manual_seed(0)
    return {
        REGISTRY_KEYS.X_KEY: torch.poisson(torch.full((30, N_GENES), 2.0)),
        REGISTRY_KEYS.BATCH_KEY: torch.arange(30).view(-1, 1) % 2,
        REGISTRY_KEYS.LABELS_KEY: torch.zeros(30, 1, dtype=torch.long),
        REGISTRY_KEYS.SIZE_FACTOR_KEY: torch.linspace(0.5, 2, 30).view(-1, 1),
    }


def network(**options):
    torch.manual_seed(1)
    defaults = {"n_hidden": [8, 6], "n_latent": 3, "n_batch": 2, "use_size_factor_key": True}
    return InfoVAE(N_GENES, **defaults | options)


def log_zinb(x, mu, theta, pi):
    """By the formula, of one count."""
    log_nb = (
        math.lgamma(x + theta)
        - math.lgamma(theta)
        - math.lgamma(x + 1)
        + theta * math.log(theta / (theta + mu))
        + x * math.log(mu / (theta + mu))
    )
    return math.log((pi if x == 0 else 0) + (1 - pi) * math.exp(log_nb))


@pytest.mark.parametrize("x", [0.0, 3.0])
def test_likelihood_by_hand_and_without_inflation(x):
    from scpareto.module import SparseZeroInflatedNegativeBinomial

    mu, theta, pi = 1.7, 0.6, 0.3
    logit = math.log(pi / (1 - pi))
    zinb = SparseZeroInflatedNegativeBinomial(
        mu=torch.tensor([[mu]]), theta=torch.tensor([[theta]]), zi_logits=torch.tensor([[logit]])
    )
    cost = RECONSTRUCTIONS["zinb"][1](zinb, torch.tensor([[x]]), None, None, 0.5)
    assert float(cost) == pytest.approx(-log_zinb(x, mu, theta, pi), rel=1e-5)
    plain = SparseZeroInflatedNegativeBinomial(
        mu=torch.tensor([[mu]]), theta=torch.tensor([[theta]]), zi_logits=torch.tensor([[-40.0]])
    )
    assert float(plain.log_prob(torch.tensor([[x]]))) == pytest.approx(log_zinb(x, mu, theta, 0.0), rel=1e-5)


def test_layers_taper_and_mirror():
    module = network(n_hidden=[8, 6, 4])
    widths = [layer[0].out_features for layer in module.z_encoder.encoder.fc_layers]
    assert widths == [8, 6, 4]
    assert [layer[0].out_features for layer in module.decoder.px_decoder.fc_layers] == [4, 6, 8]
    # Both batches are shown to every layer of the decoder and to none of the encoder.
    assert [layer[0].in_features for layer in module.decoder.px_decoder.fc_layers] == [3 + 2, 4 + 2, 6 + 2]
    assert module.z_encoder.encoder.fc_layers[0][0].in_features == N_GENES


def test_log_variances_and_means_are_bounded():
    encoder = TaperedEncoder(2, 2, [4])
    encoder.var_encoder.bias.data.fill_(100.0)
    qz, z = encoder(torch.randn(5, 2))
    torch.testing.assert_close(qz.scale, torch.full((5, 2), math.exp(3.0)))
    assert z.shape == (5, 2)
    decoder = TaperedDecoder(2, 3, [4])
    decoder.px_scale_decoder.bias.data.fill_(100.0)
    decoder.px_r_decoder.bias.data.fill_(1e6)
    scale, r, rate, _ = decoder("gene-cell", torch.randn(5, 2), torch.log(torch.full((5, 1), 2.0)))
    torch.testing.assert_close(scale, torch.full((5, 3), math.exp(13.8)))
    torch.testing.assert_close(rate, 2 * scale)
    torch.testing.assert_close(r, torch.full((5, 3), math.log(1e4)))


def test_no_layer_is_refused():
    with pytest.raises(ValueError, match="n_hidden is empty"):
        TaperedLayers(3, [])


def test_input_is_scaled_by_gene_or_by_cell(minibatch):
    x, factors = minibatch[REGISTRY_KEYS.X_KEY], minibatch[REGISTRY_KEYS.SIZE_FACTOR_KEY]
    u = torch.log1p(x / factors)
    module = network()
    sd = u.std(0)
    sd[0] = 0.0
    module.set_scaling(u.mean(0), sd, 7.0)
    scaled = module.scaled_input(x, factors)
    torch.testing.assert_close(scaled[:, 1:], ((u - u.mean(0)) / u.std(0))[:, 1:])
    torch.testing.assert_close(scaled[:, 0], u[:, 0] - u[:, 0].mean())
    by_cell = network(scale_axis="cell").scaled_input(x, factors)
    torch.testing.assert_close(by_cell.mean(1), torch.zeros(30), atol=1e-6, rtol=0)
    torch.testing.assert_close(by_cell.std(1, unbiased=False), torch.ones(30), atol=1e-5, rtol=0)
    module.set_scaling(torch.zeros(N_GENES), torch.full((N_GENES,), 1e-3), 7.0)
    assert float(module.scaled_input(x, factors).max()) == 10.0


def test_size_factors_are_registered_or_relative_totals(minibatch):
    x, factors = minibatch[REGISTRY_KEYS.X_KEY], minibatch[REGISTRY_KEYS.SIZE_FACTOR_KEY]
    module = network()
    module.median_total.fill_(4.0)
    assert torch.equal(module.size_factors(x, factors), factors)
    alone = network(use_size_factor_key=False)
    alone.median_total.fill_(4.0)
    torch.testing.assert_close(alone.size_factors(x, factors), x.sum(1, keepdim=True) / 4)
    assert torch.equal(network(gene_likelihood="normal").size_factors(x, factors), torch.ones(30, 1))


@pytest.mark.parametrize("likelihood", RECONSTRUCTIONS)
def test_loss_is_the_negative_elbo(minibatch, likelihood):
    module = network(gene_likelihood=likelihood).eval()
    torch.manual_seed(2)
    inference, generative, loss = module(minibatch)
    qz = inference["qz"]
    kl = kl_divergence(Normal(qz.loc, qz.scale), Normal(0, 1)).sum(1)
    torch.testing.assert_close(loss.kl_local["kl_divergence_z"], kl)
    reconstruction = loss.reconstruction_loss["reconstruction_loss"]
    torch.testing.assert_close(loss.loss, (reconstruction + kl).mean())
    torch.manual_seed(2)
    _, _, weighted = module(minibatch, loss_kwargs={"kl_weight": 0.25})
    torch.testing.assert_close(weighted.loss, (reconstruction + 0.25 * kl).mean())
    torch.testing.assert_close(weighted.kl_local["kl_divergence_z"], kl)
    if likelihood in ("zinb", "nb", "normal"):
        torch.testing.assert_close(reconstruction, -generative["px"].log_prob(minibatch["X"]).sum(1))


def test_squared_errors_by_hand(minibatch):
    x, factors = minibatch[REGISTRY_KEYS.X_KEY], minibatch[REGISTRY_KEYS.SIZE_FACTOR_KEY]
    for likelihood, variance in (("log_mse", 0.5), ("paper_mse", 2.0)):
        module = network(gene_likelihood=likelihood, squared_error_variance=variance).eval()
        torch.manual_seed(2)
        _, generative, loss = module(minibatch)
        px = generative["px"]
        expected = (1 - torch.sigmoid(px.zi_logits)) * px.scale
        seen = module.scaled_input(x, factors)
        error = torch.log1p(x / factors) - torch.log1p(expected) if likelihood == "log_mse" else seen - expected
        found = loss.reconstruction_loss["reconstruction_loss"]
        torch.testing.assert_close(found, error.square().sum(1) / (2 * variance))


def test_means_follow_size_factors_and_transformed_batches(minibatch):
    module = network().eval()
    inference, generative, _ = module(minibatch)
    px = generative["px"]
    torch.testing.assert_close(px.mu, px.scale * minibatch[REGISTRY_KEYS.SIZE_FACTOR_KEY])
    kwargs = {"z": inference["z"], "library": inference["library"], "batch_index": minibatch["batch"]}
    with torch.no_grad():
        own, first = module.generative(**kwargs)["px"].scale, module.generative(**kwargs, transform_batch=0)["px"].scale
    in_first = minibatch["batch"].view(-1) == 0
    torch.testing.assert_close(own[in_first], first[in_first])
    assert not torch.allclose(own[~in_first], first[~in_first])


def test_noise_in_training_only(minibatch):
    module = network(input_noise=2.0, use_batch_norm="none")
    module.set_scaling(torch.full((N_GENES,), 1.0), torch.full((N_GENES,), 0.5), 1.0)
    inputs = module._get_inference_input(minibatch)
    module.train()
    assert not torch.equal(module.inference(**inputs)["qz"].loc, module.inference(**inputs)["qz"].loc)
    module.eval()
    assert torch.equal(module.inference(**inputs)["qz"].loc, module.inference(**inputs)["qz"].loc)


def test_several_samples_have_a_dimension_of_their_own(minibatch):
    module = network().eval()
    inputs = module._get_inference_input(minibatch)
    inference = module.inference(**inputs, n_samples=4)
    assert inference["z"].shape == (4, 30, 3)
    generative = module.generative(z=inference["z"], library=inference["library"], batch_index=minibatch["batch"])
    assert generative["px"].mu.shape == (4, 30, N_GENES)


def test_centres_live_in_the_module():
    module = network(n_clusters=5)
    assert module.n_clusters == 5
    assert module.state_dict()["clustering.centres"].shape == (5, 3)
    module.add_clusters(2)
    assert module.n_clusters == 2
    assert network().n_clusters is None


def test_gaussian_means_are_on_the_scale_of_the_data():
    module = network(gene_likelihood="normal", n_batch=0, n_latent=2).eval()
    x = torch.randn(20, N_GENES) * 3 + 50
    module.set_scaling(x.mean(0), x.std(0), 1.0)
    _, generative, _ = module({"X": x, "batch": torch.zeros(20, 1), "labels": torch.zeros(20, 1)})
    px = generative["px"]
    np.testing.assert_allclose(px.mean.detach().numpy().mean(), 50, atol=5)
    torch.testing.assert_close(px.scale[0], x.std(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gene_likelihood": "poisson"}, "'poisson' is not one of zinb, nb, normal, log_mse, paper_mse"),
        ({"scale_axis": "batch"}, "'batch' is not one of gene, cell"),
        ({"dispersion": "gene-batch"}, "'gene-batch' is not one of gene, gene-cell"),
        ({"input_noise": -1.0}, "input_noise=-1.0"),
        ({"squared_error_variance": 0.0}, "squared_error_variance=0.0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)
