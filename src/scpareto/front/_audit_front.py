"""Judge every point of a finished front once more, with labels and positive controls if there are any."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scvi import REGISTRY_KEYS

from scpareto._cells import Split, row_blocks, split_by_name, values_by_name
from scpareto._constants import BATCH
from scpareto._runtime import FrontProgress, child_seed
from scpareto.audit import LabelJudge
from scpareto.front import _seeds
from scpareto.front._judge_all import judge_all_points, write_judgement
from scpareto.front._judged_cells import JudgedCells
from scpareto.front._judging import FRAME_SEED, Judging, judge_points
from scpareto.train import get_adapter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from scvi.model.base import BaseModelClass

    from scpareto.pareto import Front


def audit_front(
    model: BaseModelClass,
    front: Front,
    *,
    labels: ArrayLike | None = None,
    control_genes: Sequence[str] = (),
    scib: bool = True,
    n_bootstrap: int = 200,
    seed: int | None = None,
    progress: bool = True,
) -> None:
    """Judge every point of a front on its test cells and write the columns into its table, in place.

    Of more than 100,000 cells, the sample that was judged after training is judged.

    The state of the model's module is restored afterwards.

    Parameters
    ----------
    model
        The model that the front was learnt with, on the same cells, in any order.
    front
        The front, with its test cells in ``metadata["indices"]`` and names of all cells in ``metadata["cell_names"]``.
    labels
        Annotated types, shape ``(n_cells,)``; a series follows the names of the cells; missing ones are left out
        of what needs labels.
    control_genes
        Names of genes whose pattern across cells a correction must not erase; the alarm watches them too.
    scib
        With labels, whether to add the scores of scib-metrics.
    n_bootstrap
        Bootstrap samples of the intervals.
    seed
        Seed of probes and clusterings; None for the one that the points were judged with after training.
    progress
        Whether to show a bar.

    Raises
    ------
    ValueError
        If labels do not fit, the cells are not those of the front's training, or a control gene is the same in all
        cells.
    KeyError
        If a control gene is not among the genes.

    Examples
    --------
    A front whose only point is a model's initial weights, judged by annotated types as well:

    >>> import torch
    >>> from scpareto.pareto import Front
    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> split = sp.front.stratified_split(adata.obs["batch"])
    >>> indices = {part: torch.from_numpy(cells) for part, cells in split.items()}
    >>> front = Front(objectives=["generative_loss", "mmd"], method="scalarization", metadata={"indices": indices})
    >>> front.add({"point": 0, "kind": "extreme", "preference_generative_loss": 1.0}, model.module.state_dict())
    >>> sp.front.audit_front(model, front, labels=adata.obs["cell_type"], scib=False, n_bootstrap=10, progress=False)
    >>> {"batch_left", "structure_kept", "leakage_sample", "nmi", "alarm"} <= set(front.table)
    True
    >>> bool(front.table["leakage_mean"].max() < 1.1)  # information about three batches is at most log 3
    True
    """
    cells = get_judged_cells(model, front, control_genes)
    target = front.metadata.get("target", BATCH)
    target = target if target is None or target in cells.adapter.levels else BATCH
    seeds = (judging_seed(front), FRAME_SEED) if seed is None else (seed, seed)
    probed = tuple(front.metadata.get("probed", ()))
    others = tuple(other for other in front.metadata.get("other_targets", ()) if other in cells.adapter.levels)
    judging = Judging(seeds[0], target, n_bootstrap, nats=True, frame_seed=seeds[1], probed=probed, others=others)
    if labels is not None:
        n_cells = model.adata_manager.adata.n_obs
        labels = values_by_name(labels, model.adata_manager.adata.obs_names, "labels")
        if len(values := np.asarray(labels, dtype=object)) != n_cells:
            raise ValueError(f"labels has {len(values)} entries but {n_cells} are needed, one for each cell.")
        levels = cells.levels(BATCH if target is None else target)
        label_judge = LabelJudge(
            cells.take(values), levels, cells.split.test, cells.expression, scib=scib, seed=seeds[0]
        )
        judging = replace(judging, labels=label_judge)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    states = ((number, front.state(number)) for number in front.numbers)
    codes = {}
    try:
        with FrontProgress(len(front) + 1, show=progress, unit="points") as bar:
            for number, judgement in judge_points(cells, states, judging, say=bar.say):
                front.update(number, judgement.row)
                codes[number] = judgement.codes
                bar.epoch()
            bar.say("judging all points")
            write_judgement(front, judge_all_points(cells, judging, codes))
            bar.epoch()
        front.metadata["control_genes"] = list(control_genes)
    finally:
        model.module.load_state_dict(before)


def get_judged_cells(model: BaseModelClass, front: Front, control_genes: Sequence[str] = ()) -> JudgedCells:
    """Return the cells that a front was judged on, with the genes that a correction must not erase."""
    manager, split = model.adata_manager, load_split(model, front)
    controls = {name: _log_normalised(manager, name) for name in control_genes}
    for name, values in controls.items():
        if np.ptp(values) == 0:
            raise ValueError(f"Control gene {name!r} is the same in all cells: nothing of it can be lost.")
    return JudgedCells(get_adapter(model), manager, split, controls)


def load_split(model: BaseModelClass, front: Front) -> Split:
    """Return the split of a front as rows of the model's present data, matched by the names of cells."""
    names = front.metadata.get("cell_names")
    return split_by_name(Split.from_plain(front.metadata["indices"]), names, model.adata_manager.adata.obs_names)


def judging_seed(front: Front) -> int:
    """Return the seed that the points of a front were judged with, so that equal codes get equal numbers."""
    return child_seed(front.metadata.get("seed", 0), _seeds.JUDGING)


def _log_normalised(manager: Any, gene: str) -> NDArray[np.float64]:
    """Return log-normalised expression of one gene, shape ``(n_cells,)``."""
    names = manager.get_state_registry(REGISTRY_KEYS.X_KEY)["column_names"]
    columns = np.flatnonzero(np.asarray(names) == gene)
    if not len(columns):
        raise KeyError(f"{gene!r} is not among the {len(names)} genes of the model.")
    parts = []
    for _, counts in row_blocks(manager.get_from_registry(REGISTRY_KEYS.X_KEY)):
        depth = np.asarray(counts.sum(axis=1)).ravel()
        column = counts[:, int(columns[0])]
        values = column.toarray() if hasattr(column, "toarray") else np.asarray(column)
        parts.append(np.log1p(1e4 * values.ravel().astype(np.float64) / depth))
    return np.concatenate(parts)
