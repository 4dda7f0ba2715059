"""The shared start of all points: a generative training, clusters, and critics trained on its codes."""

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

_MAX_UNMIXABLE = 0.5
"""Share of cells in clusters that cannot be mixed above which a warning is logged."""


def train_shared_start(run: FrontRun, progress: FrontProgress) -> Start:
    """Train the generative loss alone, from the present state of the module."""
    spec = run.spec
    progress.stage("pretraining", spec.max_epochs_pretrain)
    if (result := run.store.get("pretraining")) is None:
        training = Training(
            "pretraining", run.seed(_seeds.SHARED_START), Start(), Fixed((1.0,)), spec.max_epochs_pretrain
        )
        trained = train(training, run.problem, on_epoch=progress.epoch)
        result = broadcast_from_first({"module": trained.state, "history": history_columns(trained.history)})
        run.store.put("pretraining", result)
    return Start(result["module"])


def find_clusters(run: FrontRun, start: Start) -> None:
    """Compute the clusters that objectives are conditioned on, unless they are given."""
    for clustering in run.clusterings:
        memberships, name = clustering.memberships, f"clusters_{clustering.name}"
        if memberships is None and (result := run.store.get(name)) is not None:
            memberships = result["memberships"]
        if memberships is None:
            codes = _codes_of_start(run, start) if clustering.name == FROM_CORRECTED else run.cells.components_of_all()
            memberships = broadcast_from_first(
                fit_soft_clusters(codes, clustering.n_clusters, seed=run.seed(_seeds.CLUSTERS))
            )
            run.store.put(name, {"memberships": memberships})
        run.problem.adapter.clusters[clustering.name] = memberships


def _codes_of_start(run: FrontRun, start: Start) -> NDArray[np.float64]:
    """Return codes of the shared start, which are corrected only in that the decoder reads the batch.

    A correction by marginal information would merge types of single batches, which the clusters must protect.
    """
    load_start(run.problem, start, n_others=0)
    return run.cells.encode(all_cells=True)[0].loc.numpy().astype(np.float64)


def add_critics(run: FrontRun, start: Start, progress: FrontProgress, *, keep: bool = True) -> Start:
    """Add critics trained on the codes of a start, with the proportions of the nuisances.

    Parameters
    ----------
    run, start, progress
        The front, the start of its points, and the progress bar.
    keep
        Whether to store the critics and to read them from the store, as the critics of the front.
    """
    result = run.store.get("critics") if keep else None
    if result is None:
        progress.say("pretraining the critics")
        with seeded(run.seed(_seeds.CRITICS)):
            objectives = load_start(run.problem, start)
            for objective in objectives:
                _fit_critic_to_start(run, objective)
        result = broadcast_from_first({"objectives": [copy_state(objective) for objective in objectives]})
        if keep:
            run.store.put("critics", result)
    complete = Start(start.module, tuple(result["objectives"]))
    # Read from the stored result, so that a resumed run reports too.
    with seeded(run.seed(_seeds.CRITICS)):
        for objective in load_start(run.problem, complete):
            _log_unmixable_clusters(run, objective)
    return complete


def encode_for_critics(run: FrontRun) -> tuple[Normal, Context, torch.Tensor]:
    """Encode the judged cells in the present state, for critics; along a path at random places."""
    qz, context, generative = run.cells.encode()
    return qz, draw_random_places(context, run.spec.n_objectives) if run.spec.along_path else context, generative


def _fit_critic_to_start(run: FrontRun, objective: Objective) -> None:
    """Initialise an objective with the training cells and their present codes, and train its critic on them."""
    qz, context, _ = encode_for_critics(run)
    split = run.cells.split
    cells, validation = torch.from_numpy(split.train), torch.from_numpy(split.validation)
    objective.observe(context.take(cells))
    objective.start(Normal(qz.loc[cells], qz.scale[cells], validate_args=False))
    if not fit_critic(objective, qz, context, cells, validation, run.problem.recipe.critic_warmup):
        warn_of_warmup(objective.label)


def draw_random_places(context: Context, n_objectives: int) -> Context:
    """Give each cell a random place: critics learn that the codes of the start are the same at all places."""
    shares = np.random.default_rng(int(torch.randint(2**31, ()))).dirichlet(np.ones(n_objectives), len(context))
    return replace(context, shares=torch.from_numpy(shares.astype(np.float32)))


def _log_unmixable_clusters(run: FrontRun, objective: Objective) -> None:
    """Log which clusters an objective cannot mix because they have one level of the nuisance only.

    Raises
    ------
    ValueError
        If no cluster can be mixed.
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
    message = (
        f"{objective.label}: {len(single)} clusters, with {share:.0%} of the cells, have one level of the nuisance"
    )
    if share > _MAX_UNMIXABLE:
        logger.warning("%s only: little can be mixed within the others. Try fewer clusters.", message)
    else:
        logger.info("%s only; they are left as they are.", message)
