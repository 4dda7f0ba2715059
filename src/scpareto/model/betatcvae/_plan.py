"""Training plan with a penalty on the total correlation of the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scvi.train import TrainingPlan

from scpareto._scvi_compat import MODULE_KEYS
from scpareto.objectives import Context, get_objective

if TYPE_CHECKING:
    import torch
    from scvi.module import VAE


class TotalCorrelationPlan(TrainingPlan):
    """Negative ELBO plus ``beta`` times the total correlation, with Adam as published.

    Parameters
    ----------
    module
        The autoencoder.
    beta
        Weight of the total correlation.
    n_cells
        Number of training cells, from which minibatches are drawn.
    lr, eps, weight_decay, n_epochs_kl_warmup, **kwargs
        As in :class:`scvi.train.TrainingPlan`; by default there is no warm-up of the divergence from the prior.

    Examples
    --------
    >>> from scpareto.model.betatcvae import BetaTCVAEModule, TotalCorrelationPlan
    >>> module = BetaTCVAEModule(20, n_latent=2, n_hidden=[16])
    >>> plan = TotalCorrelationPlan(module, beta=10.0, n_cells=1000)
    >>> float(plan.kl_weight), plan.configure_optimizers()["optimizer"].defaults["eps"]
    (1.0, 1e-08)
    >>> plan.total_correlation.n_cells
    1000
    """

    def __init__(
        self,
        module: VAE,
        *,
        beta: float,
        n_cells: int,
        lr: float = 1e-3,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        n_epochs_kl_warmup: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module, lr=lr, eps=eps, weight_decay=weight_decay, n_epochs_kl_warmup=n_epochs_kl_warmup, **kwargs
        )
        self.beta = beta
        self.total_correlation = get_objective("total_correlation", n_latent=module.n_latent, n_cells=n_cells)
        self._inference: dict[str, Any] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Pass a minibatch through the module, and remember its codes for the penalty."""
        outputs = super().forward(*args, **kwargs)
        self._inference = outputs[0]
        return outputs

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the penalised loss of a minibatch."""
        loss = super().training_step(batch, batch_idx)
        if self.beta == 0:
            return loss
        return loss + self.beta * self._penalty("train")

    def validation_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> None:
        """Log negative ELBO and total correlation of validation cells."""
        super().validation_step(batch, batch_idx)
        self._penalty("validation")

    def _penalty(self, part: str) -> torch.Tensor:
        z, qz = self._inference[MODULE_KEYS.Z_KEY], self._inference[MODULE_KEYS.QZ_KEY]
        value = self.total_correlation(z, qz, Context())
        self.log(
            f"total_correlation_{part}",
            value.detach(),
            on_step=False,
            on_epoch=True,
            batch_size=len(z),
            sync_dist=self.use_sync_dist,
        )
        return value
