"""Standardisation of losses: from the extremes of a front, or from the start of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import DEAD, GENERATIVE_LOSS
from scpareto.objectives import evaluate
from scpareto.pareto import Scaler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives import Context, Objective
    from scpareto.train import Recipe


_LEAST = 0.01
"""Smallest range of an information in nats; where the start leaks next to nothing there is nothing to trade."""


def scalers_of_extremes(
    extremes: Sequence[dict[str, Any]], names: Sequence[str], objectives: Sequence[Objective], recipe: Recipe
) -> tuple[Scaler, Scaler]:
    """Scalers of training minibatches and of validation cells.

    Parameters
    ----------
    extremes
        What is kept of the extreme of each objective.
    names
        Names of all objectives.
    objectives
        The objectives besides the generative loss.
    recipe
        Kind of the scaler and least range of the generative loss.
    """
    if recipe.scaler == "none":
        return Scaler.identity(len(extremes)), Scaler.identity(len(extremes))
    if recipe.scaler == "trajectory":
        ranges = [extreme["minibatch_extremes"][i] for i, extreme in enumerate(extremes)]
        trajectory = Scaler.trajectory(np.array(ranges).T, names=names)
        return trajectory, trajectory
    payoffs = {
        part: np.array([[extreme["row"][f"{name}_{part}"] for name in names] for extreme in extremes])
        for part in ("train", "validation")
    }
    for which, (name, objective) in enumerate(zip(names[1:], objectives, strict=True), 1):
        if any(extreme["row"].get(f"{name}{DEAD}") for extreme in extremes):
            # Nothing was measured there: as good as can be, so that the other extremes alone set the range.
            for payoff in payoffs.values():
                payoff[:, which] = np.nan_to_num(payoff[:, which], nan=objective.minimum or 0.0)
    # Training losses are those of minibatches, with dropout on, and the best epoch may lie beyond the state that was
    # kept for its validation loss: later points go there too. The range stays that of the finished points.
    best_epoch = np.nanmin(extremes[0]["history"][f"{GENERATIVE_LOSS}_train"])
    payoffs["train"][:, 0] += best_epoch - payoffs["train"][0, 0]
    # An information is at least zero; the estimate at the strongest extreme may be above or below.
    floor = (None, *(objective.minimum for objective in objectives))
    scalers = []
    for payoff in payoffs.values():
        least = np.zeros(len(names))
        least[0] = recipe.least_cost * abs(payoff[0, 0])
        scalers.append(Scaler.payoff(payoff, floor=floor, least_range=least, names=names))
    return scalers[0], scalers[1]


def scaler_of_start(
    objectives: list[Objective], qz: Normal, context: Context, generative: Tensor, cells: Tensor, least_cost: float
) -> Scaler:
    """Standardisation of losses before there are extremes.

    Parameters
    ----------
    objectives
        Objectives with critics that know the codes of the start.
    qz, context, generative
        Codes, nuisances at random places, and negative ELBO of all cells at the start.
    cells
        Cells that count, the training ones.
    least_cost
        Range of the generative loss as a share of its value at the start.

    Returns
    -------
    The generative loss of the start is 0; each other objective is 1 there, and 0 at its smallest possible value or, if
    that is not known, at zero.
    """
    lows, highs = [float(generative[cells].mean())], []
    highs.append(lows[0] + least_cost * abs(lows[0]))
    for objective in objectives:
        low = 0.0 if objective.minimum is None else objective.minimum
        value = evaluate(objective, qz, context, cells)
        lows.append(low)
        highs.append(max(value, low + _LEAST))
    return Scaler("start", np.array(lows), np.array(highs))
