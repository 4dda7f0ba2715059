"""Standardisation of losses from the extremes of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import GENERATIVE_LOSS
from scpareto.pareto import Scaler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scpareto.objectives import Objective
    from scpareto.train._recipe import Recipe


def anchor_scalers(
    anchors: Sequence[dict[str, Any]], names: Sequence[str], objectives: Sequence[Objective], recipe: Recipe
) -> tuple[Scaler, Scaler]:
    """Scalers of training minibatches and of validation cells.

    Parameters
    ----------
    anchors
        What is kept of the extreme of each objective.
    names
        Names of all objectives.
    objectives
        The objectives besides the generative loss.
    recipe
        Kind of the scaler and least range of the generative loss.
    """
    if recipe.scaler == "none":
        return Scaler.identity(len(anchors)), Scaler.identity(len(anchors))
    if recipe.scaler == "trajectory":
        extremes = [anchor["minibatch_extremes"][i] for i, anchor in enumerate(anchors)]
        trajectory = Scaler.trajectory(np.array(extremes).T)
        return trajectory, trajectory
    payoffs = {
        part: np.array([[anchor["row"][f"{name}_{part}"] for name in names] for anchor in anchors])
        for part in ("train", "validation")
    }
    # Training losses are those of minibatches, with dropout on, and the best epoch may lie beyond the state that was
    # kept for its validation loss: later points go there too. The range stays that of the finished points.
    best_epoch = np.nanmin(anchors[0]["history"][f"{GENERATIVE_LOSS}_train"])
    payoffs["train"][:, 0] += best_epoch - payoffs["train"][0, 0]
    # An information is at least zero; the estimate at the strongest extreme may be above or below.
    floor = (None, *(objective.minimum for objective in objectives))
    scalers = []
    for payoff in payoffs.values():
        least = np.zeros(len(names))
        least[0] = recipe.least_cost * abs(payoff[0, 0])
        scalers.append(Scaler.payoff(payoff, floor=floor, least_range=least, names=names))
    return scalers[0], scalers[1]
