"""Report the result of a front to the user's loggers and callbacks, as Lightning reports losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from scpareto._runtime import quiet_lightning

if TYPE_CHECKING:
    from scpareto.pareto import Front

PREFIX = "selected_"
"""Prefix of the names under which columns of the selected point are reported."""


class _Report(lightning.LightningModule):
    """Module whose training only logs numbers."""

    def __init__(self, values: dict[str, float]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.values = values

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Log."""
        self.log_dict(self.values)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log."""
        self.log_dict(self.values)

    def configure_optimizers(self) -> None:
        """Optimise nothing."""


def report(front: Front, which: Any, trainer_kwargs: dict[str, Any]) -> None:
    """Report the columns of a point to loggers and callbacks.

    Hyperparameter searches read a trainer's metrics when a validation or a training ends. A front is only known after
    all trainings, so its numbers are logged by one more training of a single step that changes nothing.

    Parameters
    ----------
    front
        The front; it may have no points.
    which
        The point, see :meth:`scpareto.pareto.Front.find`.
    trainer_kwargs
        Trainer arguments of the user. The report goes to its ``logger`` and to Ray Tune's ``callbacks``; other
        callbacks expect a module that is trained.
    """
    callbacks = [callback for callback in trainer_kwargs.get("callbacks") or [] if _is_of_ray_tune(callback)]
    logger = trainer_kwargs.get("logger") or False
    if not len(front) or not (callbacks or logger):
        return
    row = front.to_dataframe().set_index("point").loc[front.find(which)]
    numeric = {name: float(value) for name, value in row.items() if isinstance(value, int | float)}
    values = {f"{PREFIX}{name}": value for name, value in numeric.items() if name != "seed"}
    with quiet_lightning():
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            log_every_n_steps=1,
            callbacks=callbacks,
            logger=logger,
        )
        one: DataLoader[Any] = DataLoader(TensorDataset(torch.zeros(1)))
        trainer.fit(_Report(values), one, one)


def _is_of_ray_tune(callback: Any) -> bool:
    return any(base.__module__.startswith("ray.tune") for base in type(callback).__mro__)
