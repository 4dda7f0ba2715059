"""Findings of :func:`scpareto.tl.survives` for the page: which of them are called at the shown point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import read_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

KEY = "survives"
_MAX_FINDINGS = 60
"""Largest number of findings of a kind in the list, those with the largest effects."""


def collect_findings(adata: AnnData, numbers: Sequence[int]) -> dict[str, Any] | None:
    """Collect the findings along the front, in plain values.

    Parameters
    ----------
    adata
        The cells, with or without a record of :func:`scpareto.tl.survives`.
    numbers
        Numbers of the points that the page shows.

    Returns
    -------
    `sentence` and `rows`: kind, group, gene and call of each finding, its effect at the recommended point, and for each
    point 1 if it is called, 0 if it is not, and None if its group is missing. None without a record, or if the record
    belongs to another front, with other points.
    """
    record = read_records(adata).get(KEY)
    if not isinstance(record, Mapping) or not {"points", "findings", "clusters"} <= set(record):
        return None
    if list(record["points"]["point"]) != list(numbers):
        return None
    rows = _make_cluster_rows(record["clusters"], record["clusters_by_point"], numbers)
    findings, by_point = record["findings"], record["findings_by_point"]
    for kind in dict.fromkeys(findings["kind"]) if len(findings) else ():
        findings_of_kind = findings[findings["kind"] == kind]
        findings_of_kind = findings_of_kind.assign(size=findings_of_kind["effect"].abs().fillna(0.0)).sort_values(
            "size", ascending=False, kind="stable"
        )
        # Alternate between calls, so that many robust findings do not push fragile ones off the list.
        rank_in_call = findings_of_kind.groupby("call").cumcount()
        listed = findings_of_kind.assign(turn=rank_in_call).sort_values("turn", kind="stable").head(_MAX_FINDINGS)
        called = by_point[by_point["kind"] == kind].set_index(["group", "gene", "point"])["called"]
        for row in listed.itertuples(index=False):
            called_at = [called.get((row.group, row.gene, number)) for number in numbers]
            rows.append(
                _make_row(str(kind), str(row.group), str(row.gene), str(row.call), float(row.effect), called_at)
            )
    return {"sentence": str(record["sentence"]), "rows": rows}


def _make_cluster_rows(clusters: pd.DataFrame, by_point: pd.DataFrame, numbers: Sequence[int]) -> list[dict[str, Any]]:
    called_rows = by_point.assign(cluster=by_point["cluster"].astype(str), called=by_point["fate"] == "same")
    called = called_rows.set_index(["cluster", "point"])["called"]
    return [
        _make_row(
            "clusters", str(cluster), "", str(call), float(index), [called.get((str(cluster), n)) for n in numbers]
        )
        for cluster, call, index in zip(clusters["cluster"], clusters["call"], clusters["jaccard"], strict=True)
    ]


def _make_row(kind: str, group: str, gene: str, call: str, effect: float, at: list[Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "group": group,
        "gene": gene,
        "call": call,
        "effect": float(effect) if np.isfinite(effect) else None,
        "at": [None if value is None or pd.isna(value) else int(value) for value in at],
    }
