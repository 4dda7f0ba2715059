"""How points are judged: what is judged of each by itself, and of all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._constants import BATCH, BATCH_LEFT, DEAD, GENERATIVE_LOSS
from scpareto._runtime import child_seed, seeded
from scpareto.audit import judge_codes
from scpareto.objectives import InformationObjective, evaluate, fit_twin
from scpareto.train import plain_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch.distributions import Normal

    from scpareto.audit import LabelJudge
    from scpareto.front._judged_cells import JudgedCells
    from scpareto.objectives import Context, CriticSchedule, Objective
    from scpareto.train import Problem, State

_CRITICS = 1
"""Seed index of the fresh critics, after the seed of the judgement."""
FRAME_SEED = 0
"""Seed of the judge of codes: that of :func:`scpareto.tl.judge`, so that equal codes have equal numbers there."""


@dataclass(frozen=True)
class Judging:
    """How points are judged; points that are judged alike can be compared.

    Parameters
    ----------
    seed
        Seed of everything that is drawn for each point by itself, the same for all points.
    target
        Categorical nuisance that is judged; None where none is.
    n_bootstrap
        Bootstrap samples of the intervals.
    objectives
        Objectives besides the generative loss, whose losses are read by critics trained from scratch.
    de_novo
        Training of these critics; None leaves all losses out, the generative one too.
    labels
        Scores codes by annotated types.
    nats
        Whether to measure what samples of the posterior tell of the nuisance, mixing and neighbourhoods as well.
    frame_seed
        Seed of the judge of all codes together.
    probed
        Labels of objectives whose losses are what that judge reads, instead of critics trained from scratch.
    others
        Further categorical nuisances that are traded; what is left of each is judged as well.
    """

    seed: int
    target: str | None = BATCH
    n_bootstrap: int = 200
    objectives: Sequence[Objective] = ()
    de_novo: CriticSchedule | None = None
    labels: LabelJudge | None = None
    nats: bool = False
    frame_seed: int = FRAME_SEED
    probed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, problem: Problem, seed: int) -> Judging:
        """Judging of the points of a front, with all losses."""
        objectives, recipe = problem.objectives, problem.recipe
        target, others = choose_targets(objectives, problem.adapter.levels)
        return cls(seed, target, recipe.n_bootstrap, objectives, recipe.de_novo, others=others)

    @property
    def column(self) -> str:
        """Column of what is left of the judged nuisance."""
        return left_column(self.target)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was found of a point by itself.

    Parameters
    ----------
    row
        Columns of the front table.
    codes
        Posterior means of the judged cells, shape ``(n_cells, n_latent)``.
    """

    row: dict[str, Any]
    codes: NDArray[np.float32]


def judge_points(
    cells: JudgedCells,
    states: Iterable[tuple[int, State]],
    judging: Judging,
    *,
    say: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, Judgement]]:
    """Judge points one after the other, all with the same random numbers.

    Parameters
    ----------
    cells
        Cells and the model; its module is left in the state of the last point.
    states
        Number and weights of each point.
    judging
        How they are judged.
    say
        Told which point is judged.

    Yields
    ------
    Number and judgement of each point.
    """
    for number, state in states:
        if say is not None:
            say(f"judging point {number}")
        cells.adapter.module.load_state_dict(state)
        yield number, _judged(cells, judging)


def _judged(cells: JudgedCells, judging: Judging) -> Judgement:
    """Judge the state that the module is in."""
    with seeded(judging.seed):
        qz, context, generative = cells.encode()
        sample = qz.sample().numpy()
    row: dict[str, Any] = {}
    if judging.de_novo is not None:
        with seeded(child_seed(judging.seed, _CRITICS)):
            read = [objective for objective in judging.objectives if objective.label not in judging.probed]
            row |= compute_losses(cells, qz, context, generative, read, judging.de_novo)
    if judging.nats and judging.target is not None:
        row |= judge_codes(
            qz.loc.numpy(),
            sample,
            context.categorical[judging.target].numpy(),
            test_indices=cells.split.test,
            expression=cells.expression,
            seed=judging.seed,
            n_bootstrap=judging.n_bootstrap,
        )
    if judging.labels is not None:
        row |= judging.labels(qz.loc.numpy().astype(np.float64))
    return Judgement({name: plain_number(value) for name, value in row.items()}, qz.loc.numpy())


def encode_points(cells: JudgedCells, states: Mapping[Any, State]) -> dict[Any, NDArray[np.float32]]:
    """Posterior means of the judged cells by each of several weights; the module is left in the last state."""
    codes = {}
    # Encoding draws samples as well: the caller's generator stays as it is.
    with seeded(FRAME_SEED):
        for name, state in states.items():
            cells.adapter.module.load_state_dict(state)
            codes[name] = cells.encode()[0].loc.numpy()
    return codes


def compute_losses(
    cells: JudgedCells,
    qz: Normal,
    context: Context,
    generative: torch.Tensor,
    objectives: Sequence[Objective],
    de_novo: CriticSchedule,
) -> dict[str, float]:
    """Losses of each part, ``<objective>_<part>`` in nats; objectives are read by critics trained from scratch.

    Where such a critic never left its start, its losses are NaN and ``<objective>_dead`` is there, and true.
    """
    parts = {name: torch.from_numpy(index) for name, index in cells.split.items()}
    found: dict[str, float] = {
        f"{GENERATIVE_LOSS}_{name}": float(generative[index].mean()) for name, index in parts.items()
    }
    for objective in objectives:
        twin = fit_twin(objective, qz, context, list(parts.values()), de_novo)
        for name, index in parts.items():
            found[f"{objective.label}_{name}"] = np.nan if twin is None else evaluate(twin, qz, context, index)
        if twin is None:
            found[f"{objective.label}{DEAD}"] = True
    return found


def choose_targets(objectives: Sequence[Objective], levels: Iterable[str]) -> tuple[str | None, tuple[str, ...]]:
    """Nuisance that is judged, and the further ones of which only what is left is judged.

    The first is the first traded one with levels; the batch if none is traded, None if none has levels. What a
    continuous nuisance leaves in the codes is not judged: batches say nothing about it.
    """
    traded = {objective.target: None for objective in objectives if objective.needs_nuisance}
    known = set(levels)
    judged = tuple(target for target in traded if target in known)
    if judged:
        return judged[0], judged[1:]
    return None if traded else BATCH, ()


def select_probed(objectives: Sequence[Objective], target: str | None) -> tuple[str, ...]:
    """Labels of objectives whose loss is information of the mean about the judged nuisance, which probes read."""
    return tuple(
        objective.label
        for objective in objectives
        if isinstance(objective, InformationObjective)
        and (objective.target, objective.on) == (target, "mean")
        and objective.options.get("given") is None
    )


def left_column(target: str | None) -> str:
    """Column of what is left of a nuisance: ``batch_left``, or that of its name."""
    return BATCH_LEFT if target in (None, BATCH) else f"{target}_left"
