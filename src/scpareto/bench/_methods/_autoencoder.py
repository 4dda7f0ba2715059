"""Base module and adapter of SAUCIE and DESC: autoencoders with deterministic codes and no likelihood."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from scvi import REGISTRY_KEYS
from scvi.module.base import BaseModuleClass, LossOutput, auto_move_data
from torch.distributions import Normal

from scpareto._scvi_compat import MODULE_KEYS
from scpareto.train import VAEAdapter, register_adapter

if TYPE_CHECKING:
    from torch import Tensor, nn

CODE_SCALE = 1e-6
"""Standard deviation of the posterior of a deterministic code."""
_TARGET, _RECONSTRUCTION = "target", "reconstruction"
_TARGET_DEPTH = 1e4


class AutoencoderModule(BaseModuleClass):
    """An autoencoder of counts with deterministic codes, whose loss is a squared error, not a negative ELBO.

    The posterior of a code is a normal distribution with standard deviation 1e-6 around it, and a sampled code is the
    code itself. There is no prior.

    Parameters
    ----------
    network
        The network with the methods ``encode`` and ``decode``; ``encoder`` holds the weights of the encoder.
    n_latent
        Dimensions of a code.

    Examples
    --------
    A linear autoencoder with an absolute error; a sampled code is the point itself:

    >>> import torch
    >>> from scpareto.bench._methods._autoencoder import AutoencoderModule
    >>> class Linear(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.encoder, self.decoder = torch.nn.Linear(20, 2), torch.nn.Linear(2, 20)
    ...         self.encode, self.decode = self.encoder, self.decoder
    >>> class LinearModule(AutoencoderModule):
    ...     def cell_errors(self, output, target, batch):
    ...         return (output - target).abs().mean(1)
    >>> module = LinearModule(Linear(), n_latent=2)
    >>> outputs = module.inference(torch.poisson(torch.full((8, 20), 2.0)))
    >>> bool((outputs["z"] == outputs["qz"].loc).all()), module.generative(outputs["z"])["reconstruction"].shape
    (True, torch.Size([8, 20]))
    """

    def __init__(self, network: nn.Module, n_latent: int) -> None:
        super().__init__()
        self.network: Any = network
        self.n_latent = n_latent

    def network_input(self, x: Tensor) -> Tensor:
        r"""Return input and target of the network for counts, here :math:`\log(1 + 10^4 x / \sum_g x_g)`."""
        return log_normalise(x)

    @abstractmethod
    def cell_errors(self, output: Tensor, target: Tensor, batch: Tensor) -> Tensor:
        """Return the error of each cell, shape ``(n_cells,)``.

        Parameters
        ----------
        output, target
            Reconstruction and its target, shape ``(n_cells, n_genes)``.
        batch
            Number of each cell's batch, shape ``(n_cells,)``.
        """

    def _get_inference_input(self, tensors: dict[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:
        return {"x": tensors[REGISTRY_KEYS.X_KEY]}

    def _get_generative_input(
        self, tensors: dict[str, Tensor], inference_outputs: dict[str, Any], **kwargs: Any
    ) -> dict[str, Tensor]:
        return {"z": inference_outputs[MODULE_KEYS.Z_KEY]}

    @auto_move_data
    def inference(self, x: Tensor) -> dict[str, Any]:
        """Encode counts."""
        target = self.network_input(x)
        z = self.network.encode(target)
        qz = Normal(z, torch.full_like(z, CODE_SCALE), validate_args=False)
        return {MODULE_KEYS.Z_KEY: z, MODULE_KEYS.QZ_KEY: qz, _TARGET: target}

    @auto_move_data
    def generative(self, z: Tensor) -> dict[str, Tensor]:
        """Decode codes."""
        return {_RECONSTRUCTION: self.network.decode(z)}

    def loss(
        self,
        tensors: dict[str, Tensor],
        inference_outputs: dict[str, Any],
        generative_outputs: dict[str, Tensor],
        kl_weight: float = 1.0,
    ) -> LossOutput:
        """Return the mean error of the cells.

        Parameters
        ----------
        tensors
            The minibatch.
        inference_outputs, generative_outputs
            Outputs of the two steps.
        kl_weight
            Not used: there is no divergence.
        """
        target = inference_outputs[_TARGET]
        batch = tensors[REGISTRY_KEYS.BATCH_KEY].long().view(-1).to(target.device)
        errors = self.cell_errors(generative_outputs[_RECONSTRUCTION], target, batch)
        return LossOutput(loss=errors.mean(), reconstruction_loss=errors, kl_local=torch.zeros_like(errors))

    @torch.no_grad()
    def sample(self, tensors: dict[str, Tensor]) -> Tensor:
        """Return reconstructions of a minibatch, shape ``(n_cells, n_genes)``; they are deterministic."""
        inference = self.inference(**self._get_inference_input(tensors))
        return self.generative(inference[MODULE_KEYS.Z_KEY])[_RECONSTRUCTION]


@register_adapter
class AutoencoderAdapter(VAEAdapter):
    """Adapter of SAUCIE and DESC: codes are deterministic, and the reconstruction error replaces the negative ELBO.

    Most of a negative ELBO is noise that no code can explain, so that a small share of it is a large cost. A squared
    error has no such part, and critics can follow faster changes of deterministic codes. Hence the larger
    ``least_cost`` and ``lr_front``.
    """

    family = AutoencoderModule
    inference_options: ClassVar[dict[str, Any]] = {}
    has_density = False
    recipe: ClassVar[dict[str, Any]] = {"least_cost": 0.1, "lr_front": 1e-3}

    def encoders(self) -> list[nn.Module]:
        """Return the encoder, which is frozen while the decoder is refitted."""
        return [self.module.network.encoder]


def log_normalise(x: Tensor) -> Tensor:
    """Log-normalise counts, same shape; a cell without counts is zero."""
    return torch.log1p(_TARGET_DEPTH * x / x.sum(-1, keepdim=True).clamp(min=1e-6))
