"""Options of the judge, checked before anything is read, and what has to be said of the cells."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import values_by_name
from scpareto._runtime import check_seed

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.metrics import SharedPopulations

_LEAST_DRAWS = 2
_FEWEST_JUDGED = 100
_MOST_LISTED = 5
_NOTHING_KEPT = 10.0
"""Percent of the structure below which an embedding may be one of other cells."""


def check_options(
    *, n_bootstrap: Any, seed: Any, max_cells: Any, key_added: Any, groups_key: Any, taken: tuple[str | None, ...]
) -> None:
    """Refuse options that make no sense.

    Parameters
    ----------
    n_bootstrap, seed, max_cells, key_added, groups_key
        As :func:`scpareto.tl.judge` takes them.
    taken
        Columns of ``obs`` that are read, and so must not be written.

    Raises
    ------
    TypeError
        If a number or a key is of another kind.
    ValueError
        If a number is out of range, or a key cannot be written.
    """
    for name, value, least in (
        ("n_bootstrap", n_bootstrap, _LEAST_DRAWS),
        ("seed", seed, 0),
        ("max_cells", max_cells, _FEWEST_JUDGED),
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
    if groups_key is not None and groups_key in taken:
        raise ValueError(f"groups_key={groups_key!r} is a column that is read: name another one.")


def check_cells(adata: AnnData) -> None:
    """Refuse data in which there is nothing, or in which columns cannot be read.

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


def held_out_mask(adata: AnnData, held_out: Any) -> NDArray[np.bool_] | None:
    """Mask of the cells that no training has seen; None where that is not known.

    Raises
    ------
    KeyError
        If there is no such column.
    ValueError
        If it is no mask of the cells, or marks none.
    """
    if held_out is None:
        return None
    name = held_out if isinstance(held_out, str) else None
    if name is not None and name not in adata.obs:
        columns = ", ".join(repr(column) for column in adata.obs if adata.obs[column].dtype == bool) or "none"
        raise KeyError(f"held_out={name!r} is not in adata.obs; its columns of True and False are {columns}.")
    mask = adata.obs[name].to_numpy() if name is not None else _in_order(held_out, adata)
    if mask.dtype != bool or mask.shape != (adata.n_obs,):
        what = f"adata.obs[{name!r}]" if name is not None else "held_out"
        raise ValueError(
            f"{what} is no mask: give True or False for each of {adata.n_obs} cells, True where no training has seen "
            "the cell."
        )
    if not mask.any():
        raise ValueError("held_out marks no cell: leave it out where embeddings have seen all cells.")
    return mask


def _in_order(held_out: Any, adata: AnnData) -> NDArray[Any]:
    """Values of a mask; a series follows the names of the cells."""
    return np.asarray(values_by_name(held_out, adata.obs_names, "held_out"))


def samples_in_several_batches(sample: NDArray[np.str_] | None, batch: NDArray[np.str_]) -> list[str]:
    """Say that samples of one name in two batches are taken for two."""
    if sample is None:
        return []
    pairs = pd.DataFrame({"sample": sample, "batch": batch}).drop_duplicates()
    several = pairs["sample"].value_counts()
    found = several.index[several > 1].sort_values().tolist()
    if not found:
        return []
    return [f"Samples {listed(found)} lie in several batches: in each they are taken for a sample of their own."]


def check_shared(populations: tuple[SharedPopulations, ...], batch_key: str) -> None:
    """Refuse to judge where no population is found in two batches.

    Raises
    ------
    ValueError
        If there is none at some resolution.
    """
    for found in populations:
        if not len(found.sizes):
            batches = listed([str(name) for name in found.sizes.columns])
            raise ValueError(
                f"batch_key={batch_key!r}: batches {batches} share no population of cells, so that what the batch adds "
                "cannot be told from what cells are. Judge batches that have cell types in common."
            )


def strangers(table: pd.DataFrame) -> str:
    """Ask whether embeddings without any structure belong to these cells; empty where all have some."""
    if "structure_kept_high" not in table:
        return ""
    found = [str(name) for name in table.index[table["structure_kept_high"] < _NOTHING_KEPT]]
    if not found:
        return ""
    keep = "keeps" if len(found) == 1 else "keep"
    return f"{listed(found)} {keep} no structure: are these codes of these cells, in this order?"


def listed(names: list[str]) -> str:
    """Names in a row, of many the first."""
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
