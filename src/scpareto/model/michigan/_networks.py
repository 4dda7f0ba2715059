"""Generator and critic of conditional Wasserstein GANs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from scvi.module.base import BaseModuleClass
from torch import nn

from scpareto.module._layers import LEAKY, Norm, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

Output = Literal["linear", "counts", "nb"]
Conditioning = Literal["projection", "concatenation", "none"]
OUTPUTS: tuple[str, ...] = ("linear", "counts", "nb")
CONDITIONINGS: tuple[str, ...] = ("projection", "concatenation", "none")


class Generator(nn.Module):
    """Cells from codes and noise.

    Parameters
    ----------
    n_latent, n_noise, n_output
        Dimensions of a code, of the noise, and genes.
    n_hidden
        Width of each hidden layer.
    dropout_rate
        Dropout after each hidden layer, in training only.
    output
        ``"linear"`` is unbounded; ``"counts"`` and ``"nb"`` give proportions times the library size.

    Examples
    --------
    Expected counts of a cell add up to its library size:

    >>> import torch
    >>> from scpareto.module import Generator
    >>> generator = Generator(2, 3, 20, n_hidden=[16], output="counts")
    >>> cells = generator(torch.randn(8, 2), torch.randn(8, 3), library=torch.full((8, 1), 1000.0))
    >>> cells.shape, cells.sum(1).round().unique().tolist()
    (torch.Size([8, 20]), [1000.0])
    """

    def __init__(
        self,
        n_latent: int,
        n_noise: int,
        n_output: int,
        *,
        n_hidden: Sequence[int] = (256, 512, 1024),
        dropout_rate: float = 0.2,
        output: Output = "linear",
    ) -> None:
        super().__init__()
        self.output = output
        self.hidden = Stack(
            n_latent + n_noise + (output != "linear"),
            n_hidden,
            activations=[*[LEAKY] * (len(n_hidden) - 1), nn.ReLU],
            dropout_rate=dropout_rate,
        )
        self.head = nn.Linear(n_hidden[-1], n_output)
        self.log_theta = nn.Parameter(torch.zeros(n_output)) if output == "nb" else None
        self.register_buffer("library_moments", torch.tensor([0.0, 1.0]))

    def forward(self, codes: Tensor, noise: Tensor, library: Tensor | None = None) -> Tensor:
        """Cells on the scale of the output, shape ``(n_cells, n_output)``: expression, or expected counts.

        Parameters
        ----------
        codes, noise
            Shapes ``(n_cells, n_latent)`` and ``(n_cells, n_noise)``.
        library
            Counts of each cell, shape ``(n_cells, 1)``; needed for outputs of counts.
        """
        inputs = [codes, noise]
        if self.output != "linear":
            if library is None:
                raise ValueError(f"output={self.output!r} needs the library size of each cell.")
            moments = self.get_buffer("library_moments")
            inputs.append((torch.log(library) - moments[0]) / moments[1])
        values = self.head(self.hidden(torch.cat(inputs, 1)))
        return values if self.output == "linear" or library is None else library * torch.softmax(values, 1)

    def sample_counts(self, rate: Tensor) -> Tensor:
        """Negative-binomial counts whose gradient is that of a draw of their gamma rate (straight-through)."""
        if self.log_theta is None:
            raise ValueError(f"output={self.output!r} has no dispersion; 'nb' has.")
        theta = self.log_theta.clamp(-5, 5).exp()
        gamma = torch.distributions.Gamma(theta.expand_as(rate), (theta / rate.clamp(min=1e-6)), validate_args=False)
        level = gamma.rsample()
        return level + (torch.poisson(level.detach()) - level).detach()


class Critic(nn.Module):
    r"""Score of a cell: low for real ones, high for generated ones.

    Parameters
    ----------
    n_input, n_latent
        Genes, and dimensions of a code.
    n_hidden
        Widths of the hidden layers before the features.
    conditioning
        ``"projection"`` (published) adds the inner product of code and features; ``"concatenation"`` shows the code
        beside the cell; ``"none"`` ignores it.
    norm
        ``"batch"`` (published), ``"layer"`` or ``"none"``.
    wide_features
        False (published): one rectified feature for each code dimension. True: the last of ``n_hidden`` is the layer of
        features, with leaky units, and a linear map :math:`V` takes them to the code. A few rectified features can all
        fall silent, which leaves the generator without a gradient.
    n_inferred
        Code dimensions that the features are asked to tell; 0 for none.

    Notes
    -----
    With features :math:`h(x)` the score is :math:`w^\top h(x) + b + c^\top V h(x)`, published with :math:`V = I`.
    Without codes, or with codes of zeros, it is the score of an unconditional critic.

    Examples
    --------
    >>> import torch
    >>> from scpareto.module import Critic
    >>> critic = Critic(20, 2, n_hidden=[16])
    >>> x = torch.randn(8, 20)
    >>> critic(x, torch.randn(8, 2)).shape, critic.features(x, torch.zeros(8, 2)).shape
    (torch.Size([8]), torch.Size([8, 2]))
    """

    def __init__(
        self,
        n_input: int,
        n_latent: int,
        *,
        n_hidden: Sequence[int] = (1024, 512),
        conditioning: Conditioning = "projection",
        norm: Norm = "batch",
        wide_features: bool = False,
        n_inferred: int = 0,
    ) -> None:
        super().__init__()
        self.conditioning = conditioning
        shown = n_latent if conditioning == "concatenation" else 0
        widths = [*n_hidden] if wide_features else [*n_hidden, n_latent]
        activations: list[Callable[[], nn.Module]] = [LEAKY] * len(n_hidden)
        if not wide_features:
            activations = [*activations, nn.ReLU]
        self.hidden = Stack(n_input + shown, widths, activations=activations, norm=norm)
        self.score = nn.Linear(widths[-1], 1)
        mapped = wide_features and conditioning == "projection"
        self.projection = nn.Linear(widths[-1], n_latent, bias=False) if mapped else None
        self.inferred = Stack(widths[-1], [n_inferred], activations=(LEAKY,)) if n_inferred else None

    def features(self, x: Tensor, codes: Tensor) -> Tensor:
        """Last hidden layer, shape ``(n_cells, n_features)``."""
        return self.hidden(torch.cat([x, codes], 1) if self.conditioning == "concatenation" else x)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Scores, shape ``(n_cells,)``, of cells on the critic's scale."""
        h = self.features(x, codes)
        score = self.score(h)[:, 0]
        if self.conditioning == "projection":
            score = score + (codes * (h if self.projection is None else self.projection(h))).sum(1)
        return score

    def information(self, x: Tensor, codes: Tensor) -> Tensor:
        """Variational bound on the information that cells hold about their codes, without the codes' entropy.

        Mean over cells of the log density of the codes under unit-variance Gaussians around what the features tell.
        """
        if self.inferred is None:
            raise ValueError("n_inferred=0: this critic infers no codes.")
        mean = self.inferred(self.features(x, codes))
        return (-0.5 * (codes - mean).square() - 0.5 * math.log(2 * math.pi)).sum(1).mean()


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
        Whether the critic's features are asked to tell the codes (InfoGAN).

    Raises
    ------
    ValueError
        If ``output`` or ``conditioning`` is unknown.

    Examples
    --------
    >>> import torch
    >>> from scpareto.module import MichiGANModule
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
        """Whether codes are those of real cells; otherwise they are drawn from a standard normal distribution."""
        return self.conditioning != "none"

    def on_critic_scale(self, x: Tensor) -> Tensor:
        """Cells as the critic sees them: counts on a logarithmic scale."""
        return x if self.output == "linear" else torch.log1p(x)

    def generate(self, codes: Tensor, library: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        """Cells on the scale of the data; noise is drawn unless given."""
        noise = torch.randn(len(codes), self.n_noise, device=codes.device) if noise is None else noise
        cells = self.generator(codes, noise, library)
        return self.generator.sample_counts(cells) if self.output == "nb" else cells


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    r"""Mean squared deviation from 1 of the norm of the critic's gradient between real and generated cells.

    Parameters
    ----------
    critic
        Function from cells ``(n_cells, n_genes)`` to scores ``(n_cells,)``.
    real, fake
        Cells, shape ``(n_cells, n_genes)``.
    epsilon
        Share of the real cell, shape ``(n_cells, 1)``, or ``(1, 1)`` for one share in the whole minibatch.

    Returns
    -------
    :math:`\mathrm{mean} (\Vert \nabla D(\epsilon x + (1 - \epsilon) y) \Vert - 1)^2`, differentiable.

    References
    ----------
    :cite:p:`Gulrajani2017`.

    Examples
    --------
    A linear critic whose gradient has norm 5 everywhere, hence a penalty of (5 - 1)^2:

    >>> import torch
    >>> from scpareto.module import gradient_penalty
    >>> real, fake = torch.randn(8, 2), torch.randn(8, 2)
    >>> penalty = gradient_penalty(lambda x: x @ torch.tensor([3.0, 4.0]), real, fake, torch.rand(8, 1))
    >>> round(penalty.item(), 3)
    16.0
    """
    between = (epsilon * real + (1 - epsilon) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The floor keeps the derivative of the norm finite where a critic is flat.
    return ((gradient.square().sum(1) + 1e-12).sqrt() - 1).square().mean()
