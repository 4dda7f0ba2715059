"""The denoising autoencoder of counts that scDeepCluster and scziDesk share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scvi.distributions import ZeroInflatedNegativeBinomial
from torch import nn

from scpareto.bench._methods._clustering_input import clustering_input

if TYPE_CHECKING:
    from torch import Tensor

    from scpareto.bench._cells import Cells

_SIZES = (256, 64, 32)


class ZINBAutoencoder(nn.Module):
    """Layers of 256 and 64 units either side of a code of 32, Gaussian noise, zero-inflated negative binomial output.

    Parameters
    ----------
    cells
        The cells. Genes become z-scores of log-normalised counts; the likelihood is that of the counts, with the size
        of the cell as a factor of the mean.
    n_genes
        Most variable genes that are taken; None for all.
    noise
        Standard deviation of the noise that is added, while training, to the input and before every hidden activation.
    """

    def __init__(self, cells: Cells, *, n_genes: int | None, noise: float) -> None:
        super().__init__()
        scaled, genes = clustering_input(cells, n_genes=n_genes)
        self.input = torch.from_numpy(scaled)
        self.counts = torch.from_numpy(cells.counts[:, genes].toarray())
        depth = torch.from_numpy(cells.counts.sum(axis=1).A1)
        self.size = (depth / depth.median())[:, None]
        self.noise = noise
        sizes = [self.input.shape[1], *_SIZES]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        back = sizes[:0:-1]
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(back[:-1], back[1:], strict=True))
        self.mean, self.dispersion, self.dropout = (nn.Linear(back[-1], sizes[0]) for _ in range(3))

    def encode(self, rows: Tensor) -> Tensor:
        """Codes of cells, shape ``(n_rows, 32)``; noisy while training."""
        hidden = self._noisy(self.input[rows])
        for layer in self.encoder[:-1]:
            hidden = torch.relu(self._noisy(layer(hidden)))
        return self.encoder[-1](hidden)

    def codes(self) -> Tensor:
        """Codes of all cells without noise, shape ``(n_cells, 32)``."""
        training = self.training
        self.eval()
        with torch.no_grad():
            found = torch.cat([self.encode(rows) for rows in torch.arange(len(self.input)).split(2048)])
        self.train(training)
        return found

    def reconstruction(self, codes: Tensor, rows: Tensor, *, ridge: float = 0.0) -> Tensor:
        """Negative log-likelihood of the counts plus ``ridge`` times the squared dropout, mean over cells and genes."""
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

    def _noisy(self, values: Tensor) -> Tensor:
        return values + self.noise * torch.randn_like(values) if self.training and self.noise else values
