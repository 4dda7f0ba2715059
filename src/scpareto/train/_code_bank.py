"""Codes of the latest minibatches, for critics that need more steps than the model."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import torch
from torch.distributions import Normal

from scpareto.objectives import Context

if TYPE_CHECKING:
    from torch import Tensor


class CodeBank:
    """Detached posteriors of the latest minibatches.

    Several critic steps on one minibatch would overfit its cells, and encoding other cells costs more than the critic
    step itself. Codes that are a few model steps old are nearly as good.

    Parameters
    ----------
    n_minibatches
        Number of minibatches that are kept.
    """

    def __init__(self, n_minibatches: int) -> None:
        self._stored: deque[tuple[Tensor, Tensor, Context]] = deque(maxlen=n_minibatches)

    def __len__(self) -> int:
        return len(self._stored)

    def push(self, qz: Normal, context: Context) -> None:
        """Store the posterior of a minibatch, batch shape ``(n_cells, n_latent)``; the oldest one is dropped."""
        self._stored.append((qz.loc.detach(), qz.scale.detach(), context))

    def draw(self, n_cells: int) -> tuple[Tensor, Normal, Context]:
        """Draw cells at random and sample their codes anew.

        Returns
        -------
        Sampled codes ``(n_cells, n_latent)``, their posterior and their context; fewer cells while fewer are stored.
        """
        locs, scales, contexts = (list(column) for column in zip(*self._stored, strict=True))
        loc, scale, context = torch.cat(locs), torch.cat(scales), Context.concatenate(contexts)
        index = torch.randperm(len(loc), device=loc.device)[:n_cells]
        qz = Normal(loc[index], scale[index], validate_args=False)
        return qz.sample(), qz, context.take(index)
