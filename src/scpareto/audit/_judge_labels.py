"""Scores of one set of codes by annotated types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto.metrics import ScibScorer, clustering_scores, silhouette

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MIN_CELLS = 15


class LabelJudge:
    """Judge of codes by annotated types, on test cells that have one.

    Parameters
    ----------
    labels
        Type of each cell, shape ``(n_cells,)``; cells without one are left out.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    test_indices
        Rows of the test cells.
    expression
        Reference representation of all cells, shape ``(n_cells, n_components)``.
    scib
        Whether to add the scores of scib-metrics.
    seed
        Seed of the clusterings.

    Raises
    ------
    ValueError
        If lengths differ, or fewer than 15 test cells or a single type or batch are left.
    ImportError
        If scib-metrics is asked for and not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from scpareto.audit import LabelJudge
    >>> types, batch = np.arange(60) % 2, np.arange(60) // 30
    >>> codes = np.random.default_rng(0).normal(size=(60, 2)) + 20 * types[:, None]
    >>> scores = LabelJudge(types, batch, np.arange(30, 60), codes, scib=False)(codes)
    >>> {name: round(value, 1) for name, value in scores.items()}
    {'nmi': 1.0, 'ari': 1.0, 'uca': 1.0, 'silhouette': 0.9}
    """

    def __init__(
        self,
        labels: ArrayLike,
        batch: ArrayLike,
        test_indices: NDArray[np.int64],
        expression: NDArray[np.float64],
        *,
        scib: bool = True,
        seed: int = 0,
    ) -> None:
        types = pd.Series(np.asarray(labels, dtype=object))
        if len(types) != len(expression):
            raise ValueError(f"labels has {len(types)} entries but {len(expression)} are needed, one for each cell.")
        is_labelled = types.notna().to_numpy()
        self._rows = test_indices[is_labelled[test_indices]]
        self._labels = types[self._rows].astype(str).to_numpy()
        if len(self._rows) < _MIN_CELLS or len(np.unique(self._labels)) < 2:
            raise ValueError(
                f"{len(self._rows)} test cells have a label, of {len(np.unique(self._labels))} kind(s); give at least "
                f"{_MIN_CELLS} of two kinds."
            )
        self._seed = seed
        self._scorer = None
        if scib:
            self._scorer = ScibScorer(expression[self._rows], self._labels, np.asarray(batch)[self._rows], seed=seed)

    def __call__(self, codes: NDArray[np.float64]) -> dict[str, float]:
        """Compute columns of a front table for codes of all cells, shape ``(n_cells, n_latent)``.

        Returns
        -------
        dict
            ``nmi``, ``ari`` and ``uca`` of K-means with as many clusters as types, ``silhouette`` of the types, and, of
            scib-metrics, ``scib_bio``, ``scib_batch``, ``scib_total`` and ``scib_<metric>``.
        """
        judged_codes = codes[self._rows]
        clusters = clustering_scores(judged_codes, self._labels, n_init=20, seed=self._seed)
        row = {"nmi": clusters.nmi, "ari": clusters.ari, "uca": clusters.uca}
        row["silhouette"] = silhouette(judged_codes, self._labels)
        if self._scorer is not None:
            scores = self._scorer.score(judged_codes)
            row |= {"scib_bio": scores.bio_conservation, "scib_batch": scores.batch_correction}
            row |= {"scib_total": scores.total} | {f"scib_{name}": value for name, value in scores.value.items()}
        return row
