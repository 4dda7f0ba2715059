"""scVI with the Hilbert-Schmidt independence criterion between codes and batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scpareto.bench._methods._penalised_scvi import fit_penalised_scvi
from scpareto.bench._registry import Knob, register_method
from scpareto.objectives import get_objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "scvi_hsic",
    title="scVI + HSIC",
    family="penalty",
    library="scpareto",
    reference="Lopez et al. 2018 (HCV)",
    inductive=True,
    knob=Knob("weight", (100.0, 1000.0, 10_000.0, 100_000.0)),
)
def scvi_hsic(
    cells: Cells,
    *,
    weight: float = 1000.0,
    max_epochs: int | None = None,
    estimator: str = "unbiased",
    on: str = "sample",
    n_latent: int = 10,
    batch_size: int = 128,
) -> NDArray:
    """Penalise the dependence of sampled codes on batch.

    The bandwidth of each kernel depends on the dimension of its own variable; the released code of the paper uses that
    of the codes for both.

    Parameters
    ----------
    cells
        The cells.
    weight
        Weight of the criterion; its values are small, so weights below 100 have no effect.
    max_epochs
        Largest number of epochs; None for the heuristic of scvi-tools.
    estimator, on
        See :class:`scpareto.objectives.HSIC`; ``"biased"`` is the published estimator.
    n_latent
        Dimensions of the codes.
    batch_size
        Cells of a minibatch.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    References
    ----------
    :cite:p:`Lopez2018HCV`.
    """
    penalty = get_objective("hsic", n_latent=n_latent, n_categories=len(cells.batches), estimator=estimator, on=on)
    return fit_penalised_scvi(
        cells, penalty, weight=weight, max_epochs=max_epochs, n_latent=n_latent, batch_size=batch_size
    )
