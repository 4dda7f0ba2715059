"""Make a front of any integration method: run it at several values of an option, and judge all results together."""

from __future__ import annotations

import logging
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import check_key_added, parse_key, write_codes, write_record
from scpareto._constants import latent_key
from scpareto._runtime import FrontProgress, keep_torch_threads
from scpareto.pareto import front_record, place_record
from scpareto.tl._counts import compute_depth, copy_counts
from scpareto.tl._judge_options import check_options
from scpareto.tl._judge_task import JudgeOptions, compute_frame, make_judge_task
from scpareto.tl._judged_cells import MAX_SWEPT_CELLS
from scpareto.tl._judged_front import make_judged_front, plain_value, warn_if_order_reversed
from scpareto.tl._modalities import find_source_and_target
from scpareto.tl._returned_codes import BadCodesError, check_codes_match_cells
from scpareto.tl._swept_method import make_function_runner, make_method_runner, make_swept_function, make_swept_method

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anndata import AnnData
    from mudata import MuData
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Front
    from scpareto.tl._judge_task import JudgeTask
    from scpareto.tl._swept_method import SweptMethod

logger = logging.getLogger("scpareto")


@keep_torch_threads()
def sweep(
    adata: AnnData | MuData,
    method: str | Callable[..., Any],
    *,
    batch_key: str,
    values: Sequence[Any] | None = None,
    knob: str | None = None,
    options: Mapping[str, Any] | None = None,
    layer: str | None = None,
    modality: str | None = None,
    used_genes: str | ArrayLike | None = None,
    sample_key: str | None = None,
    labels_key: str | None = None,
    protect_key: str | None = None,
    control_genes: str | Sequence[str] = (),
    key_added: str | None = None,
    n_bootstrap: int = 300,
    max_cells: int = MAX_SWEPT_CELLS,
    seed: int = 0,
    progress: bool = True,
) -> Front:
    """Vary the option that sets the strength of an integration method, judge every value, and return a front.

    The front has the same columns, axis, recommended point and alarm as a trained front, so that
    :func:`scpareto.pl.front`, :func:`scpareto.pl.explorer`, ``front.find(batch_left=10)`` and ``front.explain()`` work
    on it. Writes the recommended embedding to ``adata.obsm`` and a record to ``adata.uns["scpareto"]``.

    Parameters
    ----------
    adata
        Cells with raw counts, shape ``(n_cells, n_genes)``. Or a MuData, whose ``modality`` gets the results.
    method
        Name of a method, see :func:`scpareto.bench.methods`, or a function that takes a copy of ``adata`` and a value
        and returns codes: an array with one row per cell, in their order, or a table indexed by ``adata.obs_names``.
    batch_key
        Column of ``adata.obs`` with the batches; each has at least 20 cells.
    values
        Values of the option, two or more. Values of the method's default ``knob`` are sorted from the weakest to the
        strongest correction; give all others in that order. None for the grid of the method.
    knob
        Another option of the method to vary, for example ``"lamb"`` of ``"harmony"``.
    options
        Further options of the method, or keyword arguments of the function.
    layer
        Layer of the counts; None for ``adata.X``.
    modality
        Modality of the counts, if ``adata`` is a MuData.
    used_genes
        Genes that the method uses: a mask, shape ``(n_genes,)``, or a column of ``adata.var``; None for
        ``adata.var["highly_variable"]`` if it exists, else all. A function gets all genes and selects itself. Structure
        is judged on the other genes.
    sample_key, labels_key, protect_key, control_genes
        Samples for the intervals, and further criteria, as for :func:`scpareto.tl.judge`.
    key_added
        Key of the recommended embedding in ``adata.obsm``; ``"X_<method>"`` unless given.
    n_bootstrap
        Draws of the intervals.
    max_cells
        If there are more cells, a sample of about this size is judged, as by :func:`scpareto.tl.judge`; methods get all
        cells.
    seed
        Seed of the method and the judge, the same for all values.
    progress
        Whether to show a bar.

    Returns
    -------
    A :class:`scpareto.pareto.Front` with one point per value. In addition to the columns of the judge its table has
    ``value``, ``default`` (whether it is the default of the method), ``library`` with its version, and ``seconds``.
    ``front.codes`` holds the embeddings of all points. ``front.tables["runs"]`` also lists the values that failed, with
    the reason.

    Raises
    ------
    KeyError
        If a column, layer or modality does not exist; the message names those that do.
    ValueError
        If the method or the option does not exist, a value is out of range or given twice, the first codes do not
        belong to the cells, all values fail, or the cells cannot be judged.
    ImportError
        If the library of the method is missing; the message names the command that installs it.

    Warns
    -----
    UserWarning
        If a value fails; the others are judged. If the last value leaves more of the batch than the first.

    Notes
    -----
    Codes are judged on the cells that they were made from: the numbers compare values and methods with each other, but
    do not show how well a method generalises to new cells. Losses are relative to uncorrected principal components.

    Codes belong to the cells if, in each batch, neighbours by the codes are more similar than random cells. Codes that
    fail this test have another order, or have lost all structure; they are left out of the front.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=80, n_batches=2, n_types=3, seed=0)
    >>> front = sp.tl.sweep(adata, "combat", batch_key="batch", values=[0, 1], n_bootstrap=20, progress=False)
    >>> front
    Front of strength by combat (scanpy ...): 2 points, ... non-dominated (judged)
    >>> table = front.to_dataframe()
    >>> bool(table["batch_left"][1] < table["batch_left"][0]), adata.obsm["X_combat"].shape
    (True, (300, 30))
    >>> adata.obsm["X_strong"] = front.codes[1]  # the embedding of another point

    A user's function:

    >>> sp.bench.integrate(adata, "pca")
    >>> def between(cells, share):
    ...     return cells.obsm["X_pca"] + share * (cells.obsm["X_strong"] - cells.obsm["X_pca"])
    >>> front = sp.tl.sweep(adata, between, batch_key="batch", values=[0, 0.5, 1], n_bootstrap=20, progress=False)
    >>> front.to_dataframe()["value"].tolist(), front.find("auto") in front.numbers
    ([0.0, 0.5, 1.0], True)
    """
    check_options(
        n_bootstrap=n_bootstrap, seed=seed, max_cells=max_cells, key_added="front", groups_key=None, read_columns=()
    )
    batch_key, labels_key = parse_key(batch_key, "batch_key") or "", parse_key(labels_key, "labels_key")
    method_options = dict(options or {})
    if isinstance(method, str):
        swept = make_swept_method(method, values, knob, method_options)
    elif callable(method):
        if knob is not None:
            raise ValueError(f"knob={knob!r}: a function gets the value itself. Leave it out.")
        swept = make_swept_function(method, values)
    else:
        raise TypeError(f"method={method!r} must be the name of a method or a function f(adata, value).")
    key = latent_key(swept.name) if key_added is None else key_added
    check_key_added(key)
    source, target = find_source_and_target(adata, modality, layer)
    task = make_judge_task(
        source,
        [],
        [],
        JudgeOptions(
            batch_key=batch_key,
            sample_key=parse_key(sample_key, "sample_key"),
            labels_key=labels_key,
            protect_key=protect_key,
            control_genes=control_genes,
            used_genes=used_genes,
            n_bootstrap=n_bootstrap,
            max_cells=max_cells,
            seed=seed,
        ),
        without_embeddings=True,
    )
    if isinstance(method, str):
        genes = task.inputs.used_genes
        keys = [key for key in (batch_key, labels_key) if key is not None]
        depth = None if genes is None else compute_depth(source)
        counts = copy_counts(source, np.ones(source.adata.n_vars, dtype=bool) if genes is None else genes, None, keys)
        run = make_method_runner(
            swept,
            counts,
            batch_key=batch_key,
            labels_key=labels_key,
            layer=None,
            options=method_options,
            seed=seed,
            depth=depth,
        )
    else:
        run = make_function_runner(swept, method, target, method_options)
    frame_and_counts = compute_frame(task)
    with FrontProgress(len(swept.values) + 1, show=progress, unit="values") as bar:
        codes, runs = _run_all(swept, run, task, frame_and_counts[0].components, bar)
        bar.say("judging all values")
        finished = runs[runs["reason"] == ""]
        front = make_judged_front(
            task,
            {value: task.cells.subset(z) for value, z in codes.items()},
            knob=swept.knob,
            sweep={
                "method": swept.name,
                "library": swept.library,
                "failed": dict(runs.loc[runs["reason"] != "", ["value", "reason"]].astype(str).to_numpy().tolist()),
                "key": key,
            },
            columns={name: finished[name].tolist() for name in ("default", "library", "seconds")},
            runs=runs,
            cell_names=target.obs_names,
            frame_and_counts=frame_and_counts,
            all_codes=codes,
        )
        bar.epoch()
    warn_if_order_reversed(front)
    number = front.recommended
    place = {"model": swept.name, "value": plain_value(list(codes)[number])} | place_record(front, number)
    write_codes(target, key, front.codes[number], place)
    write_record(
        target, swept.name, front_record(front, swept.name, number) | _sweep_record(swept, batch_key, layer, front)
    )
    return front


def _run_all(
    swept: SweptMethod,
    run: Callable[[Any], NDArray[np.float32]],
    task: JudgeTask,
    components: NDArray[np.float64],
    bar: FrontProgress,
) -> tuple[dict[Any, NDArray[np.float32]], pd.DataFrame]:
    """Return the codes of every value that did not fail, and a table with one row per value."""
    codes: dict[Any, NDArray[np.float32]] = {}
    rows: list[dict[str, Any]] = []
    for value in swept.values:
        label = swept.describe(value)
        bar.say(label)
        start, reason = time.perf_counter(), ""
        try:
            z = run(value)
            check_codes_match_cells(task.cells.subset(z), components, task.inputs.batch, label, seed=task.options.seed)
            codes[value] = z
        except Exception as error:
            if isinstance(error, BadCodesError) and not codes and not rows:
                # If the first value returns bad codes, all will: stop before hours are spent.
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0].removeprefix("BadCodesError: ")
            logger.debug("%s failed", label, exc_info=True)
            warnings.warn(f"{label} failed and is no point of the front: {reason}", UserWarning, stacklevel=5)
        rows.append(
            {
                "value": value,
                "default": swept.default is not None and value == swept.default,
                "library": swept.library,
                "seconds": time.perf_counter() - start,
                "reason": reason,
            }
        )
        bar.epoch()
    if not codes:
        raise ValueError(f"{swept.name} failed at every value of {swept.knob}. First: {rows[0]['reason']}")
    return codes, pd.DataFrame(rows)


def _sweep_record(swept: SweptMethod, batch_key: str, layer: str | None, front: Front) -> dict[str, Any]:
    return {
        "knob": swept.knob,
        "library": swept.library,
        "batch_key": batch_key,
        "layer": layer or "",
        "explanation": front.explain(),
    }
