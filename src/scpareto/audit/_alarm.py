"""Over-correction, seen without labels: structure within batches that stronger correction has erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scpareto.metrics import cluster_purity, clusters_within_batches, neighborhood_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_CONFIDENCE = 1.645
"""One-sided 95 % quantile: a loss counts as far as it is certain."""
_LEAST_STRUCTURE = 0.3
"""Clusters whose cells are less pure than this to begin with tell nothing about what is lost."""
_LEAST_CELLS = 8
ALARM_AT, ALARM_WIDTH = 0.15, 0.04
"""Certain relative loss at which the alarm is one half, and how fast it rises; calibrated on simulated designs."""


@dataclass(frozen=True)
class Structure:
    """What each point keeps of the structure within batches.

    Parameters
    ----------
    names
        Clusters of each batch, then positive-control genes.
    value
        Mean purity of each cluster's neighbourhoods, or neighbourhood signal of each gene, shape
        ``(n_points, n_names)``.
    standard_error
        Their standard errors over cells, same shape.
    """

    names: tuple[str, ...]
    value: NDArray[np.float64]
    standard_error: NDArray[np.float64]

    def certain_loss(self) -> NDArray[np.float64]:
        r"""Relative loss of each point against the best of the less corrected ones, shape ``(n_points, n_names)``.

        .. math:: \frac{v_r - v_p - 1.645 \sqrt{s_r^2 + s_p^2}}{v_r}, \qquad r = \arg\max_{q < p} v_q ,

        at least 0; 0 for structure that was never there.
        """
        loss = np.zeros_like(self.value)
        columns = np.arange(self.value.shape[1])
        for point in range(1, len(self.value)):
            best = self.value[:point].argmax(0)
            reference, error = self.value[best, columns], self.standard_error[best, columns]
            uncertain = _CONFIDENCE * np.sqrt(error**2 + self.standard_error[point] ** 2)
            known = reference > _LEAST_STRUCTURE
            lost = (reference - self.value[point] - uncertain) / np.where(known, reference, 1)
            loss[point] = np.where(known, np.maximum(lost, 0), 0)
        return loss


def measure_structure(
    codes: Sequence[ArrayLike],
    expression: ArrayLike,
    batch: ArrayLike,
    *,
    control_genes: dict[str, ArrayLike] | None = None,
    n_neighbors: int = 15,
    seed: int = 0,
) -> Structure:
    """Measure for each point how pure clusters of each batch stay, and how strong positive controls.

    Parameters
    ----------
    codes
        Posterior mean of all cells for each point, from uncorrected to strongest, each ``(n_cells, n_latent)``.
    expression
        Reference representation of all cells, shape ``(n_cells, n_components)``.
    batch
        Batch of all cells, shape ``(n_cells,)``.
    control_genes
        Log-normalised expression, shape ``(n_cells,)``, of genes whose pattern must survive, by name.
    n_neighbors
        Neighbours of each cell.
    seed
        Seed of the clusters.

    Returns
    -------
    Structure

    See Also
    --------
    scpareto.metrics.cluster_purity, scpareto.metrics.clusters_within_batches, scpareto.metrics.neighborhood_signal
    """
    clusters = clusters_within_batches(expression, batch, seed=seed)
    names, own, size = np.unique(clusters, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(size >= _LEAST_CELLS)
    genes = {} if control_genes is None else {name: np.asarray(x, dtype=float) for name, x in control_genes.items()}
    values, errors = [], []
    for one in codes:
        purity = cluster_purity(one, clusters, batch, n_neighbors=n_neighbors)
        groups = [purity[own == c] for c in kept]
        value = [float(np.nanmean(g)) if np.isfinite(g).any() else 0.0 for g in groups]
        # Neighbourhoods overlap: cells that share theirs are not independent witnesses.
        error = [_standard_error(g, max(len(g) / n_neighbors, 2.0)) for g in groups]
        if genes:
            signal = neighborhood_signal(one, np.column_stack(list(genes.values())), n_neighbors=n_neighbors)
            value += signal.tolist()
            error += ((1 - signal**2) / np.sqrt(len(purity) / n_neighbors)).tolist()
        values.append(value)
        errors.append(error)
    labels = (*(str(names[c]) for c in kept), *genes)
    shape = (len(values), len(labels))
    return Structure(labels, np.array(values).reshape(shape), np.array(errors).reshape(shape))


def alarm(structure: Structure) -> NDArray[np.float64]:
    r"""Over-correction alarm of each point, in [0, 1], shape ``(n_points,)``.

    .. math:: a = \frac{1}{1 + \exp(-(\ell - \ell_0) / w)}

    of the largest certain loss :math:`\ell` of any cluster or positive control, see :meth:`Structure.certain_loss`;
    one half at :math:`\ell_0 = 0.15`.
    """
    loss = structure.certain_loss()
    largest = loss.max(axis=1) if loss.shape[1] else np.zeros(len(loss))
    return 1 / (1 + np.exp(-(largest - ALARM_AT) / ALARM_WIDTH))


def _standard_error(values: NDArray[np.float64], effective: float) -> float:
    known = values[np.isfinite(values)]
    return float(known.std() / np.sqrt(effective)) if len(known) > 1 else 1.0
