"""DESC as a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._runtime import child_seed
from scpareto.bench._methods._autoencoder import log_normalise
from scpareto.bench._methods._autoencoder_model import NETWORK, TRAINING, AutoencoderBaseline
from scpareto.bench._methods._desc._network import DescModule, get_published_widths
from scpareto.bench._methods._desc._training import fit_desc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


class DESC(AutoencoderBaseline):
    """Stacked autoencoder of z-scores whose codes are pulled to the clusters of a neighbourhood graph.

    The method ``"desc"`` of :func:`scpareto.bench.integrate` as a model: it can be saved, maps further cells, and
    :func:`scpareto.fit_front` learns its trade-off with batch correction. DESC itself does not read the batch.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`, with the most variable genes only (published: 1,000). Further cells
        are scaled by the means and standard deviations of these data.
    registry
        Registry of a model that is loaded without data.
    widths
        Units of the layers; the last one is the code. None for the published ones by the number of cells.
    seed
        Seed of initial weights and training; None takes ``scvi.settings.seed``, or 0.

    Notes
    -----
    The generative loss of a front is the mean squared error per gene of z-scores that are clipped at 6, not a negative
    ELBO; the output lies between -1 and 1, as published. It does not include the clustering loss: training for a front
    continues from the present weights with the reconstruction loss, which the published training has dropped at the
    end. ``objective=["classifier", "deep_clustering"]`` trades batch information and clustering.

    Codes are deterministic, so objectives that read the density of codes (``"total_correlation"``) raise an error.

    References
    ----------
    :cite:p:`Li2020`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=50, seed=0)
    >>> sp.bench.DESC.setup_anndata(adata, batch_key="batch")
    >>> model = sp.bench.DESC(adata, seed=0)
    >>> model.train(max_epochs=6, max_epochs_clusters=2)
    >>> model.get_latent_representation().shape
    (200, 16)
    """

    _module_cls = DescModule

    def __init__(
        self,
        adata: AnnData | None = None,
        registry: dict[str, Any] | None = None,
        widths: Sequence[int] | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(adata, registry, seed)
        # Stored as explicit init arguments, so that a loaded model does not depend on its number of cells.
        widths = [int(n) for n in (get_published_widths(self.summary_stats.n_cells) if widths is None else widths)]
        with self._seed_generators(NETWORK):
            self.module = self._module_cls(self.summary_stats.n_vars, widths)
        if adata is not None:
            values = torch.cat([log_normalise(x) for x in self._counts()])
            variance, mean = torch.var_mean(values, 0, correction=0)
            self.module.set_scaling(mean, variance.sqrt())
        self._model_summary_string = f"DESC with layers of {', '.join(map(str, widths))} units."
        self.init_params_ = self._get_init_params(locals())

    def train(
        self,
        *,
        resolution: float = 0.8,
        max_epochs: int = 300,
        max_epochs_clusters: int = 300,
        batch_size: int = 256,
        tolerance: float = 5e-3,
    ) -> None:
        """Train layers, autoencoder and clusters on all cells, on the CPU and with all inputs in memory.

        Parameters
        ----------
        resolution
            Resolution of the Leiden clusters of the first codes (published: Louvain).
        max_epochs
            Epochs of the whole autoencoder; each single layer is trained for half as many.
        max_epochs_clusters
            Epochs with clustering.
        batch_size
            Cells of a minibatch.
        tolerance
            Clustering stops if a smaller share of cells changes its cluster between targets.
        """
        x = self._network_inputs()
        with self._seed_generators(TRAINING):
            fit_desc(
                self.module.network,
                x,
                resolution=resolution,
                max_epochs=max_epochs,
                max_epochs_clusters=max_epochs_clusters,
                batch_size=batch_size,
                tolerance=tolerance,
                seed=child_seed(self.seed, TRAINING),
            )
        self._mark_trained(np.arange(len(x)), np.empty(0, dtype=np.int64))
