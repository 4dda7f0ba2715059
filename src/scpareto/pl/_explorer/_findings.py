"""Findings of :func:`scpareto.tl.survives` for the page: what is called at the point that is shown."""

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
_MOST = 60
"""Findings of a kind that are listed, those with the largest effects."""


def findings_along(adata: AnnData, numbers: Sequence[int]) -> dict[str, Any] | None:
    """Collect what was found along the front, in plain values.

    Parameters
    ----------
    adata
        The cells, with the record of :func:`scpareto.tl.survives` or without.
    numbers
        Numbers of the points that the page shows.

    Returns
    -------
    `sentence` and `rows`: kind, group, gene and call of each finding, its effect at the recommended point, and for each
    point 1 where it is called, 0 where it is not, and None where its group is missing. None without a record, and
    where the record is of another front, which has other points.
    """
    record = read_records(adata).get(KEY)
    if not isinstance(record, Mapping) or not {"points", "findings", "clusters"} <= set(record):
        return None
    if list(record["points"]["point"]) != list(numbers):
        return None
    rows = _clusters(record["clusters"], record["clusters_by_point"], numbers)
    findings, by_point = record["findings"], record["findings_by_point"]
    for kind in dict.fromkeys(findings["kind"]) if len(findings) else ():
        own = findings[findings["kind"] == kind]
        own = own.assign(size=own["effect"].abs().fillna(0.0)).sort_values("size", ascending=False, kind="stable")
        # Each call in turn, so that many robust ones do not push out what is fragile.
        turn = own.groupby("call").cumcount()
        kept = own.assign(turn=turn).sort_values("turn", kind="stable").head(_MOST)
        called = by_point[by_point["kind"] == kind].set_index(["group", "gene", "point"])["called"]
        for row in kept.itertuples(index=False):
            at = [called.get((row.group, row.gene, number)) for number in numbers]
            rows.append(_row(str(kind), str(row.group), str(row.gene), str(row.call), float(row.effect), at))
    return {"sentence": str(record["sentence"]), "rows": rows}


def _clusters(clusters: pd.DataFrame, by_point: pd.DataFrame, numbers: Sequence[int]) -> list[dict[str, Any]]:
    same = by_point.assign(cluster=by_point["cluster"].astype(str), called=by_point["fate"] == "same")
    called = same.set_index(["cluster", "point"])["called"]
    return [
        _row("clusters", str(cluster), "", str(call), float(index), [called.get((str(cluster), n)) for n in numbers])
        for cluster, call, index in zip(clusters["cluster"], clusters["call"], clusters["jaccard"], strict=True)
    ]


def _row(kind: str, group: str, gene: str, call: str, effect: float, at: list[Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "group": group,
        "gene": gene,
        "call": call,
        "effect": float(effect) if np.isfinite(effect) else None,
        "at": [None if one is None or pd.isna(one) else int(one) for one in at],
    }
