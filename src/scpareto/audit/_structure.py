"""What every point of a front keeps of the differences between cells, and which points have erased some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.audit._alarm import alarm, contrast_lost
from scpareto.metrics import contrast_retention, contrasts_within_batches, neighborhood_signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Front

_N_NEIGHBORS = 15


class Structure:
    """Differences that codes should keep: between groups of cells within batches, and in positive controls.

    Parameters
    ----------
    expression
        Reference representation of all cells, shape ``(n_cells, n_components)``, as a rule principal components of
        log-normalised expression.
    batch
        Batch of all cells, shape ``(n_cells,)``.
    test_indices
        Rows that are judged.
    control_genes
        Log-normalised expression of genes whose pattern must survive, by name, each of shape ``(n_cells,)``.
    seed
        Seed of the groups.
    """

    def __init__(
        self,
        expression: NDArray[np.float64],
        batch: ArrayLike,
        test_indices: NDArray[np.int64],
        *,
        control_genes: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
    ) -> None:
        self._expression = expression
        self._test = test_indices
        self._contrasts = contrasts_within_batches(expression, batch, seed=seed)
        genes = control_genes or {}
        self._controls = np.column_stack([np.asarray(x, dtype=np.float64) for x in genes.values()]) if genes else None
        sizes = [f"{len(c.groups[0])} | {len(c.groups[1])}" for c in self._contrasts]
        self.names = [f"{c.batch}: {size} cells" for c, size in zip(self._contrasts, sizes, strict=True)] + list(genes)

    def __call__(self, codes: NDArray[np.float64]) -> dict[str, list[Any]]:
        """Measure what codes of shape ``(n_cells, n_latent)`` keep of each difference.

        Returns
        -------
        dict
            ``names``, ``value`` and ``standard_error``, lists of equal length, in plain types.
        """
        n_neighbors = min(_N_NEIGHBORS, len(codes) - 1)
        found = contrast_retention(codes, self._expression, self._contrasts, cells=self._test, n_neighbors=n_neighbors)
        value, error = found.value, found.standard_error
        if self._controls is not None:
            signal = neighborhood_signal(codes, self._controls, cells=self._test, n_neighbors=n_neighbors)
            value = np.r_[value, signal]
            error = np.r_[error, (1 - signal**2) / np.sqrt(max(len(codes) / n_neighbors, 2.0))]
        return {"names": list(self.names), "value": value.tolist(), "standard_error": error.tolist()}


def set_alarm(front: Front, structures: Mapping[int, Mapping[str, list[Any]]]) -> None:
    """Write into a front which points have erased differences between cells.

    Adds the columns ``structure_lost``, the largest share of a difference that a point has certainly lost against less
    corrected points (:func:`contrast_lost`), ``structure_lost_most``, the name of that difference, empty where nothing
    is lost, and ``alarm`` (:func:`alarm`).

    Parameters
    ----------
    front
        The front.
    structures
        What each of its points keeps, by number, of one :class:`Structure`.
    """
    numbers = [number for number in front.numbers if number in structures]
    if not numbers:
        return
    names = structures[numbers[0]]["names"]
    value, error = (
        np.array([structures[n][key] for n in numbers]).reshape(len(numbers), len(names))
        for key in ("value", "standard_error")
    )
    correction = 1 - front.preferences[[front.numbers.index(n) for n in numbers], 0]
    lost = contrast_lost(value, error, correction)
    alarms = alarm(lost)
    for row, number in enumerate(numbers):
        most = int(lost[row].argmax()) if len(names) else 0
        largest = float(lost[row, most]) if len(names) else float("nan")
        told = {"structure_lost": largest, "structure_lost_most": names[most] if largest > 0 else ""}
        front.update(number, told | {"alarm": float(alarms[row])})
