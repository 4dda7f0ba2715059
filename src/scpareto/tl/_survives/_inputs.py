"""Read and check the arguments of ``survives`` before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._cells import check_counts, get_matrix, parse_key
from scpareto._runtime import check_whole_number
from scpareto.tl._judge_inputs import get_column, get_text_column
from scpareto.tl._judge_options import list_keys
from scpareto.tl._survives._samples import Samples, make_design

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

KINDS = ("clusters", "labels", "markers", "expression", "abundance")
TESTS = ("moderated_t", "deseq2")
_MIN_SAMPLES = 2


@dataclass(frozen=True, eq=False)
class SurvivesInputs:
    """Checked inputs.

    Attributes
    ----------
    kinds
        Kinds of findings.
    labels
        Label of each cell, None where it is missing; None if cells are grouped by clusters.
    batch
        Batch of each cell; None without ``batch_key``.
    samples
        Samples, their condition and block; None without ``sample_key``.
    contrast
        Column, first and second level; None if nothing is compared.
    counts
        Raw counts, shape ``(n_cells, n_genes)``.
    """

    kinds: tuple[str, ...]
    labels: NDArray[np.object_] | None
    batch: NDArray[np.str_] | None
    samples: Samples | None
    contrast: tuple[str, str, str] | None
    counts: sparse.csr_matrix


def read_inputs(
    adata: AnnData,
    *,
    groupby: str | None,
    contrast: Sequence[str] | None,
    sample_key: str | None,
    block_key: str | None,
    batch_key: str | None,
    layer: str | None,
    kinds: Sequence[str] | None,
    test: str,
    fdr: float,
    min_cells: int,
    resolution: float,
    n_neighbors: int,
) -> SurvivesInputs:
    """Check all arguments and read the columns and counts.

    Raises
    ------
    KeyError
        If a column or layer does not exist.
    ValueError
        If a value is out of range, samples are too few, or a contrast is confounded with batches or blocks.
    ImportError
        If ``test="deseq2"`` and pydeseq2 is not installed.
    """
    _check_numbers(test, fdr, min_cells, resolution, n_neighbors)
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers; it holds {list_keys(adata.layers)}.")
    check_counts(adata, layer)
    labels = None if groupby is None else _labels(adata, groupby)
    batch = None if batch_key is None else _text(adata, batch_key, "batch_key")
    checked_contrast = _contrast(adata, contrast)
    samples = None if sample_key is None else _samples(adata, sample_key, block_key, checked_contrast)
    if checked_contrast is not None:
        if samples is None:
            raise ValueError("contrast needs sample_key: cells of one sample are no replicates of each other.")
        _check_contrast(samples, checked_contrast, batch)
    elif block_key is not None:
        raise ValueError("block_key needs a contrast, whose samples it pairs.")
    possible = {"clusters": True, "labels": labels is not None and batch is not None, "markers": samples is not None}
    possible |= {"expression": checked_contrast is not None, "abundance": checked_contrast is not None}
    return SurvivesInputs(_kinds(kinds, possible), labels, batch, samples, checked_contrast, _counts(adata, layer))


def _kinds(kinds: Sequence[str] | None, possible: dict[str, bool]) -> tuple[str, ...]:
    needs = {"labels": "groupby and batch_key", "markers": "sample_key"}
    if kinds is None:
        return tuple(kind for kind in KINDS if possible[kind])
    requested = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in requested:
        if kind not in KINDS:
            raise ValueError(f"kinds: {kind!r} is none of {', '.join(KINDS)}.")
        if not possible[kind]:
            raise ValueError(f"kinds: {kind!r} needs {needs.get(kind, 'contrast and sample_key')}.")
    if not requested:
        raise ValueError(f"kinds is empty: name some of {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in requested)


def _check_numbers(test: str, fdr: float, min_cells: int, resolution: float, n_neighbors: int) -> None:
    if test not in TESTS:
        raise ValueError(f"test={test!r} is none of {', '.join(map(repr, TESTS))}.")
    if test == "deseq2":
        import importlib.util

        if importlib.util.find_spec("pydeseq2") is None:
            raise ImportError("test='deseq2' needs pydeseq2: pip install 'scpareto[deseq2]'.")
    if not 0 < fdr < 1:
        raise ValueError(f"fdr={fdr!r} must lie between 0 and 1, for example 0.05.")
    check_whole_number("min_cells", min_cells, least=1)
    check_whole_number("n_neighbors", n_neighbors, least=2)
    if not np.isfinite(resolution) or resolution <= 0:
        raise ValueError(f"resolution={resolution!r} must be above 0, for example 1.0.")


def _text(adata: AnnData, key: str, argument: str) -> NDArray[np.str_]:
    return get_text_column(adata, str(parse_key(key, argument)), argument)


def _labels(adata: AnnData, key: str) -> NDArray[np.object_]:
    column = get_column(adata, str(parse_key(key, "groupby")), "groupby")
    labels = column.astype(str).to_numpy(dtype=object)
    labels[column.isna().to_numpy()] = None
    if (n := pd.Series(labels).nunique()) < 2:
        raise ValueError(f"groupby={key!r} has {n} group(s) of cells: at least two are needed.")
    return labels


def _contrast(adata: AnnData, contrast: Sequence[str] | None) -> tuple[str, str, str] | None:
    if contrast is None:
        return None
    if isinstance(contrast, str) or len(contrast) != 3:
        raise ValueError(
            f"contrast={contrast!r} must be column, first and second level, for example ('condition', 'stim', 'ctrl')."
        )
    key, first, second = map(str, contrast)
    levels = set(get_column(adata, key, "contrast").dropna().astype(str))
    for level in (first, second):
        if level not in levels:
            values = ", ".join(sorted(levels))
            raise ValueError(f"contrast: {level!r} is no value of adata.obs[{key!r}]; these are {values}.")
    if first == second:
        raise ValueError(f"contrast compares {first!r} with itself.")
    return key, first, second


def _samples(adata: AnnData, key: str, block_key: str | None, contrast: tuple[str, str, str] | None) -> Samples:
    names, of_cell = np.unique(_text(adata, key, "sample_key"), return_inverse=True)
    if len(names) < _MIN_SAMPLES:
        raise ValueError(f"sample_key={key!r} has one sample: at least {_MIN_SAMPLES} are needed.")
    is_first = block = None
    if contrast is not None:
        column, first, second = contrast
        level = _values_of_samples(adata.obs[column].astype(str).to_numpy().astype(str), of_cell, names, column)
        is_first = np.where(level == first, 1.0, np.where(level == second, 0.0, np.nan))
    if block_key is not None:
        block = _values_of_samples(_text(adata, block_key, "block_key"), of_cell, names, block_key)
    return Samples(of_cell, [str(name) for name in names], is_first, block)


def _values_of_samples(
    values: NDArray[np.str_], of_cell: NDArray[np.int64], names: NDArray[np.str_], column: str
) -> NDArray[np.str_]:
    """Return the value of each sample, which all of its cells must share."""
    pairs = pd.DataFrame({"sample": of_cell, "value": values}).drop_duplicates()
    mixed = pairs[pairs["sample"].duplicated()]
    if len(mixed):
        name = str(names[mixed["sample"].iloc[0]])
        different = sorted(pairs["value"][pairs["sample"] == mixed["sample"].iloc[0]])
        raise ValueError(
            f"Sample {name!r} has several values of {column!r} ({', '.join(different[:3])}): the cells of a sample are "
            "measured together under one condition. Combine both columns, for example donor and condition."
        )
    return pairs.sort_values("sample")["value"].to_numpy().astype(str)


def _check_contrast(samples: Samples, contrast: tuple[str, str, str], batch: NDArray[np.str_] | None) -> None:
    key, first, second = contrast
    assert samples.is_first is not None  # there is a contrast
    for level, value in ((first, 1.0), (second, 0.0)):
        n = int((samples.is_first == value).sum())
        if n < _MIN_SAMPLES:
            raise ValueError(
                f"contrast: {n} sample(s) of {key} {level!r}; at least {_MIN_SAMPLES} of either level are needed."
            )
    inside = np.isfinite(samples.is_first)
    if make_design(samples.is_first[inside], None if samples.block is None else samples.block[inside]) is None:
        raise ValueError(
            f"contrast: {key} cannot be told from the blocks of block_key, or too few samples are left: blocks must "
            "hold samples of both levels."
        )
    if batch is not None:
        of_cell = samples.is_first[samples.of_cell]
        table = pd.crosstab(batch[np.isfinite(of_cell)], of_cell[np.isfinite(of_cell)])
        if not (table > 0).all(axis=1).any():
            raise ValueError(
                f"contrast: no batch holds both {first!r} and {second!r}: what differs between them may be the batch, "
                "at any strength of correction."
            )


def _counts(adata: AnnData, layer: str | None) -> sparse.csr_matrix:
    from scipy import sparse

    return sparse.csr_matrix(get_matrix(adata, layer))
