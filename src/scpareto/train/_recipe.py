"""Hyperparameters of a training: the practical recipe and the published one."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from scpareto.objectives import CodesSeen, CriticSchedule
from scpareto.pareto import Safeguards


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of training and judging a front; every field can be set through ``plan_kwargs``.

    Parameters
    ----------
    lr
        Adam learning rate of the shared start and of the decoder's refit.
    lr_front
        Adam learning rate of the points. An encoder that moves faster than its critics follow hides the nuisance from
        them instead of removing it. Published: as ``lr``.
    eps, weight_decay, optimizer
        Adam of the model, or ``"AdamW"``. Losses are standardised, so their gradients are small: with scvi-tools'
        ``eps`` of 0.01 Adam turns into plain gradient descent at a hundredth of the rate.
    critic_lr
        Adam learning rate of the critics.
    n_critic
        Critic steps before each model step, on codes of the latest minibatches, times a factor of the objective (two
        for MINE); ``"epoch"`` for the published full pass over the training cells with fresh encodings.
    n_bank
        Number of latest minibatches whose codes the critic steps draw from.
    floor
        Whether an objective gets no gradient while its critic estimates it below its smallest possible value, such as
        an information below zero. Lower values only fool the present critic. Published: no.
    redraw
        Whether the step uses a second, independent forward pass, as published, or the pass from which the weights were
        computed.
    gramian
        Parameters whose gradients are compared: ``"all"`` as published or the encoder's only (``"shared"``).
    early_stopping
        Whether each training keeps the state that was best on validation cells.
    patience
        Epochs without a better validation value after which a training stops.
    least_gain
        Smallest improvement, in nats of the ELBO; converted to their unit where losses are standardised.
    settling_epochs
        First epochs of a model, including those of the shared start, whose states are not compared; with a critic at
        least the epochs of ``settling_share``.
    reduce_lr_on_plateau, lr_factor, lr_patience, lr_threshold, lr_min
        Whether the model's learning rate falls where validation values do not get better, and how, as in
        :class:`scvi.train.TrainingPlan`.
    merit_window
        Number of epochs over which validation values are averaged to compare states: with a critic they are noisy.
    settling_share
        Share of the epochs whose states are never kept with a critic, which has not yet adapted to the moving codes.
    n_pieces
        Number of checkpointed pieces of the one training of all preferences; an interruption loses the last one only.
    share_at_ends
        Share of that training's minibatches with the strongest extreme preferences, which must be learned well.
    scaler
        How losses are standardised: ``"payoff"``, ``"trajectory"`` or ``"none"``.
    least_cost
        Smallest range of the generative loss in the ``"payoff"`` scaler, as a share of its best value. It applies
        if the strongest extreme costs less: with equal weights, this share then counts as much as the whole range of
        the other objective.
    safeguards
        Guards of the Pareto MTL steps, and the largest gradient norm of every model step.
    critic_warmup
        Training of the shared critic on the pretrained codes, before any point.
    de_novo
        Training of the fresh critic that judges each finished point.
    n_bootstrap
        Resamplings behind the intervals of the leakage columns.
    on
        Default codes of nuisance objectives, if neither the user nor ``objective_defaults`` sets them: the posterior
        ``"mean"`` that users read. Published: ``"sample"``, in whose noise an encoder can hide the nuisance.
    objective_defaults
        Default options by name of the objective. ``classifier`` mixes cells within the populations that batches share,
        if the composition differs between batches. Published: it mixes all cells.

    Examples
    --------
    >>> from scpareto.train import PRACTICAL, PUBLISHED
    >>> PRACTICAL.with_options({"lr": 1e-4}).lr
    0.0001
    >>> PRACTICAL.with_options({"de_novo": {"max_epochs": 50}}).de_novo.max_epochs
    50
    >>> PRACTICAL.n_critic, PUBLISHED.n_critic
    (10, 'epoch')
    """

    lr: float = 1e-3
    lr_front: float = 1e-4
    eps: float = 1e-5
    weight_decay: float = 1e-6
    optimizer: Literal["Adam", "AdamW"] = "Adam"
    critic_lr: float = 1e-3
    n_critic: int | Literal["epoch"] = 10
    n_bank: int = 10
    floor: bool = True
    redraw: bool = False
    gramian: Literal["all", "shared"] = "all"
    early_stopping: bool = True
    patience: int = 25
    least_gain: float = 0.0
    settling_epochs: int = 0
    reduce_lr_on_plateau: bool = False
    lr_factor: float = 0.6
    lr_patience: int = 30
    lr_threshold: float = 0.0
    lr_min: float = 0.0
    merit_window: int = 3
    settling_share: float = 0.2
    n_pieces: int = 10
    share_at_ends: float = 0.2
    scaler: str = "payoff"
    least_cost: float = 0.005
    safeguards: Safeguards = field(default_factory=Safeguards)
    critic_warmup: CriticSchedule = field(default_factory=CriticSchedule)
    de_novo: CriticSchedule = field(default_factory=CriticSchedule)
    n_bootstrap: int = 200
    on: CodesSeen = "mean"
    objective_defaults: dict[str, dict[str, Any]] = field(default_factory=lambda: {"classifier": {"given": "auto"}})

    def __post_init__(self) -> None:
        if self.gramian not in ("all", "shared"):
            raise ValueError(f"gramian={self.gramian!r} is not one of all, shared.")
        if self.n_critic != "epoch" and (isinstance(self.n_critic, str) or self.n_critic < 0):
            raise ValueError(f"n_critic={self.n_critic!r} must be a number of steps, or 'epoch'.")
        if self.optimizer not in ("Adam", "AdamW"):
            raise ValueError(f"optimizer={self.optimizer!r} is not one of Adam, AdamW.")
        for name in ("eps", "critic_lr", "n_bank", "patience", "merit_window", "n_pieces", "lr_patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must be positive.")
        for name in ("lr", "lr_front", "weight_decay", "least_gain", "settling_epochs", "lr_threshold", "lr_min"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must not be negative.")
        if not 0 < self.lr_factor < 1:
            raise ValueError(f"lr_factor={self.lr_factor!r} must be between 0 and 1.")

    def with_options(self, options: dict[str, Any] | None) -> Recipe:
        """Return a copy with some fields changed; a dict changes fields of a group such as ``safeguards``.

        Raises
        ------
        ValueError
            If a name is not a field; the message lists the fields.
        """
        options = dict(options or {})
        names = [f.name for f in fields(self)]
        for name in options:
            if name not in names:
                similar = difflib.get_close_matches(name, names, n=3)
                others = [other for other in names if other not in similar]
                raise ValueError(f"plan_kwargs has no {name!r}. Choose from {', '.join([*similar, *others])}.")
        for name in ("safeguards", "critic_warmup", "de_novo"):
            if isinstance(group_options := options.get(name), dict):
                group_names = [f.name for f in fields(getattr(self, name))]
                for key in group_options:
                    if key not in group_names:
                        raise ValueError(f"plan_kwargs[{name!r}] has no {key!r}. Choose from {', '.join(group_names)}.")
                options[name] = replace(getattr(self, name), **group_options)
        return replace(self, **options)

    def to_plain(self) -> dict[str, Any]:
        """Return all fields as plain types, for records."""
        return asdict(self)


PRACTICAL = Recipe()
PUBLISHED = Recipe(
    lr_front=1e-3,
    eps=0.01,
    weight_decay=0.0,
    critic_lr=5e-5,
    n_critic="epoch",
    floor=False,
    redraw=True,
    early_stopping=False,
    scaler="trajectory",
    safeguards=Safeguards.published(),
    on="sample",
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
