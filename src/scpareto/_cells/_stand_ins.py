"""Held cells that stand in for cells that pass by: one of the population of their batch that they are nearest to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto._cells._components import Components

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

_MOST_FITTED = 20_000
"""Cells that components are fitted to at most."""
_BLOCK = 1000
"""Cells whose expression is made dense at a time."""
_TARGET_SUM = 1e4
"""Counts that a cell is brought to, as for the components."""


class StandIns:
    """Held cells that stand in for others, by the nearest mean of a population in their batch.

    Populations are clusters of uncorrected principal components, so that means tell them better than the most similar
    cell does, whose own components are noisy.

    Parameters
    ----------
    values
        Expression of the held cells.
    batch, population
        Of each of them, by number.
    rows
        Rows of held cells of which means are taken.
    counts
        Whether expression is counts.
    seed
        Seed of the cells that components are fitted to.
    """

    def __init__(
        self,
        values: sparse.csr_matrix,
        batch: NDArray[np.int64],
        population: NDArray[np.int64],
        rows: NDArray[np.int64],
        *,
        counts: bool = True,
        seed: int = 0,
    ) -> None:
        self._counts = counts
        some = np.sort(np.random.default_rng(seed).choice(rows, min(len(rows), _MOST_FITTED), replace=False))
        self._loadings = torch.from_numpy(Components.of(values[some], counts=counts, seed=seed).loadings).float()
        blocks = (values[rows[first : first + _BLOCK]] for first in range(0, len(rows), _BLOCK))
        places = torch.cat([self._places_of(torch.from_numpy(block.toarray()).float()) for block in blocks])
        pairs, first, group = np.unique(
            np.column_stack([batch[rows], population[rows]]), axis=0, return_index=True, return_inverse=True
        )
        # Any cell of a population may stand in for it.
        self._rows, self._batch = rows[first], pairs[:, 0]
        sums = torch.zeros((len(pairs), places.shape[1])).index_add_(0, torch.from_numpy(group.ravel()), places)
        self._means = sums / torch.from_numpy(np.bincount(group.ravel())).float()[:, None]

    def __call__(self, counts: Tensor, batch: Tensor) -> Tensor:
        """Row of the held cell that stands in for each cell, shape ``(n_cells, 1)``.

        A cell of a batch of which none is held has one of another batch.
        """
        places, levels = self._places_of(counts.cpu()), batch.cpu().numpy().ravel()
        found = np.empty(len(places), dtype=np.int64)
        for level in np.unique(levels):
            cells, own = np.flatnonzero(levels == level), np.flatnonzero(self._batch == level)
            own = own if len(own) else np.arange(len(self._rows))
            nearest = torch.cdist(places[cells], self._means[own]).argmin(1)
            found[cells] = self._rows[own[nearest.numpy()]]
        return torch.from_numpy(found)[:, None]

    def _places_of(self, values: Tensor) -> Tensor:
        """Components of dense expression, but for a shift that all share."""
        if self._counts:
            values = torch.log1p(values * (_TARGET_SUM / values.sum(1, keepdim=True).clamp_min(1)))
        return values @ self._loadings
