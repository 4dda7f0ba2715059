"""Limits that keep multi-objective steps stable on noisy minibatches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Safeguards:
    """Changes of the published algorithm that keep training stable; ``None`` switches a safeguard off.

    Pareto MTL steers towards a preference with weights that may be negative, which is ascent on an objective. Its
    guarantees hold for small exact gradient steps, not for Adam on minibatches.

    Parameters
    ----------
    max_standardised_loss
        A negative weight becomes zero when the standardised loss of its objective exceeds this: an objective that is
        already bad is not made worse.
    max_amplification
        Largest factor by which weights are scaled up when they are renormalised.
    running_mean
        Momentum of the running mean of the losses that is used to judge where a point is; ``None`` uses the minibatch,
        as published.
    max_initial_epochs
        Longest initial phase, in epochs. Read by the training plan.
    gradient_clip
        Largest gradient norm. Read by the training plan.
    unit_constraints
        Scale the constraint vectors of Pareto MTL to unit length. Otherwise they are short and dominate the shortest
        combination.

    Examples
    --------
    >>> Safeguards.published().running_mean is None
    True
    """

    max_standardised_loss: float | None = 1.5
    max_amplification: float | None = 10.0
    running_mean: float | None = 0.5
    max_initial_epochs: int | None = 2
    gradient_clip: float | None = 10.0
    unit_constraints: bool = False

    def __post_init__(self) -> None:
        for name in ("max_standardised_loss", "max_amplification", "gradient_clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive or None, got {value!r}.")
        if self.running_mean is not None and not 0 <= self.running_mean < 1:
            raise ValueError(f"running_mean must be in [0, 1) or None, got {self.running_mean!r}.")
        if self.max_initial_epochs is not None and self.max_initial_epochs < 0:
            raise ValueError(f"max_initial_epochs must be at least 0 or None, got {self.max_initial_epochs!r}.")

    @classmethod
    def published(cls) -> Safeguards:
        """No safeguard at all, and an initial phase without limit: the algorithm as Li et al. (2022) ran it."""
        return cls(
            max_standardised_loss=None,
            max_amplification=None,
            running_mean=None,
            max_initial_epochs=None,
            gradient_clip=None,
            unit_constraints=False,
        )
