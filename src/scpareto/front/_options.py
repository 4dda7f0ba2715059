"""Every argument of a front: its default, what it means, and which combinations are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scpareto._runtime import checked_seed, whole_number
from scpareto.front._executor import EXECUTORS
from scpareto.objectives import objective_class, objective_names
from scpareto.pareto import solver_class
from scpareto.train import PRACTICAL, PUBLISHED, Recipe

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

NO_DATA_MODULE = (
    "A front is not trained from a data module: its points share one split of the cells and are judged on the codes of "
    "known cells, and a data module gives minibatches without the rows of their cells. Set the model up with cells "
    "that stay on disk: a backed AnnData, sparse groups of zarr stores, or a CollectionAdapter of several files."
)
WARM_STARTS = ("start", "path")
"""Where points begin."""
ON_COLLAPSE = ("keep", "apart")
"""What happens where nothing falls along a path."""


@dataclass(frozen=True)
class Preset:
    """What is chosen where the user chooses nothing.

    Parameters
    ----------
    recipe
        Numbers of the trainings.
    objective, method
        Recommended names. The method is for one training of all preferences, where there is one.
    method_apart
        Recommended method where every point is trained apart.
    max_epochs_pretrain, max_epochs
        Lengths; None for those that follow from the number of cells.
    """

    recipe: Recipe
    objective: str
    method: str
    method_apart: str = "pareto_mtl"
    max_epochs_pretrain: int | None = None
    max_epochs: int | None = None


PRESETS: dict[str | None, Preset] = {
    None: Preset(PRACTICAL, objective="classifier", method="conditional"),
    "paper": Preset(PUBLISHED, objective="mine", method="pareto_mtl", max_epochs_pretrain=200, max_epochs=150),
}
"""Presets by name."""


@dataclass(frozen=True, kw_only=True)
class FrontOptions:
    """Every argument of a front, as :func:`scpareto.fit_front` and :meth:`scpareto.model.ParetoVI.train` take them.

    Parameters
    ----------
    objective
        What is traded against the generative loss: the name of an objective, see
        :func:`scpareto.objectives.objective_names`, or several, for a front of as many dimensions and one. None for the
        recommended one, ``"classifier"``; with ``preset="paper"`` the published one, ``"mine"``.
    method
        Name of a solver, see :func:`scpareto.pareto.solver_names`. None for the recommended one, ``"conditional"``: one
        training learns all preferences, at about the cost of one or two points, and any of them can then be selected.
        Where there is no one training (``preset="paper"``, ``warm_start="path"``, an executor, an objective that learns
        with the model) it is ``"pareto_mtl"``.
    n_points
        Number of points, ends included: one end for each objective, and the places between them. Points of one training
        are laid at equal steps of what is left of the batch.
    preferences
        Preferences to train between the ends instead of ``n_points``: importances of the nuisance in [0, 1], shape
        ``(n_preferences,)``, or of all objectives, generative loss first, shape ``(n_preferences, n_objectives)``.
    max_epochs
        Longest training of a point, in epochs of its main phase. None: a quarter of scvi-tools' heuristic (100 up to
        20,000 cells) and at least 1,000 steps, twice that for one training of all preferences; or as published.
    max_epochs_pretrain
        Longest training of the shared start. None: half of scvi-tools' heuristic (200 up to 20,000 cells); or as
        published.
    batch_size
        Cells of a minibatch.
    split
        Training, validation and test cells, by row, mask or name; None for 70/10/20 %, stratified by batch.
    objective_kwargs
        Options of the objective, or a list of them for several objectives. ``target`` names the nuisance, or a list of
        categorical ones whose product is meant; ``on`` the codes that are judged (``"mean"``, ``"sample"``,
        ``"both"``); ``given`` the clusters within which information is measured: ``"corrected"`` or ``"pca"``, found in
        the codes of the shared start or in uncorrected principal components (``n_clusters`` of them), or a key of
        ``obs`` or ``obsm``.
    solver_kwargs
        Options of the solver.
    plan_kwargs
        Fields of :class:`scpareto.train.Recipe`.
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
    batch_size: int = 128
    split: Sequence[ArrayLike] | None = None
    objective_kwargs: dict[str, Any] | Sequence[dict[str, Any]] | None = None
    solver_kwargs: dict[str, Any] | None = None
    plan_kwargs: dict[str, Any] | None = None
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
    trainer_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_choice("executor", self.executor, (None, *EXECUTORS))
        _check_choice("warm_start", self.warm_start, WARM_STARTS)
        _check_choice("on_collapse", self.on_collapse, ON_COLLAPSE)
        if self.preset not in PRESETS:
            raise ValueError(
                f"preset={self.preset!r} is unknown. Choose None or {', '.join(f'{p!r}' for p in PRESETS if p)}."
            )
        for name in ("n_points", "max_epochs", "max_epochs_pretrain", "batch_size"):
            if (value := getattr(self, name)) is not None:
                whole_number(name, value)
        # One end for each objective, and as many places between them as a grid must have.
        n_ends = 1 + len(self.objectives)
        if self.preferences is None and self.n_points < 2 * n_ends:
            raise ValueError(
                f"n_points={self.n_points}: a front needs at least {2 * n_ends} points, {n_ends} of them its ends."
            )
        if self.seed is not None:
            checked_seed(self.seed)
        for name in self.objectives:
            objective_class(name)  # as below
        solver_class(self.solver)  # refuses an unknown one, and names the others
        for is_so, sentence in REFUSED:
            if is_so(self):
                raise ValueError(sentence.format(learned=", ".join(self.learned)))

    @property
    def defaults(self) -> Preset:
        """What is chosen where the user chooses nothing."""
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
        known = objective_names()
        return [name for name in self.objectives if name in known and objective_class(name).is_learned]

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


REFUSED: tuple[tuple[Callable[[FrontOptions], bool], str], ...] = (
    (
        lambda o: bool(o.executor_kwargs) and o.executor is None,
        "executor_kwargs are given without an executor.",
    ),
    (
        lambda o: o.executor is not None and o.warm_start == "path",
        "warm_start='path' trains one point after the other; executor='ray' does not go with it.",
    ),
    (
        lambda o: str(o.trainer_kwargs.get("precision", "32")).startswith("16"),
        "precision=16: half precision overflows in the critics. Use 32 or 'bf16-mixed'.",
    ),
    (
        lambda o: "datamodule" in o.trainer_kwargs,
        NO_DATA_MODULE,
    ),
    (
        lambda o: o.along_path and o.warm_start == "path",
        "warm_start='path' is for points that are trained apart; method='conditional' has none.",
    ),
    (
        lambda o: o.along_path and bool(o.learned),
        "method='conditional' does not take {learned}, which learns with the model.",
    ),
    (
        lambda o: o.along_path and o.executor is not None,
        "method='conditional' is one training; executor='ray' does not go with it.",
    ),
    (
        lambda o: o.along_path and o.preset == "paper",
        "preset='paper' trains every point apart; method='conditional' does not go with it.",
    ),
)
"""Combinations that are refused, with the sentence that is shown."""
