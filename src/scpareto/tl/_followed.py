"""Codes that a method or a user's function returns: whether they belong to these cells, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_CELLS, _MOST_CELLS, _N_NEIGHBORS = 50, 500, 10
_STRUCTURE = 0.05
"""How much nearer neighbours are than random cells where a batch has structure at all."""
_SHARE = 0.15
"""Share of that below which codes do not follow the cells."""


class BadCodesError(ValueError):
    """What was returned is no embedding of the cells."""


def codes_of(found: Any, names: pd.Index, what: str) -> NDArray[np.float32]:
    """Return codes in the order of the cells.

    Parameters
    ----------
    found
        What was returned: an array, or a table or annotated data whose rows have the names of the cells.
    names
        Names of the cells.
    what
        What returned it.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    Raises
    ------
    BadCodesError
        If it is no matrix of finite numbers with one row per cell.
    """
    if found is None:
        raise BadCodesError(f"{what} returned nothing: let it return the codes, one row per cell.")
    if isinstance(found, AnnData):
        found = pd.DataFrame(_dense(found.X), index=found.obs_names)
    if isinstance(found, pd.DataFrame):
        found = _by_name(found, names, what)
    try:
        codes = np.asarray(_dense(found), dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadCodesError(f"{what} returned {type(found).__name__}, no matrix of numbers.") from error
    if codes.ndim != 2 or len(codes) != len(names) or codes.shape[1] == 0:
        raise BadCodesError(f"{what} returned shape {codes.shape}; {len(names)} cells need ({len(names)}, n_latent).")
    if not np.isfinite(codes).all():
        n_bad = int((~np.isfinite(codes)).any(axis=1).sum())
        raise BadCodesError(f"{what} returned codes that are not finite, in {n_bad} of {len(names)} cells.")
    return codes.astype(np.float32)


def check_followed(
    codes: NDArray[Any], components: NDArray[np.float64], batch: NDArray[Any], what: str, *, seed: int
) -> None:
    """Refuse codes by which, in some batch, neighbours are no more alike than random cells.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``.
    components
        Principal components of the same cells.
    batch
        Batch of each cell.
    what
        What returned the codes.
    seed
        Seed of the cells that are looked at.

    Raises
    ------
    BadCodesError
        If codes tell nothing about the cells: they are in another order, or all structure is gone.
    """
    rng = np.random.default_rng([seed, 11])
    for level in np.unique(batch):
        rows = np.flatnonzero(batch == level)
        if len(rows) < _LEAST_CELLS:
            continue
        rows = np.sort(rng.choice(rows, min(len(rows), _MOST_CELLS), replace=False))
        reference = components[rows]
        there = _alike(reference, reference)
        if there > _STRUCTURE and _alike(np.asarray(codes[rows], dtype=np.float64), reference) < _SHARE * there:
            raise BadCodesError(
                f"{what} returned codes that do not follow the cells: in batch {str(level)!r} neighbours by them are "
                "no more alike than random cells. Return one row per cell in the order of adata.obs_names, or a table "
                "indexed by them. Codes that have lost all structure look the same."
            )


def _alike(codes: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """How much nearer neighbours by codes are than random cells, as a share of the variance of a reference."""
    near = NearestNeighbors(n_neighbors=_N_NEIGHBORS + 1).fit(codes).kneighbors(codes, return_distance=False)
    apart = np.square(reference[near[:, 1:]] - reference[:, None]).sum(axis=2).mean()
    return 1.0 - float(apart / max(2 * reference.var(axis=0).sum(), np.finfo(float).tiny))


def _by_name(table: pd.DataFrame, names: pd.Index, what: str) -> NDArray[Any]:
    """Rows of a table in the order of the cells."""
    if table.index.equals(names):
        return table.to_numpy()
    if (
        not table.index.is_unique
        or not names.is_unique
        or len(table) != len(names)
        or not names.isin(table.index).all()
    ):
        raise BadCodesError(
            f"{what} returned a table whose rows are not the cells: {int(names.isin(table.index).sum())} of "
            f"{len(names)} are there. Index it by adata.obs_names, or return an array."
        )
    return table.loc[names].to_numpy()


def _dense(values: Any) -> Any:
    return values.toarray() if sparse.issparse(values) else values
