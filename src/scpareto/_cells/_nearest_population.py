"""Assign streamed cells to a held cell of the nearest population of their batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto._cells._components import Components

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

_MAX_FITTED_CELLS = 20_000
"""Most cells to which components are fitted."""
_BLOCK = 1000
"""Cells whose expression is made dense at a time."""
_TARGET_SUM = 1e4
"""Total counts to which each cell is normalised, as for the components."""


class NearestPopulation:
    """Find, for streamed cells, a held cell of the population of their batch with the nearest mean.

    Populations are clusters of uncorrected principal components. The nearest mean assigns cells better than the
    nearest cell does, because the components of single cells are noisy.

    Parameters
    ----------
    values
        Expression of the held cells.
    batch, population
        Batch and population of each held cell, by number.
    rows
        Rows of the held cells that the means are computed from.
    counts
        Whether expression is counts.
    seed
        Seed of the sample of cells to which components are fitted.
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
        sample = np.sort(np.random.default_rng(seed).choice(rows, min(len(rows), _MAX_FITTED_CELLS), replace=False))
        self._loadings = Components.fit(values[sample], counts=counts, seed=seed).loadings.astype(np.float32)
        blocks = (values[rows[first : first + _BLOCK]] for first in range(0, len(rows), _BLOCK))
        components = np.concatenate([self._project(block.toarray().astype(np.float32)) for block in blocks])
        pairs, first, group = np.unique(
            np.column_stack([batch[rows], population[rows]]), axis=0, return_index=True, return_inverse=True
        )
        # Any cell may represent its population.
        self._rows, self._batch = rows[first], pairs[:, 0]
        self._means = np.array([components[group.ravel() == k].mean(axis=0) for k in range(len(pairs))])
        self._squared_norms = (self._means**2).sum(axis=1)

    def __call__(self, counts: Tensor, batch: Tensor) -> Tensor:
        """Return for each cell the row of the held cell that represents it, shape ``(n_cells, 1)``.

        A cell of a batch without held cells is assigned to a population of another batch.
        """
        # NumPy on small matrices: PyTorch's threads would wait for each other longer than they work.
        components, levels = self._project(counts.cpu().numpy()), batch.cpu().numpy().ravel()
        rows = np.empty(len(components), dtype=np.int64)
        for level in np.unique(levels):
            cells, candidates = levels == level, np.flatnonzero(self._batch == level)
            candidates = candidates if len(candidates) else np.arange(len(self._rows))
            # Squared distances, without the term that is the same for all means.
            nearest = (self._squared_norms[candidates] - 2 * components[cells] @ self._means[candidates].T).argmin(
                axis=1
            )
            rows[cells] = self._rows[candidates[nearest]]
        return torch.from_numpy(rows)[:, None]

    def _project(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project dense expression into components, up to a shift that all cells share."""
        if self._counts:
            sums = np.maximum(values.sum(axis=1, keepdims=True), 1)
            values = np.log1p(values * (_TARGET_SUM / sums))
        return values @ self._loadings
