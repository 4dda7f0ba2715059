"""scVI, by scvi-tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.bench._methods._scvi_training import TRAINER, early_stopping, silence_training
from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scvi.model import SCVI

    from scpareto.bench._cells import Cells


@register_method(
    "scvi",
    title="scVI",
    family="generative",
    library="scvi-tools",
    reference="Lopez et al. 2018",
    inductive=True,
    knob=Knob("kl_weight", (0.1, 1.0, 3.0, 10.0)),
)
def scvi(
    cells: Cells,
    *,
    max_epochs: int | None = None,
    kl_weight: float = 1.0,
    n_latent: int = 10,
    n_layers: int = 2,
    batch_size: int = 128,
    **options: Any,
) -> NDArray:
    """Return posterior means of a variational autoencoder whose decoder reads the batch.

    Parameters
    ----------
    cells
        The cells.
    max_epochs
        Largest number of epochs; None for the heuristic of scvi-tools. Validation cells decide when training stops.
    kl_weight
        Weight of the divergence from the prior; a larger weight leaves less information in the codes, also about batch.
    n_latent, n_layers
        Architecture.
    batch_size
        Cells of a minibatch.
    **options
        Further arguments of :class:`scvi.model.SCVI`.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    References
    ----------
    :cite:p:`Lopez2018`.
    """
    model = train_scvi(
        cells,
        max_epochs=max_epochs,
        kl_weight=kl_weight,
        batch_size=batch_size,
        n_latent=n_latent,
        n_layers=n_layers,
        **options,
    )
    return np.asarray(model.get_latent_representation(), dtype=np.float64)


def train_scvi(
    cells: Cells,
    *,
    max_epochs: int | None,
    kl_weight: float = 1.0,
    batch_size: int = 128,
    labels: bool = False,
    **architecture: Any,
) -> SCVI:
    """Train scVI on the training cells; ``labels`` registers the labels, for scANVI."""
    from scvi.model import SCVI

    adata = cells.as_anndata()
    with silence_training():
        SCVI.setup_anndata(adata, batch_key="batch", labels_key="labels" if labels else None)
        model = SCVI(adata, **architecture)
        model.train(
            max_epochs,
            batch_size=batch_size,
            datasplitter_kwargs=cells.splitter(batch_size),
            # The default warm-up of 400 epochs would not end in a shorter training.
            plan_kwargs={"n_epochs_kl_warmup": _warmup(max_epochs), "max_kl_weight": kl_weight},
            **TRAINER,
            **early_stopping(),
        )
    return model


def _warmup(max_epochs: int | None) -> int:
    return 50 if max_epochs is None else max(1, max_epochs // 4)
