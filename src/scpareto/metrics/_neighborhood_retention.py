"""Share of each cell's neighbourhood in expression space that its codes keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._neighbors import nearest_others

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def neighborhood_retention(
    expression: ArrayLike,
    codes: ArrayLike,
    batch: ArrayLike,
    *,
    n_neighbors: int = 15,
    max_cells: int = 10_000,
    seed: int = 0,
) -> float:
    r"""Mean overlap, within batches, between neighbourhoods in expression space and neighbourhoods in the codes.

    This measures without labels what a correction costs. Neighbours are searched within the batch of a cell only, where
    removing differences *between* batches changes nothing: what is lost is biology (or noise), not batch.

    Parameters
    ----------
    expression
        Reference representation, shape ``(n_cells, n_components)``; usually the leading principal components of
        log-normalised expression.
    codes
        Codes of the same cells, shape ``(n_cells, n_latent)``.
    batch
        Batch of each cell, shape ``(n_cells,)``. A single batch is allowed.
    n_neighbors
        Neighbours :math:`k` per cell. A batch of :math:`n_b < 2k + 1` cells uses :math:`\lfloor(n_b - 1)/2\rfloor`:
        with :math:`n_b - 1` neighbours every cell is a neighbour of every other and the overlap is 1 whatever the
        codes are. Batches of fewer than 3 cells are skipped.
    max_cells
        With more cells than this, a random subset of this size is scored; neighbours are still searched, exactly, among
        all cells.
    seed
        Seed of the subset.

    Returns
    -------
    float
        Overlap in [0, 1], averaged over cells. It is not corrected for chance: unrelated codes reach about
        :math:`k / (n_b - 1)`, so values of data sets of different size are not comparable.

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, batches are missing or every batch has fewer than 3 cells.

    Notes
    -----
    With :math:`A_i` and :math:`B_i` the :math:`k` nearest cells of cell :math:`i` within its batch in the two spaces
    (Euclidean, the cell itself excluded)

    .. math:: \frac{1}{n} \sum_i \frac{|A_i \cap B_i|}{k} .

    Which of several cells at exactly the same distance count as neighbours is arbitrary.

    The idea, overlap of neighbourhoods before and after an embedding, is that of trustworthiness and continuity; here
    it is confined to batches.

    References
    ----------
    Venna, J. and Kaski, S. (2001). Neighborhood preservation in nonlinear projection methods: an experimental study.
    ICANN 2001, 485-491.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(200, 5))
    >>> neighborhood_retention(codes, codes, np.repeat(["a", "b"], 100))
    1.0
    """
    overlaps, _ = neighborhood_overlaps(
        expression, codes, batch, n_neighbors=n_neighbors, max_cells=max_cells, seed=seed
    )
    return float(overlaps.mean())


def neighborhood_overlaps(
    expression: ArrayLike,
    codes: ArrayLike,
    batch: ArrayLike,
    *,
    n_neighbors: int = 15,
    max_cells: int = 10_000,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the overlap of each scored cell and the rows of these cells; see :func:`neighborhood_retention`."""
    reference = check_matrix(expression, "expression")
    z = check_matrix(codes, "codes")
    if len(z) != len(reference):
        raise ValueError(f"`expression` has {len(reference)} rows but `codes` has {len(z)}; give the same cells.")
    text = check_labels(batch, "batch", n_cells=len(z))
    k = check_count(n_neighbors, "n_neighbors", minimum=1)

    check_count(max_cells, "max_cells", minimum=1)

    _, of_batch, size = np.unique(text, return_inverse=True, return_counts=True)
    eligible = np.flatnonzero(size[of_batch] >= 3)
    if len(eligible) == 0:
        raise ValueError("every batch has fewer than 3 cells; neighbourhoods within batches need at least 3.")
    if len(eligible) > max_cells:
        eligible = np.random.default_rng(seed).choice(eligible, max_cells, replace=False)

    overlaps, rows = [], []
    for b in np.unique(of_batch[eligible]):
        members = np.flatnonzero(of_batch == b)
        scored = np.flatnonzero(np.isin(members, eligible))
        k_batch = min(k, (len(members) - 1) // 2)
        near = [nearest_others(space[members], scored, k_batch) for space in (reference, z)]
        overlaps.append(_shared(*near) / k_batch)
        rows.append(members[scored])
    return np.concatenate(overlaps), np.concatenate(rows)


def _shared(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the common entries of each pair of rows; within a row every index stands once."""
    both = np.sort(np.concatenate([a, b], axis=1), axis=1)
    return np.count_nonzero(both[:, 1:] == both[:, :-1], axis=1)
