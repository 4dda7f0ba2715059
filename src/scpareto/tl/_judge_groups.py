"""Groups of cells that the alarm compares, as a column of ``obs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.metrics import LostContrasts


def make_groups_column(
    lost: LostContrasts, names_of_all: pd.Index, rows: NDArray[np.int64] | None, cells: pd.Index
) -> pd.Categorical[str]:
    """Return the group of each cell, named as in :func:`scpareto.tl.lost`; missing for cells in no group.

    Parameters
    ----------
    lost
        Groups of the judged cells.
    names_of_all
        Names of all cells of the judged AnnData.
    rows
        Rows of the judged cells among them; None for all.
    cells
        Names of the cells of the column: the same cells, or those of a MuData.
    """
    codes = np.full(len(names_of_all), -1)
    codes[slice(None) if rows is None else rows] = lost.groups
    if len(cells) != len(names_of_all) or not cells.equals(names_of_all):
        position = names_of_all.get_indexer(cells)
        codes = np.where(position >= 0, codes[position], -1)
    return pd.Categorical.from_codes(codes, categories=pd.Index(lost.names))
