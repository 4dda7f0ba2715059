"""Find anchors: pairs of cells of two batches that are mutual neighbours in canonical components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from scpareto.bench._methods._neighbors import find_mutual_pairs, find_neighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_Z_SCORE, _MAX_FEATURES, _MAX_PER_COMPONENT = 10.0, 200, 100


@dataclass(frozen=True)
class Anchors:
    """Anchors of two batches.

    Parameters
    ----------
    a, b
        Rows of the cells, shape ``(n_anchors,)`` each.
    score
        Agreement of the neighbourhoods of both cells, in [0, 1], shape ``(n_anchors,)``.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.a)


def find_anchors(
    expression_a: NDArray,
    expression_b: NDArray,
    *,
    n_components: int = 30,
    k_anchor: int = 5,
    k_filter: int = 200,
    k_score: int = 30,
    seed: int = 0,
) -> Anchors:
    """Find, filter and score the anchors of two batches.

    Parameters
    ----------
    expression_a, expression_b
        Log-normalised expression of the same genes, shapes ``(n_a, n_genes)`` and ``(n_b, n_genes)``.
    n_components
        Canonical components.
    k_anchor
        Number of neighbours; mutual ones are anchors.
    k_filter
        An anchor is kept if its cell of B is among this many nearest cells of B to its cell of A, in expression of the
        genes with the largest loadings; batches with fewer cells are not filtered.
    k_score
        Number of neighbours, within and across batches, whose overlap is the score.
    seed
        Seed of the decomposition.

    Returns
    -------
    The anchors.
    """
    scaled_a, scaled_b = scale_genes(expression_a), scale_genes(expression_b)
    vectors_a, vectors_b = compute_canonical_vectors(scaled_a, scaled_b, n_components, seed)
    codes_a, codes_b = normalize(vectors_a), normalize(vectors_b)
    k = max(k_anchor, k_score)
    neighbors_aa, neighbors_bb = find_neighbors(codes_a, codes_a, k + 1)[0], find_neighbors(codes_b, codes_b, k + 1)[0]
    neighbors_ab, neighbors_ba = find_neighbors(codes_a, codes_b, k)[0], find_neighbors(codes_b, codes_a, k)[0]
    rows_a, rows_b = find_mutual_pairs(neighbors_ab[:, :k_anchor], neighbors_ba[:, :k_anchor])
    if min(len(scaled_a), len(scaled_b)) >= k_filter and len(rows_a):
        loadings = scaled_a.T @ vectors_a + scaled_b.T @ vectors_b
        genes = select_features(loadings)
        selected_a, selected_b = normalize(expression_a[:, genes]), normalize(expression_b[:, genes])
        near_in_genes = find_neighbors(selected_a, selected_b, k_filter)[0]
        passes_filter = (near_in_genes[rows_a] == rows_b[:, None]).any(axis=1)
        rows_a, rows_b = rows_a[passes_filter], rows_b[passes_filter]
    return Anchors(
        rows_a, rows_b, score_anchors(rows_a, rows_b, (neighbors_aa, neighbors_ab, neighbors_ba, neighbors_bb), k_score)
    )


def scale_genes(expression: NDArray) -> NDArray:
    """Scale genes to mean 0 and variance 1 within the batch, clipped at 10."""
    sd = expression.std(axis=0, ddof=1)
    return np.minimum((expression - expression.mean(axis=0)) / np.where(sd > 0, sd, 1.0), _MAX_Z_SCORE)


def compute_canonical_vectors(
    scaled_a: NDArray, scaled_b: NDArray, n_components: int, seed: int
) -> tuple[NDArray, NDArray]:
    """Return left and right singular vectors of the product of the cells of A and B, standardised over genes.

    Signs are chosen such that the entries of the first cell are positive.
    """
    a, b = _standardize_cells(scaled_a), _standardize_cells(scaled_b)
    rank = min(n_components, len(a) - 1, len(b) - 1)
    u, _, v = randomized_svd(a @ b.T, rank, n_iter=7, random_state=seed)
    sign = np.where(u[0] < 0, -1.0, 1.0)
    return u * sign, v.T * sign


def select_features(loadings: NDArray, *, max_features: int = _MAX_FEATURES) -> NDArray[np.int64]:
    """Select the genes with the largest positive and negative loadings, equally many of each sign and component.

    Parameters
    ----------
    loadings
        Loadings of genes, shape ``(n_genes, n_components)``.
    max_features
        Largest number of genes; at least twice the number of components.
    """
    n_genes, n_components = loadings.shape
    limit = max(2 * n_components, max_features)
    order = np.argsort(loadings, axis=0)
    best = np.array([], dtype=np.int64)
    for y in range(1, min(_MAX_PER_COMPONENT, n_genes) + 1):
        half = max(1, y // 2)
        chosen = np.unique(np.concatenate([order[:half], order[-half:]]))
        if len(chosen) >= limit and len(best):
            break
        if len(chosen) > len(best):
            best = chosen
    return best


def score_anchors(
    rows_a: NDArray[np.int64],
    rows_b: NDArray[np.int64],
    neighbors: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    k_score: int,
) -> NDArray[np.float64]:
    """Count the neighbours that both cells of an anchor share; scaled to 0 at the 1 % and 1 at the 90 % quantile."""
    neighbors_aa, neighbors_ab, neighbors_ba, neighbors_bb = (indices[:, :k_score] for indices in neighbors)
    shared = np.array(
        [
            len(np.intersect1d(neighbors_aa[a], neighbors_ba[b]))
            + len(np.intersect1d(neighbors_ab[a], neighbors_bb[b]))
            for a, b in zip(rows_a, rows_b, strict=True)
        ],
        dtype=np.float64,
    )
    if not len(shared):
        return shared
    low, high = np.quantile(shared, [0.01, 0.9])
    return np.clip((shared - low) / (high - low), 0, 1) if high > low else np.ones(len(shared))


def _standardize_cells(scaled: NDArray) -> NDArray:
    sd = scaled.std(axis=1, ddof=1, keepdims=True)
    return (scaled - scaled.mean(axis=1, keepdims=True)) / np.where(sd > 0, sd, 1.0)
