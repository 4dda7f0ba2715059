"""ScInfoVAE: clustering of counts by an InfoVAE with cluster centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import CategoricalObsField, LayerField, NumericalObsField
from scvi.model.base import ArchesMixin, BaseMinifiedModeModelClass, RNASeqMixin, VAEMixin

from scpareto._cells import check_categories, check_column, check_numbers, check_shape, format_names, parse_key
from scpareto._constants import SCINFOVAE_SIZE_FACTOR_KEY
from scpareto._runtime import (
    check_accelerator,
    check_trainer_keywords,
    check_whole_number,
    child_seed,
    choose_hardware,
    resolve_seed,
    seeded,
)
from scpareto._scvi_compat import minify_type_of
from scpareto.model._minified import refuse_minified
from scpareto.model.scinfovae._cluster_choice import ClusterChoice
from scpareto.model.scinfovae._cluster_mixin import ClusterMixin
from scpareto.model.scinfovae._input_scaling import check_values, input_scaling
from scpareto.model.scinfovae._network import InfoVAE
from scpareto.model.scinfovae._training_mixin import TrainingMixin, check_restore_best
from scpareto.model.scinfovae._weights import InfoVAEWeights
from scpareto.objectives import PriorDivergence

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from anndata import AnnData
    from numpy.typing import NDArray

_NETWORK = 11
"""Seed index besides those of the training."""
_LAMBDA = {"log_mse": 10.0, "paper_mse": 10.0}
"""Defaults of ``lambda_`` that are not 100: squared errors are smaller than negative log-likelihoods."""

_TWO_PHASES = "a training has two phases; give max_epochs_pretrain=... and max_epochs_finetune=..."


class ScInfoVAE(ClusterMixin, TrainingMixin, RNASeqMixin, VAEMixin, ArchesMixin, BaseMinifiedModeModelClass):
    r"""InfoVAE with a zero-inflated negative binomial likelihood and deep clustering.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`, usually after :func:`scpareto.pp.prepare_scinfovae`.
    registry
        Registry of a model that is loaded without data.
    n_clusters
        Number of clusters; None to estimate it after pre-training, see :meth:`train`.
    n_latent
        Dimensions of a code.
    n_hidden
        Width of each hidden layer of the encoder; the decoder has them in reverse order.
    alpha, lambda_
        Weights of the objective, see :class:`scpareto.model.scinfovae.InfoVAEWeights`; ``lambda_=None`` is 100, and
        10 for squared errors.
    divergence, kernel
        Divergence of the aggregated posterior from the prior: ``"mmd"`` with the kernel ``"imq"``, ``"rbf"``,
        ``"multirbf"`` or ``"tutorial"``, ``"js"``, or ``"stein"``; see :class:`scpareto.objectives.PriorDivergence`.
    gamma
        Weight of the clustering term in fine-tuning.
    gene_likelihood
        ``"zinb"``, ``"nb"``, ``"normal"`` for continuous data, or the squared errors ``"log_mse"`` and ``"paper_mse"``;
        see :class:`scpareto.model.scinfovae.InfoVAE`.
    dispersion
        One dispersion for each ``"gene"``, or for each gene in each cell, ``"gene-cell"``.
    input_noise
        Standard deviation of the noise that is added to the scaled input in training.
    seed
        Seed of initial weights and training; None takes ``scvi.settings.seed``, or 0.
    **kwargs
        Further arguments of :class:`scpareto.model.scinfovae.InfoVAE`.

    Raises
    ------
    ValueError
        If ``adata`` was not set up, weights contradict each other, a choice is unknown, there are fewer cells than
        clusters, or values do not suit the likelihood.

    Notes
    -----
    Both phases minimise

    .. math::
        R + (1 - \alpha) \, \mathrm{KL}(q(z \mid x) \Vert p(z)) + (\alpha + \lambda - 1) \, D(q(z) \Vert p(z))
        + \gamma \, \mathrm{KL}(P \Vert Q),

    the last term in fine-tuning only. With ``alpha=0, lambda_=1`` pre-training is that of a plain variational
    autoencoder.

    References
    ----------
    :cite:p:`Pan2023`, which builds on :cite:p:`Zhao2019`, :cite:p:`Xie2016` and :cite:p:`Tian2019`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=100, n_batches=1, n_types=3, seed=0)
    >>> adata = sp.pp.prepare_scinfovae(adata, n_top_genes=50)
    >>> sp.model.ScInfoVAE.setup_anndata(adata)
    >>> model = sp.model.ScInfoVAE(adata, n_clusters=3, n_hidden=[32, 16], seed=0)
    >>> model.train(2, 2, progress=False)
    >>> adata.obsm["X_scinfovae"] = model.get_latent_representation()
    >>> adata.obs["scinfovae_cluster"] = model.predict()
    """

    _module_cls = InfoVAE
    _LATENT_QZM_KEY = "scinfovae_latent_qzm"
    _LATENT_QZV_KEY = "scinfovae_latent_qzv"

    def __init__(
        self,
        adata: AnnData | None = None,
        registry: dict[str, Any] | None = None,
        n_clusters: int | None = None,
        n_latent: int = 10,
        n_hidden: Sequence[int] = (500, 256, 256),
        alpha: float = 0.9,
        lambda_: float | None = None,
        divergence: Literal["mmd", "js", "stein"] = "mmd",
        kernel: Literal["imq", "rbf", "multirbf", "tutorial"] = "imq",
        gamma: float = 1.0,
        gene_likelihood: Literal["zinb", "nb", "normal", "log_mse", "paper_mse"] = "zinb",
        dispersion: Literal["gene", "gene-cell"] = "gene",
        input_noise: float = 1.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        n_hidden = [int(width) for width in n_hidden]
        given = locals()
        if adata is None and registry is None:
            raise ValueError("ScInfoVAE needs adata, registered with ScInfoVAE.setup_anndata(adata).")
        lambda_used = _LAMBDA.get(gene_likelihood, 100.0) if lambda_ is None else lambda_
        self._weights = InfoVAEWeights(alpha, lambda_used, gamma)
        self._divergence_options: dict[str, Any] = {"divergence": divergence, "kernel": kernel, "on": "sample"}
        PriorDivergence(n_latent, **self._divergence_options)
        super().__init__(adata, registry)
        n_cells = None if adata is None else adata.n_obs
        if n_clusters is not None and (n_clusters < 2 or (n_cells is not None and n_clusters > n_cells)):
            raise ValueError(f"n_clusters={n_clusters} must be from 2 to the number of cells, {n_cells}.")
        self.seed = resolve_seed(seed)
        with seeded(child_seed(self.seed, _NETWORK)):
            self.module = self._module_cls(
                n_input=self.summary_stats.n_vars,
                n_batch=self.summary_stats.n_batch,
                n_labels=self.summary_stats.n_labels,
                n_hidden=n_hidden,
                n_latent=n_latent,
                gene_likelihood=gene_likelihood,
                dispersion=dispersion,
                input_noise=input_noise,
                n_clusters=n_clusters,
                use_size_factor_key=bool(self.registry_["setup_args"]["size_factor_key"]),
                **kwargs,
            )
        self.module.minified_data_type = self.minified_data_type
        if adata is not None and self.minified_data_type is None:
            check_values(self.adata_manager, continuous=self.module.continuous)
            self.module.set_scaling(*input_scaling(self.adata_manager, self.module))
        self._model_summary_string = (
            f"ScInfoVAE with n_clusters: {n_clusters}, n_latent: {n_latent}, n_hidden: {n_hidden}, alpha: {alpha}, "
            f"lambda_: {lambda_used}, divergence: {divergence}, gene_likelihood: {gene_likelihood}."
        )
        self._initial_state: dict[str, torch.Tensor] | None = None
        self.selected_ = None
        self.maps_query_ = False
        self.phases_: dict[str, dict[str, list[float]]] | None = None
        self.clusters_: NDArray[np.int64] | None = None
        self.pretrained_clusters_: NDArray[np.int64] | None = None
        self.scores_: dict[str, dict[str, float]] | None = None
        self.n_clusters_choice_: dict[str, Any] | None = None
        self.finetuning_end_: str | None = None
        self.init_params_ = self._get_init_params(given)

    @property
    def weights(self) -> InfoVAEWeights:
        """Weights of the objective."""
        return self._weights

    @property
    def history(self) -> dict[str, pd.DataFrame] | None:
        """Unweighted terms of each epoch of both phases; for a selected point of a front, those of its training."""
        if self.selected_ is not None:
            return super().history
        if self.phases_ is None:
            return None
        return {
            f"{phase}_{name}": pd.DataFrame({name: values}, index=pd.RangeIndex(len(values), name="epoch"))
            for phase, record in self.phases_.items()
            for name, values in record.items()
        }

    @classmethod
    def setup_anndata(
        cls,
        adata: AnnData,
        layer: str | None = None,
        batch_key: str | None = None,
        size_factor_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Register data; adds ``_scvi_*`` columns to ``adata``, as every scvi-tools model does.

        Parameters
        ----------
        adata
            Raw counts, or continuous values for ``gene_likelihood="normal"``, shape ``(n_cells, n_genes)``.
        layer
            Layer of the counts; None for ``adata.X``.
        batch_key
            Column of ``adata.obs`` with batches, which the decoder sees.
        size_factor_key
            Column of ``adata.obs`` with size factors. None for ``"scinfovae_size_factor"``, which
            :func:`scpareto.pp.prepare_scinfovae` writes, if it exists; otherwise they are computed from the registered
            genes.
        **kwargs
            For scvi-tools' own use when a model is loaded.

        Raises
        ------
        ValueError
            If ``adata`` is a view, has no cells or genes, or a column has values that are missing or cannot be trained
            on or saved.
        KeyError
            If the layer or a key does not exist.
        """
        check_shape(adata)
        batch_key, size_factor_key = parse_key(batch_key, "batch_key"), parse_key(size_factor_key, "size_factor_key")
        if size_factor_key is None and SCINFOVAE_SIZE_FACTOR_KEY in adata.obs:
            size_factor_key = SCINFOVAE_SIZE_FACTOR_KEY
        setup_method_args = cls._get_setup_method_args(**locals())
        minify_type = minify_type_of(adata)
        if minify_type is None and batch_key is not None:
            check_column(adata.obs, batch_key, "batch_key")
            check_categories(adata.obs[batch_key], batch_key)
        if minify_type is None and size_factor_key is not None:
            check_column(adata.obs, size_factor_key, "size_factor_key")
            check_numbers(adata.obs[size_factor_key], size_factor_key, size_factor=True)
        if layer is not None and layer not in adata.layers:
            available = format_names(adata.layers)
            raise KeyError(f"layer={layer!r} is not in adata.layers. Available: {available}.")
        fields = [
            LayerField(REGISTRY_KEYS.X_KEY, layer, is_count_data=False),
            CategoricalObsField(REGISTRY_KEYS.BATCH_KEY, batch_key),
            CategoricalObsField(REGISTRY_KEYS.LABELS_KEY, None),
            NumericalObsField(REGISTRY_KEYS.SIZE_FACTOR_KEY, size_factor_key, required=False),
        ]
        if minify_type is not None:
            fields += cls._get_fields_for_adata_minification(minify_type)
        manager = AnnDataManager(fields=fields, setup_method_args=setup_method_args)
        manager.register_fields(adata, **kwargs)
        cls.register_manager(manager)

    def train(
        self,
        max_epochs_pretrain: int = 600,
        max_epochs_finetune: int = 500,
        *,
        batch_size: int = 256,
        lr: float = 1e-3,
        lr_finetune: float = 1e-4,
        validation_size: float = 0.1,
        patience: int | None = 30,
        finetune_objective: Literal["full", "paper"] = "full",
        update_interval: int = 1,
        tol: float = 1e-3,
        restore_best: Literal["silhouette", "loss"] | None = "loss",
        n_clusters_by: Literal["silhouette", "leiden", "generalisability"] = "silhouette",
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        progress: bool = True,
        **trainer_kwargs: Any,
    ) -> None:
        """Pre-train the network, then fine-tune it with cluster centres from K-means.

        Writes a record to ``adata.uns["scpareto"]["scinfovae"]``. Training again starts from the same weights as the
        first training of this model object, so that equal arguments give equal results; after loading, from those of
        the file. A model mapped to query data runs the first phase only and keeps the clusters of its reference.

        Parameters
        ----------
        max_epochs_pretrain, max_epochs_finetune
            Maximum number of epochs of the two phases; without fine-tuning the centres are those of K-means.
        batch_size
            Cells of a minibatch.
        lr, lr_finetune
            Adam learning rates.
        validation_size
            Share of the cells that are held out to find the best epoch of pre-training; with 0 the last one is kept.
        patience
            A phase ends after this number of epochs without improvement; None for never, as published.
        finetune_objective
            ``"full"`` adds the clustering term to the objective of pre-training; ``"paper"`` drops each cell's
            divergence from the prior, as published.
        update_interval
            Number of epochs between two updates of the target distribution of all cells.
        tol
            Fine-tuning ends when a smaller share of cells changes cluster between two updates; 0 for never.
        restore_best
            Weights kept after fine-tuning: those with the lowest ``"loss"`` of the held-out cells or with the best
            ``"silhouette"`` of the clusters, including the initial ones, or the last, as published (None).
        n_clusters_by
            How the number of clusters is estimated if it was not given: ``"silhouette"`` or ``"leiden"``, see
            :func:`scpareto.metrics.number_of_clusters`, or ``"generalisability"``, the number before the clustering
            loss of training cells falls far below that of held-out ones.
        accelerator, devices
            As in scvi-tools; one device.
        progress
            Whether to show a progress bar, one for both phases.
        **trainer_kwargs
            Passed to :class:`scvi.train.Trainer`.

        Raises
        ------
        ValueError
            If an argument is not valid, before any training, or data are minified.
        TypeError
            If an argument is unknown. ``max_epochs`` is not accepted, because there are two phases.
        scpareto.train.TrainingDiverged
            If the loss is not finite.
        """
        refuse_minified(self, "train on")
        check_restore_best(restore_best)
        max_epochs_pretrain = check_whole_number("max_epochs_pretrain", max_epochs_pretrain)
        max_epochs_finetune = check_whole_number("max_epochs_finetune", max_epochs_finetune, least=0)
        update_interval = check_whole_number("update_interval", update_interval)
        batch_size = check_whole_number("batch_size", batch_size)
        patience = None if patience is None else check_whole_number("patience", patience)
        if not 0 <= validation_size < 1 or not 0 <= tol <= 1:
            raise ValueError(f"validation_size={validation_size} must be in [0, 1) and tol={tol} in [0, 1].")
        if devices not in ("auto", 1, -1, [0]) and not (isinstance(devices, list) and len(devices) == 1):
            raise ValueError(f"devices={devices!r}: ScInfoVAE trains on one device.")
        check_accelerator(accelerator, devices)
        check_trainer_keywords(trainer_kwargs, refused={"max_epochs": _TWO_PHASES})
        self._weights.for_finetuning(finetune_objective)
        choice = ClusterChoice(n_clusters_by)
        self._train_phases(
            choice,
            pretraining={"max_epochs": max_epochs_pretrain, "lr": lr, "patience": patience},
            finetuning={
                "max_epochs": max_epochs_finetune,
                "lr": lr_finetune,
                "objective": finetune_objective,
                "update_interval": update_interval,
                "tol": tol,
                "restore_best": restore_best,
                "patience": patience,
            },
            validation_size=validation_size,
            progress=progress,
            batch_size=batch_size,
            seed=self.seed,
            trainer_kwargs=choose_hardware(accelerator, devices) | trainer_kwargs,
        )
