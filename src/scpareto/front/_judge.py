"""What a finished point costs: its codes, its losses on every part, and an audit by fresh probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi import REGISTRY_KEYS
from scvi.dataloaders import AnnDataLoader
from torch.distributions import Normal

from scpareto._cells import judged_cells, principal_components, with_cell_index
from scpareto._constants import GENERATIVE_LOSS
from scpareto._runtime import child_seed, seeded
from scpareto.audit import Structure, judge_codes
from scpareto.objectives import Context, estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scvi.data import AnnDataManager

    from scpareto._cells import Split
    from scpareto.objectives import Objective
    from scpareto.train._adapter import VAEAdapter
    from scpareto.train._recipe import Recipe


_CRITICS = 1
"""Seed index of the fresh critics, after the seed of the judgement."""


@dataclass(frozen=True)
class Judgement:
    """What was found of a point.

    Parameters
    ----------
    row
        Columns of the front table.
    structure
        What is kept of differences between cells, see :class:`scpareto.audit.Structure`.
    """

    row: dict[str, Any]
    structure: dict[str, Any]


class Judge:
    """Judges the present state of a module on the cells of a fixed split.

    Of many cells (:data:`scpareto._cells._split.MOST_JUDGED`) a sample is judged, the same one for every point.

    Parameters
    ----------
    adapter
        The model.
    manager
        Registered data.
    split
        Training, validation and test cells.
    objectives
        Objectives besides the generative loss; only their untrained twins are used.
    recipe
        Length of the fresh critics' training and number of bootstraps.
    """

    def __init__(
        self,
        adapter: VAEAdapter,
        manager: AnnDataManager,
        split: Split,
        objectives: list[Objective],
        recipe: Recipe,
    ) -> None:
        self.adapter = adapter
        batch = manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY)
        self.cells, self.split = judged_cells(split, batch)
        self.objectives = objectives
        self.recipe = recipe
        self._manager = manager
        self.expression = self._components(self.cells)
        self._structure: Structure | None = None

    def take(self, values: ArrayLike) -> NDArray[Any]:
        """Values of the judged cells, of one value for each cell of the data."""
        values = np.asarray(values)
        return values if self.cells is None else values[self.cells]

    def components_of_all(self) -> NDArray[np.float64]:
        """Principal components of all cells, judged or not; ``expression`` is that of the judged ones."""
        return self.expression if self.cells is None else self._components(None)

    def _components(self, cells: NDArray[np.int64] | None) -> NDArray[np.float64]:
        values = self._manager.get_from_registry(REGISTRY_KEYS.X_KEY)
        return principal_components(values, counts=self.adapter.takes_counts, seed=0, cells=cells)

    @torch.no_grad()
    def encode(self, *, all_cells: bool = False) -> tuple[Normal, Context, torch.Tensor]:
        """Encode and decode the judged cells in evaluation mode.

        Parameters
        ----------
        all_cells
            Whether to encode those that are not judged, too.

        Returns
        -------
        Posterior of every code ``(n_cells, n_latent)``, nuisances, and negative ELBO ``(n_cells,)`` in nats, on CPU.
        """
        cells = None if all_cells else self.cells
        loader = AnnDataLoader(with_cell_index(self._manager), indices=cells, batch_size=512)
        module = self.adapter.module
        module.eval()
        device = next(module.parameters()).device
        columns, contexts, first = {}, [], 0
        for batch in loader:
            tensors = {key: value.to(device) for key, value in batch.items()}
            encoded, generative = self.adapter.forward(tensors)
            contexts.append(self.adapter.context(tensors).to("cpu"))
            last = first + len(generative)
            # Filled in place: joining small pieces holds everything twice, and pieces litter the memory between them.
            for name, values in (("loc", encoded.qz.loc), ("scale", encoded.qz.scale), ("generative", generative)):
                if name not in columns:
                    columns[name] = torch.empty((len(loader.indices), *values.shape[1:]), dtype=values.dtype)
                columns[name][first:last] = values
            first = last
        qz = Normal(columns["loc"], columns["scale"], validate_args=False)
        return qz, Context.concatenate(contexts), columns["generative"]

    def losses(self, qz: Normal, context: Context, generative: torch.Tensor) -> dict[str, dict[str, float]]:
        """Losses of each part, ``{objective: {part: nats}}``, with objectives read by critics trained from scratch."""
        parts = {name: torch.from_numpy(index) for name, index in self.split.items()}
        found = {GENERATIVE_LOSS: {name: float(generative[index].mean()) for name, index in parts.items()}}
        for objective in self.objectives:
            values = estimate(objective, qz, context, list(parts.values()), self.recipe.de_novo)
            found[objective.label] = dict(zip(parts, values, strict=True))
        return found

    def structure(self, context: Context) -> Structure:
        """Differences between cells that every point is asked to keep."""
        if self._structure is None:
            self._structure = Structure(self.expression, self.level_names(context), self.split.held_out)
        return self._structure

    def __call__(self, seed: int) -> Judgement:
        """Judge the present state of the module: equal seeds draw equal random numbers, whatever the state."""
        with seeded(seed):
            qz, context, generative = self.encode()
            sample = qz.sample().numpy()
        with seeded(child_seed(seed, _CRITICS)):
            losses = self.losses(qz, context, generative)
        row: dict[str, Any] = {
            f"{objective}_{part}": value for objective, values in losses.items() for part, value in values.items()
        }
        batch = context.categorical[self._target(context)].numpy()
        row |= judge_codes(
            qz.loc.numpy(),
            sample,
            batch,
            test_indices=self.split.test,
            expression=self.expression,
            seed=seed,
            n_bootstrap=self.recipe.n_bootstrap,
        )
        return Judgement(row, self.structure(context)(qz.loc.numpy().astype(np.float64)))

    def level_names(self, context: Context, target: str | None = None) -> NDArray[np.str_]:
        """Levels of the judged nuisance by their names where it is the batch, else by number; shape ``(n_cells,)``."""
        target = self._target(context) if target is None else target
        numbers = context.categorical[target].numpy()
        if target != "batch":
            return numbers.astype(str)
        names = self._manager.get_state_registry(REGISTRY_KEYS.BATCH_KEY)["categorical_mapping"]
        return np.asarray(names).astype(str)[numbers]

    def _target(self, context: Context) -> str:
        """Nuisance that is judged: the first traded one with levels, or batch."""
        traded = (o.target for o in self.objectives if o.needs_nuisance)
        return next((target for target in traded if target in context.categorical), "batch")
