"""Value of an objective on given codes, found by a critic trained from scratch on other cells."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.distributions import Normal

from scpareto._runtime import BestState
from scpareto.objectives._dead import is_dead
from scpareto.objectives._denormals import flush_denormals

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

    Examples
    --------
    A critic that is trained too briefly finds less than the log 2 nats that are there:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, estimate, get_objective
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(200) % 2
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(200, 1)), Context(categorical={"batch": batch})
    >>> objective = get_objective("classifier", n_latent=1, n_categories=2)
    >>> split = torch.arange(200).split([100, 50, 50])
    >>> for max_epochs in (1, 50):
    ...     schedule = CriticSchedule(max_epochs=max_epochs)
    ...     print(round(estimate(objective, codes, context, split, schedule)[2], 1))
    0.2
    0.7
    """

    max_epochs: int = 200
    lr: float = 1e-3
    batch_size: int = 128
    patience: int | None = 20
    max_steps: int | None = 3000


@flush_denormals()
def fit_critic(
    objective: Objective,
    codes: Normal,
    context: Context,
    train: Tensor,
    validation: Tensor,
    schedule: CriticSchedule | None = None,
) -> bool:
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

    Returns
    -------
    Whether the objective measures anything: False if its critic is dead, see :func:`is_dead`.

    Examples
    --------
    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, evaluate, fit_critic, get_objective
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(200) % 2
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(200, 1)), Context(categorical={"batch": batch})
    >>> train, validation = torch.arange(150), torch.arange(150, 200)
    >>> objective = get_objective("classifier", n_latent=1, n_categories=2)
    >>> fit_critic(objective, codes, context, train, validation, CriticSchedule(max_epochs=30, lr=0.01))
    True
    >>> round(evaluate(objective, codes, context, validation), 1)
    0.7
    """
    if not objective.has_critic:
        return True
    schedule = schedule or CriticSchedule()
    # Fused, because the overhead of one kernel per parameter is most of the cost of so small a network.
    fused = codes.loc.device.type in ("cpu", "cuda")
    optimizer = torch.optim.Adam(objective.parameters(), lr=schedule.lr, fused=fused)
    best, steps = BestState(schedule.patience), 0
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
        best.offer(-value, lambda: copy.deepcopy(objective.state_dict()))
        if best.has_given_up:
            break
    if best.state is not None:
        objective.load_state_dict(best.state)
    objective.eval()
    return not is_dead(objective, codes.loc[train], _part(codes, train), context.take(train))


@torch.no_grad()
def evaluate(objective: Objective, codes: Normal, context: Context, index: Tensor, n_draws: int = 5) -> float:
    """Value of an objective on all cells of ``index`` at once, mean of ``n_draws`` samples of the codes.

    Returns
    -------
    The value, in nats for an information.

    Examples
    --------
    Codes that are the same in both batches, and codes far apart:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, evaluate, get_objective
    >>> batch = torch.arange(100) % 2
    >>> context = Context(categorical={"batch": batch})
    >>> objective = get_objective("mmd", n_latent=1, n_categories=2, on="mean")
    >>> for codes in (torch.arange(100.0) // 2, 9.0 * batch):
    ...     qz = Normal(codes[:, None], torch.ones(100, 1))
    ...     print(round(evaluate(objective, qz, context, torch.arange(100)), 2))
    0.0
    0.74
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
    One value for each part of ``split``; NaN if the critic is dead, see :func:`is_dead`.

    Warns
    -----
    UserWarning
        If the critic is dead.

    Examples
    --------
    Codes that tell two equal batches apart hold log 2 = 0.69 nats about them:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, estimate, get_objective
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(200) % 2
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(200, 1)), Context(categorical={"batch": batch})
    >>> objective = get_objective("classifier", n_latent=1, n_categories=2)
    >>> split = torch.arange(200).split([100, 50, 50])
    >>> [round(v, 1) for v in estimate(objective, codes, context, split, CriticSchedule(max_epochs=30, lr=0.01))]
    [0.7, 0.7, 0.7]
    """
    twin = fit_twin(objective, codes, context, split, schedule)
    if twin is None:
        warnings.warn(
            f"The critic of {objective.label!r} is still the constant that it started as, and its value is no "
            "measurement (NaN). Train it with more max_epochs, a larger lr and patience=None in CriticSchedule, or "
            "give the objective fewer n_layers or init='default'.",
            stacklevel=2,
        )
        return [math.nan for _ in split]
    return [evaluate(twin, codes, context, part) for part in split]


def fit_twin(
    objective: Objective,
    codes: Normal,
    context: Context,
    split: Sequence[Tensor],
    schedule: CriticSchedule | None = None,
) -> Objective | None:
    """Train the critic of an untrained twin of ``objective``, with which :func:`estimate` reads codes.

    Parameters
    ----------
    objective, codes, context, split, schedule
        As for :func:`estimate`.

    Returns
    -------
    The twin; None if its critic is dead, see :func:`is_dead`.

    Examples
    --------
    One step is too little for the published critic:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, Mine, fit_twin
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(200) % 2
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(200, 1)), Context(categorical={"batch": batch})
    >>> objective = Mine(1, 2, n_layers=10, init="normal")
    >>> fit_twin(objective, codes, context, torch.arange(200).split([150, 50]), CriticSchedule(1)) is None
    True
    """
    twin = objective.fresh().to(codes.loc.device)
    twin.observe(context.take(split[0]))
    twin.start(_part(codes, split[0]))
    return twin if fit_critic(twin, codes, context, split[0], split[1], schedule) else None


def _part(codes: Normal, index: Tensor) -> Normal:
    return Normal(codes.loc[index], codes.scale[index], validate_args=False)


def _sample(codes: Normal, index: Tensor) -> tuple[Tensor, Normal]:
    part = _part(codes, index)
    return part.sample(), part
