"""What a resumed run is recognised by: hashes of its data and of the untrained network."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scvi import REGISTRY_KEYS

from scpareto._cells import row_blocks
from scpareto._constants import NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager
    from torch import nn

    from scpareto._cells import Split


def data_hash(manager: AnnDataManager, split: Split, further: list[NDArray[Any]]) -> str:
    """Hash of counts, batches, split and further arrays: a resumed run must see the same data."""
    digest = hashlib.sha256()
    counts = manager.get_from_registry(REGISTRY_KEYS.X_KEY)
    for _, block in row_blocks(counts):
        parts = [block.data, block.indices, np.diff(block.indptr)] if sparse.issparse(block) else [block]
        for part in parts:
            digest.update(np.ascontiguousarray(part).data)
    nuisances = [key for key in (NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY) if key in manager.data_registry]
    arrays = [np.asarray(manager.get_from_registry(key)) for key in (REGISTRY_KEYS.BATCH_KEY, *nuisances)]
    for array in [*arrays, *further, *(index for _, index in split.items())]:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def state_hash(module: nn.Module) -> str:
    """Hash of an untrained module: architecture and initial weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
