"""Integration by anchors between canonical components, as in Seurat's third version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.bench._cells import components_of
from scpareto.bench._methods._seurat._anchors import find_anchors
from scpareto.bench._methods._seurat._genes import integration_genes
from scpareto.bench._methods._seurat._merge import Merger, merge_order
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
    """Mutual neighbours in canonical components of every pair of batches; batches are merged along a tree.

    Parameters
    ----------
    cells
        The cells.
    n_features
        Genes that are integrated, those that vary within most batches; all where there are fewer.
    n_components
        Canonical components of a pair, and principal components of the corrected expression.
    k_anchor, k_filter, k_score
        Neighbours that find anchors, keep them and score them; see
        :func:`scpareto.bench._methods._seurat._anchors.find_anchors`.
    k_weight
        Anchors that a cell is moved by.

    Returns
    -------
    Principal components of the scaled corrected expression, shape ``(n_cells, n_components)``.

    Notes
    -----
    Batches below 200 cells have their anchors neither filtered nor refused. Decompositions are exact up to rounding,
    where Seurat's are those of irlba.

    References
    ----------
    :cite:p:`Stuart2019`.
    """
    return components_of(
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
    """Corrected log-normalised expression of the integration genes, shape ``(n_cells, n_features)``.

    The batch with which merging begins keeps its expression. Arguments as in :func:`seurat_cca`.
    """
    genes = integration_genes(cells, n_features)
    expression = cells.log_normalised[:, genes].toarray().astype(np.float64)
    rows = [cells.rows(batch) for batch in cells.batches]
    parts = [expression[own] for own in rows]
    anchors = {}
    for a in range(len(parts)):
        for b in range(a + 1, len(parts)):
            anchors[a, b] = find_anchors(
                parts[a],
                parts[b],
                n_components=n_components,
                k_anchor=k_anchor,
                k_filter=k_filter,
                k_score=k_score,
                seed=cells.seed,
            )
    merger = Merger(parts, anchors, k_weight=k_weight, n_components=n_components, seed=cells.seed)
    for reference, query in merge_order([len(p) for p in parts], {pair: len(found) for pair, found in anchors.items()}):
        merger.merge(reference, query)
    corrected = np.empty_like(expression)
    for own, part in zip(rows, merger.expression, strict=True):
        corrected[own] = part
    return corrected
