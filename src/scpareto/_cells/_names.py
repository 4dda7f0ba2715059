"""Match cells by their names, or raise an error that says how the cells differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells._split import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def format_names(names: Iterable[Any], nothing: str = "none") -> str:
    """Format names for errors. None is left out: it is the key of ``X`` among the layers of anndata 0.13."""
    return ", ".join(repr(name) for name in names if name is not None) or nothing


def rows_by_name(
    wanted: Sequence[Any], names: Sequence[Any], *, of: str, within: str, some: bool = False, old_names: str = ""
) -> NDArray[np.int64] | None:
    """Return the rows of cells, found by their names.

    Parameters
    ----------
    wanted
        Names of the cells to find.
    names
        Names of the cells to search.
    of, within
        Descriptions of the two for errors, for example ``"adata"`` and ``"the data of the model"``.
    some
        Whether ``names`` may hold further cells.
    old_names
        Python expression for the names that ``adata`` should have; the error shows it if all names differ.

    Returns
    -------
    Row in ``names`` of each wanted cell; None if both hold the same cells in the same order.

    Raises
    ------
    ValueError
        If cells differ, or names are not unique and the order differs.
    """
    wanted_names, all_names = pd.Index(wanted), pd.Index(names)
    if len(wanted_names) == len(all_names) and bool((wanted_names == all_names).all()):
        return None
    for index, description in ((wanted_names, of), (all_names, within)):
        if not index.is_unique:
            duplicate = index[index.duplicated()][0]
            raise ValueError(
                f"{of} and {within} do not have the same cells in the same order, and names do not tell which cell is "
                f"which: {description} has {duplicate!r} more than once. Give the cells in the order of {within}, "
                "under its names."
            )
    rows = all_names.get_indexer(wanted_names)
    missing = wanted_names[rows < 0]
    further = all_names.difference(wanted_names, sort=False)
    if len(missing) or (len(further) and not some):
        differing = [
            f"{len(cells)} of {len(index)} cells of {source} are not in {target}, the first is {cells[0]!r}"
            for cells, index, source, target in ((missing, wanted_names, of, within), (further, all_names, within, of))
            if len(cells) and not (source == within and some)
        ]
        message = f"Cells differ: {'; '.join(differing)}. Cells are known by their obs_names."
        if old_names and len(missing) == len(wanted_names) == len(all_names):
            message += (
                " If they are the same cells in the same order under new names, say so by giving them the old ones: "
                f"adata.obs_names = {old_names}"
            )
        raise ValueError(message)
    return rows.astype(np.int64)


def split_by_name(split: Split, split_names: Sequence[str] | None, names: Sequence[Any]) -> Split:
    """Return a split for data whose cells may be in another order.

    Parameters
    ----------
    split
        Rows of the parts in the data that were split.
    split_names
        Names of all cells of these data; None for models of earlier versions, which did not save them.
    names
        Names of the cells of the present data.

    Raises
    ------
    ValueError
        If cells differ, or if the split has no names and refers to more cells than there are.
    """
    if split_names is None:
        last = max((int(part[-1]) for _, part in split.items() if len(part)), default=-1)
        if last >= len(names):
            raise ValueError(
                f"Cells differ: adata has {len(names)} cells, and the model was trained on {last + 1} or more. It was "
                "saved without their names: give the same cells in the same order."
            )
        return split
    # ``front`` is ``model.front``, or the return value of ``fit_front``.
    old_names = 'front.metadata["cell_names"]'
    rows = rows_by_name(split_names, names, of="The training", within="adata", old_names=old_names)
    return split if rows is None else Split(*(np.sort(rows[part]) for _, part in split.items()))


def values_by_name(values: Any, names: pd.Index[Any], what: str) -> Any:
    """Return values in the order of the cells: a series with cell names as its index is reordered by them.

    Raises
    ------
    ValueError
        If the series is of other cells.
    """
    if not isinstance(values, pd.Series) or isinstance(values.index, pd.RangeIndex) or len(values) != len(names):
        return values
    rows = rows_by_name(list(names), list(values.index), of="adata", within=what)
    return values if rows is None else values.iloc[rows]
