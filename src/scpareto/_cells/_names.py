"""Who a cell is: rows follow the names of cells, or it is said that cells differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells._split import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def format_names(names: Iterable[Any], nothing: str = "none") -> str:
    """Names as errors list them; None is left out, by which anndata 0.13 calls ``X`` among the layers."""
    return ", ".join(repr(name) for name in names if name is not None) or nothing


def rows_by_name(
    wanted: Sequence[Any], names: Sequence[Any], *, of: str, within: str, some: bool = False, old_names: str = ""
) -> NDArray[np.int64] | None:
    """Find cells by their names.

    Parameters
    ----------
    wanted
        Names of the cells that are looked for.
    names
        Names of the cells among which they are.
    of, within
        What errors call the two, for example ``"adata"`` and ``"the data of the model"``.
    some
        Whether further cells in ``names`` do no harm.
    old_names
        Python that gives the names which ``adata`` should have, for those who have renamed all cells.

    Returns
    -------
    Row in ``names`` of each wanted cell; None where both are the same cells in the same order.

    Raises
    ------
    ValueError
        If cells differ, or names that are not unique do not tell which cell is which.
    """
    looked_for, own = pd.Index(wanted), pd.Index(names)
    if len(looked_for) == len(own) and bool((looked_for == own).all()):
        return None
    for index, what in ((looked_for, of), (own, within)):
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise ValueError(
                f"{of} and {within} do not have the same cells in the same order, and names do not tell which cell is "
                f"which: {what} has {twice!r} more than once. Give the cells in the order of {within}, under its names."
            )
    rows = own.get_indexer(looked_for)
    missing = looked_for[rows < 0]
    further = own.difference(looked_for, sort=False)
    if len(missing) or (len(further) and not some):
        differing = [
            f"{len(cells)} of {len(index)} cells of {here} are not in {there}, the first is {cells[0]!r}"
            for cells, index, here, there in ((missing, looked_for, of, within), (further, own, within, of))
            if len(cells) and not (here == within and some)
        ]
        told = f"Cells differ: {'; '.join(differing)}. Cells are known by their obs_names."
        if old_names and len(missing) == len(looked_for) == len(own):
            told += (
                " If they are the same cells in the same order under new names, say so by giving them the old ones: "
                f"adata.obs_names = {old_names}"
            )
        raise ValueError(told)
    return rows.astype(np.int64)


def split_by_name(split: Split, known: Sequence[str] | None, names: Sequence[Any]) -> Split:
    """Parts of a split in data whose cells may lie in another order.

    Parameters
    ----------
    split
        Rows of the parts in the data that were split.
    known
        Names of all cells of these data; None where they were not kept, as by earlier versions.
    names
        Names of the cells of the present data.

    Raises
    ------
    ValueError
        If cells differ, or are fewer than the split knows where it holds no names.
    """
    if known is None:
        last = max((int(part[-1]) for _, part in split.items() if len(part)), default=-1)
        if last >= len(names):
            raise ValueError(
                f"Cells differ: adata has {len(names)} cells, and the model was trained on {last + 1} or more. It was "
                "saved without their names: give the same cells in the same order."
            )
        return split
    # ``front`` is ``model.front``, or what ``fit_front`` returned.
    old_names = 'front.metadata["cell_names"]'
    rows = rows_by_name(known, names, of="The training", within="adata", old_names=old_names)
    return split if rows is None else Split(*(np.sort(rows[part]) for _, part in split.items()))


def values_by_name(values: Any, names: pd.Index[Any], what: str) -> Any:
    """Values of cells in their order: those of a series with other names than numbers follow them.

    Raises
    ------
    ValueError
        If a series is one of other cells.
    """
    if not isinstance(values, pd.Series) or isinstance(values.index, pd.RangeIndex) or len(values) != len(names):
        return values
    rows = rows_by_name(list(names), list(values.index), of="adata", within=what)
    return values if rows is None else values.iloc[rows]
