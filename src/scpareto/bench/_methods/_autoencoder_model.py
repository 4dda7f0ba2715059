"""Base model of the autoencoder baselines: registered counts, codes, safe saving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import CategoricalObsField, LayerField
from scvi.dataloaders import AnnDataLoader
from scvi.model.base import BaseModelClass

from scpareto._cells import check_anndata
from scpareto._runtime import child_seed, resolve_seed
from scpareto.bench._seeding import seed_generators
from scpareto.model import PlainSavingMixin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from anndata import AnnData
    from numpy.typing import NDArray
    from torch import Tensor

NETWORK, TRAINING, SPLITTING = 0, 1, 2
"""Seed indices."""
_BATCH_SIZE = 512


class AutoencoderBaseline(PlainSavingMixin, BaseModelClass):
    """A published autoencoder as a model of scvi-tools, so that :func:`scpareto.fit_front` can train it.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`.
    registry
        Registry of a model that is loaded without data.
    seed
        Seed of initial weights and training; None takes ``scvi.settings.seed``, or 0.

    Raises
    ------
    ValueError
        If neither ``adata`` nor ``registry`` is given.
    """

    def __init__(self, adata: AnnData | None, registry: dict[str, Any] | None, seed: int | None) -> None:
        name = type(self).__name__
        if adata is None and registry is None:
            raise ValueError(f"{name} needs adata, registered with {name}.setup_anndata(adata).")
        super().__init__(adata, registry)
        self.seed = resolve_seed(seed)

    @classmethod
    def setup_anndata(
        cls, adata: AnnData, layer: str | None = None, batch_key: str | None = None, **kwargs: Any
    ) -> None:
        """Register counts; adds ``_scvi_*`` columns to ``adata``, as every scvi-tools model does.

        Parameters
        ----------
        adata
            Data with raw counts, which the model normalises itself. All genes of ``adata`` are used.
        layer
            Layer of the counts; None for ``adata.X``.
        batch_key
            Column of ``adata.obs`` with the batches.
        **kwargs
            Used by scvi-tools when a model is loaded.

        Raises
        ------
        ValueError
            If ``adata`` is a view, its matrix cannot be read or holds no counts, or a cell has no counts.
        KeyError
            If the layer or the key does not exist.
        """
        setup_method_args = cls._get_setup_method_args(**locals())
        check_anndata(
            adata,
            layer=layer,
            obs_keys={"batch_key": [] if batch_key is None else [batch_key]},
            batch_key=batch_key,
            labels_key=None,
            need_batches=False,
        )
        manager = AnnDataManager(
            fields=[
                LayerField(REGISTRY_KEYS.X_KEY, layer, is_count_data=True),
                CategoricalObsField(REGISTRY_KEYS.BATCH_KEY, batch_key),
            ],
            setup_method_args=setup_method_args,
        )
        manager.register_fields(adata, **kwargs)
        cls.register_manager(manager)

    @torch.inference_mode()
    def get_latent_representation(
        self, adata: AnnData | None = None, indices: Sequence[int] | None = None, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """Return codes of cells.

        Parameters
        ----------
        adata
            Data with the same genes and columns as those of the model; None for the data of the model.
        indices
            Rows of the cells; None for all.
        batch_size
            Cells of a minibatch.

        Returns
        -------
        Codes, shape ``(n_cells, n_latent)``. They are deterministic, without posterior mean or sample.
        """
        self._check_if_trained(warn=False)
        adata = self._validate_anndata(adata)
        self.module.eval()
        codes = []
        for tensors in self._make_data_loader(adata=adata, indices=indices, batch_size=batch_size or _BATCH_SIZE):
            outputs = self.module.inference(**self.module._get_inference_input(tensors))
            codes.append(outputs["z"].cpu().numpy())
        return np.concatenate(codes)

    def _network_inputs(self) -> Tensor:
        """Return the network's input for all cells, shape ``(n_cells, n_genes)``, dense and on the CPU."""
        self.to_device("cpu")
        with torch.no_grad():
            return torch.cat([self.module.network_input(x) for x in self._counts()])

    def _counts(self) -> list[Tensor]:
        """Return counts of all cells, in minibatches."""
        return [tensors[REGISTRY_KEYS.X_KEY] for tensors in AnnDataLoader(self.adata_manager, batch_size=_BATCH_SIZE)]

    def _batch_codes(self) -> NDArray[np.int64]:
        """Return the number of each cell's batch, shape ``(n_cells,)``."""
        return np.asarray(self.adata_manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY)).ravel().astype(np.int64)

    def _seed_generators(self, index: int) -> AbstractContextManager[None]:
        """Seed the random generators for a block by the child seed with this index."""
        return seed_generators(child_seed(self.seed, index))

    def _mark_trained(self, train: NDArray[np.int64], validation: NDArray[np.int64]) -> None:
        """Record the cells of a finished training."""
        self.train_indices_, self.validation_indices_ = train, validation
        self.test_indices_ = np.empty(0, dtype=np.int64)
        self.module.eval()
        self.is_trained_ = True
