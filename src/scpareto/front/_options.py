"""Arguments of a front: defaults, meanings and refused combinations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from scpareto._runtime import check_seed, check_trainer_keywords, check_whole_number
from scpareto._scvi_compat import get_max_epochs_heuristic
from scpareto.front._executor import EXECUTORS
from scpareto.front._presets import PRESETS, Preset
from scpareto.front._refused import REFUSED
from scpareto.front._scvi_arguments import (
    PLAN_ARGUMENTS,
    SPLIT_ARGUMENTS,
    TRAINER_ARGUMENTS,
    drop_fixed,
    loader_options,
    pop_hidden_bar,
    resolve_fractions,
    stopping_options,
    to_options,
)
from scpareto.objectives import objective_class, objective_names
from scpareto.pareto import solver_class

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from scpareto.train import Recipe

_INTERNAL_FIELDS = ("seed", "preset", "trainer_kwargs", "external_indexing")
"""Fields that are not arguments of :meth:`scpareto.model.ParetoVI.train`."""
_FIELDS_IN_MESSAGES = ("max_epochs", "max_epochs_pretrain")
"""Fields whose values the messages of refused combinations show."""
_MIN_STEPS = 1000
"""Fewest training steps of a point with the default number of epochs."""
WARM_STARTS = ("start", "path")
"""Weights with which the training of a point can begin."""
ON_COLLAPSE = ("keep", "apart")
"""Choices if no objective falls along the path."""


@dataclass(frozen=True, kw_only=True)
class FrontOptions:
    """Every argument of a front, as :func:`scpareto.fit_front` and :meth:`scpareto.model.ParetoVI.train` take them.

    Parameters
    ----------
    objective
        What is traded against the generative loss: the name of an objective, see
        :func:`scpareto.objectives.objective_names`, or several, which give a front of one more dimension. None for the
        recommended one, ``"classifier"``; with ``preset="paper"`` the published one, ``"mine"``.
    method
        Name of a solver, see :func:`scpareto.pareto.solver_names`. None for the recommended one, ``"conditional"``: one
        training learns all preferences, at about the cost of one or two points, and any of them can then be selected.
        If a single training is not possible (``preset="paper"``, ``warm_start="path"``, an executor, or an objective
        that learns with the model), the default is ``"pareto_mtl"``.
    n_points
        Number of points, including one extreme for each objective. Points of one training are placed at equal steps of
        what is left of the batch.
    preferences
        Preferences to train between the extremes instead of ``n_points``: importances of the nuisance in [0, 1], shape
        ``(n_preferences,)``, or of all objectives, generative loss first, shape ``(n_preferences, n_objectives)``.
    max_epochs
        Longest training of one model, in epochs: the shared start and what follows it, the training of all preferences
        or of one point, each of at least one epoch. None for the defaults of both: half of scvi-tools' heuristic for
        the start (200 up to 20,000 cells); a quarter of it and at least 1,000 steps for a point, twice that for one
        training of all preferences; or as published. Otherwise both are shortened or lengthened alike.
    max_epochs_pretrain
        Epochs of ``max_epochs`` that are for the shared start; what follows it takes the rest.
    batch_size
        Cells of a minibatch; None for ``scvi.settings.batch_size``.
    split
        Training, validation and test cells, by row, mask or name; None for 70/10/20 %, stratified by batch.
    train_size, validation_size
        Shares of the training and the validation cells, instead of ``split``; the rest is for the test. Where nothing
        is left for it, as in scvi-tools' trainings, two thirds of the held-out cells are: points are judged on cells
        that neither the training nor the choice of the best state has seen. With one of the two alone, held-out cells
        are shared out likewise.
    shuffle_set_split
        Whether these shares are drawn at random, stratified by batch. If not, the first cells are for validation, the
        next for training and the last for the test, as in scvi-tools.
    objective_kwargs
        Options of the objective, or a list of them for several objectives. ``target`` names the nuisance, or a list of
        categorical ones whose product is meant; ``on`` the codes that are judged (``"mean"``, ``"sample"``,
        ``"both"``); ``given`` the clusters within which information is measured: ``"populations"`` that batches share,
        as computed by the judge; ``"auto"``, the default of ``classifier``, for these if the composition differs
        between batches, otherwise none; ``"corrected"`` or ``"pca"``, clusters of the codes of the shared start or of
        uncorrected principal components (``n_clusters`` of them); or a key of ``obs`` or ``obsm``.
    solver_kwargs
        Options of the solver.
    plan_kwargs, plan_config
        Fields of :class:`scpareto.train.Recipe`, also by the names that :class:`scvi.train.TrainingPlan` has for them.
        ``lr`` alone changes the learning rate of the points (``lr_front``) in proportion. Of a config object counts
        what differs from its defaults.
    early_stopping
        Whether each training keeps the state that was best on validation cells, and ends ``early_stopping_patience``
        epochs after it; None as the recipe says (yes; as published no). ``early_stopping_min_delta`` is in nats of the
        ELBO; ``early_stopping_warmup_epochs`` count from the beginning of the shared start.
    datasplitter_kwargs
        Arguments of scvi-tools' data loaders, such as ``drop_last`` and ``num_workers``; ``external_indexing`` gives
        rows of training, validation and maybe test cells, and comes before shares.
    load_sparse_tensor
        Whether minibatches travel to a device as sparse tensors.
    warm_start
        Where each point begins: at the shared ``"start"``, or along the ``"path"`` at the point before it, which takes
        a quarter of the default epochs.
    on_collapse
        What happens if one training of all preferences lowers nothing along its path. ``"keep"`` keeps the front and
        says so. ``"apart"`` trains a short while for the objective alone and, where that lowers it, trains every point
        apart, which takes several times as long.
    checkpoint_dir
        Folder that keeps every finished point; a later call with the same arguments and data goes on from there.
    accelerator, devices
        As in scvi-tools. With several devices (``strategy="ddp"``, in a script) ``batch_size`` is that of each, and
        ``checkpoint_dir`` a folder that all processes see.
    executor
        ``"ray"`` trains the points at the same time on a Ray cluster (``pip install scpareto[ray]``): the one that this
        process is connected to, or that ``RAY_ADDRESS`` names, or a local one. On CPUs, with as many threads, the front
        is the same. A point whose worker dies is trained again.
    executor_kwargs
        Resources of a point, such as ``{"num_cpus": 4}``, see :func:`ray.remote`.
    progress
        Whether to show a progress bar.
    seed
        Seed of the whole front; None takes ``scvi.settings.seed``, or 0. The initial weights of a scvi-tools model were
        drawn when it was made: set ``scvi.settings.seed`` before that for a front that can be repeated.
    preset
        ``"paper"`` for the published training recipe, None for the practical one.
    datamodule
        Data module of scvi-tools, or one of your own, whose cells train a model that was made of its registry instead
        of an AnnData (:class:`scvi.model.SCVI` or :class:`scpareto.model.ParetoVI`, ``registry=datamodule.registry``).
        Training cells are read in each epoch, of the others a sample is held in memory; see the user guide for what is
        judged.
    trainer_config
        Arguments of :class:`scvi.train.Trainer`; of a config object counts what differs from its defaults.
    trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.

    Raises
    ------
    ValueError
        If an argument has no such choice, or arguments do not go together; the message says which.

    Examples
    --------
    >>> from scpareto.front import FrontOptions
    >>> FrontOptions().n_points, FrontOptions().warm_start
    (12, 'start')
    >>> FrontOptions(preset="paper", method="conditional")
    Traceback (most recent call last):
        ...
    ValueError: preset='paper' trains every point apart; method='conditional' does not go with it.
    """

    objective: str | Sequence[str] | None = None
    method: str | None = None
    n_points: int = 12
    preferences: ArrayLike | None = None
    max_epochs: int | None = None
    max_epochs_pretrain: int | None = None
    batch_size: int | None = 128
    split: Sequence[ArrayLike] | None = None
    train_size: float | None = None
    validation_size: float | None = None
    shuffle_set_split: bool = True
    objective_kwargs: dict[str, Any] | Sequence[dict[str, Any]] | None = None
    solver_kwargs: dict[str, Any] | None = None
    plan_kwargs: Mapping[str, Any] | None = None
    plan_config: Any = None
    early_stopping: bool | None = None
    datasplitter_kwargs: Mapping[str, Any] | None = None
    load_sparse_tensor: bool = False
    warm_start: str = "start"
    on_collapse: str = "keep"
    checkpoint_dir: str | os.PathLike[str] | None = None
    accelerator: str = "auto"
    devices: int | list[int] | str = "auto"
    executor: str | None = None
    executor_kwargs: dict[str, Any] | None = None
    progress: bool = True
    seed: int | None = None
    preset: str | None = None
    trainer_config: Any = None
    datamodule: Any = None
    trainer_kwargs: dict[str, Any] = field(default_factory=dict)
    external_indexing: Sequence[ArrayLike | None] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._join_configs()
        _check_choice("executor", self.executor, (None, *EXECUTORS))
        _check_choice("warm_start", self.warm_start, WARM_STARTS)
        _check_choice("on_collapse", self.on_collapse, ON_COLLAPSE)
        if self.preset not in PRESETS:
            raise ValueError(
                f"preset={self.preset!r} is unknown. Choose None or {', '.join(f'{p!r}' for p in PRESETS if p)}."
            )
        for name in ("n_points", "max_epochs", "max_epochs_pretrain", "batch_size"):
            if (value := getattr(self, name)) is not None:
                check_whole_number(name, value)
        # One extreme for each objective, and as many points between them as a grid needs.
        n_extremes = 1 + len(self.objectives)
        if self.preferences is None and self.n_points < 2 * n_extremes:
            raise ValueError(
                f"n_points={self.n_points}: a front needs at least {2 * n_extremes} points, {n_extremes} of them its "
                "extremes."
            )
        if self.seed is not None:
            check_seed(self.seed)
        for name in self.objectives:
            objective_class(name)  # as below
        solver_class(self.solver)  # refuses an unknown one, and names the others
        for is_so, sentence in REFUSED:
            if is_so(self):
                raise ValueError(
                    sentence.format(
                        **{n: getattr(self, n) for n in _FIELDS_IN_MESSAGES}, learned=", ".join(self.learned)
                    )
                )

    def _join_configs(self) -> None:
        """Move options of scvi-tools' configs and argument names to the fields of a front, or refuse them."""
        trainer = to_options(self.trainer_config, "trainer_config") | self.trainer_kwargs
        check_trainer_keywords(trainer, also=[f.name for f in fields(self) if f.name not in _INTERNAL_FIELDS])
        changes: dict[str, Any] = {
            name: value
            for name in ("max_epochs", "accelerator", "devices")
            if (value := trainer.pop(name, None)) is not None and getattr(self, name) == getattr(type(self), name)
        }
        stopping = stopping_options(trainer, self.early_stopping)
        changes["progress"] = not pop_hidden_bar(trainer) and self.progress
        changes["trainer_kwargs"] = drop_fixed(trainer, TRAINER_ARGUMENTS)
        plan = to_options(self.plan_config, "plan_config") | to_options(self.plan_kwargs, "plan_kwargs")
        changes["plan_kwargs"] = drop_fixed(plan, PLAN_ARGUMENTS, "plan_kwargs: ") | stopping
        splitter = to_options(self.datasplitter_kwargs, "datasplitter_kwargs")
        loader_options(splitter)
        for name in SPLIT_ARGUMENTS:
            if name in splitter and getattr(self, name, None) == getattr(type(self), name, None):
                changes[name] = splitter[name]
        for name, value in changes.items():
            object.__setattr__(self, name, value)

    @property
    def fractions(self) -> tuple[float, float, float] | None:
        """Shares of training, validation and test cells; None for the defaults.

        Raises
        ------
        ValueError
            If they leave no cells to judge points on.
        """
        return resolve_fractions(self.train_size, self.validation_size)

    @property
    def loader_kwargs(self) -> dict[str, Any]:
        """Arguments of the data loaders."""
        options = loader_options(to_options(self.datasplitter_kwargs, "datasplitter_kwargs"))
        return options | {"load_sparse_tensor": True} if self.load_sparse_tensor else options

    def recipe(self, family_defaults: dict[str, Any]) -> Recipe:
        """Return the recipe of the trainings.

        Parameters
        ----------
        family_defaults
            Fields that suit the family of the model; fields of the user take precedence.
        """
        base = self.defaults.recipe
        given = family_defaults | dict(self.plan_kwargs or {})
        if "lr" in given and "lr_front" not in (self.plan_kwargs or {}):
            given["lr_front"] = given.get("lr_front", base.lr_front) * (given["lr"] / base.lr)
        return base.with_options(given)

    def lengths(self, n_cells: int, n_minibatches: int) -> tuple[int, int]:
        """Return the epochs of the shared start, and of a point or the one training of all preferences.

        Parameters
        ----------
        n_cells, n_minibatches
            Number of all cells, and of minibatches of training cells.
        """
        start, rest = self._default_lengths(n_cells, n_minibatches)
        if self.max_epochs is None:
            return self.max_epochs_pretrain or start, rest
        if self.max_epochs_pretrain is None:
            start = min(max(1, round(self.max_epochs * start / (start + rest))), max(1, self.max_epochs - 1))
        else:
            start = self.max_epochs_pretrain
        return start, max(1, self.max_epochs - start)

    def _default_lengths(self, n_cells: int, n_minibatches: int) -> tuple[int, int]:
        heuristic = get_max_epochs_heuristic(n_cells)
        # The encoder moves slowly, so that critics can follow: few cells need more epochs.
        at_least = math.ceil(_MIN_STEPS / n_minibatches)
        # One training of all preferences takes twice as long as a point; from the previous point, a quarter.
        length = 2 if self.along_path else 0.25 if self.warm_start == "path" else 1
        epochs = math.ceil(length * max(at_least, heuristic // 4))
        return self.defaults.max_epochs_pretrain or max(1, heuristic // 2), self.defaults.max_epochs or epochs

    @property
    def defaults(self) -> Preset:
        """Defaults of the preset."""
        return PRESETS[self.preset]

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives."""
        if self.objective is None:
            return [self.defaults.objective]
        return [self.objective] if isinstance(self.objective, str) else list(self.objective)

    @property
    def learned(self) -> list[str]:
        """Objectives that learn together with the model; names are checked elsewhere."""
        registered = objective_names()
        return [name for name in self.objectives if name in registered and objective_class(name).is_learned]

    @property
    def solver(self) -> str:
        """Name of the solver.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        apart = self.executor is not None or self.warm_start == "path" or bool(self.learned)
        return self.method or (self.defaults.method_apart if apart else self.defaults.method)

    @property
    def along_path(self) -> bool:
        """Whether one training learns all preferences."""
        return solver_class(self.solver).along_path


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, choices))}.")
