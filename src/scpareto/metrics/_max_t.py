"""A test of many contrasts in many embeddings that controls the family-wise error rate."""

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
    """Result of the test; arrays have shape ``(n_embeddings, n_contrasts)``.

    Attributes
    ----------
    statistic
        Loss beyond the margin in standard errors, NaN where a contrast is not judged. Where samples add to the error,
        t values are turned into normal quantiles of the same probability.
    p
        Adjusted p values, NaN where a contrast is not judged.
    error
        Standard error of the statistic's numerator.
    error_of_lost
        Standard error of the share lost.
    freedom
        Degrees of freedom of the standard errors; infinite where samples add nothing to them.
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
    """Samples, within which cells are not independent.

    Attributes
    ----------
    of_cell
        Sample of each cell; a sample in two batches counts as two.
    in_batch
        Number of samples in the batch of each contrast.
    on_side
        Effective number of samples of the side that has fewer: one over the sum of squared shares of the cells.
    """

    of_cell: NDArray[np.int64]
    in_batch: NDArray[np.float64]
    on_side: NDArray[np.float64]


def count_samples(
    unit: NDArray[np.int64], batch: NDArray[np.int64], groups: BatchGroups, contrasts: Contrasts
) -> Samples:
    """Count the samples in the batch and on the sides of each contrast."""
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
        weight = _cell_weights(groups, contrasts, block)
        projected = scores @ axes[block].T
        part = {name: _influence(projected, means[name] @ axes[block].T, back[name], weight) for name in around}
        before, standardised = shown[reference][block], []
        for i, name in enumerate(others):
            now = shown[name][block]
            effect = (1 - margin) * part[reference] - part[name]
            parts, error[i, block], freedom[i, block] = _standard_errors(effect, samples, block)
            lost = part[reference] * (now / before) - part[name]
            error_of_lost[i, block] = _standard_errors(lost, samples, block)[1] / before
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


def _standard_errors(
    effect: NDArray[np.float64], samples: Samples | None, block: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return independent terms whose squares add up to the variance, its square root, and the degrees of freedom.

    The variance is that of independent cells plus the excess variance of the sums over samples.
    """
    of_cells = (effect**2).sum(axis=0)
    if samples is None:
        return effect, np.sqrt(of_cells), np.full(len(block), np.inf)
    sums = np.asarray(membership(samples.of_cell, int(samples.of_cell.max()) + 1) @ effect)
    n = samples.in_batch[block]
    of_samples = (sums**2).sum(axis=0) * n / (n - 1)
    between = np.maximum(of_samples - of_cells, 0.0)
    both = of_cells + between
    # After Welch and Satterthwaite; the term of the cells has nearly infinite degrees of freedom.
    with np.errstate(divide="ignore"):
        freedom = np.maximum(samples.on_side[block] - 1, 0.5) * (both / between) ** 2
    sums *= np.sqrt(between / np.maximum((sums**2).sum(axis=0), 1e-300))
    return np.vstack([effect, sums]), np.sqrt(both), freedom


def _cell_weights(groups: BatchGroups, contrasts: Contrasts, block: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weights of the cells in each contrast of a block; 0 for a cell in no group."""
    of_groups = contrasts.sides[block].T / groups.size[:, None]
    return np.vstack([of_groups, np.zeros(len(block))])[groups.of_cell]


def _influence(
    projected: NDArray[np.float64], around: NDArray[np.float64], back: sparse.csr_matrix, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the influence of each cell on the shown contrasts, as a member of the groups and as a neighbour."""
    influence = projected * (back @ weight) - back @ (weight * around)
    for sign in (-1, 1):
        side = weight * sign > 0
        n = np.maximum(side.sum(axis=0), 2)
        mean = (around * side).sum(axis=0) / n
        # Cells of a group vary around their own mean, which leaves n - 1 degrees of freedom.
        influence += weight * side * (around - mean) * np.sqrt(n / (n - 1))
    return influence


def _largest(effects: NDArray[np.float32], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return the largest standardised sum of each draw; equal seeds draw equal multipliers for all blocks."""
    rng = np.random.default_rng(seed)
    largest = np.empty(n_bootstrap)
    for begin in range(0, n_bootstrap, _DRAWS_AT_ONCE):
        end = min(begin + _DRAWS_AT_ONCE, n_bootstrap)
        drawn = rng.standard_normal((end - begin, len(effects)), dtype=np.float32)
        largest[begin:end] = (drawn @ effects).max(axis=1)
    return largest
