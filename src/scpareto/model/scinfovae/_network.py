"""The network of ScInfoVAE: a variational autoencoder with input scaling, size factors and cluster centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from scvi import REGISTRY_KEYS
from scvi.distributions import Normal
from scvi.module import VAE
from scvi.module.base import LossOutput, auto_move_data
from torch.distributions import kl_divergence

from scpareto._scvi_compat import MODULE_KEYS
from scpareto.model._minified import refuse_minified
from scpareto.model.scinfovae._reconstruction import RECONSTRUCTIONS
from scpareto.model.scinfovae._tapered import TaperedDecoder, TaperedEncoder
from scpareto.module import with_sparse_likelihood
from scpareto.objectives import DeepClustering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Likelihood = Literal["zinb", "nb", "normal", "log_mse", "paper_mse"]
ScaleAxis = Literal["gene", "cell"]

_CLIP = 10.0
_SIZE_FACTOR = "size_factor"
_SCALED = "scaled"


class InfoVAE(VAE):
    r"""Variational autoencoder of ScInfoVAE.

    The encoder sees :math:`\log(1 + x / l)`, scaled to mean 0 and variance 1 and clipped at 10, with the size factor
    :math:`l` of the cell; the decoder explains the counts :math:`x` with means :math:`l \, m_g(z)`. :meth:`loss` is the
    negative evidence lower bound; the training adds the further terms of an InfoVAE and the clustering term.

    Parameters
    ----------
    n_input, n_batch, n_labels, n_latent, dropout_rate, dispersion, extra_payload_autotune
        As in :class:`scvi.module.VAE`; the decoder sees the batch if there are several.
    n_hidden
        Width of each hidden layer of the encoder; the decoder has them in reverse order.
    gene_likelihood
        ``"zinb"``, ``"nb"``, ``"normal"`` for continuous values, or a squared error: ``"log_mse"`` of log-normalised
        counts and ``"paper_mse"`` of the scaled input, both of the mean of the zero-inflated distribution.
    squared_error_variance
        Variance :math:`c` that divides squared errors; they are :math:`\sum_g (\cdot)^2 / (2 c)`.
    input_noise
        Standard deviation of Gaussian noise that is added to the scaled input in training.
    scale_axis
        Whether the input is scaled by ``"gene"``, over cells, or by ``"cell"``, over genes.
    use_batch_norm
        Where batch normalisation is used.
    n_clusters
        Number of clusters; None if it is still unknown.
    nu
        Degrees of freedom of the soft cluster assignments.
    use_size_factor_key
        Whether size factors are registered with the data. Without them they are the total counts of a cell divided by
        their median over the training data.

    Attributes
    ----------
    clustering
        The :class:`~scpareto.objectives.DeepClustering` whose centres are the clusters; None without ``n_clusters``.

    Raises
    ------
    ValueError
        If a choice is unknown or a number out of range.

    References
    ----------
    Likelihood: :cite:p:`Lopez2018`; noise at the input and clusters: :cite:p:`Tian2019`; objective: :cite:p:`Zhao2019`.

    Examples
    --------
    >>> import torch
    >>> from scpareto.model.scinfovae import InfoVAE
    >>> _ = torch.manual_seed(0)
    >>> module = InfoVAE(20, n_latent=2, n_hidden=[16], n_clusters=3).eval()
    >>> outputs = module.inference(torch.poisson(torch.full((8, 20), 2.0)), torch.zeros(8, 1))
    >>> outputs["qz"].loc.shape
    torch.Size([8, 2])
    >>> module.clustering.assign(outputs["qz"].loc).shape
    torch.Size([8, 3])
    """

    def __init__(
        self,
        n_input: int,
        n_batch: int = 0,
        n_labels: int = 0,
        n_hidden: Sequence[int] = (500, 256, 256),
        n_latent: int = 10,
        dropout_rate: float = 0.0,
        dispersion: Literal["gene", "gene-cell"] = "gene-cell",
        gene_likelihood: Likelihood = "zinb",
        squared_error_variance: float = 0.5,
        input_noise: float = 1.5,
        scale_axis: ScaleAxis = "gene",
        use_batch_norm: Literal["encoder", "decoder", "none", "both"] = "both",
        n_clusters: int | None = None,
        nu: float = 1.0,
        use_size_factor_key: bool = False,
        extra_payload_autotune: bool = False,
    ) -> None:
        if gene_likelihood not in RECONSTRUCTIONS:
            raise ValueError(f"gene_likelihood={gene_likelihood!r} is not one of {', '.join(RECONSTRUCTIONS)}.")
        if scale_axis not in get_args(ScaleAxis):
            raise ValueError(f"scale_axis={scale_axis!r} is not one of {', '.join(get_args(ScaleAxis))}.")
        if dispersion not in ("gene", "gene-cell"):
            raise ValueError(f"dispersion={dispersion!r} is not one of gene, gene-cell.")
        if input_noise < 0 or not squared_error_variance > 0:
            raise ValueError(
                f"input_noise={input_noise} must not be negative and squared_error_variance={squared_error_variance} "
                "must be positive."
            )
        distribution, self._reconstruction = RECONSTRUCTIONS[gene_likelihood]
        continuous = distribution == "normal"
        super().__init__(
            n_input,
            n_batch=n_batch,
            n_labels=n_labels,
            # Encoder and decoder are replaced below.
            n_hidden=1,
            n_layers=1,
            n_latent=n_latent,
            dispersion="gene" if continuous else dispersion,
            gene_likelihood=distribution,
            log_variational=not continuous,
            extra_payload_autotune=extra_payload_autotune,
        )
        widths = [int(width) for width in n_hidden]
        self.z_encoder = TaperedEncoder(
            n_input, n_latent, widths, dropout_rate=dropout_rate, use_batch_norm=use_batch_norm in ("encoder", "both")
        )
        self.decoder = TaperedDecoder(
            n_latent,
            n_input,
            widths[::-1],
            [n_batch],
            use_batch_norm=use_batch_norm in ("decoder", "both"),
            continuous=continuous,
        )
        # The library encoder is never run, so its parameters are excluded from the optimisers.
        for parameter in self.get_submodule("l_encoder").parameters():
            parameter.requires_grad_(False)
        if continuous:
            self.px_r = torch.nn.Parameter(torch.zeros(n_input))
        self.continuous = continuous
        self.squared_error_variance = squared_error_variance
        self.input_noise = input_noise
        self.scale_axis = scale_axis
        self.has_size_factors = bool(use_size_factor_key)
        self.register_buffer("input_mean", torch.zeros(n_input))
        self.register_buffer("input_sd", torch.ones(n_input))
        self.register_buffer("median_total", torch.ones(()))
        self.nu = nu
        self.clustering: DeepClustering | None = None
        if n_clusters is not None:
            self.add_clusters(n_clusters)

    def add_clusters(self, n_clusters: int) -> DeepClustering:
        """Add centres for a number of clusters, initially zero; they replace existing ones."""
        self.clustering = DeepClustering(self.n_latent, n_clusters=n_clusters, nu=self.nu).to(self.input_mean.device)
        return self.clustering

    @property
    def n_clusters(self) -> int | None:
        """Number of clusters; None if it is still unknown."""
        return None if self.clustering is None else self.clustering.n_clusters

    def set_scaling(self, mean: Tensor, sd: Tensor, median_total: float) -> None:
        """Set the scaling of the inputs, computed from the data of the model.

        Parameters
        ----------
        mean, sd
            Mean and standard deviation of every gene's input, shape ``(n_input,)``; a standard deviation of 0 counts
            as 1.
        median_total
            Median of the total counts of a cell.
        """
        self.input_mean.copy_(mean)
        self.input_sd.copy_(torch.where(sd > 0, sd, torch.ones_like(sd)))
        self.median_total.fill_(median_total)

    def size_factors(self, x: Tensor, registered: Tensor | None = None) -> Tensor:
        """Return size factors of cells, shape ``(n_cells, 1)``: registered ones if there are any, or those of ``x``."""
        if self.continuous:
            return torch.ones_like(x[:, :1])
        if self.has_size_factors and registered is not None:
            return registered.view(-1, 1)
        return (x.sum(1, keepdim=True) / self.median_total).clamp(min=1e-6)

    def scaled_input(self, x: Tensor, size_factor: Tensor) -> Tensor:
        """Return the encoder's input for counts ``x``, same shape, without noise."""
        u = x if self.continuous else torch.log1p(x / size_factor)
        if self.scale_axis == "cell":
            mean, sd = u.mean(1, keepdim=True), u.std(1, keepdim=True, unbiased=False).clamp(min=1e-8)
        else:
            mean, sd = self.input_mean, self.input_sd
        return ((u - mean) / sd).clamp(-_CLIP, _CLIP)

    def _get_inference_input(self, tensors: dict[str, Any], full_forward_pass: bool = False) -> dict[str, Any]:
        inputs = super()._get_inference_input(tensors, full_forward_pass)
        return inputs | {_SIZE_FACTOR: tensors.get(REGISTRY_KEYS.SIZE_FACTOR_KEY)}

    @auto_move_data
    def _regular_inference(
        self,
        x: Tensor,
        batch_index: Tensor,
        cont_covs: Tensor | None = None,
        cat_covs: Tensor | None = None,
        n_samples: int = 1,
        size_factor: Tensor | None = None,
    ) -> dict[str, Any]:
        """Encode cells."""
        size_factor = self.size_factors(x, size_factor)
        scaled = self.scaled_input(x, size_factor)
        noisy = scaled + self.input_noise * torch.randn_like(scaled) if self.training and self.input_noise else scaled
        qz, z = self.z_encoder(noisy)
        library = torch.log(size_factor)
        if n_samples > 1:
            z = qz.sample((n_samples,))
            library = library.expand(n_samples, *library.shape)
        return {
            MODULE_KEYS.Z_KEY: z,
            MODULE_KEYS.QZ_KEY: qz,
            MODULE_KEYS.QL_KEY: None,
            MODULE_KEYS.LIBRARY_KEY: library,
            _SCALED: scaled,
        }

    @auto_move_data
    def _cached_inference(
        self,
        qzm: Tensor,
        qzv: Tensor,
        observed_lib_size: Tensor,
        n_samples: int = 1,
        size_factor: Tensor | None = None,
    ) -> dict[str, Any]:
        """Return codes and size factors of minified data."""
        outputs = super()._cached_inference(qzm, qzv, observed_lib_size, n_samples)
        factors = self.size_factors(observed_lib_size.view(-1, 1), size_factor)
        library = torch.log(factors)
        outputs[MODULE_KEYS.LIBRARY_KEY] = library.expand(n_samples, *library.shape) if n_samples > 1 else library
        return outputs

    def generative(
        self,
        z: Tensor,
        library: Tensor,
        batch_index: Tensor,
        cont_covs: Tensor | None = None,
        cat_covs: Tensor | None = None,
        size_factor: Tensor | None = None,
        y: Tensor | None = None,
        transform_batch: Tensor | None = None,
    ) -> dict[str, Any]:
        """Run the generative process; see :meth:`scvi.module.VAE.generative`."""
        # Arguments are named because scvi-tools inspects this signature for ``transform_batch``.
        outputs = super().generative(
            z=z, library=library, batch_index=batch_index, y=y, transform_batch=transform_batch
        )
        px = with_sparse_likelihood(outputs[MODULE_KEYS.PX_KEY])
        if isinstance(px, Normal):
            mean = self.input_mean + self.input_sd * px.loc
            px = Normal(mean, self.input_sd * px.scale, normal_mu=mean)
        outputs[MODULE_KEYS.PX_KEY] = px
        return outputs

    def loss(
        self,
        tensors: dict[str, Tensor],
        inference_outputs: dict[str, Any],
        generative_outputs: dict[str, Any],
        kl_weight: Tensor | float = 1.0,
    ) -> LossOutput:
        r"""Negative evidence lower bound :math:`R + w \, \mathrm{KL}(q(z \mid x) \Vert N(0, I))` in nats per cell.

        Parameters
        ----------
        tensors
            The minibatch.
        inference_outputs, generative_outputs
            Outputs of :meth:`inference` and :meth:`generative`.
        kl_weight
            Weight :math:`w`; the reported terms are unweighted.

        Returns
        -------
        The loss. With a squared error as ``gene_likelihood``, it replaces the negative log-likelihood.
        """
        refuse_minified(self, "explain")
        x = tensors[REGISTRY_KEYS.X_KEY]
        qz, pz = inference_outputs[MODULE_KEYS.QZ_KEY], generative_outputs[MODULE_KEYS.PZ_KEY]
        kl = kl_divergence(qz, pz).sum(-1)
        reconstruction = self._reconstruction(
            generative_outputs[MODULE_KEYS.PX_KEY],
            x,
            torch.exp(inference_outputs[MODULE_KEYS.LIBRARY_KEY]),
            inference_outputs[_SCALED],
            self.squared_error_variance,
        )
        payload = {}
        if self.extra_payload_autotune:
            payload = {
                "z": inference_outputs[MODULE_KEYS.Z_KEY],
                "batch": tensors[REGISTRY_KEYS.BATCH_KEY],
                "labels": tensors[REGISTRY_KEYS.LABELS_KEY],
            }
        return LossOutput(
            loss=torch.mean(reconstruction + kl_weight * kl),
            reconstruction_loss=reconstruction,
            kl_local={MODULE_KEYS.KL_Z_KEY: kl},
            extra_metrics=payload,
        )
