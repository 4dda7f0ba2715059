"""A decoder in which the batch multiplies the mean of each gene by a factor."""

from __future__ import annotations

from typing import Any

import torch
from scvi.nn import DecoderSCVI
from torch import nn


class MultiplicativeDecoder(DecoderSCVI):
    r"""scVI's decoder without the batch as input, times a factor for each gene and batch.

    Parameters
    ----------
    n_input, n_output
        Dimensions of the codes and number of genes.
    n_batch
        Number of batches.
    n_cats_per_cov
        Levels of further categorical covariates, which are inputs of the network.
    learned
        Whether the factors are learned.
    **kwargs
        As in :class:`scvi.nn.DecoderSCVI`.

    Notes
    -----
    A cell of batch :math:`b` with codes :math:`z`, library size :math:`\ell` and profile :math:`\rho(z)`, which sums to
    one, has mean counts :math:`\ell \, \rho_g(z) \, \delta_{gb}`. The logarithms of the factors are in
    ``log_batch_effect``, shape ``(n_genes, n_batches)``. Profiles times factors do not sum to one.

    Examples
    --------
    The second batch has three times the counts of the first gene, whatever the code:

    >>> import math
    >>> import torch
    >>> from scpareto.module import MultiplicativeDecoder
    >>> decoder = MultiplicativeDecoder(2, 4, 2, [], learned=True, n_hidden=8).eval()
    >>> decoder.log_batch_effect.data[0, 1] = math.log(3)
    >>> codes, library = torch.randn(1, 2).expand(2, 2), torch.zeros(2, 1)
    >>> _, _, rate, _ = decoder("gene", codes, library, torch.tensor([[0], [1]]))
    >>> [round(ratio, 3) for ratio in (rate[1] / rate[0]).tolist()]
    [3.0, 1.0, 1.0, 1.0]
    """

    def __init__(
        self, n_input: int, n_output: int, n_batch: int, n_cats_per_cov: list[int], *, learned: bool, **kwargs: Any
    ) -> None:
        # The batch is the first category of a call. With zero levels it keeps its position but is no input.
        super().__init__(n_input, n_output, n_cat_list=[0, *n_cats_per_cov], **kwargs)
        self.log_batch_effect = nn.Parameter(torch.zeros(n_output, n_batch), requires_grad=learned)

    def forward(
        self, dispersion: str, z: torch.Tensor, library: torch.Tensor, batch_index: torch.Tensor, *cat_list: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """Return the parameters of the count distribution; see :meth:`scvi.nn.DecoderSCVI.forward`."""
        scale, dispersion_of_cell, rate, dropout = super().forward(dispersion, z, library, batch_index, *cat_list)
        factor = torch.exp(self.log_batch_effect.T[batch_index.long().squeeze(-1)])
        return scale * factor, dispersion_of_cell, rate * factor, dropout
