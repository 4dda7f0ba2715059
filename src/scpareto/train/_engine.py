"""The engine: anchors, scaler, preferences, and a judge for every point."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._constants import GENERATIVE_LOSS
from scpareto.objectives import fit_critic
from scpareto.pareto import Front, Scaler, get_solver
from scpareto.train._judge import Judge
from scpareto.train._loop import run_training
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._progress import FrontProgress
from scpareto.train._seeding import child_seed, seeded
from scpareto.train._weighing import FixedWeighing, SolverWeighing, Weighing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager
    from torch import nn

    from scpareto.objectives import Objective
    from scpareto.train._adapter import VAEAdapter
    from scpareto.train._recipe import Recipe
    from scpareto.train._split import Split
    from scpareto.train._store import PartStore

logger = logging.getLogger("scpareto")

_PRETRAINING = 10_000
"""Seed index of the shared start; points have their own numbers."""


@dataclass(frozen=True)
class FrontSpec:
    """What a front is made of, resolved and checked.

    Parameters
    ----------
    method
        Name of the solver.
    solver_kwargs
        Options of the solver.
    preferences
        Grid, shape ``(n_points, p)``, from uncorrected to strongest.
    recipe
        Numbers of the trainings.
    max_epochs_pretrain, max_epochs
        Longest shared start and longest training of a point.
    batch_size
        Cells of a minibatch.
    seed
        Seed of the front.
    trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.
    """

    method: str
    solver_kwargs: dict[str, Any]
    preferences: NDArray[np.float64]
    recipe: Recipe
    max_epochs_pretrain: int
    max_epochs: int
    batch_size: int
    seed: int
    trainer_kwargs: dict[str, Any]

    @property
    def n_front(self) -> int:
        """Number of points: the preferences and two extremes."""
        return len(self.preferences) + 2


class FrontEngine:
    """Trains every point of a front from one shared start and judges each.

    Parameters
    ----------
    adapter, manager, split
        The model, its registered data and the split of the cells.
    objective
        The objective that is traded against the generative loss.
    spec
        What the front is made of.
    store
        Keeps finished parts.
    show_progress
        Whether a bar is drawn.
    """

    def __init__(
        self,
        adapter: VAEAdapter,
        manager: AnnDataManager,
        split: Split,
        objective: Objective,
        spec: FrontSpec,
        store: PartStore,
        *,
        show_progress: bool = True,
    ) -> None:
        self.adapter = adapter
        self.manager = manager
        self.split = split
        self.objective = objective
        self.spec = spec
        self.store = store
        self.show_progress = show_progress
        self.failures: dict[int, str] = {}
        self.metadata: dict[str, Any] = {}
        self._judge: Judge | None = None

    @property
    def names(self) -> list[str]:
        """Names of the objectives, generative loss first."""
        return [GENERATIVE_LOSS, self.objective.name]

    def run(self) -> None:
        """Train and judge all points that the store does not hold yet.

        A point whose training diverges is left out, noted in ``failures`` and logged; the others go on.
        """
        spec = self.spec
        last = spec.n_front - 1
        n_epochs = spec.max_epochs_pretrain + spec.max_epochs * (len(spec.preferences) + 3)
        with FrontProgress(n_epochs, show=self.show_progress) as progress:
            start = self._pretrain(progress)
            first_anchor = self._anchor(0, start, progress)
            last_anchor = self._anchor(last, start, progress)
            scalers = self._scalers(first_anchor, last_anchor)
            self.metadata["training_scaler"], self.metadata["scaler"] = (scaler.to_plain() for scaler in scalers)
            for number in range(1, last):
                try:
                    self._candidate(number, start, scalers, progress)
                except TrainingDiverged as error:
                    self.failures[number] = str(error)
                    logger.warning("Point %d diverged and is left out: %s", number, error)
            if len(self.failures) == len(spec.preferences):
                raise RuntimeError(f"Every candidate diverged. The first: {self.failures[1]}")
            progress.stage("done", 0)

    def front(self) -> Front:
        """Assemble the front of all points finished so far."""
        spec = self.spec
        front = Front(
            objectives=self.names,
            method=spec.method,
            metadata=copy.deepcopy(self.metadata),
            n_expected=spec.n_front,
        )
        for number in range(spec.n_front):
            part = self.store.get(f"point_{number}")
            if part is not None:
                front.add(part["row"], part["module"])
        front.metadata["history"] = {
            name: part["history"]
            for name in ("pretraining", *(f"point_{i}" for i in range(spec.n_front)))
            if (part := self.store.get(name)) is not None
        }
        front.metadata["failures"] = {str(number): reason for number, reason in self.failures.items()}
        return front

    def _pretrain(self, progress: FrontProgress) -> dict[str, Any]:
        """Shared start: a plain generative training, then the critic on its codes."""
        spec = self.spec
        progress.stage("pretraining", spec.max_epochs_pretrain)
        if (part := self.store.get("pretraining")) is not None:
            return part
        with seeded(child_seed(spec.seed, _PRETRAINING)):
            plan = self._train([self.objective], FixedWeighing([1.0, 0.0]), spec.max_epochs_pretrain, progress)
            progress.say("pretraining the critic")
            qz, context, _ = self.judge.encode()
            train, validation = torch.from_numpy(self.split.train), torch.from_numpy(self.split.validation)
            objective = self.objective.fresh()
            fit_critic(objective, qz, context, train, validation, spec.recipe.critic_warmup)
        part = {
            "module": _copied(self.adapter.module),
            "objective": _copied(objective),
            "history": _columns(plan.history),
        }
        self.store.put("pretraining", part)
        return part

    def _anchor(self, number: int, start: dict[str, Any], progress: FrontProgress) -> dict[str, Any]:
        """One extreme: the generative loss alone, or the nuisance alone followed by a refit of the decoder."""
        spec, uncorrected = self.spec, number == 0
        name = "uncorrected" if uncorrected else "strongest"
        progress.stage(f"extreme: {name}", spec.max_epochs * (1 if uncorrected else 2))
        if (part := self.store.get(f"point_{number}")) is not None:
            return part
        with seeded(child_seed(spec.seed, number)):
            objective, rate = self._begin_from(start), spec.recipe.lr_front
            if uncorrected:
                plan = self._train([objective], FixedWeighing([1.0, 0.0]), spec.max_epochs, progress, lr=rate)
            else:
                # No best state: the extreme is the end of the road, not the state that best fooled its critic.
                plan = self._train(
                    [objective], FixedWeighing([0.0, 1.0]), spec.max_epochs, progress, keep_best=False, lr=rate
                )
                refit = self._train(
                    [objective], FixedWeighing([1.0, 0.0]), spec.max_epochs, progress, frozen=self.adapter.encoders()
                )
                plan.history += refit.history
            preference = np.array([1.0, 0.0] if uncorrected else [0.0, 1.0])
            return self._finish(number, "extreme", preference, plan, progress)

    def _candidate(
        self, number: int, start: dict[str, Any], scalers: tuple[Scaler, Scaler], progress: FrontProgress
    ) -> None:
        """One preference between the extremes."""
        spec = self.spec
        progress.stage(f"point {number} of {len(spec.preferences)}", spec.max_epochs)
        if self.store.get(f"point_{number}") is not None:
            return
        preference = spec.preferences[number - 1]
        options = {"safeguards": spec.recipe.safeguards} | spec.solver_kwargs
        solver = get_solver(spec.method, preferences=spec.preferences, **options)
        limit = spec.recipe.safeguards.max_initial_epochs
        weighing = SolverWeighing(
            solver,
            preference,
            scalers[0],
            max_initial_epochs=spec.max_epochs if limit is None else limit,
            validation_scaler=scalers[1],
        )
        with seeded(child_seed(spec.seed, number)):
            objective = self._begin_from(start)
            plan = self._train([objective], weighing, spec.max_epochs, progress, lr=spec.recipe.lr_front)
            self._finish(number, "candidate", preference, plan, progress)

    def _scalers(self, first: dict[str, Any], last: dict[str, Any]) -> tuple[Scaler, Scaler]:
        """Standardisation of training minibatches and of validation cells, from the two extremes."""
        if self.spec.recipe.scaler == "none":
            return Scaler.identity(2), Scaler.identity(2)
        if self.spec.recipe.scaler == "trajectory":
            extremes = [first["minibatch_extremes"][0], last["minibatch_extremes"][1]]
            trajectory = Scaler.trajectory(np.array(extremes).T)
            return trajectory, trajectory
        payoffs = {
            part: np.array([[anchor["row"][f"{name}_{part}"] for name in self.names] for anchor in (first, last)])
            for part in ("train", "validation")
        }
        # The ideal of a training loss is the lowest epoch of the uncorrected extreme, with dropout on and beyond the
        # state that was kept for its validation loss. Later points go below that state too, and would all seem ideal.
        payoffs["train"][0, 0] = np.nanmin(first["history"][f"{GENERATIVE_LOSS}_train"])
        # An information is at least zero; the estimate at the strongest extreme may be above or below.
        training, validation = (
            Scaler.payoff(payoff, floor=(None, 0.0), names=self.names) for payoff in payoffs.values()
        )
        return training, validation

    @property
    def judge(self) -> Judge:
        """Judge of finished points."""
        if self._judge is None:
            self._judge = Judge(self.adapter, self.manager, self.split, [self.objective], self.spec.recipe)
        return self._judge

    def _begin_from(self, start: dict[str, Any]) -> Objective:
        """Put the shared start into the module and give an objective with the shared critic."""
        self.adapter.module.load_state_dict(start["module"])
        objective = self.objective.fresh()
        objective.load_state_dict(start["objective"])
        return objective

    def _train(
        self,
        objectives: list[Objective],
        weighing: Weighing,
        max_epochs: int,
        progress: FrontProgress,
        *,
        keep_best: bool = True,
        frozen: list[nn.Module] | None = None,
        lr: float | None = None,
    ) -> FrontPlan:
        spec = self.spec
        recipe = spec.recipe if keep_best else spec.recipe.with_options({"early_stopping": False})
        plan = FrontPlan(self.adapter, objectives, weighing, recipe, frozen=frozen, lr=lr)
        adversarial = isinstance(weighing, SolverWeighing)
        run_training(
            plan,
            self.manager,
            self.split,
            max_epochs=max_epochs,
            max_initial_epochs=weighing.max_initial_epochs,
            batch_size=spec.batch_size,
            settling=adversarial,
            on_epoch=progress.epoch,
            **copy.copy(spec.trainer_kwargs),
        )
        return plan

    def _finish(
        self, number: int, kind: str, preference: NDArray[np.float64], plan: FrontPlan, progress: FrontProgress
    ) -> dict[str, Any]:
        """Judge the trained point and keep it."""
        progress.say(f"judging point {number}")
        row: dict[str, Any] = {"point": number, "kind": kind}
        row |= {f"preference_{name}": float(value) for name, value in zip(self.names, preference, strict=True)}
        row |= self.judge(seed=child_seed(self.spec.seed, number))
        row |= {"seed": self.spec.seed, "n_epochs": sum("epoch" in record for record in plan.history)}
        losses = np.array(plan.minibatch_losses)
        seen = [~np.isnan(column) for column in losses.T]
        part = {
            "row": {key: value if isinstance(value, str) else _plain_number(value) for key, value in row.items()},
            "module": _copied(self.adapter.module),
            "history": _columns(plan.history),
            "minibatch_extremes": [
                [float(column[known].min()), float(column[known].max())] if known.any() else [0.0, 0.0]
                for column, known in zip(losses.T, seen, strict=True)
            ],
        }
        self.store.put(f"point_{number}", part)
        return part


def _copied(module: nn.Module) -> dict[str, torch.Tensor]:
    """Detached CPU copies of a module's state, as a plain dict."""
    return {key: value.detach().cpu().clone() for key, value in module.state_dict().items()}


def _columns(records: list[dict[str, float]]) -> dict[str, list[float]]:
    """Turn records of epochs into columns, with NaN where a record lacks one."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [float(record.get(name, np.nan)) for record in records] for name in names}


def _plain_number(value: Any) -> float | int:
    return int(value) if isinstance(value, int | np.integer) else float(value)
