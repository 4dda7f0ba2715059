"""scANVI: scVI that also reads the labels of some cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.bench._cells import UNLABELLED
from scpareto.bench._methods._scvi import train_scvi
from scpareto.bench._methods._scvi_training import TRAINER, silence_training
from scpareto.bench._registry import register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "scanvi",
    title="scANVI (labels)",
    family="generative",
    library="scvi-tools",
    reference="Xu et al. 2021",
    inductive=True,
    reads_labels=True,
)
def scanvi(
    cells: Cells,
    *,
    max_epochs: int | None = None,
    max_epochs_labels: int = 20,
    n_latent: int = 10,
    n_layers: int = 2,
    batch_size: int = 128,
    **options: Any,
) -> NDArray:
    """Train scVI, then continue with the labels of labelled cells; a benchmark hides those of the test cells.

    Parameters
    ----------
    cells
        The cells, with labels.
    max_epochs
        Largest number of epochs of scVI; None for the heuristic of scvi-tools.
    max_epochs_labels
        Epochs with labels.
    n_latent, n_layers
        Architecture.
    batch_size
        Cells of a minibatch.
    **options
        Further arguments of :class:`scvi.model.SCVI`.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    Raises
    ------
    ValueError
        If there are no labels.

    References
    ----------
    :cite:p:`Xu2021`.
    """
    from scvi.model import SCANVI

    if cells.labels is None or (cells.labels == UNLABELLED).all():
        raise ValueError("scanvi needs labels of some cells: give labels_key=...")
    base = train_scvi(
        cells,
        max_epochs=max_epochs,
        batch_size=batch_size,
        labels=True,
        n_latent=n_latent,
        n_layers=n_layers,
        **options,
    )
    with silence_training():
        model = SCANVI.from_scvi_model(base, unlabeled_category=UNLABELLED)
        model.train(max_epochs_labels, batch_size=batch_size, datasplitter_kwargs=cells.splitter(batch_size), **TRAINER)
    return np.asarray(model.get_latent_representation(), dtype=np.float64)
