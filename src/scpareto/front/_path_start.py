"""What the training of a path begins from: critics that know no place yet, and the scales of the losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.objectives import evaluate
from scpareto.pareto import Scaler

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives import Context, Objective

_LEAST = 0.01
"""Smallest range of an information in nats; where the start leaks next to nothing there is nothing to trade."""


def at_random_places(context: Context, n_objectives: int) -> Context:
    """Give each cell a random place: codes of the start are the same everywhere, and critics are to know it."""
    shares = np.random.default_rng(int(torch.randint(2**31, ()))).dirichlet(np.ones(n_objectives), len(context))
    return replace(context, shares=torch.from_numpy(shares.astype(np.float32)))


def start_scaler(
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
