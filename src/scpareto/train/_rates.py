"""Lower learning rates on a plateau, and record them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import LearningRateMonitor
from torch.optim.lr_scheduler import ReduceLROnPlateau

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from scpareto.train._recipe import Recipe
    from scpareto.train._weighing import Weighing


def make_plateau(optimizer: Optimizer, recipe: Recipe, weighing: Weighing) -> ReduceLROnPlateau:
    """Make the scheduler that lowers an optimiser's rate when validation values stop improving."""
    return ReduceLROnPlateau(
        optimizer,
        factor=recipe.lr_factor,
        patience=recipe.lr_patience,
        threshold=weighing.standardised_gain(recipe.lr_threshold),
        threshold_mode="abs",
        min_lr=recipe.lr_min,
    )


def lower_rate(plateau: ReduceLROnPlateau | None, merit: float | None, weighing: Weighing) -> None:
    """Lower the rate of the model if its merit has stopped improving."""
    if plateau is not None and merit is not None and weighing.in_main_phase:
        plateau.step(merit)


def get_learning_rates(trainer: Any, plateau: ReduceLROnPlateau | None) -> dict[str, float]:
    """Return learning rates for the record of an epoch, under the names of Lightning's monitor.

    Parameters
    ----------
    trainer
        Trainer of the training; with a monitor among its callbacks, all rates are returned.
    plateau
        Scheduler of the model's rate, which is always returned.
    """
    optimizers = [] if plateau is None else [plateau.optimizer]
    if isinstance(trainer, lightning.Trainer):
        callbacks: list[Any] = getattr(trainer, "callbacks", [])
        if any(isinstance(callback, LearningRateMonitor) for callback in callbacks):
            optimizers = trainer.optimizers
    names = [f"lr-{type(optimizer).__name__}" for optimizer in optimizers]
    values = [float(optimizer.param_groups[0]["lr"]) for optimizer in optimizers]
    return {f"{name}-{i}" if i else name: rate for i, (name, rate) in enumerate(zip(names, values, strict=True))}
