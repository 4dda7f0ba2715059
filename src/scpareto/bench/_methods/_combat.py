"""ComBat: correct location and scale of every gene in every batch, with empirical Bayes shrinkage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc

from scpareto.bench._cells import compute_components
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
    """Correct log-normalised expression by ComBat, then compute thirty principal components.

    Genes that are constant in a batch are left out, because their scale there is 0 and the correction undefined.

    Parameters
    ----------
    cells
        The cells.
    strength
        Share of the correction that is applied, from 0 (none) to 1 (all of it).

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
    varies_in_batch = {b: np.ptp(adata.X[cells.rows(b)], axis=0) > 0 for b in cells.batches}
    varies_in_all = np.all(list(varies_in_batch.values()), axis=0)
    if varies_in_all.sum() < 2:
        worst_batch = min(varies_in_batch, key=lambda b: int(varies_in_batch[b].sum()))
        raise ValueError(
            f"method='combat' needs two genes that vary within every batch; in batch {worst_batch!r} "
            f"({len(cells.rows(worst_batch))} cells) {int(varies_in_batch[worst_batch].sum())} of "
            f"{len(varies_in_all)} genes do."
        )
    adata = adata[:, varies_in_all].copy()
    uncorrected = adata.X.copy()
    sc.pp.combat(adata, key="batch")
    corrected = adata.X if strength == 1 else uncorrected + strength * (adata.X - uncorrected)
    return compute_components(corrected, seed=cells.seed)
