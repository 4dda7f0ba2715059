"""Run one training with Lightning, quietly, and keep its best state in memory."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from scvi.dataloaders import AnnDataLoader, DataSplitter
from scvi.train import Trainer
from torch.distributions import Distribution

from scpareto._cells import add_cell_index, resident_dataset
from scpareto._runtime import BestState, child_seed, quiet_lightning, raise_interrupts, seeded
from scpareto.objectives import flush_denormals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import lightning.pytorch as lightning
    from scvi.data import AnnDataManager

    from scpareto._cells import Split, Stream
    from scpareto.train._plan import FrontPlan


class MainPhaseEpochs(Callback):
    """End a training after a number of main-phase epochs; epochs of an initial phase do not count."""

    def __init__(self, max_epochs: int, on_epoch: Callable[[], None] | None = None) -> None:
        self.max_epochs = max_epochs
        self.on_epoch = on_epoch
        self.n_epochs = 0
        self._counts = True

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: FrontPlan) -> None:  # type: ignore[override]
        """Note whether this epoch starts in the main phase."""
        self._counts = pl_module.weighing.in_main_phase

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: FrontPlan) -> None:  # type: ignore[override]
        """Count the epoch."""
        if not self._counts:
            return
        self.n_epochs += 1
        if self.on_epoch is not None:
            self.on_epoch()
        if self.n_epochs >= self.max_epochs:
            trainer.should_stop = True


class KeepBest(Callback):
    """Keep the weights with the best validation merit, and stop when it has not improved for long.

    Parameters
    ----------
    patience
        Epochs to wait for a better merit.
    settling_epochs
        First epochs of the main phase, whose states are never kept.
    window
        Epochs whose mean merit judges a state.
    least_gain
        How much better a merit has to be.
    """

    def __init__(self, patience: int, settling_epochs: int, window: int = 3, *, least_gain: float = 0.0) -> None:
        self.best = BestState(patience, least_gain=least_gain)
        self.settling_epochs = settling_epochs
        self.window = window
        self._merits: list[float] = []

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: FrontPlan) -> None:  # type: ignore[override]
        """Compare the present state with the best one."""
        if pl_module.merit is None or not pl_module.weighing.in_main_phase:
            return
        self._merits.append(pl_module.merit)
        if len(self._merits) <= self.settling_epochs:
            return
        merit = float(np.mean(self._merits[max(self.settling_epochs, len(self._merits) - self.window) :]))
        if not self.best.offer(merit, pl_module.snapshot):
            trainer.should_stop = trainer.should_stop or self.has_given_up

    @property
    def has_given_up(self) -> bool:
        """Whether the patience is used up."""
        return self.best.has_given_up

    def restore(self, plan: FrontPlan) -> None:
        """Restore the best state, if one was kept."""
        if self.best.state is not None:
            plan.restore(self.best.state)

    def to_plain(self) -> dict[str, Any]:
        """Return the progress as tensors and plain types, for :meth:`load_plain`."""
        return self.best.to_plain() | {"merits": self._merits}

    def load_plain(self, plain: dict[str, Any]) -> None:
        """Continue from the progress of another training."""
        self.best.load_plain(plain)
        self._merits = list(plain["merits"])


class ShuffleSeed(Callback):
    """Set the seed by which processes shuffle their cells; the default of the sampler never changes."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Set the seed before the first epoch draws."""
        assert trainer.train_dataloader is not None
        trainer.train_dataloader.sampler.seed = self.seed


class RestoreSignal(Callback):
    """Restore the handler of SIGTERM in a distributed training.

    Lightning's handler sends a message to all processes in the middle of another one, and all wait for ever.
    """

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Restore the handler that Lightning has replaced."""
        if self.handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.handler)


def run_training(
    plan: FrontPlan,
    manager: AnnDataManager,
    split: Split,
    *,
    max_epochs: int,
    max_initial_epochs: int = 0,
    batch_size: int = 128,
    settling: bool = False,
    best: KeepBest | None = None,
    on_epoch: Callable[[], None] | None = None,
    loader_kwargs: Mapping[str, Any] | None = None,
    stream: Stream | None = None,
    **trainer_kwargs: Any,
) -> int:
    """Train ``plan`` and leave its module in evaluation mode, in its best state.

    With several devices each process trains on cells of its own, with ``batch_size`` of them a step, and all processes
    end in the same state.

    Parameters
    ----------
    plan
        What is trained.
    manager
        Registered data.
    split
        Training and validation cells.
    max_epochs
        Longest main phase.
    max_initial_epochs
        Longest initial phase before it.
    batch_size
        Cells of a minibatch.
    settling
        Whether to skip the first epochs when the best state is chosen.
    best
        Keeper of the best state, for a training in several pieces; the caller restores the state after the last one.
    on_epoch
        Called after each main-phase epoch.
    loader_kwargs
        Passed to scvi-tools' data loaders.
    stream
        Reads the training cells instead, where these are a data module's; validation cells are registered ones.
    **trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.

    Returns
    -------
    Number of main-phase epochs that were run.

    Raises
    ------
    ValueError
        If the strategy starts processes whose results would not come back.
    TrainingDiverged
        If a loss is not finite.
    KeyboardInterrupt
        If the user interrupts.
    """
    counter = MainPhaseEpochs(max_epochs, on_epoch)
    user_callbacks = trainer_kwargs.pop("callbacks", None) or []
    callbacks: list[Callback] = [
        *(user_callbacks if isinstance(user_callbacks, list | tuple) else [user_callbacks]),
        counter,
    ]
    if trainer_kwargs.pop("learning_rate_monitor", False):
        callbacks.append(LearningRateMonitor())
    keeper = best
    if keeper is None and plan.recipe.early_stopping:
        keeper = make_keeper(plan, max_epochs, settling=settling)
    if keeper is not None:
        callbacks.append(keeper)
    with quiet_lightning():
        data: dict[str, Any]
        options: dict[str, Any] = {
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "check_val_every_n_epoch": 1,
        }
        if any(isinstance(callback, LearningRateMonitor) for callback in callbacks):
            options["logger"] = DummyLogger()  # a monitor asks for one; what it finds goes into the history
        trainer = Trainer(max_epochs=max_epochs + max_initial_epochs, callbacks=callbacks, **options | trainer_kwargs)
        if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
            raise ValueError(
                f"strategy={trainer_kwargs.get('strategy', 'auto')!r} trains in copies of this process, whose results "
                "are lost. Use strategy='ddp' in a script, or one device."
            )
        if stream is None:
            resident = resident_dataset(manager, trainer.strategy.root_device)
            indexed = add_cell_index(manager, resident)
            data = {"datamodule": _data(indexed, split, batch_size, trainer.world_size, loader_kwargs or {})}
        else:
            data = _streamed(stream, add_cell_index(manager), split, batch_size, trainer.world_size)
        # Lightning leaves modules in the mode they are in, and the training before ended in evaluation mode.
        plan.train()
        with raise_interrupts(), flush_denormals(), _different_noise(trainer), _distributions_unchecked():
            trainer.fit(plan, **data)
    if keeper is not None and best is None:
        keeper.restore(plan)
    plan.eval()
    return counter.n_epochs


def make_keeper(plan: FrontPlan, max_epochs: int, *, settling: bool, epochs_before: int = 0) -> KeepBest:
    """Make the keeper of the best state for a training of ``max_epochs``, after ``epochs_before`` others."""
    recipe = plan.recipe
    share = recipe.settling_share if settling else 0.0
    settling_epochs = max(recipe.settling_epochs - epochs_before, int(share * max_epochs))
    least_gain = plan.weighing.standardised_gain(recipe.least_gain)
    return KeepBest(recipe.patience, settling_epochs, recipe.merit_window, least_gain=least_gain)


def _data(
    manager: AnnDataManager, split: Split, batch_size: int, n_processes: int, loader_kwargs: Mapping[str, Any]
) -> DataSplitter:
    """Minibatches of the training and validation cells, divided over the processes."""
    n_cells = -(-len(split.train) // n_processes)
    # Batch normalisation has no use for one or two left-over cells.
    drop_last = bool(loader_kwargs.get("drop_last")) or 0 < n_cells % batch_size < 3
    return DataSplitter(
        manager,
        external_indexing=[split.train, split.validation, split.test],
        batch_size=batch_size,
        distributed_sampler=n_processes > 1,
        **{**loader_kwargs, "drop_last": drop_last},
    )


def _streamed(
    stream: Stream, manager: AnnDataManager, split: Split, batch_size: int, n_processes: int
) -> dict[str, Any]:
    """Minibatches of the training cells of a data module, and of the validation cells that are held.

    Raises
    ------
    ValueError
        If several processes would read them.
    """
    if n_processes > 1:
        raise ValueError(
            f"{n_processes} processes would each read all cells of the data module: use one device, or an AnnData."
        )
    validation_loader = AnnDataLoader(manager, indices=split.validation, batch_size=batch_size)
    return {"train_dataloaders": stream.training(batch_size), "val_dataloaders": validation_loader}


@contextmanager
def _different_noise(trainer: Trainer) -> Iterator[None]:
    """Let each process draw different codes and dropout, and leave all generators equal afterwards."""
    if trainer.world_size == 1:
        yield
        return
    seed = int(torch.randint(2**31, ()))
    trainer.callbacks += [ShuffleSeed(seed), RestoreSignal()]
    with seeded(child_seed(seed, trainer.global_rank)):
        yield


@contextmanager
def _distributions_unchecked() -> Iterator[None]:
    """Switch off checks of distribution parameters, which make a GPU wait; losses are checked each epoch."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)
