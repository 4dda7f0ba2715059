"""Read the coordinates, control genes and size factors that a user names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells import check_genes, check_numbers, to_canonical
from scpareto.pp._check import compute_totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray


def get_representation(adata: AnnData, use_rep: str | None) -> NDArray[np.float64] | None:
    """Return the finite coordinates ``adata.obsm[use_rep]``, shape ``(n_cells, n_components)``."""
    if use_rep is None:
        return None
    if use_rep not in adata.obsm:
        raise KeyError(
            f"use_rep={use_rep!r} is not in adata.obsm; available: {', '.join(map(repr, adata.obsm)) or 'none'}."
        )
    stored = to_canonical(adata.obsm[use_rep], f"adata.obsm[{use_rep!r}]", cells=adata.obs_names)
    values = np.asarray(stored.toarray() if sparse.issparse(stored) else stored, dtype=np.float64)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ValueError(
            f"adata.obsm[{use_rep!r}] is NaN or infinite for {int(bad.sum())} cells; the first is "
            f"{adata.obs_names[int(np.argmax(bad))]!r}."
        )
    return values


def get_control_mask(adata: AnnData, control_genes: str | Sequence[str] | None) -> NDArray[np.bool_] | None:
    """Return the mask of control genes, shape ``(n_genes,)``; some genes, but not all."""
    if control_genes is None:
        return None
    if isinstance(control_genes, str):
        if control_genes not in adata.var:
            raise KeyError(
                f"control_genes={control_genes!r} is not in adata.var; give a boolean column, or a list of genes."
            )
        control = adata.var[control_genes].to_numpy(dtype=bool)
    else:
        control = adata.var_names.isin(check_genes(control_genes, adata.var_names))
    if not 0 < control.sum() < adata.n_vars:
        raise ValueError(f"control_genes are {int(control.sum())} of {adata.n_vars} genes; give some, and not all.")
    return control


def get_size_factors(adata: AnnData, size_factors: str | None, counts: Any) -> NDArray[np.float64]:
    """Return the size factor of each cell, shape ``(n_cells,)``, positive, with median 1."""
    if size_factors is None:
        return np.ones(adata.n_obs)
    if size_factors == "total":
        size = compute_totals(counts)
    elif size_factors in adata.obs:
        check_numbers(adata.obs[size_factors], size_factors, size_factor=True)
        size = adata.obs[size_factors].to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        raise KeyError(f"size_factors={size_factors!r} is not in adata.obs; give a column, 'total' or None.")
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise ValueError(f"size_factors={size_factors!r} holds values that are not positive numbers.")
    return size / np.median(size)
