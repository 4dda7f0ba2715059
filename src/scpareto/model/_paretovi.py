"""scVI with a Pareto front between generative loss and nuisance."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import (
    CategoricalJointObsField,
    CategoricalObsField,
    LayerField,
    NumericalJointObsField,
    NumericalObsField,
)
from scvi.model import SCVI

from scpareto._cells import check_anndata, check_annotated, is_continuous, parse_key, parse_keys
from scpareto._constants import NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY
from scpareto._runtime import resolve_seed, seeded
from scpareto._scvi_compat import minify_type_of
from scpareto.front import FrontOptions, fill_docstring, learn_front
from scpareto.model._batch_effects import compute_batch_effects, get_log_effects, init_batch_effects
from scpareto.model._collection import prepare_collection
from scpareto.model._front_mixin import FrontMixin
from scpareto.model._minified import refuse_minified
from scpareto.model._presets import PRESETS, apply_paper_preset
from scpareto.model._state import copy_state
from scpareto.model._to_scvi import build_scvi
from scpareto.model._without_cells import is_from_data_module, refuse_without_cells
from scpareto.module import ParetoVAE

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import torch
    from anndata import AnnData
    from numpy.typing import ArrayLike

    from scpareto.pareto import Front


class ParetoVI(FrontMixin, SCVI):
    """scVI whose strength of batch correction is chosen after training, from a whole Pareto front.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`.
    registry
        Registry of the data module that trains the model, ``registry=datamodule.registry``, or of a model that is
        loaded without data.
    n_hidden, n_latent, n_layers, dropout_rate, dispersion, gene_likelihood, use_observed_lib_size, latent_distribution
        As in :class:`scvi.model.SCVI`.
    preset
        ``"paper"`` fixes architecture (learned library size, two layers in every network) and training as published;
        None is the practical recipe.
    gene_batch_effect
        None gives the batch to the decoder as scVI does. With ``"multiplicative"`` the batch enters as one factor for
        each gene and batch only; the rest of the decoder does not see it. Factors start from
        ``adata.varm["batch_effect"]``, which :func:`scpareto.pp.adjust_counts` writes; :meth:`get_batch_effects`
        returns them.
    learn_batch_effect
        Whether these factors are learned with the model, or stay at their initial values.
    seed
        Seed of the initial weights and of the training; None takes ``scvi.settings.seed``, or 0.
    **kwargs
        Further arguments of :class:`scpareto.module.ParetoVAE`.

    Raises
    ------
    ValueError
        If ``adata`` was not set up, the preset is unknown, or an argument contradicts it.

    Notes
    -----
    The objectives are the negative evidence lower bound of scVI and the information about the batch in the codes. See
    :func:`scpareto.fit_front` for the training.

    References
    ----------
    :cite:p:`Li2022`, :cite:p:`Lopez2018`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=50, seed=0)
    >>> sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    >>> model = sp.model.ParetoVI(adata, seed=0)
    >>> model.train(4, max_epochs_pretrain=2, n_points=4, method="pareto_mtl", objective="mine", progress=False)
    >>> adata.obsm["X_paretovi"] = model.get_latent_representation()
    """

    _module_cls = ParetoVAE
    _takes_counts = True

    def __init__(
        self,
        adata: AnnData | None = None,
        registry: dict[str, Any] | None = None,
        n_hidden: int = 128,
        n_latent: int = 10,
        n_layers: int = 2,
        dropout_rate: float = 0.1,
        dispersion: Literal["gene", "gene-batch", "gene-label", "gene-cell"] = "gene",
        gene_likelihood: Literal["zinb", "nb", "poisson", "normal"] = "zinb",
        use_observed_lib_size: bool = True,
        latent_distribution: Literal["normal", "ln"] = "normal",
        preset: str | None = None,
        seed: int | None = None,
        gene_batch_effect: Literal["multiplicative"] | None = None,
        learn_batch_effect: bool = True,
        **kwargs: Any,
    ) -> None:
        given = locals()
        if preset not in PRESETS:
            raise ValueError(f"preset={preset!r} is unknown. Choose one of {', '.join(map(repr, PRESETS))}.")
        if adata is None and registry is None:
            raise ValueError(
                "ParetoVI needs adata, registered with ParetoVI.setup_anndata(adata, batch_key=...), or the registry "
                "of a data module."
            )
        architecture = {
            name: given[name]
            for name in (
                "n_hidden",
                "n_latent",
                "n_layers",
                "dropout_rate",
                "dispersion",
                "gene_likelihood",
                "use_observed_lib_size",
                "latent_distribution",
            )
        } | kwargs
        if gene_batch_effect is not None:
            architecture |= {"gene_batch_effect": gene_batch_effect, "learn_batch_effect": learn_batch_effect}
        if preset == "paper":
            defaults = inspect.signature(ParetoVI.__init__).parameters
            architecture = apply_paper_preset(architecture, defaults, kwargs)
        if adata is None and registry is not None:
            if is_from_data_module(registry) and not architecture["use_observed_lib_size"]:
                raise ValueError(
                    "A learned library size (use_observed_lib_size=False, preset='paper') begins from the counts of "
                    "all cells, which a data module does not give: leave it out."
                )
            # A data module's registry names another model class by default, and loading checks the name.
            registry = {**registry, "model_name": ParetoVI.__name__}
        self.seed = resolve_seed(seed)
        with seeded(self.seed):
            super().__init__(adata, registry, **architecture)
        self._preset = preset
        self._initial_state: dict[str, torch.Tensor] | None = None
        self.selected_ = None
        self.init_params_ = self._get_init_params(given)
        if adata is not None:
            init_batch_effects(self, adata)

    def get_batch_effects(self) -> pd.DataFrame:
        """Return the factors of every gene in every batch, of the selected point.

        Returns
        -------
        Multiplicative effects, genes by batches. Their logarithms have mean 0 over batches, since only differences
        between batches are identified.

        Raises
        ------
        ValueError
            If the model has no factors, because it was made without ``gene_batch_effect="multiplicative"``.
        """
        return compute_batch_effects(self)

    def to_scvi(self) -> SCVI:
        """Return the selected point as a plain SCVI with equal weights, on the same data.

        Use it for tools that accept that class only; this model has all methods of SCVI itself. Registers the data with
        SCVI, which adds the ``_scvi_*`` columns again.

        Returns
        -------
        :class:`scvi.model.SCVI`, trained; codes and likelihoods equal those of the selected point.

        Raises
        ------
        ValueError
            If the architecture is not one of SCVI (``gene_batch_effect``, the preset ``"paper"``), or data are
            minified.
        """
        return build_scvi(self)

    @classmethod
    def setup_anndata(
        cls,
        adata: AnnData,
        layer: str | None = None,
        batch_key: str | None = None,
        labels_key: str | None = None,
        size_factor_key: str | None = None,
        categorical_covariate_keys: list[str] | None = None,
        continuous_covariate_keys: list[str] | None = None,
        nuisance_keys: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Register data; adds ``_scvi_*`` columns to ``adata``, as every scvi-tools model does.

        Parameters
        ----------
        adata
            Data with raw counts, shape ``(n_cells, n_genes)``, in memory, backed, with sparse zarr groups, or a
            :class:`scvi.dataloaders.CollectionAdapter` of several files.
        layer
            Layer of the counts; None for ``adata.X``, which a collection of files does not have.
        batch_key
            Column of ``adata.obs`` with the batches. The decoder sees it, and the front trades it off unless
            ``objective_kwargs={"target": ...}`` names another column.
        labels_key, size_factor_key, categorical_covariate_keys, continuous_covariate_keys
            As in :class:`scvi.model.SCVI`.
        nuisance_keys
            Further columns that a front may trade off, a list or one name. The decoder does not see them. Numeric
            columns are continuous nuisances, all others are categorical.
        **kwargs
            For scvi-tools' own use when a model is loaded.

        Raises
        ------
        ValueError
            If ``adata`` is a view, has one batch, or its counts hold NaN, infinite or negative values, are empty for a
            cell, or are of a kind that scvi-tools does not read; if a column has values that are missing or that cannot
            be trained on or saved, see the user guide, or ``adata.obs`` is not in memory.
        KeyError
            If the layer or a key does not exist.
        TypeError
            If a key is no text, or ``adata`` is a collection that is not adapted, or whose layer is not sparse.

        Warns
        -----
        UserWarning
            If counts are fractional, a batch has fewer than 10 cells, or every label occurs in one batch only.
        """
        check_annotated(adata)
        batch_key, labels_key = parse_key(batch_key, "batch_key"), parse_key(labels_key, "labels_key")
        size_factor_key = parse_key(size_factor_key, "size_factor_key")
        categorical_covariate_keys = parse_keys(categorical_covariate_keys, "categorical_covariate_keys")
        continuous_covariate_keys = parse_keys(continuous_covariate_keys, "continuous_covariate_keys")
        nuisance_keys = parse_keys(nuisance_keys, "nuisance_keys")
        setup_method_args = cls._get_setup_method_args(**locals())
        nuisances = nuisance_keys or []
        prepare_collection(adata, layer)
        minify_type = minify_type_of(adata)
        if minify_type is None:
            check_anndata(
                adata,
                layer=layer,
                obs_keys={
                    "batch_key": _as_list(batch_key),
                    "labels_key": _as_list(labels_key),
                    "size_factor_key": _as_list(size_factor_key),
                    "categorical_covariate_keys": categorical_covariate_keys or [],
                    "continuous_covariate_keys": continuous_covariate_keys or [],
                    "nuisance_keys": nuisances,
                },
                batch_key=batch_key,
                labels_key=labels_key,
                # Query data and loaded models may hold one batch of the model; other nuisances can be traded off.
                need_batches="source_registry" not in kwargs and not nuisances,
            )
        continuous = [key for key in nuisances if is_continuous(adata.obs[key])]
        categorical = [key for key in nuisances if key not in continuous]
        fields = [
            LayerField(REGISTRY_KEYS.X_KEY, layer, is_count_data=False),
            CategoricalObsField(REGISTRY_KEYS.BATCH_KEY, batch_key),
            CategoricalObsField(REGISTRY_KEYS.LABELS_KEY, labels_key),
            NumericalObsField(REGISTRY_KEYS.SIZE_FACTOR_KEY, size_factor_key, required=False),
            CategoricalJointObsField(REGISTRY_KEYS.CAT_COVS_KEY, categorical_covariate_keys),
            NumericalJointObsField(REGISTRY_KEYS.CONT_COVS_KEY, continuous_covariate_keys),
            CategoricalJointObsField(NUISANCE_CATEGORICAL_KEY, categorical),
            NumericalJointObsField(NUISANCE_CONTINUOUS_KEY, continuous),
        ]
        if minify_type is not None:
            fields += cls._get_fields_for_adata_minification(minify_type)
        manager = AnnDataManager(fields=fields, setup_method_args=setup_method_args)
        manager.register_fields(adata, **kwargs)
        cls.register_manager(manager)

    @fill_docstring(FrontOptions)
    def train(
        self,
        max_epochs: int | None = FrontOptions.max_epochs,
        *,
        method: str | None = FrontOptions.method,
        objective: str | Sequence[str] | None = FrontOptions.objective,
        n_points: int = FrontOptions.n_points,
        preferences: ArrayLike | None = FrontOptions.preferences,
        max_epochs_pretrain: int | None = FrontOptions.max_epochs_pretrain,
        batch_size: int | None = FrontOptions.batch_size,
        split: Sequence[ArrayLike] | None = FrontOptions.split,
        train_size: float | None = FrontOptions.train_size,
        validation_size: float | None = FrontOptions.validation_size,
        shuffle_set_split: bool = FrontOptions.shuffle_set_split,
        objective_kwargs: dict[str, Any] | Sequence[dict[str, Any]] | None = FrontOptions.objective_kwargs,
        solver_kwargs: dict[str, Any] | None = FrontOptions.solver_kwargs,
        plan_kwargs: Mapping[str, Any] | None = FrontOptions.plan_kwargs,
        plan_config: Any = FrontOptions.plan_config,
        early_stopping: bool | None = FrontOptions.early_stopping,
        datasplitter_kwargs: Mapping[str, Any] | None = FrontOptions.datasplitter_kwargs,
        load_sparse_tensor: bool = FrontOptions.load_sparse_tensor,
        warm_start: Literal["start", "path"] | str = FrontOptions.warm_start,
        on_collapse: Literal["keep", "apart"] | str = FrontOptions.on_collapse,
        checkpoint_dir: str | os.PathLike[str] | None = FrontOptions.checkpoint_dir,
        accelerator: str = FrontOptions.accelerator,
        devices: int | list[int] | str = FrontOptions.devices,
        executor: str | None = FrontOptions.executor,
        executor_kwargs: dict[str, Any] | None = FrontOptions.executor_kwargs,
        progress: bool = FrontOptions.progress,
        trainer_config: Any = FrontOptions.trainer_config,
        datamodule: Any = FrontOptions.datamodule,
        **trainer_kwargs: Any,
    ) -> None:
        """Learn the front, then select the recommended point; writes a record to ``adata.uns["scpareto"]["paretovi"]``.

        Training again starts from the same weights as the first training of this model object, so that equal arguments
        give equal fronts; after loading, from the selected point.

        Parameters
        ----------
        {options: max_epochs; method; objective; n_points; preferences; max_epochs_pretrain; batch_size; split}
        {options: train_size, validation_size; shuffle_set_split}
        {options: objective_kwargs; solver_kwargs; plan_kwargs, plan_config; early_stopping; datasplitter_kwargs}
        {options: load_sparse_tensor; warm_start; on_collapse; checkpoint_dir}
        {options: accelerator, devices; executor; executor_kwargs; progress}
        {options: trainer_config; datamodule}
        **trainer_kwargs
            Passed to :class:`scvi.train.Trainer`.

        Raises
        ------
        ValueError
            If an argument is not valid, before any training.
        KeyboardInterrupt
            If interrupted. :attr:`front` then holds the finished points and names the missing ones.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        refuse_minified(self, "train on")
        effects = get_log_effects(self)
        if effects is not None and not effects.any():
            raise ValueError(
                'adata.varm["batch_effect"] does not hold the batches and genes of the model; run '
                "sp.pp.adjust_counts(adata, batch_key=...) before the model is made."
            )
        if self._initial_state is None:
            self._initial_state = copy_state(self.module)
        options = FrontOptions(seed=self.seed, preset=self._preset, **given)
        front = self._front
        previous_state = copy_state(self.module)
        self.module.load_state_dict(self._initial_state)
        try:
            learn_front(self, options)
        except BaseException:
            if self._front is front:
                # Refused, or interrupted before a point was finished: restore the model.
                self.module.load_state_dict(previous_state)
                self.module.eval()
            raise

    def minify_adata(self, *args: Any, **kwargs: Any) -> None:
        """Keep codes instead of counts, as :meth:`scvi.model.SCVI.minify_adata` does.

        Parameters
        ----------
        *args, **kwargs
            As in scvi-tools.

        Raises
        ------
        ValueError
            If the model holds no cells.
        """
        refuse_without_cells(self, "minify")
        super().minify_adata(*args, **kwargs)

    def store_front(self, front: Front) -> None:
        """Store a front that was learnt with this model, finished or not, and select the recommended point."""
        self._front = front
        self.is_trained_ = True
        # A data module does not always tell the rows of its split.
        for name, part in front.metadata.get("indices", {}).items():
            setattr(self, f"{name}_indices_", np.asarray(part))
        self.select(front.recommended)


def _as_list(key: str | None) -> list[str]:
    return [] if key is None else [key]
