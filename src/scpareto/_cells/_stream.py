"""Cells that a data module reads: minibatches for training, and a bounded sample held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from scvi import REGISTRY_KEYS

from scpareto._cells._held import CellSampler, HeldCells, join_cells
from scpareto._cells._indexed import CELL_INDEX
from scpareto._cells._split import MAX_JUDGED_CELLS, Split, split_in_two
from scpareto._runtime import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from scpareto._cells._minibatch import MinibatchFormat
    from scpareto._cells._nearest_population import NearestPopulation

_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
"""Largest share of each part among the held cells."""
_MIN_CELLS = 3
"""Smallest minibatch on which batch normalisation can learn."""
NO_VALIDATION = (
    "The data module gives no validation cells. A front is judged on cells that trained nothing: make the data module "
    "with some, so that its val_dataloader() reads them."
)


class Stream:
    """The cells of a data module: training cells are read in each epoch, a sample of the others is held in memory.

    Cells of ``val_dataloader`` decide when to stop, and points are judged on cells of ``test_dataloader``. Without a
    test loader, one third of the validation cells decides when to stop, and points are judged on the other two thirds.

    Parameters
    ----------
    module
        The data module.
    expected
        Checks and converts its minibatches.
    """

    def __init__(self, module: Any, expected: MinibatchFormat) -> None:
        self.module, self.expected = module, expected
        self.nearest_population: NearestPopulation | None = None
        for name in ("prepare_data", "setup"):
            if (prepare := getattr(module, name, None)) is not None:
                prepare(*(["fit"] if name == "setup" else []))

    def hold_cells(self, seed: int, max_cells: int = MAX_JUDGED_CELLS) -> HeldCells:
        """Read all cells once, check them, and hold a sample of each part.

        Parameters
        ----------
        seed
            Seed of the sample.
        max_cells
            Most cells that are held.

        Raises
        ------
        TypeError, KeyError, ValueError
            If a minibatch is not as the model expects, or a part has no cells.
        """
        names = [name for name in _SHARES if name != "test" or _has_loader(self.module, "test_dataloader")]
        shares = _SHARES if "test" in names else _SHARES | {"validation": _SHARES["validation"] + _SHARES["test"]}
        rng, samplers = np.random.default_rng(seed), {}
        with seeded(seed):
            for name in names:
                samplers[name] = CellSampler(round(shares[name] * max_cells), rng)
                for cells in self.minibatches(name):
                    samplers[name].add(cells)
                if not samplers[name].n_seen:
                    raise ValueError(
                        NO_VALIDATION if name == "validation" else f"The data module gives no {name} cells."
                    )
        samples = [sampler.all() for sampler in samplers.values()]
        ends = np.cumsum([len(cells[REGISTRY_KEYS.BATCH_KEY]) for cells in samples])
        fields, n_cells = join_cells(samples), {name: sampler.n_seen for name, sampler in samplers.items()}
        train, validation, *test = np.split(np.arange(ends[-1]), ends[:-1])
        if not test:
            batch = fields[REGISTRY_KEYS.BATCH_KEY].ravel()[validation]
            validation, judged = split_in_two(validation, batch, 1 / 3, seed=seed)
            test = [judged]
        return HeldCells(fields, Split(train, validation, test[0]), n_cells)

    def minibatches(self, part: str) -> Iterator[dict[str, Tensor]]:
        """Read the cells of a part once, in the minibatches of the data module."""
        return self._check_minibatches(self._loader(part))

    def training(self, batch_size: int) -> Iterable[dict[str, Tensor]]:
        """Return minibatches of at most ``batch_size`` training cells, read anew in each epoch."""
        return TrainingMinibatches(self, batch_size)

    def _check_minibatches(self, loader: Any) -> Iterator[dict[str, Tensor]]:
        """Yield checked minibatches of a loader, converted by the data module to scvi-tools' format."""
        convert = getattr(self.module, "on_before_batch_transfer", None)
        for raw in loader if loader is not None else ():
            yield self.expected(raw if convert is None else convert(raw, 0))

    def _loader(self, part: str) -> Any:
        names = {"train": "train_dataloader", "validation": "val_dataloader", "test": "test_dataloader"}
        return getattr(self.module, names[part])() if _has_loader(self.module, names[part]) else ()


class TrainingMinibatches:
    """Minibatches of training cells. Large ones of the data module are cut; one or two left-over cells are dropped.

    Parameters
    ----------
    stream
        Reads the cells.
    batch_size
        Cells of a minibatch, at most.
    """

    def __init__(self, stream: Stream, batch_size: int) -> None:
        self.stream, self.batch_size = stream, batch_size

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for cells in self.stream.minibatches("train"):
            n_cells = len(cells[REGISTRY_KEYS.X_KEY])
            for rows in torch.arange(n_cells).tensor_split(-(-n_cells // self.batch_size)):
                if len(rows) < _MIN_CELLS:
                    continue
                cut = {key: values[rows[0] : rows[-1] + 1] for key, values in cells.items()}
                if self.stream.nearest_population is not None:
                    # A small minibatch fits into the processor cache; the whole one does not.
                    cut[CELL_INDEX] = self.stream.nearest_population(
                        cut[REGISTRY_KEYS.X_KEY], cut[REGISTRY_KEYS.BATCH_KEY]
                    )
                yield cut


def _has_loader(module: Any, name: str) -> bool:
    """Return whether a data module defines a loader; Lightning's default raises an error when called."""
    return getattr(type(module), name, None) not in (None, getattr(LightningDataModule, name))
