"""Draw the differences between types and batches: proportions and log fold changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def draw_composition(
    composition: str | ArrayLike,
    n_batches: int,
    n_types: int,
    unique_types: int,
    concentration: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw or check the type proportions of each batch, shape ``(n_batches, n_types)``, rows summing to 1."""
    drawn = rng.dirichlet(np.full(n_types, concentration), size=n_batches)
    if isinstance(composition, str):
        if composition not in ("unequal", "equal"):
            raise ValueError(f"`composition` is {composition!r}; give 'unequal', 'equal' or a matrix.")
        shares = drawn if composition == "unequal" else np.full((n_batches, n_types), 1 / n_types)
        for u in range(unique_types):
            column = n_types - 1 - u
            own_batch = u % n_batches
            shares[np.arange(n_batches) != own_batch, column] = 0.0
            # A unique type needs enough cells to test whether it is kept, so its share is not smaller than 1 / n_types.
            shares[own_batch, column] = max(shares[own_batch, column], 1 / n_types)
    else:
        if unique_types:
            raise ValueError("`unique_types` goes with a drawn composition; put the zeros into the given matrix.")
        shares = np.array(composition, dtype=np.float64)
        if shares.shape != (n_batches, n_types):
            raise ValueError(f"`composition` has shape {shares.shape}; give shape ({n_batches}, {n_types}).")
        if not np.isfinite(shares).all() or (shares < 0).any() or (shares.sum(axis=1) == 0).any():
            raise ValueError("`composition` must be finite, not negative and not all zero in any batch.")
    return shares / shares.sum(axis=1, keepdims=True)


def draw_type_effects(
    n_genes: int, types: list[str], lineage_of: NDArray[np.int64], strength: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Draw effects ``(n_types, n_genes)``, state loadings ``(n_lineages, n_genes)`` and the group each gene marks.

    A fifth of the genes marks lineages and a fifth types, each gene at most one group. Their number is limited, because
    types with hundreds of markers would be separated more clearly than real ones.
    """
    n_lineages = int(lineage_of.max()) + 1
    order = rng.permutation(n_genes)
    n_markers = min(n_genes // 5, 25 * len(types))
    lineage_genes, type_genes = order[:n_markers], order[n_markers : 2 * n_markers]
    effect = np.zeros((len(types), n_genes))
    marker_of = np.full(n_genes, "none", dtype=object)
    for k in range(n_lineages):
        genes = lineage_genes[k::n_lineages]
        effect[np.ix_(lineage_of == k, genes)] = strength * rng.gamma(2.0, 0.6, len(genes))
        marker_of[genes] = f"lineage_{k}"
    for t, name in enumerate(types):
        genes = type_genes[t :: len(types)]
        effect[t, genes] = strength * rng.gamma(2.0, 0.5, len(genes))
        marker_of[genes] = name
    in_program = rng.random((n_lineages, n_genes)) < 0.2
    loading = strength * 0.4 * rng.standard_normal((n_lineages, n_genes)) * in_program
    return effect, loading, marker_of.tolist()


def draw_batch_effects(
    n_genes: int,
    n_batches: int,
    n_types: int,
    strength: float,
    affected_genes: float,
    type_specific: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Draw shared effects ``(n_batches, n_genes)``, whole effects ``(n_batches, n_types, n_genes)``, affected genes."""
    affected = np.zeros(n_genes, dtype=bool)
    affected[rng.permutation(n_genes)[: round(affected_genes * n_genes)]] = True
    sd = 0.5 * strength * affected
    shared = np.sqrt(1 - type_specific) * sd * rng.standard_normal((n_batches, n_genes))
    # Half of the types of each batch (rounded up); the factor 2 keeps the mean variance over types.
    is_affected = rng.permuted(np.tile(np.arange(n_types) % 2 == 0, (n_batches, 1)), axis=1)
    type_specific_effects = np.sqrt(2 * type_specific) * sd * rng.standard_normal((n_batches, n_types, n_genes))
    return shared, shared[:, None] + is_affected[:, :, None] * type_specific_effects, affected
