"""Check whether the codes that a method or a user's function returns belong to these cells, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_CELLS, _MAX_CELLS, _N_NEIGHBORS = 50, 500, 10
_MIN_STRUCTURE = 0.05
"""A batch has structure if neighbours are nearer than random cells by this share of the variance."""
_MIN_SHARE = 0.15
"""Codes below this share of the similarity of the reference do not follow the cells."""


class BadCodesError(ValueError):
    """The returned value is no embedding of the cells."""


def read_codes(returned: Any, names: pd.Index, label: str) -> NDArray[np.float32]:
    """Return codes in the order of the cells.

    Parameters
    ----------
    returned
        Returned value: an array, or a table or AnnData whose rows have the names of the cells.
    names
        Names of the cells.
    label
        Name of the method or function that returned it, for messages.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    Raises
    ------
    BadCodesError
        If it is no matrix of finite numbers with one row per cell.
    """
    if returned is None:
        raise BadCodesError(f"{label} returned nothing: let it return the codes, one row per cell.")
    if isinstance(returned, AnnData):
        returned = pd.DataFrame(_dense(returned.X), index=returned.obs_names)
    if isinstance(returned, pd.DataFrame):
        returned = _by_name(returned, names, label)
    try:
        codes = np.asarray(_dense(returned), dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadCodesError(f"{label} returned {type(returned).__name__}, no matrix of numbers.") from error
    if codes.ndim != 2 or len(codes) != len(names) or codes.shape[1] == 0:
        raise BadCodesError(f"{label} returned shape {codes.shape}; {len(names)} cells need ({len(names)}, n_latent).")
    if not np.isfinite(codes).all():
        n_bad = int((~np.isfinite(codes)).any(axis=1).sum())
        raise BadCodesError(f"{label} returned codes that are not finite, in {n_bad} of {len(names)} cells.")
    return codes.astype(np.float32)


def check_codes_match_cells(
    codes: NDArray[Any], components: NDArray[np.float64], batch: NDArray[Any], label: str, *, seed: int
) -> None:
    """Raise an error if, in some batch, neighbours by the codes are no more alike than random cells.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``.
    components
        Principal components of the same cells.
    batch
        Batch of each cell.
    label
        Name of the method or function that returned the codes, for messages.
    seed
        Seed of the sample of cells that is checked.

    Raises
    ------
    BadCodesError
        If codes carry no information about the cells: their order differs, or all structure is lost.
    """
    rng = np.random.default_rng([seed, 11])
    for level in np.unique(batch):
        rows = np.flatnonzero(batch == level)
        if len(rows) < _MIN_CELLS:
            continue
        rows = np.sort(rng.choice(rows, min(len(rows), _MAX_CELLS), replace=False))
        reference = components[rows]
        reference_similarity = _neighbor_similarity(reference, reference)
        if (
            reference_similarity > _MIN_STRUCTURE
            and _neighbor_similarity(np.asarray(codes[rows], dtype=np.float64), reference)
            < _MIN_SHARE * reference_similarity
        ):
            raise BadCodesError(
                f"{label} returned codes that do not follow the cells: in batch {str(level)!r} neighbours by them are "
                "no more alike than random cells. Return one row per cell in the order of adata.obs_names, or a table "
                "indexed by them. Codes that have lost all structure look the same."
            )


def _neighbor_similarity(codes: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Return how much nearer neighbours by codes are than random cells, as a share of the variance of a reference."""
    neighbors = NearestNeighbors(n_neighbors=_N_NEIGHBORS + 1).fit(codes).kneighbors(codes, return_distance=False)
    distance = np.square(reference[neighbors[:, 1:]] - reference[:, None]).sum(axis=2).mean()
    return 1.0 - float(distance / max(2 * reference.var(axis=0).sum(), np.finfo(float).tiny))


def _by_name(table: pd.DataFrame, names: pd.Index, label: str) -> NDArray[Any]:
    """Return the rows of a table in the order of the cells."""
    if table.index.equals(names):
        return table.to_numpy()
    if (
        not table.index.is_unique
        or not names.is_unique
        or len(table) != len(names)
        or not names.isin(table.index).all()
    ):
        raise BadCodesError(
            f"{label} returned a table whose rows are not the cells: {int(names.isin(table.index).sum())} of "
            f"{len(names)} are there. Index it by adata.obs_names, or return an array."
        )
    return table.loc[names].to_numpy()


def _dense(values: Any) -> Any:
    return values.toarray() if sparse.issparse(values) else values
