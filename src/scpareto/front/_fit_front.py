"""Learn the front of a scvi-tools model: resolve and check the arguments, then run the engine."""

from __future__ import annotations

import logging
import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from scvi import REGISTRY_KEYS

from scpareto._cells import judged_cells
from scpareto._runtime import child_seed, is_first_process, resolved_seed, seeded
from scpareto._scvi_compat import get_max_epochs_heuristic
from scpareto.front._arguments import check_cells, checked_grid, checked_split, devices_of, is_learned, positive
from scpareto.front._build import build_objectives, check_targets, paired
from scpareto.front._engine import FrontEngine
from scpareto.front._executor import EXECUTORS, RayExecutor
from scpareto.front._fingerprint import data_hash, state_hash
from scpareto.front._path_engine import PathEngine
from scpareto.front._report import report
from scpareto.front._spec import FrontSpec
from scpareto.front._store import PartStore
from scpareto.pareto import Front, get_scaler, get_solver, solver_class
from scpareto.train._adapter import get_adapter
from scpareto.train._recipe import RECIPES

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import ArrayLike
    from scvi.model.base import BaseModelClass


logger = logging.getLogger("scpareto")

RECOMMENDED_METHOD = "conditional"
APART = "pareto_mtl"
"""Method that is recommended where there is no one training for all preferences."""
RECOMMENDED_OBJECTIVE = "classifier"
PUBLISHED_OBJECTIVE = "mine"
WARM_STARTS = ("start", "path")
"""Where points begin."""
_LEAST_STEPS = 1000
"""Steps of a point that its default number of epochs comes to at least."""
_CRITIC = 20_001
"""Seed index of the first critic."""


class FrontRun:
    """A checked, not yet started training of a front; :func:`fit_front` is the short way to use it.

    Everything that can be wrong with the arguments, which are those of :func:`fit_front`, is found here, before any
    training.

    Examples
    --------
    Nothing is trained yet, and all choices are made:

    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> run = sp.front.FrontRun(model, n_points=4, progress=False)
    >>> run.settings["objective"], run.settings["method"]
    (['classifier'], 'conditional')
    >>> {part: len(cells) for part, cells in run.split.items()}
    {'train': 70, 'validation': 9, 'test': 21}
    >>> sp.front.FrontRun(model, objective="mine", n_points=1)
    Traceback (most recent call last):
        ...
    ValueError: n_points=1: a front needs at least 2 preferences.
    """

    def __init__(
        self,
        model: BaseModelClass,
        objective: str | Sequence[str] | None = None,
        method: str | None = None,
        n_points: int = 10,
        *,
        preferences: ArrayLike | None = None,
        max_epochs: int | None = None,
        max_epochs_pretrain: int | None = None,
        batch_size: int = 128,
        seed: int | None = None,
        preset: str | None = None,
        split: Sequence[ArrayLike] | None = None,
        objective_kwargs: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        solver_kwargs: dict[str, Any] | None = None,
        plan_kwargs: dict[str, Any] | None = None,
        warm_start: str = "start",
        checkpoint_dir: str | os.PathLike[str] | None = None,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        executor: str | None = None,
        executor_kwargs: dict[str, Any] | None = None,
        progress: bool = True,
        **trainer_kwargs: Any,
    ) -> None:
        check_cells(model, trainer_kwargs)
        if executor not in (None, *EXECUTORS):
            raise ValueError(f"executor={executor!r} is not one of None, {', '.join(map(repr, EXECUTORS))}.")
        if executor_kwargs and executor is None:
            raise ValueError("executor_kwargs are given without an executor.")
        if executor is not None and warm_start == "path":
            raise ValueError("warm_start='path' trains one point after the other; executor='ray' does not go with it.")
        if warm_start not in WARM_STARTS:
            raise ValueError(f"warm_start={warm_start!r} is not one of {', '.join(map(repr, WARM_STARTS))}.")
        if preset not in RECIPES:
            raise ValueError(f"preset={preset!r} is unknown. Choose None or {', '.join(map(repr, RECIPES))}.")
        if str(trainer_kwargs.get("precision", "32")).startswith("16"):
            raise ValueError("precision=16: half precision overflows in the critics. Use 32 or 'bf16-mixed'.")
        adapter = get_adapter(model)
        recipe = RECIPES[preset].with_options((adapter.recipe if preset is None else {}) | (plan_kwargs or {}))
        get_scaler(recipe.scaler)
        if objective is None:
            objective = PUBLISHED_OBJECTIVE if preset == "paper" else RECOMMENDED_OBJECTIVE
        if method is None:
            apart = preset == "paper" or executor is not None or warm_start == "path" or is_learned(objective)
            method = APART if apart else RECOMMENDED_METHOD
        seed = resolved_seed(seed)
        manager = model.adata_manager
        n_cells = manager.adata.n_obs
        batch = manager.get_from_registry(REGISTRY_KEYS.BATCH_KEY)
        self.split = checked_split(split, batch, seed)
        pairs = paired(objective, objective_kwargs)
        with seeded(child_seed(seed, _CRITIC)):
            traded, clusterings = build_objectives(pairs, adapter, manager.adata, recipe, len(self.split.train))
        check_targets(traded, adapter, manager, self.split)
        grid = checked_grid(solver_class(method), n_points, preferences, 1 + len(traded))
        get_solver(method, preferences=grid, **{"safeguards": recipe.safeguards} | (solver_kwargs or {}))
        heuristic = get_max_epochs_heuristic(n_cells)
        published = preset == "paper"
        batch_size = positive("batch_size", batch_size, 128)
        # The encoder moves slowly, so that critics can follow: few cells need more epochs.
        at_least = math.ceil(_LEAST_STEPS / math.ceil(len(self.split.train) / batch_size))
        along_path = solver_class(method).along_path
        if along_path and warm_start == "path":
            raise ValueError("warm_start='path' is for points that are trained apart; method='conditional' has none.")
        if along_path and (learned := [objective.label for objective in traded if objective.is_learned]):
            raise ValueError(f"method='conditional' does not take {', '.join(learned)}, which learns with the model.")
        if along_path and executor is not None:
            raise ValueError("method='conditional' is one training; executor='ray' does not go with it.")
        if along_path and published:
            raise ValueError("preset='paper' trains every point apart; method='conditional' does not go with it.")
        # One training for all points takes twice as long as one of them, a step from one to the next a quarter.
        length = 2 if along_path else 0.25 if warm_start == "path" else 1
        epochs = math.ceil(length * max(at_least, heuristic // 4))
        spec = FrontSpec(
            method=method,
            solver_kwargs=solver_kwargs or {},
            preferences=grid,
            recipe=recipe,
            max_epochs_pretrain=positive(
                "max_epochs_pretrain", max_epochs_pretrain, 200 if published else max(1, heuristic // 2)
            ),
            max_epochs=positive("max_epochs", max_epochs, 150 if published else epochs),
            batch_size=batch_size,
            seed=seed,
            trainer_kwargs={"accelerator": accelerator, "devices": devices_of(accelerator, devices)} | trainer_kwargs,
            warm_start=warm_start,
        )
        self.settings = {
            "objective": [o.label for o in traded],
            "objective_names": [o.name for o in traded],
            "objective_options": {o.label: {k: v for k, v in o.options.items() if k != "n_latent"} for o in traded},
            "method": method,
            "solver_kwargs": {k: str(v) for k, v in spec.solver_kwargs.items()},
            "preset": preset or "practical",
            "recipe": recipe.to_plain(),
            "preferences": grid.tolist(),
            "max_epochs_pretrain": spec.max_epochs_pretrain,
            "max_epochs": spec.max_epochs,
            "batch_size": spec.batch_size,
            "warm_start": warm_start,
            "seed": seed,
            "versions": {name: version(name) for name in ("scpareto", "scvi-tools", "torch")},
        }
        known = [c.memberships.numpy() for c in clusterings if c.memberships is not None]
        fingerprint = {"data": data_hash(manager, self.split, known), "start": state_hash(adapter.module)}
        store = PartStore(self.settings | fingerprint, checkpoint_dir)
        self._engine = (PathEngine if along_path else FrontEngine)(
            adapter,
            manager,
            self.split,
            traded,
            spec,
            store,
            clusterings=clusterings,
            executor=None if executor is None else RayExecutor(**executor_kwargs or {}),
            show_progress=progress,
        )
        self._engine.metadata = self.settings | {
            "target": next((o.target for o in traded if o.needs_nuisance), "batch"),
            "indices": {name: torch.from_numpy(index.copy()) for name, index in self.split.items()},
        }
        judged, parts = judged_cells(self.split, batch)
        if judged is not None:
            self._engine.metadata["n_judged"] = {name: len(index) for name, index in parts.items()}
            logger.info("Points are judged on %d of the %d cells.", len(judged), n_cells)

    def run(self) -> None:
        """Train all points that are not finished yet, and report the knee to the user's loggers and callbacks.

        Raises
        ------
        RuntimeError
            If every candidate diverged.
        """
        try:
            self._engine.run()
        except BaseException:
            front = self.front()
            logger.warning("Interrupted. Finished points: %s; missing: %s.", front.numbers or "none", front.missing)
            raise
        if is_first_process():
            report(self.front(), "knee", self._engine.spec.trainer_kwargs)

    def front(self) -> Front:
        """Front of all points finished so far."""
        return self._engine.front()


def fit_front(
    model: BaseModelClass,
    objective: str | Sequence[str] | None = None,
    method: str | None = None,
    n_points: int = 10,
    **kwargs: Any,
) -> Front:
    """Learn the front between the generative loss of a model and an objective of its codes.

    The generative loss is the negative ELBO of each cell in nats, or a baseline's published error. From one shared,
    pretrained start one training learns all preferences (``method="conditional"``); other methods train the two
    extremes (the generative loss alone; the objective alone, followed by a refit of the decoder), then one point for
    each preference. Every point is judged on test cells by probes and critics trained from scratch. The model's module
    is left in the state of the last trained point: choose one with :func:`apply_point`.

    Parameters
    ----------
    model
        A set-up SCVI, SCANVI, LinearSCVI, PEAKVI, TOTALVI or MULTIVI, or a model of scpareto, baselines included.
    objective
        Name of an objective, see :func:`scpareto.objectives.objective_names`, or several, for a front of as many
        dimensions and one; None for the recommended one, with ``preset="paper"`` for ``"mine"``.
    method
        Name of a solver, see :func:`scpareto.pareto.solver_names`; None for the recommended one. ``"conditional"``
        trains all preferences at once, at about the cost of one or two points.
    n_points
        Number of preferences; one extreme for each objective comes on top.
    preferences
        Preferences to train instead of the default grid: importances of the nuisance in [0, 1], shape ``(n_points,)``,
        or of all objectives, shape ``(n_points, n_objectives)``.
    max_epochs, max_epochs_pretrain
        Longest training of a point and of the shared start. None: a quarter and a half of scvi-tools' heuristic
        (100 and 200 up to 20,000 cells), a point with at least 1,000 steps; or as published.
    batch_size
        Cells of a minibatch.
    seed
        Seed of the whole front; None takes ``scvi.settings.seed``, or 0. The initial weights of a scvi-tools model were
        drawn when it was made: set ``scvi.settings.seed`` before that for a front that can be repeated.
    preset
        ``"paper"`` for the published training recipe, None for the practical one.
    split
        Indices of training, validation and test cells; None for 70/10/20 %, stratified by batch.
    objective_kwargs
        Options of the objective, or a list of them for several objectives. ``target`` names the nuisance, or a list of
        categorical ones whose product is meant; ``on`` the codes that are judged (``"mean"``, ``"sample"``,
        ``"both"``); ``given`` the clusters within which information is measured: ``"corrected"`` or ``"pca"``, found in
        the codes of the shared start or in uncorrected principal components (``n_clusters`` of them), or a key of
        ``obs`` or ``obsm``.
    solver_kwargs
        Options of the solver.
    plan_kwargs
        Fields of :class:`scpareto.train.Recipe`.
    warm_start
        Where each point begins: at the shared ``"start"``, or along the ``"path"`` at the point before it, which takes
        a quarter of the epochs unless ``max_epochs`` says otherwise.
    checkpoint_dir
        Folder that keeps every finished point; a later call with the same arguments and data goes on from there.
    accelerator, devices
        As in scvi-tools. With several devices (``strategy="ddp"``, in a script) ``batch_size`` is that of each, and
        ``checkpoint_dir`` a folder that all processes see.
    executor
        ``"ray"`` trains the points at the same time on a Ray cluster (``pip install scpareto[ray]``): the one that this
        process is connected to, or that ``RAY_ADDRESS`` names, or a local one. On CPUs, with as many threads, the front
        is the same. A point whose worker dies is trained again.
    executor_kwargs
        Resources of a point, such as ``{"num_cpus": 4}``, see :func:`ray.remote`.
    progress
        Whether to show a progress bar.
    **kwargs
        The arguments above from ``preferences`` on; the rest goes to :class:`scvi.train.Trainer`.

    Returns
    -------
    The front. Points whose training diverged are in ``front.missing``. A model that keeps fronts, such as
    :class:`scpareto.model.ScInfoVAE`, has it in ``model.front`` too, for its ``select`` and ``save``.

    Raises
    ------
    ValueError
        If an argument is not valid, ``checkpoint_dir`` holds points of another run, or no cluster can be mixed because
        each has one level of the nuisance.
    KeyError
        If ``given`` names nothing.
    TypeError
        If the model is of an unsupported family.

    References
    ----------
    :cite:p:`Li2022`, :cite:p:`Lin2019`.

    Examples
    --------
    Two preferences, and the two extremes on top:

    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> front = sp.fit_front(model, "mmd", n_points=2, max_epochs=1, max_epochs_pretrain=1, progress=False)
    >>> front.table[["point", "kind", "preference_mmd"]].round(2)
       point         kind  preference_mmd
    0      0      extreme            0.00
    1      1  conditional            0.33
    2      2  conditional            0.67
    3      3      extreme            1.00
    """
    run = FrontRun(model, objective, method, n_points, **kwargs)
    run.run()
    front = run.front()
    if (take_front := getattr(model, "take_front", None)) is not None:
        take_front(front)
    return front
