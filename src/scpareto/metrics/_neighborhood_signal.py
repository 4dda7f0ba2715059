"""How much of a gene's signal neighbourhoods in the codes carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ._checks import check_count, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def neighborhood_signal(codes: ArrayLike, expression: ArrayLike, *, n_neighbors: int = 15) -> NDArray[np.float64]:
    """Correlation of each gene's expression in a cell with its mean over the cell's nearest neighbours in the codes.

    For positive controls: genes whose pattern a correction must not erase, such as XIST and Y-linked genes where
    donors are batches. Neighbours of all batches count.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    expression
        Log-normalised expression of the genes, shape ``(n_cells, n_genes)``.
    n_neighbors
        Neighbours of each cell.

    Returns
    -------
    Pearson correlations, shape ``(n_genes,)``; 0 for a gene that is constant over cells or neighbourhoods.

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, or there are no more cells than neighbours.
    """
    z, x = check_matrix(codes, "codes"), check_matrix(expression, "expression")
    k = check_count(n_neighbors, "n_neighbors", minimum=1)
    if len(x) != len(z):
        raise ValueError(f"`expression` has {len(x)} rows but `codes` has {len(z)}; give the same cells.")
    if len(z) <= k:
        raise ValueError(f"`codes` has {len(z)} cells; {k} neighbours need at least {k + 1}.")
    near = NearestNeighbors(n_neighbors=k).fit(z).kneighbors(return_distance=False)
    own, around = x - x.mean(0), x[near].mean(1)
    around = around - around.mean(0)
    scale = np.sqrt((own**2).sum(0) * (around**2).sum(0))
    return np.divide((own * around).sum(0), scale, out=np.zeros(x.shape[1]), where=scale > 1e-12)
