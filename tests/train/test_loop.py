from __future__ import annotations

import logging
import os
import signal
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from scvi.train import Trainer
from torch import nn

from scpareto._runtime import quiet_lightning, raise_interrupts
from scpareto.front import stratified_split
from scpareto.objectives import Mine
from scpareto.pareto import Scaler, get_solver, preference_vectors
from scpareto.train import PRACTICAL, FrontPlan
from scpareto.train._adapter import get_adapter
from scpareto.train._loop import KeepBest, MainPhaseEpochs, run_training
from scpareto.train._weighing import FixedWeighing, SolverWeighing

RECIPE = PRACTICAL.with_options({"n_critic": 1})


def watch(merits, *, patience=100, settling=0, initial=0):
    """Show merits to a KeepBest, one an epoch; the weights of epoch i are all i."""
    best, trainer = KeepBest(patience, settling), SimpleNamespace(should_stop=False)
    plan = SimpleNamespace(module=nn.Linear(1, 1), objectives=nn.ModuleList([nn.Linear(1, 1)]))
    plan.snapshot, plan.restore = partial(FrontPlan.snapshot, plan), partial(FrontPlan.restore, plan)
    for epoch, merit in enumerate(merits):
        for parameter in [*plan.module.parameters(), *plan.objectives.parameters()]:
            nn.init.constant_(parameter, epoch)
        plan.merit, plan.weighing = merit, SimpleNamespace(in_main_phase=epoch >= initial)
        best.on_validation_end(trainer, plan)
        if trainer.should_stop:
            break
    last = epoch
    best.restore(plan)
    kept = {float(p.detach().flatten()[0]) for p in [*plan.module.parameters(), *plan.objectives.parameters()]}
    assert len(kept) == 1, "model and critic of one epoch"
    return kept.pop(), last


def test_the_best_mean_of_three_epochs_is_kept():
    # 0 is the luckiest epoch, but the epochs around it are bad.
    merits = [9, 9, 0, 9, 2, 2, 2, 5, 5]
    assert watch(merits) == (6, 8)
    assert np.argmin([np.mean(merits[max(0, i - 2) : i + 1]) for i in range(9)]) == 6


def test_settling_epochs_are_never_kept_nor_averaged():
    merits = [0, 0, 0, 8, 7, 9, 9, 9]
    assert watch(merits)[0] == 0
    # Of 8, (8+7)/2, (8+7+9)/3, ... the second is lowest.
    assert watch(merits, settling=3)[0] == 4


def test_epochs_of_the_initial_phase_do_not_count():
    assert watch([0, 0, 5, 4, 9, 9, 9], initial=2)[0] == 3
    assert watch([0, 0, 5, 4, 9, 9, 9], initial=2, settling=2)[0] == 4


def test_patience_ends_the_training_and_the_best_state_is_kept():
    assert watch([3, 3, 3, 4, 5, 6, 0, 0, 0], patience=2) == (0, 2)
    assert watch([5, 4, 3, 4, 5, 0, 0, 0], patience=3) == (7, 7)
    assert watch([3, 2, 1, 4, 5, 6, 7], patience=3) == (2, 5)


def test_undefined_merits_are_never_best():
    assert watch([float("nan")] * 3)[0] == 2, "nothing was kept, so nothing is put back"
    assert watch([5.0, 4.0, float("nan"), float("nan"), 9.0])[0] == 1


def test_main_phase_epochs_are_counted_to_the_limit():
    calls = []
    counter = MainPhaseEpochs(3, lambda: calls.append(1))
    trainer = SimpleNamespace(should_stop=False)
    phases = [False, False, True, True, True]
    for epoch, main in enumerate(phases):
        assert not trainer.should_stop
        counter.on_train_epoch_start(trainer, SimpleNamespace(weighing=SimpleNamespace(in_main_phase=main)))
        # The phase may end during an epoch: that epoch does not count.
        counter.on_train_epoch_end(trainer, SimpleNamespace(weighing=SimpleNamespace(in_main_phase=epoch >= 1)))
    assert trainer.should_stop
    assert counter.n_epochs == len(calls) == 3


@pytest.fixture
def train(model, adata):
    """Train: ``train(*callbacks, max_epochs=1, weighing=None, **recipe)`` gives the plan and the epochs run."""
    split = stratified_split(adata.obs["batch"])

    def train(*callbacks, max_epochs=1, weighing=None, recipe=None, split=split, **kwargs):
        mine = Mine(3, 2, n_hidden=4, n_layers=1)
        weighing = weighing or FixedWeighing([1.0, 0.0])
        plan = FrontPlan(get_adapter(model), [mine], weighing, RECIPE.with_options(recipe))
        n_epochs = run_training(
            plan,
            model.adata_manager,
            split,
            max_epochs=max_epochs,
            accelerator="cpu",
            devices=1,
            callbacks=list(callbacks),
            **kwargs,
        )
        return plan, n_epochs

    return train


def test_initial_phase_comes_on_top_of_the_epochs(train):
    solver = get_solver("pareto_mtl", preferences=preference_vectors(4))
    solver.weights = lambda *args: np.ones(2)
    weighing = SolverWeighing(
        solver, preference_vectors(4)[1], Scaler("payoff", [50.0, 0.0], [90.0, 0.5]), max_initial_epochs=2
    )
    plan, n_epochs = train(max_epochs=3, weighing=weighing, max_initial_epochs=2)
    assert n_epochs == 3
    assert [record["main_phase"] for record in plan.history] == [0, 0, 1, 1, 1]
    assert not plan.module.training


def test_every_training_is_in_training_mode_and_ends_in_evaluation_mode(train):
    """Two in a row: the second must not go on in the mode that the first one ended in."""
    modes = []

    class Watch(Callback):
        def on_train_batch_start(self, trainer, plan, batch, index):
            modes.append({layer.training for layer in plan.modules()})

        def on_validation_batch_start(self, trainer, plan, batch, *index):
            modes.append({layer.training for layer in plan.modules()})

    for _ in range(2):
        plan, _ = train(Watch(), max_epochs=2)
        assert modes == [{True}, {True}, {False}, {True}, {True}, {False}]
        assert not any(layer.training for layer in plan.modules())
        modes.clear()


def test_training_sees_training_cells_and_keeps_the_best_of_validation(train, adata):
    seen = {"train": [], "validation": []}

    class Watch(Callback):
        def on_train_batch_start(self, trainer, plan, batch, index):
            seen["train"].append(batch["X"])

        def on_validation_batch_start(self, trainer, plan, batch, *index):
            seen["validation"].append(batch["X"])

    split = stratified_split(adata.obs["batch"])
    plan, _ = train(Watch(), max_epochs=1)
    counts = torch.from_numpy(adata.X.toarray())
    for part, index in (("train", split.train), ("validation", split.validation)):
        expected = counts[index]
        found = torch.cat(seen[part])
        assert found.shape == expected.shape
        torch.testing.assert_close(found.sum(0), expected.sum(0))
    assert {"generative_loss_validation", "generative_loss_train", "epoch"} <= set(plan.history[0])


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_notebook"])
def test_strategies_whose_results_would_be_lost_are_refused(train, model, strategy):
    before = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    with pytest.raises(ValueError, match=f"strategy='{strategy}' trains in copies.*strategy='ddp'"):
        train(strategy=strategy)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.module.state_dict().items())


class Interrupt(Callback):
    def __init__(self, how):
        self.how = how

    def on_train_batch_end(self, *args):
        self.how()


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def raise_interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", [press_ctrl_c, raise_interrupt])
def test_an_interrupt_surfaces_and_the_handler_is_put_back(train, how):
    for handler in (signal.default_int_handler, lambda *args: raise_interrupt()):
        before = signal.signal(signal.SIGINT, handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                train(Interrupt(how))
            assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, before)


def test_ignored_interrupts_are_heard_again():
    """Lightning ignores further interrupts while it shuts down, and not every version listens again."""

    def shut_down():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise SystemExit(1)  # noqa: B904 - as Lightning does

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), raise_interrupts():
        shut_down()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_errors_pass_and_the_handler_is_put_back(train):
    before = signal.getsignal(signal.SIGINT)
    for error in (SystemExit(3), OSError("disk full")):

        def fail(error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            train(Interrupt(fail))
        assert caught.value is error
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def lightning_messages(monkeypatch):
    """What Lightning would say; tests/conftest.py silences some of its loggers, which is undone here."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    handler, names = Keep(), ("lightning.pytorch", "lightning.fabric")
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
        logging.getLogger(name)._cache.clear()
    for name in names:
        logging.getLogger(name).addHandler(handler)
    yield records
    for name in names:
        logging.getLogger(name).removeHandler(handler)


def test_training_is_quiet(train, capfd, lightning_messages):
    Trainer(max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False)
    assert lightning_messages, "Lightning does talk"
    lightning_messages.clear()
    level = logging.getLogger("lightning.pytorch").level
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train()
    assert [str(warning.message) for warning in caught if "lightning" in warning.filename] == []
    assert lightning_messages == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("lightning.pytorch").level == level
    assert not os.path.exists("lightning_logs")


def test_loudness_comes_back_after_an_error():
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    with pytest.raises(ValueError, match="ERROR"), quiet_lightning():
        raise ValueError(logging.getLevelName(logger.level))
    assert logger.level == before != logging.ERROR
