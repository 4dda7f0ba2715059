"""Groups of cells that the alarm speaks of, as a column of ``obs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.metrics import LostContrasts


def groups_column(
    lost: LostContrasts, judged: pd.Index, rows: NDArray[np.int64] | None, cells: pd.Index
) -> pd.Categorical[str]:
    """Group of each cell by name, as :func:`scpareto.tl.lost` names it; missing for cells in none.

    Parameters
    ----------
    lost
        Groups of the judged cells.
    judged
        Names of the cells that judged ones are a part of.
    rows
        Rows of the judged cells among them; None for all.
    cells
        Names of the cells of the column: the same ones, or those of a MuData, of which a modality holds some.
    """
    codes = np.full(len(judged), -1)
    codes[slice(None) if rows is None else rows] = lost.groups
    if len(cells) != len(judged) or not cells.equals(judged):
        at = judged.get_indexer(cells)
        codes = np.where(at >= 0, codes[at], -1)
    return pd.Categorical.from_codes(codes, categories=pd.Index(lost.names))
