"""Fully connected encoder and decoder whose layers differ in width."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from scvi.nn import FCLayers
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import softplus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_LOG_VARIANCE = (-10.0, 6.0)
_LOG_MEAN = (-11.5, 13.8)
"""Logarithms of 1e-5 and 1e6."""
_DISPERSION = (1e-4, 1e4)


class TaperedLayers(FCLayers):
    """Fully connected layers of different widths; hooks and covariates are those of :class:`scvi.nn.FCLayers`.

    Parameters
    ----------
    n_in
        Inputs.
    widths
        Units of each layer.
    n_cat_list
        Numbers of categories of the covariates that every layer sees.
    dropout_rate, use_batch_norm
        As in :class:`scvi.nn.FCLayers`.

    Raises
    ------
    ValueError
        If ``widths`` is empty.
    """

    def __init__(
        self,
        n_in: int,
        widths: Sequence[int],
        n_cat_list: Sequence[int] | None = None,
        *,
        dropout_rate: float = 0.0,
        use_batch_norm: bool = True,
    ) -> None:
        if not widths:
            raise ValueError("n_hidden is empty: give the width of at least one layer.")
        options = {"dropout_rate": dropout_rate, "use_batch_norm": use_batch_norm}
        super().__init__(n_in, widths[0], n_cat_list, **options)
        pairs = zip([n_in, *widths[:-1]], widths, strict=True)
        self.fc_layers = nn.Sequential(
            OrderedDict(
                (f"Layer {i}", FCLayers(a, b, n_cat_list, **options).fc_layers[0]) for i, (a, b) in enumerate(pairs)
            )
        )


class TaperedEncoder(nn.Module):
    """Posterior of the codes: layers of given widths, then a mean and a bounded log-variance.

    Parameters
    ----------
    n_input, n_latent
        Inputs, and dimensions of a code.
    n_hidden
        Width of each hidden layer.
    dropout_rate, use_batch_norm
        As in :class:`scvi.nn.FCLayers`.
    """

    def __init__(
        self,
        n_input: int,
        n_latent: int,
        n_hidden: Sequence[int],
        *,
        dropout_rate: float = 0.0,
        use_batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = TaperedLayers(n_input, n_hidden, dropout_rate=dropout_rate, use_batch_norm=use_batch_norm)
        self.mean_encoder = nn.Linear(n_hidden[-1], n_latent)
        self.var_encoder = nn.Linear(n_hidden[-1], n_latent)
        self.z_transformation = nn.Identity()
        init_glorot(self)

    def forward(self, x: Tensor, *cat_list: Tensor) -> tuple[Normal, Tensor]:
        """Return the posterior, and one code drawn from it, for inputs of shape ``(n_cells, n_input)``."""
        hidden = self.encoder(x)
        log_variance = self.var_encoder(hidden).clamp(*_LOG_VARIANCE)
        qz = Normal(self.mean_encoder(hidden), (0.5 * log_variance).exp(), validate_args=False)
        return qz, qz.rsample()


class TaperedDecoder(nn.Module):
    """Parameters of the counts, or of continuous values, of a cell from its code.

    Parameters
    ----------
    n_latent, n_output
        Dimensions of a code, and genes.
    n_hidden
        Width of each hidden layer.
    n_cat_list
        Numbers of categories of the covariates.
    use_batch_norm
        As in :class:`scvi.nn.FCLayers`.
    continuous
        Whether means are on the scale of standardised values instead of counts.
    """

    def __init__(
        self,
        n_latent: int,
        n_output: int,
        n_hidden: Sequence[int],
        n_cat_list: Sequence[int] | None = None,
        *,
        use_batch_norm: bool = True,
        continuous: bool = False,
    ) -> None:
        super().__init__()
        self.continuous = continuous
        self.px_decoder = TaperedLayers(n_latent, n_hidden, n_cat_list, use_batch_norm=use_batch_norm)
        self.px_scale_decoder = nn.Linear(n_hidden[-1], n_output)
        if not continuous:
            self.px_r_decoder = nn.Linear(n_hidden[-1], n_output)
            self.px_dropout_decoder = nn.Linear(n_hidden[-1], n_output)
        init_glorot(self)

    def forward(
        self, dispersion: str, z: Tensor, library: Tensor, *cat_list: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
        """Decode codes; the signature is that of :class:`scvi.nn.DecoderSCVI`.

        Parameters
        ----------
        dispersion
            ``"gene-cell"`` for a dispersion of every gene in every cell.
        z
            Codes, shape ``(n_cells, n_latent)`` or ``(n_samples, n_cells, n_latent)``.
        library
            Logarithm of the size factors, shape ``(n_cells, 1)``.
        *cat_list
            Covariates.

        Returns
        -------
        Means at a size factor of 1, logarithm of the dispersions (None unless ``"gene-cell"``), means, and logits of
        the zero inflation; each of shape ``(n_cells, n_output)``.
        """
        hidden = self.px_decoder(z, *cat_list)
        scale = self.px_scale_decoder(hidden)
        if self.continuous:
            return scale, None, scale, None
        scale = torch.exp(scale.clamp(*_LOG_MEAN))
        r = torch.log(softplus(self.px_r_decoder(hidden)).clamp(*_DISPERSION)) if dispersion == "gene-cell" else None
        return scale, r, torch.exp(library) * scale, self.px_dropout_decoder(hidden)


def init_glorot(network: nn.Module) -> None:
    """Set uniform Glorot weights and zero biases in every linear layer."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
