"""What is found at one point: markers, differences between conditions, shares of samples, and transferred labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.tl._survives._samples import (
    compared,
    compared_by_deseq2,
    design_of,
    pseudobulk,
    shares_compared,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.tl._survives._asked import Asked
    from scpareto.tl._survives._samples import Samples

_NEIGHBORS = 15
_LEAST_SAMPLES = 2


def found_at(
    groups: NDArray[np.object_], asked: Asked, genes: pd.Index, *, test: str, min_cells: int
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Look for findings in the groups of one point.

    Returns
    -------
    One row per finding with ``kind``, ``group``, ``gene``, ``effect``, ``p_value`` and ``p_adjusted``; and for each
    group that was not looked at, which and why.
    """
    assert asked.samples is not None  # otherwise nothing of this is asked
    tables, left_out = [], []
    names = sorted({str(name) for name in groups if name is not None})
    for name in names:
        inside = np.array([group == name for group in groups])
        for kind in ("markers", "expression"):
            if kind not in asked.kinds:
                continue
            look = _markers if kind == "markers" else _expression
            found = look(inside, groups, asked, test, min_cells)
            if isinstance(found, str):
                left_out.append({"kind": kind, "group": name, "reason": found})
            else:
                tables.append(found.assign(kind=kind, group=name, gene=genes).dropna(subset="p_value"))
    if "abundance" in asked.kinds:
        tables.append(_abundance(groups, names, asked.samples))
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), left_out


def _tested(sums: NDArray[np.float64], design: NDArray[np.float64], test: str) -> pd.DataFrame:
    return compared_by_deseq2(sums, design) if test == "deseq2" else compared(sums, design)


def _markers(
    inside: NDArray[np.bool_], groups: NDArray[np.object_], asked: Asked, test: str, min_cells: int
) -> pd.DataFrame | str:
    """Group against the rest of the same samples."""
    samples = asked.samples
    assert samples is not None
    named = np.array([group is not None for group in groups])
    n = len(samples.names)
    own, n_own = pseudobulk(asked.counts, samples.of_cell, inside, n)
    rest, n_rest = pseudobulk(asked.counts, samples.of_cell, named & ~inside, n)
    kept = (n_own >= min_cells) & (n_rest >= min_cells)
    if kept.sum() < _LEAST_SAMPLES:
        return f"{min_cells} cells or more, of the group and of others, in {int(kept.sum())} sample(s)"
    sample = np.array(samples.names)[kept]
    is_own = np.repeat([1.0, 0.0], kept.sum())
    design = design_of(is_own, np.tile(sample, 2))
    assert design is not None  # each sample is there twice
    return _tested(np.vstack([own[kept], rest[kept]]), design, test)


def _expression(
    inside: NDArray[np.bool_], groups: NDArray[np.object_], asked: Asked, test: str, min_cells: int
) -> pd.DataFrame | str:
    """Compare samples of the first level with those of the second, within a group."""
    samples = asked.samples
    assert samples is not None
    assert samples.is_first is not None
    sums, n_cells = pseudobulk(asked.counts, samples.of_cell, inside, len(samples.names))
    kept = (n_cells >= min_cells) & np.isfinite(samples.is_first)
    is_first = samples.is_first[kept]
    n_first, n_second = int(is_first.sum()), int((1 - is_first).sum())
    if min(n_first, n_second) < _LEAST_SAMPLES:
        return f"{min_cells} cells or more in {n_first} and {n_second} samples of the two levels"
    design = design_of(is_first, None if samples.block is None else samples.block[kept])
    if design is None:
        return "samples with enough cells do not tell the contrast from the blocks"
    return _tested(sums[kept], design, test)


def _abundance(groups: NDArray[np.object_], names: list[str], samples: Samples) -> pd.DataFrame:
    """Compare shares of groups in samples of the first level with those of the second."""
    from scipy import stats

    assert samples.is_first is not None
    kept = np.isfinite(samples.is_first)
    total = np.bincount(samples.of_cell, minlength=len(samples.names))
    design = design_of(samples.is_first[kept], None if samples.block is None else samples.block[kept])
    assert design is not None  # checked before
    rows = []
    for name in names:
        inside = np.array([group == name for group in groups])
        n = np.bincount(samples.of_cell[inside], minlength=len(samples.names))
        effect, p = shares_compared(n[kept], total[kept], design)
        rows.append({"kind": "abundance", "group": name, "gene": "", "effect": effect, "p_value": p})
    table = pd.DataFrame(rows).dropna(subset="p_value")
    return table.assign(p_adjusted=stats.false_discovery_control(table["p_value"])) if len(table) else table


def transferred(
    codes: NDArray[np.floating], labels: NDArray[np.object_], batch: NDArray[np.str_]
) -> NDArray[np.object_]:
    """Label of each cell by most of its 15 nearest neighbours in other batches, as when a query is mapped."""
    from sklearn.neighbors import NearestNeighbors

    known = np.array([label is not None for label in labels])
    kinds, number = np.unique(labels[known].astype(str), return_inverse=True)
    numbers = np.full(len(labels), -1)
    numbers[known] = number
    found = np.full(len(labels), None, dtype=object)
    for level in np.unique(batch):
        own, others = np.flatnonzero(batch == level), np.flatnonzero((batch != level) & known)
        k = min(_NEIGHBORS, len(others))
        if not k:
            continue
        near = NearestNeighbors(n_neighbors=k).fit(codes[others]).kneighbors(codes[own], return_distance=False)
        votes = numbers[others][near]
        counts = np.stack([(votes == kind).sum(axis=1) for kind in range(len(kinds))], axis=1)
        found[own] = kinds[counts.argmax(axis=1)]
    return found
