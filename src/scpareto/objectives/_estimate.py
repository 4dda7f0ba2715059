"""Value of an objective on given codes, found by a critic trained from scratch on other cells."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.distributions import Normal

from scpareto.objectives._denormals import denormals_flushed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from scpareto.objectives._base import Objective
    from scpareto.objectives._context import Context


@dataclass(frozen=True)
class CriticSchedule:
    """How long and how fast a critic is trained on codes that stand still.

    Parameters
    ----------
    max_epochs
        Passes over the training cells.
    lr
        Adam learning rate.
    batch_size
        Cells of a step.
    patience
        Passes without a better value on the validation cells after which training stops and the best critic is kept;
        None trains all passes and keeps the last critic, as published.
    max_steps
        Steps after which training ends however many passes they are; None for no limit.
    """

    max_epochs: int = 200
    lr: float = 1e-3
    batch_size: int = 128
    patience: int | None = 20
    max_steps: int | None = 3000


@denormals_flushed()
def fit_critic(
    objective: Objective,
    codes: Normal,
    context: Context,
    train: Tensor,
    validation: Tensor,
    schedule: CriticSchedule | None = None,
) -> None:
    """Train the critic of ``objective`` in place on codes that stand still.

    Parameters
    ----------
    objective
        An objective with a critic; without one nothing happens.
    codes
        Posterior of every cell's code, batch shape ``(n_cells, n_latent)``; each step draws new samples.
    context
        Nuisances of every cell.
    train, validation
        Indices of the cells that the critic learns from, and of those that tell when to stop.
    schedule
        Length and rate of the training.
    """
    if not objective.has_critic:
        return
    schedule = schedule or CriticSchedule()
    # Fused, because the overhead of one kernel per parameter is most of the cost of so small a network.
    fused = codes.loc.device.type in ("cpu", "cuda")
    optimizer = torch.optim.Adam(objective.parameters(), lr=schedule.lr, fused=fused)
    best, best_state, waited, steps = -float("inf"), None, 0, 0
    for _ in range(schedule.max_epochs):
        if schedule.max_steps is not None and steps >= schedule.max_steps:
            break
        objective.train()
        order = train[torch.randperm(len(train), device=train.device)]
        for index in order.split(schedule.batch_size):
            if len(index) < 2:
                continue
            optimizer.zero_grad(set_to_none=True)
            objective.critic_loss(*_sample(codes, index), context.take(index)).backward()
            optimizer.step()
            steps += 1
        if schedule.patience is None:
            continue
        value = evaluate(objective, codes, context, validation)
        waited += 1
        if value > best:
            best, best_state, waited = value, copy.deepcopy(objective.state_dict()), 0
        elif waited >= schedule.patience:
            break
    if best_state is not None:
        objective.load_state_dict(best_state)
    objective.eval()


@torch.no_grad()
def evaluate(objective: Objective, codes: Normal, context: Context, index: Tensor, n_draws: int = 5) -> float:
    """Value of an objective on all cells of ``index`` at once, mean of ``n_draws`` samples of the codes.

    Returns
    -------
    The value, in nats for an information.
    """
    objective.eval()
    part = context.take(index)
    values: list[float] = []
    for _ in range(n_draws):
        values.append(float(objective(*_sample(codes, index), part)))
        if len(values) == 2 and values[0] == values[1]:
            # Nothing in it is random: it judges the mean of the posterior.
            break
    return sum(values) / len(values)


def estimate(
    objective: Objective,
    codes: Normal,
    context: Context,
    split: Sequence[Tensor],
    schedule: CriticSchedule | None = None,
) -> list[float]:
    """Judge codes with an untrained twin of ``objective``: fitted on the training cells, read on every part.

    A critic that was trained against an encoder under-states what a new one would find, and a critic read on its own
    training cells over-states it; this does neither.

    Parameters
    ----------
    objective
        The objective; it is not changed.
    codes
        Posterior of every cell's code, batch shape ``(n_cells, n_latent)``.
    context
        Nuisances of every cell.
    split
        Indices of training, validation and further (test) cells.
    schedule
        Length and rate of the critic's training.

    Returns
    -------
    One value for each part of ``split``.
    """
    twin = objective.fresh().to(codes.loc.device)
    twin.observe(context.take(split[0]))
    twin.start(Normal(codes.loc[split[0]], codes.scale[split[0]], validate_args=False))
    fit_critic(twin, codes, context, split[0], split[1], schedule)
    return [evaluate(twin, codes, context, part) for part in split]


def _sample(codes: Normal, index: Tensor) -> tuple[Tensor, Normal]:
    part = Normal(codes.loc[index], codes.scale[index], validate_args=False)
    return part.sample(), part
