"""scVI with the maximum mean discrepancy between the codes of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scpareto.bench._methods._penalised_scvi import fit_penalised_scvi
from scpareto.bench._registry import Knob, register_method
from scpareto.objectives import get_objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "scvi_mmd",
    title="scVI + MMD",
    family="penalty",
    library="scpareto",
    reference="Lopez et al. 2018 (HCV), Gretton et al. 2012",
    inductive=True,
    knob=Knob("weight", (1.0, 10.0, 100.0, 1000.0)),
)
def scvi_mmd(
    cells: Cells,
    *,
    weight: float = 10.0,
    max_epochs: int | None = None,
    on: str = "sample",
    n_latent: int = 10,
    batch_size: int = 128,
) -> NDArray:
    """Penalise the discrepancy of two batches, or of each of several from all cells.

    Parameters
    ----------
    cells
        The cells.
    weight
        Weight of the discrepancy.
    max_epochs
        Largest number of epochs; None for the heuristic of scvi-tools.
    on
        Which codes are compared, see :class:`scpareto.objectives.MMD`.
    n_latent
        Dimensions of the codes.
    batch_size
        Cells of a minibatch.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    References
    ----------
    :cite:p:`Gretton2012,Lopez2018HCV`.
    """
    penalty = get_objective("mmd", n_latent=n_latent, n_categories=len(cells.batches), on=on)
    return fit_penalised_scvi(
        cells, penalty, weight=weight, max_epochs=max_epochs, n_latent=n_latent, batch_size=batch_size
    )
