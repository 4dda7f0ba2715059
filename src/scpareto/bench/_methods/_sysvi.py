"""SysVI: a variational autoencoder with a mixture prior and a cycle-consistency loss between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.bench._methods._scvi_training import TRAINER, early_stopping, silence_training
from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "sysvi",
    title="SysVI",
    family="generative",
    library="scvi-tools",
    reference="Hrovatin et al. 2023",
    inductive=True,
    knob=Knob("cycle_weight", (0.0, 2.0, 10.0, 50.0)),
)
def sysvi(
    cells: Cells,
    *,
    max_epochs: int | None = None,
    cycle_weight: float = 2.0,
    kl_weight: float = 1.0,
    n_latent: int = 15,
    n_hidden: int = 256,
    batch_size: int = 128,
    **options: Any,
) -> NDArray:
    """Learn codes that stay the same if a cell is decoded with another batch and encoded again.

    Parameters
    ----------
    cells
        The cells; their log-normalised expression is modelled.
    max_epochs
        Largest number of epochs; None for the heuristic of scvi-tools. Validation cells decide when training stops.
    cycle_weight
        Weight of the distance between a cell's code and that of its copy in another batch.
    kl_weight
        Weight of the divergence from the prior.
    n_latent, n_hidden
        Architecture.
    batch_size
        Cells of a minibatch.
    **options
        Further arguments of :class:`scvi.external.SysVI`.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    References
    ----------
    :cite:p:`Hrovatin2023`.
    """
    from scvi.external import SysVI

    adata = cells.as_anndata(normalised=True)
    adata.X = adata.X.toarray()
    with silence_training():
        SysVI.setup_anndata(adata, batch_key="batch")
        model = SysVI(adata, n_latent=n_latent, n_hidden=n_hidden, **options)
        model.train(
            max_epochs=max_epochs,
            batch_size=batch_size,
            datasplitter_kwargs=cells.splitter(batch_size),
            plan_kwargs={
                "max_kl_weight": kl_weight,
                "min_kl_weight": kl_weight,
                "z_distance_cycle_weight": cycle_weight,
            },
            **TRAINER,
            **early_stopping(),
        )
        return np.asarray(model.get_latent_representation(), dtype=np.float64)
