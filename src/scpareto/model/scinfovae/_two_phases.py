"""Pre-training of an InfoVAE, and fine-tuning together with cluster centres."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi.train import Trainer

from scpareto._cells import make_batches
from scpareto._runtime import BestState, child_seed, quiet_lightning, raise_interrupts, seeded
from scpareto._scvi_compat import MODULE_KEYS
from scpareto.model.scinfovae._cluster_scores import cluster_silhouette
from scpareto.model.scinfovae._label_stability import LabelStability
from scpareto.model.scinfovae._plan import InfoVAEPlan
from scpareto.objectives import flush_denormals, kmeans_centres, target_distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from scvi.data import AnnDataManager
    from torch import Tensor

    from scpareto.model.scinfovae._network import InfoVAE
    from scpareto.model.scinfovae._weights import InfoVAEWeights
    from scpareto.objectives import PriorDivergence

logger = logging.getLogger("scpareto")

_PRETRAINING, _CENTRES, _FINETUNING, _START = range(4)
"""Seed indices."""


@dataclass(frozen=True)
class Finetuned:
    """Result of the fine-tuning.

    Parameters
    ----------
    history
        Terms, share of changed labels, silhouette and smallest cluster of each epoch.
    before, after
        Clusters at the start and at the end, shape ``(n_cells,)``.
    reason
        Why the fine-tuning ended.
    interruption
        The interruption, if any; the caller stores the results, then raises it.
    """

    history: list[dict[str, float]]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    reason: str
    interruption: KeyboardInterrupt | None = None


class TwoPhases:
    """Trains one network on one data set.

    Parameters
    ----------
    module
        The network.
    manager
        Registered data.
    weights, divergence
        The objective.
    train, validation
        Rows of the training cells, and of the cells that decide which epoch is best; both are clustered.
    batch_size
        Cells of a minibatch.
    seed
        Seed of everything random.
    trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.
    on_epoch
        Called after each epoch.
    clustered
        Rows of the cells that are clustered; None for all.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> from scpareto.objectives import PriorDivergence
    >>> from scpareto.model.scinfovae import InfoVAEWeights, TwoPhases
    >>> adata = sp.datasets.simulate_batches(n_cells=60, n_genes=20, n_batches=1, seed=0)
    >>> sp.model.ScInfoVAE.setup_anndata(adata)
    >>> model = sp.model.ScInfoVAE(adata, n_clusters=3, n_hidden=[16], n_latent=2, seed=0)
    >>> phases = TwoPhases(
    ...     model.module,
    ...     model.adata_manager,
    ...     InfoVAEWeights(),
    ...     PriorDivergence(2),
    ...     train=np.arange(50),
    ...     validation=np.arange(50, 60),
    ...     batch_size=25,
    ...     seed=0,
    ...     trainer_kwargs={"accelerator": "cpu", "devices": 1},
    ... )
    >>> len(phases.pretrain(2, lr=1e-3, patience=None))  # the terms of each epoch
    2
    >>> end = phases.finetune(2, lr=1e-3, objective="full", update_interval=1, tol=0.0, restore_best=None)
    >>> end.reason, end.after.shape
    ('all epochs were run', (60,))
    """

    def __init__(
        self,
        module: InfoVAE,
        manager: AnnDataManager,
        weights: InfoVAEWeights,
        divergence: PriorDivergence,
        *,
        train: NDArray[np.int64],
        validation: NDArray[np.int64],
        batch_size: int,
        seed: int,
        trainer_kwargs: dict[str, Any],
        on_epoch: Callable[[], None] | None = None,
        clustered: NDArray[np.int64] | None = None,
    ) -> None:
        self.module = module
        self.manager = manager
        self.weights = weights
        self.divergence = divergence
        self.seed = seed
        self.trainer_kwargs = trainer_kwargs
        self.on_epoch = on_epoch
        self.pretrained: list[dict[str, float]] = []
        self._train = make_batches(manager, train, batch_size, shuffle=True)
        self._validation = make_batches(manager, validation, 4 * batch_size, shuffle=False) if len(validation) else None
        self.clustered = np.arange(manager.adata.n_obs) if clustered is None else clustered
        self._clustered = make_batches(manager, self.clustered, 1024, shuffle=False)

    def pretrain(self, max_epochs: int, *, lr: float, patience: int | None) -> list[dict[str, float]]:
        """Train without clusters, and keep the weights that were best on the validation cells.

        Parameters
        ----------
        max_epochs
            Longest training.
        lr
            Adam learning rate.
        patience
            Training ends after this number of epochs without improvement; None for never.

        Returns
        -------
        Mean terms of each epoch.
        """
        plan = InfoVAEPlan(self.module, self.weights, self.divergence, lr=lr)
        best = BestState(patience)

        def check_epoch() -> str | None:
            best.offer(plan.history[-1].get("total_validation", np.nan), self._snapshot)
            return f"no better loss within {patience} epochs" if _is_out_of_patience(best) else None

        try:
            self._fit(plan, max_epochs, _PRETRAINING, check_epoch)
        finally:
            # Also after an interruption: keep the finished epochs.
            self._restore(best)
            self.pretrained = plan.history
        return plan.history

    def finetune(
        self,
        max_epochs: int,
        *,
        lr: float,
        objective: str,
        update_interval: int,
        tol: float,
        restore_best: str | None,
        patience: int | None = None,
    ) -> Finetuned:
        """Find centres by K-means and train them together with the network.

        Parameters
        ----------
        max_epochs
            Longest training; 0 finds the centres only.
        lr
            Adam learning rate.
        objective
            ``"full"`` or ``"paper"``, see :meth:`InfoVAEWeights.for_finetuning`.
        update_interval
            Number of epochs between two updates of targets and labels.
        tol
            Training ends when a smaller share of labels changes.
        restore_best
            Weights kept at the end: those with the best ``"silhouette"`` of the clusters or the lowest ``"loss"`` of
            the validation cells, including the initial ones, or the last (None).
        patience
            With ``restore_best``, training ends after this number of epochs without improvement; None for never.

        Returns
        -------
        Finetuned
            Terms of each epoch, clusters at the start and at the end, and why it ended.
        """
        clustering = self.module.clustering
        assert clustering is not None
        with seeded(child_seed(self.seed, _CENTRES)):
            codes = self.codes()
            centres, _ = kmeans_centres(codes, clustering.n_clusters)
        clustering.centres.data.copy_(centres)
        clustering.centres.requires_grad_(True)
        plan = InfoVAEPlan(
            self.module, self.weights.for_finetuning(objective), self.divergence, lr=lr, with_clusters=True
        )
        assignments = self.assign(codes)
        plan.target, before = self._target(assignments), assignments.argmax(1)
        stability, best = LabelStability(before, tol), BestState(patience)
        if restore_best == "silhouette":
            best.offer(-_silhouette(codes, before), self._snapshot)
        elif restore_best == "loss" and self._validation is not None:
            with seeded(child_seed(self.seed, _START)):
                best.offer(plan.evaluate_total(self._validation), self._snapshot)

        def refresh() -> str | None:
            record = plan.history[-1]
            if restore_best == "loss":
                best.offer(record.get("total_validation", np.nan), self._snapshot)
            stop_reason = f"no better {restore_best} within {patience} epochs" if _is_out_of_patience(best) else None
            if len(plan.history) % update_interval:
                return stop_reason
            codes = self.codes()
            assignments = self.assign(codes)
            plan.target, labels = self._target(assignments), assignments.argmax(1)
            settled = stability.has_settled(labels)
            record["labels_changed"] = stability.changed
            record["silhouette"] = _silhouette(codes, labels)
            record["smallest_cluster"] = float(labels.bincount(minlength=clustering.n_clusters).min())
            if restore_best == "silhouette":
                best.offer(-record["silhouette"], self._snapshot)
            return f"fewer than a share of {tol:g} of the labels changed" if settled else stop_reason

        reason, interruption = "no fine-tuning was asked for", None
        try:
            if max_epochs:
                reason = self._fit(plan, max_epochs, _FINETUNING, refresh)
        except KeyboardInterrupt as error:
            reason, interruption = f"interrupted after {len(plan.history)} epochs", error
        self._restore(best)
        after = self.assign(self.codes()).argmax(1)
        if empty := int((after.bincount(minlength=clustering.n_clusters) == 0).sum()):
            logger.warning("%d of %d clusters have no cell after fine-tuning.", empty, clustering.n_clusters)
        return Finetuned(plan.history, before.numpy(), after.numpy(), reason, interruption)

    @torch.no_grad()
    def codes(self) -> Tensor:
        """Return posterior means of the clustered cells without noise, shape ``(n_cells, n_latent)``, on CPU."""
        return self.encode(self._clustered)

    @torch.no_grad()
    def encode(self, minibatches: Iterable[dict[str, Tensor]]) -> Tensor:
        """Return posterior means of the cells of minibatches; see :meth:`codes`."""
        was_training, device = self.module.training, self.module.input_mean.device
        self.module.eval()
        means = []
        for batch in minibatches:
            tensors = {key: values.to(device) for key, values in batch.items()}
            outputs = self.module.inference(**self.module._get_inference_input(tensors, full_forward_pass=True))
            means.append(outputs[MODULE_KEYS.QZ_KEY].loc.cpu())
        self.module.train(was_training)
        return torch.cat(means)

    def _target(self, assignments: Tensor) -> Tensor:
        """Return targets of all rows of the data; zeros for cells that are not clustered."""
        target = assignments.new_zeros(self.manager.adata.n_obs, assignments.shape[1])
        target[torch.from_numpy(self.clustered)] = target_distribution(assignments)
        return target

    @torch.no_grad()
    def assign(self, codes: Tensor) -> Tensor:
        """Return soft assignments of codes to the current centres, shape ``(n_cells, n_clusters)``, on CPU."""
        clustering = self.module.clustering
        assert clustering is not None
        return clustering.assign(codes.to(clustering.centres)).cpu()

    def _snapshot(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights."""
        return copy.deepcopy(self.module.state_dict())

    def _restore(self, best: BestState) -> None:
        """Restore the best weights, if any were kept, and switch to evaluation mode."""
        if best.state is not None:
            self.module.load_state_dict(best.state)
        self.module.eval()

    def _fit(self, plan: InfoVAEPlan, max_epochs: int, phase: int, check_epoch: Callable[[], str | None]) -> str:
        """Run a plan until its epochs are over or ``check_epoch`` returns a reason to stop."""
        reason = "all epochs were run"

        def at_epoch_end() -> bool:
            nonlocal reason
            if self.on_epoch is not None:
                self.on_epoch()
            stop_reason = check_epoch()
            reason = stop_reason or reason
            return stop_reason is not None

        plan.at_epoch_end = at_epoch_end
        with seeded(child_seed(self.seed, phase)), quiet_lightning():
            options: dict[str, Any] = {
                "logger": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "check_val_every_n_epoch": 1,
                "num_sanity_val_steps": 0,
            }
            trainer = Trainer(max_epochs=max_epochs, **options | self.trainer_kwargs)
            plan.train()
            with raise_interrupts(), flush_denormals():
                trainer.fit(plan, train_dataloaders=self._train, val_dataloaders=self._validation)
        self.module.eval()
        return reason


def _is_out_of_patience(best: BestState) -> bool:
    """Return whether patience has run out; never without a score, for example without held-out cells."""
    return best.state is not None and best.has_given_up


def _silhouette(codes: Tensor, labels: Tensor) -> float:
    return cluster_silhouette(codes.numpy(), labels.numpy())
