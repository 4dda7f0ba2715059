"""Scanorama: batches stitched together along mutual nearest neighbours."""

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
    """Mutual neighbours between all pairs of batches in a common decomposition, and translations smoothed over them.

    Parameters
    ----------
    cells
        The cells.
    n_components
        Dimensions of the decomposition; fewer where there are fewer cells or genes.
    knn
        Neighbours of which mutual ones are kept.
    sigma
        Width of the Gaussian kernel that smooths translations.
    alpha
        Least share of matched cells for two batches to be joined.

    Returns
    -------
    Codes, shape ``(n_cells, n_components)``.

    References
    ----------
    :cite:p:`Hie2019`.
    """
    import scanorama as library

    rows = [cells.rows(batch) for batch in cells.batches]
    # Its verbosity does not cover all that it prints.
    with redirect_stdout(StringIO()):
        parts, _ = library.integrate(
            [cells.log_normalised[own] for own in rows],
            [cells.genes] * len(rows),
            dimred=min(n_components, len(cells) - 1, len(cells.genes) - 1),
            knn=min(knn, min(map(len, rows))),
            sigma=sigma,
            alpha=alpha,
            verbose=False,
            seed=cells.seed,
        )
    codes = np.empty((len(cells), parts[0].shape[1]))
    for own, part in zip(rows, parts, strict=True):
        codes[own] = part
    return codes
