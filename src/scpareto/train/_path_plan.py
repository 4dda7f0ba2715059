"""One training for all preferences: every minibatch is trained at a random place of a path of weights."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._constants import GENERATIVE_LOSS
from scpareto._runtime import average_array
from scpareto.pareto import preference_at
from scpareto.train._code_bank import CodeBank
from scpareto.train._path_weights import PathWeights
from scpareto.train._plan import FrontPlan, losses_to_numpy
from scpareto.train._rates import lower_rate
from scpareto.train._records import count_epochs
from scpareto.train._weighing import Weighing, standardise_losses

if TYPE_CHECKING:
    from lightning.pytorch.core.optimizer import LightningOptimizer
    from numpy.typing import NDArray
    from torch import Tensor

    from scpareto.objectives import Context, Objective
    from scpareto.pareto import Scaler
    from scpareto.train._adapter import VAEAdapter
    from scpareto.train._recipe import Recipe

_STEPS = np.array([0.25, 0.5, 0.75, 1.0])
"""Places towards each extreme at which validation cells are judged."""


class PathWeighing(Weighing):
    """Importances that belong to the present place of a path, on standardised losses.

    Parameters
    ----------
    scaler
        Standardises losses.
    """

    needs_losses = False

    def __init__(self, scaler: Scaler) -> None:
        super().__init__([True] * len(scaler.minimum))
        self.scaler = scaler
        self.shares = np.eye(len(scaler.minimum))[0]

    def scale(self, losses: list[Tensor | None]) -> list[Tensor | None]:
        """Standardise each loss."""
        return standardise_losses(losses, self.scaler)

    def weights(self, losses: NDArray[np.float64] | None, gramian: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Give the importances."""
        return preference_at(self.shares)

    def standardised_gain(self, gain: float) -> float:
        """Nats of the generative loss in the unit of its standardised values."""
        return gain / float(self.scaler.range[0])

    def merit(self, losses: NDArray[np.float64]) -> float:
        """Weighted sum of the standardised losses."""
        return float(preference_at(self.shares) @ self.scaler.scale(losses))


class PathPlan(FrontPlan):
    """Train a path of weights, see :class:`scpareto.pareto.WeightPath`.

    Each minibatch draws a place of the path, mixes the weights for it, and moves the control points by the gradient of
    the weighted sum that belongs to this place. The uncorrected end stays at the shared start. One place for a whole
    minibatch suits every objective, also those that are no means over cells. Critics are shown the place. Under
    distributed training all processes draw the same places, and control points follow the mean of their running
    statistics; the rest is as in :class:`FrontPlan`.

    Parameters
    ----------
    adapter
        The model, in the state of the shared start.
    objectives
        Objectives whose critics are shown the place, see :meth:`scpareto.objectives.Objective.along_path`.
    weighing
        Gives the importances of a place.
    recipe
        Learning rates, critic steps and so on.
    lr
        Learning rate of the control points; None for that of the recipe's points.
    """

    weighing: PathWeighing

    def __init__(
        self,
        adapter: VAEAdapter,
        objectives: list[Objective],
        weighing: PathWeighing,
        recipe: Recipe,
        lr: float | None = None,
    ) -> None:
        super().__init__(adapter, objectives, weighing, recipe, lr=recipe.lr_front if lr is None else lr)
        self.path = PathWeights(self.module, len(weighing.active))
        self._path_optimizers: list[torch.optim.Optimizer] = []
        self.start_piece(0)

    def start_piece(self, seed: int) -> None:
        """Draw places from a new seed, and empty the bank of codes for the critics."""
        self._places = np.random.default_rng(seed)
        self.bank = CodeBank(self.recipe.n_bank)
        self.epochs_before = count_epochs(self.history)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the control points and, if there are any, for the critics; the same ones in every piece."""
        if not self._path_optimizers:
            critic_optimizers = super().configure_optimizers()[1:]
            self._path_optimizers = [
                self._adam(self.path.trained),
                *critic_optimizers,
            ]  # last, as it is its rate that may fall
        return self._path_optimizers

    def move_to(self, shares: NDArray[np.float64]) -> None:
        """Load the weights of a place into the module."""
        self.weighing.shares = shares
        self.path.place(shares)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Make one step at a random place."""
        shares = self._draw_place()
        self.move_to(shares)
        super().training_step(batch, batch_idx)
        self.path.update_statistics(shares)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Collect codes and generative losses of validation cells at several places."""
        for shares in self.judged_places():
            self.move_to(shares)
            encoded, generative = self._run(batch)
            self._validation.append((encoded, generative, self._context(batch)))

    def on_validation_epoch_end(self) -> None:
        """Objectives by the present critics at each place; their merit is the mean over places."""
        if not self._validation:
            return
        places = self.judged_places()
        merits, values = [], []
        for i, shares in enumerate(places):
            self.weighing.shares = shares
            values.append(average_array(losses_to_numpy(self._joint_losses(self._validation[i :: len(places)]))))
            merits.append(self.weighing.merit(values[-1]))
        self.merit = float(np.mean(merits))
        names = [GENERATIVE_LOSS, *(o.label for o in self._objectives)]
        record = {f"{name}_validation": float(v) for name, v in zip(names, np.mean(values, axis=0), strict=True)}
        for name, at_start, at_end in zip(names, values[0], values[-1], strict=True):
            record |= {f"{name}_validation_start": float(at_start), f"{name}_validation_end": float(at_end)}
        self.history.append(record)
        self.report(record)
        self._validation = []
        lower_rate(self._plateau, self.merit, self.weighing)

    def judged_places(self) -> list[NDArray[np.float64]]:
        """Return the places at which validation cells are judged: the start, and steps towards each extreme."""
        start, *extremes = np.eye(len(self.weighing.active))
        return [start, *((1 - step) * start + step * extreme for extreme in extremes for step in _STEPS)]

    def snapshot(self) -> dict[str, Any]:
        """Copy of the control points and the critics."""
        return {
            "path": copy.deepcopy(self.path.state_dict()),
            "objectives": copy.deepcopy(self.objectives.state_dict()),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot."""
        self.path.load_state_dict(snapshot["path"])
        self.objectives.load_state_dict(snapshot["objectives"])

    def result(self) -> dict[str, Any]:
        """Return what was trained: a :class:`scpareto.pareto.WeightPath` as tensors and plain types."""
        return self.path.to_path().to_plain()

    def to_plain(self) -> dict[str, Any]:
        """Return the progress as tensors and plain types, for :meth:`load_plain`."""
        plateau = {} if self._plateau is None else {"plateau": dict(self._plateau.state_dict())}
        return (
            self.snapshot()
            | plateau
            | {
                "optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in self._path_optimizers],
                "history": [dict(record) for record in self.history],
            }
        )

    def load_plain(self, plain: dict[str, Any]) -> None:
        """Continue from the progress of another training, between two pieces."""
        self.restore(plain)
        for optimizer, state in zip(self.configure_optimizers(), plain["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        if self._plateau is not None and "plateau" in plain:
            self._plateau.load_state_dict(plain["plateau"])
        self.history = list(plain["history"])

    def _context(self, batch: dict[str, Tensor]) -> Context:
        context = super()._context(batch)
        shares = torch.as_tensor(self.weighing.shares, dtype=torch.float32, device=self.device)
        return replace(context, shares=shares.expand(len(context), -1))

    def _step(self, optimizer: LightningOptimizer, rows: list[list[Tensor | None]], weights: NDArray[Any]) -> None:
        """Step of the control points on a weighted sum of gradients."""
        self._set_gradients(rows, weights)
        self.path.distribute_gradients([p.grad for p in self._trained], self.weighing.shares)
        optimizer.step()

    def _draw_place(self) -> NDArray[np.float64]:
        """Draw a place: an extreme, or uniformly."""
        p = len(self.weighing.active)
        if self._places.random() < self.recipe.share_at_ends:
            return np.eye(p)[self._places.integers(1, p)]
        return self._places.dirichlet(np.ones(p))
