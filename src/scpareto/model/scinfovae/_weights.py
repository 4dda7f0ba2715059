"""Weights of the terms of an InfoVAE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

FinetuneObjective = Literal["full", "paper"]


@dataclass(frozen=True)
class InfoVAEWeights:
    r"""Weights of the objective of ScInfoVAE.

    .. math::
        R + (1 - \alpha) \, \mathrm{KL}(q(z \mid x) \Vert p(z)) + (\alpha + \lambda - 1) \, D(q(z) \Vert p(z))
        + \gamma \, \mathrm{KL}(P \Vert Q)

    Parameters
    ----------
    alpha
        Weight of the information that codes hold about the counts; at most 1.
    lambda_
        Weight of the divergence of the aggregated posterior from the prior.
    gamma
        Weight of the clustering term.

    Raises
    ------
    ValueError
        If ``alpha`` is above 1, ``alpha + lambda_`` is below 1, ``lambda_`` is not positive, or ``gamma`` is negative.

    Notes
    -----
    ``alpha=0, lambda_=1`` is the evidence lower bound; ``alpha=1 - beta, lambda_=beta`` a beta-VAE; ``alpha=1``
    drops the term of single cells, which gives an MMD-VAE if :math:`D` is a maximum mean discrepancy.

    References
    ----------
    :cite:p:`Zhao2019`.

    Examples
    --------
    A beta-VAE with beta = 4, and an MMD-VAE:

    >>> from scpareto.model.scinfovae import InfoVAEWeights
    >>> for weights in (InfoVAEWeights(alpha=-3.0, lambda_=4.0), InfoVAEWeights(alpha=1.0, lambda_=50.0)):
    ...     print(weights.kl, weights.divergence)
    4.0 0.0
    0.0 50.0
    """

    alpha: float = 0.9
    lambda_: float = 100.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if not self.alpha <= 1:
            raise ValueError(f"alpha={self.alpha} must be at most 1: the weight 1 - alpha of a cell's KL is negative.")
        if not self.lambda_ > 0:
            raise ValueError(f"lambda_={self.lambda_} must be positive.")
        if self.divergence < -1e-9:
            raise ValueError(
                f"alpha={self.alpha}, lambda_={self.lambda_}: alpha + lambda_ must be at least 1, because "
                "alpha + lambda_ - 1 weighs the divergence from the prior."
            )
        if self.gamma < 0:
            raise ValueError(f"gamma={self.gamma} must not be negative.")

    @property
    def kl(self) -> float:
        """Weight of each cell's divergence from the prior."""
        return 1 - self.alpha

    @property
    def divergence(self) -> float:
        """Weight of the divergence of the aggregated posterior; exactly 0 for a beta-VAE."""
        weight = self.alpha + self.lambda_ - 1
        return 0.0 if abs(weight) < 1e-9 else weight

    def for_finetuning(self, objective: str) -> InfoVAEWeights:
        """Return weights for fine-tuning: all of them (``"full"``), or as published with ``alpha=1`` (``"paper"``).

        Raises
        ------
        ValueError
            If the name is unknown.
        """
        if objective not in get_args(FinetuneObjective):
            raise ValueError(
                f"finetune_objective={objective!r} is not one of {', '.join(get_args(FinetuneObjective))}."
            )
        return self if objective == "full" else replace(self, alpha=1.0)
