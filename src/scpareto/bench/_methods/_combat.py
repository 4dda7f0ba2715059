"""ComBat: location and scale of every gene in every batch, shrunk towards each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc

from scpareto.bench._cells import components_of
from scpareto.bench._registry import register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "combat",
    title="ComBat",
    family="linear",
    library="scanpy",
    reference="Johnson et al. 2007",
    returns="expression",
    least_per_batch=2,
)
def combat(cells: Cells) -> NDArray:
    """ComBat on log-normalised expression, then thirty principal components.

    Genes that are constant in a batch have no scale there; they are left out, as their correction is undefined.

    Parameters
    ----------
    cells
        The cells.

    Returns
    -------
    Codes, shape ``(n_cells, 30)``.

    Raises
    ------
    ValueError
        If fewer than two genes vary within every batch.

    References
    ----------
    :cite:p:`Johnson2007`.
    """
    adata = cells.as_anndata(normalised=True)
    adata.X = adata.X.toarray()
    vary = {b: np.ptp(adata.X[cells.rows(b)], axis=0) > 0 for b in cells.batches}
    varies = np.all(list(vary.values()), axis=0)
    if varies.sum() < 2:
        fewest = min(vary, key=lambda b: int(vary[b].sum()))
        raise ValueError(
            f"method='combat' needs two genes that vary within every batch; in batch {fewest!r} "
            f"({len(cells.rows(fewest))} cells) {int(vary[fewest].sum())} of {len(varies)} genes do."
        )
    adata = adata[:, varies].copy()
    sc.pp.combat(adata, key="batch")
    return components_of(adata.X, seed=cells.seed)
