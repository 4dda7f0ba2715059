"""The engine of method="conditional": one training for all preferences."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._constants import BATCH
from scpareto._runtime import child_seed, of_first_process, seeded
from scpareto.front._engine import FrontEngine
from scpareto.front._path_start import at_random_places, start_scaler
from scpareto.front._store import PartStore
from scpareto.pareto import WeightPath
from scpareto.train._loop import keep_best
from scpareto.train._path_plan import PathPlan, PathWeighing
from scpareto.train._records import columns_of, n_epochs_of
from scpareto.train._weighing import FixedWeighing

if TYPE_CHECKING:
    from torch.distributions import Normal

    from scpareto._runtime import FrontProgress
    from scpareto.objectives import Context, Objective
    from scpareto.pareto import Front
    from scpareto.train._loop import KeepBest

logger = logging.getLogger("scpareto")

_PATH, _PLACES = 10_003, 10_004
"""Seed indices, after those of :class:`FrontEngine`."""
_N_PIECES, _UNFINISHED = 10, "path_training"
"""Pieces of a training, and the part of the store that keeps what the finished ones have come to."""
_WORTH_A_WORD, _HARDLY = 0.05, 0.8
"""Information in nats that a start must have, and the share of it left at the end, for a collapse to be looked for."""
_SHORT, _ALONE = 0.25, 10_010
"""Epochs of the training that a collapse is told by, as a share of the path's, and its seed index."""
_COLLAPSE, _APART = "collapse", "scalarization"
"""Part of the store that records a collapse, and the method that takes the path's place."""


class PathEngine(FrontEngine):
    """Trains all preferences at once, as a path of weights, and judges the points of the grid on it.

    Parameters are those of :class:`FrontEngine`.
    """

    _apart: FrontEngine | None = None

    def run(self) -> None:
        """Train and judge all points that the store does not hold yet; apart, where the path has collapsed."""
        if self.store.get(_COLLAPSE) is None:
            super().run()
        if self.store.get(_COLLAPSE) is not None:
            self._apart = self._engine_apart()
            self._apart.run()

    @property
    def _n_trainings(self) -> int:
        return 1

    def _train_points(self, start: dict[str, Any], progress: FrontProgress) -> None:
        """Train the path and judge its points, the ends first."""
        spec = self.spec
        progress.stage("all preferences", spec.max_epochs)
        if (part := self.store.get("path")) is None:
            part = of_first_process(self._train_path(start, progress))
            self.store.put("path", part)
            self.store.discard(_UNFINISHED)
        self.metadata["training_scaler"] = self.metadata["scaler"] = part["scaler"]
        self._judge_places(part, spec.extremes, progress)
        if collapsed := self._collapsed(start, progress):
            logger.warning(
                "The path does not lower %s, which a short training of its own does. The points are trained apart.",
                ", ".join(collapsed),
            )
            for name in ("path", "critics", *(f"point_{number}" for number in spec.extremes)):
                self.store.discard(name)
            self.store.put(_COLLAPSE, {"objectives": collapsed})
            return
        self._judge_places(part, [n for n in range(spec.n_front) if n not in spec.extremes], progress)

    def _judge_places(self, part: dict[str, Any], numbers: list[int], progress: FrontProgress) -> None:
        """Judge the path at some points of the grid."""
        spec, path = self.spec, WeightPath.from_plain(part["path"])
        corners = dict(zip(spec.extremes, np.eye(len(self.names)), strict=True))
        for number in numbers:
            if self.store.get(f"point_{number}") is not None:
                continue
            kind = "extreme" if number in corners else "conditional"
            preference = corners[number] if number in corners else spec.preferences[number - 1]
            self.adapter.module.load_state_dict(path.state(preference))
            found = self._judged(number, kind, preference, part["n_epochs"], progress)
            self.store.put(f"point_{number}", of_first_process(found))

    def _collapsed(self, start: dict[str, Any], progress: FrontProgress) -> list[str]:
        """Objectives that the path hardly lowers, by fresh critics, and that a short training of its own does lower."""
        found = []
        for which, (objective, number) in enumerate(zip(self.objectives, self.spec.extremes[1:], strict=True), 1):
            parts = (self.store.get(f"point_{n}") for n in (0, number))
            rows = [part["row"] for part in parts if part is not None]
            before, after = (row[f"{objective.label}_test"] for row in rows)
            if objective.minimum is None or before - objective.minimum < _WORTH_A_WORD or after < _HARDLY * before:
                continue
            # A critic is one witness, the probe another.
            leaked = [row["leakage_mean"] for row in rows]
            if objective.needs_nuisance and objective.target == self._judged_target and leaked[1] < _HARDLY * leaked[0]:
                continue
            alone = self._short_training(which, start, progress)
            if alone < _HARDLY * after:
                found.append(objective.label)
            else:
                logger.warning(
                    "Training hardly lowers %s: %.3g uncorrected, %.3g at the strongest end, %.3g after a short "
                    "training for it alone. Train longer.",
                    objective.label,
                    before,
                    after,
                    alone,
                )
        return found

    @property
    def _judged_target(self) -> str:
        """Nuisance that the columns of leakage are about."""
        return str(self.metadata.get("target", BATCH))

    def _short_training(self, which: int, start: dict[str, Any], progress: FrontProgress) -> float:
        """Value of one objective on test cells, by a fresh critic, after a short training for it alone."""
        engine, n_epochs = self._engine_apart(), math.ceil(_SHORT * self.spec.max_epochs)
        engine.store = PartStore({})
        progress.extend(n_epochs)
        progress.stage("looking for a collapse", n_epochs)
        start = start | {"objectives": engine._pretrain_critics(start, progress)}
        with seeded(child_seed(self.spec.seed, _ALONE + which)):
            weighing = FixedWeighing(np.eye(len(self.names))[which])
            objectives, rate = engine._begin_from(start), self.spec.recipe.lr_front
            engine._train("alone", objectives, weighing, n_epochs, progress, keep_best=False, lr=rate)
        with seeded(self.judging_seed):
            return of_first_process(self.judge.losses(*super()._encode()))[self.names[which]]["test"]

    def _engine_apart(self) -> FrontEngine:
        """Engine that trains the same points one by one, with the same start."""
        spec = replace(self.spec, method=_APART, max_epochs=math.ceil(self.spec.max_epochs / 2))
        engine = FrontEngine(
            self.adapter,
            self.manager,
            self.split,
            self.objectives,
            spec,
            self.store,
            clusterings=self.clusterings,
            show_progress=self.show_progress,
        )
        engine.metadata = self.metadata | {"method": _APART, "max_epochs": spec.max_epochs, "collapsed": True}
        return engine

    def _train_path(self, start: dict[str, Any], progress: FrontProgress) -> dict[str, Any]:
        """Train from the shared start, piece by piece, of which a process that was killed loses the last one only."""
        spec = self.spec
        with seeded(child_seed(spec.seed, _PATH)):
            objectives, train = self._begin_from(start), torch.from_numpy(self.judge.split.train)
            scaler = of_first_process(start_scaler(objectives, *self._encode(), train, spec.recipe.least_cost))
            plan = PathPlan(self.adapter, objectives, PathWeighing(scaler), spec.recipe)
            plan.part = "path"
        best = keep_best(plan, spec.max_epochs, settling=True) if spec.recipe.early_stopping else None
        length = math.ceil(spec.max_epochs / _N_PIECES)
        first = self._resumed(plan, best, progress)
        for piece in range(first, math.ceil(spec.max_epochs / length)):
            if best is not None and best.has_given_up:
                break
            # A seed of its own makes a piece the same whether or not another process trained the one before.
            seed = child_seed(child_seed(spec.seed, _PLACES), piece)
            plan.begin_piece(seed)
            with seeded(seed):
                self._fit(plan, min(length, spec.max_epochs - piece * length), progress, best=best)
            kept = {"piece": piece, "plan": plan.to_plain(), "best": None if best is None else best.to_plain()}
            self.store.put(_UNFINISHED, of_first_process(kept))
        if best is not None:
            best.restore(plan)
        return {
            "path": plan.path.to_path().to_plain(),
            "scaler": scaler.to_plain(),
            "history": columns_of(plan.history),
            "n_epochs": n_epochs_of(plan),
        }

    def _resumed(self, plan: PathPlan, best: KeepBest | None, progress: FrontProgress) -> int:
        """Take over what an earlier process has trained; number of the piece to go on with."""
        if (part := self.store.get(_UNFINISHED)) is None:
            return 0
        plan.take_plain(part["plan"])
        if best is not None:
            best.take_plain(part["best"])
        for _ in range(n_epochs_of(plan)):
            progress.epoch()
        return part["piece"] + 1

    def front(self) -> Front:
        """Assemble the front of all points judged so far, with its path."""
        if self._apart is not None:
            return self._apart.front()
        front = super().front()
        if (part := self.store.get("path")) is not None:
            front.path = WeightPath.from_plain(part["path"])
            front.metadata["history"]["path"] = part["history"]
        return front

    def _untrained(self, objective: Objective) -> Objective:
        return objective.along_path(len(self.names))

    def _encode(self) -> tuple[Normal, Context, torch.Tensor]:
        """Judged cells at random places: codes of the start are the same everywhere, and critics are to know it."""
        qz, context, generative = super()._encode()
        return qz, at_random_places(context, len(self.names)), generative
