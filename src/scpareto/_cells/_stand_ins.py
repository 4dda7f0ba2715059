"""Held cells that stand in for cells that pass by: what is known of the most similar one is theirs too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto._cells._components import Components

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

_MOST = 1000
"""Cells of a batch that others are compared with, at most."""
_TARGET_SUM = 1e4
"""Counts that a cell is brought to, as for the components."""


class StandIns:
    """Held cells that stand in for others of their batch, the nearest by uncorrected principal components.

    Parameters
    ----------
    values
        Expression of the held cells.
    batch
        Their batches, by number.
    rows
        Rows of held cells that may stand in for others; components are fitted to those that do.
    counts
        Whether expression is counts.
    seed
        Seed of those that are drawn where a batch has many.
    """

    def __init__(
        self,
        values: sparse.csr_matrix,
        batch: NDArray[np.int64],
        rows: NDArray[np.int64],
        *,
        counts: bool = True,
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        by_batch = (rows[batch[rows] == level] for level in np.unique(batch[rows]))
        self._rows = np.concatenate([rng.choice(own, min(len(own), _MOST), replace=False) for own in by_batch])
        self._batch, self._counts = batch[self._rows], counts
        fitted = Components.of(values[self._rows], counts=counts, seed=seed)
        self._loadings = torch.from_numpy(fitted.loadings).float()
        drawn = np.array_split(self._rows, -(-len(self._rows) // _MOST))
        parts = [self._places_of(torch.from_numpy(values[some].toarray()).float()) for some in drawn]
        self._places = torch.cat(parts)
        self._lengths = (self._places**2).sum(1)

    def __call__(self, counts: Tensor, batch: Tensor) -> Tensor:
        """Row of the held cell that stands in for each cell, shape ``(n_cells, 1)``.

        A cell of a batch of which none is held has one of another batch.
        """
        places, levels = self._places_of(counts), batch.numpy().ravel()
        found = np.empty(len(places), dtype=np.int64)
        for level in np.unique(levels):
            cells, own = np.flatnonzero(levels == level), np.flatnonzero(self._batch == level)
            own = own if len(own) else np.arange(len(self._rows))
            # Squared distances, less what is the same for all others.
            far = self._lengths[own] - 2 * places[cells] @ self._places[own].T
            found[cells] = self._rows[own[far.argmin(1).numpy()]]
        return torch.from_numpy(found)[:, None]

    def _places_of(self, values: Tensor) -> Tensor:
        """Components of dense expression, but for a shift that all share."""
        if self._counts:
            values = torch.log1p(values * (_TARGET_SUM / values.sum(1, keepdim=True).clamp_min(1)))
        return values @ self._loadings
