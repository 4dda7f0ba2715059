"""On how many cells an estimate rests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from scipy import sparse


class Support:
    """Adds up what each cell lends to cells of other batches.

    Parameters
    ----------
    batch
        Batch number of each cell.
    """

    def __init__(self, batch: NDArray[np.int64]) -> None:
        self._cells = [np.flatnonzero(batch == b) for b in range(batch.max() + 1)]
        self._lent = np.zeros(len(batch))

    def noted(
        self, donors: Iterable[tuple[int, int, sparse.csr_matrix]]
    ) -> Iterator[tuple[int, int, sparse.csr_matrix]]:
        """Pass donors on, and note their weights."""
        for query, donor, weights in donors:
            self._lent[self._cells[donor]] += np.asarray(weights.sum(axis=0)).ravel()
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
        ``n_donors``, those that stand in for cells of other batches; ``n_half``, the fewest of them that carry half of
        the weight of all.
        """
        rows = []
        for name, cells in zip(names, self._cells, strict=True):
            lent = np.sort(self._lent[cells])[::-1]
            matched = int(has_donors[cells].any(axis=1).sum())
            total = lent.sum()
            half = int(np.searchsorted(lent.cumsum(), total / 2) + 1) if total > 0 else 0
            rows.append((name, len(cells), matched, matched / len(cells), int((lent > 0).sum()), half))
        columns = ["batch", "n_cells", "n_matched", "share_matched", "n_donors", "n_half"]
        return pd.DataFrame(rows, columns=columns)
