"""MichiGAN: realistic cells from the codes of another model."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import LayerField, ObsmField
from scvi.model.base import BaseModelClass

from scpareto._cells import check_annotated
from scpareto._constants import CODE_KEY, CODE_SCALE_KEY, latent_key, latent_scale_key
from scpareto._runtime import check_accelerator, check_whole_number, resolve_seed, seeded
from scpareto.model._codes import get_obsm_array
from scpareto.model._expression import check_expression, check_kind
from scpareto.model._hub import HubMixin
from scpareto.model._plain_saving import PlainSavingMixin
from scpareto.model.michigan._generation_mixin import GenerationMixin
from scpareto.model.michigan._networks import MichiGANModule
from scpareto.model.michigan._recipe import WassersteinRecipe
from scpareto.model.michigan._training_mixin import TrainingMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    import pandas as pd
    from anndata import AnnData

    from scpareto.model.michigan._critic import Conditioning
    from scpareto.model.michigan._generator import Output
    from scpareto.module import Norm


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


class MichiGAN(GenerationMixin, TrainingMixin, HubMixin, PlainSavingMixin, BaseModelClass):
    r"""Conditional Wasserstein GAN that turns codes of another model into cells.

    An autoencoder learns interpretable codes but decodes averaged cells; a GAN generates realistic cells from noise
    without interpretation. Trained on pairs of code and cell, this generator gives realistic cells for interpretable
    codes.

    Parameters
    ----------
    adata
        Data registered with :meth:`setup_anndata`, or through :meth:`from_model`.
    registry
        Registry of a model that is loaded without data.
    conditional
        False is the unconditional WGAN-GP, whose codes are random numbers.
    conditioning
        How the critic sees codes: ``"projection"`` (published) or ``"concatenation"``.
    output
        ``"linear"`` (published) for log-normalised expression. For counts ``"counts"``: expected counts, non-negative,
        that add up to the library size, or ``"nb"``: negative-binomial counts around these, with a dispersion learned
        for each gene.
    infer_codes
        Whether the critic also predicts codes from cells, for InfoWGAN-GP; see ``information_weight`` of
        :meth:`train`.
    n_latent
        Dimensions of the codes of an unconditional generator; otherwise those of the registered codes.
    n_noise
        Dimensions of the noise; None for 128 minus those of the code.
    n_hidden_generator, n_hidden_critic
        Widths of hidden layers. The critic has one more, as wide as a code.
    dropout_rate
        Dropout of the generator in training.
    critic_norm
        ``"batch"`` (published), ``"layer"`` or ``"none"``. Batch normalisation couples the cells of a minibatch, while
        the gradient penalty assumes that they are independent.
    wide_features
        Whether the critic's features are its last hidden layer, mapped to the code, instead of one rectified unit for
        each code dimension (published); see :class:`scpareto.model.michigan.Critic`.
    seed
        Seed of the initial weights and of the training; None takes ``scvi.settings.seed``, or 0.

    Raises
    ------
    ValueError
        If an argument is unknown, codes are missing, or the data do not fit the output.

    Notes
    -----
    For code :math:`c`, cell :math:`x`, noise :math:`n` and generator :math:`G`, the critic scores

    .. math:: D(x, c) = w^\top h(x) + b + c^\top h(x)

    and is trained on :math:`\bar D(x, c) - \bar D(G(c, n), c) + \lambda P`, with the gradient penalty :math:`P`
    between real and generated cells of the same code; the generator on :math:`\bar D(G(c, n), c)`.

    References
    ----------
    :cite:p:`YuWelch2021`, :cite:p:`Gulrajani2017`, :cite:p:`Miyato2018`, :cite:p:`Chen2016`.

    Examples
    --------
    >>> import scanpy as sc
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_splatter(200, 50)
    >>> sc.pp.normalize_total(adata)
    >>> sc.pp.log1p(adata)
    >>> sc.pp.pca(adata, n_comps=4)
    >>> sp.model.MichiGAN.setup_anndata(adata, code_key="X_pca")
    >>> model = sp.model.MichiGAN(adata, n_hidden_generator=[32], n_hidden_critic=[32], seed=0)
    >>> model.train(2, batch_size=64)
    >>> model.generate(adata.obsm["X_pca"][:5]).shape
    (5, 50)
    """

    _module_cls = MichiGANModule

    _hub_use = "cells = model.generate(n_cells=100)"

    def __init__(
        self,
        adata: AnnData | None = None,
        registry: dict[str, Any] | None = None,
        conditional: bool = True,
        conditioning: Conditioning = "projection",
        output: Output = "linear",
        infer_codes: bool = False,
        n_latent: int | None = None,
        n_noise: int | None = None,
        n_hidden_generator: Sequence[int] = (256, 512, 1024),
        n_hidden_critic: Sequence[int] = (1024, 512),
        dropout_rate: float = 0.2,
        critic_norm: Norm = "batch",
        wide_features: bool = False,
        seed: int | None = None,
    ) -> None:
        if adata is None and registry is None:
            raise ValueError("MichiGAN needs adata, registered with MichiGAN.setup_anndata(adata, code_key=...).")
        super().__init__(adata, registry)
        fields = self.registry_["field_registries"]
        has_codes = CODE_KEY in fields
        if conditional and not has_codes:
            raise ValueError("a conditional generator needs codes: give code_key to MichiGAN.setup_anndata.")
        if conditional and conditioning == "none":
            raise ValueError("conditioning='none' goes with conditional=False.")
        width = len(fields[CODE_KEY]["state_registry"]["column_names"]) if has_codes else None
        if width is not None and n_latent not in (None, width):
            raise ValueError(f"n_latent={n_latent}, but the registered codes have {width} dimensions; leave it out.")
        size = width or n_latent or 10
        self.seed = resolve_seed(seed)
        with seeded(self.seed):
            self.module = self._module_cls(
                n_input=self.summary_stats.n_vars,
                n_latent=size,
                n_noise=max(0, 128 - size) if n_noise is None else n_noise,
                n_hidden_generator=list(n_hidden_generator),
                n_hidden_critic=list(n_hidden_critic),
                dropout_rate=dropout_rate,
                output=output,
                conditioning=conditioning if conditional else "none",
                critic_norm=critic_norm,
                wide_features=wide_features,
                infer_codes=infer_codes,
            )
        if adata is not None:
            layer = self.adata_manager.registry["setup_args"]["layer"]
            check_kind(adata, layer, counts=output != "linear", reason=f"output={output!r}")
        self.collapsed_: bool | None = None
        self._model_summary_string = (
            f"MichiGAN with {size} code dimensions, output {output}, "
            f"{f'conditioned by {conditioning}' if conditional else 'unconditional'}."
        )
        self.init_params_ = self._get_init_params(locals())

    @classmethod
    def setup_anndata(
        cls,
        adata: AnnData,
        layer: str | None = None,
        code_key: str | None = None,
        code_scale_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Register expression and codes; adds ``_scvi_*`` entries to ``adata``, as every scvi-tools model does.

        Parameters
        ----------
        adata
            Data with log-normalised expression or, for outputs of counts, raw counts.
        layer
            Layer of the expression; None for ``adata.X``.
        code_key
            Key of ``adata.obsm`` with the codes, for example ``"X_pca"``, shape ``(n_cells, n_latent)``; None only for
            an unconditional generator.
        code_scale_key
            Key of ``adata.obsm`` with the standard deviations of the codes, to draw samples from.
        **kwargs
            For scvi-tools' own use when a model is loaded.

        Raises
        ------
        ValueError
            If ``adata`` is a view, expression or codes are not finite, or shapes disagree.
        KeyError
            If a layer or key does not exist.
        """
        check_annotated(adata)
        setup_method_args = cls._get_setup_method_args(**locals())
        check_expression(adata, layer)
        fields = [LayerField(REGISTRY_KEYS.X_KEY, layer, is_count_data=False)]
        if code_scale_key is not None and code_key is None:
            raise ValueError(f"code_scale_key={code_scale_key!r} needs code_key.")
        for name, key in ((CODE_KEY, code_key), (CODE_SCALE_KEY, code_scale_key)):
            if key is None:
                continue
            if key not in adata.obsm:
                raise KeyError(f"{key!r} is not in adata.obsm. Available: {', '.join(adata.obsm) or 'none'}.")
            values = get_obsm_array(adata, key)
            if values.ndim != 2 or not np.isfinite(values).all():
                raise ValueError(f"adata.obsm[{key!r}] must be a finite matrix, one row per cell; got {values.shape}.")
            if name == CODE_SCALE_KEY and (values.shape != np.shape(adata.obsm[code_key]) or (values < 0).any()):
                raise ValueError(f"adata.obsm[{key!r}] must hold a standard deviation for every entry of {code_key!r}.")
            fields.append(ObsmField(name, key))
        manager = AnnDataManager(fields=fields, setup_method_args=setup_method_args)
        # Silence the message of scvi-tools that it numbers the columns of an array.
        field_logger = logging.getLogger("scvi.data.fields._arraylike_field")
        field_logger.addFilter(_is_warning)
        try:
            manager.register_fields(adata, **kwargs)
        finally:
            field_logger.removeFilter(_is_warning)
        cls.register_manager(manager)

    @classmethod
    def from_model(cls, model: Any, adata: AnnData | None = None, *, layer: str | None = None, **kwargs: Any) -> Self:
        """Create a generator for the codes of a trained model.

        Writes code mean and, where the model has a Gaussian posterior, standard deviation to ``obsm["X_<model>"]`` and
        ``obsm["X_<model>_scale"]``, and registers them.

        Parameters
        ----------
        model
            A trained model with ``get_latent_representation``, such as those of scvi-tools and of this package.
        adata
            Data; None for the data of the model.
        layer
            Layer of the expression to generate; None for ``adata.X``.
        **kwargs
            Arguments of :class:`MichiGAN`.

        Returns
        -------
        An untrained generator.
        """
        data = model.adata if adata is None else adata
        name = type(model).__name__
        try:
            mean, variance = model.get_latent_representation(adata, return_dist=True)
        except TypeError:
            mean, variance = model.get_latent_representation(adata), None
        data.obsm[latent_key(name)] = np.asarray(mean, dtype=np.float32)
        scale_key = None
        if variance is not None:
            scale_key = latent_scale_key(name)
            data.obsm[scale_key] = np.sqrt(np.asarray(variance, dtype=np.float32))
        cls.setup_anndata(data, layer=layer, code_key=latent_key(name), code_scale_key=scale_key)
        return cls(data, **kwargs)

    @property
    def history(self) -> pd.DataFrame | None:
        """Losses of each epoch, and ``relative_variance`` in the last row; None before training and after loading."""
        return getattr(self, "_history", None)

    @property
    def collapsed(self) -> bool | None:
        """Whether the generator gives nearly the same cell for all codes; None before training."""
        return self.collapsed_

    def train(
        self,
        max_epochs: int = 100,
        *,
        batch_size: int = 32,
        n_critic: int = 5,
        lr: float = 1e-4,
        codes: str = "mean",
        plan_kwargs: dict[str, Any] | None = None,
        accelerator: str = "auto",
        on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        """Train generator and critic on all registered cells; a second call continues with new optimisers.

        Also writes a record to ``adata.uns["scpareto"]["michigan"]``.

        Parameters
        ----------
        max_epochs
            Epochs, counted in generator steps. Published: 1,000.
        batch_size
            Cells of a minibatch.
        n_critic
            Critic steps before each generator step.
        lr
            Learning rate of both.
        codes
            ``"mean"`` for the registered codes, ``"sample"`` for a fresh draw around them at every step.
        plan_kwargs
            Further fields of :class:`scpareto.model.michigan.WassersteinRecipe`: ``penalty``, ``epsilon``, ``average``,
            ``beta1``, ``beta2``, ``information_weight`` and ``supervision_weight``.
        accelerator
            As in scvi-tools; one device is used.
        on_epoch
            Called after each epoch with its number, from 1, and its losses.

        Raises
        ------
        ValueError
            If an argument is out of range, or needs codes, standard deviations or inference that the model lacks.
        scpareto.train.TrainingDiverged
            If a loss becomes infinite or NaN.

        Warns
        -----
        UserWarning
            If the generator has collapsed.
        """
        batch_size, n_critic = check_whole_number("batch_size", batch_size), check_whole_number("n_critic", n_critic)
        recipe = WassersteinRecipe.from_options(
            {"batch_size": batch_size, "n_critic": n_critic, "lr": lr, "codes": codes} | (plan_kwargs or {})
        )
        max_epochs = check_whole_number("max_epochs", max_epochs)
        check_accelerator(accelerator)
        if recipe.codes == "sample" and CODE_SCALE_KEY not in self.adata_manager.data_registry:
            raise ValueError("codes='sample' needs code_scale_key in MichiGAN.setup_anndata.")
        if (recipe.information_weight or recipe.supervision_weight) and self.module.critic.inferred is None:
            raise ValueError("information_weight and supervision_weight need MichiGAN(..., infer_codes=True).")
        if recipe.supervision_weight and CODE_KEY not in self.adata_manager.data_registry:
            raise ValueError("supervision_weight needs code_key in MichiGAN.setup_anndata.")
        share = self._train_wasserstein(recipe, max_epochs, accelerator, on_epoch)
        if self.collapsed_:
            warnings.warn(
                f"The generator has collapsed: generated cells have {share:.1%} of the variance of real ones. Train "
                "longer, lower lr, or use another seed.",
                UserWarning,
                stacklevel=2,
            )
