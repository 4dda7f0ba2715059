"""The cells of a front: those of an AnnData, or of a data module, of which a sample is held in memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi import REGISTRY_KEYS

from scpareto._cells import (
    AnnbatchStream,
    NearestPopulation,
    Stream,
    batch_of_rows,
    is_annbatch,
)
from scpareto._runtime import child_seed, choose_hardware
from scpareto.front import _seeds
from scpareto.front._checks import check_split, make_split
from scpareto.front._clusters import POPULATIONS
from scpareto.front._data_module import check_registry, read_minibatch_format, register_held_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scvi.data import AnnDataManager
    from scvi.model.base import BaseModelClass

    from scpareto._cells import Split
    from scpareto.front._clusters import Clustering
    from scpareto.front._options import FrontOptions

logger = logging.getLogger("scpareto")

NO_CELLS = (
    "The model was made without cells. Give it the data module whose registry it was made of, train(datamodule=...), "
    "or make it of an AnnData that was set up."
)
_SPLIT_ARGUMENTS = ("split", "train_size", "validation_size", "shuffle_set_split", "external_indexing")
"""Arguments that split cells by row; of all data modules, only that of annbatch has rows."""


@dataclass(frozen=True, eq=False)
class Source:
    """The cells of a front.

    Parameters
    ----------
    manager
        Registered data: all cells, or the cells of a data module that are held in memory.
    split
        Training, validation and test cells among them.
    n_cells, n_train
        Number of all cells and of training cells, in memory or not.
    stream
        Reads the training cells of a data module.
    metadata
        Metadata of the front about its cells.
    """

    manager: AnnDataManager
    split: Split
    n_cells: int
    n_train: int
    stream: Stream | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def assign_populations(self, clusterings: Sequence[Clustering], *, counts: bool) -> None:
        """Let the stream assign training cells to the populations of similar cells in memory.

        Raises
        ------
        ValueError
            If other clusters are asked for, which need all cells to be registered.
        """
        if self.stream is None or not clusterings:
            return
        for clustering in clusterings:
            if clustering.name != POPULATIONS:
                raise ValueError(
                    f"given={clustering.name!r}: of a data module, cells are only held in part. Choose "
                    f"given={POPULATIONS!r}, 'auto' or None."
                )
        values = self.manager.get_from_registry(REGISTRY_KEYS.X_KEY)
        batch = np.asarray(self.manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY)).ravel()
        (clustering,) = clusterings
        assert clustering.memberships is not None  # populations are computed before any training
        population = clustering.memberships.argmax(1).numpy()
        self.stream.nearest_population = NearestPopulation(values, batch, population, self.split.train, counts=counts)


def find_source(model: BaseModelClass, options: FrontOptions, seed: int) -> Source:
    """Find the cells of a front; a data module is read once.

    Raises
    ------
    ValueError
        If the model has no cells, or the cells of the data module do not fit it.
    KeyError, TypeError
        If minibatches of the data module do not have the format of scvi-tools.
    """
    if options.datamodule is None:
        if model.adata_manager is None:
            raise ValueError(NO_CELLS)
        return _from_anndata(model.adata_manager, options, seed)
    return _from_data_module(model, options, seed)


def _from_anndata(manager: AnnDataManager, options: FrontOptions, seed: int) -> Source:
    batch = manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY)
    names = manager.adata.obs_names
    split = make_split(options, batch, seed, names)
    metadata = {"cell_names": [str(name) for name in names], "indices": _indices(split)}
    return Source(manager, split, manager.adata.n_obs, len(split.train), metadata=metadata)


def _from_data_module(model: BaseModelClass, options: FrontOptions, seed: int) -> Source:
    module, registry = options.datamodule, check_registry(model)
    devices = choose_hardware(options.accelerator, options.devices)["devices"]
    if devices not in (1, "1", [0]) and not (isinstance(devices, list) and len(devices) == 1):
        raise ValueError(f"devices={options.devices!r}: one process reads the cells of a data module, for one device.")
    expected = read_minibatch_format(registry)
    if expected.n_batches < 2:
        raise ValueError(
            "The registry of the data module has one batch: there is nothing to correct. Make the data module with the "
            "batch_key of the cells, and the model of its registry."
        )
    stream: Stream
    metadata: dict[str, Any] = {}
    if is_annbatch(module):
        batch = batch_of_rows(module)
        split = make_split(options, batch, seed, ())
        stream = AnnbatchStream(module, expected, split, batch)
        metadata["indices"] = _indices(split)
    else:
        for name in _SPLIT_ARGUMENTS:
            if getattr(options, name) is not getattr(type(options), name):
                raise ValueError(
                    f"{name}={getattr(options, name)!r}: this data module parts its cells itself, by its "
                    "train_dataloader and val_dataloader."
                )
        stream = Stream(module, expected)
    logger.info("Reading the cells of the data module once, to hold those that points are judged on.")
    cells = stream.hold_cells(child_seed(seed, _seeds.SPLIT))
    manager = register_held_cells(registry, cells)
    parts = [part for _, part in cells.split.items()]
    check_split(parts, manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY), seed)
    n_cells, n_in_memory = sum(cells.n_cells.values()), {name: len(part) for name, part in cells.split.items()}
    metadata["data_module"] = {"class": type(module).__name__, "n_cells": cells.n_cells, "n_held": n_in_memory}
    logger.info(
        "%d of the %d cells of the data module are held in memory: %d of the training, %d that decide when to stop, "
        "and %d that points are judged on.",
        sum(n_in_memory.values()),
        n_cells,
        *n_in_memory.values(),
    )
    return Source(manager, cells.split, n_cells, cells.n_cells["train"], stream, metadata)


def _indices(split: Split) -> dict[str, Any]:
    return {name: torch.from_numpy(index.copy()) for name, index in split.items()}
