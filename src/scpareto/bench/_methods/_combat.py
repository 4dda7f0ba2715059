"""ComBat: location and scale of every gene in every batch, shrunk towards each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc

from scpareto.bench._cells import components_of
from scpareto.bench._registry import Knob, register_method

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
    knob=Knob("strength", (0.0, 0.25, 0.5, 0.75, 1.0), most=1.0),
    least_per_batch=2,
)
def combat(cells: Cells, *, strength: float = 1.0) -> NDArray:
    """ComBat on log-normalised expression, then thirty principal components.

    Genes that are constant in a batch have no scale there; they are left out, as their correction is undefined.

    Parameters
    ----------
    cells
        The cells.
    strength
        Share of the correction that is made, between 0 (none) and 1 (all of it).

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
    uncorrected = adata.X.copy()
    sc.pp.combat(adata, key="batch")
    moved = adata.X if strength == 1 else uncorrected + strength * (adata.X - uncorrected)
    return components_of(moved, seed=cells.seed)
