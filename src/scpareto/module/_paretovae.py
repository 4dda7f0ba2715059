"""The generative model whose objectives are traded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from scvi.module import VAE
from scvi.nn import Encoder

from scpareto._scvi_compat import MODULE_KEYS
from scpareto.module._likelihood import with_sparse_likelihood
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch


class ParetoVAE(VAE):
    """scVI's variational autoencoder with a faster likelihood and the encoders of the published front.

    The encoder reads expression only; it can learn the batch only from the counts. The negative ELBO that
    :meth:`scvi.module.VAE.loss` returns is the generative loss, unweighted and without warm-up. Parameters that are not
    listed are those of :class:`scvi.module.VAE`.

    Parameters
    ----------
    n_layers_library
        Hidden layers of the library-size encoder, used when the library size is learned. scvi-tools has 1, the
        published model 2.
    var_eps
        Lower bound of the posterior variances. scvi-tools has 1e-4, the published model none.
    gene_batch_effect
        ``"multiplicative"``: the batch enters the decoder only as one factor for each gene, see
        :class:`scpareto.module.MultiplicativeDecoder`. None: the decoder of scVI.
    learn_batch_effect
        Whether these factors are learned.

    Raises
    ------
    ValueError
        If ``gene_batch_effect`` is unknown, or is given with fewer than two batches or with embedded batches.

    References
    ----------
    :cite:p:`Lopez2018`, :cite:p:`Li2022`.

    Examples
    --------
    >>> import torch
    >>> from scpareto.module import ParetoVAE
    >>> _ = torch.manual_seed(0)
    >>> module = ParetoVAE(20, n_batch=2, n_hidden=16, n_latent=2).eval()
    >>> batch = torch.tensor([[0], [1]])
    >>> outputs = module.inference(torch.poisson(torch.full((2, 20), 2.0)), batch)
    >>> outputs["qz"].loc.shape
    torch.Size([2, 2])
    >>> module.generative(outputs["z"], outputs["library"], batch)["px"].mean.shape
    torch.Size([2, 20])
    """

    def __init__(
        self,
        n_input: int,
        n_batch: int = 0,
        n_labels: int = 0,
        n_hidden: int = 128,
        n_latent: int = 10,
        n_layers: int = 2,
        n_layers_library: int = 1,
        n_continuous_cov: int = 0,
        n_cats_per_cov: list[int] | None = None,
        dropout_rate: float = 0.1,
        var_eps: float = 1e-4,
        dispersion: Literal["gene", "gene-batch", "gene-label", "gene-cell"] = "gene",
        log_variational: bool = True,
        gene_likelihood: Literal["zinb", "nb", "poisson", "normal"] = "zinb",
        latent_distribution: Literal["normal", "ln"] = "normal",
        encode_covariates: bool = False,
        deeply_inject_covariates: bool = True,
        batch_representation: Literal["one-hot", "embedding"] = "one-hot",
        use_batch_norm: Literal["encoder", "decoder", "none", "both"] = "both",
        use_layer_norm: Literal["encoder", "decoder", "none", "both"] = "none",
        use_size_factor_key: bool = False,
        use_observed_lib_size: bool = True,
        extra_payload_autotune: bool = False,
        library_log_means: np.ndarray | None = None,
        library_log_vars: np.ndarray | None = None,
        var_activation: Callable[[torch.Tensor], torch.Tensor] | None = None,
        extra_encoder_kwargs: dict[str, Any] | None = None,
        extra_decoder_kwargs: dict[str, Any] | None = None,
        batch_embedding_kwargs: dict[str, Any] | None = None,
        gene_batch_effect: Literal["multiplicative"] | None = None,
        learn_batch_effect: bool = True,
    ) -> None:
        if gene_batch_effect not in (None, "multiplicative"):
            raise ValueError(f"gene_batch_effect={gene_batch_effect!r} is unknown; give 'multiplicative' or None.")
        if gene_batch_effect and (n_batch < 2 or batch_representation != "one-hot"):
            raise ValueError(
                f"gene_batch_effect={gene_batch_effect!r} needs two batches and batch_representation='one-hot', got "
                f"{n_batch} and {batch_representation!r}."
            )
        encoder_kwargs = {"var_eps": var_eps, **(extra_encoder_kwargs or {})}
        super().__init__(
            n_input,
            n_batch=n_batch,
            n_labels=n_labels,
            n_hidden=n_hidden,
            n_latent=n_latent,
            n_layers=n_layers,
            n_continuous_cov=n_continuous_cov,
            n_cats_per_cov=n_cats_per_cov,
            dropout_rate=dropout_rate,
            dispersion=dispersion,
            log_variational=log_variational,
            gene_likelihood=gene_likelihood,
            latent_distribution=latent_distribution,
            encode_covariates=encode_covariates,
            deeply_inject_covariates=deeply_inject_covariates,
            batch_representation=batch_representation,
            use_batch_norm=use_batch_norm,
            use_layer_norm=use_layer_norm,
            use_size_factor_key=use_size_factor_key,
            use_observed_lib_size=use_observed_lib_size,
            extra_payload_autotune=extra_payload_autotune,
            library_log_means=library_log_means,
            library_log_vars=library_log_vars,
            var_activation=var_activation,
            extra_encoder_kwargs=encoder_kwargs,
            extra_decoder_kwargs=extra_decoder_kwargs,
            batch_embedding_kwargs=batch_embedding_kwargs,
        )
        if gene_batch_effect:
            self.decoder = MultiplicativeDecoder(
                n_latent + n_continuous_cov,
                n_input,
                n_batch,
                list(n_cats_per_cov or []),
                learned=learn_batch_effect,
                n_layers=n_layers,
                n_hidden=n_hidden,
                inject_covariates=deeply_inject_covariates,
                use_batch_norm=use_batch_norm in ("decoder", "both"),
                use_layer_norm=use_layer_norm in ("decoder", "both"),
                scale_activation="softplus" if use_size_factor_key else "softmax",
                **(extra_decoder_kwargs or {}),
            )
        if self.use_observed_lib_size:
            # The library encoder is never run: exclude its parameters from optimisers.
            for parameter in self.get_submodule("l_encoder").parameters():
                parameter.requires_grad_(False)
        elif n_layers_library != 1:
            layers: Any = self.get_submodule("l_encoder").encoder
            self.l_encoder = Encoder(
                layers.fc_layers[0][0].in_features - sum(layers.n_cat_list),
                1,
                n_cat_list=layers.n_cat_list,
                n_layers=n_layers_library,
                n_hidden=n_hidden,
                dropout_rate=dropout_rate,
                inject_covariates=deeply_inject_covariates,
                use_batch_norm=use_batch_norm in ("encoder", "both"),
                use_layer_norm=use_layer_norm in ("encoder", "both"),
                var_activation=var_activation,
                return_dist=True,
                **encoder_kwargs,
            )

    def generative(
        self,
        z: torch.Tensor,
        library: torch.Tensor,
        batch_index: torch.Tensor,
        cont_covs: torch.Tensor | None = None,
        cat_covs: torch.Tensor | None = None,
        size_factor: torch.Tensor | None = None,
        y: torch.Tensor | None = None,
        transform_batch: torch.Tensor | None = None,
    ) -> dict[str, Any]:
        """Run the generative process; see :meth:`scvi.module.VAE.generative`."""
        # Explicit parameters: scvi-tools inspects this signature to find out whether it takes transform_batch.
        outputs = super().generative(
            z=z,
            library=library,
            batch_index=batch_index,
            cont_covs=cont_covs,
            cat_covs=cat_covs,
            size_factor=size_factor,
            y=y,
            transform_batch=transform_batch,
        )
        outputs[MODULE_KEYS.PX_KEY] = with_sparse_likelihood(outputs[MODULE_KEYS.PX_KEY])
        return outputs
