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


class NearestPopulation:
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
        self._loadings = Components.of(values[some], counts=counts, seed=seed).loadings.astype(np.float32)
        blocks = (values[rows[first : first + _BLOCK]] for first in range(0, len(rows), _BLOCK))
        places = np.concatenate([self._places_of(block.toarray().astype(np.float32)) for block in blocks])
        pairs, first, group = np.unique(
            np.column_stack([batch[rows], population[rows]]), axis=0, return_index=True, return_inverse=True
        )
        # Any cell of a population may stand in for it.
        self._rows, self._batch = rows[first], pairs[:, 0]
        self._means = np.array([places[group.ravel() == k].mean(axis=0) for k in range(len(pairs))])
        self._lengths = (self._means**2).sum(axis=1)

    def __call__(self, counts: Tensor, batch: Tensor) -> Tensor:
        """Row of the held cell that stands in for each cell, shape ``(n_cells, 1)``.

        A cell of a batch of which none is held has one of another batch.
        """
        # NumPy on small matrices: PyTorch's threads would wait for each other longer than they work.
        places, levels = self._places_of(counts.cpu().numpy()), batch.cpu().numpy().ravel()
        found = np.empty(len(places), dtype=np.int64)
        for level in np.unique(levels):
            cells, own = levels == level, np.flatnonzero(self._batch == level)
            own = own if len(own) else np.arange(len(self._rows))
            # Squared distances, less what is the same for all means.
            nearest = (self._lengths[own] - 2 * places[cells] @ self._means[own].T).argmin(axis=1)
            found[cells] = self._rows[own[nearest]]
        return torch.from_numpy(found)[:, None]

    def _places_of(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Components of dense expression, but for a shift that all share."""
        if self._counts:
            sums = np.maximum(values.sum(axis=1, keepdims=True), 1)
            values = np.log1p(values * (_TARGET_SUM / sums))
        return values @ self._loadings
