"""The parameters of a path: one set for each end, mixed into a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scpareto.pareto import WeightPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


class PathWeights(nn.Module):
    """Ends of a path through the weights of a module; all begin at its present state.

    Parameters
    ----------
    module
        The module, whose parameters are overwritten by :meth:`place`.
    n_ends
        Number of ends.
    """

    def __init__(self, module: nn.Module, n_ends: int) -> None:
        super().__init__()
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        # A tuple keeps the module itself out of the state.
        self._mixed = tuple(p for _, p in named)
        self._module = (module,)
        self.ends = nn.ModuleList(nn.ParameterList(p.detach().clone() for p in self._mixed) for _ in range(n_ends))

    def parameters_of(self, end: int) -> tuple[nn.Parameter, ...]:
        """Parameters of one end."""
        return tuple(self.ends[end].parameters())

    @torch.no_grad()
    def place(self, shares: NDArray) -> None:
        """Mix the ends into the module.

        Parameters
        ----------
        shares
            Share of each end, shape ``(n_ends,)``.
        """
        torch._foreach_zero_(self._mixed)
        for end, share in enumerate(shares):
            if share:
                torch._foreach_add_(self._mixed, self.parameters_of(end), alpha=float(share))

    def take_gradients(self, gradients: Sequence[Tensor | None], shares: NDArray) -> None:
        """Hand gradients of the mixed parameters on to the ends, each by its share.

        An end without a share gets none, so that its optimiser state stands still.
        """
        for end, share in enumerate(shares):
            for parameter, gradient in zip(self.parameters_of(end), gradients, strict=True):
                parameter.grad = None if gradient is None or share == 0 else gradient * float(share)

    def to_path(self) -> WeightPath:
        """Return what a front keeps, on CPU."""
        start = {name: values.detach().cpu().clone() for name, values in self._module[0].state_dict().items()}
        ends = [
            {name: p.detach().cpu().clone() for name, p in zip(self.names, self.parameters_of(end), strict=True)}
            for end in range(len(self.ends))
        ]
        return WeightPath(start | ends[0], ends[1:])
