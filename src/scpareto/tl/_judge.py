"""How much batch is left in embeddings, and how much structure is kept, without training anything."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import as_rows, key_of, rows_of
from scpareto._constants import JUDGE_KEY, UNS_KEY
from scpareto._runtime import torch_threads_kept
from scpareto.audit import COMPONENTS, frame_of, judge_embeddings
from scpareto.tl._answers import answer
from scpareto.tl._asked import what_is_asked
from scpareto.tl._held_out import by_held_out, check_held_out, held_out_columns
from scpareto.tl._judge_groups import groups_column
from scpareto.tl._judge_inputs import judge_inputs, where_counts_are
from scpareto.tl._judge_options import (
    check_cells,
    check_options,
    check_shared,
    held_out_mask,
    samples_in_several_batches,
)
from scpareto.tl._judged_cells import MOST_CELLS, judged_cells
from scpareto.tl._modalities import source_of
from scpareto.tl._verdict import recommended, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from mudata import MuData
    from numpy.typing import ArrayLike

    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept


@torch_threads_kept()
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
    max_cells: int = MOST_CELLS,
    seed: int = 0,
    key_added: str = JUDGE_KEY,
    groups_key: str | None = None,
    copy: bool = False,
) -> pd.DataFrame | AnnData | MuData:
    r"""Judge embeddings: the share of the batch that is left in them and of the structure that they keep, in %.

    Nothing is trained but small probes. What is found is written to ``adata.uns["scpareto"][key_added]`` as arrays,
    strings and tables, which ``adata.write_h5ad`` saves; :func:`scpareto.pl.judge` draws it.

    Parameters
    ----------
    adata
        Cells with counts in ``X`` or ``layer``, shape ``(n_cells, n_genes)``, and embeddings in ``obsm``. With
        log-normalised values instead of counts ``batch_left`` is measured, ``structure_kept`` is not. A backed file is
        fine: only the rows of the judged cells are read. Or a MuData, see Notes.
    use_rep
        Keys of ``adata.obsm``, for example ``["X_pca", "X_harmony"]``.
    batch_key
        Column of ``adata.obs`` with the batches; each has at least 20 cells.
    neighbors_key
        Neighbour graphs of methods without an embedding, such as BBKNN: keys of ``sc.pp.neighbors(key_added=...)``, or
        of ``adata.obsp``. They have no ``batch_left``, only ``graph_mixing`` and ``structure_kept``.
    layer
        Layer of the counts; None for ``adata.X``.
    sample_key
        Column of ``adata.obs`` with the samples (donors). With at least three in each batch, intervals and the alarm
        are about other samples; without, about these cells.
    labels_key
        Column of ``adata.obs`` with cell types: adds the scores of scib-metrics, and names for populations and lost
        differences. Cells without a label are left out of that.
    protect_key
        Column of ``adata.obs`` that must survive, such as condition or disease: adds what is kept of it.
    control_genes
        Genes of ``adata.var_names`` whose pattern across cells must survive, for example ``["XIST"]``.
    reference
        Key of ``adata.obsm`` that nothing has corrected: ``batch_left`` is a share of what it holds, and the alarm
        compares with it. None for principal components of the log-normalised counts of the used genes.
    used_genes
        Genes that the embeddings have used: a mask, shape ``(n_genes,)``, or a column of ``adata.var``; None for
        ``adata.var["highly_variable"]`` where it exists, else all. Structure is judged on the other genes.
    held_out
        Cells that the training of the embeddings has not seen: a column of ``adata.obs`` with True and False, or a
        mask, shape ``(n_cells,)``. They get columns of their own, and the recommendation goes by them.
    thorough
        Whether to use all kinds of probes and three resolutions of the populations. Takes minutes where the default
        takes seconds.
    n_bootstrap
        Draws of the intervals.
    max_cells
        Of more cells a sample of about as many is judged, in proportion to batches and samples, and nothing is read of
        the others. Neighbour graphs then have no ``structure_kept``.
    seed
        Seed of everything that is drawn. Equal seeds, equal numbers, whatever else is judged beside an embedding.
    key_added
        Where in ``adata.uns["scpareto"]`` the record goes.
    groups_key
        Column of ``adata.obs`` to which the groups of cells go that the alarm and :func:`lost` speak of, to colour a
        plot by; missing for cells in no group. None to write none.
    copy
        Whether to return a copy of ``adata`` with the record instead of writing to it.

    Returns
    -------
    One row per embedding: ``batch_left`` and ``structure_kept`` in % with 95 % intervals (``_low``, ``_high``),
    ``graph_mixing`` in %, information in nats (``information`` within populations, ``marginal``, ``composition``), and
    the flags ``composition_erased``, ``reference_leaks_less``, ``no_batch_effect``, ``alarm`` (``alarm_by`` says what
    was lost against the reference: differences between groups of cells, which :func:`lost` names, the condition or
    control genes) and ``recommended``. With ``held_out`` ``batch_left_held_out`` and ``structure_kept_held_out``
    (``_low``, ``_high``) as well, with ``protect_key="condition"`` ``condition_kept`` in % with interval, with
    ``labels_key`` ``scib_bio``, ``scib_batch`` and ``scib_total``. With ``copy=True`` the copy. :func:`populations` and
    :func:`control_genes` read further tables.

    Raises
    ------
    KeyError
        If a key does not exist; the message names those that do.
    ValueError
        If there is one batch, a batch is too small, codes are not finite, an embedding is called ``"components"`` as
        the computed reference is, modalities hold different cells, or no population is shared by batches.
    TypeError
        If a number or a key is of another kind.

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
    :func:`scanpy.pp.scrublet` writes them, explains differences away. Recommended is, of the embeddings without alarm,
    the one with the least batch left; of those that cannot be told from it, the one that keeps most structure. Unless
    ``held_out`` is given, embeddings are judged on the cells that they were made of: they are compared with each other,
    not with cells that they have not seen.

    Keys of a :class:`~mudata.MuData` are ``"rna:X_harmony"``, a key of a modality, or ``"X_totalvi"``, one of its own.
    Counts are ``X`` of the modality that is named first, or ``layer="rna:counts"``. Batches and samples are sought in
    ``mdata.obs`` and in the modality of the counts, or are ``"rna:batch"``. All named modalities hold the same cells.
    The record goes to ``mdata.uns``.

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
    batch_key = key_of(batch_key, "batch_key") or ""
    sample_key, labels_key = key_of(sample_key, "sample_key"), key_of(labels_key, "labels_key")
    read = (batch_key, sample_key, held_out if isinstance(held_out, str) else None)
    check_options(
        n_bootstrap=n_bootstrap,
        seed=seed,
        max_cells=max_cells,
        key_added=key_added,
        groups_key=groups_key,
        taken=read,
    )
    if copy and adata.isbacked:
        raise ValueError("copy=True needs cells in memory, and adata is backed by a file: leave it out.")
    target = adata.copy() if copy else adata
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    graph_keys = [neighbors_key] if isinstance(neighbors_key, str) else list(neighbors_key)
    wanted = names if reference is None else [*names, reference]
    source, used_genes = source_of(target, wanted, layer=layer, neighbors_key=graph_keys, used_genes=used_genes)
    check_cells(source.adata)
    unseen = held_out_mask(source.adata, held_out)
    chosen = judged_cells(
        source,
        wanted,
        batch_key=batch_key,
        sample_key=sample_key,
        neighbors_key=graph_keys,
        held_out=unseen,
        max_cells=max_cells,
        seed=seed,
    )
    inputs = judge_inputs(
        chosen.adata,
        wanted,
        batch_key=batch_key,
        layer=source.layer,
        sample_key=sample_key,
        neighbors_key=graph_keys,
        used_genes=used_genes,
    )
    asked = what_is_asked(
        chosen.adata, batch_key=batch_key, labels_key=labels_key, protect_key=protect_key, control_genes=control_genes
    )
    if reference is None and COMPONENTS in inputs.codes | inputs.graphs:
        raise ValueError(f"{COMPONENTS!r} is the name of the reference that is computed here: rename the embedding.")
    if unseen is not None:
        unseen = chosen.of(unseen)
        check_held_out(unseen, inputs.batch)
    notes = [*chosen.notes, *samples_in_several_batches(inputs.sample, inputs.batch)]
    if not inputs.is_counts:
        where = where_counts_are(source.adata)
        notes.append(f"structure_kept is not measured: {source.place} holds no counts.{where}")
        warnings.warn(notes[-1], UserWarning, stacklevel=2)
    expression = rows_of(as_rows(inputs.expression), slice(None))
    frame = frame_of(
        expression,
        inputs.batch,
        is_counts=inputs.is_counts,
        genes=inputs.genes,
        used_genes=inputs.used_genes,
        sample=inputs.sample,
        covariates=inputs.covariates,
        thorough=thorough,
        seed=seed,
    )
    check_shared(frame.populations, batch_key)
    options: dict[str, Any] = {
        "graphs": inputs.graphs,
        "whole_graphs": chosen.rows is None,
        "reference": reference or COMPONENTS,
        "n_bootstrap": n_bootstrap,
    }
    if unseen is not None:
        options["parts"] = {"held out": np.flatnonzero(unseen)}
    judged = judge_embeddings(frame, inputs.codes, **options)
    left, kept = judged.left, judged.kept
    if left is None:
        raise ValueError(frame.reason)
    table, differences = _table(names, graph_keys, left, kept), left.differences
    if unseen is not None and (alone := judged.parts["held out"]).left is not None:
        table, differences = table.join(held_out_columns(alone.left, alone.kept)), alone.left.differences
    answers = answer(
        asked,
        frame,
        judged,
        expression,
        names=list(table.index),
        codes=inputs.codes,
        graphs=inputs.graphs if chosen.rows is None else {},
        reference=reference or COMPONENTS,
        n_bootstrap=n_bootstrap,
    )
    table, lost = table.join(answers.columns), answers.lost
    table["alarm"] = [name in answers.alarm_by for name in table.index]
    table["alarm_by"] = ["; ".join(answers.alarm_by.get(str(name), [])) for name in table.index]
    table["recommended"] = table.index == recommended(by_held_out(table), differences)
    told = sentence(table, left, kept, lost, first=answers.first, told=answers.told)
    notes += answers.notes
    record = _record(
        table,
        left,
        kept,
        lost,
        told,
        notes,
        {
            "batch_key": batch_key,
            "layer": layer or "",
            "sample_key": sample_key or "",
            "labels_key": labels_key or "",
            "protect_key": protect_key or "",
            "control_genes": ", ".join(asked.genes),
            "reference": reference or COMPONENTS,
            "thorough": thorough,
            "seed": seed,
            "n_cells": chosen.adata.n_obs,
            "n_cells_given": source.adata.n_obs,
            "n_cells_held_out": 0 if unseen is None else int(unseen.sum()),
            "held_out": "" if held_out is None else held_out if isinstance(held_out, str) else "a mask",
            "groups_key": groups_key or "",
        },
    ) | {name: _plain(v) if isinstance(v, pd.DataFrame) else v for name, v in answers.record.items()}
    if groups_key is not None and lost is not None:
        target.obs[groups_key] = groups_column(lost, source.adata.obs_names, chosen.rows, target.obs_names)
    # Assigned, not changed in place: what a view holds belongs to another AnnData.
    target.uns[UNS_KEY] = {**target.uns.get(UNS_KEY, {}), key_added: record}
    return target if copy else table


def _table(names: list[str], graphs: list[str], left: BatchLeft, kept: StructureKept | None) -> pd.DataFrame:
    """One row per embedding and graph, the columns that come first first."""
    found = left.table
    table = pd.DataFrame(index=pd.Index(list(dict.fromkeys([*names, *graphs])), name="use_rep"))
    renamed = {"low": "batch_left_low", "high": "batch_left_high"}
    first = found.rename(columns=renamed).reindex(table.index)
    table = table.join(first[["batch_left", "batch_left_low", "batch_left_high"]])
    if kept is not None:
        ends = {"low": "structure_kept_low", "high": "structure_kept_high"}
        of_structure = kept.table.set_index("embedding").rename(columns=ends)
        table = table.join(of_structure[["structure_kept", *ends.values()]])
    else:
        table["structure_kept"] = np.nan
    rest = ["graph_mixing", "range_low", "range_high", "information", "marginal", "composition"]
    flags = ["no_batch_effect", "composition_erased", "reference_leaks_less"]
    table = table.join(first[[name for name in [*rest, *flags] if name in first]])
    for flag in flags:
        table[flag] = table[flag].eq(True)
    return table


def _record(
    table: pd.DataFrame,
    left: BatchLeft,
    kept: StructureKept | None,
    lost: LostContrasts | None,
    told: str,
    notes: list[str],
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Return what is written into ``uns``: types that h5ad can hold."""
    record: dict[str, Any] = {
        "table": _plain(table),
        "sentence": told,
        "notes": np.array([*notes, *left.notes], dtype=object).astype(str),
        "interval_of": left.interval_of,
        "differences_batch_left": _plain(left.differences),
        "populations_batch_left": _plain(left.populations),
        "not_assessable": _plain(left.not_assessable),
        # Information in nats by kind of probe, and whether a second kind found as much: thorough=True has five.
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
    """Copy of a table whose columns have names and types that h5ad can hold."""
    plain = table.copy()
    plain.columns = [str(name) for name in plain.columns]
    for name in plain:
        if plain[name].dtype == object:
            plain[name] = ["" if value is None else str(value) for value in plain[name]]
    plain.index = plain.index.astype(str)
    return plain
