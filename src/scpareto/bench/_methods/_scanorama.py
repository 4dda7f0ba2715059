"""Scanorama: join batches along mutual nearest neighbours."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "scanorama",
    title="Scanorama",
    family="neighbours",
    library="scanorama",
    extra="bench",
    requires="scanorama",
    reference="Hie et al. 2019",
    knob=Knob("sigma", (0.1, 1.0, 5.0, 15.0, 50.0, 150.0), least=1e-3),
)
def scanorama(
    cells: Cells, *, n_components: int = 100, knn: int = 20, sigma: float = 15.0, alpha: float = 0.1
) -> NDArray:
    """Find mutual neighbours between all pairs of batches in a common decomposition, and smooth their translations.

    Parameters
    ----------
    cells
        The cells.
    n_components
        Dimensions of the decomposition; fewer if there are fewer cells or genes.
    knn
        Number of neighbours; mutual ones are kept.
    sigma
        Width of the Gaussian kernel that smooths translations.
    alpha
        Smallest share of matched cells for two batches to be joined.

    Returns
    -------
    Codes, shape ``(n_cells, n_components)``.

    References
    ----------
    :cite:p:`Hie2019`.
    """
    import scanorama as library

    rows = [cells.rows(batch) for batch in cells.batches]
    # ``verbose=False`` does not silence everything that it prints.
    with redirect_stdout(StringIO()):
        corrected, _ = library.integrate(
            [cells.log_normalised[batch_rows] for batch_rows in rows],
            [cells.genes] * len(rows),
            dimred=min(n_components, len(cells) - 1, len(cells.genes) - 1),
            knn=min(knn, min(map(len, rows))),
            sigma=sigma,
            alpha=alpha,
            verbose=False,
            seed=cells.seed,
        )
    codes = np.empty((len(cells), corrected[0].shape[1]))
    for batch_rows, corrected_batch in zip(rows, corrected, strict=True):
        codes[batch_rows] = corrected_batch
    return codes
