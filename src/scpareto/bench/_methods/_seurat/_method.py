"""Integrate batches by anchors in canonical components, as Seurat v3 does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.bench._cells import compute_components
from scpareto.bench._methods._seurat._anchors import find_anchors
from scpareto.bench._methods._seurat._genes import select_integration_genes
from scpareto.bench._methods._seurat._merge import Merger, find_merge_order
from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "seurat_cca",
    title="Seurat v3",
    family="neighbours",
    library="scpareto",
    extra="bench",
    requires="skmisc",
    reference="Stuart et al. 2019",
    returns="expression",
    knob=Knob("k_anchor", (1, 3, 5, 10, 20, 40), least=1, whole=True),
    least_per_batch=2,
)
def seurat_cca(
    cells: Cells,
    *,
    n_features: int = 2000,
    n_components: int = 30,
    k_anchor: int = 5,
    k_filter: int = 200,
    k_score: int = 30,
    k_weight: int = 100,
) -> NDArray:
    """Find mutual neighbours in canonical components of every pair of batches, and merge batches along a tree.

    Parameters
    ----------
    cells
        The cells.
    n_features
        Number of genes to integrate, those that vary within most batches; all if there are fewer.
    n_components
        Canonical components of a pair, and principal components of the corrected expression.
    k_anchor, k_filter, k_score
        Numbers of neighbours to find, filter and score anchors; see
        :func:`scpareto.bench._methods._seurat._anchors.find_anchors`.
    k_weight
        Number of anchors that correct a cell.

    Returns
    -------
    Principal components of the scaled corrected expression, shape ``(n_cells, n_components)``.

    Notes
    -----
    In batches with fewer than 200 cells anchors are not filtered. Decompositions are exact up to rounding; Seurat uses
    approximate ones by irlba.

    References
    ----------
    :cite:p:`Stuart2019`.
    """
    return compute_components(
        seurat_correct(
            cells,
            n_features=n_features,
            n_components=n_components,
            k_anchor=k_anchor,
            k_filter=k_filter,
            k_score=k_score,
            k_weight=k_weight,
        ),
        seed=cells.seed,
        scale=True,
    )[:, :n_components]


def seurat_correct(
    cells: Cells,
    *,
    n_features: int = 2000,
    n_components: int = 30,
    k_anchor: int = 5,
    k_filter: int = 200,
    k_score: int = 30,
    k_weight: int = 100,
) -> NDArray:
    """Return corrected log-normalised expression of the integration genes, shape ``(n_cells, n_features)``.

    The first reference of the merge order keeps its expression. Arguments as in :func:`seurat_cca`.
    """
    genes = select_integration_genes(cells, n_features)
    expression = cells.log_normalised[:, genes].toarray().astype(np.float64)
    rows = [cells.rows(batch) for batch in cells.batches]
    by_batch = [expression[batch_rows] for batch_rows in rows]
    anchors = {}
    for a in range(len(by_batch)):
        for b in range(a + 1, len(by_batch)):
            anchors[a, b] = find_anchors(
                by_batch[a],
                by_batch[b],
                n_components=n_components,
                k_anchor=k_anchor,
                k_filter=k_filter,
                k_score=k_score,
                seed=cells.seed,
            )
    merger = Merger(by_batch, anchors, k_weight=k_weight, n_components=n_components, seed=cells.seed)
    for reference, query in find_merge_order(
        [len(p) for p in by_batch], {pair: len(pair_anchors) for pair, pair_anchors in anchors.items()}
    ):
        merger.merge(reference, query)
    corrected = np.empty_like(expression)
    for batch_rows, corrected_batch in zip(rows, merger.expression, strict=True):
        corrected[batch_rows] = corrected_batch
    return corrected
