"""Fronts of data modules: read the registry of the model, and register the cells that are held in memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
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

from scpareto._cells import MinibatchFormat, check_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from scvi.model.base import BaseModelClass

    from scpareto._cells import HeldCells


def check_registry(model: BaseModelClass) -> Mapping[str, Any]:
    """Return the registry of a model that a data module can train.

    Raises
    ------
    ValueError
        If the model holds an AnnData, or reads size factors.
    TypeError
        If the model is of another family.
    """
    if not isinstance(model, SCVI):
        raise TypeError(
            f"A data module trains fronts of SCVI and ParetoVI, not of {type(model).__name__}: set the model up with "
            "an AnnData."
        )
    if model.adata is not None:
        raise ValueError(
            "The model holds an AnnData. A data module trains a model that was made of its registry: "
            f"{type(model).__name__}(registry=datamodule.registry)."
        )
    if model.registry["setup_args"].get("size_factor_key"):
        raise ValueError("Size factors of a data module are not read: make it without size_factor_key.")
    return model.registry


def _state(registry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return registry["field_registries"].get(key, {}).get("state_registry", {})


def _names(mapping: Any) -> list[str]:
    """Return levels in the order of their codes; some data modules map levels to codes."""
    if hasattr(mapping, "keys"):
        return [str(level) for level, _ in sorted(mapping.items(), key=lambda item: item[1])]
    return [str(level) for level in ([] if mapping is None else mapping)]


def read_minibatch_format(registry: Mapping[str, Any]) -> MinibatchFormat:
    categories = _state(registry, REGISTRY_KEYS.CAT_COVS_KEY).get("mapping", {})
    return MinibatchFormat(
        n_genes=int(registry["field_registries"][REGISTRY_KEYS.X_KEY]["summary_stats"]["n_vars"]),
        n_batches=len(_names(_state(registry, REGISTRY_KEYS.BATCH_KEY).get("categorical_mapping"))),
        n_labels=len(_names(_state(registry, REGISTRY_KEYS.LABELS_KEY).get("categorical_mapping"))),
        n_categories=tuple(len(_names(levels)) for levels in categories.values()),
        n_continuous=len(_state(registry, REGISTRY_KEYS.CONT_COVS_KEY).get("columns", ())),
    )


def register_held_cells(registry: Mapping[str, Any], held: HeldCells) -> AnnDataManager:
    """Register cells that are held in memory as an AnnData, with the levels in the model's registry.

    Raises
    ------
    ValueError
        If the cells hold no counts.
    """
    counts = held.fields[REGISTRY_KEYS.X_KEY]
    names = np.arange(counts.shape[0]) if held.rows is None else held.rows
    genes = pd.Index([str(gene) for gene in _state(registry, REGISTRY_KEYS.X_KEY)["column_names"]])
    adata = AnnData(counts, obs=pd.DataFrame(index=names.astype(str)), var=pd.DataFrame(index=genes))
    check_counts(adata, None)
    keys: dict[str, str | None] = {REGISTRY_KEYS.BATCH_KEY: "batch", REGISTRY_KEYS.LABELS_KEY: None}
    for key in keys:
        state = _state(registry, key)
        if levels := _names(state.get("categorical_mapping")):
            keys[key] = str(state.get("original_key") or key)
            adata.obs[keys[key]] = _categorical(held.fields[key], levels)
    categories = _state(registry, REGISTRY_KEYS.CAT_COVS_KEY).get("mapping", {})
    for i, (name, levels) in enumerate(categories.items()):
        adata.obs[name] = _categorical(held.fields[REGISTRY_KEYS.CAT_COVS_KEY][:, i], _names(levels))
    columns = [str(column) for column in _state(registry, REGISTRY_KEYS.CONT_COVS_KEY).get("columns", ())]
    for i, column in enumerate(columns):
        adata.obs[column] = held.fields[REGISTRY_KEYS.CONT_COVS_KEY][:, i]
    manager = AnnDataManager(
        fields=[
            LayerField(REGISTRY_KEYS.X_KEY, None, is_count_data=False),
            *(CategoricalObsField(key, column) for key, column in keys.items()),
            NumericalObsField(REGISTRY_KEYS.SIZE_FACTOR_KEY, None, required=False),
            CategoricalJointObsField(REGISTRY_KEYS.CAT_COVS_KEY, list(categories)),
            NumericalJointObsField(REGISTRY_KEYS.CONT_COVS_KEY, columns),
        ],
        setup_method_args={},
    )
    with warnings.catch_warnings():
        # A batch may have few cells in the sample that is held.
        warnings.filterwarnings("ignore", message=".*has fewer than 3 cells", category=UserWarning)
        manager.register_fields(adata)
    return manager


def _categorical(codes: NDArray[Any], levels: list[str]) -> pd.Categorical:
    return pd.Categorical([levels[code] for code in codes.ravel()], categories=levels)
