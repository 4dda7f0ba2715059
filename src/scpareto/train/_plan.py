"""The loop of one training: joins a module, objectives and the weights of a step."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import nn
from torch.distributions import Normal

from scpareto._constants import GENERATIVE_LOSS
from scpareto._runtime import average_array, average_tensor, broadcast_buffers, compute_mean_gradient
from scpareto.objectives import Context
from scpareto.train._code_bank import CodeBank
from scpareto.train._gradients import (
    compute_gramian,
    fix_running_statistics,
    is_fast,
    is_mapped,
    losses_to_numpy,
    stack_losses,
    sum_gradients,
    to_dense,
)
from scpareto.train._rates import get_learning_rates, lower_rate, make_plateau
from scpareto.train._records import copy_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning.pytorch.core.optimizer import LightningOptimizer
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    from scpareto.objectives import Objective
    from scpareto.train._adapter import Encoded, VAEAdapter
    from scpareto.train._recipe import Recipe
    from scpareto.train._weighing import Weighing


class TrainingDiverged(RuntimeError):
    """A loss became infinite or NaN; the other points of the front are not affected.

    Examples
    --------
    A shared start that learns far too fast:

    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    >>> model = sp.model.ParetoVI(adata, n_hidden=8, seed=0)
    >>> model.train(4, max_epochs_pretrain=2, plan_kwargs={"lr": 1e30}, progress=False)
    Traceback (most recent call last):
        ...
    scpareto.train._plan.TrainingDiverged: The losses of epoch ... are not finite: ...
    """


class FrontPlan(lightning.LightningModule):
    """Train a module on the weighted sum of the generative loss and other objectives.

    Each step first trains the critics on detached codes, then asks the weighing for one weight per objective, which
    may need the inner products of the objective gradients, and steps on the weighted sum.

    Parameters
    ----------
    adapter
        The model.
    objectives
        Objectives besides the generative loss, which is always the first.
    weighing
        Gives the weights of a step; see :mod:`scpareto.train._weighing`.
    recipe
        Learning rates, critic steps and so on.
    frozen
        Networks that are not trained, e.g. the encoders while a decoder is refitted.
    lr
        Learning rate of the model; None for that of the recipe's shared start.

    Notes
    -----
    Under distributed training, losses, their gradients and merits are averaged over the processes, so that all of them
    find the same weights and stay equal. Losses that are means over cells have the gradient that one process finds for
    all cells of the step; estimates over a minibatch (MINE) and batch normalisation see the cells of one process.
    Running statistics, also those of the codes that critics see, are those of the first process.

    Examples
    --------
    Critics are trained beside the model, by an optimiser of their own:

    >>> from scpareto.objectives import get_objective
    >>> from scpareto.train import PRACTICAL, FrontPlan
    >>> from scpareto.train._adapter import get_adapter
    >>> from scpareto.train._weighing import FixedWeighing
    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> for name in ("mmd", "classifier"):
    ...     objective = get_objective(name, n_latent=5, n_categories=3)
    ...     plan = FrontPlan(get_adapter(model), [objective], FixedWeighing([0.5, 0.5]), PRACTICAL)
    ...     print(name, len(plan.critics), [optimizer.defaults["lr"] for optimizer in plan.configure_optimizers()])
    mmd 0 [0.001]
    classifier 1 [0.001, 0.001]
    """

    def __init__(
        self,
        adapter: VAEAdapter,
        objectives: list[Objective],
        weighing: Weighing,
        recipe: Recipe,
        frozen: list[nn.Module] | None = None,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.adapter = adapter
        self.module = adapter.module
        self.objectives = nn.ModuleList(objectives)
        self._objectives = tuple(objectives)
        self.weighing = weighing
        self.recipe = recipe
        self.lr = recipe.lr if lr is None else lr
        self.bank = CodeBank(recipe.n_bank)
        self._minibatch_losses: list[list[float]] = []
        self.history: list[dict[str, float]] = []
        self.merit: float | None = None
        self.epochs_before = 0
        self.label: str | None = None
        self._epoch: list[tuple[Tensor, NDArray[np.float64]]] = []
        self._norms: list[Tensor] = []
        self._plateau: ReduceLROnPlateau | None = None
        self._validation: list[tuple[Encoded, Tensor | None, Context]] = []
        self._frozen = tuple(frozen or [])
        frozen_ids = {id(p) for network in frozen or [] for p in network.parameters()}
        self._trained = [p for p in self.module.parameters() if p.requires_grad and id(p) not in frozen_ids]
        used = zip(self._objectives, weighing.active[1:], strict=True)
        self._trained += [p for o, is_used in used if is_used and o.is_learned for p in o.parameters()]

    @property
    def critics(self) -> list[Objective]:
        """Objectives in use that have a critic."""
        return [o for o, used in zip(self._objectives, self.weighing.active[1:], strict=True) if used and o.has_critic]

    @property
    def minibatch_losses(self) -> list[list[float]]:
        """Losses of every minibatch so far, in the order of the objectives; NaN for those that do not count."""
        return self._minibatch_losses + [values.tolist() for values, _ in self._epoch]

    @property
    def epoch(self) -> int:
        """Number of the present epoch, with those of earlier pieces of the training."""
        return self.epochs_before + self.current_epoch

    def train(self, mode: bool = True) -> FrontPlan:
        """Switch between training and evaluation mode; frozen networks keep their running statistics in both."""
        super().train(mode)
        for network in self._frozen:
            network.eval()
        return self

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the model and, if there are any, for the critics."""
        optimizers = [self._adam(self._trained)]
        parameters = [p for critic in self.critics for p in critic.parameters()]
        if parameters:
            optimizers.append(torch.optim.Adam(parameters, lr=self.recipe.critic_lr, fused=is_fast(parameters[0])))
        return optimizers

    def _adam(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Optimiser of the model."""
        recipe = self.recipe
        # Frozen parts of a model that is mapped to query data have gradients of 0, which weight decay would add to.
        decay = 0.0 if is_mapped(self.module) else recipe.weight_decay
        options: dict[str, Any] = {"eps": recipe.eps, "weight_decay": decay}
        cls = torch.optim.AdamW if recipe.optimizer == "AdamW" else torch.optim.Adam
        optimizer = cls(parameters, lr=self.lr, fused=is_fast(parameters[0]), **options)
        if recipe.reduce_lr_on_plateau:
            self._plateau = make_plateau(optimizer, recipe, self.weighing)
        return optimizer

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """One step of the critics and one of the model."""
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        context = self._context(batch)
        encoded, generative = self._run(batch)
        if len(optimizers) > 1:
            self._train_critics(optimizers[1], encoded, context)
        with self._critics_fixed():
            losses, values = self._apply_floor(self._losses(encoded, generative, context))
            scaled = self.weighing.scale(losses)
            needs_losses, gradients, gramian = self.weighing.needs_losses, [], None
            if needs_losses:
                # Before the solver, which takes finite numbers only.
                self._check(values.cpu().numpy())
            if self.weighing.needs_gramian:
                gradients = self._gradients(scaled)
                gramian = self._gramian(gradients)
                if not np.isfinite(gramian).all():
                    raise TrainingDiverged(f"The gradients of epoch {self.epoch} are not finite.")
            weights = self.weighing.weights(average_array(losses_to_numpy(scaled)) if needs_losses else None, gramian)
            if np.any(weights != 0):
                if self.recipe.redraw:
                    encoded, generative = self._run(batch)
                    scaled = self.weighing.scale(self._apply_floor(self._losses(encoded, generative, context))[0])
                if gradients and not self.recipe.redraw:
                    self._step(optimizers[0], gradients, weights)
                else:
                    terms = [float(w) * loss for w, loss in zip(weights, scaled, strict=True) if loss is not None]
                    self._step(optimizers[0], self._gradients([torch.stack(terms).sum()]), np.ones(1))
        self._epoch.append((values, np.asarray(weights, dtype=float)))

    def on_train_epoch_end(self) -> None:
        """Record the mean losses and weights of the epoch, and let the weighing count it."""
        # Read once per epoch: each read makes a GPU wait.
        minibatch_losses = torch.stack([values for values, _ in self._epoch]).cpu().double().numpy()
        self._check(minibatch_losses)
        if self._norms and not bool(torch.stack(self._norms).isfinite().all()):
            raise TrainingDiverged(f"The gradients of epoch {self.epoch} are not finite.")
        self._minibatch_losses += minibatch_losses.tolist()
        losses, weights = minibatch_losses.mean(0), np.mean([w for _, w in self._epoch], axis=0)
        names = [GENERATIVE_LOSS, *(o.label for o in self._objectives)]
        record = {f"{name}_train": float(loss) for name, loss in zip(names, losses, strict=True)}
        record |= {f"{name}_weight": float(weight) for name, weight in zip(names, weights, strict=True)}
        record["main_phase"] = float(self.weighing.in_main_phase)
        record |= get_learning_rates(self._trainer, self._plateau)
        # Lightning validates before it calls this hook, so the epoch's validation record is already there.
        if self.history and "epoch" not in self.history[-1]:
            self.history[-1] |= {"epoch": float(self.epoch)} | record
        else:
            self.history.append({"epoch": float(self.epoch)} | record)
        self._epoch, self._norms = [], []
        self.report(record)
        self.weighing.end_epoch()

    def _check(self, values: NDArray[np.float64]) -> None:
        """Raise an error if a loss that counts is not finite, in values ``(..., n_objectives)``."""
        finite = np.isfinite(values[..., self.weighing.active]).all(-1)
        if not finite.all():
            raise TrainingDiverged(f"The losses of epoch {self.epoch} are not finite: {values[~finite][0]}.")

    def on_validation_epoch_start(self) -> None:
        """Judge, and maybe keep, one state."""
        broadcast_buffers(self)

    def on_train_end(self) -> None:
        """End in one state, also where the last epoch was not validated."""
        broadcast_buffers(self)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Collect codes and generative losses of validation cells."""
        encoded, generative = self._run(batch)
        self._validation.append((encoded, generative, self._context(batch)))

    def on_validation_epoch_end(self) -> None:
        """Objectives on all validation cells at once, by the present critics, and their merit."""
        if not self._validation:
            return
        losses = self._joint_losses(self._validation)
        values = average_array(losses_to_numpy(losses))
        self.merit = self.weighing.merit(values)
        names = [GENERATIVE_LOSS, *(o.label for o in self._objectives)]
        self.history.append({f"{name}_validation": float(v) for name, v in zip(names, values, strict=True)})
        self.report(self.history[-1])
        self._validation = []
        lower_rate(self._plateau, self.merit, self.weighing)

    def report(self, record: dict[str, float]) -> None:
        """Log the record of an epoch to the user's loggers and callbacks, under the label of the training."""
        if self.label is not None and isinstance(self._trainer, lightning.Trainer):
            self.log_dict({f"{self.label}/{name}": value for name, value in record.items()})

    def snapshot(self) -> dict[str, Any]:
        """Copy of the present state of module and critics."""
        return {
            "module": copy.deepcopy(self.module.state_dict()),
            "objectives": copy.deepcopy(self.objectives.state_dict()),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot."""
        self.module.load_state_dict(snapshot["module"])
        self.objectives.load_state_dict(snapshot["objectives"])

    def result(self) -> Any:
        """Return what was trained, on CPU: the state of the module."""
        return copy_state(self.module)

    def _context(self, batch: dict[str, Tensor]) -> Context:
        """Nuisances of a minibatch."""
        return self.adapter.context(batch)

    def _joint_losses(self, parts: list[tuple[Encoded, Tensor | None, Context]]) -> list[Tensor | None]:
        """Losses of the cells of several minibatches at once."""
        codes = [encoded for encoded, _, _ in parts]
        z = torch.cat([encoded.z for encoded in codes])
        loc, scale = (
            torch.cat([encoded.qz.loc for encoded in codes]),
            torch.cat([encoded.qz.scale for encoded in codes]),
        )
        qz = Normal(loc, scale, validate_args=False)
        context = Context.concatenate([c for _, _, c in parts])
        per_cell = [g for _, g, _ in parts if g is not None]
        generative = torch.cat(per_cell) if per_cell else None
        return self._losses(type(codes[0])(z, qz), generative, context)

    def _run(self, batch: dict[str, Tensor]) -> tuple[Encoded, Tensor | None]:
        """Encode, and decode where the generative loss counts."""
        return self.adapter.forward(batch) if self.weighing.active[0] else (self.adapter.encode(batch), None)

    def _losses(self, encoded: Encoded, generative: Tensor | None, context: Context) -> list[Tensor | None]:
        """Mean generative loss and objectives; None for those that do not count in this training."""
        losses: list[Tensor | None] = [None if generative is None else generative.mean()]
        with self._full_precision():
            for objective, used in zip(self._objectives, self.weighing.active[1:], strict=True):
                losses.append(objective(encoded.z, encoded.qz, context) if used else None)
        return losses

    def _apply_floor(self, losses: list[Tensor | None]) -> tuple[list[Tensor | None], Tensor]:
        """Remove the gradient of objectives below their minimum; return the values too.

        The mean over all processes is compared: the cells of one process may lie below by chance.
        """
        values = average_tensor(stack_losses(losses))
        if not self.recipe.floor:
            return losses, values
        lowest = [-torch.inf, *(-torch.inf if o.minimum is None else o.minimum for o in self._objectives)]
        floors = values.new_tensor(lowest)
        pairs = zip(losses, values < floors, floors, strict=True)
        floored = [None if loss is None else torch.where(is_low, floor, loss) for loss, is_low, floor in pairs]
        return floored, torch.maximum(values, floors)

    def _gradients(self, losses: list[Tensor | None]) -> list[list[Tensor | None]]:
        """Gradient of each loss that counts, by trained parameter; None where it does not depend on one."""
        return [compute_mean_gradient(loss, self._trained) for loss in losses if loss is not None]

    def _gramian(self, rows: list[list[Tensor | None]]) -> NDArray[np.float64]:
        """Inner products of gradients, ``(p, p)``."""
        if self.recipe.gramian == "shared":
            shared = {id(p) for p in self.adapter.shared_parameters()}
            counted = [id(p) in shared for p in self._trained]
            rows = [[g if use else None for g, use in zip(row, counted, strict=True)] for row in rows]
        return compute_gramian(rows)

    def _step(self, optimizer: LightningOptimizer, rows: list[list[Tensor | None]], weights: NDArray[Any]) -> None:
        """Step on a weighted sum of gradients."""
        self._set_gradients(rows, weights)
        optimizer.step()

    def _set_gradients(self, rows: list[list[Tensor | None]], weights: NDArray[Any]) -> None:
        """Weighted sum of gradients, cut to the largest norm."""
        for parameter, gradient in zip(self._trained, sum_gradients(rows, weights), strict=True):
            parameter.grad = gradient
        if (clip := self.recipe.safeguards.gradient_clip) is not None:
            self._norms.append(nn.utils.clip_grad_norm_(self._trained, clip))

    def _train_critics(self, optimizer: LightningOptimizer, encoded: Encoded, context: Context) -> None:
        """Critic steps before a model step."""
        self.bank.push(encoded.qz, context)
        if self.recipe.n_critic == "epoch":
            for batch in self.trainer.train_dataloader or ():
                with torch.no_grad(), fix_running_statistics(self.module):
                    moved = {key: to_dense(value.to(self.device)) for key, value in batch.items()}
                    other = self.adapter.encode(moved)
                self._critic_step(optimizer, other.z, other.qz, self._context(moved))
            return
        for _ in range(self.recipe.n_critic * max(critic.critic_effort for critic in self.critics)):
            self._critic_step(optimizer, *self.bank.draw(len(encoded.z)))

    def _critic_step(self, optimizer: LightningOptimizer, z: Tensor, qz: Normal, context: Context) -> None:
        with self._full_precision():
            loss = torch.stack([critic.critic_loss(z, qz, context) for critic in self.critics]).sum()
        parameters = [p for critic in self.critics for p in critic.parameters()]
        for parameter, gradient in zip(parameters, compute_mean_gradient(loss, parameters), strict=True):
            parameter.grad = gradient
        optimizer.step()

    def _full_precision(self) -> torch.autocast:
        """Compute critics in full precision: their exponentials overflow in mixed precision."""
        return torch.autocast(self.device.type, enabled=False)

    @contextmanager
    def _critics_fixed(self) -> Iterator[None]:
        """Let gradients pass through the critics without accumulating in their parameters."""
        critics = [objective for objective in self._objectives if not objective.is_learned]
        for critic in critics:
            critic.requires_grad_(False)
        try:
            yield
        finally:
            for critic in critics:
                critic.requires_grad_(True)
