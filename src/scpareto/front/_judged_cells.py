"""The cells that points are judged on, and their codes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi import REGISTRY_KEYS
from scvi.dataloaders import AnnDataLoader
from torch.distributions import Normal

from scpareto._cells import (
    add_cell_index,
    as_row_matrix,
    holds_counts,
    principal_components,
    read_rows,
    sample_judged_cells,
)
from scpareto._constants import BATCH
from scpareto.front._judged_frame import make_judged_frame
from scpareto.objectives import Context
from scpareto.train import TrainingDiverged, get_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray
    from scvi.data import AnnDataManager

    from scpareto._cells import Split
    from scpareto.front._judged_frame import JudgedFrame
    from scpareto.train import VAEAdapter


class JudgedCells:
    """Judged cells of a fixed split, encoded by the present state of a model's module.

    Above :data:`scpareto._cells.MAX_JUDGED_CELLS` cells, a sample is judged, the same one for every point.

    Parameters
    ----------
    adapter
        The model.
    manager
        Registered data.
    split
        Training, validation and test cells.
    control_genes
        Log-normalised expression of genes whose pattern must be kept, by name, each of shape ``(n_cells,)``.
    """

    def __init__(
        self,
        adapter: VAEAdapter,
        manager: AnnDataManager,
        split: Split,
        control_genes: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        self.adapter = adapter
        self.rows, self.split = sample_judged_cells(split, manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY))
        self._manager = manager
        self.control_genes = {name: self.take(values) for name, values in (control_genes or {}).items()}
        self._frames: dict[tuple[str, int], JudgedFrame | None] = {}

    @cached_property
    def expression(self) -> NDArray[np.float64]:
        """Principal components of the judged cells."""
        return self._components(self.rows)

    def components_of_all(self) -> NDArray[np.float64]:
        """Return principal components of all cells, judged or not."""
        return self.expression if self.rows is None else self._components(None)

    def _components(self, cells: NDArray[np.int64] | None) -> NDArray[np.float64]:
        values = self._manager.get_from_registry(REGISTRY_KEYS.X_KEY)
        return principal_components(values, counts=self.adapter.takes_counts, seed=0, cells=cells)

    def take(self, values: ArrayLike) -> NDArray[Any]:
        """Select the values of the judged cells from one value per cell of the data."""
        values = np.asarray(values)
        return values if self.rows is None else values[self.rows]

    @torch.no_grad()
    def encode(self, *, all_cells: bool = False) -> tuple[Normal, Context, torch.Tensor]:
        """Encode and decode the judged cells in evaluation mode.

        Parameters
        ----------
        all_cells
            Whether to encode cells that are not judged too.

        Returns
        -------
        Posterior of every code ``(n_cells, n_latent)``, nuisances, and negative ELBO ``(n_cells,)`` in nats, on CPU.
        """
        cells = None if all_cells else self.rows
        loader = AnnDataLoader(add_cell_index(self._manager), indices=cells, batch_size=512)
        module = self.adapter.module
        module.eval()
        device = next(module.parameters()).device
        columns, contexts, first = {}, [], 0
        for batch in loader:
            tensors = {key: value.to(device) for key, value in batch.items()}
            try:
                encoded, generative = self.adapter.forward(tensors)
            except ValueError as error:
                if "constraint" not in str(error):
                    raise
                # PyTorch's distributions refuse non-finite parameters with a message that prints all of them.
                raise TrainingDiverged("Codes or rates are not finite; lower the learning rate.") from error
            contexts.append(self.adapter.context(tensors).to("cpu"))
            last = first + len(generative)
            # Filled in place: joining pieces would hold everything twice and fragment the memory.
            for name, values in (("loc", encoded.qz.loc), ("scale", encoded.qz.scale), ("generative", generative)):
                if name not in columns:
                    columns[name] = torch.empty((len(loader.indices), *values.shape[1:]), dtype=values.dtype)
                columns[name][first:last] = values
            first = last
        qz = Normal(columns["loc"], columns["scale"], validate_args=False)
        return qz, Context.concatenate(contexts), columns["generative"]

    def levels(self, target: str) -> NDArray[np.int64]:
        """Return the level of a categorical nuisance of each judged cell, by number."""
        return self.take(get_context(self.adapter, self._manager).categorical[target].numpy())

    def frame(self, target: str, seed: int = 0) -> JudgedFrame | None:
        """Return the frame by which codes are judged for a nuisance; None if too few cells have two levels."""
        key = target, seed
        if key not in self._frames:
            values = read_rows(
                as_row_matrix(self._manager.get_from_registry(REGISTRY_KEYS.X_KEY)),
                slice(None) if self.rows is None else self.rows,
            )
            genes = self._manager.get_state_registry(REGISTRY_KEYS.X_KEY)["column_names"]
            self._frames[key] = make_judged_frame(
                values,
                self.level_names(target),
                self.split,
                is_counts=self.adapter.takes_counts and holds_counts(values),
                genes=[str(name) for name in genes],
                seed=seed,
            )
        return self._frames[key]

    def level_names(self, target: str) -> NDArray[np.str_]:
        """Return levels of a nuisance, by name for the batch and else by number; shape ``(n_cells,)``."""
        numbers = self.levels(target)
        if target != BATCH:
            return numbers.astype(str)
        names = self._manager.get_state_registry(REGISTRY_KEYS.BATCH_KEY)["categorical_mapping"]
        return np.asarray(names).astype(str)[numbers]
