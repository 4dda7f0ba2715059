"""Autoencoder of the beta-TCVAE: published architecture, Gaussian or count likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from scvi.module import VAE
from torch import nn

from scpareto.module import LEAKY, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GeneLikelihood = Literal["gaussian", "nb", "zinb", "poisson"]
GENE_LIKELIHOODS: tuple[str, ...] = ("gaussian", "nb", "zinb", "poisson")


class GaussianDecoder(nn.Module):
    """Linear mean of log-normalised expression on top of hidden layers; the variance is 1 and not learned.

    Parameters
    ----------
    n_input, n_output
        Dimensions of a code, and genes.
    n_hidden
        Width of each hidden layer.
    n_cat_list
        Levels of categorical covariates.
    dropout_rate
        Dropout after each hidden layer.

    Examples
    --------
    Means of 20 genes for the codes of 8 cells:

    >>> import torch
    >>> from scpareto.model.betatcvae import GaussianDecoder
    >>> decoder = GaussianDecoder(2, 20, n_hidden=[16], n_cat_list=[], dropout_rate=0.0)
    >>> mean, _, _, _ = decoder("gene", torch.randn(8, 2), torch.ones(8, 1))
    >>> mean.shape
    torch.Size([8, 20])
    """

    def __init__(
        self, n_input: int, n_output: int, n_hidden: Sequence[int], n_cat_list: Sequence[int], dropout_rate: float
    ) -> None:
        super().__init__()
        self.px_decoder = Stack(n_input, n_hidden, dropout_rate=dropout_rate, n_cat_list=n_cat_list)
        self.px_mean_decoder = nn.Linear(n_hidden[-1], n_output)

    def forward(
        self, dispersion: str, z: torch.Tensor, library: torch.Tensor, *cat_list: torch.Tensor
    ) -> tuple[torch.Tensor, None, torch.Tensor, None]:
        """Decode codes; the signature is that of :class:`scvi.nn.DecoderSCVI`, but the library size is not used."""
        mean = self.px_mean_decoder(self.px_decoder(z, *cat_list))
        return mean, None, mean, None


class BetaTCVAEModule(VAE):
    """Variational autoencoder with hidden layers of decreasing width, for log-normalised expression or counts.

    Parameters
    ----------
    n_input, n_batch, n_labels, n_continuous_cov, n_cats_per_cov
        Sizes of the data, as in :class:`scvi.module.VAE`.
    n_latent
        Dimensions of a code.
    n_hidden
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    dropout_rate
        Dropout after each hidden layer.
    gene_likelihood
        ``"gaussian"`` has variance 1 for every gene and takes log-normalised expression; the others take counts.

    Raises
    ------
    ValueError
        If ``gene_likelihood`` is unknown.

    References
    ----------
    :cite:p:`Chen2018`, :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import torch
    >>> from scpareto.model.betatcvae import BetaTCVAEModule
    >>> module = BetaTCVAEModule(20, n_latent=2, n_hidden=[16, 8])
    >>> outputs = module.inference(torch.randn(8, 20), torch.zeros(8, 1))
    >>> outputs["qz"].loc.shape
    torch.Size([8, 2])
    >>> decoded = module.generative(outputs["z"], outputs["library"], torch.zeros(8, 1))["px"]
    >>> decoded.loc.shape, decoded.scale.unique().tolist()
    (torch.Size([8, 20]), [1.0])
    """

    def __init__(
        self,
        n_input: int,
        n_batch: int = 0,
        n_labels: int = 0,
        n_latent: int = 10,
        n_hidden: Sequence[int] = (512, 256),
        n_continuous_cov: int = 0,
        n_cats_per_cov: list[int] | None = None,
        dropout_rate: float = 0.2,
        gene_likelihood: GeneLikelihood = "gaussian",
    ) -> None:
        if gene_likelihood not in GENE_LIKELIHOODS:
            raise ValueError(f"gene_likelihood={gene_likelihood!r} is unknown; choose {', '.join(GENE_LIKELIHOODS)}.")
        gaussian = gene_likelihood == "gaussian"
        widths = [int(width) for width in n_hidden]
        super().__init__(
            n_input,
            n_batch=n_batch,
            n_labels=n_labels,
            n_hidden=widths[-1],
            n_latent=n_latent,
            n_layers=1,
            n_continuous_cov=n_continuous_cov,
            n_cats_per_cov=n_cats_per_cov,
            dropout_rate=dropout_rate,
            log_variational=not gaussian,
            gene_likelihood="normal" if gaussian else gene_likelihood,
            use_observed_lib_size=True,
            var_activation=squared_softplus,
            extra_encoder_kwargs={"var_eps": 0.0},
        )
        cats = [n_batch, *(n_cats_per_cov or [])]
        activations: list[Callable[[], nn.Module]] = [*[LEAKY] * (len(widths) - 1), nn.ReLU]
        self.z_encoder.encoder = Stack(n_input, widths, activations=activations, dropout_rate=dropout_rate)
        self.decoder: Any
        if gaussian:
            self.decoder = GaussianDecoder(n_latent + n_continuous_cov, n_input, widths[::-1], cats, dropout_rate)
            # exp(0) is the standard deviation; scvi-tools' own normal likelihood learns it.
            self.px_r.data.zero_()
            self.px_r.requires_grad_(False)
        else:
            decoder = self.decoder
            decoder.px_decoder = Stack(
                n_latent + n_continuous_cov, widths[::-1], dropout_rate=dropout_rate, n_cat_list=cats
            )
            # As published, the output layers follow the widest layer.
            decoder.px_scale_decoder = nn.Sequential(nn.Linear(widths[0], n_input), nn.Softmax(dim=-1))
            decoder.px_dropout_decoder = nn.Linear(widths[0], n_input)
            decoder.px_r_decoder = nn.Linear(widths[0], n_input)
        # The library encoder is never run, so its parameters are excluded from the optimisers.
        for parameter in self.get_submodule("l_encoder").parameters():
            parameter.requires_grad_(False)


def squared_softplus(x: torch.Tensor) -> torch.Tensor:
    """Return the variance whose square root is the softplus of ``x``."""
    # The floor keeps the square root differentiable.
    return nn.functional.softplus(x).square() + 1e-8
