"""Arguments of a training in scvi-tools' words: each works in a front too, or is refused with the reason."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from scpareto._runtime import check_whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fixed(NamedTuple):
    """An argument with which a front has no choice: values that say what is done anyway, and why others are refused."""

    values: tuple[Any, ...]
    reason: str


_TRUE_ELBO = "the generative loss is the whole negative ELBO from the first epoch, so that points can be compared."
PLAN_ARGUMENTS: dict[str, Fixed] = {
    "optimizer_creator": Fixed((None,), "a recipe is kept with the front as plain values. Choose optimizer='Adam'."),
    "update_only_decoder": Fixed((False,), "what is traded are the codes, which the encoder makes."),
    "n_epochs_kl_warmup": Fixed((None, 0), _TRUE_ELBO),
    "n_steps_kl_warmup": Fixed((None, 0), _TRUE_ELBO),
    "min_kl_weight": Fixed((0.0, 1.0), _TRUE_ELBO),
    "max_kl_weight": Fixed((1.0,), _TRUE_ELBO),
    "lr_scheduler_metric": Fixed((None, "elbo_validation"), "the learning rate follows what the training lowers."),
    "compile": Fixed((False,), "a step takes the gradients of several losses of the module, which is not compiled."),
    "compile_kwargs": Fixed((None, {}), "the module is not compiled."),
    "fused_optimizer": Fixed((True,), "the optimizer is PyTorch's own choice for the device."),
    "on_step": Fixed((False, None), "losses are recorded once an epoch."),
    "on_epoch": Fixed((True, None), "losses are recorded once an epoch."),
}
"""What :class:`scvi.train.TrainingPlan` takes and :class:`scpareto.train.Recipe` does not hold."""
_CLIP = "plan_kwargs={'safeguards': {'gradient_clip': ...}} cuts the gradients of a front."
_KEPT = "a front keeps the best state of each training in memory, and finished parts in checkpoint_dir."
_ONE_BAR = "one bar stands for all trainings of a front. progress=False hides it."
TRAINER_ARGUMENTS: dict[str, Fixed] = {
    "early_stopping_monitor": Fixed(
        (None, "elbo_validation"), "trainings stop by what they lower, of which the ELBO is a part."
    ),
    "early_stopping_mode": Fixed((None, "min"), "losses are lowered."),
    "enable_checkpointing": Fixed((None, False), _KEPT),
    "checkpointing_monitor": Fixed((None, "validation_loss"), _KEPT),
    "log_save_dir": Fixed((None,), "losses are in model.history and are saved with the model."),
    "simple_progress_bar": Fixed((None, True), _ONE_BAR),
    "num_sanity_val_steps": Fixed((None, 0), "every validation counts when the best state is chosen."),
    "gradient_clip_val": Fixed((None,), _CLIP),
    "gradient_clip_algorithm": Fixed((None,), _CLIP),
    "accumulate_grad_batches": Fixed((1,), "weights belong to one minibatch. Give a larger batch_size."),
    "fast_dev_run": Fixed((False, 0), "max_epochs=1 is the shortest training."),
    "val_check_interval": Fixed((None, 1.0), "cells are validated at the end of an epoch."),
    "barebones": Fixed((False,), "a training needs its callbacks."),
}
"""What :class:`scvi.train.Trainer` takes and a front has no choice in."""
_NO_CHOICE = "every point is trained on minibatches of all genes and columns, in an order that follows from the seed."
LOADER_ARGUMENTS: dict[str, Fixed] = {
    "batch_size": Fixed((None,), "give batch_size to train itself."),
    "shuffle": Fixed((True,), _NO_CHOICE),
    "sampler": Fixed((None,), _NO_CHOICE),
    "batch_sampler": Fixed((None,), _NO_CHOICE),
    "data_and_attributes": Fixed((None,), _NO_CHOICE),
    "iter_ndarray": Fixed((False,), _NO_CHOICE),
    "collate_fn": Fixed((None,), _NO_CHOICE),
    "generator": Fixed((None,), _NO_CHOICE),
    "distributed_sampler": Fixed((None, False), "strategy='ddp' divides the cells over the processes."),
    "drop_dataset_tail": Fixed((False,), "strategy='ddp' divides the cells over the processes."),
}
"""What :class:`scvi.dataloaders.DataSplitter` takes and a front has no choice in."""
SPLITTING = ("train_size", "validation_size", "shuffle_set_split", "load_sparse_tensor", "external_indexing")
"""Arguments of a splitter that a front reads itself."""
_STOPPING = {
    "early_stopping_patience": "patience",
    "early_stopping_min_delta": "least_gain",
    "early_stopping_warmup_epochs": "settling_epochs",
}
_BAR = {"enable_progress_bar": False, "progress_bar_refresh_rate": 0}
"""Arguments of a trainer by which the bar is hidden."""


def to_options(given: Any, name: str) -> dict[str, Any]:
    """Return a mapping, or one of scvi-tools' config objects, as a dict; of the latter what differs from its defaults.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if given is None:
        return {}
    if callable(to_kwargs := getattr(given, "to_kwargs", None)):
        found = to_kwargs()
        # Defaults of scvi-tools are not those of a front: they are not what the user has chosen.
        usual: dict[str, Any] = type(given)().to_kwargs() if hasattr(given, "__dataclass_fields__") else {}
        return {key: value for key, value in found.items() if key not in usual or value != usual[key]}
    if hasattr(given, "keys"):
        return dict(given)
    raise TypeError(f"{name}={given!r} must be a dict, or a config of scvi-tools with to_kwargs().")


def drop_fixed(given: Mapping[str, Any], fixed: Mapping[str, Fixed], owner: str = "") -> dict[str, Any]:
    """Leave out arguments that say what is done anyway, and refuse those that say otherwise.

    Raises
    ------
    ValueError
        If one says otherwise.
    """
    for name, value in given.items():
        if name in fixed and not any(value is usual or _equal(value, usual) for usual in fixed[name].values):
            raise ValueError(f"{owner}{name}={value!r} does not go with a front: {fixed[name].reason}")
    return {name: value for name, value in given.items() if name not in fixed}


def _equal(value: Any, usual: Any) -> bool:
    return type(value) in (bool, int, float, str, dict) and value == usual


def stopping_options(trainer: dict[str, Any], early_stopping: bool | None) -> dict[str, Any]:
    """Take what concerns early stopping out of the arguments of a trainer, as fields of the recipe."""
    found = {own: trainer.pop(name) for name, own in _STOPPING.items() if name in trainer}
    asked = trainer.pop("early_stopping", None)
    early_stopping = asked if early_stopping is None else early_stopping
    if early_stopping not in (None, True, False):
        raise ValueError(f"early_stopping={early_stopping!r} must be True, False or None.")
    if "patience" in found:
        found["patience"] = check_whole_number("early_stopping_patience", found["patience"])
    if "settling_epochs" in found:
        found["settling_epochs"] = check_whole_number("early_stopping_warmup_epochs", found["settling_epochs"], least=0)
    return found if early_stopping is None else found | {"early_stopping": early_stopping}


def pop_hidden_bar(trainer: dict[str, Any]) -> bool:
    """Take what concerns the bar out of the arguments of a trainer; say whether it is to be hidden."""
    given = {name: trainer.pop(name) for name in _BAR if name in trainer}
    return any(value == _BAR[name] and value is not None for name, value in given.items())


def loader_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the data loaders among those of a splitter.

    Raises
    ------
    ValueError
        If a front has no choice in one of them.
    TypeError
        If one is unknown.
    """
    from scvi.dataloaders import AnnDataLoader, DataSplitter
    from torch.utils.data import DataLoader

    known = {n for cls in (DataSplitter, AnnDataLoader, DataLoader) for n in inspect.signature(cls).parameters}
    known -= {"adata_manager", "dataset", "indices", "kwargs"}
    for name in given:
        if name not in known:
            alike = difflib.get_close_matches(name, known, n=3)
            rest = sorted(known - set(alike) - set(LOADER_ARGUMENTS))
            raise TypeError(f"datasplitter_kwargs has no {name!r}. Choose from {', '.join([*alike, *rest])}.")
    found = drop_fixed(given, LOADER_ARGUMENTS, "datasplitter_kwargs: ")
    return {name: value for name, value in found.items() if name not in SPLITTING}


def resolve_fractions(train_size: float | None, validation_size: float | None) -> tuple[float, float, float] | None:
    """Shares of training, validation and test cells; None where none is given.

    A front needs test cells, which scvi-tools' trainings do not: of what is held out and not shared out otherwise,
    one third is for validation and two thirds are for the test, as by default.

    Raises
    ------
    ValueError
        If they leave no held-out cells, or are no shares.
    """
    if train_size is None and validation_size is None:
        return None
    for name, size in (("train_size", train_size), ("validation_size", validation_size)):
        if size is not None and (isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size <= 1):
            raise ValueError(f"{name}={size!r} must be a share of the cells between 0 and 1.")
    train = min(0.7, 1 - (validation_size or 0)) if train_size is None else train_size
    if train >= 1 or train <= 0:
        raise ValueError(
            f"train_size={train_size}, validation_size={validation_size}: no cells are left to judge points on. "
            "Leave some of them out of the training, for example train_size=0.9."
        )
    held_out = 1 - train
    if validation_size is None or abs(validation_size - held_out) < 1e-9:
        return train, held_out / 3, 2 * held_out / 3
    if validation_size > held_out:
        raise ValueError(f"train_size={train} and validation_size={validation_size} are more than all cells.")
    return train, validation_size, held_out - validation_size
