"""Training cells of a generator, and how much of their variance it reproduces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from scpareto.model.michigan._networks import MichiGANModule

COLLAPSED = 0.05
"""Variance of generated cells, relative to that of real ones, below which a generator counts as collapsed."""


@dataclass(frozen=True)
class CodedCells:
    """Cells with their codes, all on one device.

    Attributes
    ----------
    x
        Expression on the critic's scale, ``(n_cells, n_genes)``.
    mean, scale
        Codes and their standard deviations, ``(n_cells, n_latent)``; None if there are none.
    library
        Counts of each cell, ``(n_cells, 1)``; None for outputs without a library size.

    Examples
    --------
    Without codes, a generator draws its own; a conditional one needs them:

    >>> import torch
    >>> from scpareto.model.michigan import CodedCells, MichiGANModule, WassersteinRecipe, train_wasserstein
    >>> _ = torch.manual_seed(0)
    >>> module = MichiGANModule(5, n_latent=2, n_noise=2, n_hidden_generator=[8], n_hidden_critic=[8])
    >>> cells = CodedCells(x=torch.randn(64, 5), mean=torch.randn(64, 2))
    >>> _ = train_wasserstein(module, cells, WassersteinRecipe(), max_epochs=1)
    >>> train_wasserstein(module, CodedCells(x=cells.x), WassersteinRecipe(), max_epochs=1)
    Traceback (most recent call last):
        ...
    ValueError: a conditional generator needs codes of the cells.
    """

    x: Tensor
    mean: Tensor | None = None
    scale: Tensor | None = None
    library: Tensor | None = None


@torch.inference_mode()
def relative_variance(module: MichiGANModule, cells: CodedCells, n_cells: int = 512) -> float:
    """Return the variance of generated cells, summed over genes, relative to that of equally many real cells.

    Parameters
    ----------
    module, cells
        Trained module, and the training cells.
    n_cells
        Cells of each kind, at most.

    Returns
    -------
    About 1 for a good generator; near 0 for one that generates nearly the same cell every time.
    """
    module.eval()
    rows = torch.randperm(len(cells.x), device=cells.x.device)[:n_cells]
    x = cells.x[rows]
    codes = torch.randn(len(rows), module.n_latent, device=x.device)
    if module.conditional and cells.mean is not None:
        codes = cells.mean[rows]
    library = None if cells.library is None else cells.library[rows]
    fake = module.to_critic_scale(module.generate(codes, library))
    return float(fake.var(0).sum() / x.var(0).sum().clamp(min=1e-12))
