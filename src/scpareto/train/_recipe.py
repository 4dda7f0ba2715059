"""All numbers of a training in one place: the practical recipe and the published one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from scpareto.objectives import CriticSchedule
from scpareto.pareto import Safeguards


@dataclass(frozen=True)
class Recipe:
    """How the points of a front are trained and judged; every field may be set through ``plan_kwargs``.

    Parameters
    ----------
    lr, eps, weight_decay
        Adam of the model. Losses are standardised, so their gradients are small: with scvi-tools' ``eps`` of 0.01 Adam
        turns into plain gradient descent at a hundredth of the rate.
    critic_lr
        Adam learning rate of the critics.
    n_critic
        Critic steps before each model step, on codes of the latest minibatches; ``"epoch"`` for the published full
        pass over the training cells with fresh encodings.
    n_bank
        Number of latest minibatches whose codes the critic steps draw from.
    redraw
        Whether the step uses a second, independent forward pass, as published, or the one that was weighed.
    gramian
        Parameters whose gradients are compared: ``"all"`` as published or the encoder's only (``"shared"``).
    early_stopping
        Whether each training keeps the state that was best on validation cells.
    patience
        Epochs without a better validation value after which a training stops.
    scaler
        How losses are standardised: ``"payoff"``, ``"trajectory"`` or ``"none"``.
    safeguards
        Guards of the Pareto MTL steps, and the largest gradient norm of every model step.
    critic_warmup
        Training of the shared critic on the pretrained codes, before any point.
    de_novo
        Training of the fresh critic that judges each finished point.
    n_bootstrap
        Resamplings behind the intervals of the leakage columns.
    objective_defaults
        Options of an objective, by its name, that hold where the user gave none.
    """

    lr: float = 1e-3
    eps: float = 1e-5
    weight_decay: float = 1e-6
    critic_lr: float = 1e-3
    n_critic: int | Literal["epoch"] = 5
    n_bank: int = 10
    redraw: bool = False
    gramian: Literal["all", "shared"] = "all"
    early_stopping: bool = True
    patience: int = 25
    scaler: str = "payoff"
    safeguards: Safeguards = field(default_factory=Safeguards)
    critic_warmup: CriticSchedule = field(default_factory=CriticSchedule)
    de_novo: CriticSchedule = field(default_factory=CriticSchedule)
    n_bootstrap: int = 200
    objective_defaults: dict[str, dict[str, Any]] = field(default_factory=dict)

    def with_options(self, options: dict[str, Any] | None) -> Recipe:
        """Copy with some fields changed.

        Raises
        ------
        ValueError
            If a name is not a field; the message lists the fields.
        """
        options = dict(options or {})
        known = [f.name for f in fields(self)]
        for name in options:
            if name not in known:
                raise ValueError(f"plan_kwargs has no {name!r}. Choose from {', '.join(known)}.")
        for name, cls in (("safeguards", Safeguards), ("critic_warmup", CriticSchedule), ("de_novo", CriticSchedule)):
            if isinstance(options.get(name), dict):
                options[name] = cls(**options[name])
        return replace(self, **options)

    def to_plain(self) -> dict[str, Any]:
        """Return all fields as plain types, for records."""
        return asdict(self)


PRACTICAL = Recipe()
PUBLISHED = Recipe(
    eps=0.01,
    weight_decay=0.0,
    critic_lr=5e-5,
    n_critic="epoch",
    redraw=True,
    early_stopping=False,
    scaler="trajectory",
    safeguards=Safeguards.published(),
    critic_warmup=CriticSchedule(max_epochs=400, lr=5e-5, patience=None, max_steps=None),
    de_novo=CriticSchedule(max_epochs=400, lr=5e-5, patience=None, max_steps=None),
    objective_defaults={
        "mine": {
            "on": "sample",
            "n_hidden": 128,
            "n_layers": 10,
            "init": "normal",
            "standardize": False,
            "ema_rate": 0.001,
        }
    },
)
RECIPES: dict[str | None, Recipe] = {None: PRACTICAL, "paper": PUBLISHED}
"""Recipes by the name of a preset."""
