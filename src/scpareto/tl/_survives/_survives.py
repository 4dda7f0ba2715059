"""Which findings hold at every defensible strength of correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import check_key_added, write_record
from scpareto._runtime import FrontProgress, check_seed
from scpareto.tl._survives._clusters import cluster_points, follow_clusters, name_groups
from scpareto.tl._survives._findings import find_at_point, transfer_labels
from scpareto.tl._survives._inputs import read_inputs
from scpareto.tl._survives._points import read_points
from scpareto.tl._survives._sentences import write_methods, write_sentence
from scpareto.tl._survives._summaries import add_called, summarize_clusters, summarize_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.pareto import Front
    from scpareto.tl._survives._inputs import SurvivesInputs
    from scpareto.tl._survives._points import FrontPoints


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

    Markers, shifts in abundance and new subpopulations are usually found at one strength of correction, which somebody
    chose. This function clusters, names and compares cells again at every point of a front. A strength is admissible if
    the over-correction alarm is silent. This is a multiverse analysis :cite:p:`Steegen2016`;
    :func:`scpareto.pl.survives` draws its specification curve :cite:p:`Simonsohn2020`.

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
        Comparison: column, first and second level, such as ``("condition", "stim", "ctrl")``.
    sample_key
        Column with samples, the replicates: cells measured together under one condition, for example a donor before
        treatment. Counts are summed by sample. Needed for all tests.
    block_key
        Column that pairs samples of both levels, for example the donor.
    batch_key
        Column with the batches, for the labels that other batches give to cells, and to refuse a contrast that is
        confounded with the batch.
    layer
        Layer of the counts; None for ``adata.X``.
    kinds
        Kinds of findings; None for all that are possible. ``"clusters"``: which clusters persist. ``"labels"``: which
        cells get another type from their neighbours in other batches (needs ``groupby`` and ``batch_key``).
        ``"markers"``: each group against the other cells of the same samples (needs ``sample_key``). ``"expression"``:
        differences between the levels of the contrast within each group. ``"abundance"``: shares of groups between the
        levels.
    resolution, n_neighbors
        Resolution and number of neighbours of the Leiden clustering.
    test
        ``"moderated_t"``, the t-test of limma :cite:p:`Smyth2004` on log2 counts per million, or ``"deseq2"``
        :cite:p:`Love2014`, which takes seconds for each group and point and needs pydeseq2
        (``pip install 'scpareto[deseq2]'``).
    fdr
        False discovery rate at which a finding is called, separately at each point and in each group.
    min_cells
        A sample counts for a group if it has at least so many cells of it.
    key_added
        Name of the record, and first part of the names of the columns that are written.
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
        If fewer than two points are without alarm, cells differ, samples are too few, or the contrast is confounded
        with batches or blocks.
    TypeError
        If ``data`` is neither a model nor a front.
    ImportError
        If ``test="deseq2"`` and pydeseq2 is not installed.

    Notes
    -----
    This function writes:

    - ``uns["scpareto"][key_added]`` with ``findings``, ``clusters`` (one row per cluster), the same at every point as
      ``findings_by_point`` and ``clusters_by_point``, ``left_out`` (groups that could not be tested, and why),
      ``points``, ``sentence``, ``methods`` (a paragraph for a methods section), and ``arguments``;
    - ``obs[key_added + "_cluster"]``, the clusters of the recommended point;
    - ``obs[key_added + "_stability"]``, how much of a cell's cluster stays together along the admissible points (mean
      Jaccard index, 0 to 1);
    - with labels, ``obs[key_added + "_labels"]``, the number of different labels that neighbours in other batches give
      a cell along the admissible points.

    A cluster is the same at two points if the Jaccard index of its cells is .5 or more :cite:p:`Hennig2007`. Calling at
    every point is an intersection-union test: its false discovery rate is not higher than that of a single point.
    Groups are made from the same counts that are tested afterwards, so p-values of markers are too small, at every
    point alike.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=80, n_batches=2, n_types=3, seed=0)
    >>> front = sp.tl.sweep(adata, "combat", values=[0.5, 1.0], batch_key="batch", n_bootstrap=20, progress=False)
    >>> findings = sp.tl.survives(front, adata, groupby="cell_type", sample_key="batch", progress=False)
    >>> set(findings["call"]) <= {"robust", "fragile"}, adata.uns["scpareto"]["survives"]["points"].shape
    (True, (2, 4))
    """
    check_key_added(key_added)
    seed = check_seed(seed) or 0
    inputs = read_inputs(
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
    points = read_points(data, adata)
    tests = bool({"markers", "expression", "abundance"} & set(inputs.kinds))
    with FrontProgress(len(points.numbers) * (1 + tests), show=progress, unit="points") as bar:
        bar.stage("clustering", len(points.numbers))
        clusters, other_seed = cluster_points(
            points, resolution=resolution, n_neighbors=n_neighbors, seed=seed, step=bar.epoch
        )
        if tests:
            bar.stage("testing", len(points.numbers))
        table, left_out = _test_all_points(
            points, clusters, inputs, adata.var_names, bar, test=test, min_cells=min_cells
        )
        bar.done()
    by_point, stability = follow_clusters(points, clusters, other_seed)
    findings = add_called(table, fdr) if len(table) else table.assign(called=pd.Series(dtype=bool))
    tables = {"findings": summarize_findings(findings, points), "clusters": summarize_clusters(by_point, points)}
    labels = _count_labels(points, inputs) if "labels" in inputs.kinds else None
    changed = None if labels is None else float((labels > 1).mean())
    arguments: dict[str, Any] = {
        "groupby": groupby or "",
        "contrast": list(contrast or ()),
        "sample_key": sample_key or "",
    }
    arguments |= {"block_key": block_key or "", "batch_key": batch_key or "", "layer": layer or "", "test": test}
    arguments |= {"resolution": float(resolution), "n_neighbors": int(n_neighbors), "fdr": float(fdr)}
    arguments |= {"min_cells": int(min_cells), "kinds": list(inputs.kinds), "seed": int(seed)}
    record = {
        **tables,
        "findings_by_point": _keep_called(findings, tables["findings"]),
        "clusters_by_point": by_point,
        "left_out": left_out,
        "points": _points(points),
        "sentence": write_sentence(tables, points, changed),
        "methods": write_methods(points, arguments),
        "arguments": arguments,
    }
    write_record(adata, key_added, record)
    adata.obs[f"{key_added}_cluster"] = pd.Categorical(clusters[points.reference].astype(str))
    adata.obs[f"{key_added}_stability"] = stability
    if labels is not None:
        adata.obs[f"{key_added}_labels"] = labels
    return tables["findings"]


def _test_all_points(
    points: FrontPoints,
    clusters: dict[int, NDArray[np.int64]],
    inputs: SurvivesInputs,
    genes: pd.Index,
    bar: FrontProgress,
    *,
    test: str,
    min_cells: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test the groups of all points; also return the groups that could not be tested."""
    tables, left_out = [], []
    if {"markers", "expression", "abundance"} & set(inputs.kinds):
        for number, point_clusters in clusters.items():
            groups = name_groups(clusters[points.reference], point_clusters, inputs.labels)
            findings, missing = find_at_point(groups, inputs, genes, test=test, min_cells=min_cells)
            tables.append(findings.assign(point=number))
            left_out += [{"point": number, **row} for row in missing]
            bar.epoch()
    reasons = pd.DataFrame(left_out, columns=["point", "kind", "group", "reason"])
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), reasons


def _count_labels(points: FrontPoints, inputs: SurvivesInputs) -> NDArray[np.int64]:
    """Count the labels that each cell is given along the admissible points."""
    assert inputs.labels is not None
    assert inputs.batch is not None
    labels = np.stack([transfer_labels(points.codes[n], inputs.labels, inputs.batch) for n in points.admissible])
    return pd.DataFrame(labels).nunique(axis=0).to_numpy().astype(np.int64)


def _keep_called(table: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Keep findings that are called somewhere: rows for every gene at every point would make a large file."""
    if table.empty:
        return table
    columns = ["kind", "group", "gene"]
    keys = pd.MultiIndex.from_frame(table[columns])
    called = table[keys.isin(pd.MultiIndex.from_frame(findings[columns]))]
    return called[["point", *columns, "effect", "p_value", "p_adjusted", "called"]].reset_index(drop=True)


def _points(points: FrontPoints) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "point": points.numbers,
            "batch_left": [points.batch_left[number] for number in points.numbers],
            "admissible": [number in points.admissible for number in points.numbers],
            "recommended": [number == points.reference for number in points.numbers],
        }
    )
