"""Models that were made of a data module's registry: they hold no cells, and others are read for every question."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_of_data_module(registry: Mapping[str, Any]) -> bool:
    """Whether a registry was made by a data module."""
    return registry.get("setup_method_name") == "setup_datamodule"


def refuse_without_cells(model: Any, verb: str) -> None:
    """Refuse what needs the cells of a model that has none.

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
    way_out = (
        "Its front was judged when it was trained. For codes of cells, give a loader: "
        "model.get_latent_representation(dataloader=datamodule.inference_dataloader())."
        if is_of_data_module(model.registry_)
        else "Load it with the AnnData of its cells."
    )
    raise ValueError(f"The model holds no cells to {verb}. {way_out}")


def as_data_module(registry: Mapping[str, Any]) -> SimpleNamespace:
    """Give what scvi-tools notes of a data module when it saves a model, from the registry."""
    fields = registry["field_registries"]

    def size(field: str, name: str) -> int:
        return int(fields.get(field, {}).get("summary_stats", {}).get(name, 0))

    return SimpleNamespace(
        registry=registry,
        n_batch=size("batch", "n_batch"),
        n_labels=size("labels", "n_labels"),
        n_samples=size("sample", "n_sample"),
        n_vars=size("X", "n_vars"),
        batch_labels=fields["batch"]["state_registry"]["categorical_mapping"],
        label_keys=None,
    )
