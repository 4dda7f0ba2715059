"""The frame by which points of a front are judged, and its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scpareto.audit import build_frame

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from scpareto._cells import Split
    from scpareto.audit import Frame

_MIN_CELLS = 20
"""Smallest number of cells of a batch that can be judged."""


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """The frame of a front.

    Parameters
    ----------
    frame
        Frame by which codes are judged.
    rows
        Judged cells in the frame; None for all.
    scored
        Test cells among these; None if there are too few and all cells are scored.
    parts
        Training, validation and test cells among these, by name.
    notes
        Notes on the cells for the reader.
    """

    frame: Frame
    rows: NDArray[np.int64] | None
    scored: NDArray[np.int64] | None
    parts: dict[str, NDArray[np.int64]]
    notes: tuple[str, ...]

    def take(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Select the rows of its cells from values of all judged cells."""
        return np.asarray(codes if self.rows is None else codes[self.rows], dtype=np.float64)


def make_judged_frame(
    expression: Any,
    levels: NDArray[Any],
    split: Split,
    *,
    is_counts: bool,
    genes: list[str],
    seed: int,
) -> JudgedFrame | None:
    """Make the frame by which points of a front are judged.

    Batches of fewer than 20 test cells are left out. If fewer than two batches remain, all cells are scored, including
    those that trained the model.

    Parameters
    ----------
    expression
        Registered expression of the judged cells, shape ``(n_cells, n_genes)``.
    levels
        Level of the judged nuisance of each cell, shape ``(n_cells,)``.
    split
        Rows of the training, validation and test cells.
    is_counts
        Whether the expression is counts.
    genes
        Names of the genes.
    seed
        Seed of all random numbers.

    Returns
    -------
    The frame; None if fewer than two batches have enough cells.
    """
    test, parts = split.test, dict(split.items())
    names, n_cells = np.unique(levels, return_counts=True)
    n_test = np.array([(levels[test] == level).sum() for level in names])
    enough = names[n_test >= _MIN_CELLS]
    notes: list[str] = []
    scored: NDArray[np.int64] | None = test
    if len(enough) < 2:
        scored, enough = None, names[n_cells >= _MIN_CELLS]
        notes.append(
            f"Fewer than two batches have {_MIN_CELLS} test cells: points are judged on all cells, those that "
            "trained the model included."
        )
    if len(enough) < 2:
        return None
    rows = None
    if excluded := [str(level) for level in names if level not in enough]:
        notes.append(f"Too few cells to judge: {', '.join(excluded)}.")
        rows = np.flatnonzero(np.isin(levels, enough))
        scored = None if scored is None else np.flatnonzero(np.isin(rows, scored))
        parts = {name: np.flatnonzero(np.isin(rows, part)) for name, part in parts.items()}
        expression, levels = expression[rows], levels[rows]
    frame = build_frame(expression, levels, is_counts=is_counts, genes=genes, seed=seed)
    return JudgedFrame(frame, rows, scored, parts, tuple(notes))
