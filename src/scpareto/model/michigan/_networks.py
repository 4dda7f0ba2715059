"""Generator and critic as one scvi-tools module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scvi.module.base import BaseModuleClass

from scpareto.model.michigan._critic import CONDITIONINGS, Conditioning, Critic
from scpareto.model.michigan._generator import OUTPUTS, Generator, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from scpareto.module import Norm


class MichiGANModule(BaseModuleClass):
    """A generator and its critic.

    Parameters
    ----------
    n_input, n_latent, n_noise
        Genes, and dimensions of codes and noise.
    n_hidden_generator, n_hidden_critic
        Widths of hidden layers.
    dropout_rate
        Dropout of the generator.
    output, conditioning, critic_norm, wide_features
        See :class:`Generator` and :class:`Critic`.
    infer_codes
        Whether the critic predicts codes from its features (InfoGAN).

    Raises
    ------
    ValueError
        If ``output`` or ``conditioning`` is unknown.

    Examples
    --------
    >>> import torch
    >>> from scpareto.model.michigan import MichiGANModule
    >>> module = MichiGANModule(20, n_latent=2, n_noise=3, n_hidden_generator=[16], n_hidden_critic=[16])
    >>> codes = torch.randn(8, 2)
    >>> cells = module.generate(codes)
    >>> cells.shape, module.critic(cells, codes).shape
    (torch.Size([8, 20]), torch.Size([8]))
    """

    def __init__(
        self,
        n_input: int,
        n_latent: int = 10,
        n_noise: int = 118,
        n_hidden_generator: Sequence[int] = (256, 512, 1024),
        n_hidden_critic: Sequence[int] = (1024, 512),
        dropout_rate: float = 0.2,
        output: Output = "linear",
        conditioning: Conditioning = "projection",
        critic_norm: Norm = "batch",
        wide_features: bool = False,
        infer_codes: bool = False,
    ) -> None:
        if output not in OUTPUTS:
            raise ValueError(f"output={output!r} is unknown; choose {', '.join(OUTPUTS)}.")
        if conditioning not in CONDITIONINGS:
            raise ValueError(f"conditioning={conditioning!r} is unknown; choose {', '.join(CONDITIONINGS)}.")
        super().__init__()
        self.n_latent, self.n_noise, self.output, self.conditioning = n_latent, n_noise, output, conditioning
        self.generator = Generator(
            n_latent, n_noise, n_input, n_hidden=n_hidden_generator, dropout_rate=dropout_rate, output=output
        )
        self.critic = Critic(
            n_input,
            n_latent,
            n_hidden=n_hidden_critic,
            conditioning=conditioning,
            norm=critic_norm,
            wide_features=wide_features,
            n_inferred=n_latent if infer_codes else 0,
        )

    @property
    def conditional(self) -> bool:
        """Whether codes belong to real cells; otherwise they are drawn from a standard normal distribution."""
        return self.conditioning != "none"

    def to_critic_scale(self, x: Tensor) -> Tensor:
        """Return cells on the scale of the critic: log1p for counts."""
        return x if self.output == "linear" else torch.log1p(x)

    def generate(self, codes: Tensor, library: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        """Return cells on the scale of the data; draw the noise unless it is given."""
        noise = torch.randn(len(codes), self.n_noise, device=codes.device) if noise is None else noise
        cells = self.generator(codes, noise, library)
        return self.generator.sample_counts(cells) if self.output == "nb" else cells
