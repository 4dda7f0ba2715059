"""Train one point of a finished front a little further."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scpareto._constants import DEAD
from scpareto._runtime import (
    FrontProgress,
    check_accelerator,
    check_trainer_keywords,
    check_whole_number,
    child_seed,
    choose_hardware,
)
from scpareto.front import _seeds
from scpareto.front._audit_front import get_judged_cells, judging_seed, load_split
from scpareto.front._build import resolve_target
from scpareto.front._clusters import POPULATIONS, population_clusters
from scpareto.front._dead import warn_of_dead_critics
from scpareto.front._front_run import FrontRun
from scpareto.front._judge_all import judge_all_points, write_judgement
from scpareto.front._judging import Judging, encode_points
from scpareto.front._points import Point, train_and_judge
from scpareto.front._shared_start import add_critics
from scpareto.front._spec import FrontSpec
from scpareto.front._store import ResultStore
from scpareto.objectives import get_objective
from scpareto.pareto import Scaler
from scpareto.train import PRACTICAL, BySolver, Problem, Start, Training

if TYPE_CHECKING:
    from scvi.data import AnnDataManager
    from scvi.model.base import BaseModelClass

    from scpareto.objectives import Objective
    from scpareto.pareto import Front, Place, Which
    from scpareto.train import VAEAdapter


def refine_point(
    model: BaseModelClass,
    front: Front,
    which: Which | None = None,
    *,
    batch_left: float | None = None,
    preference: Place | None = None,
    max_epochs: int = 20,
    progress: bool = True,
    **trainer_kwargs: Any,
) -> int:
    """Train a point of a front further on its weighted sum of losses, judge it again and replace it in the front.

    The losses are scaled as in the training of the front. A refined point of a path has separate weights afterwards. A
    preference between the points of a path replaces the nearest point.

    Parameters
    ----------
    model
        The model that the front was learnt with, on the same cells, in any order; it keeps the refined state.
    front
        The front.
    which, batch_left, preference
        A point or a place, see :meth:`scpareto.pareto.Front.resolve`.
    max_epochs
        Largest number of epochs; the state with the best value on validation cells is kept.
    progress
        Whether to show a bar.
    **trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.

    Returns
    -------
    Number of the point.

    Raises
    ------
    ValueError
        If there is no such point, ``max_epochs`` is not positive, cells differ from those of the training, or the front
        has one point only or was trained within clusters, which a front does not store.

    Examples
    --------
    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> front = sp.fit_front(model, "mmd", n_points=4, max_epochs=2, max_epochs_pretrain=1, progress=False)
    >>> before = front.table["n_epochs"].tolist()
    >>> sp.front.refine_point(model, front, 1, max_epochs=1, progress=False)
    1
    >>> before, front.table["n_epochs"].tolist()
    ([1, 1, 1, 1], [1, 2, 1, 1])
    """
    max_epochs = check_whole_number("max_epochs", max_epochs)
    check_accelerator(trainer_kwargs.get("accelerator", "auto"), trainer_kwargs.get("devices", 1))
    check_trainer_keywords(trainer_kwargs)
    if front.metadata.get("alone"):
        raise ValueError("The front has one point, for cells of one batch: call train() with more epochs instead.")
    selection, metadata = front.resolve(which, batch_left=batch_left, preference=preference), front.metadata
    number = selection.number
    kind, before = (front.table.set_index("point")[name][number] for name in ("kind", "n_epochs"))
    run = _make_run(model, front, number, max_epochs, progress, trainer_kwargs)
    with FrontProgress(max_epochs, show=progress) as bar:
        bar.stage(f"refining point {number}", max_epochs)
        training = Training(
            name=f"point_{number}",
            seed=run.seed(number),
            start=add_critics(run, Start(selection.state), bar),
            weights=BySolver(
                method=run.spec.method,
                preferences=front.preferences,
                preference=selection.preference,
                scalers=(Scaler.from_plain(metadata["training_scaler"]), Scaler.from_plain(metadata["scaler"])),
            ),
            max_epochs=max_epochs,
            learning_rate=run.problem.recipe.lr_front,
        )
        point = Point(number, kind, selection.preference, metadata["seed"], (training,))
        result = train_and_judge(run.problem, run.cells, run.judging, point, bar)
        _replace_point(front, number, result, int(before))
        codes = encode_points(run.cells, {n: front.state(n) for n in front.numbers})
        write_judgement(front, judge_all_points(run.cells, run.judging, codes))
    warn_of_dead_critics(front.only([number]))
    model.module.load_state_dict(front.state(number))
    return number


def _make_run(
    model: BaseModelClass, front: Front, number: int, max_epochs: int, progress: bool, trainer_kwargs: dict[str, Any]
) -> FrontRun:
    """Set up a run of one point with the recipe, scales and judging of the front, and a seed of the point."""
    metadata = front.metadata
    cells = get_judged_cells(model, front, metadata.get("control_genes", ()))
    adapter = cells.adapter
    recipe = PRACTICAL.with_options(metadata["recipe"])
    objectives = tuple(_objectives(front, adapter, model.adata_manager))
    spec = FrontSpec(
        method="scalarization",
        solver_kwargs={},
        preferences=front.preferences,
        max_epochs_pretrain=0,
        max_epochs=max_epochs,
        seed=child_seed(metadata["seed"], _seeds.REFINING + number),
    )
    split = load_split(model, front)
    options = trainer_kwargs | choose_hardware(
        trainer_kwargs.get("accelerator", "auto"), trainer_kwargs.get("devices", 1)
    )
    manager = model.adata_manager
    problem = Problem(adapter, manager, split, objectives, recipe, metadata["batch_size"], options)
    judging = replace(Judging.of(problem, judging_seed(front)), probed=tuple(metadata.get("probed", ())))
    return FrontRun(problem, spec, cells, judging, ResultStore({}), {}, show_progress=progress)


def _replace_point(front: Front, number: int, result: dict[str, Any], n_epochs_before: int) -> None:
    """Replace a point of the front by the refined one."""
    # A critic that was dead before may have learned now.
    row: dict[str, Any] = {str(name): False for name in front.table if str(name).endswith(DEAD)}
    row |= {key: value for key, value in result["row"].items() if key != "point"}
    front.update(number, row | {"n_epochs": n_epochs_before + row["n_epochs"]})
    front.states[number] = result["module"]
    front.metadata.setdefault("history", {})[f"point_{number}"] = result["history"]


def _objectives(front: Front, adapter: VAEAdapter, manager: AnnDataManager) -> list[Objective]:
    """Rebuild the objectives of a front from its metadata; populations that batches share are computed again."""
    objectives = []
    labels = front.metadata["objective"]
    for name, label in zip(front.metadata["objective_names"], labels, strict=True):
        options = dict(front.metadata["objective_options"][label])
        if (given := options.get("given")) == POPULATIONS:
            clustering = population_clusters(adapter, manager, options["target"])
            if clustering.memberships is None or clustering.n_clusters != options["n_clusters"]:
                raise ValueError(
                    f"{label} was traded within {options['n_clusters']} populations, and {clustering.n_clusters} are "
                    "found in these cells: refine needs the cells of the training."
                )
            adapter.clusters[POPULATIONS] = clustering.memberships
        elif given is not None:
            raise ValueError(f"{label} was traded within clusters (given={given!r}): refine cannot find them.")
        objective = get_objective(name, n_latent=adapter.n_latent, **options)
        if objective.needs_nuisance and objective.target not in adapter.nuisances:
            resolve_target(adapter, type(objective), objective.target.split(":"))
        objectives.append(objective)
    return objectives
