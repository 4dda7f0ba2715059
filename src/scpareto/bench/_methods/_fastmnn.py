"""A correction like fastMNN, by libscran."""

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
    """Mutual neighbours in components in which batches weigh the same; each cell moves to its neighbours' centre.

    libscran corrects towards centres of mass, which is simpler than the published fastMNN.

    Parameters
    ----------
    cells
        The cells.
    num_neighbors
        Neighbours of which mutual ones are kept.
    n_components
        Principal components; fewer where there are fewer cells or genes.

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
    blocks = cells.batch.tolist()
    components = scranpy.run_pca(expression, number=number, block=blocks, block_weight_policy="equal", num_threads=1)
    corrected = scranpy.correct_mnn(
        np.asarray(components["components"]), blocks, num_neighbors=num_neighbors, num_threads=1
    )
    return np.asarray(corrected["corrected"], dtype=np.float64).T.copy()
