"""The denoising autoencoder of counts that scDeepCluster and scziDesk share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scvi.distributions import ZeroInflatedNegativeBinomial
from torch import nn

from scpareto.bench._methods._clustering_input import compute_clustering_input

if TYPE_CHECKING:
    from torch import Tensor

    from scpareto.bench._cells import Cells

_LAYER_WIDTHS = (256, 64, 32)


class ZINBAutoencoder(nn.Module):
    """Denoising autoencoder with layers of 256 and 64 units, 32 codes, and a zero-inflated negative binomial output.

    Parameters
    ----------
    cells
        The cells. The input is z-scores of log-normalised counts; the output models the counts, with the size of the
        cell as a factor of the mean.
    n_genes
        Number of most variable genes to use; None for all.
    noise
        Standard deviation of the Gaussian noise that training adds to the input and before every hidden activation.
    """

    def __init__(self, cells: Cells, *, n_genes: int | None, noise: float) -> None:
        super().__init__()
        scaled, genes = compute_clustering_input(cells, n_genes=n_genes)
        self.input = torch.from_numpy(scaled)
        self.counts = torch.from_numpy(cells.counts[:, genes].toarray())
        depth = torch.from_numpy(cells.counts.sum(axis=1).A1)
        self.size = (depth / depth.median())[:, None]
        self.noise = noise
        sizes = [self.input.shape[1], *_LAYER_WIDTHS]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        reversed_sizes = sizes[:0:-1]
        self.decoder = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(reversed_sizes[:-1], reversed_sizes[1:], strict=True)
        )
        self.mean, self.dispersion, self.dropout = (nn.Linear(reversed_sizes[-1], sizes[0]) for _ in range(3))

    def encode(self, rows: Tensor) -> Tensor:
        """Return codes of cells, shape ``(n_rows, 32)``; noisy while training."""
        hidden = self._add_noise(self.input[rows])
        for layer in self.encoder[:-1]:
            hidden = torch.relu(self._add_noise(layer(hidden)))
        return self.encoder[-1](hidden)

    def codes(self) -> Tensor:
        """Return codes of all cells without noise, shape ``(n_cells, 32)``."""
        training = self.training
        self.eval()
        with torch.no_grad():
            codes = torch.cat([self.encode(rows) for rows in torch.arange(len(self.input)).split(2048)])
        self.train(training)
        return codes

    def compute_reconstruction_error(self, codes: Tensor, rows: Tensor, *, ridge: float = 0.0) -> Tensor:
        """Return the mean negative log-likelihood of the counts plus ``ridge`` times the mean squared dropout."""
        hidden = codes
        for layer in self.decoder:
            hidden = torch.relu(layer(hidden))
        logits = self.dropout(hidden)
        likelihood = ZeroInflatedNegativeBinomial(
            mu=self.size[rows] * torch.exp(self.mean(hidden)).clamp(1e-5, 1e6),
            theta=nn.functional.softplus(self.dispersion(hidden)).clamp(1e-4, 1e4),
            zi_logits=logits,
            validate_args=False,
        )
        loss = -likelihood.log_prob(self.counts[rows]).mean()
        return loss + ridge * torch.sigmoid(logits).square().mean() if ridge else loss

    def _add_noise(self, values: Tensor) -> Tensor:
        return values + self.noise * torch.randn_like(values) if self.training and self.noise else values
