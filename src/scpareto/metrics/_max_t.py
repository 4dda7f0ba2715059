"""A test of many contrasts in many embeddings at once that keeps the rate of any false alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from scpareto.metrics._log_components import group_means, membership

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from scpareto.metrics._batch_groups import BatchGroups, Contrasts

_BLOCK = 32
_DRAWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class MaxT:
    """What the test found, shape ``(n_embeddings, n_contrasts)`` each.

    Attributes
    ----------
    statistic
        Loss beyond the margin in standard errors, NaN where a contrast is not judged. Where samples add to the error,
        of which there are few, the normal quantile of what Student's distribution makes of it.
    p
        Adjusted p values, NaN where a contrast is not judged.
    error
        Standard error of the statistic's numerator.
    error_of_lost
        Standard error of the share lost.
    freedom
        Degrees of freedom of the standard errors; infinite where samples add nothing to it.
    largest
        Largest statistic of each draw under the null, shape ``(n_bootstrap,)``.
    """

    statistic: NDArray[np.float64]
    p: NDArray[np.float64]
    error: NDArray[np.float64]
    error_of_lost: NDArray[np.float64]
    freedom: NDArray[np.float64]
    largest: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of the cells, whose cells are not independent.

    Attributes
    ----------
    of_cell
        Sample of each cell, those of each batch numbered apart.
    in_batch
        Samples of the batch of each contrast.
    on_side
        Samples that the side with fewer of them has, each counted by its share of the cells (one over the sum of
        squared shares).
    """

    of_cell: NDArray[np.int64]
    in_batch: NDArray[np.float64]
    on_side: NDArray[np.float64]


def samples_of(unit: NDArray[np.int64], batch: NDArray[np.int64], groups: BatchGroups, contrasts: Contrasts) -> Samples:
    """Return which samples cells and sides of contrasts come from."""
    counts = np.asarray(
        (membership(groups.of_cell, len(groups.size)) @ membership(unit, int(unit.max()) + 1).T).todense()
    )
    n_samples = np.array([len(np.unique(unit[batch == b])) for b in range(int(batch.max()) + 1)], dtype=np.float64)
    on_side = np.full(len(contrasts.sides), np.inf)
    for sign in (-1, 1):
        cells = (contrasts.sides * sign > 0) @ counts
        on_side = np.minimum(on_side, cells.sum(axis=1) ** 2 / np.maximum((cells**2).sum(axis=1), 1))
    return Samples(unit, n_samples[contrasts.batch], on_side)


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
    samples: Samples | None = None,
) -> MaxT:
    """Test all contrasts in all embeddings but the reference; p values are NaN where a contrast is not judged."""
    shape = (len(others), len(axes))
    statistic, error, error_of_lost = np.full(shape, -np.inf), np.full(shape, np.nan), np.full(shape, np.nan)
    freedom = np.full(shape, np.inf)
    largest = np.full(n_bootstrap, -np.inf)
    back = {name: near.T.tocsr() for name, near in around.items()}
    means = {name: near @ scores for name, near in around.items()}
    columns = np.flatnonzero(shown[reference] > 0)
    for begin in range(0, len(columns), _BLOCK):
        block = columns[begin : begin + _BLOCK]
        weight = _weights(groups, contrasts, block)
        projected = scores @ axes[block].T
        part = {name: _influence(projected, means[name] @ axes[block].T, back[name], weight) for name in around}
        before, standardised = shown[reference][block], []
        for i, name in enumerate(others):
            now = shown[name][block]
            effect = (1 - margin) * part[reference] - part[name]
            parts, error[i, block], freedom[i, block] = _spread(effect, samples, block)
            lost = part[reference] * (now / before) - part[name]
            error_of_lost[i, block] = _spread(lost, samples, block)[1] / before
            used = np.flatnonzero(judged[block] & (error[i, block] > 0))
            if not len(used):
                continue
            chosen = block[used]
            t = ((1 - margin) * before[used] - now[used]) / error[i, chosen]
            few = np.isfinite(freedom[i, chosen])
            t[few] = norm.isf(student.sf(t[few], freedom[i, chosen][few]))
            statistic[i, chosen] = t
            standardised.append((parts[:, used] / error[i, chosen]).astype(np.float32))
        if standardised:
            np.maximum(largest, _largest(np.hstack(standardised), n_bootstrap, seed), out=largest)
    p = (1 + (largest[None, None] >= statistic[..., None]).sum(axis=-1)) / (1 + n_bootstrap)
    used = np.isfinite(statistic)
    return MaxT(np.where(used, statistic, np.nan), np.where(used, p, np.nan), error, error_of_lost, freedom, largest)


def _spread(
    effect: NDArray[np.float64], samples: Samples | None, block: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return independent parts of effects, whose squares add up to the variance, its root, and degrees of freedom.

    The variance is that of independent cells, and what sums over samples vary by more than that.
    """
    of_cells = (effect**2).sum(axis=0)
    if samples is None:
        return effect, np.sqrt(of_cells), np.full(len(block), np.inf)
    sums = np.asarray(membership(samples.of_cell, int(samples.of_cell.max()) + 1) @ effect)
    n = samples.in_batch[block]
    of_samples = (sums**2).sum(axis=0) * n / (n - 1)
    between = np.maximum(of_samples - of_cells, 0.0)
    both = of_cells + between
    # After Welch and Satterthwaite; what cells contribute has as good as infinitely many.
    with np.errstate(divide="ignore"):
        freedom = np.maximum(samples.on_side[block] - 1, 0.5) * (both / between) ** 2
    sums *= np.sqrt(between / np.maximum((sums**2).sum(axis=0), 1e-300))
    return np.vstack([effect, sums]), np.sqrt(both), freedom


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
