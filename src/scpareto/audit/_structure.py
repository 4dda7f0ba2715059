"""Differences between cells that the points of a front keep, and the alarm of points that have erased some."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto.audit._alarm import compute_alarm, compute_contrast_losses
from scpareto.metrics import ContrastRetention, contrast_of_gene, contrast_retention, contrasts_within_batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Front

_N_NEIGHBORS = 15


class StructureJudge:
    """Differences that codes should keep: between groups of cells within batches, and in positive controls.

    Parameters
    ----------
    expression
        Reference representation of all cells, shape ``(n_cells, n_components)``, usually principal components of
        log-normalised expression.
    batch
        Batch of all cells, shape ``(n_cells,)``.
    held_out
        Rows that are judged: cells without gradients, validation cells included, because groups are small.
    control_genes
        Log-normalised expression of genes whose pattern must survive, by name, each of shape ``(n_cells,)``.
    seed
        Seed of the groups.

    Examples
    --------
    >>> import numpy as np
    >>> from scpareto.audit import StructureJudge
    >>> batch, types = np.repeat(["a", "b"], 200), np.tile(np.repeat([0.0, 9.0], 100), 2)
    >>> expression = types[:, None] + np.random.default_rng(0).normal(size=(400, 2))
    >>> kept = StructureJudge(expression, batch, np.arange(400), control_genes={"XIST": types})(expression)
    >>> kept["names"][-1], round(kept["value"][-1].item(), 1)
    ('XIST', 1.0)
    """

    def __init__(
        self,
        expression: NDArray[np.float64],
        batch: ArrayLike,
        held_out: NDArray[np.int64],
        *,
        control_genes: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
    ) -> None:
        self._held_out = held_out
        self._contrasts = contrasts_within_batches(expression, batch, seed=seed)
        genes = {name: np.asarray(values, dtype=np.float64) for name, values in (control_genes or {}).items()}
        # Genes are additional columns, which the other contrasts do not use.
        self._expression = np.column_stack([expression, *genes.values()])
        width, n_columns = expression.shape[1], self._expression.shape[1]
        self._contrasts = [replace(c, axis=np.r_[c.axis, np.zeros(n_columns - width)]) for c in self._contrasts]
        self.names = [f"{c.name}: {' | '.join(str(len(group)) for group in c.groups)} cells" for c in self._contrasts]
        for column, (name, values) in enumerate(genes.items(), start=width):
            self._contrasts.append(contrast_of_gene(name, values, column, n_columns))
            self.names.append(name)

    def __call__(self, codes: NDArray[np.float64]) -> dict[str, Any]:
        """Measure how much of each difference codes of shape ``(n_cells, n_latent)`` keep.

        Returns
        -------
        dict
            Tensors and plain types, the input of :func:`set_alarm`.
        """
        n_neighbors = min(_N_NEIGHBORS, len(codes) - 1)
        kept = contrast_retention(
            codes, self._expression, self._contrasts, cells=self._held_out, n_neighbors=n_neighbors
        )
        flat = [side for pair in kept.shown for side in pair]
        return {
            "names": list(self.names),
            "value": torch.from_numpy(kept.value),
            "shown": torch.from_numpy(np.concatenate([*flat, np.empty(0)]).astype(np.float32)),
            "sizes": [len(side) for side in flat],
            "witnesses": [list(pair) for pair in kept.n_independent],
        }


def _from_plain(plain: Mapping[str, Any]) -> ContrastRetention:
    ends = np.cumsum(plain["sizes"]).astype(int)
    sides = np.split(plain["shown"].numpy().astype(np.float64), ends)[:-1]
    pairs = list(zip(sides[::2], sides[1::2], strict=True))
    return ContrastRetention(plain["value"].numpy(), pairs, [(one, other) for one, other in plain["witnesses"]])


def set_alarm(front: Front, structures: Mapping[int, Mapping[str, Any]]) -> None:
    """Write the alarm of each point into a front.

    Adds the columns ``structure_lost``, the largest share of a difference that a point has certainly lost against less
    corrected points (:func:`compute_contrast_losses`), ``structure_lost_most``, the name of that difference or
    ``"none"``, and ``alarm`` (:func:`compute_alarm`).

    Parameters
    ----------
    front
        The front.
    structures
        Results of one :class:`StructureJudge` for its points, by number.

    Examples
    --------
    The second point has merged the two types that the first one separates:

    >>> import numpy as np
    >>> from scpareto.audit import StructureJudge, set_alarm
    >>> from scpareto.pareto import Front
    >>> front = Front(objectives=["generative_loss", "mmd"], method="scalarization", n_expected=2)
    >>> for number, share in enumerate([0.1, 0.9]):
    ...     row = {"point": number, "preference_generative_loss": 1 - share, "preference_mmd": share}
    ...     front.add(row | {"kind": "candidate"})
    >>> types = np.repeat([0.0, 9.0], 100)
    >>> expression = types[:, None] + np.random.default_rng(0).normal(size=(200, 2))
    >>> structure = StructureJudge(expression, np.repeat("a", 200), np.arange(200))
    >>> set_alarm(front, {0: structure(expression), 1: structure(expression - types[:, None])})
    >>> front.table["alarm"].round(2).tolist()
    [0.03, 1.0]
    """
    numbers = [number for number in front.numbers if number in structures]
    if not numbers:
        return
    names = structures[numbers[0]]["names"]
    correction = 1 - front.preferences[[front.numbers.index(n) for n in numbers], 0]
    lost = compute_contrast_losses([_from_plain(structures[n]) for n in numbers], correction)
    alarms = compute_alarm(lost)
    for row, number in enumerate(numbers):
        most = int(lost[row].argmax()) if len(names) else 0
        largest = float(lost[row, most]) if len(names) else float("nan")
        columns = {"structure_lost": largest, "structure_lost_most": names[most] if largest > 0 else "none"}
        front.update(number, columns | {"alarm": float(alarms[row])})
