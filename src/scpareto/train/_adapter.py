"""Adapters of scvi-tools models: codes, their posterior and the generative loss of a minibatch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from scvi import REGISTRY_KEYS
from scvi.module import MULTIVAE, PEAKVAE, TOTALVAE, VAE
from torch import nn
from torch.distributions import Normal

from scpareto._cells import CELL_INDEX
from scpareto._constants import BATCH, NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY
from scpareto._scvi_compat import MODULE_KEYS, UNREGISTERED_BATCH
from scpareto.objectives import Context

if TYPE_CHECKING:
    from scvi.data import AnnDataManager
    from scvi.model.base import BaseModelClass
    from torch import Tensor


class Encoded(NamedTuple):
    """Sampled codes ``(n_cells, n_latent)`` and their posterior."""

    z: Tensor
    qz: Normal


class VAEAdapter:
    """Adapter of models built on :class:`scvi.module.VAE`: SCVI, SCANVI, LinearSCVI and those of scpareto.

    Subclasses are for other families of modules, see :func:`register_adapter`.

    Parameters
    ----------
    model
        A set-up scvi-tools model.
    manager
        Registered data; None for the manager of the model.

    Examples
    --------
    >>> import scpareto as sp
    >>> from scpareto.train import VAEAdapter
    >>> adata = sp.datasets.simulate_batches(n_cells=60, n_genes=20, n_batches=2, seed=0)
    >>> sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    >>> adapter = VAEAdapter(sp.model.ParetoVI(adata, n_latent=3))
    >>> adapter.n_latent, adapter.levels
    (3, {'batch': ['batch_0', 'batch_1']})
    """

    family: ClassVar[type[nn.Module]] = VAE
    """Class of the modules."""
    encoder_names: ClassVar[tuple[str, ...]] = ("z_encoder", "l_encoder")
    """Networks that encode codes and library sizes from the data."""
    inference_options: ClassVar[dict[str, Any]] = {"full_forward_pass": True}
    """Options that keep a module from reading minified data."""
    has_density: ClassVar[bool] = True
    """Whether codes have a posterior with noise, rather than a single value."""
    recipe: ClassVar[dict[str, Any]] = {}
    """Fields of the practical recipe for which the family needs other defaults."""

    def __init__(self, model: BaseModelClass, manager: AnnDataManager | None = None) -> None:
        self.module = model.module
        manager = model.adata_manager if manager is None else manager
        self._fields: dict[str, list[str]] = {}
        self.clusters: dict[str, Tensor] = {}
        self._products: dict[str, list[str]] = {}
        batches = manager.get_state_registry(REGISTRY_KEYS.BATCH_KEY)
        self.levels: dict[str, list[str]] = {BATCH: [str(level) for level in batches.categorical_mapping]}
        # scvi-tools adds a column of one level where no batch_key is given.
        self.has_batch_key = batches.original_key != UNREGISTERED_BATCH or len(self.levels[BATCH]) > 1
        for key in (NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY):
            if key not in manager.data_registry:
                continue
            state = manager.get_state_registry(key)
            if key == NUISANCE_CATEGORICAL_KEY:
                self._fields[key] = list(state["field_keys"])
                self.levels |= {name: [str(v) for v in state["mappings"][name]] for name in self._fields[key]}
            else:
                self._fields[key] = [str(column) for column in state["columns"]]

    @property
    def n_latent(self) -> int:
        """Number of dimensions of a code."""
        return self.module.n_latent

    @property
    def takes_counts(self) -> bool:
        """Whether the registered expression is counts, rather than log-normalised."""
        return bool(getattr(self.module, "log_variational", True))

    @property
    def nuisances(self) -> list[str]:
        """Names that an objective may take as its target."""
        return [*self.levels, *self._fields.get(NUISANCE_CONTINUOUS_KEY, [])]

    def encode(self, tensors: dict[str, Tensor]) -> Encoded:
        """Encode a minibatch without decoding it."""
        outputs = self.module.inference(**self.module._get_inference_input(tensors, **self.inference_options))
        return self._encoded(outputs)

    def forward(self, tensors: dict[str, Tensor]) -> tuple[Encoded, Tensor]:
        """Encode and decode a minibatch.

        Returns
        -------
        The codes, and the negative ELBO of each cell in nats with full KL weight, shape ``(n_cells,)``; for a model
        without a likelihood its reconstruction error.
        """
        inference, _, loss = self.module(
            tensors,
            loss_kwargs={"kl_weight": 1.0},
            get_inference_input_kwargs=self.inference_options,
        )
        per_cell = loss.dict_sum(loss.reconstruction_loss) + loss.dict_sum(loss.kl_local)
        return self._encoded(inference), per_cell

    @staticmethod
    def _encoded(inference: dict[str, Any]) -> Encoded:
        """Return codes and posterior of a module's inference."""
        return Encoded(inference[MODULE_KEYS.Z_KEY], inference[MODULE_KEYS.QZ_KEY])

    def add_product(self, names: list[str]) -> str:
        """Register the product of categorical nuisances as a nuisance; return its name, the names joined by colons."""
        product = ":".join(names)
        self._products[product] = names
        self.levels[product] = [", ".join(levels) for levels in itertools.product(*(self.levels[n] for n in names))]
        return product

    def context(self, tensors: dict[str, Tensor]) -> Context:
        """Return nuisances and clusters of the cells of a minibatch."""
        categorical = {BATCH: tensors[REGISTRY_KEYS.BATCH_KEY].long().view(-1)}
        continuous = {}
        for i, name in enumerate(self._fields.get(NUISANCE_CATEGORICAL_KEY, [])):
            categorical[name] = tensors[NUISANCE_CATEGORICAL_KEY][:, i].long()
        for i, name in enumerate(self._fields.get(NUISANCE_CONTINUOUS_KEY, [])):
            continuous[name] = tensors[NUISANCE_CONTINUOUS_KEY][:, i].float()
        for product, names in self._products.items():
            code = torch.zeros_like(categorical[names[0]])
            for name in names:
                code = code * len(self.levels[name]) + categorical[name]
            categorical[product] = code
        clusters = {}
        if self.clusters:
            rows = tensors[CELL_INDEX].long().view(-1).cpu()
            clusters = {name: values[rows].to(tensors[CELL_INDEX].device) for name, values in self.clusters.items()}
        return Context(categorical=categorical, continuous=continuous, clusters=clusters)

    def encoders(self) -> list[nn.Module]:
        """Return the networks that stay fixed while the decoder is refitted to given codes."""
        networks = (getattr(self.module, name, None) for name in self.encoder_names)
        return [network for network in networks if isinstance(network, nn.Module)]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters on which every objective depends."""
        return [p for p in self.encoders()[0].parameters() if p.requires_grad]


_ADAPTERS: dict[type[nn.Module], type[VAEAdapter]] = {VAEAdapter.family: VAEAdapter}
_Adapter = TypeVar("_Adapter", bound=VAEAdapter)


def register_adapter(adapter: type[_Adapter]) -> type[_Adapter]:
    """Make the models of a family of modules known to :func:`scpareto.fit_front`; used as a decorator.

    Parameters
    ----------
    adapter
        Subclass of :class:`VAEAdapter` whose ``family`` is the class of the modules. A model gets the adapter of the
        most specific class of its module: a subclass comes before its base. Of two adapters for the same class, the
        later one is used.

    Returns
    -------
    The class, unchanged.

    Raises
    ------
    TypeError
        If ``adapter`` is not a subclass of :class:`VAEAdapter`.

    Examples
    --------
    A module with a second encoder, which stays fixed while the decoder is refitted:

    >>> import scvi
    >>> from scpareto.train import VAEAdapter, register_adapter
    >>> class DepthVAE(scvi.module.VAE):
    ...     pass
    >>> @register_adapter
    ... class DepthVAEAdapter(VAEAdapter):
    ...     family = DepthVAE
    ...     encoder_names = ("z_encoder", "depth_encoder")
    >>> del _ADAPTERS[DepthVAE]  # leave the register as it was
    """
    if not (isinstance(adapter, type) and issubclass(adapter, VAEAdapter)):
        raise TypeError(f"{adapter!r} is not a subclass of VAEAdapter: it cannot be registered as an adapter.")
    _ADAPTERS[adapter.family] = adapter
    return adapter


@register_adapter
class PeakVAEAdapter(VAEAdapter):
    """Adapter of PEAKVI: open chromatin."""

    family = PEAKVAE
    encoder_names = ("z_encoder", "d_encoder")
    inference_options: ClassVar[dict[str, Any]] = {}


@register_adapter
class TotalVAEAdapter(VAEAdapter):
    """Adapter of TOTALVI: expression and surface proteins, with one encoder."""

    family = TOTALVAE
    encoder_names = ("encoder",)


@register_adapter
class MultiVAEAdapter(VAEAdapter):
    """Adapter of MULTIVI: expression, open chromatin and proteins, each with an encoder; codes combine the encoders."""

    family = MULTIVAE
    encoder_names = (
        "z_encoder_expression",
        "z_encoder_accessibility",
        "z_encoder_protein",
        "l_encoder_expression",
        "l_encoder_accessibility",
    )
    inference_options: ClassVar[dict[str, Any]] = {}

    @staticmethod
    def _encoded(inference: dict[str, Any]) -> Encoded:
        """Return codes and posterior; the module returns its mean and variance."""
        return Encoded(inference["z"], Normal(inference["qz_m"], inference["qz_v"].sqrt(), validate_args=False))

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the encoders of codes."""
        encoders = [network for name, network in self.module.named_children() if name.startswith("z_encoder")]
        return [p for network in encoders for p in network.parameters() if p.requires_grad]


def get_context(adapter: VAEAdapter, manager: AnnDataManager) -> Context:
    """Return nuisances and clusters of all registered cells, without minibatches."""
    keys = [REGISTRY_KEYS.BATCH_KEY, NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY]
    registered = {key: np.asarray(manager.get_from_registry(key)) for key in keys if key in manager.data_registry}
    tensors = {key: torch.from_numpy(values.astype(float)) for key, values in registered.items()}
    # Memberships in clusters are looked up by the row of a cell.
    tensors[CELL_INDEX] = torch.arange(len(tensors[REGISTRY_KEYS.BATCH_KEY]))
    return adapter.context(tensors)


def get_adapter(model: Any, manager: AnnDataManager | None = None) -> VAEAdapter:
    """Return the adapter of a model.

    Parameters
    ----------
    model
        The model.
    manager
        Registered data; None for the manager of the model.

    Raises
    ------
    TypeError
        If no adapter supports its module.
    """
    adapter = adapter_class(model)
    return adapter(model) if manager is None else adapter(model, manager)


def adapter_class(model: Any) -> type[VAEAdapter]:
    """Return the adapter class for a model.

    Raises
    ------
    TypeError
        If no adapter supports its module.
    """
    for family in type(model.module).__mro__:
        if family in _ADAPTERS:
            return _ADAPTERS[family]
    families = ", ".join(family.__name__ for family in _ADAPTERS)
    raise TypeError(
        f"{type(model).__name__} is not supported: fronts need a model whose module is one of {families}, not "
        f"{type(model.module).__name__}. An adapter for others is added by scpareto.train.register_adapter."
    )
