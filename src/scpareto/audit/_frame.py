"""What is fixed before anything is judged: cells, a batch-blind reference, shared populations, gene programmes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scanpy as sc
from anndata import AnnData

from scpareto._cells import principal_components
from scpareto.metrics import populations_at_resolutions, programme_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.metrics import Programmes, SharedPopulations

_RESOLUTIONS = (8, 12, 20)
"""Clusters of each batch: those of the middle alone, unless all are asked for."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What all embeddings of the same cells are judged by.

    Equal cells and seeds give equal frames, and equal codes then equal numbers, in whatever company they are judged.

    Attributes
    ----------
    batch
        Batch of each cell, shape ``(n_cells,)``.
    components
        Principal components of the log-normalised expression of the used genes, shape ``(n_cells, n_components)``: the
        reference that nothing has corrected.
    populations
        Populations that batches share, at one or three resolutions.
    programmes
        Scores of gene programmes in two halves of the counts; None without counts.
    counts
        The counts, shape ``(n_cells, n_genes)``; None without.
    genes
        Names of the genes.
    sample
        Sample of each cell; None if unknown.
    covariates
        Values of each cell that explain differences away, such as doublet scores, by name.
    thorough
        Whether all kinds of probes are used.
    seed
        Seed of everything that is drawn.
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

    @property
    def labels(self) -> NDArray[np.int64]:
        """Population of each cell at the middle resolution, -1 where it has no counterpart in another batch."""
        return self.populations[len(self.populations) // 2].labels


def frame_of(
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
    """Find what embeddings of some cells are judged by.

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
        Values of each cell that explain differences away, by name.
    thorough
        Whether to use all resolutions and kinds of probes.
    seed
        Seed of everything that is drawn.
    """
    # Of the genes that the embeddings have used: what they never saw they cannot have lost.
    normal = _log_normalised(expression) if is_counts else expression
    of_genes = normal if used_genes is None else normal[:, used_genes]
    components = principal_components(of_genes, counts=False, seed=seed)
    resolutions = _RESOLUTIONS if thorough else _RESOLUTIONS[1:2]
    populations = populations_at_resolutions(components, np.asarray(batch), n_clusters=resolutions, seed=seed)
    programmes = None
    if is_counts:
        shared = populations[len(populations) // 2].labels
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
    )


def _log_normalised(counts: Any) -> Any:
    """Copy of counts, normalised to 10,000 a cell over all genes and log-transformed."""
    cells = AnnData(counts.astype(np.float32, copy=True))
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    return cells.X
