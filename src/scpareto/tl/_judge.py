"""Measure how much batch is left in embeddings, and how much structure they keep."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import parse_key, write_record
from scpareto._constants import JUDGE_KEY
from scpareto._runtime import keep_torch_threads
from scpareto.audit import COMPONENTS
from scpareto.tl._held_out import use_held_out_values
from scpareto.tl._judge_groups import make_groups_column
from scpareto.tl._judge_options import check_options
from scpareto.tl._judge_task import JudgeOptions, make_judge_task, run_judge_task
from scpareto.tl._judged_cells import MAX_JUDGED_CELLS
from scpareto.tl._modalities import find_source
from scpareto.tl._recommendation import recommend, write_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from mudata import MuData
    from numpy.typing import ArrayLike

    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept


@keep_torch_threads()
def judge(
    adata: AnnData | MuData,
    use_rep: str | Sequence[str] = (),
    *,
    batch_key: str,
    neighbors_key: str | Sequence[str] = (),
    layer: str | None = None,
    sample_key: str | None = None,
    labels_key: str | None = None,
    protect_key: str | None = None,
    control_genes: str | Sequence[str] = (),
    reference: str | None = None,
    used_genes: str | ArrayLike | None = None,
    held_out: str | ArrayLike | None = None,
    thorough: bool = False,
    n_bootstrap: int = 300,
    max_cells: int = MAX_JUDGED_CELLS,
    seed: int = 0,
    key_added: str = JUDGE_KEY,
    groups_key: str | None = None,
    copy: bool = False,
) -> pd.DataFrame | AnnData | MuData:
    r"""Judge embeddings: the share of the batch that is left in them and of the structure that they keep, in %.

    Only small probes are trained. The results are written to ``adata.uns["scpareto"][key_added]`` as arrays, strings
    and tables, which ``adata.write_h5ad`` saves; :func:`scpareto.pl.judge` draws them.

    Parameters
    ----------
    adata
        Cells with counts in ``X`` or ``layer``, shape ``(n_cells, n_genes)``, and embeddings in ``obsm``. With
        log-normalised values instead of counts, only ``batch_left`` is measured, not ``structure_kept``. Of a backed
        file only the rows of the judged cells are read. Or a MuData, see Notes.
    use_rep
        Keys of ``adata.obsm``, for example ``["X_pca", "X_harmony"]``.
    batch_key
        Column of ``adata.obs`` with the batches; each has at least 20 cells.
    neighbors_key
        Neighbour graphs of methods without an embedding, such as BBKNN: keys of ``sc.pp.neighbors(key_added=...)``, or
        of ``adata.obsp``. Graphs get ``graph_mixing`` and ``structure_kept``, but no ``batch_left``.
    layer
        Layer of the counts; None for ``adata.X``.
    sample_key
        Column of ``adata.obs`` with the samples (donors). With at least three in each batch, intervals and the alarm
        generalise to other samples; otherwise only to cells of these samples.
    labels_key
        Column of ``adata.obs`` with cell types: adds the scores of scib-metrics, and names populations and lost
        differences. Cells without a label do not count for these.
    protect_key
        Column of ``adata.obs`` that must survive, such as condition or disease: adds the share of its information that
        is kept.
    control_genes
        Genes of ``adata.var_names`` whose pattern across cells must survive, for example ``["XIST"]``.
    reference
        Key of ``adata.obsm`` with an uncorrected embedding: ``batch_left`` is a share of its batch information, and the
        alarm compares with it. None for principal components of the log-normalised counts of the used genes.
    used_genes
        Genes that the embeddings have used: a mask, shape ``(n_genes,)``, or a column of ``adata.var``; None for
        ``adata.var["highly_variable"]`` where it exists, else all. Structure is judged on the other genes.
    held_out
        Cells that the training of the embeddings has not seen: a column of ``adata.obs`` with True and False, or a
        mask, shape ``(n_cells,)``. They get separate columns, and the recommendation is based on these.
    thorough
        Whether to use all kinds of probes and three resolutions of the populations. Takes minutes where the default
        takes seconds.
    n_bootstrap
        Draws of the intervals.
    max_cells
        If there are more cells, a sample of about this size is judged, in proportion to batches and samples, and the
        other cells are not read. Neighbour graphs then have no ``structure_kept``.
    seed
        Random seed. Equal seeds give equal numbers, whichever embeddings are judged together.
    key_added
        Key of the record in ``adata.uns["scpareto"]``.
    groups_key
        Column of ``adata.obs`` that gets the groups of cells that the alarm and :func:`lost` compare, for example to
        colour a plot by; missing for cells in no group. None to write no column.
    copy
        Whether to return a copy of ``adata`` with the record instead of writing to it.

    Returns
    -------
    One row per embedding: ``batch_left`` and ``structure_kept`` in % with 95 % intervals (``_low``, ``_high``),
    ``graph_mixing`` in %, information in nats (``information`` within populations, ``marginal``, ``composition``), and
    the flags ``composition_erased``, ``reference_leaks_less``, ``no_batch_effect``, ``alarm`` (``alarm_by`` says what
    was lost compared with the reference: differences between groups of cells, which :func:`lost` lists, the condition
    or control genes) and ``recommended``. With ``held_out`` ``batch_left_held_out`` and ``structure_kept_held_out``
    (``_low``, ``_high``) as well, with ``protect_key="condition"`` ``condition_kept`` in % with interval, with
    ``labels_key`` ``scib_bio``, ``scib_batch`` and ``scib_total``. With ``copy=True`` the copy. :func:`populations` and
    :func:`control_genes` read further tables.

    Raises
    ------
    KeyError
        If a key does not exist; the message names those that do.
    ValueError
        If there is only one batch, a batch is too small, codes are not finite, an embedding has the name
        ``"components"`` of the computed reference, modalities hold different cells, or batches share no population.
    TypeError
        If a number or a key has the wrong type.

    Warns
    -----
    UserWarning
        If the matrix holds no counts; the message says where counts are.

    Notes
    -----
    ``batch_left`` is :math:`100\, I(z; s \mid c) / I(r; s \mid c)` with codes :math:`z`, batch :math:`s`, populations
    :math:`c` that batches share and reference :math:`r`, see :func:`scpareto.metrics.batch_left`. ``structure_kept`` is
    how much nearer neighbours are than random cells, in genes or halves of the counts that the embedding has not used,
    relative to neighbours in the other half, see :func:`scpareto.metrics.structure_kept`. The alarm is that of
    :func:`scpareto.metrics.lost_contrasts`; a column ``doublet_score`` or ``predicted_doublet`` of ``adata.obs``, as
    :func:`scanpy.pp.scrublet` writes them, counts as a technical explanation of differences. Of the embeddings without
    alarm, the one with the least batch left is recommended; among those that do not differ from it significantly, the
    one that keeps most structure. Unless ``held_out`` is given, embeddings are judged on the cells that they were made
    from: the numbers compare embeddings with each other, but do not show how well they generalise to new cells.

    Keys of a :class:`~mudata.MuData` are ``"rna:X_harmony"``, a key of a modality, or ``"X_totalvi"``, a key of the
    MuData itself. Counts are ``X`` of the modality that is named first, or ``layer="rna:counts"``. Batches and samples
    are columns of ``mdata.obs`` or of the modality of the counts, or are named ``"rna:batch"``. All named modalities
    hold the same cells. The record is written to ``mdata.uns``.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=400, n_genes=100, n_batches=2, seed=0)
    >>> adata.obsm["X_random"] = np.random.default_rng(0).normal(size=(400, 5))
    >>> table = sp.tl.judge(adata, "X_random", batch_key="batch", n_bootstrap=20)
    >>> bool(table["batch_left"].item() < 20), bool(table["structure_kept"].item() < 20)
    (True, True)
    >>> print(adata.uns["scpareto"]["judge"]["sentence"].split(":")[0])
    X_random
    """
    batch_key = parse_key(batch_key, "batch_key") or ""
    sample_key, labels_key = parse_key(sample_key, "sample_key"), parse_key(labels_key, "labels_key")
    read_columns = (batch_key, sample_key, held_out if isinstance(held_out, str) else None)
    check_options(
        n_bootstrap=n_bootstrap,
        seed=seed,
        max_cells=max_cells,
        key_added=key_added,
        groups_key=groups_key,
        read_columns=read_columns,
    )
    if copy and adata.isbacked:
        raise ValueError("copy=True needs cells in memory, and adata is backed by a file: leave it out.")
    target = adata.copy() if copy else adata
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    graph_keys = [neighbors_key] if isinstance(neighbors_key, str) else list(neighbors_key)
    embedding_keys = names if reference is None else [*names, reference]
    source, used_genes = find_source(
        target, embedding_keys, layer=layer, neighbors_key=graph_keys, used_genes=used_genes
    )
    options = JudgeOptions(
        batch_key=batch_key,
        sample_key=sample_key,
        labels_key=labels_key,
        protect_key=protect_key,
        control_genes=control_genes,
        reference=reference,
        used_genes=used_genes,
        held_out=held_out,
        thorough=thorough,
        n_bootstrap=n_bootstrap,
        max_cells=max_cells,
        seed=seed,
    )
    task = make_judge_task(source, embedding_keys, graph_keys, options)
    if not task.inputs.is_counts:
        warnings.warn(task.notes[-1], UserWarning, stacklevel=2)
    judgement = run_judge_task(task, names=names)
    table, results = judgement.table, judgement.results
    left, kept, lost = judgement.left, judgement.kept, results.lost
    table["recommended"] = table.index == recommend(use_held_out_values(table), judgement.differences)
    text = write_sentence(
        table, left, kept, lost, first_sentences=results.first_sentences, criteria_sentences=results.sentences
    )
    notes = [*task.notes, *results.notes]
    record = _record(
        table,
        left,
        kept,
        lost,
        text,
        notes,
        {
            "batch_key": batch_key,
            "layer": layer or "",
            "sample_key": sample_key or "",
            "labels_key": labels_key or "",
            "protect_key": protect_key or "",
            "control_genes": ", ".join(task.criteria.genes),
            "reference": reference or COMPONENTS,
            "thorough": thorough,
            "seed": seed,
            "n_cells": task.cells.adata.n_obs,
            "n_cells_given": source.adata.n_obs,
            "n_cells_held_out": 0 if task.held_out is None else int(task.held_out.sum()),
            "held_out": "" if held_out is None else held_out if isinstance(held_out, str) else "a mask",
            "groups_key": groups_key or "",
        },
    ) | {name: _plain(v) if isinstance(v, pd.DataFrame) else v for name, v in results.record.items()}
    if groups_key is not None and lost is not None:
        target.obs[groups_key] = make_groups_column(lost, source.adata.obs_names, task.cells.rows, target.obs_names)
    write_record(target, key_added, record)
    return target if copy else table


def _record(
    table: pd.DataFrame,
    left: BatchLeft,
    kept: StructureKept | None,
    lost: LostContrasts | None,
    text: str,
    notes: list[str],
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Return the record for ``uns``, of types that h5ad can hold."""
    record: dict[str, Any] = {
        "table": _plain(table),
        "sentence": text,
        "notes": np.array([*notes, *left.notes], dtype=object).astype(str),
        "interval_of": left.interval_of,
        "differences_batch_left": _plain(left.differences),
        "populations_batch_left": _plain(left.populations),
        "not_assessable": _plain(left.not_assessable),
        # Information in nats by kind of probe (five with thorough=True), and whether a second kind measured as much.
        "probes": _plain(left.kinds.join(left.table[["kind", "plateau", "sd_resolutions"]])),
        "arguments": arguments,
        "version": version("scpareto"),
    }
    if kept is not None:
        record |= {
            "differences_structure_kept": _plain(kept.differences),
            "populations_structure_kept": _plain(kept.per_population),
            "codes_have_seen_the_counts": bool(kept.seen),
        }
    if lost is not None:
        record |= {"lost": _plain(lost.table), "smallest_population": float(lost.smallest_population)}
    return record


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Copy a table with column names and types that h5ad can hold."""
    plain = table.copy()
    plain.columns = [str(name) for name in plain.columns]
    for name in plain:
        if plain[name].dtype == object:
            plain[name] = ["" if value is None else str(value) for value in plain[name]]
    plain.index = plain.index.astype(str)
    return plain
