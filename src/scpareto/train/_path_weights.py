"""The parameters of a path: one set for each control point, mixed into a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scpareto.pareto import WeightPath, coefficients_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


class PathWeights(nn.Module):
    """Control points of a path through the weights of a module; all begin at its present state.

    The first one, the uncorrected end, stays there.

    Parameters
    ----------
    module
        The module, whose parameters are overwritten by :meth:`place`.
    n_objectives
        Number of objectives.
    """

    def __init__(self, module: nn.Module, n_objectives: int) -> None:
        super().__init__()
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        # Tuples keep the module itself out of the state.
        self._mixed = tuple(p for _, p in named)
        self._module = (module,)
        n_controls = n_objectives * (n_objectives + 1) // 2
        self.controls = nn.ModuleList(
            nn.ParameterList(p.detach().clone() for p in self._mixed) for _ in range(n_controls)
        )
        self.controls[0].requires_grad_(False)

    def parameters_of(self, control: int) -> tuple[nn.Parameter, ...]:
        """Parameters of one control point."""
        return tuple(self.controls[control].parameters())

    @property
    def trained(self) -> list[nn.Parameter]:
        """Parameters of all control points but the first."""
        return [p for control in range(1, len(self.controls)) for p in self.parameters_of(control)]

    @torch.no_grad()
    def place(self, shares: NDArray) -> None:
        """Mix the control points into the module.

        Parameters
        ----------
        shares
            Share of each end, shape ``(n_objectives,)``.
        """
        torch._foreach_zero_(self._mixed)
        for control, coefficient in enumerate(coefficients_at(shares)):
            if coefficient:
                torch._foreach_add_(self._mixed, self.parameters_of(control), alpha=float(coefficient))

    def take_gradients(self, gradients: Sequence[Tensor | None], shares: NDArray) -> None:
        """Hand gradients of the mixed parameters on to the control points, each by its coefficient.

        One with coefficient 0 gets none, so that its optimiser state stands still.
        """
        for control, coefficient in enumerate(coefficients_at(shares)):
            for parameter, gradient in zip(self.parameters_of(control), gradients, strict=True):
                if gradient is None or coefficient == 0 or not parameter.requires_grad:
                    parameter.grad = None
                else:
                    parameter.grad = gradient * float(coefficient)

    def to_path(self) -> WeightPath:
        """Return what a front keeps, on CPU."""
        start = {name: values.detach().cpu().clone() for name, values in self._module[0].state_dict().items()}
        first, *others = (
            {name: p.detach().cpu().clone() for name, p in zip(self.names, self.parameters_of(control), strict=True)}
            for control in range(len(self.controls))
        )
        return WeightPath(start | first, others)
