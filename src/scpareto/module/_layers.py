"""Stacks of scvi-tools' fully connected layers of different widths."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from scvi.nn import FCLayers
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

Norm = Literal["batch", "layer", "none"]

LEAKY = partial(nn.LeakyReLU, 0.2)
"""Leaky ReLU with the slope of the published networks."""


class Stack(nn.Module):
    """Hidden layers: linear map, normalisation, activation, dropout.

    Parameters
    ----------
    n_in
        Width of the input.
    n_hidden
        Width of each layer.
    activations
        Activation of each layer; the last one is repeated.
    dropout_rate
        Dropout after each activation.
    norm
        ``"batch"``, ``"layer"`` or ``"none"``.
    n_cat_list
        Levels of categorical covariates, which are inputs of every layer.

    Raises
    ------
    ValueError
        If there are no layers or ``norm`` is unknown.

    Examples
    --------
    >>> import torch
    >>> from scpareto.module import Stack
    >>> Stack(20, [16, 8])(torch.randn(5, 20)).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        n_in: int,
        n_hidden: Sequence[int],
        *,
        activations: Sequence[Callable[[], nn.Module]] = (LEAKY,),
        dropout_rate: float = 0.0,
        norm: Norm = "batch",
        n_cat_list: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not n_hidden:
            raise ValueError("n_hidden is empty; give the width of at least one hidden layer.")
        if norm not in ("batch", "layer", "none"):
            raise ValueError(f"norm={norm!r} is unknown; choose 'batch', 'layer' or 'none'.")
        widths = [n_in, *n_hidden]
        self.layers = nn.ModuleList(
            FCLayers(
                a,
                b,
                n_cat_list=n_cat_list,
                dropout_rate=dropout_rate,
                use_batch_norm=norm == "batch",
                use_layer_norm=norm == "layer",
                activation_fn=activations[min(i, len(activations) - 1)],
            )
            for i, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True))
        )

    def forward(self, x: torch.Tensor, *cat_list: torch.Tensor) -> torch.Tensor:
        """Map ``(n_cells, n_in)`` to the last hidden layer."""
        for layer in self.layers:
            x = layer(x, *cat_list)
        return x
