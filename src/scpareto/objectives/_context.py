"""Nuisances, clusters and preferences of the cells of a minibatch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True)
class Context:
    """Nuisances and conditions of the cells of a minibatch.

    Parameters
    ----------
    categorical
        Integer codes of each categorical nuisance, shape ``(n_cells,)``; the batch is ``"batch"``.
    continuous
        Values of each continuous nuisance, shape ``(n_cells,)``.
    clusters
        Soft memberships in each clustering that an objective is conditioned on, shape ``(n_cells, n_clusters)``.
    shares
        Share of each extreme of a weight path in the weights that computed each cell's code, shape ``(n_cells,
        n_objectives)``; None without a path.

    Examples
    --------
    >>> import torch
    >>> from scpareto.objectives import Context
    >>> batch, age = torch.tensor([0, 0, 1]), torch.tensor([20.0, 30.0, 40.0])
    >>> context = Context(categorical={"batch": batch}, continuous={"age": age})
    >>> len(context)
    3
    >>> context.take(torch.tensor([2, 0])).continuous["age"].tolist()
    [40.0, 20.0]
    """

    categorical: dict[str, Tensor] = field(default_factory=dict)
    continuous: dict[str, Tensor] = field(default_factory=dict)
    clusters: dict[str, Tensor] = field(default_factory=dict)
    shares: Tensor | None = None

    def __len__(self) -> int:
        for values in (*self.categorical.values(), *self.continuous.values()):
            return len(values)
        return 0

    def take(self, index: Tensor) -> Context:
        """Context of the cells in ``index``, shape ``(n_taken,)``."""
        return self._map(lambda values: values[index])

    def to(self, device: torch.device | str) -> Context:
        """Move the context to another device."""
        return self._map(lambda values: values.to(device))

    @staticmethod
    def concatenate(contexts: list[Context]) -> Context:
        """Join the contexts of several minibatches, in order."""
        first = contexts[0]

        shares = [c.shares for c in contexts if c.shares is not None]
        return Context(
            categorical={key: torch.cat([c.categorical[key] for c in contexts]) for key in first.categorical},
            continuous={key: torch.cat([c.continuous[key] for c in contexts]) for key in first.continuous},
            clusters={key: torch.cat([c.clusters[key] for c in contexts]) for key in first.clusters},
            shares=torch.cat(shares) if shares else None,
        )

    def _map(self, function: Callable[[Tensor], Tensor]) -> Context:
        return replace(
            self,
            categorical={key: function(values) for key, values in self.categorical.items()},
            continuous={key: function(values) for key, values in self.continuous.items()},
            clusters={key: function(values) for key, values in self.clusters.items()},
            shares=None if self.shares is None else function(self.shares),
        )
