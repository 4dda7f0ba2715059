"""The judge of embeddings: one for fronts, for sweeps and for embeddings made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scpareto._runtime import keep_torch_threads
from scpareto.metrics import batch_left, lost_contrasts, structure_kept

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from scipy import sparse

    from scpareto.audit._frame import Frame
    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept

COMPONENTS = "components"
"""Name of the reference that a frame holds."""


@dataclass(frozen=True, eq=False)
class JudgeResult:
    """Judgement of embeddings of the same cells.

    Attributes
    ----------
    left
        Batch information that is left; None if batches share no population.
    kept
        Structure that is kept; None without counts.
    lost
        Lost differences between groups of cells; None without counts.
    parts
        Batch left and structure kept in further sets of cells, by name.
    """

    left: BatchLeft | None
    kept: StructureKept | None
    lost: LostContrasts | None
    parts: dict[str, JudgeResult] = field(default_factory=dict)


@keep_torch_threads()
def judge_embeddings(
    frame: Frame,
    codes: Mapping[str, NDArray[np.float64]],
    *,
    graphs: Mapping[str, sparse.csr_matrix] | None = None,
    whole_graphs: bool = True,
    reference: str = COMPONENTS,
    alarm_reference: str | None = None,
    parts: Mapping[str, NDArray[np.int64]] | None = None,
    batch_left_only: Collection[str] = (),
    marginal: bool = True,
    alarm: bool = True,
    n_bootstrap: int = 300,
) -> JudgeResult:
    """Judge embeddings, all with the same random numbers.

    Parameters
    ----------
    frame
        What they are judged by.
    codes, graphs
        Codes, shape ``(n_cells, n_latent)``, and neighbour graphs, shape ``(n_cells, n_cells)``, by name.
    whole_graphs
        Whether graphs hold all neighbours of the cells, and not only those in a sample. Judging structure needs all
        neighbours: if cells are a sample of those in a graph, or too many to judge all of them, graphs have only
        ``graph_mixing``.
    reference
        Name of the codes that ``batch_left`` is relative to; by default the components of the frame.
    alarm_reference
        Name of the embedding that losses are measured against; None for ``reference``.
    parts
        Rows of further sets of cells by name, for example cells that no training has seen. The same probes and
        neighbours are averaged over these cells alone. The alarm uses all cells.
    batch_left_only
        Names of parts for which only the batch left is computed, not the structure kept.
    marginal
        Whether to measure information about the batch across populations, too.
    alarm
        Whether to search for lost differences.
    n_bootstrap
        Draws of the intervals.
    """
    judged = dict(codes)
    if reference == COMPONENTS:
        judged[COMPONENTS] = frame.components
    left = None
    if frame.populations:
        left = batch_left(
            judged,
            reference=reference,
            batch=frame.batch,
            populations=frame.populations,
            parts=parts,
            sample=frame.sample,
            graphs=graphs,
            thorough=frame.thorough,
            marginal=marginal,
            memory=frame.memory,
            n_bootstrap=n_bootstrap,
            seed=frame.seed,
        )
    left_of_parts = left.parts if left is not None else {}
    if frame.programmes is None:
        return JudgeResult(
            left, None, None, {name: JudgeResult(left_of_parts.get(name), None, None) for name in parts or {}}
        )
    all_embeddings = dict(judged)
    if whole_graphs and len(frame.programmes.rows) == len(frame.batch):
        all_embeddings |= dict(graphs or {})
    options: dict[str, Any] = {"sample": frame.sample, "n_bootstrap": n_bootstrap, "seed": frame.seed}
    structure_parts = {name: rows for name, rows in (parts or {}).items() if name not in batch_left_only}
    kept = structure_kept(all_embeddings, frame.programmes, parts=structure_parts, **options)
    results_of_parts = {name: JudgeResult(left_of_parts.get(name), kept.parts.get(name), None) for name in parts or {}}
    lost = None
    if alarm:
        lost = lost_contrasts(
            frame.counts,
            all_embeddings,
            frame.batch,
            reference=alarm_reference or reference,
            gene_names=frame.genes,
            populations=frame.labels,
            confident_populations=frame.confident_labels,
            sample=frame.sample,
            covariates=frame.covariates,
            seed=frame.seed,
        )
    return JudgeResult(left, kept, lost, results_of_parts)
