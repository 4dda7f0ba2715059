"""The original correction by mutual nearest neighbours, in gene space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.preprocessing import normalize

from scpareto.bench._cells import compute_components
from scpareto.bench._methods._neighbors import find_mutual_pairs, find_neighbors
from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells

_BLOCK = 2048


@register_method(
    "mnn",
    title="MNN",
    family="neighbours",
    library="scpareto",
    reference="Haghverdi et al. 2018",
    returns="expression",
    knob=Knob("k", (2, 5, 10, 20, 40), least=1, whole=True),
)
def mnn(cells: Cells, *, k: int = 20, sigma: float = 1.0) -> NDArray:
    r"""Add smoothed differences of mutual neighbours to every cell, then take principal components.

    Parameters
    ----------
    cells
        The cells; batches are merged from the largest to the smallest.
    k
        Number of neighbours; mutual ones are kept.
    sigma
        Squared bandwidth of the smoothing, on the scale of cells of length 1.

    Returns
    -------
    Codes, shape ``(n_cells, 30)``.

    References
    ----------
    :cite:p:`Haghverdi2018`.
    """
    rows = [cells.rows(batch) for batch in cells.batches]
    dense = cells.log_normalised.toarray().astype(np.float64)
    corrected = np.empty_like(dense)
    for batch_rows, corrected_batch in zip(
        rows, mnn_correct([dense[batch_rows] for batch_rows in rows], k=k, sigma=sigma), strict=True
    ):
        corrected[batch_rows] = corrected_batch
    return compute_components(corrected, seed=cells.seed)


def mnn_correct(batches: list[NDArray], *, k: int = 20, sigma: float = 1.0) -> list[NDArray]:
    r"""Correct batches one after the other towards the preceding ones.

    Cells are scaled to length 1. With the mutual pairs :math:`(r, q)` of a reference and a batch, the vector
    :math:`v_q` of a cell :math:`q` is the mean of :math:`x_r - x_q` over its pairs, and every cell :math:`c` of the
    batch is shifted by

    .. math::
        u_c = \frac{\sum_q w_{cq} v_q}{\sum_q w_{cq}}, \qquad
        w_{cq} = \frac{\exp(-\lVert x_c - x_q \rVert^2 / \sigma)}
                 {\sum_{q'} \exp(-\lVert x_q - x_{q'} \rVert^2 / \sigma)}

    with sums over the paired cells of the batch; the denominator of the weight is their local density. The corrected
    batch is then added to the reference.

    Parameters
    ----------
    batches
        Log-normalised expression of each batch, shape ``(n_cells, n_genes)``; the first is the reference.
    k
        Number of neighbours; mutual ones are kept.
    sigma
        Squared bandwidth :math:`\sigma` of the kernel, on the scale of cells of length 1.

    Returns
    -------
    Corrected batches, on the scale of cells of length 1.
    """
    scaled = [normalize(batch) for batch in batches]
    merged = [scaled[0]]
    for batch in scaled[1:]:
        reference = np.concatenate(merged)
        reference_rows, batch_rows = find_mutual_pairs(
            find_neighbors(reference, batch, k)[0], find_neighbors(batch, reference, k)[0]
        )
        paired, pair_of_row = np.unique(batch_rows, return_inverse=True)
        vectors = np.zeros((len(paired), batch.shape[1]))
        np.add.at(vectors, pair_of_row, reference[reference_rows] - batch[batch_rows])
        vectors /= np.bincount(pair_of_row)[:, None]
        merged.append(batch + _smooth_vectors(batch, batch[paired], vectors, sigma))
    return merged


def _smooth_vectors(cells: NDArray, paired_cells: NDArray, vectors: NDArray, sigma: float) -> NDArray:
    """Average the vectors of paired cells around each cell."""
    density = _log_kernel(paired_cells, paired_cells, sigma)
    log_density = np.logaddexp.reduce(density, axis=1)
    shifts = np.empty_like(cells)
    for start in range(0, len(cells), _BLOCK):
        block = slice(start, start + _BLOCK)
        log_weights = _log_kernel(cells[block], paired_cells, sigma) - log_density
        # The largest weight is set to 1, to avoid a division by 0 for cells that are far from all paired cells.
        weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
        shifts[block] = weights @ vectors / weights.sum(axis=1, keepdims=True)
    return shifts


def _log_kernel(a: NDArray, b: NDArray, sigma: float) -> NDArray:
    squared = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return -np.maximum(squared, 0) / sigma
