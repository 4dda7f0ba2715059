"""beta-TCVAE: an autoencoder trained for independent code dimensions."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import CategoricalObsField, LayerField
from scvi.model.base import BaseModelClass, RNASeqMixin, UnsupervisedTrainingMixin, VAEMixin

from scpareto._cells import check_annotated, check_categories, check_column, parse_key
from scpareto._runtime import (
    check_accelerator,
    check_trainer_keywords,
    check_whole_number,
    child_seed,
    quiet_lightning,
    raise_interrupts,
    resolve_seed,
    seeded,
)
from scpareto._scvi_compat import MODULE_KEYS
from scpareto.model._codes import check_codes
from scpareto.model._expression import check_expression, check_kind
from scpareto.model._hub import HubMixin
from scpareto.model._plain_saving import PlainSavingMixin
from scpareto.model.betatcvae._network import BetaTCVAEModule
from scpareto.model.betatcvae._plan import TotalCorrelationPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from scpareto.model.betatcvae._network import GeneLikelihood

logger = logging.getLogger("scpareto")

_SPLITTING, _TRAINING = 0, 1
_SCVI_TRAIN_KEYWORDS = ("load_sparse_tensor", "plan_config", "trainer_config")
"""Keywords of ``train`` in scvi-tools that its trainer does not take."""


class _Epochs(Callback):
    """Counts finished epochs."""

    finished = 0

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Count the epoch."""
        self.finished += 1


class BetaTCVAE(HubMixin, PlainSavingMixin, RNASeqMixin, VAEMixin, UnsupervisedTrainingMixin, BaseModelClass):
    r"""Variational autoencoder with a penalty on the total correlation of its codes.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`.
    registry
        Registry of a model that is loaded without data.
    beta
        Weight of the total correlation, in addition to its weight of 1 within the divergence from the prior. 0 is the
        plain VAE. Published: usually 10 to 50, 100 for large data. :func:`scpareto.fit_front` with
        ``objective="total_correlation"`` gives the models of all weights instead of one.
    n_latent
        Dimensions of a code.
    n_hidden
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    dropout_rate
        Dropout after each hidden layer.
    gene_likelihood
        ``"gaussian"`` (published) has variance 1 for every gene and takes log-normalised expression; ``"nb"``,
        ``"zinb"`` and ``"poisson"`` take counts.
    seed
        Seed of the initial weights and of the training; None takes ``scvi.settings.seed``, or 0.

    Raises
    ------
    ValueError
        If ``beta`` is negative, ``gene_likelihood`` is unknown or does not fit the data.

    Notes
    -----
    .. math:: L = -\mathrm{E}_q \log p(x \mid z) + \mathrm{KL}(q(z \mid x) \Vert p(z)) + \beta \, \mathrm{TC}(z)

    with the total correlation of :class:`scpareto.objectives.TotalCorrelation`, from minibatch stratified sampling, and
    the divergence in closed form. Reported losses are true negative ELBOs, without the penalty.

    References
    ----------
    :cite:p:`Chen2018`, :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import scanpy as sc
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_splatter(200, 50)
    >>> sc.pp.normalize_total(adata)
    >>> sc.pp.log1p(adata)
    >>> sp.model.BetaTCVAE.setup_anndata(adata)
    >>> model = sp.model.BetaTCVAE(adata, n_hidden=[32, 16], n_latent=4, seed=0)
    >>> model.train(2, progress=False)
    >>> model.get_latent_representation().shape
    (200, 4)
    """

    _module_cls = BetaTCVAEModule
    _training_plan_cls = TotalCorrelationPlan

    def __init__(
        self,
        adata: AnnData | None = None,
        registry: dict[str, Any] | None = None,
        beta: float = 10.0,
        n_latent: int = 10,
        n_hidden: Sequence[int] = (512, 256),
        dropout_rate: float = 0.2,
        gene_likelihood: GeneLikelihood = "gaussian",
        seed: int | None = None,
    ) -> None:
        if beta < 0 or not np.isfinite(beta):
            raise ValueError(f"beta={beta} must be a finite number of at least 0.")
        if adata is None and registry is None:
            raise ValueError("BetaTCVAE needs adata, registered with BetaTCVAE.setup_anndata(adata).")
        super().__init__(adata, registry)
        self.beta = float(beta)
        self.seed = resolve_seed(seed)
        with seeded(self.seed):
            self.module = self._module_cls(
                n_input=self.summary_stats.n_vars,
                n_batch=self.summary_stats.n_batch,
                n_labels=self.summary_stats.n_labels,
                n_latent=n_latent,
                n_hidden=list(n_hidden),
                dropout_rate=dropout_rate,
                gene_likelihood=gene_likelihood,
            )
        if adata is not None:
            layer = self.adata_manager.registry["setup_args"]["layer"]
            counts = gene_likelihood != "gaussian"
            check_kind(adata, layer, counts=counts, reason=f"gene_likelihood={gene_likelihood!r}")
        self._model_summary_string = (
            f"BetaTCVAE with beta {beta:g}, {n_latent} dimensions, likelihood {gene_likelihood}, hidden layers "
            f"{', '.join(map(str, n_hidden))}."
        )
        self.init_params_ = self._get_init_params(locals())

    @classmethod
    def setup_anndata(
        cls,
        adata: AnnData,
        layer: str | None = None,
        batch_key: str | None = None,
        labels_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Register data; adds ``_scvi_*`` columns to ``adata``, as every scvi-tools model does.

        Parameters
        ----------
        adata
            Data with log-normalised expression or, for the likelihoods of counts, raw counts.
        layer
            Layer of the expression; None for ``adata.X``.
        batch_key
            Column of ``adata.obs`` that is given to the decoder, so that codes need not hold it; None to treat the
            batch like any other factor of variation.
        labels_key
            Column of ``adata.obs`` with labels; not used in training.
        **kwargs
            For scvi-tools' own use when a model is loaded.

        Raises
        ------
        ValueError
            If ``adata`` is a view or has no cells or genes, its expression is not finite, or a column has values that
            are missing or cannot be saved.
        KeyError
            If the layer or a key does not exist.
        """
        check_annotated(adata)
        batch_key, labels_key = parse_key(batch_key, "batch_key"), parse_key(labels_key, "labels_key")
        setup_method_args = cls._get_setup_method_args(**locals())
        check_expression(adata, layer)
        for argument, key in (("batch_key", batch_key), ("labels_key", labels_key)):
            if key is not None:
                check_column(adata.obs, key, argument)
                check_categories(adata.obs[key], key)
        manager = AnnDataManager(
            fields=[
                LayerField(REGISTRY_KEYS.X_KEY, layer, is_count_data=False),
                CategoricalObsField(REGISTRY_KEYS.BATCH_KEY, batch_key),
                CategoricalObsField(REGISTRY_KEYS.LABELS_KEY, labels_key),
            ],
            setup_method_args=setup_method_args,
        )
        manager.register_fields(adata, **kwargs)
        cls.register_manager(manager)

    def train(
        self,
        max_epochs: int = 100,
        *,
        batch_size: int = 128,
        lr: float = 1e-3,
        train_size: float = 0.9,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        plan_kwargs: dict[str, Any] | None = None,
        progress: bool = True,
        **trainer_kwargs: Any,
    ) -> None:
        """Train on a random share of the cells; the other cells are for validation.

        Parameters
        ----------
        max_epochs
            Epochs. Published: 1,000.
        batch_size
            Cells of a minibatch. The total correlation is estimated within a minibatch, on each device.
        lr
            Learning rate of Adam. Published: 1e-3 or 1e-4.
        train_size
            Share of training cells, in (0, 1].
        accelerator, devices
            As in scvi-tools.
        plan_kwargs
            Further arguments of :class:`scpareto.model.betatcvae.TotalCorrelationPlan`.
        progress
            Whether to show a progress bar.
        **trainer_kwargs
            Passed to :class:`scvi.train.Trainer`, for example ``early_stopping=True``.

        Raises
        ------
        ValueError
            If an argument is out of range, or fewer than two cells are left to train on.
        TypeError
            If an argument is unknown.
        KeyboardInterrupt
            If interrupted; the model keeps the weights of that moment.
        """
        max_epochs, batch_size = (
            check_whole_number("max_epochs", max_epochs),
            check_whole_number("batch_size", batch_size),
        )
        check_accelerator(accelerator, devices)
        check_trainer_keywords(trainer_kwargs, also=_SCVI_TRAIN_KEYWORDS)
        n_cells = self.adata_manager.adata.n_obs
        if not 0 < train_size <= 1 or round(train_size * n_cells) < 2:
            raise ValueError(f"train_size={train_size} must be in (0, 1] and leave two of the {n_cells} cells.")
        order = np.random.default_rng(child_seed(self.seed, _SPLITTING)).permutation(n_cells)
        n_train = round(train_size * n_cells)
        split = [np.sort(order[:n_train]), np.sort(order[n_train:]), np.array([], dtype=int)]
        # Batch normalisation fails on a last minibatch of one cell.
        splitter = {"external_indexing": split, "drop_last": n_train % batch_size == 1}
        progress_kwargs = {} if progress else {"enable_progress_bar": False, "enable_model_summary": False}
        counter = _Epochs()
        trainer_kwargs["callbacks"] = [*trainer_kwargs.get("callbacks", []), counter]
        try:
            with (
                seeded(child_seed(self.seed, _TRAINING)),
                nullcontext() if progress else quiet_lightning(),
                raise_interrupts(),
            ):
                super().train(
                    max_epochs,
                    accelerator=accelerator,
                    devices=devices,
                    batch_size=batch_size,
                    datasplitter_kwargs=splitter,
                    plan_kwargs={"beta": self.beta, "n_cells": n_train, "lr": lr} | (plan_kwargs or {}),
                    **progress_kwargs | trainer_kwargs,
                )
        except KeyboardInterrupt:
            self.module.eval()
            if counter.finished:
                self.is_trained_ = True
                self.train_indices_, self.validation_indices_, self.test_indices_ = split
                self._store_training_cells()
                logger.warning("Interrupted. The model of %d of %d epochs is kept.", counter.finished, max_epochs)
            raise
        self._store_training_cells()

    @torch.inference_mode()
    def decode(
        self,
        codes: ArrayLike,
        *,
        library_size: ArrayLike | None = None,
        batch: str | None = None,
        sample: bool = False,
        seed: int = 0,
    ) -> NDArray[np.float32]:
        """Decode codes to expression.

        Parameters
        ----------
        codes
            Codes, shape ``(n_cells, n_latent)``.
        library_size
            Counts of each cell, shape ``(n_cells,)``, for the likelihoods of counts; None for their median in the data.
        batch
            Level of the registered batch; None for the first.
        sample
            False for the mean of the likelihood, True for a draw from it: with ``"gaussian"`` the mean plus noise of
            variance 1, as published.
        seed
            Seed of the draw.

        Returns
        -------
        Expression, shape ``(n_cells, n_genes)``, on the scale of the data.

        Raises
        ------
        ValueError
            If codes have the wrong width or are not finite, or there is no such batch.
        """
        z = check_codes(codes, self.module.n_latent)
        levels = [str(v) for v in self.adata_manager.get_state_registry(REGISTRY_KEYS.BATCH_KEY).categorical_mapping]
        if batch is not None and batch not in levels:
            raise ValueError(f"batch={batch!r} is unknown; choose from {', '.join(levels)}.")
        if library_size is None:
            values = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
            library_size = float(np.median(np.asarray(values.sum(axis=1))))
        library = np.broadcast_to(np.asarray(library_size, dtype=np.float32), (len(z),))
        self.module.eval()
        batch_code = 0 if batch is None else levels.index(batch)
        decoded = []
        with seeded(seed):
            for start in range(0, len(z), 1024):
                chunk = torch.from_numpy(z[start : start + 1024]).to(self.device)
                sizes = torch.from_numpy(library[start : start + 1024].copy()).to(self.device)
                px = self.module.generative(
                    z=chunk,
                    library=torch.log(sizes.clamp(min=1e-8))[:, None],
                    batch_index=torch.full((len(chunk), 1), batch_code, device=self.device),
                    y=torch.zeros((len(chunk), 1), device=self.device),
                )[MODULE_KEYS.PX_KEY]
                decoded.append((px.sample() if sample else px.mean).cpu().numpy())
        return np.concatenate(decoded)
