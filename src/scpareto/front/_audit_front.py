"""Judge every point of a finished front once more, with labels and positive controls if there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi import REGISTRY_KEYS

from scpareto._cells import Split, row_blocks
from scpareto._runtime import FrontProgress
from scpareto.audit import LabelJudge, Structure, judge_codes, set_alarm
from scpareto.front._judge import Judge
from scpareto.train._adapter import get_adapter
from scpareto.train._recipe import PRACTICAL

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
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Judge every point of a front on its test cells and write what is found into its table, in place.

    Of more than 100,000 cells the sample is judged that was judged after training.

    The model's module is put back into the state that it was in.

    Parameters
    ----------
    model
        The model that the front was learnt with, on the same data.
    front
        The front, with its test cells in ``metadata["indices"]``.
    labels
        Annotated types, shape ``(n_cells,)``; missing ones are left out of what needs labels.
    control_genes
        Names of genes whose pattern across cells a correction must not erase; the alarm watches them too.
    scib
        With labels, whether to add the scores of scib-metrics (extra ``bench``).
    n_bootstrap
        Bootstrap samples of the intervals.
    seed
        Seed of probes and clusterings.
    progress
        Whether to show a bar.

    Raises
    ------
    ValueError
        If labels do not fit, or a control gene is the same in all cells.
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
    >>> {"leakage_mean", "batch_entropy", "nmi", "alarm"} <= set(front.table)
    True
    >>> bool(front.table["leakage_mean"].max() < 1.1)  # what is known of three batches is at most log 3
    True
    """
    indices = front.metadata["indices"]
    split = Split(*(np.asarray(indices[name]) for name in ("train", "validation", "test")))
    adapter, manager = get_adapter(model), model.adata_manager
    judge = Judge(adapter, manager, split, [], PRACTICAL.with_options({"n_bootstrap": n_bootstrap}))
    controls = {name: judge.take(_log_normalised(manager, name)) for name in control_genes}
    context = judge.encode()[1]
    target = front.metadata.get("target", "batch")
    target = target if target in context.categorical else "batch"
    levels = context.categorical[target].numpy()
    names = judge.level_names(context, target)
    structure = Structure(judge.expression, names, judge.split.held_out, control_genes=controls)
    by_labels = None
    if labels is not None:
        if len(given := np.asarray(labels, dtype=object)) != manager.adata.n_obs:
            raise ValueError(
                f"labels has {len(given)} entries but {manager.adata.n_obs} are needed, one for each cell."
            )
        by_labels = LabelJudge(judge.take(given), levels, judge.split.test, judge.expression, scib=scib, seed=seed)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    structures = {}
    try:
        with FrontProgress(len(front), show=progress, unit="points") as bar:
            for number in front.numbers:
                bar.say(f"judging point {number}")
                model.module.load_state_dict(front.state(number))
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    qz = judge.encode()[0]
                    sample = qz.sample().numpy()
                mean = qz.loc.numpy().astype(np.float64)
                row = judge_codes(
                    mean,
                    sample,
                    levels,
                    test_indices=judge.split.test,
                    expression=judge.expression,
                    n_bootstrap=n_bootstrap,
                    seed=seed,
                )
                front.update(number, row | ({} if by_labels is None else by_labels(mean)))
                structures[number] = structure(mean)
                bar.epoch()
        set_alarm(front, structures)
    finally:
        model.module.load_state_dict(before)


def _log_normalised(manager: Any, gene: str) -> NDArray[np.float64]:
    """Log-normalised expression of one gene, shape ``(n_cells,)``."""
    names = manager.get_state_registry(REGISTRY_KEYS.X_KEY)["column_names"]
    found = np.flatnonzero(np.asarray(names) == gene)
    if not len(found):
        raise KeyError(f"{gene!r} is not among the {len(names)} genes of the model.")
    parts = []
    for _, counts in row_blocks(manager.get_from_registry(REGISTRY_KEYS.X_KEY)):
        depth = np.asarray(counts.sum(axis=1)).ravel()
        column = counts[:, int(found[0])]
        values = column.toarray() if hasattr(column, "toarray") else np.asarray(column)
        parts.append(np.log1p(1e4 * values.ravel().astype(np.float64) / depth))
    return np.concatenate(parts)
