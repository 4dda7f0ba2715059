"""Fingerprint of a run, compared when it is resumed: data, model, untrained network and training settings."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scvi import REGISTRY_KEYS

from scpareto._cells import row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager
    from scvi.model.base import BaseModelClass
    from torch import nn

    from scpareto._cells import Split


_HARDWARE = ("accelerator", "devices", "num_nodes", "strategy")
"""Trainer arguments that choose the hardware: results differ by rounding only, so a change gives a warning."""
_WITHOUT_EFFECT = ("callbacks", "logger", "profiler", "default_root_dir", "log_every_n_steps")
"""Trainer arguments that change no result; so do those that begin with ``enable_``."""


def data_hash(manager: AnnDataManager, split: Split, other_arrays: list[NDArray[Any]]) -> str:
    """Return a hash of all registered data, the split and further arrays; a resumed run must have the same."""
    digest = hashlib.sha256()
    for _, block in row_blocks(manager.get_from_registry(REGISTRY_KEYS.X_KEY)):
        _update_digest(digest, block)
    for key in sorted(set(manager.data_registry) - {REGISTRY_KEYS.X_KEY}):
        digest.update(key.encode())
        _update_digest(digest, manager.get_from_registry(key))
    for array in [*other_arrays, *(index for _, index in split.items())]:
        _update_digest(digest, array)
    return digest.hexdigest()[:16]


def _update_digest(digest: Any, values: Any) -> None:
    """Add a matrix, a table or a string to a hash."""
    if isinstance(values, str):
        digest.update(values.encode())
    elif sparse.issparse(values):
        rows = sparse.csr_matrix(values)
        for part in (rows.data, rows.indices, np.diff(rows.indptr)):
            digest.update(np.ascontiguousarray(part).data)
    else:
        array = np.ascontiguousarray(values)
        digest.update("\0".join(map(str, array.ravel())).encode() if array.dtype == object else array.data)


def model_settings(model: BaseModelClass) -> dict[str, Any]:
    """Return class and arguments of a model as plain types; they hold settings that weights lack, such as dropout."""
    arguments = {"class": type(model).__name__} | model.init_params_
    return json.loads(json.dumps(arguments, default=str))


def trainer_settings(trainer_kwargs: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the Trainer arguments that change results, and those that choose the hardware."""
    texts = {name: str(value) for name, value in trainer_kwargs.items() if not name.startswith("enable_")}
    changing = {name: value for name, value in texts.items() if name not in (*_HARDWARE, *_WITHOUT_EFFECT)}
    return changing, {name: texts[name] for name in _HARDWARE if name in texts}


def state_hash(module: nn.Module) -> str:
    """Return a hash of an untrained module: architecture and initial weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
