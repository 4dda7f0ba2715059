"""Training plan of an InfoVAE, with or without the clustering term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import nn

from scpareto._cells import CELL_INDEX
from scpareto._scvi_compat import MODULE_KEYS
from scpareto.objectives import Context, DeepClustering
from scpareto.train import TrainingDiverged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from scpareto.model.scinfovae._network import InfoVAE
    from scpareto.model.scinfovae._weights import InfoVAEWeights
    from scpareto.objectives import PriorDivergence

_N_CRITIC = 5
_CLIP = 10.0


class InfoVAEPlan(lightning.LightningModule):
    """Minimise the terms of :class:`InfoVAEWeights` on minibatches.

    Parameters
    ----------
    module
        The network; it must have centres if there is a clustering term.
    weights
        Weights of the terms.
    divergence
        Divergence of the aggregated posterior from the prior; its critic, if any, is trained before every step.
    lr
        Adam learning rate.
    with_clusters
        Whether there is a clustering term; :attr:`target` then has to be set before the first step.

    Attributes
    ----------
    target
        Target distribution of all cells, shape ``(n_cells, n_clusters)``.
    history
        Mean terms of each epoch, unweighted, in nats per cell.
    at_epoch_end
        Called after an epoch is recorded; returns whether to stop.

    Examples
    --------
    The weights of one nat of each term, with alpha = 0.9 and lambda = 100:

    >>> import torch
    >>> from scpareto.model.scinfovae import InfoVAE, InfoVAEPlan, InfoVAEWeights
    >>> from scpareto.objectives import PriorDivergence
    >>> module = InfoVAE(20, n_hidden=[16], n_latent=2)
    >>> plan = InfoVAEPlan(module, InfoVAEWeights(0.9, 100.0), PriorDivergence(2), lr=1e-3)
    >>> for term in ("reconstruction", "kl", "divergence"):
    ...     print(term, round(plan.total({term: torch.tensor(1.0)}).item(), 3))
    reconstruction 1.0
    kl 0.1
    divergence 99.9
    """

    def __init__(
        self,
        module: InfoVAE,
        weights: InfoVAEWeights,
        divergence: PriorDivergence,
        *,
        lr: float,
        with_clusters: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.module = module
        self.weights = weights
        self.divergence = divergence
        self.lr = lr
        self.with_clusters = with_clusters
        self.target: Tensor | None = None
        self.history: list[dict[str, float]] = []
        self.at_epoch_end: Callable[[], bool] | None = None
        self._terms: dict[str, list[dict[str, float]]] = {"train": [], "validation": []}
        self._sizes: dict[str, list[int]] = {"train": [], "validation": []}
        self._trained_parameters = [p for p in module.parameters() if p.requires_grad]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Create Adam for the network and, if there is one, for the critic."""
        can_fuse = self._trained_parameters[0].device.type in ("cpu", "cuda")
        options: dict[str, Any] = {"fused": True} if can_fuse else {}
        optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(self._trained_parameters, lr=self.lr, **options)]
        if self.divergence.has_critic and self.weights.divergence:
            optimizers.append(torch.optim.Adam(self.divergence.parameters(), lr=1e-3, **options))
        return optimizers

    def terms(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor, Any]:
        """Return unweighted terms of a minibatch that have a weight, sampled codes, and their posterior."""
        inference, _, loss = self.module(
            batch,
            loss_kwargs={"kl_weight": self.weights.kl},
            get_inference_input_kwargs={"full_forward_pass": True},
        )
        z, qz = inference[MODULE_KEYS.Z_KEY], inference[MODULE_KEYS.QZ_KEY]
        terms = {
            "reconstruction": loss.dict_sum(loss.reconstruction_loss).mean(),
            "kl": loss.dict_sum(loss.kl_local).mean(),
        }
        if self.weights.divergence:
            terms["divergence"] = self.divergence(z, qz, Context())
        if self.with_clusters and self.module.clustering is not None and self.target is not None:
            rows = batch[CELL_INDEX].view(-1).to(self.target.device)
            context = Context(clusters={DeepClustering.target_key: self.target[rows].to(z)})
            terms["clustering"] = self.module.clustering(z, qz, context)
        return terms, z, qz

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms."""
        weights = {
            "reconstruction": 1.0,
            "kl": self.weights.kl,
            "divergence": self.weights.divergence,
            "clustering": self.weights.gamma,
        }
        return torch.stack([weights[name] * term for name, term in terms.items() if weights[name]]).sum()

    @torch.no_grad()
    def evaluate_total(self, minibatches: Iterable[dict[str, Tensor]]) -> float:
        """Return the mean weighted sum of the terms over minibatches, in evaluation mode and without gradients."""
        was_training, device = self.training, self._trained_parameters[0].device
        self.eval()
        totals, sizes = [], []
        for batch in minibatches:
            terms, z, _ = self.terms({key: values.to(device) for key, values in batch.items()})
            totals.append(float(self.total(terms)))
            sizes.append(len(z))
        self.train(was_training)
        return float(np.average(totals, weights=sizes))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Take one step of the network, after several steps of the critic if there is one."""
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        terms, z, qz = self.terms(batch)
        if len(optimizers) > 1:
            self._train_critic(optimizers[1], z.detach(), qz)
            # Use the updated critic.
            terms["divergence"] = self.divergence(z, qz, Context())
        total = self.total(terms)
        if not torch.isfinite(total):
            raise TrainingDiverged(f"The loss of epoch {self.current_epoch} is {float(total.detach())}.")
        optimizers[0].zero_grad(set_to_none=True)
        self.manual_backward(total)
        nn.utils.clip_grad_norm_(self._trained_parameters, _CLIP)
        optimizers[0].step()
        self._store_terms("train", terms, total, len(z))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Store the terms of held-out cells."""
        terms, z, _ = self.terms(batch)
        self._store_terms("validation", terms, self.total(terms), len(z))

    def on_train_epoch_end(self) -> None:
        """Record the means of the epoch."""
        record = {"epoch": float(self.current_epoch)}
        for part in ("train", "validation"):
            if self._terms[part]:
                names = list(self._terms[part][0])
                table = np.array([[terms[name] for name in names] for terms in self._terms[part]])
                means = np.average(table, axis=0, weights=self._sizes[part])
                record |= {f"{name}_{part}": float(mean) for name, mean in zip(names, means, strict=True)}
            self._terms[part], self._sizes[part] = [], []
        self.history.append(record)
        if self.at_epoch_end is not None and self.at_epoch_end():
            self.trainer.should_stop = True

    def _train_critic(self, optimizer: Any, z: Tensor, qz: Any) -> None:
        for _ in range(_N_CRITIC):
            optimizer.zero_grad(set_to_none=True)
            self.manual_backward(self.divergence.critic_loss(z, qz, Context()))
            optimizer.step()

    def _store_terms(self, part: str, terms: dict[str, Tensor], total: Tensor, n_cells: int) -> None:
        values = {name: float(term.detach()) for name, term in (terms | {"total": total}).items()}
        self._terms[part].append(values)
        self._sizes[part].append(n_cells)
