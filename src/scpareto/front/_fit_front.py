"""Learn the front of a scvi-tools model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from scpareto._runtime import is_first_process, raise_on_signals
from scpareto.front._dead import warn_of_dead_critics
from scpareto.front._documented import fill_docstring
from scpareto.front._options import FrontOptions
from scpareto.front._prepare import prepare
from scpareto.front._report import report
from scpareto.front._train_front import assemble_front, train_front

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike
    from scvi.model.base import BaseModelClass

    from scpareto.front._front_run import FrontRun
    from scpareto.pareto import Front

logger = logging.getLogger("scpareto")


@fill_docstring(FrontOptions)
def fit_front(
    model: BaseModelClass,
    objective: str | Sequence[str] | None = FrontOptions.objective,
    method: str | None = FrontOptions.method,
    n_points: int = FrontOptions.n_points,
    *,
    preferences: ArrayLike | None = FrontOptions.preferences,
    max_epochs: int | None = FrontOptions.max_epochs,
    max_epochs_pretrain: int | None = FrontOptions.max_epochs_pretrain,
    batch_size: int | None = FrontOptions.batch_size,
    split: Sequence[ArrayLike] | None = FrontOptions.split,
    train_size: float | None = FrontOptions.train_size,
    validation_size: float | None = FrontOptions.validation_size,
    shuffle_set_split: bool = FrontOptions.shuffle_set_split,
    objective_kwargs: dict[str, Any] | Sequence[dict[str, Any]] | None = FrontOptions.objective_kwargs,
    solver_kwargs: dict[str, Any] | None = FrontOptions.solver_kwargs,
    plan_kwargs: Mapping[str, Any] | None = FrontOptions.plan_kwargs,
    plan_config: Any = FrontOptions.plan_config,
    early_stopping: bool | None = FrontOptions.early_stopping,
    datasplitter_kwargs: Mapping[str, Any] | None = FrontOptions.datasplitter_kwargs,
    load_sparse_tensor: bool = FrontOptions.load_sparse_tensor,
    warm_start: Literal["start", "path"] | str = FrontOptions.warm_start,
    on_collapse: Literal["keep", "apart"] | str = FrontOptions.on_collapse,
    checkpoint_dir: str | os.PathLike[str] | None = FrontOptions.checkpoint_dir,
    accelerator: str = FrontOptions.accelerator,
    devices: int | list[int] | str = FrontOptions.devices,
    executor: str | None = FrontOptions.executor,
    executor_kwargs: dict[str, Any] | None = FrontOptions.executor_kwargs,
    progress: bool = FrontOptions.progress,
    seed: int | None = FrontOptions.seed,
    preset: str | None = FrontOptions.preset,
    trainer_config: Any = FrontOptions.trainer_config,
    datamodule: Any = FrontOptions.datamodule,
    **trainer_kwargs: Any,
) -> Front:
    """Learn the front between the generative loss of a model and an objective of its codes.

    The generative loss is the negative ELBO of each cell in nats, or a baseline's published error. From a shared,
    pretrained start one training learns all preferences (``method="conditional"``). Other methods train the two
    extremes (the generative loss alone; the objective alone, followed by a refit of the decoder), then one point for
    each preference. Probes and critics trained from scratch judge every point on test cells. The model's module keeps
    the state of the last trained point: choose a point with :func:`apply_point`.

    Parameters
    ----------
    model
        A set-up SCVI, SCANVI, LinearSCVI, PEAKVI, TOTALVI or MULTIVI, or a model of scpareto, baselines included.
    {options: objective; method; n_points; preferences; max_epochs; max_epochs_pretrain; batch_size; split}
    {options: train_size, validation_size; shuffle_set_split}
    {options: objective_kwargs; solver_kwargs; plan_kwargs, plan_config; early_stopping; datasplitter_kwargs}
    {options: load_sparse_tensor; warm_start; on_collapse; checkpoint_dir}
    {options: accelerator, devices; executor}
    {options: executor_kwargs; progress; seed; preset}
    {options: trainer_config; datamodule}
    **trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.

    Returns
    -------
    The front. ``front.missing`` lists points whose training diverged. Models that keep fronts, such as
    :class:`scpareto.model.ScInfoVAE`, also store it as ``model.front``, for ``select`` and ``save``.

    Raises
    ------
    ValueError
        If an argument is not valid, ``checkpoint_dir`` holds points of another run, or no cluster can be mixed because
        each has one level of the nuisance.
    KeyError
        If ``given`` does not exist.
    TypeError
        If the model is of an unsupported family.
    RuntimeError
        If every candidate diverged.
    KeyboardInterrupt
        If interrupted, or ended by a signal of a scheduler. The finished points are then in ``model.front`` or, if the
        model keeps no fronts, in the attribute ``front`` of the exception.

    References
    ----------
    :cite:p:`Li2022`, :cite:p:`Lin2019`.

    Examples
    --------
    Two preferences, and the two extremes on top:

    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> front = sp.fit_front(model, "mmd", n_points=4, max_epochs=2, max_epochs_pretrain=1, progress=False)
    >>> front.table[["point", "kind", "preference_mmd"]].round(2)
       point         kind  preference_mmd
    0      0      extreme            0.00
    1      1  conditional            0.33
    2      2  conditional            0.67
    3      3      extreme            1.00
    """
    arguments = dict(locals())
    return learn_front(arguments.pop("model"), FrontOptions(**arguments))


def learn_front(model: BaseModelClass, options: FrontOptions) -> Front:
    """Learn the front that the options describe, and store it in models that keep fronts, even if interrupted.

    Parameters
    ----------
    model
        As for :func:`fit_front`. A model with a method ``store_front`` keeps fronts.
    options
        All arguments.
    """
    return finish_front(prepare(model, options), model)


def finish_front(run: FrontRun, model: BaseModelClass) -> Front:
    """Train the missing points of a front; pass it to its model and to the user's loggers and callbacks."""
    try:
        with raise_on_signals():
            train_front(run)
    except BaseException as error:
        front = assemble_front(run)
        if is_first_process():
            reason = "Interrupted" if isinstance(error, KeyboardInterrupt) else f"Ended by {type(error).__name__}"
            logger.warning("%s. Finished points: %s; missing: %s.", reason, front.numbers or "none", front.missing)
        _store_in_model(model, front)
        if len(front) and not hasattr(model, "store_front"):
            error.front = front  # type: ignore[attr-defined]
            error.add_note(f"Finished points {front.numbers} are kept: import sys; front = sys.last_value.front")
        raise
    front = assemble_front(run)
    _store_in_model(model, front)
    if is_first_process():
        warn_of_dead_critics(front)
        report(front, front.recommended, run.problem.trainer_kwargs)
    return front


def _store_in_model(model: BaseModelClass, front: Front) -> None:
    store_front = getattr(model, "store_front", None)
    if store_front is not None and len(front):
        store_front(front)
