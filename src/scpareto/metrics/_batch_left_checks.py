"""Checks of the arguments of `batch_left`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._conditional_probe import PROBES
from scpareto.metrics._populations import SharedPopulations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

_MIN_SAMPLES = 3
_MIN_CELLS = 20
_DEFAULT_KINDS, _ALL_KINDS = ("network",), tuple(PROBES)


def check_codes(
    codes: Mapping[str, ArrayLike], reference: str | ArrayLike, n: int
) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Return the embeddings by name, the reference among them, and the name of the reference."""
    embeddings = {str(name): check_matrix(z, str(name)) for name, z in codes.items()}
    reference_name = reference if isinstance(reference, str) else "reference"
    if not isinstance(reference, str):
        if reference_name in embeddings:
            raise ValueError("`codes` has an embedding named 'reference'; name it as the reference or otherwise.")
        embeddings[reference_name] = check_matrix(reference, reference_name)
    if reference_name not in embeddings:
        raise ValueError(f"`reference` is {reference_name!r}; give codes, or one of {list(embeddings)}.")
    for name, z in embeddings.items():
        if len(z) != n:
            raise ValueError(f"`{name}` has {len(z)} rows but `batch` has {n}; give codes of the same cells.")
    return embeddings, reference_name


def check_populations(
    populations: SharedPopulations | ArrayLike | Sequence[SharedPopulations | ArrayLike], level: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the population of each cell, one row per resolution; -1 for none, or if it is in a single batch."""
    several = isinstance(populations, (list, tuple)) and len(populations) > 0 and not np.isscalar(populations[0])
    rows = []
    for given in cast("Sequence[Any]", populations) if several else [populations]:
        labels = np.asarray(given.labels if isinstance(given, SharedPopulations) else given)
        if labels.shape != level.shape or labels.dtype.kind not in "iu":
            raise ValueError(
                f"`populations` has shape {labels.shape} and type {labels.dtype}; give one integer for each of "
                f"{len(level)} cells, negative for cells that are not assessable."
            )
        labels = labels.astype(np.int64)
        shared = [p for p in np.unique(labels[labels >= 0]) if len(np.unique(level[labels == p])) > 1]
        if not shared:
            raise ValueError("`populations` has none that two batches share; nothing can be judged.")
        place = np.searchsorted(shared, labels)
        place[place == len(shared)] = 0
        rows.append(np.where(np.asarray(shared)[place] == labels, place, -1))
    return np.stack(rows)


def check_judged(cells: ArrayLike | None, level: NDArray[np.int64], names: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return the mask of the cells that are judged."""
    judged = np.ones(len(level), dtype=bool)
    if cells is not None:
        judged[:] = False
        judged[np.asarray(cells)] = True
    for name, size in zip(names, np.bincount(level[judged], minlength=len(names)), strict=True):
        if size < _MIN_CELLS:
            raise ValueError(
                f"batch {name!r} has {size} judged cells; at least {_MIN_CELLS} are needed. Leave that batch out."
            )
    return judged


def check_part(part: ArrayLike, name: str, n: int) -> NDArray[np.bool_]:
    """Return the mask of a further set of cells."""
    mask = np.zeros(n, dtype=bool)
    mask[np.asarray(part)] = True
    if not mask.any():
        raise ValueError(f"the part {name!r} has no cell.")
    return mask


def check_options(
    kinds: Sequence[str] | None, n_repeats: int | None, margin: float, level: float, thorough: bool
) -> tuple[tuple[str, ...], int]:
    """Return the kinds of probe and the number of repeats."""
    used = tuple(kinds) if kinds is not None else _ALL_KINDS if thorough else _DEFAULT_KINDS
    unknown = [kind for kind in used if kind not in PROBES]
    if unknown or not used:
        raise ValueError(f"`kinds` is {list(used)}; give one or several of {list(PROBES)}.")
    if not 0 < margin < 1:
        raise ValueError(f"`margin` is {margin}; give a share of the entropy between 0 and 1.")
    if not 0 < level < 1:
        raise ValueError(f"`level` is {level}; give a coverage between 0 and 1.")
    repeats = n_repeats if n_repeats is not None else 4 if thorough else 2
    return used, check_count(repeats, "n_repeats", minimum=1)


def check_samples(
    sample: ArrayLike | None, level: NDArray[np.int64], judged: NDArray[np.bool_], notes: list[str]
) -> NDArray[np.int64] | None:
    """Return the number of each cell's sample within its batch, or None if a batch has too few samples to resample."""
    if sample is None:
        return None
    text = check_labels(sample, "sample", n_cells=len(level))
    sample_codes = np.unique(text, return_inverse=True)[1]
    units = np.unique(level * (sample_codes.max() + 1) + sample_codes, return_inverse=True)[1]
    least = min(len(np.unique(units[judged & (level == b)])) for b in np.unique(level))
    if least >= _MIN_SAMPLES:
        return units
    notes.append(f"A batch has {least} sample(s) and {_MIN_SAMPLES} are needed: intervals are of these cells only.")
    return None
