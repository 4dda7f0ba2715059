"""What every point of a front begins from: a plain generative training, clusters, and critics that know its codes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributions import Normal

from scpareto._runtime import broadcast_from_first, seeded
from scpareto.front import _seeds
from scpareto.front._clusters import FROM_CORRECTED, fit_soft_clusters
from scpareto.front._dead import warn_of_warmup
from scpareto.objectives import fit_critic
from scpareto.train import Fixed, Start, Training, copy_state, history_columns, load_start, train

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto._runtime import FrontProgress
    from scpareto.front._front_run import FrontRun
    from scpareto.objectives import Context, Objective

logger = logging.getLogger("scpareto")

_MOST = 0.5
"""Share of cells in clusters that cannot be mixed above which the user is warned."""


def train_shared_start(run: FrontRun, progress: FrontProgress) -> Start:
    """Train the generative loss alone, from the state that the module is in."""
    spec = run.spec
    progress.stage("pretraining", spec.max_epochs_pretrain)
    if (part := run.store.get("pretraining")) is None:
        training = Training(
            "pretraining", run.seed(_seeds.SHARED_START), Start(), Fixed((1.0,)), spec.max_epochs_pretrain
        )
        trained = train(training, run.problem, on_epoch=progress.epoch)
        part = broadcast_from_first({"module": trained.state, "history": history_columns(trained.history)})
        run.store.put("pretraining", part)
    return Start(part["module"])


def find_clusters(run: FrontRun, start: Start) -> None:
    """Find the clusters that objectives are conditioned on, where they are not given."""
    for clustering in run.clusterings:
        memberships, name = clustering.memberships, f"clusters_{clustering.name}"
        if memberships is None and (part := run.store.get(name)) is not None:
            memberships = part["memberships"]
        if memberships is None:
            codes = _corrected(run, start) if clustering.name == FROM_CORRECTED else run.cells.components_of_all()
            memberships = broadcast_from_first(
                fit_soft_clusters(codes, clustering.n_clusters, seed=run.seed(_seeds.CLUSTERS))
            )
            run.store.put(name, {"memberships": memberships})
        run.problem.adapter.clusters[clustering.name] = memberships


def _corrected(run: FrontRun, start: Start) -> NDArray[np.float64]:
    """Codes of the shared start: corrected in that its decoder knows the batch, and no further.

    A correction by marginal information would merge the types of single batches that the clusters are to protect.
    """
    load_start(run.problem, start, n_others=0)
    return run.cells.encode(all_cells=True)[0].loc.numpy().astype(np.float64)


def add_critics(run: FrontRun, start: Start, progress: FrontProgress, *, keep: bool = True) -> Start:
    """Add critics that know the codes of a start, and the proportions of the nuisances.

    Parameters
    ----------
    run, start, progress
        The front, what its points begin from, and the bar.
    keep
        Whether the critics are those of the front: kept in its store and taken from there.
    """
    part = run.store.get("critics") if keep else None
    if part is None:
        progress.say("pretraining the critics")
        with seeded(run.seed(_seeds.CRITICS)):
            objectives = load_start(run.problem, start)
            for objective in objectives:
                _fit_to_start(run, objective)
        part = broadcast_from_first({"objectives": [copy_state(objective) for objective in objectives]})
        if keep:
            run.store.put("critics", part)
    complete = Start(start.module, tuple(part["objectives"]))
    # Of a resumed run too, hence from the part.
    with seeded(run.seed(_seeds.CRITICS)):
        for objective in load_start(run.problem, complete):
            _report_clusters(run, objective)
    return complete


def encode_for_critics(run: FrontRun) -> tuple[Normal, Context, torch.Tensor]:
    """Judged cells as the module encodes them now, for critics: of a path, at random places."""
    qz, context, generative = run.cells.encode()
    return qz, draw_random_places(context, run.spec.n_objectives) if run.spec.along_path else context, generative


def _fit_to_start(run: FrontRun, objective: Objective) -> None:
    """Let an objective observe the training cells, start from their present codes and train its critic on them."""
    qz, context, _ = encode_for_critics(run)
    split = run.cells.split
    cells, validation = torch.from_numpy(split.train), torch.from_numpy(split.validation)
    objective.observe(context.take(cells))
    objective.start(Normal(qz.loc[cells], qz.scale[cells], validate_args=False))
    if not fit_critic(objective, qz, context, cells, validation, run.problem.recipe.critic_warmup):
        warn_of_warmup(objective.label)


def draw_random_places(context: Context, n_objectives: int) -> Context:
    """Give each cell a random place: codes of the start are the same everywhere, and critics are to know it."""
    shares = np.random.default_rng(int(torch.randint(2**31, ()))).dirichlet(np.ones(n_objectives), len(context))
    return replace(context, shares=torch.from_numpy(shares.astype(np.float32)))


def _report_clusters(run: FrontRun, objective: Objective) -> None:
    """Say which clusters an objective leaves alone because they have one level of the nuisance only.

    Raises
    ------
    ValueError
        If these are all clusters.
    """
    single: list[int] = getattr(objective, "single_level_clusters", [])
    if not single:
        return
    given: Any = objective.options["given"]
    memberships = run.problem.adapter.clusters[given]
    if len(single) == memberships.shape[1]:
        raise ValueError(
            f"given={given!r}: every cluster has one level of {objective.target!r} only, so that there is nothing "
            "to mix within clusters. Use fewer clusters, or none."
        )
    share = float(memberships[:, single].sum() / len(memberships))
    run.metadata.setdefault("single_level_clusters", {})[objective.label] = single
    told = f"{objective.label}: {len(single)} clusters, with {share:.0%} of the cells, have one level of the nuisance"
    if share > _MOST:
        logger.warning("%s only: little can be mixed within the others. Try fewer clusters.", told)
    else:
        logger.info("%s only; they are left as they are.", told)
