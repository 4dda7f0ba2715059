"""Positive controls of a front: genes whose pattern across cells a correction must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.metrics import genes_kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from scpareto.front._judged_frame import JudgedFrame


def measure_control_genes(
    frame: JudgedFrame, codes: Mapping[str, NDArray[np.floating]], genes: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """Measure how much of the pattern of control genes each place keeps, relative to the least corrected one.

    Parameters
    ----------
    frame
        Frame by which codes are judged.
    codes
        Posterior means of all judged cells by name of the place, the least corrected one first.
    genes
        Log-normalised expression of each gene in all judged cells, by name.

    Returns
    -------
    One row per gene and place, see :func:`scpareto.metrics.genes_kept`.
    """
    return genes_kept(
        np.column_stack([frame.take(values) for values in genes.values()]),
        {name: frame.take(values) for name, values in codes.items()},
        frame.frame.batch,
        reference=next(iter(codes)),
        genes=list(genes),
        populations=frame.frame.labels,
        seed=frame.frame.seed,
    )


def add_control_genes(columns: dict[str, dict[str, Any]], table: pd.DataFrame) -> None:
    """Add columns of control genes in place; a lost control gene also sets the alarm of a place.

    Adds ``<gene>_kept`` in %. The least corrected place has 100.
    """
    first = next(iter(columns))
    for gene, rows in table.groupby("gene", sort=False):
        gene_rows = rows.set_index("embedding")
        columns[first][f"{gene}_kept"] = 100.0
        for name, row in gene_rows.iterrows():
            column = columns[str(name)]
            column[f"{gene}_kept"] = float(row["kept"])
            if not bool(row["alarm"]):
                continue
            share = 1 - float(row["kept"]) / 100
            if column.get("alarm", 0.0) < 1 or share > column["structure_lost"]:
                column |= {"structure_lost": share, "structure_lost_most": f"control gene {gene}"}
            column["alarm"] = 1.0
