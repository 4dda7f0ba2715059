"""How much of a gene's signal neighbourhoods in the codes carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._checks import check_count, check_matrix
from ._neighbors import nearest_others

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def neighborhood_signal(
    codes: ArrayLike, expression: ArrayLike, *, cells: ArrayLike | None = None, n_neighbors: int = 15
) -> NDArray[np.float64]:
    """Correlation of each gene's expression in a cell with its mean over the cell's nearest neighbours in the codes.

    For positive controls: genes whose pattern a correction must not erase, such as XIST and Y-linked genes where
    donors are batches. Neighbours of all batches count.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    expression
        Log-normalised expression of the genes, shape ``(n_cells, n_genes)``.
    cells
        Rows that are judged, for example test cells; by default all. Their neighbours are sought among all cells.
    n_neighbors
        Neighbours of each cell.

    Returns
    -------
    Pearson correlations, shape ``(n_genes,)``; 0 for a gene that is constant over cells or neighbourhoods.

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, or there are no more cells than neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> donor = np.repeat([0.0, 5.0], 100)
    >>> codes = np.random.default_rng(0).normal(size=(200, 2)) + donor[:, None]
    >>> float(neighborhood_signal(codes, donor[:, None])[0].round(2))
    1.0
    """
    z, x = check_matrix(codes, "codes"), check_matrix(expression, "expression")
    if len(x) != len(z):
        raise ValueError(f"`expression` has {len(x)} rows but `codes` has {len(z)}; give the same cells.")
    rows = np.arange(len(z)) if cells is None else np.asarray(cells)
    around = x[nearest_others(z, rows, check_count(n_neighbors, "n_neighbors", minimum=1))].mean(axis=1)
    own = x[rows] - x[rows].mean(axis=0)
    around = around - around.mean(axis=0)
    scale = np.sqrt((own**2).sum(axis=0) * (around**2).sum(axis=0))
    return np.divide((own * around).sum(axis=0), scale, out=np.zeros(x.shape[1]), where=scale > 1e-12)
