"""What all embeddings are judged by: cells, an uncorrected reference, shared populations and gene programmes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells import principal_components
from scpareto._runtime import keep_torch_threads
from scpareto.metrics import populations_at_resolutions, programme_scores, shared_populations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.metrics import Programmes, SharedPopulations

_N_CLUSTERS = 12
"""Clusters of each batch if populations are matched at one resolution only: the middle of three."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Data that all embeddings of the same cells are judged by.

    Equal cells and seeds give equal frames. Equal codes then get equal numbers, whatever other embeddings are judged.

    Attributes
    ----------
    batch
        Batch of each cell, shape ``(n_cells,)``.
    components
        Principal components of the log-normalised expression of the used genes, shape ``(n_cells, n_components)``: the
        uncorrected reference.
    populations
        Populations that batches share, at one or three resolutions; empty if there are none.
    programmes
        Scores of gene programmes in two halves of the counts; None without counts.
    counts
        The counts, shape ``(n_cells, n_genes)``; None without.
    genes
        Names of the genes.
    sample
        Sample of each cell; None if unknown.
    covariates
        Covariates of each cell that may explain differences, such as doublet scores, by name.
    thorough
        Whether all kinds of probes are used.
    seed
        Seed of everything that is drawn.
    reason
        Why there are no populations.
    memory
        Cache of probe results; equal codes are probed once.
    """

    batch: NDArray[Any]
    components: NDArray[np.float64]
    populations: tuple[SharedPopulations, ...]
    programmes: Programmes | None
    counts: Any
    genes: list[str]
    sample: NDArray[Any] | None = None
    covariates: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    thorough: bool = False
    seed: int = 0
    reason: str = ""
    memory: dict[Any, Any] = field(default_factory=dict)

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """Population of each cell at the middle resolution, -1 where it has no counterpart in another batch."""
        return self.populations[len(self.populations) // 2].labels if self.populations else None

    @property
    def confident_labels(self) -> NDArray[np.int64] | None:
        """The same, -1 also where a match is weak: each batch may then hold one of two related types."""
        return self.populations[len(self.populations) // 2].confident_labels if self.populations else None


@keep_torch_threads()
def build_frame(
    expression: Any,
    batch: ArrayLike,
    *,
    is_counts: bool,
    genes: Sequence[str],
    used_genes: NDArray[np.bool_] | None = None,
    sample: NDArray[Any] | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
    thorough: bool = False,
    seed: int = 0,
) -> Frame:
    """Build the frame that embeddings of some cells are judged by.

    Parameters
    ----------
    expression
        Counts or log-normalised values in memory, shape ``(n_cells, n_genes)``; not changed.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    is_counts
        Whether the expression is counts. Without, there are no programmes.
    genes
        Names of the genes.
    used_genes
        Mask of the genes that the embeddings have used; None for all.
    sample
        Sample of each cell, shape ``(n_cells,)``.
    covariates
        Covariates of each cell that may explain differences, by name.
    thorough
        Whether to use all resolutions and kinds of probes.
    seed
        Seed of everything that is drawn.
    """
    # Only genes that the embeddings have used, since they cannot have lost what they never saw.
    normal = _log_normalised(expression) if is_counts else expression
    used = normal if used_genes is None else normal[:, used_genes]
    components = principal_components(used, counts=False, seed=seed)
    batches = np.asarray(batch)
    resolutions = (
        populations_at_resolutions(components, batches, seed=seed)
        if thorough
        else (shared_populations(components, batches, n_clusters=_N_CLUSTERS, seed=seed),)
    )
    populations = tuple(shared_at for shared_at in resolutions if (shared_at.labels >= 0).any())
    reason = (
        ""
        if populations
        else (
            "No population is shared: no cluster of a batch has a counterpart in another one. Batch effects cannot be "
            "separated from differences between the cells of the batches."
        )
    )
    programmes = None
    if is_counts:
        shared = populations[len(populations) // 2].labels if populations else None
        programmes = programme_scores(expression, batch, used_genes=used_genes, populations=shared, seed=seed)
    return Frame(
        np.asarray(batch),
        components,
        populations,
        programmes,
        expression if is_counts else None,
        list(genes),
        sample,
        {name: np.asarray(values, dtype=np.float64) for name, values in (covariates or {}).items()},
        thorough,
        seed,
        reason,
    )


def log_expression(expression: Any, *, is_counts: bool, genes: Sequence[int] | None = None) -> Any:
    """Return log-normalised expression of all genes, or as a dense array of some, shape ``(n_cells, n_genes)``.

    Parameters
    ----------
    expression
        Counts or log-normalised values, shape ``(n_cells, n_genes)``; not changed.
    is_counts
        Whether it holds counts.
    genes
        Columns; None for all.
    """
    if genes is None:
        return _log_normalised(expression) if is_counts else expression
    selected = expression[:, list(genes)]
    values = np.asarray(selected.toarray() if sparse.issparse(selected) else selected, dtype=np.float64)
    if not is_counts:
        return values
    total = np.asarray(expression.sum(axis=1), dtype=np.float64).reshape(-1, 1)
    return np.log1p(1e4 * values / np.maximum(total, 1))


def _log_normalised(counts: Any) -> Any:
    """Return a copy of counts, normalised to 10,000 per cell over all genes and log-transformed."""
    depth = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    scale = (1e4 / np.where(depth > 0, depth, 1)).astype(np.float32)
    if not sparse.issparse(counts):
        return np.log1p(np.asarray(counts, dtype=np.float32) * scale[:, None])
    normal = sparse.csr_matrix(counts, dtype=np.float32, copy=True)
    normal.data = np.log1p(normal.data * np.repeat(scale, np.diff(normal.indptr)))
    return normal
