"""Settings of the training of a Wasserstein GAN."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class WassersteinRecipe:
    """Training settings of a Wasserstein GAN; the defaults are the published ones.

    Attributes
    ----------
    batch_size, n_critic
        Cells of a minibatch, critic steps before each step of the generator.
    lr, beta1, beta2
        Learning rate of both and decay rates of Adam.
    penalty
        Weight of the gradient penalty.
    epsilon
        ``"cell"``: draw the mixing share of real and generated cells for each cell; ``"batch"`` (as published): one
        share for the whole minibatch.
    codes
        ``"mean"``: posterior means; ``"sample"``: a fresh draw from the posterior at every step.
    average
        Decay, in [0, 1), of a running mean of the generator's weights over its steps; the mean replaces the weights
        at the end. 0 (as published) keeps the last weights. The weights of a GAN oscillate during training; their mean
        does not.
    information_weight
        Weight of the information bound (InfoWGAN-GP) in both losses.
    supervision_weight
        Weight of the likelihood of real cells' codes (semi-supervised InfoWGAN-GP) in both losses.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from scpareto.model.michigan import WassersteinRecipe
    >>> recipe = WassersteinRecipe()
    >>> recipe.n_critic, recipe.penalty, replace(recipe, average=0.999).average
    (5, 10.0, 0.999)
    >>> WassersteinRecipe(average=1.0)
    Traceback (most recent call last):
        ...
    ValueError: average=1.0 must be at least 0 and below 1.
    """

    batch_size: int = 32
    n_critic: int = 5
    lr: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    penalty: float = 10.0
    epsilon: Literal["cell", "batch"] = "cell"
    codes: Literal["mean", "sample"] = "mean"
    average: float = 0.0
    information_weight: float = 0.0
    supervision_weight: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 2), ("n_critic", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}.")
        if self.lr <= 0 or min(self.penalty, self.information_weight, self.supervision_weight) < 0:
            raise ValueError(f"lr must be positive and weights at least 0, got {self}.")
        if not 0 <= self.average < 1:
            raise ValueError(f"average={self.average} must be at least 0 and below 1.")
        for name, choices in (("epsilon", ("cell", "batch")), ("codes", ("mean", "sample"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r} is unknown; choose {' or '.join(choices)}.")

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> WassersteinRecipe:
        """Build a recipe with some fields changed.

        Raises
        ------
        ValueError
            If a name is not a field, or a value is out of range.
        """
        valid = {field.name for field in fields(cls)}
        if unknown := set(options) - valid:
            raise ValueError(
                f"plan_kwargs has unknown {', '.join(sorted(unknown))}; valid: {', '.join(sorted(valid))}."
            )
        return cls(**options)
