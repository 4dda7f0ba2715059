"""Judge the codes of every method on the same test cells with the same probes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from scpareto._runtime import child_seed
from scpareto.audit import LabelJudge, judge_codes
from scpareto.bench._cells import UNLABELLED
from scpareto.metrics import ScibScorer, neighborhood_overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells

_N_BOOTSTRAP = 200
_INTERVAL_QUANTILES = (0.025, 0.975)
_N_GROUPS, _T_QUANTILE = 5, 2.776  # the 97.5 % quantile of Student's t with four degrees of freedom


class CodesJudge:
    """Judge of codes on the test cells of a split.

    Parameters
    ----------
    cells
        The cells and their split.
    labels
        Label of each cell, ``"unlabelled"`` for missing ones, shape ``(n_cells,)``; None without labels.
    reference
        A further representation whose neighbours codes should keep, shape ``(n_cells, n_components)``; or None.
    scib
        With labels, whether to add the scores of scib-metrics.
    scib_intervals
        Whether to add intervals of their aggregates, which takes six times as long.
    """

    def __init__(
        self,
        cells: Cells,
        *,
        labels: NDArray[np.str_] | None = None,
        reference: NDArray | None = None,
        scib: bool = True,
        scib_intervals: bool = False,
    ) -> None:
        self._cells = cells
        self._test = cells.split.test
        self._reference = None if reference is None else np.asarray(reference, dtype=np.float64)
        self._label_judge: LabelJudge | None = None
        self._scorers: list[tuple[NDArray[np.int64], ScibScorer]] = []
        if labels is None:
            return
        labels_or_none = labels.astype(object)
        labels_or_none[labels == UNLABELLED] = None
        self._label_judge = LabelJudge(
            labels_or_none, cells.batch, self._test, cells.components, scib=scib, seed=cells.seed
        )
        if scib and scib_intervals:
            self._scorers = self._make_jackknife_scorers(labels)

    def __call__(self, codes: NDArray) -> dict[str, float]:
        """Return the columns of the table for codes of all cells, shape ``(n_cells, n_latent)``.

        Returns
        -------
        dict
            Columns of :func:`scpareto.audit.judge_codes` and :class:`scpareto.audit.LabelJudge`, with 95 % intervals
            ``_low`` and ``_high`` also of ``retention`` (bootstrap over cells) and, with ``scib_intervals``, of
            ``scib_bio`` and ``scib_batch`` (jackknife over five groups of cells). With a reference, also
            ``retention_reference`` and its interval.
        """
        cells, test = self._cells, self._test
        codes = np.asarray(codes, dtype=np.float64)
        row = judge_codes(codes, None, cells.batch, test_indices=test, expression=cells.components, seed=cells.seed)
        row |= self._retention(codes, cells.components, "retention")
        if self._reference is not None:
            row |= self._retention(codes, self._reference, "retention_reference")
        if self._label_judge is not None:
            with warnings.catch_warnings():
                # Undefined scores are NaN in the table, so a warning for each point is not needed.
                warnings.simplefilter("ignore", UserWarning)
                row |= self._label_judge(codes)
                row |= self._scib_intervals(codes, row)
        return row

    def _retention(self, codes: NDArray, reference: NDArray, name: str) -> dict[str, float]:
        test = self._test
        overlaps, _ = neighborhood_overlaps(reference[test], codes[test], self._cells.batch[test])
        rng = np.random.default_rng(child_seed(self._cells.seed, 1))
        means = [rng.choice(overlaps, len(overlaps)).mean() for _ in range(_N_BOOTSTRAP)]
        low, high = np.quantile(means, _INTERVAL_QUANTILES)
        return {name: float(overlaps.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}

    def _make_jackknife_scorers(self, labels: NDArray[np.str_]) -> list[tuple[NDArray[np.int64], ScibScorer]]:
        """Make five scorers of the labelled test cells, each without one fifth of them."""
        rows = self._test[labels[self._test] != UNLABELLED]
        group = np.random.default_rng(child_seed(self._cells.seed, 2)).permutation(len(rows)) % _N_GROUPS
        scorers = []
        for left_out in range(_N_GROUPS):
            rows_kept = rows[group != left_out]
            try:
                scorer = ScibScorer(
                    self._cells.components[rows_kept],
                    labels[rows_kept],
                    self._cells.batch[rows_kept],
                    seed=self._cells.seed,
                )
            except ValueError:  # too few cells or labels remain for an interval
                return []
            scorers.append((rows_kept, scorer))
        return scorers

    def _scib_intervals(self, codes: NDArray, row: dict[str, float]) -> dict[str, float]:
        """Compute intervals of the two aggregates by a jackknife over groups of cells."""
        if not self._scorers:
            return {}
        scores = [scorer.score(codes[rows]) for rows, scorer in self._scorers]
        intervals: dict[str, float] = {}
        for name, values in (
            ("scib_bio", [s.bio_conservation for s in scores]),
            ("scib_batch", [s.batch_correction for s in scores]),
        ):
            standard_error = np.sqrt((_N_GROUPS - 1) * np.var(values))
            intervals |= {
                f"{name}_low": row[name] - _T_QUANTILE * standard_error,
                f"{name}_high": row[name] + _T_QUANTILE * standard_error,
            }
        return intervals
