"""The engine of method="conditional": one training for all preferences."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto.pareto import WeightPath
from scpareto.train._distributed import of_first_process
from scpareto.train._engine import FrontEngine
from scpareto.train._loop import best_state
from scpareto.train._path_plan import PathPlan, PathWeighing
from scpareto.train._path_start import at_random_places, start_scaler
from scpareto.train._records import columns_of, n_epochs_of
from scpareto.train._seeding import child_seed, seeded

if TYPE_CHECKING:
    from torch.distributions import Normal

    from scpareto.objectives import Context, Objective
    from scpareto.pareto import Front
    from scpareto.train._loop import BestState
    from scpareto.train._progress import FrontProgress

logger = logging.getLogger("scpareto")

_PATH, _PLACES = 10_003, 10_004
"""Seed indices, after those of :class:`FrontEngine`."""
_N_PIECES, _UNFINISHED = 10, "path_training"
"""Pieces of a training, and the part of the store that keeps what the finished ones have come to."""
_WORTH_A_WORD, _HARDLY = 0.05, 0.8
"""Information in nats that a start must have, and the share of it left at the end, for the user to be warned."""


class PathEngine(FrontEngine):
    """Trains all preferences at once, as a path of weights, and judges the points of the grid on it.

    Parameters are those of :class:`FrontEngine`.
    """

    @property
    def _n_trainings(self) -> int:
        return 1

    def _train_points(self, start: dict[str, Any], progress: FrontProgress) -> None:
        """Train the path and judge its points."""
        spec = self.spec
        progress.stage("all preferences", spec.max_epochs)
        if (part := self.store.get("path")) is None:
            part = of_first_process(self._train_path(start, progress))
            self.store.put("path", part)
            self.store.discard(_UNFINISHED)
        self.metadata["training_scaler"] = self.metadata["scaler"] = part["scaler"]
        path = WeightPath.from_plain(part["path"])
        corners = dict(zip(spec.extremes, np.eye(len(self.names)), strict=True))
        for number in range(spec.n_front):
            if self.store.get(f"point_{number}") is not None:
                continue
            kind = "extreme" if number in corners else "conditional"
            preference = corners[number] if number in corners else spec.preferences[number - 1]
            self.adapter.module.load_state_dict(path.state(preference))
            with seeded(child_seed(spec.seed, number)):
                found = self._judged(number, kind, preference, part["n_epochs"], progress)
            self.store.put(f"point_{number}", of_first_process(found))

        self._warn_of_collapse()

    def _warn_of_collapse(self) -> None:
        """Say where the strongest end of the path hardly differs from the uncorrected one, by fresh critics."""
        spec = self.spec
        for objective, number in zip(self.objectives, spec.extremes[1:], strict=True):
            parts = (self.store.get(f"point_{n}") for n in (0, number))
            start, end = (part["row"][f"{objective.label}_test"] for part in parts if part is not None)
            if objective.minimum is not None and start - objective.minimum > _WORTH_A_WORD and end > _HARDLY * start:
                logger.warning(
                    "The path hardly lowers %s: %.3g uncorrected, %.3g at its strongest end. Train longer, or train "
                    "the points apart (method='scalarization').",
                    objective.label,
                    start,
                    end,
                )

    def _train_path(self, start: dict[str, Any], progress: FrontProgress) -> dict[str, Any]:
        """Train from the shared start, piece by piece, of which a process that was killed loses the last one only."""
        spec = self.spec
        with seeded(child_seed(spec.seed, _PATH)):
            objectives, train = self._begin_from(start), torch.from_numpy(self.split.train)
            scaler = start_scaler(objectives, *self._encode(), train, spec.recipe.least_cost)
            plan = PathPlan(self.adapter, objectives, PathWeighing(scaler), spec.recipe)
        best = best_state(plan, spec.max_epochs, settling=True) if spec.recipe.early_stopping else None
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

    def _resumed(self, plan: PathPlan, best: BestState | None, progress: FrontProgress) -> int:
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
        front = super().front()
        if (part := self.store.get("path")) is not None:
            front.path = WeightPath.from_plain(part["path"])
            front.metadata["history"]["path"] = part["history"]
        return front

    def _untrained(self, objective: Objective) -> Objective:
        return objective.along_path(len(self.names))

    def _encode(self) -> tuple[Normal, Context, torch.Tensor]:
        """All cells at random places: codes of the start are the same everywhere, and critics are to know it."""
        qz, context, generative = super()._encode()
        return qz, at_random_places(context, len(self.names)), generative
