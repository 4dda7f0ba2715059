"""The engine: anchors, scaler, preferences, and a judge for every point."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributions import Normal

from scpareto._constants import GENERATIVE_LOSS
from scpareto._runtime import FrontProgress, child_seed, is_first_process, of_first_process, seeded
from scpareto.audit import set_alarm
from scpareto.front._anchor_scalers import anchor_scalers
from scpareto.front._clusters import FROM_CORRECTED, soft_clusters
from scpareto.front._judge import Judge
from scpareto.objectives import fit_critic
from scpareto.pareto import Front, Scaler, get_solver
from scpareto.train._loop import run_training
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._records import columns_of, copied_state, n_epochs_of, plain_number
from scpareto.train._weighing import FixedWeighing, SolverWeighing, Weighing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scvi.data import AnnDataManager
    from torch import nn

    from scpareto._cells import Split
    from scpareto.front._clusters import Clustering
    from scpareto.front._executor import RayExecutor
    from scpareto.front._spec import FrontSpec
    from scpareto.front._store import PartStore
    from scpareto.objectives import Context, Objective
    from scpareto.train._adapter import VAEAdapter
    from scpareto.train._loop import KeepBest

logger = logging.getLogger("scpareto")

_PRETRAINING, _CLUSTERING, _CRITICS = 10_000, 10_001, 10_002
JUDGING, REFITTING = 20_002, 40_000
"""Seed indices of what comes before the points, which have their own numbers."""
_MOST = 0.5
"""Share of cells in clusters that cannot be mixed above which the user is warned."""


class FrontEngine:
    """Trains every point of a front from one shared start and judges each.

    Parameters
    ----------
    adapter, manager, split
        The model, its registered data and the split of the cells.
    objectives
        The objectives that are traded against the generative loss.
    spec
        What the front is made of.
    store
        Keeps finished parts.
    clusterings
        Clusters that objectives are conditioned on.
    executor
        Trains points elsewhere; None for this process.
    show_progress
        Whether a bar is drawn.
    """

    def __init__(
        self,
        adapter: VAEAdapter,
        manager: AnnDataManager,
        split: Split,
        objectives: list[Objective],
        spec: FrontSpec,
        store: PartStore,
        *,
        clusterings: Sequence[Clustering] = (),
        executor: RayExecutor | None = None,
        show_progress: bool = True,
    ) -> None:
        self.adapter = adapter
        self.manager = manager
        self.split = split
        self.objectives = objectives
        self.clusterings = clusterings
        self.spec = spec
        self.store = store
        self.executor = executor
        self.show_progress = show_progress
        self.failures: dict[int, str] = {}
        self.metadata: dict[str, Any] = {}
        self._judge: Judge | None = None
        self.judging_seed = child_seed(spec.seed, JUDGING)

    @property
    def names(self) -> list[str]:
        """Names of the objectives, generative loss first."""
        return [GENERATIVE_LOSS, *(objective.label for objective in self.objectives)]

    def run(self) -> None:
        """Train and judge all points that the store does not hold yet.

        A point whose training diverges is left out, noted in ``failures`` and logged; the others go on.
        """
        spec = self.spec
        n_epochs = spec.max_epochs_pretrain + spec.max_epochs * self._n_trainings
        with FrontProgress(n_epochs, show=self.show_progress and is_first_process()) as progress:
            start = self._pretrain(progress)
            self._prepare_clusters(start)
            start["objectives"] = self._pretrain_critics(start, progress)
            self._train_points(start, progress)
            progress.stage("done", 0)

    @property
    def _n_trainings(self) -> int:
        """Number of trainings after the shared start, with the refits."""
        return len(self.spec.preferences) + 2 * len(self.spec.extremes) - 1

    def _train_points(self, start: dict[str, Any], progress: FrontProgress) -> None:
        """Train the extremes, find the scales of the losses, and train a point for each preference."""
        spec = self.spec
        for error in self._elsewhere("_anchor", spec.extremes, range(len(spec.extremes)), start, progress).values():
            raise error
        anchors = [self._anchor(which, start, progress) for which in range(len(spec.extremes))]
        scalers = anchor_scalers(anchors, self.names, self.objectives, spec.recipe)
        self.metadata["training_scaler"], self.metadata["scaler"] = (scaler.to_plain() for scaler in scalers)
        points = range(1, len(spec.preferences) + 1)
        diverged = self._elsewhere("_candidate", points, points, start, progress, scalers)
        for number in points:
            try:
                if number in diverged:
                    raise diverged[number]
                self._candidate(number, start, scalers, progress)
            except TrainingDiverged as error:
                self.failures[number] = str(error)
                logger.warning("Point %d diverged and is left out: %s", number, error)
        if len(self.failures) == len(spec.preferences):
            raise RuntimeError(f"Every candidate diverged. The first: {self.failures[1]}")

    def _elsewhere(
        self,
        how: str,
        points: Sequence[int],
        numbers: Sequence[int],
        start: dict[str, Any],
        progress: FrontProgress,
        *arguments: Any,
    ) -> dict[int, TrainingDiverged]:
        """Let the executor train the points that the store lacks; return the errors of those that diverged."""
        if self.executor is None:
            return {}
        missing = [n for p, n in zip(points, numbers, strict=True) if self.store.get(f"point_{p}") is None]
        return self.executor.train(self, how, missing, start, *arguments, progress=progress)

    def front(self) -> Front:
        """Assemble the front of all points finished so far."""
        spec = self.spec
        front = Front(
            objectives=self.names,
            method=spec.method,
            metadata=copy.deepcopy(self.metadata),
            n_expected=spec.n_front,
        )
        structures = {}
        for number in range(spec.n_front):
            part = self.store.get(f"point_{number}")
            if part is not None:
                front.add(part["row"], part.get("module"))
                structures[number] = part["structure"]
        set_alarm(front, structures)
        front.metadata["history"] = {
            name: part["history"]
            for name in ("pretraining", *(f"point_{i}" for i in range(spec.n_front)))
            if (part := self.store.get(name)) is not None and "history" in part
        }
        front.metadata["failures"] = {str(number): reason for number, reason in self.failures.items()}
        return front

    def _pretrain(self, progress: FrontProgress) -> dict[str, Any]:
        """Shared start: a plain generative training."""
        spec = self.spec
        progress.stage("pretraining", spec.max_epochs_pretrain)
        if (part := self.store.get("pretraining")) is None:
            with seeded(child_seed(spec.seed, _PRETRAINING)):
                plan = self._train("pretraining", [], FixedWeighing([1.0]), spec.max_epochs_pretrain, progress)
            part = {"module": copied_state(self.adapter.module), "history": columns_of(plan.history)}
            self.store.put("pretraining", part)
        return dict(part)

    def _prepare_clusters(self, start: dict[str, Any]) -> None:
        """Find the clusters that objectives are conditioned on, where they are not given."""
        for clustering in self.clusterings:
            memberships = clustering.memberships
            if memberships is None and (part := self.store.get(f"clusters_{clustering.name}")) is not None:
                memberships = part["memberships"]
            if memberships is None:
                codes = self._corrected(start) if clustering.name == FROM_CORRECTED else self.judge.components_of_all()
                seed = child_seed(self.spec.seed, _CLUSTERING)
                found = soft_clusters(codes, clustering.n_clusters, seed=seed)
                memberships = of_first_process(found)
                self.store.put(f"clusters_{clustering.name}", {"memberships": memberships})
            self.adapter.clusters[clustering.name] = memberships

    def _corrected(self, start: dict[str, Any]) -> NDArray[np.float64]:
        """Codes of the shared start: corrected in that its decoder knows the batch, and no further.

        A correction by marginal information would merge the types of single batches that the clusters are to protect.
        """
        self.adapter.module.load_state_dict(start["module"])
        return self.judge.encode(all_cells=True)[0].loc.numpy().astype(np.float64)

    def _pretrain_critics(self, start: dict[str, Any], progress: FrontProgress) -> list[dict[str, torch.Tensor]]:
        """Critics that know the codes of the shared start, and the proportions of the nuisances."""
        if (part := self.store.get("critics")) is None:
            progress.say("pretraining the critics")
            with seeded(child_seed(self.spec.seed, _CRITICS)):
                self.adapter.module.load_state_dict(start["module"])
                objectives = [self._untrained(objective) for objective in self.objectives]
                for objective in objectives:
                    self._fit_to_start(objective)
            part = of_first_process({"objectives": [copied_state(objective) for objective in objectives]})
            self.store.put("critics", part)
        # Of a resumed run too, hence from the part.
        with seeded(child_seed(self.spec.seed, _CRITICS)):
            for objective in self._begin_from(start | part):
                self._report_clusters(objective)
        return part["objectives"]

    def _fit_to_start(self, objective: Objective) -> None:
        """Let an objective observe the training cells, start from their present codes and train its critic on them."""
        qz, context, _ = self._encode()
        split = self.judge.split
        train, validation = torch.from_numpy(split.train), torch.from_numpy(split.validation)
        objective.observe(context.take(train))
        objective.start(Normal(qz.loc[train], qz.scale[train], validate_args=False))
        fit_critic(objective, qz, context, train, validation, self.spec.recipe.critic_warmup)

    def _untrained(self, objective: Objective) -> Objective:
        """Twin of an objective that is trained along with the model."""
        return objective.fresh()

    def _encode(self) -> tuple[Normal, Context, torch.Tensor]:
        """Judged cells as the module encodes them now; see :meth:`Judge.encode`."""
        return self.judge.encode()

    def _report_clusters(self, objective: Objective) -> None:
        """Say which clusters an objective leaves alone because they have one level of the nuisance only.

        Raises
        ------
        ValueError
            If these are all clusters.
        """
        single = getattr(objective, "single_level_clusters", [])
        if not single:
            return
        given = objective.options["given"]
        memberships = self.adapter.clusters[given]
        if len(single) == memberships.shape[1]:
            raise ValueError(
                f"given={given!r}: every cluster has one level of {objective.target!r} only, so that there is nothing "
                "to mix within clusters. Use fewer clusters, or none."
            )
        share = float(memberships[:, single].sum() / len(memberships))
        self.metadata.setdefault("single_level_clusters", {})[objective.label] = single
        told = (
            f"{objective.label}: {len(single)} clusters, with {share:.0%} of the cells, have one level of the nuisance"
        )
        if share > _MOST:
            logger.warning("%s only: little can be mixed within the others. Try fewer clusters.", told)
        else:
            logger.info("%s only; they are left as they are.", told)

    def _anchor(self, which: int, start: dict[str, Any], progress: FrontProgress) -> dict[str, Any]:
        """One extreme: the generative loss alone, or one other objective alone followed by a refit of the decoder."""
        spec, uncorrected, number = self.spec, which == 0, self.spec.extremes[which]
        preference = np.eye(len(self.names))[which]
        name = "uncorrected" if uncorrected else f"strongest {self.names[which]}"
        progress.stage(f"extreme: {name}", spec.max_epochs * (1 if uncorrected else 2))
        if (part := self.store.get(f"point_{number}")) is not None:
            return part
        with seeded(child_seed(spec.seed, number)):
            objectives, rate = self._begin_from(start), spec.recipe.lr_front
            # No best state away from the generative loss: such an extreme is the end of the road, not the state that
            # best fooled its critic.
            weighing, name = FixedWeighing(preference), f"point_{number}"
            plan = self._train(name, objectives, weighing, spec.max_epochs, progress, keep_best=uncorrected, lr=rate)
        if not uncorrected:
            with seeded(child_seed(spec.seed, REFITTING + number)):
                twins = [self._untrained(objective) for objective in self.objectives]
                generative, encoders = FixedWeighing(np.eye(len(self.names))[0]), self.adapter.encoders()
                refit = self._train(name, twins, generative, spec.max_epochs, progress, frozen=encoders)
            plan.history += refit.history
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
        if spec.warm_start == "path":
            start = start | {"module": self._before(number)["module"]}
        self._weighed(start, weighing, number, "candidate", preference, progress)

    def _before(self, number: int) -> dict[str, Any]:
        """Return what is kept of the last finished point before a number; the uncorrected extreme always is."""
        parts = (self.store.get(f"point_{before}") for before in range(number - 1, -1, -1))
        return next(part for part in parts if part is not None)

    def refine(
        self,
        start: dict[str, Any],
        weighing: Weighing,
        number: int,
        kind: str,
        preference: NDArray[np.float64],
        progress: FrontProgress,
    ) -> dict[str, Any]:
        """Train a point from a state of the module, with critics that know its codes; return what is kept of it."""
        start = start | {"objectives": self._pretrain_critics(start, progress)}
        return self._weighed(start, weighing, number, kind, preference, progress)

    def _weighed(
        self,
        start: dict[str, Any],
        weighing: Weighing,
        number: int,
        kind: str,
        preference: NDArray[np.float64],
        progress: FrontProgress,
    ) -> dict[str, Any]:
        """Train and judge one point with the weights of one preference."""
        spec = self.spec
        with seeded(child_seed(spec.seed, number)):
            objectives, rate = self._begin_from(start), spec.recipe.lr_front
            plan = self._train(f"point_{number}", objectives, weighing, spec.max_epochs, progress, lr=rate)
        return self._finish(number, kind, preference, plan, progress)

    @property
    def judge(self) -> Judge:
        """Judge of finished points."""
        if self._judge is None:
            self._judge = Judge(self.adapter, self.manager, self.split, self.objectives, self.spec.recipe)
        return self._judge

    def _begin_from(self, start: dict[str, Any]) -> list[Objective]:
        """Put the shared start into the module and give objectives with the shared critics."""
        self.adapter.module.load_state_dict(start["module"])
        objectives = [self._untrained(objective) for objective in self.objectives]
        for objective, state in zip(objectives, start["objectives"], strict=True):
            objective.load_state_dict(state)
        return objectives

    def _train(
        self,
        part: str,
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
        plan.part = part
        self._fit(plan, max_epochs, progress)
        return plan

    def _fit(self, plan: FrontPlan, max_epochs: int, progress: FrontProgress, *, best: KeepBest | None = None) -> None:
        """Run the loop of a plan; see :func:`run_training`."""
        spec, weighing = self.spec, plan.weighing
        run_training(
            plan,
            self.manager,
            self.split,
            max_epochs=max_epochs,
            max_initial_epochs=weighing.max_initial_epochs,
            batch_size=spec.batch_size,
            settling=not isinstance(weighing, FixedWeighing),
            best=best,
            on_epoch=progress.epoch,
            **copy.copy(spec.trainer_kwargs),
        )

    def _finish(
        self, number: int, kind: str, preference: NDArray[np.float64], plan: FrontPlan, progress: FrontProgress
    ) -> dict[str, Any]:
        """Judge the trained point and keep it."""
        part = self._judged(number, kind, preference, n_epochs_of(plan), progress)
        losses = np.array(plan.minibatch_losses)
        seen = [~np.isnan(column) for column in losses.T]
        part |= {
            "module": copied_state(self.adapter.module),
            "history": columns_of(plan.history),
            "minibatch_extremes": [
                [float(column[known].min()), float(column[known].max())] if known.any() else [0.0, 0.0]
                for column, known in zip(losses.T, seen, strict=True)
            ],
        }
        part = of_first_process(part)
        self.store.put(f"point_{number}", part)
        return part

    def _judged(
        self, number: int, kind: str, preference: NDArray[np.float64], n_epochs: int, progress: FrontProgress
    ) -> dict[str, Any]:
        """Row and structure of the point that the module is in."""
        progress.say(f"judging point {number}")
        row: dict[str, Any] = {"point": number, "kind": kind}
        row |= {f"preference_{name}": float(value) for name, value in zip(self.names, preference, strict=True)}
        # One seed for all points: what differs between them is the points.
        judgement = self.judge(seed=self.judging_seed)
        row |= judgement.row
        row |= {"seed": self.spec.seed, "n_epochs": n_epochs}
        return {
            "row": {key: value if isinstance(value, str) else plain_number(value) for key, value in row.items()},
            "structure": judgement.structure,
        }
