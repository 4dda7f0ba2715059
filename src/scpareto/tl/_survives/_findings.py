"""Findings at one point: markers, differences between conditions, shares of samples, and transferred labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.tl._survives._samples import (
    compare_shares,
    compute_deseq2,
    compute_moderated_t,
    make_design,
    pseudobulk,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.tl._survives._inputs import SurvivesInputs
    from scpareto.tl._survives._samples import Samples

_N_NEIGHBORS = 15
_MIN_SAMPLES = 2


def find_at_point(
    groups: NDArray[np.object_], inputs: SurvivesInputs, genes: pd.Index, *, test: str, min_cells: int
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Test the groups of one point.

    Returns
    -------
    One row per tested gene or group with ``kind``, ``group``, ``gene``, ``effect``, ``p_value`` and ``p_adjusted``; and
    the groups that could not be tested, with the reason.
    """
    assert inputs.samples is not None  # ``read_inputs`` refuses these kinds without samples
    tables, left_out = [], []
    names = sorted({str(name) for name in groups if name is not None})
    for name in names:
        inside = np.array([group == name for group in groups])
        for kind in ("markers", "expression"):
            if kind not in inputs.kinds:
                continue
            find = _markers if kind == "markers" else _expression
            table = find(inside, groups, inputs, test, min_cells)
            if isinstance(table, str):
                left_out.append({"kind": kind, "group": name, "reason": table})
            else:
                tables.append(table.assign(kind=kind, group=name, gene=genes).dropna(subset="p_value"))
    if "abundance" in inputs.kinds:
        tables.append(_abundance(groups, names, inputs.samples))
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), left_out


def _run_test(sums: NDArray[np.float64], design: NDArray[np.float64], test: str) -> pd.DataFrame:
    return compute_deseq2(sums, design) if test == "deseq2" else compute_moderated_t(sums, design)


def _markers(
    inside: NDArray[np.bool_], groups: NDArray[np.object_], inputs: SurvivesInputs, test: str, min_cells: int
) -> pd.DataFrame | str:
    """Compare a group with the other cells of the same samples."""
    samples = inputs.samples
    assert samples is not None
    named = np.array([group is not None for group in groups])
    n = len(samples.names)
    group_sums, n_group_cells = pseudobulk(inputs.counts, samples.of_cell, inside, n)
    rest_sums, n_rest_cells = pseudobulk(inputs.counts, samples.of_cell, named & ~inside, n)
    enough_cells = (n_group_cells >= min_cells) & (n_rest_cells >= min_cells)
    if enough_cells.sum() < _MIN_SAMPLES:
        return f"{min_cells} cells or more, of the group and of others, in {int(enough_cells.sum())} sample(s)"
    sample = np.array(samples.names)[enough_cells]
    is_group = np.repeat([1.0, 0.0], enough_cells.sum())
    design = make_design(is_group, np.tile(sample, 2))
    assert design is not None  # each sample is there twice
    return _run_test(np.vstack([group_sums[enough_cells], rest_sums[enough_cells]]), design, test)


def _expression(
    inside: NDArray[np.bool_], groups: NDArray[np.object_], inputs: SurvivesInputs, test: str, min_cells: int
) -> pd.DataFrame | str:
    """Compare samples of the first level with those of the second, within a group."""
    samples = inputs.samples
    assert samples is not None
    assert samples.is_first is not None
    sums, n_cells = pseudobulk(inputs.counts, samples.of_cell, inside, len(samples.names))
    enough_cells = (n_cells >= min_cells) & np.isfinite(samples.is_first)
    is_first = samples.is_first[enough_cells]
    n_first, n_second = int(is_first.sum()), int((1 - is_first).sum())
    if min(n_first, n_second) < _MIN_SAMPLES:
        return f"{min_cells} cells or more in {n_first} and {n_second} samples of the two levels"
    design = make_design(is_first, None if samples.block is None else samples.block[enough_cells])
    if design is None:
        return "samples with enough cells do not tell the contrast from the blocks"
    return _run_test(sums[enough_cells], design, test)


def _abundance(groups: NDArray[np.object_], names: list[str], samples: Samples) -> pd.DataFrame:
    """Compare shares of groups in samples of the first level with those of the second."""
    from scipy import stats

    assert samples.is_first is not None
    in_contrast = np.isfinite(samples.is_first)
    total = np.bincount(samples.of_cell, minlength=len(samples.names))
    design = make_design(samples.is_first[in_contrast], None if samples.block is None else samples.block[in_contrast])
    assert design is not None  # checked before
    rows = []
    for name in names:
        inside = np.array([group == name for group in groups])
        n = np.bincount(samples.of_cell[inside], minlength=len(samples.names))
        effect, p = compare_shares(n[in_contrast], total[in_contrast], design)
        rows.append({"kind": "abundance", "group": name, "gene": "", "effect": effect, "p_value": p})
    table = pd.DataFrame(rows).dropna(subset="p_value")
    return table.assign(p_adjusted=stats.false_discovery_control(table["p_value"])) if len(table) else table


def transfer_labels(
    codes: NDArray[np.floating], labels: NDArray[np.object_], batch: NDArray[np.str_]
) -> NDArray[np.object_]:
    """Label each cell by the majority of its 15 nearest neighbours in other batches, as in label transfer."""
    from sklearn.neighbors import NearestNeighbors

    labelled = np.array([label is not None for label in labels])
    types, type_codes = np.unique(labels[labelled].astype(str), return_inverse=True)
    codes_of_labels = np.full(len(labels), -1)
    codes_of_labels[labelled] = type_codes
    transferred = np.full(len(labels), None, dtype=object)
    for level in np.unique(batch):
        rows, others = np.flatnonzero(batch == level), np.flatnonzero((batch != level) & labelled)
        k = min(_N_NEIGHBORS, len(others))
        if not k:
            continue
        neighbors = NearestNeighbors(n_neighbors=k).fit(codes[others]).kneighbors(codes[rows], return_distance=False)
        votes = codes_of_labels[others][neighbors]
        counts = np.stack([(votes == code).sum(axis=1) for code in range(len(types))], axis=1)
        transferred[rows] = types[counts.argmax(axis=1)]
    return transferred
