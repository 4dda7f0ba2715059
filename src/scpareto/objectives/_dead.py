"""Find critics that are still the constant function that they started as: they measure nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.distributions import Normal

from scpareto._runtime import seeded
from scpareto.objectives._critic import Critic

if TYPE_CHECKING:
    from torch import Tensor

    from scpareto.objectives._base import Objective
    from scpareto.objectives._context import Context

CONSTANT = 1e-2
"""Range of a critic's scores in nats below which it is constant.

A critic reads at most the range of its scores, and usually far less: at a range of 0.03, of 0.2 nats about two batches,
0.0004. On such codes the published critic begins with a range of 2e-7, stays below 1e-5 for hundreds of steps, and then
needs less than 50 passes to one above 1. Critics of three layers end with ranges above 0.1, even where codes hold no
information.
"""


@torch.no_grad()
def is_dead(objective: Objective, z: Tensor, qz: Normal, context: Context) -> bool:
    """Tell whether the critic of an objective never left a constant start, so that its value is no measurement.

    A critic that started with scores that differ, and whose scores do not any more, has learned that there is nothing
    to find; it is not dead. Critics of other classes than :class:`Critic` are never called dead. A critic that starts
    as a constant, such as the published one, may stay so because nothing is there or because it was trained too
    briefly. These two cases look the same: on 1,306 cells, 400 passes of its published schedule are enough from 0.1
    nats on, and on codes without information it never leaves its start.

    Parameters
    ----------
    objective
        The objective, after the training of its critic.
    z, qz, context
        Cells, as for the objective itself.

    Examples
    --------
    The published critic before any training, and one of few layers:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, Mine, is_dead
    >>> z, context = torch.randn(100, 2), Context(categorical={"batch": torch.arange(100) % 2})
    >>> qz = Normal(z, torch.ones(100, 2))
    >>> [is_dead(Mine(2, 2, n_layers=n_layers, init="normal"), z, qz, context) for n_layers in (10, 1)]
    [True, False]
    """
    if not objective.has_critic:
        return False
    # A separate generator, so that this check changes no other random number. Noise, because codes that have collapsed
    # to one point have the same score by any critic.
    with seeded(0):
        noise = torch.randn_like(z)
        cells = z + noise, Normal(qz.loc + noise, qz.scale, validate_args=False), context
        return _range_of_scores(objective, *cells) < CONSTANT and (
            _range_of_scores(objective.fresh().to(z.device), *cells) < CONSTANT
        )


def _range_of_scores(objective: Objective, z: Tensor, qz: Normal, context: Context) -> float:
    """Largest difference between cells in a score of the critic; infinite where there is no known critic."""
    scores: list[Tensor] = []
    critics = [part for part in objective.modules() if isinstance(part, Critic)]
    handles = [critic.register_forward_hook(lambda _, __, output: scores.append(output)) for critic in critics]
    try:
        objective(z, qz, context)
    finally:
        for handle in handles:
            handle.remove()
    if not scores:
        return float("inf")
    found = torch.cat(scores)
    return float((found.amax(0) - found.amin(0)).max())
