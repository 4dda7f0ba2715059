"""What a resumed run is recognised by: its data, its model and untrained network, and how it is trained."""

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


_OF_THE_RUN = ("accelerator", "devices", "num_nodes", "strategy")
"""Arguments of the Trainer that say where a front is trained: results differ by rounding, which is warned of."""
_NO_MATTER = ("callbacks", "logger", "profiler", "default_root_dir", "log_every_n_steps")
"""Arguments of the Trainer that change no result, and those that begin with ``enable_``."""


def data_hash(manager: AnnDataManager, split: Split, further: list[NDArray[Any]]) -> str:
    """Hash of all registered data, split and further arrays: a resumed run must see the same."""
    digest = hashlib.sha256()
    for _, block in row_blocks(manager.get_from_registry(REGISTRY_KEYS.X_KEY)):
        _feed(digest, block)
    for key in sorted(set(manager.data_registry) - {REGISTRY_KEYS.X_KEY}):
        digest.update(key.encode())
        _feed(digest, manager.get_from_registry(key))
    for array in [*further, *(index for _, index in split.items())]:
        _feed(digest, array)
    return digest.hexdigest()[:16]


def _feed(digest: Any, values: Any) -> None:
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
    """Class and arguments of a model, as plain types: what is not in its weights, such as dropout, matters too."""
    arguments = {"class": type(model).__name__} | model.init_params_
    return json.loads(json.dumps(arguments, default=str))


def trainer_settings(trainer_kwargs: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Arguments of the Trainer that change results, and those that say where it runs; others do not matter."""
    told = {name: str(value) for name, value in trainer_kwargs.items() if not name.startswith("enable_")}
    changing = {name: value for name, value in told.items() if name not in (*_OF_THE_RUN, *_NO_MATTER)}
    return changing, {name: told[name] for name in _OF_THE_RUN if name in told}


def state_hash(module: nn.Module) -> str:
    """Hash of an untrained module: architecture and initial weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
