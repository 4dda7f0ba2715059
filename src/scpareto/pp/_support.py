"""Count the cells on which an estimate is based."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from scipy import sparse


class DonorSupport:
    """Sum the weights of each cell as a donor for cells of other batches.

    Parameters
    ----------
    batch
        Batch number of each cell.
    """

    def __init__(self, batch: NDArray[np.int64]) -> None:
        self._cells = [np.flatnonzero(batch == b) for b in range(batch.max() + 1)]
        self._total_weight = np.zeros(len(batch))

    def record(
        self, donors: Iterable[tuple[int, int, sparse.csr_matrix]]
    ) -> Iterator[tuple[int, int, sparse.csr_matrix]]:
        """Yield donors unchanged, and record their weights."""
        for query, donor, weights in donors:
            self._total_weight[self._cells[donor]] += np.asarray(weights.sum(axis=0)).ravel()
            yield query, donor, weights

    def table(self, names: list[str], has_donors: NDArray[np.bool_]) -> pd.DataFrame:
        """Count cells by batch.

        Parameters
        ----------
        names
            Names of the batches.
        has_donors
            Whether each cell has donors in each batch, shape ``(n_cells, n_batches)``.

        Returns
        -------
        One row a batch: ``n_cells``; ``n_matched``, those with donors in any other batch; ``share_matched``;
        ``n_donors``, those that are donors for cells of other batches; ``n_half``, the smallest number of donors with
        half of the total weight.
        """
        rows = []
        for name, cells in zip(names, self._cells, strict=True):
            weights = np.sort(self._total_weight[cells])[::-1]
            matched = int(has_donors[cells].any(axis=1).sum())
            total = weights.sum()
            half = int(np.searchsorted(weights.cumsum(), total / 2) + 1) if total > 0 else 0
            rows.append((name, len(cells), matched, matched / len(cells), int((weights > 0).sum()), half))
        columns = ["batch", "n_cells", "n_matched", "share_matched", "n_donors", "n_half"]
        return pd.DataFrame(rows, columns=columns)
