"""Check options and cells of the judge, and write the notes about the cells."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import format_names, values_by_name
from scpareto._runtime import check_seed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.metrics import SharedPopulations

_MIN_BOOTSTRAP = 2
_MIN_JUDGED = 100
_MAX_LISTED = 5
_MIN_STRUCTURE_KEPT = 10.0
"""An embedding that keeps less of the structure, in percent, may belong to other cells."""


def check_options(
    *,
    n_bootstrap: Any,
    seed: Any,
    max_cells: Any,
    key_added: Any,
    groups_key: Any,
    read_columns: tuple[str | None, ...],
) -> None:
    """Raise an error if an option cannot be used.

    Parameters
    ----------
    n_bootstrap, seed, max_cells, key_added, groups_key
        As :func:`scpareto.tl.judge` takes them.
    read_columns
        Columns of ``obs`` that are read, and therefore must not be overwritten.

    Raises
    ------
    TypeError
        If a number or a key is of another kind.
    ValueError
        If a number is out of range, or a key cannot be written.
    """
    for name, value, least in (
        ("n_bootstrap", n_bootstrap, _MIN_BOOTSTRAP),
        ("seed", seed, 0),
        ("max_cells", max_cells, _MIN_JUDGED),
    ):
        if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
            raise TypeError(f"{name}={value!r} must be a whole number of at least {least}.")
        if value < least:
            raise ValueError(f"{name}={value} must be at least {least}.")
    check_seed(seed)
    for name, key in (("key_added", key_added), ("groups_key", groups_key)):
        if name == "groups_key" and key is None:
            continue
        if not isinstance(key, str):
            raise TypeError(f"{name}={key!r} must be text.")
        if not key or "/" in key:
            raise ValueError(f"{name}={key!r} cannot be written to a file: give a name without '/'.")
    if groups_key is not None and groups_key in read_columns:
        raise ValueError(f"groups_key={groups_key!r} is a column that is read: name another one.")


def check_cells(adata: AnnData) -> None:
    """Raise an error if there are no cells or genes, or columns cannot be read.

    Raises
    ------
    ValueError
        If there are no cells or genes, columns are read lazily, or ``adata`` is a part of a file.
    """
    if adata.n_obs == 0 or adata.n_vars == 0:
        raise ValueError(f"adata has {adata.n_obs} cells and {adata.n_vars} genes: there is nothing to judge.")
    if not isinstance(adata.obs, pd.DataFrame):
        raise ValueError("adata.obs is read lazily. Load it, the counts can stay: adata.obs = adata.obs.to_memory().")
    if adata.is_view and adata.isbacked:
        raise ValueError("adata is a part of a backed file, which takes no record. Load it: adata = adata.to_memory().")


def read_held_out(adata: AnnData, held_out: Any) -> NDArray[np.bool_] | None:
    """Return the mask of the cells that no training has seen; None if ``held_out`` is None.

    Raises
    ------
    KeyError
        If there is no such column.
    ValueError
        If it is no mask of the cells, or marks no cell.
    """
    if held_out is None:
        return None
    name = held_out if isinstance(held_out, str) else None
    if name is not None and name not in adata.obs:
        columns = ", ".join(repr(column) for column in adata.obs if adata.obs[column].dtype == bool) or "none"
        raise KeyError(f"held_out={name!r} is not in adata.obs; its columns of True and False are {columns}.")
    mask = adata.obs[name].to_numpy() if name is not None else _mask_by_name(held_out, adata)
    if mask.dtype != bool or mask.shape != (adata.n_obs,):
        label = f"adata.obs[{name!r}]" if name is not None else "held_out"
        raise ValueError(
            f"{label} is no mask: give True or False for each of {adata.n_obs} cells, True where no training has seen "
            "the cell."
        )
    if not mask.any():
        raise ValueError("held_out marks no cell: leave it out where embeddings have seen all cells.")
    return mask


def _mask_by_name(held_out: Any, adata: AnnData) -> NDArray[Any]:
    """Return the values of a mask; a series is put in the order of the cells."""
    return np.asarray(values_by_name(held_out, adata.obs_names, "held_out"))


def samples_in_several_batches(sample: NDArray[np.str_] | None, batch: NDArray[np.str_]) -> list[str]:
    """Return a note if samples in two batches share a name: they count as two samples."""
    if sample is None:
        return []
    pairs = pd.DataFrame({"sample": sample, "batch": batch}).drop_duplicates()
    n_batches = pairs["sample"].value_counts()
    names = n_batches.index[n_batches > 1].sort_values().tolist()
    if not names:
        return []
    return [f"Samples {join_first(names)} lie in several batches: in each they are taken for a sample of their own."]


def check_shared(populations: tuple[SharedPopulations, ...], batch_key: str) -> None:
    """Raise an error if batches share no population.

    Raises
    ------
    ValueError
        If no population is shared at some resolution.
    """
    for shared in populations:
        if not len(shared.sizes):
            batches = join_first([str(name) for name in shared.sizes.columns])
            raise ValueError(
                f"batch_key={batch_key!r}: batches {batches} share no population of cells, so that what the batch adds "
                "cannot be told from what cells are. Judge batches that have cell types in common."
            )


def describe_unstructured(table: pd.DataFrame) -> str:
    """Ask whether embeddings without any structure belong to these cells; empty if all keep some structure."""
    if "structure_kept_high" not in table:
        return ""
    names = [str(name) for name in table.index[table["structure_kept_high"] < _MIN_STRUCTURE_KEPT]]
    if not names:
        return ""
    keep = "keeps" if len(names) == 1 else "keep"
    return f"{join_first(names)} {keep} no structure: are these codes of these cells, in this order?"


def list_keys(keys: Iterable[Any]) -> str:
    """List the keys that exist, for error messages."""
    return format_names(keys, "nothing")


def join_first(names: list[str]) -> str:
    """Join names; of many, the first five and the number of the others."""
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more
