"""Combinations of arguments that a front refuses, with the reasons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (
        lambda o: bool(o.executor_kwargs) and o.executor is None,
        "executor_kwargs are given without an executor.",
    ),
    (
        lambda o: o.executor is not None and o.warm_start == "path",
        "warm_start='path' trains one point after the other; executor='ray' does not go with it.",
    ),
    (
        lambda o: str(o.trainer_kwargs.get("precision", "32")).startswith("16"),
        "precision=16: half precision overflows in the critics. Use 32 or 'bf16-mixed'.",
    ),
    (
        lambda o: o.datamodule is not None and o.executor is not None,
        "The cells of a data module are read by this process; executor='ray' does not go with it.",
    ),
    (
        lambda o: o.datamodule is not None and bool(o.loader_kwargs),
        "A data module has loaders of its own; load_sparse_tensor and datasplitter_kwargs do not go with it.",
    ),
    (
        lambda o: (o.max_epochs_pretrain or 0) >= (o.max_epochs or math.inf),
        "max_epochs={max_epochs} is the whole training and max_epochs_pretrain={max_epochs_pretrain} its shared start, "
        "which leaves nothing for what follows. Give a larger max_epochs, or leave max_epochs_pretrain out.",
    ),
    (
        lambda o: o.split is not None and o.fractions is not None,
        "split names the cells of each part; train_size and validation_size do not go with it.",
    ),
    (
        lambda o: o.split is not None and o.external_indexing is not None,
        "split and external_indexing both name the cells of each part. Give one of them.",
    ),
    (
        lambda o: o.along_path and o.warm_start == "path",
        "warm_start='path' is for points that are trained apart; method='conditional' has none.",
    ),
    (
        lambda o: o.along_path and bool(o.learned),
        "method='conditional' does not take {learned}, which learns with the model.",
    ),
    (
        lambda o: o.along_path and o.executor is not None,
        "method='conditional' is one training; executor='ray' does not go with it.",
    ),
    (
        lambda o: o.along_path and o.preset == "paper",
        "preset='paper' trains every point apart; method='conditional' does not go with it.",
    ),
)
"""Refused combinations: a test of :class:`FrontOptions`, and the message that is shown."""
