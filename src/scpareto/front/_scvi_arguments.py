"""Training arguments of scvi-tools: each works in a front too, or is refused with the reason."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from scpareto._runtime import check_whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fixed(NamedTuple):
    """An argument that a front fixes: the accepted values, and the reason why others are refused."""

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
"""Arguments of :class:`scvi.train.TrainingPlan` that :class:`scpareto.train.Recipe` lacks."""
_CLIP = "plan_kwargs={'safeguards': {'gradient_clip': ...}} cuts the gradients of a front."
_CHECKPOINTS = "a front keeps the best state of each training in memory, and finished parts in checkpoint_dir."
_ONE_BAR = "one bar stands for all trainings of a front. progress=False hides it."
TRAINER_ARGUMENTS: dict[str, Fixed] = {
    "early_stopping_monitor": Fixed(
        (None, "elbo_validation"), "trainings stop by what they lower, of which the ELBO is a part."
    ),
    "early_stopping_mode": Fixed((None, "min"), "losses are lowered."),
    "enable_checkpointing": Fixed((None, False), _CHECKPOINTS),
    "checkpointing_monitor": Fixed((None, "validation_loss"), _CHECKPOINTS),
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
"""Arguments of :class:`scvi.train.Trainer` that a front fixes."""
_ORDER_FIXED = "every point is trained on minibatches of all genes and columns, in an order that follows from the seed."
LOADER_ARGUMENTS: dict[str, Fixed] = {
    "batch_size": Fixed((None,), "give batch_size to train itself."),
    "shuffle": Fixed((True,), _ORDER_FIXED),
    "sampler": Fixed((None,), _ORDER_FIXED),
    "batch_sampler": Fixed((None,), _ORDER_FIXED),
    "data_and_attributes": Fixed((None,), _ORDER_FIXED),
    "iter_ndarray": Fixed((False,), _ORDER_FIXED),
    "collate_fn": Fixed((None,), _ORDER_FIXED),
    "generator": Fixed((None,), _ORDER_FIXED),
    "distributed_sampler": Fixed((None, False), "strategy='ddp' divides the cells over the processes."),
    "drop_dataset_tail": Fixed((False,), "strategy='ddp' divides the cells over the processes."),
}
"""Arguments of :class:`scvi.dataloaders.DataSplitter` that a front fixes."""
SPLIT_ARGUMENTS = ("train_size", "validation_size", "shuffle_set_split", "load_sparse_tensor", "external_indexing")
"""Arguments of a splitter that a front reads itself."""
_STOPPING = {
    "early_stopping_patience": "patience",
    "early_stopping_min_delta": "least_gain",
    "early_stopping_warmup_epochs": "settling_epochs",
}
_HIDES_BAR = {"enable_progress_bar": False, "progress_bar_refresh_rate": 0}
"""Arguments of a trainer that hide the progress bar."""


def to_options(arguments: Any, name: str) -> dict[str, Any]:
    """Return a mapping as a dict, or the values of a config object of scvi-tools that differ from its defaults.

    Raises
    ------
    TypeError
        If it is neither a mapping nor a config object.
    """
    if arguments is None:
        return {}
    if callable(to_kwargs := getattr(arguments, "to_kwargs", None)):
        values = to_kwargs()
        # Defaults of scvi-tools differ from those of a front: only changed values are the user's choice.
        fixed_value: dict[str, Any] = (
            type(arguments)().to_kwargs() if hasattr(arguments, "__dataclass_fields__") else {}
        )
        return {key: value for key, value in values.items() if key not in fixed_value or value != fixed_value[key]}
    if hasattr(arguments, "keys"):
        return dict(arguments)
    raise TypeError(f"{name}={arguments!r} must be a dict, or a config of scvi-tools with to_kwargs().")


def drop_fixed(arguments: Mapping[str, Any], fixed: Mapping[str, Fixed], owner: str = "") -> dict[str, Any]:
    """Drop fixed arguments with an accepted value, and refuse other values.

    Raises
    ------
    ValueError
        If a fixed argument has another value.
    """
    for name, value in arguments.items():
        if name in fixed and not any(
            value is fixed_value or _equal(value, fixed_value) for fixed_value in fixed[name].values
        ):
            raise ValueError(f"{owner}{name}={value!r} does not go with a front: {fixed[name].reason}")
    return {name: value for name, value in arguments.items() if name not in fixed}


def _equal(value: Any, fixed_value: Any) -> bool:
    return type(value) in (bool, int, float, str, dict) and value == fixed_value


def stopping_options(trainer: dict[str, Any], early_stopping: bool | None) -> dict[str, Any]:
    """Move the arguments of early stopping from those of a trainer to fields of the recipe."""
    fields = {field: trainer.pop(name) for name, field in _STOPPING.items() if name in trainer}
    from_trainer = trainer.pop("early_stopping", None)
    early_stopping = from_trainer if early_stopping is None else early_stopping
    if early_stopping not in (None, True, False):
        raise ValueError(f"early_stopping={early_stopping!r} must be True, False or None.")
    if "patience" in fields:
        fields["patience"] = check_whole_number("early_stopping_patience", fields["patience"])
    if "settling_epochs" in fields:
        fields["settling_epochs"] = check_whole_number(
            "early_stopping_warmup_epochs", fields["settling_epochs"], least=0
        )
    return fields if early_stopping is None else fields | {"early_stopping": early_stopping}


def pop_hidden_bar(trainer: dict[str, Any]) -> bool:
    """Remove the arguments of the progress bar from those of a trainer; return whether they hide it."""
    arguments = {name: trainer.pop(name) for name in _HIDES_BAR if name in trainer}
    return any(value == _HIDES_BAR[name] and value is not None for name, value in arguments.items())


def loader_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Select the arguments of the data loaders from those of a splitter.

    Raises
    ------
    ValueError
        If a front fixes one of them to another value.
    TypeError
        If one is unknown.
    """
    from scvi.dataloaders import AnnDataLoader, DataSplitter
    from torch.utils.data import DataLoader

    valid = {n for cls in (DataSplitter, AnnDataLoader, DataLoader) for n in inspect.signature(cls).parameters}
    valid -= {"adata_manager", "dataset", "indices", "kwargs"}
    for name in arguments:
        if name not in valid:
            similar = difflib.get_close_matches(name, valid, n=3)
            rest = sorted(valid - set(similar) - set(LOADER_ARGUMENTS))
            raise TypeError(f"datasplitter_kwargs has no {name!r}. Choose from {', '.join([*similar, *rest])}.")
    options = drop_fixed(arguments, LOADER_ARGUMENTS, "datasplitter_kwargs: ")
    return {name: value for name, value in options.items() if name not in SPLIT_ARGUMENTS}


def resolve_fractions(train_size: float | None, validation_size: float | None) -> tuple[float, float, float] | None:
    """Return the shares of training, validation and test cells; None if none is given.

    A front needs test cells, unlike trainings of scvi-tools. Held-out cells without a given share are divided as by
    default: one third for validation and two thirds for the test.

    Raises
    ------
    ValueError
        If no cells are held out, or a value is not a share.
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
