"""Models that hold no cells, because a data module trained them or they were loaded without data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_from_data_module(registry: Mapping[str, Any]) -> bool:
    """Return whether a data module made a registry."""
    return registry.get("setup_method_name") == "setup_datamodule"


def refuse_without_cells(model: Any, verb: str) -> None:
    """Raise ValueError if a model holds no cells.

    Parameters
    ----------
    model
        The model.
    verb
        What the cells are needed for, to follow ``to``, e.g. ``"judge"``.

    Raises
    ------
    ValueError
        If the model holds no cells.
    """
    if getattr(model, "_adata", None) is not None:
        return
    advice = (
        "Its front was judged when it was trained. For codes of cells, give a loader: "
        "model.get_latent_representation(dataloader=datamodule.inference_dataloader())."
        if is_from_data_module(model.registry_)
        else "Load it with the AnnData of its cells."
    )
    raise ValueError(f"The model holds no cells to {verb}. {advice}")


def build_data_module_info(registry: Mapping[str, Any]) -> SimpleNamespace:
    """Build, from the registry, the data module attributes that scvi-tools reads when it saves a model."""
    fields = registry["field_registries"]

    def get_size(field: str, name: str) -> int:
        return int(fields.get(field, {}).get("summary_stats", {}).get(name, 0))

    return SimpleNamespace(
        registry=registry,
        n_batch=get_size("batch", "n_batch"),
        n_labels=get_size("labels", "n_labels"),
        n_samples=get_size("sample", "n_sample"),
        n_vars=get_size("X", "n_vars"),
        batch_labels=fields["batch"]["state_registry"]["categorical_mapping"],
        label_keys=None,
    )
