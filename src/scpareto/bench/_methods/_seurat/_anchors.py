"""Anchors: pairs of cells of two batches that are mutual neighbours in canonical components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from scpareto.bench._methods._neighbors import mutual_pairs, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLIP, _MAX_FEATURES, _LARGEST_LIST = 10.0, 200, 100


@dataclass(frozen=True)
class Anchors:
    """Anchors of two batches.

    Parameters
    ----------
    a, b
        Rows of the cells, shape ``(n_anchors,)`` each.
    score
        How far the neighbourhoods of both agree, in [0, 1], shape ``(n_anchors,)``.
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
        Neighbours of which mutual ones are anchors.
    k_filter
        An anchor stays if its cell of B is among this many nearest cells of B, in expression of the genes that make the
        components; batches with fewer cells are not filtered.
    k_score
        Neighbours, within and across batches, of which shared ones are counted.
    seed
        Seed of the decomposition.

    Returns
    -------
    The anchors.
    """
    scaled_a, scaled_b = scaled_within(expression_a), scaled_within(expression_b)
    vectors_a, vectors_b = canonical_vectors(scaled_a, scaled_b, n_components, seed)
    embedded_a, embedded_b = normalize(vectors_a), normalize(vectors_b)
    k = max(k_anchor, k_score)
    near_aa, near_bb = nearest(embedded_a, embedded_a, k + 1)[0], nearest(embedded_b, embedded_b, k + 1)[0]
    near_ab, near_ba = nearest(embedded_a, embedded_b, k)[0], nearest(embedded_b, embedded_a, k)[0]
    of_a, of_b = mutual_pairs(near_ab[:, :k_anchor], near_ba[:, :k_anchor])
    if min(len(scaled_a), len(scaled_b)) >= k_filter and len(of_a):
        loadings = scaled_a.T @ vectors_a + scaled_b.T @ vectors_b
        genes = top_features(loadings)
        in_genes_a, in_genes_b = normalize(expression_a[:, genes]), normalize(expression_b[:, genes])
        allowed = nearest(in_genes_a, in_genes_b, k_filter)[0]
        kept = (allowed[of_a] == of_b[:, None]).any(axis=1)
        of_a, of_b = of_a[kept], of_b[kept]
    return Anchors(of_a, of_b, anchor_scores(of_a, of_b, (near_aa, near_ab, near_ba, near_bb), k_score))


def scaled_within(expression: NDArray) -> NDArray:
    """Genes scaled to mean 0 and variance 1 within the batch, at most 10."""
    spread = expression.std(axis=0, ddof=1)
    return np.minimum((expression - expression.mean(axis=0)) / np.where(spread > 0, spread, 1.0), _CLIP)


def canonical_vectors(scaled_a: NDArray, scaled_b: NDArray, n_components: int, seed: int) -> tuple[NDArray, NDArray]:
    """Left and right singular vectors of the products of the cells of A and B, each cell standardised over genes.

    Signs are such that the first cell's entries are positive.
    """
    a, b = _standardised_cells(scaled_a), _standardised_cells(scaled_b)
    rank = min(n_components, len(a) - 1, len(b) - 1)
    u, _, v = randomized_svd(a @ b.T, rank, n_iter=7, random_state=seed)
    sign = np.where(u[0] < 0, -1.0, 1.0)
    return u * sign, v.T * sign


def top_features(loadings: NDArray, *, max_features: int = _MAX_FEATURES) -> NDArray[np.int64]:
    """Genes of largest loading: equally many of either end of every component, and as many as stay below a limit.

    Parameters
    ----------
    loadings
        Loadings of genes, shape ``(n_genes, n_components)``.
    max_features
        Limit; at least twice the number of components.
    """
    n_genes, n_components = loadings.shape
    limit = max(2 * n_components, max_features)
    order = np.argsort(loadings, axis=0)
    best = np.array([], dtype=np.int64)
    for y in range(1, min(_LARGEST_LIST, n_genes) + 1):
        half = max(1, y // 2)
        chosen = np.unique(np.concatenate([order[:half], order[-half:]]))
        if len(chosen) >= limit and len(best):
            break
        if len(chosen) > len(best):
            best = chosen
    return best


def anchor_scores(
    of_a: NDArray[np.int64],
    of_b: NDArray[np.int64],
    neighbors: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    k_score: int,
) -> NDArray[np.float64]:
    """Neighbours that both cells of an anchor share, from the 1 % quantile (0) to the 90 % quantile (1)."""
    near_aa, near_ab, near_ba, near_bb = (own[:, :k_score] for own in neighbors)
    shared = np.array(
        [
            len(np.intersect1d(near_aa[a], near_ba[b])) + len(np.intersect1d(near_ab[a], near_bb[b]))
            for a, b in zip(of_a, of_b, strict=True)
        ],
        dtype=np.float64,
    )
    if not len(shared):
        return shared
    low, high = np.quantile(shared, [0.01, 0.9])
    return np.clip((shared - low) / (high - low), 0, 1) if high > low else np.ones(len(shared))


def _standardised_cells(scaled: NDArray) -> NDArray:
    spread = scaled.std(axis=1, ddof=1, keepdims=True)
    return (scaled - scaled.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
