"""Which findings hold at every defensible strength of correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import check_key_added, note
from scpareto._runtime import FrontProgress, check_seed
from scpareto.tl._survives._asked import check_asked
from scpareto.tl._survives._calls import called, of_clusters, summed_up
from scpareto.tl._survives._clusters import clusters_of, fates, groups_of
from scpareto.tl._survives._found import found_at, transferred
from scpareto.tl._survives._places import places_of
from scpareto.tl._survives._words import methods, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.pareto import Front
    from scpareto.tl._survives._asked import Asked
    from scpareto.tl._survives._places import Places


def survives(
    data: Any | Front,
    adata: AnnData,
    *,
    groupby: str | None = None,
    contrast: Sequence[str] | None = None,
    sample_key: str | None = None,
    block_key: str | None = None,
    batch_key: str | None = None,
    layer: str | None = None,
    kinds: Sequence[str] | None = None,
    resolution: float = 1.0,
    n_neighbors: int = 15,
    test: str = "moderated_t",
    fdr: float = 0.05,
    min_cells: int = 10,
    key_added: str = "survives",
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Say which findings hold at every admissible strength of batch correction, and which at some only.

    Every marker, shifted abundance or new subpopulation is found at one strength of correction, which somebody chose.
    Here cells are clustered, named and compared anew at every point of a front. A strength is admissible where the
    over-correction alarm is silent. This is a multiverse analysis :cite:p:`Steegen2016`; :func:`scpareto.pl.survives`
    draws its specification curve :cite:p:`Simonsohn2020`.

    Parameters
    ----------
    data
        A model with a front, such as :class:`scpareto.model.ParetoVI`, or a front of :func:`sweep` or :func:`front_of`.
    adata
        The cells of the front, in any order, with raw counts; it may hold more genes than the model was trained on.
    groupby
        Column of ``adata.obs`` with cell types. The clusters of each point are named by the type of most of their
        cells. None for the clusters themselves, by their number at the recommended point.
    contrast
        What is compared: column, first and second level, such as ``("condition", "stim", "ctrl")``.
    sample_key
        Column with samples, the replicates: what was measured together under one condition, for example a donor before
        treatment. Counts are summed up by sample. Needed for all that is tested.
    block_key
        Column with what pairs samples of both levels, for example the donor.
    batch_key
        Column with the batches, for the labels that cells are given by other batches, and to refuse a contrast that
        cannot be told from the batch.
    layer
        Layer of the counts; None for ``adata.X``.
    kinds
        What to look at; None for all that is possible. ``"clusters"``, which persist; ``"labels"``, which cells are
        given another type by their neighbours in other batches (needs ``groupby`` and ``batch_key``); ``"markers"`` of
        each group against the rest of the same samples (needs ``sample_key``); ``"expression"``, differences between
        the levels of the contrast within each group; and ``"abundance"``, shares of groups between the levels.
    resolution, n_neighbors
        Of the Leiden clustering.
    test
        ``"moderated_t"``, the t-test of limma :cite:p:`Smyth2004` on log2 counts per million, or ``"deseq2"``
        :cite:p:`Love2014`, which takes seconds for each group and point and needs pydeseq2
        (``pip install 'scpareto[deseq2]'``).
    fdr
        False discovery rate at which a finding is called, at each point and in each group by itself.
    min_cells
        Cells that a sample must have of a group to count.
    key_added
        Names what is written.
    seed
        Seed of the clusterings, the same at every point.
    progress
        Whether to show a bar.

    Returns
    -------
    One row per finding that is called at one point or more: ``kind``, ``group``, ``gene``, ``call``, ``share``,
    ``effect`` (log2 fold change or log2 odds ratio, at the recommended point), ``effect_low``, ``effect_high`` and
    ``p_adjusted_high``, the weakest evidence of the admissible points. ``call`` is ``"robust"``, called at every
    admissible point with the same sign; ``"fragile"``, called at some; or ``"only beyond the alarm"``.

    Raises
    ------
    KeyError
        If a column or layer does not exist.
    ValueError
        If fewer than two points are without alarm, cells differ, samples are too few, or the contrast cannot be told
        from batches or blocks.
    TypeError
        If ``data`` is neither a model nor a front.
    ImportError
        If ``test="deseq2"`` and pydeseq2 is not installed.

    Notes
    -----
    Written are ``uns["scpareto"][key_added]`` with ``findings``, ``clusters`` (one row per cluster), the same at every
    point as ``findings_by_point`` and ``clusters_by_point``, ``left_out`` (groups that could not be tested, and why),
    ``points``, ``sentence``, ``methods``, a paragraph to paste, and ``arguments``; ``obs[key_added + "_cluster"]``, the
    clusters of the recommended point; ``obs[key_added + "_stability"]``, how much of a cell's cluster stays together
    along the admissible points (mean Jaccard index, 0 to 1); and, with labels, ``obs[key_added + "_labels"]``, how many
    different labels neighbours in other batches give a cell there.

    A cluster is the same at two points if the Jaccard index of its cells is .5 or more :cite:p:`Hennig2007`. Calling at
    every point is an intersection-union test: it keeps the rate of false discoveries of a single point. Groups are made
    from the counts that are tested afterwards, so that p-values of markers are too small at every point alike.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=80, n_batches=2, n_types=3, seed=0)
    >>> front = sp.tl.sweep(adata, "combat", values=[0.5, 1.0], batch_key="batch", n_bootstrap=20, progress=False)
    >>> found = sp.tl.survives(front, adata, groupby="cell_type", sample_key="batch", progress=False)
    >>> set(found["call"]) <= {"robust", "fragile"}, adata.uns["scpareto"]["survives"]["points"].shape
    (True, (2, 4))
    """
    check_key_added(key_added)
    seed = check_seed(seed) or 0
    asked = check_asked(
        adata,
        groupby=groupby,
        contrast=contrast,
        sample_key=sample_key,
        block_key=block_key,
        batch_key=batch_key,
        layer=layer,
        kinds=kinds,
        test=test,
        fdr=fdr,
        min_cells=min_cells,
        resolution=resolution,
        n_neighbors=n_neighbors,
    )
    places = places_of(data, adata)
    tests = bool({"markers", "expression", "abundance"} & set(asked.kinds))
    with FrontProgress(len(places.numbers) * (1 + tests), show=progress, unit="points") as bar:
        bar.stage("clustering", len(places.numbers))
        clusters, again = clusters_of(places, resolution=resolution, n_neighbors=n_neighbors, seed=seed, step=bar.epoch)
        if tests:
            bar.stage("testing", len(places.numbers))
        table, left_out = _all_found(places, clusters, asked, adata.var_names, bar, test=test, min_cells=min_cells)
        bar.done()
    by_point, stability = fates(places, clusters, again)
    findings = called(table, fdr) if len(table) else table.assign(called=pd.Series(dtype=bool))
    found = {"findings": summed_up(findings, places), "clusters": of_clusters(by_point, places)}
    labels = _labels_along(places, asked) if "labels" in asked.kinds else None
    changed = None if labels is None else float((labels > 1).mean())
    arguments: dict[str, Any] = {
        "groupby": groupby or "",
        "contrast": list(contrast or ()),
        "sample_key": sample_key or "",
    }
    arguments |= {"block_key": block_key or "", "batch_key": batch_key or "", "layer": layer or "", "test": test}
    arguments |= {"resolution": float(resolution), "n_neighbors": int(n_neighbors), "fdr": float(fdr)}
    arguments |= {"min_cells": int(min_cells), "kinds": list(asked.kinds), "seed": int(seed)}
    record = {
        **found,
        "findings_by_point": _of_called(findings, found["findings"]),
        "clusters_by_point": by_point,
        "left_out": left_out,
        "points": _points(places),
        "sentence": sentence(found, places, changed),
        "methods": methods(places, arguments),
        "arguments": arguments,
    }
    note(adata, key_added, record)
    adata.obs[f"{key_added}_cluster"] = pd.Categorical(clusters[places.reference].astype(str))
    adata.obs[f"{key_added}_stability"] = stability
    if labels is not None:
        adata.obs[f"{key_added}_labels"] = labels
    return found["findings"]


def _all_found(
    places: Places,
    clusters: dict[int, NDArray[np.int64]],
    asked: Asked,
    genes: pd.Index,
    bar: FrontProgress,
    *,
    test: str,
    min_cells: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Look for findings at all points; also return the groups that were not looked at."""
    tables, left_out = [], []
    if {"markers", "expression", "abundance"} & set(asked.kinds):
        for number, own in clusters.items():
            groups = groups_of(clusters[places.reference], own, asked.labels)
            found, missing = found_at(groups, asked, genes, test=test, min_cells=min_cells)
            tables.append(found.assign(point=number))
            left_out += [{"point": number, **row} for row in missing]
            bar.epoch()
    reasons = pd.DataFrame(left_out, columns=["point", "kind", "group", "reason"])
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), reasons


def _labels_along(places: Places, asked: Asked) -> NDArray[np.int64]:
    """Count the labels that each cell is given along the admissible points."""
    assert asked.labels is not None
    assert asked.batch is not None
    given = np.stack([transferred(places.codes[n], asked.labels, asked.batch) for n in places.admissible])
    return pd.DataFrame(given).nunique(axis=0).to_numpy().astype(np.int64)


def _of_called(table: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Keep findings that are called somewhere: a row for every gene at every point would fill a file."""
    if table.empty:
        return table
    columns = ["kind", "group", "gene"]
    keys = pd.MultiIndex.from_frame(table[columns])
    kept = table[keys.isin(pd.MultiIndex.from_frame(findings[columns]))]
    return kept[["point", *columns, "effect", "p_value", "p_adjusted", "called"]].reset_index(drop=True)


def _points(places: Places) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "point": places.numbers,
            "batch_left": [places.batch_left[number] for number in places.numbers],
            "admissible": [number in places.admissible for number in places.numbers],
            "recommended": [number == places.reference for number in places.numbers],
        }
    )
