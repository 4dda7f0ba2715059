"""What is seen of codes: by the withheld truth, and by the judge that no truth was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

N_NEIGHBORS, N_KEPT, LEAST_CELLS = 15, 30, 10


def by_truth(adata: AnnData, codes: dict[str, NDArray[np.floating]], population: str) -> pd.DataFrame:
    """Recall of the planted population, mixing of the shared ones, and scib-metrics' totals, one row per codes.

    ``recall`` is the share of the nearest neighbours of the population's cells (15, or as many as the population has
    others) that are of the population. ``mixing`` is the entropy of the batches among neighbours within each other
    type that two batches share, as a share of what random neighbours have.
    """
    import scpareto as sp
    from scpareto._cells import principal_components

    truth, batch = (adata.obs[column].astype(str).to_numpy() for column in ("truth", "batch"))
    sizes = pd.crosstab(truth, batch)
    shared = sizes.index[(sizes >= LEAST_CELLS).sum(axis=1) >= 2].difference([population])
    number = pd.Index(shared).get_indexer(truth)
    scorer = sp.metrics.ScibScorer(principal_components(adata.X, counts=True), truth, batch)
    rows = []
    for name, z in codes.items():
        scores = scorer.score(z)
        mixing = sp.metrics.graph_mixing(batch, number, codes=z, n_neighbors=N_NEIGHBORS).value
        rows.append(
            {
                "codes": name,
                "recall": recall(z, truth == population),
                "mixing": mixing / 100,
                "scib_total": scores.total,
                "scib_bio": scores.bio_conservation,
                "scib_batch": scores.batch_correction,
            }
        )
    return pd.DataFrame(rows)


def recall(codes: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """Share of the neighbours of a population's cells that are of the population."""
    from sklearn.neighbors import NearestNeighbors

    k = min(N_NEIGHBORS, int(inside.sum()) - 1)
    if k < 1:
        return np.nan
    near = NearestNeighbors(n_neighbors=k + 1).fit(codes).kneighbors(codes[inside], return_distance=False)[:, 1:]
    return float(inside[near].mean())


def kept_neighbors(codes: NDArray[np.floating], blind: NDArray[np.floating]) -> float:
    """Share of the 30 neighbours in codes of a batch-blind model that are neighbours in these codes, too."""
    from sklearn.neighbors import NearestNeighbors

    def near(z: NDArray[np.floating]) -> NDArray[np.int64]:
        return NearestNeighbors(n_neighbors=N_KEPT + 1).fit(z).kneighbors(z, return_distance=False)[:, 1:]

    own, theirs = near(codes), near(blind)
    return float(np.mean([len(np.intersect1d(a, b)) / N_KEPT for a, b in zip(own, theirs, strict=True)]))


def by_judge(adata: AnnData, codes: dict[str, NDArray[np.floating]], first: str) -> pd.DataFrame:
    """Judge all codes together, losses against PCA: ``batch_left``, ``structure_kept`` and the alarm."""
    from scpareto.audit import build_frame, judge_embeddings

    batch = adata.obs["batch"].astype(str).to_numpy()
    frame = build_frame(adata.X, batch, is_counts=True, genes=list(adata.var_names))
    if not frame.populations:
        return pd.DataFrame({"codes": list(codes)})
    found = judge_embeddings(frame, codes, alarm_reference=first, marginal=False)
    left = found.left.table.loc[list(codes), ["batch_left", "low", "high", "no_batch_effect"]]
    kept = found.kept.table.set_index("embedding").loc[list(codes), "structure_kept"]
    rang = found.lost.table[found.lost.table["rings"]]["embedding"]
    left = left.rename(columns={"low": "batch_left_low", "high": "batch_left_high"})
    return left.assign(structure_kept=kept, alarm=left.index.isin(rang)).rename_axis("codes").reset_index()
