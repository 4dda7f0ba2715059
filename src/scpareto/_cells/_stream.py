"""Cells that a data module reads: minibatches for the training, and a bounded sample that is held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from scvi import REGISTRY_KEYS

from scpareto._cells._held import HeldCells, RandomCells, join_cells
from scpareto._cells._indexed import CELL_INDEX
from scpareto._cells._split import MOST_JUDGED, Split, split_in_two
from scpareto._runtime import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from scpareto._cells._minibatch import MinibatchFormat
    from scpareto._cells._nearest_population import NearestPopulation

_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
"""Of the cells that are held, at most these shares are of each part."""
_LEAST = 3
"""Cells of a minibatch below which batch normalisation learns nothing."""
NO_VALIDATION = (
    "The data module gives no validation cells. A front is judged on cells that trained nothing: make the data module "
    "with some, so that its val_dataloader() reads them."
)


class Stream:
    """The cells of a data module: training cells are read in each epoch, of the others a sample is held.

    What ``val_dataloader`` reads decides when to stop, and what ``test_dataloader`` reads is judged. Where there is no
    such loader, one third of the validation cells decides and two thirds are judged, which decided nothing.

    Parameters
    ----------
    module
        The data module.
    expected
        What its minibatches must hold.
    """

    def __init__(self, module: Any, expected: MinibatchFormat) -> None:
        self.module, self.expected = module, expected
        self.nearest_population: NearestPopulation | None = None
        for name in ("prepare_data", "setup"):
            if (prepare := getattr(module, name, None)) is not None:
                prepare(*(["fit"] if name == "setup" else []))

    def hold_cells(self, seed: int, most: int = MOST_JUDGED) -> HeldCells:
        """Read all cells once, check them, and hold some of each part.

        Parameters
        ----------
        seed
            Seed of what is drawn.
        most
            Cells that are held at most.

        Raises
        ------
        TypeError, KeyError, ValueError
            If a minibatch does not hold what the model reads, or a part has no cells.
        """
        names = [name for name in _SHARES if name != "test" or _has_loader(self.module, "test_dataloader")]
        shares = _SHARES if "test" in names else _SHARES | {"validation": _SHARES["validation"] + _SHARES["test"]}
        rng, parts = np.random.default_rng(seed), {}
        with seeded(seed):
            for name in names:
                parts[name] = RandomCells(round(shares[name] * most), rng)
                for cells in self.minibatches(name):
                    parts[name].add(cells)
                if not parts[name].n_seen:
                    raise ValueError(
                        NO_VALIDATION if name == "validation" else f"The data module gives no {name} cells."
                    )
        kept = [part.all() for part in parts.values()]
        ends = np.cumsum([len(cells[REGISTRY_KEYS.BATCH_KEY]) for cells in kept])
        fields, n_cells = join_cells(kept), {name: part.n_seen for name, part in parts.items()}
        train, validation, *test = np.split(np.arange(ends[-1]), ends[:-1])
        if not test:
            batch = fields[REGISTRY_KEYS.BATCH_KEY].ravel()[validation]
            validation, judged = split_in_two(validation, batch, 1 / 3, seed=seed)
            test = [judged]
        return HeldCells(fields, Split(train, validation, test[0]), n_cells)

    def minibatches(self, part: str) -> Iterator[dict[str, Tensor]]:
        """Read the cells of a part once, as the data module cuts them."""
        return self._checked(self._loader(part))

    def training(self, batch_size: int) -> Iterable[dict[str, Tensor]]:
        """Training cells, read anew in each epoch, in minibatches of at most so many."""
        return TrainingMinibatches(self, batch_size)

    def _checked(self, loader: Any) -> Iterator[dict[str, Tensor]]:
        """Minibatches of a loader in scvi-tools' words, by the conversion of the data module."""
        before = getattr(self.module, "on_before_batch_transfer", None)
        for raw in loader if loader is not None else ():
            yield self.expected(raw if before is None else before(raw, 0))

    def _loader(self, part: str) -> Any:
        names = {"train": "train_dataloader", "validation": "val_dataloader", "test": "test_dataloader"}
        return getattr(self.module, names[part])() if _has_loader(self.module, names[part]) else ()


class TrainingMinibatches:
    """Minibatches of training cells: large ones of the data module are cut, left-over cells left out.

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
                if len(rows) < _LEAST:
                    continue
                cut = {key: values[rows[0] : rows[-1] + 1] for key, values in cells.items()}
                if self.stream.nearest_population is not None:
                    # A cut is small enough for the cache of a processor, which the whole is not.
                    cut[CELL_INDEX] = self.stream.nearest_population(
                        cut[REGISTRY_KEYS.X_KEY], cut[REGISTRY_KEYS.BATCH_KEY]
                    )
                yield cut


def _has_loader(module: Any, name: str) -> bool:
    """Whether a data module has a loader of its own of a name; Lightning's stand-in raises an error when called."""
    return getattr(type(module), name, None) not in (None, getattr(LightningDataModule, name))
