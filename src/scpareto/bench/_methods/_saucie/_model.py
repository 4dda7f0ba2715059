"""SAUCIE as a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._runtime import child_seed
from scpareto.bench._methods._autoencoder_model import NETWORK, SPLITTING, TRAINING, AutoencoderBaseline
from scpareto.bench._methods._saucie._network import SaucieModule
from scpareto.bench._methods._saucie._training import fit_saucie

if TYPE_CHECKING:
    from anndata import AnnData


class SAUCIE(AutoencoderBaseline):
    r"""Autoencoder of log-normalised counts whose codes have the same distribution in all batches.

    The method ``"saucie_mmd"`` of :func:`scpareto.bench.integrate` as a model: it can be saved, maps further cells, and
    :func:`scpareto.fit_front` learns its trade-off.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`.
    registry
        Registry of a model that is loaded without data.
    n_latent
        Dimensions of a code; 2 as published.
    seed
        Seed of initial weights and training; None takes ``scvi.settings.seed``, or 0.

    Notes
    -----
    The generative loss of a front is the reconstruction error of the batch mode, not a negative ELBO. It is the sum
    over batches of the mean squared error per gene. The largest batch has weight 1; the other batches have weight 0.01,
    after genes have been standardised within batch and minibatch. The decoder does not read the batch, so that it
    reconstructs cells as in the reference.

    Codes are deterministic, so objectives that read the density of codes (``"total_correlation"``) raise an error.

    References
    ----------
    :cite:p:`Amodio2019`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=50, seed=0)
    >>> sp.bench.SAUCIE.setup_anndata(adata, batch_key="batch")
    >>> model = sp.bench.SAUCIE(adata, n_latent=3, seed=0)
    >>> model.train(weight=1.0, max_epochs=2)
    >>> model.get_latent_representation().shape
    (200, 3)
    """

    _module_cls = SaucieModule

    def __init__(
        self,
        adata: AnnData | None = None,
        registry: dict[str, Any] | None = None,
        n_latent: int = 2,
        seed: int | None = None,
    ) -> None:
        super().__init__(adata, registry, seed)
        n_batch = self.summary_stats.n_batch
        # The sizes of a loaded model are part of its weights.
        sizes = [1] * n_batch if adata is None else np.bincount(self._batch_codes(), minlength=n_batch).tolist()
        with self._seed_generators(NETWORK):
            self.module = self._module_cls(self.summary_stats.n_vars, sizes, n_latent)
        self._model_summary_string = f"SAUCIE with {n_latent} dimensions."
        self.init_params_ = self._get_init_params(locals())

    def train(
        self, *, weight: float = 0.1, max_epochs: int = 200, batch_size: int = 256, train_size: float = 0.9
    ) -> None:
        """Train with one weight of the batch penalty, on the CPU and with all inputs in memory.

        Parameters
        ----------
        weight
            Weight of the discrepancy of the batches.
        max_epochs
            Largest number of epochs; validation cells decide when training stops, and the best state is kept.
        batch_size
            Cells of a minibatch.
        train_size
            Share of training cells, in (0, 1]; the others are for validation.

        Raises
        ------
        ValueError
            If ``weight`` is negative, or ``train_size`` is out of range.
        """
        if not 0 < train_size <= 1:
            raise ValueError(f"train_size={train_size} must be in (0, 1].")
        x, batch = self._network_inputs(), torch.from_numpy(self._batch_codes())
        order = np.random.default_rng(child_seed(self.seed, SPLITTING)).permutation(len(x))
        n_train = max(1, round(train_size * len(x)))
        train, validation = np.sort(order[:n_train]), np.sort(order[n_train:])
        with self._seed_generators(TRAINING):
            fit_saucie(
                self.module.network,
                x,
                batch,
                self.module.reference,
                torch.from_numpy(train),
                torch.from_numpy(validation),
                weight=weight,
                max_epochs=max_epochs,
                batch_size=batch_size,
            )
        self._mark_trained(train, validation)
