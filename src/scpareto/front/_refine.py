"""Train one point of a finished front a little further."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import Split
from scpareto._runtime import FrontProgress, child_seed, seeded
from scpareto.audit import set_alarm
from scpareto.front._build import resolve_target
from scpareto.front._engine import FrontEngine
from scpareto.front._spec import FrontSpec
from scpareto.front._store import PartStore
from scpareto.objectives import get_objective
from scpareto.pareto import Scaler, get_solver
from scpareto.train._adapter import get_adapter
from scpareto.train._recipe import PRACTICAL
from scpareto.train._weighing import SolverWeighing

if TYPE_CHECKING:
    from scvi.model.base import BaseModelClass

    from scpareto.objectives import Objective
    from scpareto.pareto import Front, Place, Which
    from scpareto.train._adapter import VAEAdapter

_REFINING = 30_000
"""Seed index of the first refined point; each point has its own after it."""


def refine_point(
    model: BaseModelClass,
    front: Front,
    which: Which | None = None,
    *,
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
        The model that the front was learnt with, on the same data; it is left in the refined state.
    front
        The front.
    which, preference
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
        If there is no such point, ``max_epochs`` is not positive, or the front was trained within clusters, which it
        does not keep.

    Examples
    --------
    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> front = sp.fit_front(model, "mmd", n_points=2, max_epochs=1, max_epochs_pretrain=1, progress=False)
    >>> before = front.table["n_epochs"].tolist()
    >>> sp.front.refine_point(model, front, 1, max_epochs=1, progress=False)
    1
    >>> before, front.table["n_epochs"].tolist()
    ([1, 1, 1, 1], [1, 2, 1, 1])
    """
    if max_epochs < 1:
        raise ValueError(f"max_epochs={max_epochs} must be at least 1.")
    selection, metadata = front.resolve(which, preference=preference), front.metadata
    number, preference, state = selection.number, selection.preference, selection.state
    adapter, manager = get_adapter(model), model.adata_manager
    split = Split(*(np.asarray(metadata["indices"][name]) for name in ("train", "validation", "test")))
    recipe = PRACTICAL.with_options(metadata["recipe"])
    seed = child_seed(metadata["seed"], _REFINING + number)
    spec = FrontSpec(
        method="scalarization",
        solver_kwargs={},
        preferences=front.preferences,
        recipe=recipe,
        max_epochs_pretrain=0,
        max_epochs=max_epochs,
        batch_size=metadata["batch_size"],
        seed=seed,
        trainer_kwargs={"accelerator": "auto", "devices": 1} | trainer_kwargs,
    )
    engine = FrontEngine(
        adapter, manager, split, _objectives(front, adapter), spec, PartStore({}), show_progress=progress
    )
    weighing = SolverWeighing(
        get_solver("scalarization", preferences=front.preferences),
        preference,
        Scaler.from_plain(metadata["training_scaler"]),
        max_initial_epochs=0,
        validation_scaler=Scaler.from_plain(metadata["scaler"]),
    )
    adapter.module.load_state_dict(state)
    with FrontProgress(max_epochs, show=progress) as bar:
        bar.stage(f"refining point {number}", max_epochs)
        kind, before = (front.table.set_index("point")[name][number] for name in ("kind", "n_epochs"))
        part = engine.refine({"module": state}, weighing, number, kind, preference, bar)
        bar.say("comparing with the other points")
        row = {key: value for key, value in part["row"].items() if key != "point"}
        front.update(number, row | {"n_epochs": int(before + row["n_epochs"])})
        front.states[number] = part["module"]
        metadata.setdefault("history", {})[f"point_{number}"] = part["history"]
        structures = {number: part["structure"]}
        context = engine.judge.encode()[1]
        with seeded(seed):
            for other in front.numbers:
                if other != number:
                    adapter.module.load_state_dict(front.state(other))
                    codes = engine.judge.encode()[0].loc.numpy().astype(np.float64)
                    structures[other] = engine.judge.structure(context)(codes)
        set_alarm(front, structures)
    adapter.module.load_state_dict(front.state(number))
    return number


def _objectives(front: Front, adapter: VAEAdapter) -> list[Objective]:
    """Objectives of a front, from its record."""
    objectives = []
    labels = front.metadata["objective"]
    for name, label in zip(front.metadata["objective_names"], labels, strict=True):
        options = dict(front.metadata["objective_options"][label])
        if options.get("given") is not None:
            raise ValueError(
                f"{label} was traded within clusters (given={options['given']!r}): refine cannot find them."
            )
        made = get_objective(name, n_latent=adapter.n_latent, **options)
        if made.needs_nuisance and made.target not in adapter.nuisances:
            resolve_target(adapter, type(made), made.target.split(":"))
        objectives.append(made)
    return objectives
