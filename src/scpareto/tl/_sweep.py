"""A front of any integration method: its option is turned, and all values are judged by one judge."""

from __future__ import annotations

import logging
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import check_key_added, key_of, note, write_codes
from scpareto._constants import latent_key
from scpareto._runtime import FrontProgress, keep_torch_threads
from scpareto.pareto import front_record, place_record
from scpareto.tl._counts import counts_of, depth_of
from scpareto.tl._followed import BadCodesError, check_followed
from scpareto.tl._judge_options import check_options
from scpareto.tl._judge_ready import JudgeOptions, frame_of_ready, make_ready
from scpareto.tl._judged_cells import MOST_SWEPT
from scpareto.tl._judged_front import judged_front, plain_value, warn_of_order
from scpareto.tl._modalities import home_of
from scpareto.tl._turned import runs_of_function, runs_of_method, turned_function, turned_method

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anndata import AnnData
    from mudata import MuData
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Front
    from scpareto.tl._judge_ready import Ready
    from scpareto.tl._turned import Turned

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
    max_cells: int = MOST_SWEPT,
    seed: int = 0,
    progress: bool = True,
) -> Front:
    """Turn the option of an integration method that sets its strength, judge every value, and return a front.

    The front has the columns, the axis, the recommended point and the alarm of a front that was trained, so that
    :func:`scpareto.pl.front`, :func:`scpareto.pl.explorer`, ``front.find(batch_left=10)`` and ``front.explain()`` work
    on it. Writes the recommended embedding to ``adata.obsm`` and a record to ``adata.uns["scpareto"]``.

    Parameters
    ----------
    adata
        Cells with raw counts, shape ``(n_cells, n_genes)``. Or a MuData, of which ``modality`` gets the results.
    method
        Name of a method, see :func:`scpareto.bench.methods`, or a function that takes a copy of ``adata`` and a value
        and returns codes: an array with one row per cell, in their order, or a table indexed by ``adata.obs_names``.
    batch_key
        Column of ``adata.obs`` with the batches; each has at least 20 cells.
    values
        Values of the option, two or more. Those of a method's own option are put in order, from the least to the
        strongest correcting; others are given in that order. None for the grid of the method.
    knob
        Another option of the method that is turned instead, for example ``"lamb"`` of ``"harmony"``.
    options
        Further options of the method, or keyword arguments of the function.
    layer
        Layer of the counts; None for ``adata.X``.
    modality
        Of a MuData, the modality of the counts.
    used_genes
        Genes that a method is given: a mask, shape ``(n_genes,)``, or a column of ``adata.var``; None for
        ``adata.var["highly_variable"]`` where it exists, else all. A function gets all and chooses itself; structure is
        judged on the other genes.
    sample_key, labels_key, protect_key, control_genes
        As for :func:`scpareto.tl.judge`: what intervals are of, and what else is judged.
    key_added
        Where in ``adata.obsm`` the recommended embedding goes; ``"X_<method>"`` unless given.
    n_bootstrap
        Draws of the intervals.
    max_cells
        Of more cells a sample of about as many is judged, as by :func:`scpareto.tl.judge`; methods get all cells.
    seed
        Seed of the method and the judge. All values have the same.
    progress
        Whether to show a bar.

    Returns
    -------
    A :class:`scpareto.pareto.Front` with one point per value. Beside the columns of the judge its table has ``value``,
    ``default`` (whether it is that of the method), ``library`` with its version, and ``seconds``. ``front.codes`` holds
    the embeddings of all points, and ``front.tables["runs"]`` also the values that failed, with the reason.

    Raises
    ------
    KeyError
        If a column, layer or modality does not exist; the message names those that do.
    ValueError
        If the method is unknown or has no such option, a value is out of range or given twice, the first codes are none
        of these cells, all values fail, or the cells cannot be judged.
    ImportError
        If the library of the method is missing; the message names the command that installs it.

    Warns
    -----
    UserWarning
        If a value fails; the others stay. If the last value leaves more of the batch than the first.

    Notes
    -----
    Codes are judged on the cells that they were made of: numbers compare values with each other and methods with each
    other, not with cells that a method has not seen. Losses are counted against uncorrected principal components.

    Codes follow the cells if neighbours by them are more alike, in each batch, than random cells. Those that do not are
    in another order, or have lost everything, and are no point of the front.

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

    A function of one's own:

    >>> sp.bench.integrate(adata, "pca")
    >>> def between(cells, share):
    ...     return cells.obsm["X_pca"] + share * (cells.obsm["X_strong"] - cells.obsm["X_pca"])
    >>> own = sp.tl.sweep(adata, between, batch_key="batch", values=[0, 0.5, 1], n_bootstrap=20, progress=False)
    >>> own.to_dataframe()["value"].tolist(), own.find("auto") in own.numbers
    ([0.0, 0.5, 1.0], True)
    """
    check_options(n_bootstrap=n_bootstrap, seed=seed, max_cells=max_cells, key_added="front", groups_key=None, taken=())
    batch_key, labels_key = key_of(batch_key, "batch_key") or "", key_of(labels_key, "labels_key")
    given = dict(options or {})
    if isinstance(method, str):
        turned = turned_method(method, values, knob, given)
    elif callable(method):
        if knob is not None:
            raise ValueError(f"knob={knob!r}: a function gets the value itself. Leave it out.")
        turned = turned_function(method, values)
    else:
        raise TypeError(f"method={method!r} must be the name of a method or a function f(adata, value).")
    key = latent_key(turned.name) if key_added is None else key_added
    check_key_added(key)
    source, target = home_of(adata, modality, layer)
    ready = make_ready(
        source,
        [],
        [],
        JudgeOptions(
            batch_key=batch_key,
            sample_key=key_of(sample_key, "sample_key"),
            labels_key=labels_key,
            protect_key=protect_key,
            control_genes=control_genes,
            used_genes=used_genes,
            n_bootstrap=n_bootstrap,
            max_cells=max_cells,
            seed=seed,
        ),
        codes_follow=True,
    )
    if isinstance(method, str):
        genes = ready.inputs.used_genes
        keys = [key for key in (batch_key, labels_key) if key is not None]
        depth = None if genes is None else depth_of(source)
        counts = counts_of(source, np.ones(source.adata.n_vars, dtype=bool) if genes is None else genes, None, keys)
        run = runs_of_method(
            turned,
            counts,
            batch_key=batch_key,
            labels_key=labels_key,
            layer=None,
            options=given,
            seed=seed,
            depth=depth,
        )
    else:
        run = runs_of_function(turned, method, target, given)
    framed = frame_of_ready(ready)
    with FrontProgress(len(turned.values) + 1, show=progress, unit="values") as bar:
        codes, runs = _run_all(turned, run, ready, framed[0].components, bar)
        bar.say("judging all values")
        kept = runs[runs["reason"] == ""]
        front = judged_front(
            ready,
            {value: ready.chosen.of(own) for value, own in codes.items()},
            knob=turned.knob,
            sweep={
                "method": turned.name,
                "library": turned.library,
                "failed": dict(runs.loc[runs["reason"] != "", ["value", "reason"]].astype(str).to_numpy().tolist()),
                "key": key,
            },
            columns={name: kept[name].tolist() for name in ("default", "library", "seconds")},
            runs=runs,
            cell_names=target.obs_names,
            framed=framed,
            whole=codes,
        )
        bar.epoch()
    warn_of_order(front)
    chosen = front.recommended
    facts = {"model": turned.name, "value": plain_value(list(codes)[chosen])} | place_record(front, chosen)
    write_codes(target, key, front.codes[chosen], facts)
    note(target, turned.name, front_record(front, turned.name, chosen) | _facts(turned, batch_key, layer, front))
    return front


def _run_all(
    turned: Turned,
    run: Callable[[Any], NDArray[np.float32]],
    ready: Ready,
    components: NDArray[np.float64],
    bar: FrontProgress,
) -> tuple[dict[Any, NDArray[np.float32]], pd.DataFrame]:
    """Codes of every value that did not fail, and one row per value."""
    codes: dict[Any, NDArray[np.float32]] = {}
    rows: list[dict[str, Any]] = []
    for value in turned.values:
        what = turned.what(value)
        bar.say(what)
        begun, reason = time.perf_counter(), ""
        try:
            found = run(value)
            check_followed(ready.chosen.of(found), components, ready.inputs.batch, what, seed=ready.options.seed)
            codes[value] = found
        except Exception as error:
            if isinstance(error, BadCodesError) and not codes and not rows:
                # Wrong at the first value, it is wrong at all: better said before hours are spent.
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0].removeprefix("BadCodesError: ")
            logger.debug("%s failed", what, exc_info=True)
            warnings.warn(f"{what} failed and is no point of the front: {reason}", UserWarning, stacklevel=5)
        rows.append(
            {
                "value": value,
                "default": turned.default is not None and value == turned.default,
                "library": turned.library,
                "seconds": time.perf_counter() - begun,
                "reason": reason,
            }
        )
        bar.epoch()
    if not codes:
        raise ValueError(f"{turned.name} failed at every value of {turned.knob}. First: {rows[0]['reason']}")
    return codes, pd.DataFrame(rows)


def _facts(turned: Turned, batch_key: str, layer: str | None, front: Front) -> dict[str, Any]:
    return {
        "knob": turned.knob,
        "library": turned.library,
        "batch_key": batch_key,
        "layer": layer or "",
        "explanation": front.explain(),
    }
