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
    """Train a point of a front further on its own weighted sum, judge it again and keep it in the front, in place.

    The losses are scaled as in the training of the front. A point of a path gets weights of its own. A preference
    between the points of a path replaces the nearest of them.

    Parameters
    ----------
    model
        The model that the front was learnt with, on the same cells, in any order; it is left in the refined state.
    front
        The front.
    which, batch_left, preference
        A point, or a place instead, see :meth:`scpareto.pareto.Front.resolve`.
    max_epochs
        Longest training; the state with the best value on validation cells is kept.
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
        If there is no such point, ``max_epochs`` is not positive, cells are not those of the training, or the front
        has one point only or was trained within clusters, which it does not keep.

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
    run = _run(model, front, number, max_epochs, progress, trainer_kwargs)
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
        part = train_and_judge(run.problem, run.cells, run.judging, point, bar)
        _put(front, number, part, int(before))
        codes = encode_points(run.cells, {n: front.state(n) for n in front.numbers})
        write_judgement(front, judge_all_points(run.cells, run.judging, codes))
    warn_of_dead_critics(front.only([number]))
    model.module.load_state_dict(front.state(number))
    return number


def _run(
    model: BaseModelClass, front: Front, number: int, max_epochs: int, progress: bool, trainer_kwargs: dict[str, Any]
) -> FrontRun:
    """Set up a run of one point: the recipe, scales and judging are those of the front, the seed is the point's own."""
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


def _put(front: Front, number: int, part: dict[str, Any], n_epochs_before: int) -> None:
    """Put a refined point into the front, in place of what it was."""
    # What was dead need not be any more.
    row: dict[str, Any] = {str(name): False for name in front.table if str(name).endswith(DEAD)}
    row |= {key: value for key, value in part["row"].items() if key != "point"}
    front.update(number, row | {"n_epochs": n_epochs_before + row["n_epochs"]})
    front.states[number] = part["module"]
    front.metadata.setdefault("history", {})[f"point_{number}"] = part["history"]


def _objectives(front: Front, adapter: VAEAdapter, manager: AnnDataManager) -> list[Objective]:
    """Objectives of a front, from its record; populations that batches share are found again."""
    objectives = []
    labels = front.metadata["objective"]
    for name, label in zip(front.metadata["objective_names"], labels, strict=True):
        options = dict(front.metadata["objective_options"][label])
        if (given := options.get("given")) == POPULATIONS:
            found = population_clusters(adapter, manager, options["target"])
            if found.memberships is None or found.n_clusters != options["n_clusters"]:
                raise ValueError(
                    f"{label} was traded within {options['n_clusters']} populations, and {found.n_clusters} are found "
                    "in these cells: refine needs the cells of the training."
                )
            adapter.clusters[POPULATIONS] = found.memberships
        elif given is not None:
            raise ValueError(f"{label} was traded within clusters (given={given!r}): refine cannot find them.")
        made = get_objective(name, n_latent=adapter.n_latent, **options)
        if made.needs_nuisance and made.target not in adapter.nuisances:
            resolve_target(adapter, type(made), made.target.split(":"))
        objectives.append(made)
    return objectives
