"""A test of many contrasts in many embeddings at once that keeps the rate of any false alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._log_components import group_means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from ._batch_groups import BatchGroups, Contrasts

_BLOCK = 32
_DRAWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class MaxT:
    """What the test found, shape ``(n_embeddings, n_contrasts)`` each.

    Attributes
    ----------
    statistic
        Loss beyond the margin in standard errors, NaN where a contrast is not judged.
    p
        Adjusted p values, NaN where a contrast is not judged.
    error
        Standard error of the statistic's numerator.
    error_of_lost
        Standard error of the share lost.
    largest
        Largest statistic of each draw under the null, shape ``(n_bootstrap,)``.
    """

    statistic: NDArray[np.float64]
    p: NDArray[np.float64]
    error: NDArray[np.float64]
    error_of_lost: NDArray[np.float64]
    largest: NDArray[np.float64]


def shown_contrasts(
    scores: NDArray[np.float64],
    near: sparse.csr_matrix,
    groups: BatchGroups,
    contrasts: Contrasts,
    axes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the share of each contrast that the neighbourhoods of its cells show."""
    means = group_means(near @ scores, groups.of_cell, len(groups.size))
    return (contrasts.differences(means) * axes).sum(axis=1)


def max_t(
    scores: NDArray[np.float64],
    around: Mapping[str, sparse.csr_matrix],
    groups: BatchGroups,
    contrasts: Contrasts,
    axes: NDArray[np.float64],
    shown: Mapping[str, NDArray[np.float64]],
    reference: str,
    others: Sequence[str],
    judged: NDArray[np.bool_],
    margin: float,
    n_bootstrap: int,
    seed: int,
) -> MaxT:
    """Test all contrasts in all embeddings but the reference; p values are NaN where a contrast is not judged."""
    shape = (len(others), len(axes))
    statistic, error, error_of_lost = np.full(shape, -np.inf), np.full(shape, np.nan), np.full(shape, np.nan)
    largest = np.full(n_bootstrap, -np.inf)
    back = {name: near.T.tocsr() for name, near in around.items()}
    means = {name: near @ scores for name, near in around.items()}
    columns = np.flatnonzero(shown[reference] > 0)
    for begin in range(0, len(columns), _BLOCK):
        block = columns[begin : begin + _BLOCK]
        weight = _weights(groups, contrasts, block)
        projected = scores @ axes[block].T
        part = {name: _influence(projected, means[name] @ axes[block].T, back[name], weight) for name in around}
        before = shown[reference][block]
        for i, name in enumerate(others):
            now = shown[name][block]
            effect = (1 - margin) * part[reference] - part[name]
            error[i, block] = np.sqrt((effect**2).sum(axis=0))
            lost = part[reference] * (now / before) - part[name]
            error_of_lost[i, block] = np.sqrt((lost**2).sum(axis=0)) / before
            used = np.flatnonzero(judged[block] & (error[i, block] > 0))
            if not len(used):
                continue
            chosen = block[used]
            statistic[i, chosen] = ((1 - margin) * before[used] - now[used]) / error[i, chosen]
            drawn = (effect[:, used] / error[i, chosen]).astype(np.float32)
            np.maximum(largest, _largest(drawn, n_bootstrap, seed), out=largest)
    p = (1 + (largest[None, None] >= statistic[..., None]).sum(axis=-1)) / (1 + n_bootstrap)
    used = np.isfinite(statistic)
    return MaxT(np.where(used, statistic, np.nan), np.where(used, p, np.nan), error, error_of_lost, largest)


def _weights(groups: BatchGroups, contrasts: Contrasts, block: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weights of the cells in each contrast of a block; a cell in no group has none."""
    of_groups = contrasts.sides[block].T / groups.size[:, None]
    return np.vstack([of_groups, np.zeros(len(block))])[groups.of_cell]


def _influence(
    projected: NDArray[np.float64], around: NDArray[np.float64], back: sparse.csr_matrix, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the influence of each cell on what is shown of contrasts, in the groups and as a neighbour of these."""
    found = projected * (back @ weight) - back @ (weight * around)
    for sign in (-1, 1):
        side = weight * sign > 0
        n = np.maximum(side.sum(axis=0), 2)
        mean = (around * side).sum(axis=0) / n
        # Cells of a group vary around a mean of their own: n - 1 of them are free.
        found += weight * side * (around - mean) * np.sqrt(n / (n - 1))
    return found


def _largest(effects: NDArray[np.float32], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return the largest standardised sum of each draw; equal seeds draw equal multipliers for all blocks."""
    rng = np.random.default_rng(seed)
    found = np.empty(n_bootstrap)
    for begin in range(0, n_bootstrap, _DRAWS_AT_ONCE):
        end = min(begin + _DRAWS_AT_ONCE, n_bootstrap)
        drawn = rng.standard_normal((end - begin, len(effects)), dtype=np.float32)
        found[begin:end] = (drawn @ effects).max(axis=1)
    return found
