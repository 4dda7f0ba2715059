"""Read the arrays that are judged from an AnnData, and check them before any work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from scpareto._cells import as_row_matrix, get_matrix, holds_counts, is_in_memory, read_rows, to_canonical
from scpareto.tl._judge_options import join_first, list_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

_MIN_CELLS = 20
"""A batch with fewer cells is refused."""
_MIN_GENES = 3
_N_ROWS_CHECKED = 1000
"""Rows by which another matrix is checked for counts."""
_DOUBLET_COLUMNS = {"doublet_score", "doublet_scores", "predicted_doublet", "predicted_doublets", "scdblfinder_score"}
"""Columns of ``obs``, in lower case, with doublet scores: doublets explain a difference between cells technically."""
_HIGHLY_VARIABLE = "highly_variable"
"""Column of ``var`` in which scanpy marks the genes that it uses."""


@dataclass(frozen=True)
class JudgeInputs:
    """Arrays that are judged.

    Parameters
    ----------
    codes, graphs
        Embeddings, shape ``(n_cells, n_latent)``, and neighbour graphs, shape ``(n_cells, n_cells)``, by name.
    batch, sample
        Batch and sample of each cell, shape ``(n_cells,)``; ``sample`` is None without ``sample_key``.
    expression
        Counts or log-normalised values, shape ``(n_cells, n_genes)``.
    is_counts
        Whether ``expression`` holds counts.
    used_genes
        Mask of the genes that the embeddings have used; None if unknown.
    genes
        Names of the genes.
    covariates
        Doublet scores of each cell, by name of their column.
    """

    codes: dict[str, NDArray[np.float64]]
    graphs: dict[str, sparse.csr_matrix]
    batch: NDArray[np.str_]
    sample: NDArray[np.str_] | None
    expression: Any
    is_counts: bool
    used_genes: NDArray[np.bool_] | None
    genes: list[str]
    covariates: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def read_inputs(
    adata: AnnData,
    use_rep: Sequence[str],
    *,
    batch_key: str,
    layer: str | None,
    sample_key: str | None,
    neighbors_key: Sequence[str],
    used_genes: str | ArrayLike | None,
    without_embeddings: bool = False,
) -> JudgeInputs:
    """Read and check all inputs of the judge; embeddings are not required if ``without_embeddings``.

    Raises
    ------
    KeyError
        If a key does not exist; the message names those that do.
    ValueError
        If codes, batches or counts cannot be judged; the message says why.
    """
    if not use_rep and not neighbors_key and not without_embeddings:
        raise ValueError(f"use_rep is empty: name embeddings of adata.obsm; it holds {list_keys(adata.obsm)}.")
    batch = get_text_column(adata, batch_key, "batch_key")
    check_batches(batch, batch_key)
    codes = {name: get_codes(adata, name) for name in dict.fromkeys(use_rep)}
    graphs = {key: _graph(adata, key) for key in dict.fromkeys(neighbors_key)}
    if shared_names := sorted(codes.keys() & graphs.keys()):
        raise ValueError(f"{shared_names[0]!r} is named as an embedding and as a graph: rename one.")
    sample = None if sample_key is None else get_text_column(adata, sample_key, "sample_key")
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers; it holds {list_keys(adata.layers)}.")
    expression = adata.X if layer is None else adata.layers[layer]
    if expression is None:
        raise ValueError("adata.X is empty: name the layer with the counts.")
    if is_in_memory(expression):
        expression = get_matrix(adata, layer)
    if isinstance(expression, sparse.sparray):
        # scanpy does not normalise sparse arrays; the conversion to a sparse matrix copies nothing.
        expression = sparse.csr_matrix(expression)
    used_mask, genes = _used_genes_mask(adata, used_genes), [str(name) for name in adata.var_names]
    covariates = _doublet_scores(adata)
    return JudgeInputs(codes, graphs, batch, sample, expression, holds_counts(expression), used_mask, genes, covariates)


def check_batches(batch: NDArray[np.str_], batch_key: str) -> None:
    """Raise an error if batches cannot be judged.

    Raises
    ------
    ValueError
        If there is only one batch, or a batch is too small.
    """
    levels, sizes = np.unique(batch, return_counts=True)
    if len(levels) < 2:
        raise ValueError(f"batch_key={batch_key!r} has one batch only ({levels[0]}): there is nothing to judge.")
    small = [f"{level} ({n})" for level, n in zip(levels, sizes, strict=True) if n < _MIN_CELLS]
    if small:
        have = "has" if len(small) == 1 else "have"
        raise ValueError(
            f"batch_key={batch_key!r}: {join_first(small)} {have} fewer than {_MIN_CELLS} cells, too few to judge. "
            "Leave such batches out, or merge them with others."
        )


def suggest_counts(adata: AnnData) -> str:
    """Return a sentence that names other places in an AnnData with counts; empty if there are none."""
    places = [f"layer={name!r}" for name in adata.layers if name and _looks_like_counts(adata.layers[name])]
    if adata.raw is not None and _looks_like_counts(adata.raw.X):
        places.append("adata.raw (adata.raw.to_adata() gives an AnnData of them)")
    return f" Counts are in {' and '.join(places)}." if places else ""


def _looks_like_counts(values: Any) -> bool:
    """Whether evenly spaced rows of a matrix, in memory or in a file, hold counts."""
    rows = np.unique(np.linspace(0, values.shape[0] - 1, min(values.shape[0], _N_ROWS_CHECKED)).astype(np.int64))
    try:
        return holds_counts(read_rows(as_row_matrix(values), rows))
    except ValueError:
        return False


def get_codes(adata: AnnData, name: str) -> NDArray[np.float64]:
    """Return the embedding ``adata.obsm[name]``, shape ``(n_cells, n_latent)``; raise an error if it cannot be used."""
    if name not in adata.obsm:
        raise KeyError(f"use_rep={name!r} is not in adata.obsm; it holds {list_keys(adata.obsm)}.")
    stored = adata.obsm[name]
    stored = to_canonical(stored, f"adata.obsm[{name!r}]", cells=adata.obs_names) if sparse.issparse(stored) else stored
    stored = stored.toarray() if sparse.issparse(stored) else stored
    try:
        codes = np.asarray(stored, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"use_rep={name!r}: adata.obsm[{name!r}] does not hold numbers.") from error
    if codes.ndim != 2 or codes.shape[1] == 0:
        raise ValueError(f"use_rep={name!r} has shape {codes.shape}; a matrix of cells by dimensions is needed.")
    if not np.isfinite(codes).all():
        cell = adata.obs_names[int(np.flatnonzero(~np.isfinite(codes).all(axis=1))[0])]
        raise ValueError(f"use_rep={name!r} is not finite, first in cell {cell!r}.")
    return codes


def _graph(adata: AnnData, key: str) -> sparse.csr_matrix:
    name = key if key in adata.obsp else adata.uns.get(key, {}).get("connectivities_key")
    if name is None or name not in adata.obsp:
        raise KeyError(
            f"neighbors_key={key!r} names no neighbour graph; adata.obsp holds {list_keys(adata.obsp)}. "
            "sc.pp.neighbors(adata, key_added=...) writes one."
        )
    return sparse.csr_matrix(to_canonical(adata.obsp[name], f"adata.obsp[{name!r}]", cells=adata.obs_names))


def get_column(adata: AnnData, key: str, argument: str) -> pd.Series:
    """Return a column of ``obs``; raise a KeyError that lists all columns if it does not exist."""
    if key not in adata.obs:
        raise KeyError(f"{argument}={key!r} is not in adata.obs; it holds {list_keys(adata.obs)}.")
    return adata.obs[key]


def get_text_column(adata: AnnData, key: str, argument: str) -> NDArray[np.str_]:
    """Return a column of ``obs`` as text.

    Raises
    ------
    KeyError
        If it does not exist; the message lists all columns.
    ValueError
        If it is missing for some cells.
    """
    column = get_column(adata, key, argument)
    if column.isna().any():
        cell = adata.obs_names[int(np.flatnonzero(column.isna())[0])]
        raise ValueError(f"{argument}={key!r} is missing for {column.isna().sum()} cells, first for {cell!r}.")
    return column.astype(str).to_numpy().astype(str)


def _doublet_scores(adata: AnnData) -> dict[str, NDArray[np.float64]]:
    """Return the columns of doublet scores by name; those with missing values are left out."""
    covariates = {}
    for name in adata.obs.columns:
        if str(name).lower().replace(".", "_") in _DOUBLET_COLUMNS and pd.api.types.is_numeric_dtype(adata.obs[name]):
            values = adata.obs[name].to_numpy(dtype=np.float64, na_value=np.nan)
            if np.isfinite(values).all():
                covariates[str(name)] = values
    return covariates


def _used_genes_mask(adata: AnnData, used_genes: str | ArrayLike | None) -> NDArray[np.bool_] | None:
    if used_genes is None:
        if _HIGHLY_VARIABLE not in adata.var:
            return None
        marked = adata.var[_HIGHLY_VARIABLE]
        if marked.isna().any():
            raise ValueError(
                f"adata.var[{_HIGHLY_VARIABLE!r}] is missing for {marked.isna().sum()} genes: fill it, or name the "
                "genes that the embeddings have used by used_genes=."
            )
        return _check_enough_genes(marked.to_numpy(dtype=bool))
    if isinstance(used_genes, str):
        if used_genes not in adata.var or not pd.api.types.is_bool_dtype(adata.var[used_genes]):
            raise KeyError(f"used_genes={used_genes!r} is no column of True and False of adata.var.")
        return _check_enough_genes(adata.var[used_genes].to_numpy(dtype=bool))
    mask = np.asarray(used_genes)
    if mask.dtype != bool or mask.shape != (adata.n_vars,):
        raise ValueError(
            f"used_genes must be a mask of the {adata.n_vars} genes, or the name of a column of adata.var."
        )
    return _check_enough_genes(mask)


def _check_enough_genes(used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask; raise an error if it marks too few genes for principal components."""
    if used.sum() < _MIN_GENES:
        raise ValueError(
            f"{used.sum()} of {len(used)} genes are marked as used by the embeddings, and {_MIN_GENES} are needed."
        )
    return used
