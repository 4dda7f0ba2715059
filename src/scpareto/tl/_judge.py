"""How much batch is left in embeddings, and how much structure is kept, without training anything."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

from scpareto._cells import as_rows, principal_components, rows_of
from scpareto._constants import JUDGE_KEY, UNS_KEY
from scpareto._runtime import torch_threads_kept
from scpareto.metrics import (
    batch_left,
    lost_contrasts,
    populations_at_resolutions,
    programme_scores,
    structure_kept,
)
from scpareto.tl._judge_inputs import judge_inputs, where_counts_are
from scpareto.tl._verdict import recommended, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept
    from scpareto.tl._judge_inputs import JudgeInputs

REFERENCE = "components"
"""Name of the reference that is computed here."""


@torch_threads_kept()
def judge(
    adata: AnnData,
    use_rep: str | Sequence[str] = (),
    *,
    batch_key: str,
    neighbors_key: str | Sequence[str] = (),
    layer: str | None = None,
    sample_key: str | None = None,
    reference: str | None = None,
    used_genes: str | ArrayLike | None = None,
    thorough: bool = False,
    n_bootstrap: int = 300,
    seed: int = 0,
    key_added: str = JUDGE_KEY,
    copy: bool = False,
) -> pd.DataFrame | AnnData:
    r"""Judge embeddings: the share of the batch that is left in them and of the structure that they keep, in %.

    Nothing is trained but small probes. What is found is written to ``adata.uns["scpareto"][key_added]`` as arrays,
    strings and tables, which ``adata.write_h5ad`` saves; :func:`scpareto.pl.judge` draws it.

    Parameters
    ----------
    adata
        Cells with counts in ``X`` or ``layer``, shape ``(n_cells, n_genes)``, and embeddings in ``obsm``. With
        log-normalised values instead of counts ``batch_left`` is measured, ``structure_kept`` is not.
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
    reference
        Key of ``adata.obsm`` that nothing has corrected: ``batch_left`` is a share of what it holds, and the alarm
        compares with it. None for principal components of the log-normalised counts of the used genes.
    used_genes
        Genes that the embeddings have used: a mask, shape ``(n_genes,)``, or a column of ``adata.var``; None for
        ``adata.var["highly_variable"]`` where it exists, else all. Structure is judged on the other genes.
    thorough
        Whether to use all kinds of probes and three resolutions of the populations. Takes several times as long.
    n_bootstrap
        Draws of the intervals.
    seed
        Seed of everything that is drawn. Equal seeds, equal numbers, whatever else is judged beside an embedding.
    key_added
        Where in ``adata.uns["scpareto"]`` the record goes.
    copy
        Whether to return a copy of ``adata`` with the record instead of writing to it.

    Returns
    -------
    One row per embedding: ``batch_left`` and ``structure_kept`` in % with 95 % intervals (``_low``, ``_high``),
    ``graph_mixing`` in %, information in nats (``information`` within populations, ``marginal``, ``composition``), and
    the flags ``composition_erased``, ``reference_leaks_less``, ``no_batch_effect``, ``alarm`` (differences between
    groups of cells were lost against the reference; :func:`lost` names them) and ``recommended``. With ``copy=True``
    the copy.

    Raises
    ------
    KeyError
        If a key does not exist; the message names those that do.
    ValueError
        If there is one batch, a batch is too small, codes are not finite, an embedding is called ``"components"`` as
        the computed reference is, or no population is shared by batches.

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
    the one with the least batch left; of those that cannot be told from it, the one that keeps most structure.
    Embeddings are judged on the cells that they were made of: they are compared with each other, not with cells that
    they have not seen.

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
    target = adata.copy() if copy else adata
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    graph_keys = [neighbors_key] if isinstance(neighbors_key, str) else list(neighbors_key)
    inputs = judge_inputs(
        target,
        names if reference is None else [*names, reference],
        batch_key=batch_key,
        layer=layer,
        sample_key=sample_key,
        neighbors_key=graph_keys,
        used_genes=used_genes,
    )
    if reference is None and REFERENCE in inputs.codes | inputs.graphs:
        raise ValueError(f"{REFERENCE!r} is the name of the reference that is computed here: rename the embedding.")
    notes: list[str] = []
    if not inputs.is_counts:
        where = where_counts_are(target)
        notes.append(f"structure_kept is not measured: {_place(layer)} holds no counts.{where}")
        warnings.warn(notes[-1], UserWarning, stacklevel=2)
    left, kept, lost = _measured(inputs, reference, thorough=thorough, n_bootstrap=n_bootstrap, seed=seed)
    table = _table(names, graph_keys, left, kept)
    table["alarm"] = [bool(lost is not None and lost.value.get(name, False)) for name in table.index]
    table["recommended"] = table.index == recommended(table, left.differences)
    told = sentence(table, left, kept, lost)
    target.uns.setdefault(UNS_KEY, {})[key_added] = _record(
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
            "reference": reference or REFERENCE,
            "thorough": thorough,
            "seed": seed,
            "n_cells": target.n_obs,
        },
    )
    return target if copy else table


def _measured(
    inputs: JudgeInputs, reference: str | None, *, thorough: bool, n_bootstrap: int, seed: int
) -> tuple[BatchLeft, StructureKept | None, LostContrasts | None]:
    """Measure all embeddings, with common random numbers."""
    values = rows_of(as_rows(inputs.expression), slice(None))
    # Of the genes that the embeddings have used: what they never saw they cannot have lost.
    normal = _log_normalised(values) if inputs.is_counts else values
    of_genes = normal if inputs.used_genes is None else normal[:, inputs.used_genes]
    components = principal_components(of_genes, counts=False, seed=seed)
    populations = populations_at_resolutions(components, inputs.batch, seed=seed)
    populations = populations if thorough else populations[1:2]
    codes = dict(inputs.codes)
    chosen = reference or REFERENCE
    if reference is None:
        codes[REFERENCE] = components
    left = batch_left(
        codes,
        reference=chosen,
        batch=inputs.batch,
        populations=populations,
        sample=inputs.sample,
        graphs=inputs.graphs,
        thorough=thorough,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    if not inputs.is_counts:
        return left, None, None
    shared = populations[len(populations) // 2].labels
    programmes = programme_scores(values, inputs.batch, used_genes=inputs.used_genes, populations=shared, seed=seed)
    judged = codes | inputs.graphs
    kept = structure_kept(judged, programmes, sample=inputs.sample, n_bootstrap=n_bootstrap, seed=seed)
    lost = lost_contrasts(
        values,
        judged,
        inputs.batch,
        reference=chosen,
        gene_names=inputs.genes,
        populations=shared,
        sample=inputs.sample,
        covariates=inputs.covariates,
        seed=seed,
    )
    return left, kept, lost


def _log_normalised(counts: Any) -> Any:
    """Copy of counts, normalised to 10,000 a cell over all genes and log-transformed."""
    cells = AnnData(counts.astype(np.float32, copy=True))
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    return cells.X


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
        "notes": np.array([*left.notes, *notes], dtype=object).astype(str),
        "interval_of": left.interval_of,
        "differences_batch_left": _plain(left.differences),
        "populations_batch_left": _plain(left.populations),
        "not_assessable": _plain(left.not_assessable),
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


def _place(layer: str | None) -> str:
    return "adata.X" if layer is None else f"adata.layers[{layer!r}]"
