"""The standard scores of integration, those of scib-metrics, for one set of codes or for every point of a front."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._scib_columns import BATCH_CORRECTION, BIO_CONSERVATION, N_CONNECTIVITY, batch_share
from scpareto.metrics._scib_point import ScibPoint, find_neighbors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class ScibScores:
    """Scores of one set of codes; 1 is best in all of them.

    Attributes
    ----------
    value
        Score by name. Conservation of biology: ``isolated_labels``, ``nmi_ari_cluster_labels_kmeans_nmi``,
        ``nmi_ari_cluster_labels_kmeans_ari``, ``silhouette_label``, ``clisi_knn``. Removal of batch: ``bras``,
        ``ilisi_knn``, ``kbet_per_label``, ``graph_connectivity``, ``pcr_comparison``. NaN for a score that the data do
        not define (see :class:`ScibScorer`).

    Examples
    --------
    >>> bio = ["isolated_labels", "nmi_ari_cluster_labels_kmeans_nmi", "nmi_ari_cluster_labels_kmeans_ari"]
    >>> bio += ["silhouette_label", "clisi_knn"]
    >>> batch = ["bras", "ilisi_knn", "kbet_per_label", "graph_connectivity", "pcr_comparison"]
    >>> scores = ScibScores(dict.fromkeys(bio, 1.0) | dict.fromkeys(batch, 0.5) | {"kbet_per_label": float("nan")})
    >>> scores.bio_conservation, scores.batch_correction, round(scores.total, 2)
    (1.0, 0.5, 0.8)
    """

    value: dict[str, float]

    @property
    def bio_conservation(self) -> float:
        """Mean of the five scores of biology."""
        return self._mean(BIO_CONSERVATION)

    @property
    def batch_correction(self) -> float:
        """Mean of the five scores of batch removal, without those that are NaN."""
        return self._mean(BATCH_CORRECTION)

    @property
    def total(self) -> float:
        """``0.6 * bio_conservation + 0.4 * batch_correction``."""
        return 0.6 * self.bio_conservation + 0.4 * self.batch_correction

    def _mean(self, names: Iterable[str]) -> float:
        return float(np.nanmean([self.value[name] for name in names]))


class ScibScorer:
    r"""Scores of scib-metrics for many sets of codes of the same cells, such as the points of a front.

    The ten scores that ``scib_metrics.benchmark.Benchmarker`` gives by default, from arrays instead of AnnData.
    Neighbours, silhouettes and clusters are computed once for each set of codes, and everything that does not depend on
    the codes only once. The arguments are not changed.

    Parameters
    ----------
    expression
        Uncorrected representation of the cells, shape ``(n_cells, n_components)``; usually the leading principal
        components of log-normalised expression.
    labels
        Annotated label of each cell, such as its type, shape ``(n_cells,)``; at least two distinct ones. Leave cells
        without a label out of all arrays.
    batch
        Batch of each cell, shape ``(n_cells,)``; at least two distinct ones.
    n_neighbors
        Cells of a neighbourhood, itself included, at least 15. The local inverse Simpson indices read all of them,
        kBET the first 50 and graph connectivity the first 15. With fewer cells than this, all cells.
    max_exact_cells
        Cells up to which neighbours are found exactly, by scikit-learn; beyond, by nearest-neighbour descent as
        scib-metrics does.
    seed
        Seed of k-means and of the approximate neighbours. ``Benchmarker`` has 0.

    Raises
    ------
    ImportError
        If scib-metrics is not installed.
    ValueError
        If values are not finite, lengths differ, labels or batches are missing or all the same, no label has two
        cells, there are fewer than 15 cells, ``expression`` is the same for all cells, or an option is out of range.

    See Also
    --------
    scib_scores : The same for a single set of codes.

    Notes
    -----
    Given the same neighbours, scores equal those of ``Benchmarker`` (scib-metrics 0.5.10) up to single precision. Most
    are computed by scib-metrics itself. These are computed in another way:

    - k-means uses the start of scib-metrics and the iterations of scikit-learn. They differ only if a cluster loses all
      its cells: scikit-learn moves it to a distant cell and scib-metrics to the mean of all cells.
    - The diffusion maps of ``kbet_per_label`` are those of scib-metrics; its chi-squared tests are SciPy's, which
      scib-metrics compiles for every size of label.
    - Silhouettes are computed in double precision; ``bras`` adds up unit vectors instead of pairwise
      cosine distances, within a label :math:`\sum_j (1 - u_i^\top u_j) = n - u_i^\top \sum_j u_j`.
    - ``pcr_comparison`` is :math:`\max(0, 1 - s(z) / s(x))` with :math:`s` the variance between batches divided by the
      total variance, which equals principal component regression on all components.

    Scores that the data do not define are NaN, with a warning, and the aggregates leave them out, as ``Benchmarker``
    does. This concerns ``kbet_per_label`` if every label has a single batch or fewer than 10 cells (single labels of
    this kind are skipped), and ``bras`` if every label has a single batch or one cell in each of its batches. Both then
    cannot separate batch from label. A batch smaller than the neighbourhood is allowed; it lowers the highest possible
    ``ilisi_knn``, as all unequal batch sizes do.

    For a label of a few dozen cells, kBET can change by several hundredths due to rounding errors of the codes; this
    was not observed for labels of hundreds of cells.

    For 8,000 cells of 10 dimensions a set of codes takes 2 to 3 seconds on one core, two thirds of it for kBET; time
    grows with the square of the number of cells. The first call in a process compiles for about 40 seconds. The number
    of threads that other libraries use is restored afterwards.

    References
    ----------
    Luecken, M. D. et al. (2022). Benchmarking atlas-level data integration in single-cell genomics. Nature Methods 19,
    41-50.

    Buettner, M. et al. (2019). A test metric for assessing single-cell RNA-seq batch correction. Nature Methods 16,
    43-49.

    Korsunsky, I. et al. (2019). Fast, sensitive and accurate integration of single-cell data with Harmony. Nature
    Methods 16, 1289-1296.

    Rautenstrauch, P. and Ohler, U. (2025). Shortcomings of silhouette in single-cell integration benchmarking. Nature
    Biotechnology.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels, batch = np.arange(300) % 3, rng.integers(2, size=300)
    >>> corrected = rng.normal(size=(300, 5)) + 8 * np.eye(5)[labels]
    >>> uncorrected = corrected + 4 * batch[:, None]
    >>> scorer = ScibScorer(uncorrected, labels, batch)  # doctest: +SKIP
    >>> scorer.score(corrected).total > scorer.score(uncorrected).total  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        expression: ArrayLike,
        labels: ArrayLike,
        batch: ArrayLike,
        *,
        n_neighbors: int = 90,
        max_exact_cells: int = 20_000,
        seed: int = 0,
    ) -> None:
        reference = check_matrix(expression, "expression")
        n_cells = len(reference)
        if n_cells < N_CONNECTIVITY:
            raise ValueError(f"`expression` has {n_cells} cells; at least {N_CONNECTIVITY} are needed.")
        self._label = _numbers(labels, "labels", n_cells)
        self._batch = _numbers(batch, "batch", n_cells)
        if self._label.max() + 1 == n_cells:
            raise ValueError("no label of `labels` has two cells; give a categorical label, not one value per cell.")
        if not np.ptp(reference, axis=0).any():
            raise ValueError("`expression` is the same for all cells; give the uncorrected representation.")
        self._n_neighbors = min(check_count(n_neighbors, "n_neighbors", minimum=N_CONNECTIVITY), n_cells)
        self._exact = n_cells <= check_count(max_exact_cells, "max_exact_cells", minimum=0)
        self._seed = check_count(seed, "seed", minimum=0)
        self._expression_share = batch_share(reference, self._batch)
        _require_scib_metrics()

    def score(self, codes: ArrayLike) -> ScibScores:
        """Score one set of codes.

        Parameters
        ----------
        codes
            Codes of the cells, shape ``(n_cells, n_latent)``; usually posterior means. Distances are Euclidean,
            except for ``bras``; nothing is rescaled. Read in single precision, in which scib-metrics computes.

        Returns
        -------
        ScibScores
            The scores and their aggregates.

        Raises
        ------
        ValueError
            If codes are not finite or the same for all cells, or if the number of cells differs from ``expression``.

        Warns
        -----
        UserWarning
            If a score is NaN.
        """
        z = check_matrix(codes, "codes").astype(np.float32)
        if len(z) != len(self._label):
            raise ValueError(f"`codes` has {len(z)} rows but there are {len(self._label)} cells; give the same cells.")
        if not np.ptp(z, axis=0).any():
            raise ValueError("`codes` are the same for all cells; neighbours, and with them the scores, are undefined.")
        # scib-metrics raises the number of OpenMP threads, which PyTorch shares, for the rest of the process.
        with threadpool_limits():
            nearest = find_neighbors(z, self._n_neighbors, exact=self._exact, seed=self._seed)
            point = ScibPoint(
                z,
                self._label,
                self._batch,
                nearest=nearest,
                expression_share=self._expression_share,
                seed=self._seed,
            )
            value = {name: metric(point) for name, metric in (BIO_CONSERVATION | BATCH_CORRECTION).items()}
        undefined = [name for name, score in value.items() if np.isnan(score)]
        if undefined:
            warnings.warn(
                f"{', '.join(undefined)} undefined for these labels and batches; the aggregates leave that out.",
                stacklevel=2,
            )
        return ScibScores(value)


def scib_scores(
    codes: ArrayLike,
    labels: ArrayLike,
    batch: ArrayLike,
    *,
    expression: ArrayLike,
    n_neighbors: int = 90,
    max_exact_cells: int = 20_000,
    seed: int = 0,
) -> ScibScores:
    """Score one set of codes with the ten default scores of scib-metrics.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``; usually posterior means.
    labels
        Annotated label of each cell, shape ``(n_cells,)``; at least two distinct ones, none missing.
    batch
        Batch of each cell, shape ``(n_cells,)``; at least two distinct ones, none missing.
    expression
        Uncorrected representation of the cells, shape ``(n_cells, n_components)``; usually the leading principal
        components of log-normalised expression.
    n_neighbors, max_exact_cells, seed
        As in :class:`ScibScorer`, which describes the scores and is faster for many sets of codes.

    Returns
    -------
    ScibScores
        The scores and their aggregates.

    Raises
    ------
    ImportError
        If scib-metrics is not installed.
    ValueError
        As in :class:`ScibScorer`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels, batch = np.arange(300) % 3, rng.integers(2, size=300)
    >>> codes = rng.normal(size=(300, 5)) + 20 * np.eye(5)[labels]
    >>> scores = scib_scores(codes, labels, batch, expression=codes + 4 * batch[:, None])  # doctest: +SKIP
    >>> scores.value["clisi_knn"]  # doctest: +SKIP
    1.0
    """
    scorer = ScibScorer(expression, labels, batch, n_neighbors=n_neighbors, max_exact_cells=max_exact_cells, seed=seed)
    return scorer.score(codes)


def _numbers(values: ArrayLike, name: str, n_cells: int) -> NDArray[np.int64]:
    """Return the rank of each value among the distinct values, in the order of scib-metrics."""
    text = check_labels(values, name, n_cells=n_cells, min_labels=2)
    array = np.asarray(values)
    return np.unique(array if array.dtype.kind in "iuf" else text, return_inverse=True)[1]


def _require_scib_metrics() -> None:
    try:
        importlib.import_module("scib_metrics")
    except ImportError as error:
        raise ImportError("The scores need scib-metrics: pip install scib-metrics.") from error
