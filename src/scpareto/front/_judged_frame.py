"""What the points of a front are judged by, and on which cells."""

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

_LEAST_CELLS = 20
"""Cells of a batch below which nothing can be said about it."""


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """The frame of a front.

    Parameters
    ----------
    frame
        What codes are judged by.
    rows
        The judged cells of which it is; None for all.
    scored
        Test cells among these; None where there are too few and all cells are scored.
    parts
        Training, validation and test cells among these, by name.
    notes
        What a reader must know of the cells.
    """

    frame: Frame
    rows: NDArray[np.int64] | None
    scored: NDArray[np.int64] | None
    parts: dict[str, NDArray[np.int64]]
    notes: tuple[str, ...]

    def take(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Codes of its cells, of codes of all judged cells."""
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
    """Find what the points of a front are judged by.

    Batches of fewer than 20 test cells are left out. Where fewer than two are left, all cells are scored, those that
    trained the model included.

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
        Seed of everything that is drawn.

    Returns
    -------
    The frame; None where fewer than two batches have enough cells.
    """
    test, parts = split.test, dict(split.items())
    known, of_all = np.unique(levels, return_counts=True)
    of_test = np.array([(levels[test] == level).sum() for level in known])
    enough = known[of_test >= _LEAST_CELLS]
    notes: list[str] = []
    scored: NDArray[np.int64] | None = test
    if len(enough) < 2:
        scored, enough = None, known[of_all >= _LEAST_CELLS]
        notes.append(
            f"Fewer than two batches have {_LEAST_CELLS} test cells: points are judged on all cells, those that "
            "trained the model included."
        )
    if len(enough) < 2:
        return None
    rows = None
    if left_out := [str(level) for level in known if level not in enough]:
        notes.append(f"Too few cells to judge: {', '.join(left_out)}.")
        rows = np.flatnonzero(np.isin(levels, enough))
        scored = None if scored is None else np.flatnonzero(np.isin(rows, scored))
        parts = {name: np.flatnonzero(np.isin(rows, part)) for name, part in parts.items()}
        expression, levels = expression[rows], levels[rows]
    frame = build_frame(expression, levels, is_counts=is_counts, genes=genes, seed=seed)
    return JudgedFrame(frame, rows, scored, parts, tuple(notes))
