"""The selected point as a plain SCVI, for tools that ask for exactly that class."""

from __future__ import annotations

from typing import Any

from scvi.model import SCVI

from scpareto._constants import NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY
from scpareto.model._minified import refuse_minified
from scpareto.model._without_cells import is_from_data_module, refuse_without_cells

_EXTRA_FIELDS = (NUISANCE_CATEGORICAL_KEY, NUISANCE_CONTINUOUS_KEY)
_EXTRA_SETUP = ("nuisance_keys",)
_EXTRA_ARCHITECTURE = ("var_eps", "n_layers_library", "gene_batch_effect", "learn_batch_effect")


def build_scvi(model: SCVI) -> SCVI:
    """Build an SCVI with architecture, weights and data of a model; see ``ParetoVI.to_scvi``."""
    kwargs: dict[str, Any] = {**model._module_kwargs, "use_observed_lib_size": model.module.use_observed_lib_size}
    if kwargs.get("gene_batch_effect") is not None:
        raise ValueError("gene_batch_effect='multiplicative' is a decoder that SCVI does not have.")
    if kwargs.get("n_layers_library", 1) != 1 and not kwargs["use_observed_lib_size"]:
        raise ValueError(
            f"n_layers_library={kwargs['n_layers_library']}: SCVI's encoder of the library size has one layer."
        )
    refuse_minified(model, "hand over")
    if "var_eps" in kwargs:
        extra = kwargs.get("extra_encoder_kwargs") or {}
        kwargs["extra_encoder_kwargs"] = {"var_eps": kwargs["var_eps"], **extra}
    architecture = {key: value for key, value in kwargs.items() if key not in _EXTRA_ARCHITECTURE}
    if is_from_data_module(model.registry_):
        plain = SCVI(registry={**model.registry_, "model_name": SCVI.__name__}, **architecture)
    else:
        plain = _build_on_adata(model, architecture)
    plain.module.load_state_dict(model.module.state_dict())
    plain.module.eval()
    plain.to_device(model.device)
    plain.is_trained_ = model.is_trained_
    plain.train_indices_, plain.validation_indices_ = model.train_indices_, model.validation_indices_
    plain.test_indices_ = model.test_indices_
    return plain


def _build_on_adata(model: SCVI, architecture: dict[str, Any]) -> SCVI:
    """Build an SCVI on the AnnData of a model."""
    refuse_without_cells(model, "hand over")
    setup = {key: value for key, value in model.registry_["setup_args"].items() if key not in _EXTRA_SETUP}
    # Register all batches of the model: query cells may hold only some of them.
    fields = {key: field for key, field in model.registry_["field_registries"].items() if key not in _EXTRA_FIELDS}
    SCVI.setup_anndata(model.adata, source_registry=model.registry_ | {"field_registries": fields}, **setup)
    return SCVI(model.adata, **architecture)
