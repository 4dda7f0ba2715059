"""Check a model and arguments, and prepare a front to be trained."""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from scvi import settings as scvi_settings
from scvi.model.base import BaseModelClass

from scpareto._runtime import check_accelerator, child_seed, choose_hardware, resolve_seed, seeded
from scpareto.front import _seeds
from scpareto.front._build import build_objectives, check_targets, has_nothing_to_trade, lacks_nuisance, pair_options
from scpareto.front._checks import check_loader_kwargs, check_preferences
from scpareto.front._executor import RayExecutor, is_on_gpu
from scpareto.front._fingerprint import data_hash, model_settings, state_hash, trainer_settings
from scpareto.front._front_run import FrontRun
from scpareto.front._judged_cells import JudgedCells
from scpareto.front._judging import Judging
from scpareto.front._source import NO_CELLS, find_source
from scpareto.front._spec import FrontSpec
from scpareto.front._store import ResultStore
from scpareto.pareto import get_scaler, get_solver, solver_class
from scpareto.train import Problem, adapter_class, get_adapter

if TYPE_CHECKING:
    from scpareto.front._options import FrontOptions

logger = logging.getLogger("scpareto")

NO_BATCH_KEY = (
    "No batch_key was registered: there is nothing to correct, so that the model is trained as SCVI is and its front "
    "has one point. Register one with setup_anndata(adata, batch_key=...) for a front."
)


def prepare(model: BaseModelClass, options: FrontOptions) -> FrontRun:
    """Check the arguments against the model and its data, and resolve them; nothing is trained yet.

    The checkpoint folder is opened or created last.

    Raises
    ------
    ValueError
        If an argument is not valid, or ``checkpoint_dir`` holds points of another run.
    KeyError
        If ``given`` does not exist.
    TypeError
        If the model is of an unsupported family.
    ImportError
        If the executor is not installed.
    """
    if not isinstance(model, BaseModelClass):
        raise TypeError(
            f"model={model!r} is no model of scvi-tools or scpareto: give one that is set up on your cells."
        )
    if options.executor is None:  # workers on other machines may have other hardware
        check_accelerator(options.accelerator, options.devices)
    if model.module is None:
        raise ValueError(
            "The model was made of nothing. Make it of the registry of a data module: "
            f"{type(model).__name__}(registry=datamodule.registry)."
        )
    if model.adata_manager is None and options.datamodule is None:
        raise ValueError(NO_CELLS)
    recipe = options.recipe(adapter_class(model).recipe if options.preset is None else {})
    get_scaler(recipe.scaler)
    seed = resolve_seed(options.seed)
    pairs = pair_options(options.objectives, options.objective_kwargs)
    grid = check_preferences(solver_class(options.solver), options.n_points, options.preferences, 1 + len(pairs))
    solver_kwargs = options.solver_kwargs or {}
    get_solver(options.solver, preferences=grid, **{"safeguards": recipe.safeguards} | solver_kwargs)
    source = find_source(model, options, seed)
    manager, split = source.manager, source.split
    adapter = get_adapter(model, None if source.stream is None else manager)
    with seeded(child_seed(seed, _seeds.FIRST_CRITIC)):
        objectives, clusterings, composition = build_objectives(pairs, adapter, manager, recipe, source.n_train)
    source.assign_populations(clusterings, counts=adapter.takes_counts)
    generative_only = has_nothing_to_trade(objectives, adapter, manager)
    if lacks_nuisance(adapter) and generative_only:
        warnings.warn(NO_BATCH_KEY, UserWarning, stacklevel=4)
    if not generative_only:
        check_targets(objectives, adapter, manager, split)
    batch_size = int(options.batch_size or scvi_settings.batch_size)
    loader_kwargs = check_loader_kwargs(options.loader_kwargs, source.n_train, batch_size)
    n_pretrain, n_epochs = options.lengths(source.n_cells, math.ceil(source.n_train / batch_size))
    spec = FrontSpec(
        method=options.solver,
        solver_kwargs=solver_kwargs,
        preferences=grid,
        max_epochs_pretrain=n_pretrain,
        max_epochs=n_epochs,
        seed=seed,
        warm_start=options.warm_start,
        grid_given=options.preferences is not None,
        alone=generative_only,
    )
    trainer_kwargs = choose_hardware(options.accelerator, options.devices) | options.trainer_kwargs
    problem = Problem(
        adapter, manager, split, tuple(objectives), recipe, batch_size, trainer_kwargs, loader_kwargs, source.stream
    )
    on_gpu = is_on_gpu(options.accelerator)
    executor = None if options.executor is None else RayExecutor(on_gpu=on_gpu, **options.executor_kwargs or {})
    settings = settings_of(options, spec, problem)
    memberships = [c.memberships.numpy() for c in clusterings if c.memberships is not None]
    trainer, hardware = trainer_settings(trainer_kwargs)
    fingerprint: dict[str, Any] = {"data": data_hash(manager, split, memberships), "start": state_hash(adapter.module)}
    fingerprint |= {"model": model_settings(model), "trainer": trainer}
    noted_settings: dict[str, Any] = hardware | {
        "versions": settings.pop("versions"),
        "threads": torch.get_num_threads(),
    }
    cells = JudgedCells(adapter, manager, split)
    judging = Judging.of(problem, child_seed(seed, _seeds.JUDGING))
    if generative_only:
        judging = replace(judging, target=None, objectives=(), others=())
    metadata = (
        settings
        | source.metadata
        | {
            "versions": noted_settings["versions"],
            "target": judging.target,
            "other_targets": list(judging.others),
        }
    )
    if composition is not None:
        metadata["composition"] = composition.to_plain()
    if cells.rows is not None or source.stream is not None:
        n_judged = {name: len(index) for name, index in cells.split.items()}
        if (total := sum(n_judged.values())) < source.n_cells:
            metadata["n_judged"] = n_judged
            logger.info("Points are judged on %d of the %d cells.", total, source.n_cells)
    store = ResultStore(settings | fingerprint, options.checkpoint_dir, noted=noted_settings)
    return FrontRun(
        problem,
        spec,
        cells,
        judging,
        store,
        metadata,
        clusterings,
        executor,
        options.progress,
        on_collapse=options.on_collapse,
    )


def settings_of(options: FrontOptions, spec: FrontSpec, problem: Problem) -> dict[str, Any]:
    """Return all settings that determine a front, as plain types; they are stored and compared on resuming."""
    objectives = problem.objectives
    generative_only = {"alone": True} if spec.alone else {}
    return generative_only | {
        "objective": [o.label for o in objectives],
        "objective_names": [o.name for o in objectives],
        "objective_options": {o.label: {k: v for k, v in o.options.items() if k != "n_latent"} for o in objectives},
        "method": spec.method,
        "solver_kwargs": {k: str(v) for k, v in spec.solver_kwargs.items()},
        "preset": options.preset or "practical",
        "recipe": problem.recipe.to_plain(),
        "preferences": spec.preferences.tolist(),
        "max_epochs_pretrain": spec.max_epochs_pretrain,
        "max_epochs": spec.n_epochs_whole,
        "batch_size": problem.batch_size,
        "warm_start": spec.warm_start,
        "grid_given": spec.grid_given,
        "on_collapse": options.on_collapse,
        "seed": spec.seed,
        "versions": {name: version(name) for name in ("scpareto", "scvi-tools", "torch")},
    }
