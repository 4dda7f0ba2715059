"""Correct by mutual nearest neighbours with libscran, similar to fastMNN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "fastmnn",
    title="fastMNN",
    family="neighbours",
    library="scranpy",
    extra="bench",
    requires="scranpy",
    reference="Haghverdi et al. 2018; libscran's simplified fastMNN",
    knob=Knob("num_neighbors", (2, 5, 10, 20, 40, 80), least=1, whole=True),
)
def fastmnn(cells: Cells, *, num_neighbors: int = 20, n_components: int = 30) -> NDArray:
    """Find mutual neighbours in components with equal batch weights, and correct towards their centres of mass.

    libscran's correction towards centres of mass is simpler than the published fastMNN.

    Parameters
    ----------
    cells
        The cells.
    num_neighbors
        Number of neighbours; mutual ones are kept.
    n_components
        Number of principal components; fewer if there are fewer cells or genes.

    Returns
    -------
    Corrected components, shape ``(n_cells, n_components)``.

    References
    ----------
    :cite:p:`Haghverdi2018`.
    """
    import scranpy

    expression = cells.log_normalised.T.tocsr().astype(np.float64)
    number = min(n_components, len(cells) - 1, len(cells.genes) - 1)
    batches = cells.batch.tolist()
    components = scranpy.run_pca(expression, number=number, block=batches, block_weight_policy="equal", num_threads=1)
    corrected = scranpy.correct_mnn(
        np.asarray(components["components"]), batches, num_neighbors=num_neighbors, num_threads=1
    )
    return np.asarray(corrected["corrected"], dtype=np.float64).T.copy()
