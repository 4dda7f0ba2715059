"""The parameters of a path: one set for each control point, mixed into a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from scpareto._runtime import average_tensors
from scpareto.pareto import RUNNING_VARIANCE, WeightPath, coefficients_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


_MIN_LEVERAGE = 0.25
"""Lower bound of the sum of squared coefficients that divides the rate of running statistics."""
_STATISTICS_RATE = 5.0
"""How much more a minibatch moves running statistics than in a plain training: each place sees few minibatches."""


class PathWeights(nn.Module):
    """Control points of a path through the weights of a module; all start at its present state.

    The first one, the uncorrected extreme, stays there. Running statistics of batch normalisation are mixed like
    weights: each place has its own.

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
        # As plain data, too: what is not mixed is that of the start, such as numbers of minibatches seen.
        self._start = {name: values.detach().cpu().clone() for name, values in module.state_dict().items()}
        n_controls = n_objectives * (n_objectives + 1) // 2
        self.controls = nn.ModuleList(
            nn.ParameterList(p.detach().clone() for p in self._mixed) for _ in range(n_controls)
        )
        self.controls[0].requires_grad_(False)
        running = [
            (layer, name, f"{prefix}.{name}")
            for prefix, layer in module.named_modules()
            if isinstance(layer, _BatchNorm)
            for name, values in layer.named_buffers()
            if values.is_floating_point()
        ]
        self.statistic_names = [full_name for _, _, full_name in running]
        self._statistic_layers = tuple((layer, name) for layer, name, _ in running)
        self.statistics = nn.ModuleList(
            nn.ParameterList(nn.Parameter(values.clone(), requires_grad=False) for values in self._running)
            for _ in range(n_controls)
        )
        self._statistics_at_place: list[Tensor] = []

    def parameters_of(self, control: int) -> tuple[nn.Parameter, ...]:
        """Parameters of one control point."""
        return tuple(self.controls[control].parameters())

    def statistics_of(self, control: int) -> tuple[Tensor, ...]:
        """Return the running statistics of one control point."""
        return tuple(self.statistics[control].parameters())

    @property
    def _running(self) -> tuple[Tensor, ...]:
        """Running statistics of the module: looked up, because a module that goes to a device gets other tensors."""
        return tuple(layer.get_buffer(name) for layer, name in self._statistic_layers)

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
            Share of each extreme, shape ``(n_objectives,)``.
        """
        running = self._running
        mixed = (*self._mixed, *running)
        torch._foreach_zero_(mixed)
        for control, coefficient in enumerate(coefficients_at(shares)):
            if coefficient:
                parts = (*self.parameters_of(control), *self.statistics_of(control))
                torch._foreach_add_(mixed, parts, alpha=float(coefficient))
        for name, values in zip(self.statistic_names, running, strict=True):
            if name.endswith(RUNNING_VARIANCE):
                # A bend may lie below zero.
                values.clamp_(min=0.0)
        self._statistics_at_place = [values.clone() for values in running]

    @torch.no_grad()
    def update_statistics(self, shares: NDArray) -> None:
        """Move the control points by the change of the running statistics in a minibatch.

        In a distributed training all processes use the mean of their changes.

        Parameters
        ----------
        shares
            Share of each extreme at the place.
        """
        if not self._statistic_layers:
            return
        coefficients = coefficients_at(shares)
        leverage = max(_MIN_LEVERAGE, float(coefficients[1:] @ coefficients[1:]))
        changes = average_tensors(
            [now - before for now, before in zip(self._running, self._statistics_at_place, strict=True)]
        )
        for control in range(1, len(self.controls)):
            if coefficients[control]:
                rate = _STATISTICS_RATE * float(coefficients[control]) / leverage
                torch._foreach_add_(self.statistics_of(control), changes, alpha=rate)

    def distribute_gradients(self, gradients: Sequence[Tensor | None], shares: NDArray) -> None:
        """Pass gradients of the mixed parameters to the control points, multiplied by their coefficients.

        A control point with coefficient 0 gets no gradient, so that its optimiser state stays unchanged.
        """
        for control, coefficient in enumerate(coefficients_at(shares)):
            for parameter, gradient in zip(self.parameters_of(control), gradients, strict=True):
                if gradient is None or coefficient == 0 or not parameter.requires_grad:
                    parameter.grad = None
                else:
                    parameter.grad = gradient * float(coefficient)

    def to_path(self) -> WeightPath:
        """Return what a front keeps, on CPU."""
        names = [*self.names, *self.statistic_names]
        first, *others = (
            {
                name: values.detach().cpu().clone()
                for name, values in zip(
                    names, (*self.parameters_of(control), *self.statistics_of(control)), strict=True
                )
            }
            for control in range(len(self.controls))
        )
        return WeightPath(self._start | first, others)
