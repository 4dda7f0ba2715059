"""kBET within labels as scib-metrics defines it, without a compilation for every size of label."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import chdtrc

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

_ALPHA, _MIN_CELLS, _MAX_COMPONENTS = 0.05, 10, 100
_logger = logging.getLogger(__name__)


def kbet_within_labels(graph: csr_matrix, batch: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of cells of each label whose neighbourhood has the batches of the label, by a chi-squared test at 0.05.

    Neighbourhoods come from a diffusion map of the subgraph of the label (``scib_metrics.utils.diffusion_nn``), which
    is the expensive step.

    Parameters
    ----------
    graph
        Connectivities of the cells, shape ``(n_cells, n_cells)``.
    batch, label
        Numbers from 0, shape ``(n_cells,)``.

    Returns
    -------
    Share for each label, in [0, 1], shape ``(n_labels,)``; NaN for a label of fewer than 10 cells or of a single batch.
    0 if less than three quarters of the cells of a label are in connected components of three neighbourhoods or more,
    or if the diffusion map cannot be computed.
    """
    shares = np.full(label.max() + 1, np.nan)
    n_components = _MAX_COMPONENTS
    for number in range(len(shares)):
        members = np.flatnonzero(label == number)
        sizes = np.unique(batch[members], return_counts=True)[1]
        if len(members) < _MIN_CELLS or len(sizes) == 1:
            continue
        k = int(np.clip(sizes.mean() // 4, 10, 70))
        subgraph = graph[members][:, members]
        n_pieces, piece = connected_components(subgraph, connection="strong")
        if n_pieces > 1:
            large = np.flatnonzero((np.bincount(piece) >= 3 * k)[piece])
            if len(large) < 0.75 * len(members):
                shares[number] = 0
                continue
            members, subgraph = members[large], subgraph[large][:, large]
        # Never raised again: after a small label the larger ones get as few components, as in scib-metrics.
        n_components = min(n_components, len(members) - 1)
        shares[number] = _acceptance(subgraph, batch[members], k, n_components)
    return shares


def _acceptance(graph: csr_matrix, batch: NDArray[np.int64], k: int, n_components: int) -> float:
    from scib_metrics.utils import diffusion_nn

    graph.sort_indices()
    try:
        nearest = diffusion_nn(graph, k=k, n_comps=n_components).indices
    except ValueError as error:
        _logger.info("No diffusion map for %d cells: %s", len(batch), error)
        return 0.0
    names, batch, size = np.unique(batch, return_inverse=True, return_counts=True)
    if len(names) == 1:
        return 0.0
    expected = size / size.sum() * nearest.shape[1]
    observed = np.stack([(batch[nearest] == number).sum(axis=1) for number in range(len(names))], axis=1)
    statistic = (np.square(observed - expected) / expected).sum(axis=1)
    return float((chdtrc(len(names) - 1, statistic) >= _ALPHA).mean())
