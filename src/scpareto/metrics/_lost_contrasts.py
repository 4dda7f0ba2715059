"""Which differences between groups of cells an embedding has lost, told with a stated rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from scpareto.metrics._batch_groups import contrasts_of, groups_within_batches
from scpareto.metrics._checks import check_count
from scpareto.metrics._log_components import group_means
from scpareto.metrics._lost_tables import describe_contrasts, smallest_population
from scpareto.metrics._max_t import max_t, samples_of, shown_contrasts
from scpareto.metrics._neighbor_weights import neighbor_weights
from scpareto.metrics._programmes import scores_and_half
from scpareto.metrics._resampling import units_of
from scpareto.metrics._technical import explained_differences, technical_covariates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


_LOST_EITHER_WAY, _ALIKE = 0.35, 0.05
"""What must be lost if weakly matched populations are one as well, unless both readings give the same."""
_LEAST_SAMPLES = 2.0
"""Samples that a side needs to be judged by sample: of fewer there is no telling what samples differ by."""


@dataclass(frozen=True, eq=False)
class LostContrasts:
    """Differences between groups of cells within batches, and what embeddings have lost of them.

    Attributes
    ----------
    table
        One row for each contrast and embedding. ``contrast``: unique name; ``batch``, ``n_first``, ``n_second``;
        ``kind``: ``"type"`` where few cells of the batch connect the two sides, ``"state"`` where they pass gradually
        into each other; ``shown_by_reference`` and ``shown``: share of the difference that neighbourhoods show;
        ``lost``: what is lost of the reference's, with ``low`` and ``high``; ``statistic``: loss beyond the margin in
        standard errors, the loudness of the alarm; ``p_adjusted``, and ``rings``, for which a small ``p_adjusted`` is
        not enough if the loss does not stand where weak matches are believed;
        ``markers_first``, ``markers_second``: genes that are higher on either side; ``explained``: share of the
        difference that technical covariates explain, and ``explained_by``, the one that explains most; ``status``:
        ``"judged"``, ``"technical"``, ``"few samples"``, or ``"not shown"`` where the reference does not show the
        contrast; ``errors_of``: whether standard errors are those of ``"cells"`` or of ``"samples"``.
    value
        For each embedding whether the alarm rings.
    groups
        Group of each cell, shape ``(n_cells,)``, -1 where it is in none, and ``names`` of the groups.
    names
        Names of the groups.
    smallest_population
        Cells that a population of one batch needs for its merging with its neighbour to be seen in four of five cases;
        NaN where no contrast is judged.
    n_judged
        Contrasts that could ring.

    Examples
    --------
    >>> import numpy as np
    >>> from scpareto.metrics import lost_contrasts
    >>> rng = np.random.default_rng(0)
    >>> types = np.repeat([0, 1], 100)
    >>> counts = rng.poisson(np.exp(1 + rng.normal(size=(2, 60))[types]))
    >>> found = lost_contrasts(counts, {"X": np.eye(2)[types]}, np.repeat("a", 200), reference="X")
    >>> found.value, found.table.empty
    ({}, True)
    """

    table: pd.DataFrame
    value: dict[str, bool]
    groups: NDArray[np.int64]
    names: list[str]
    smallest_population: float
    n_judged: int


def lost_contrasts(
    counts: Any,
    embeddings: Mapping[str, Any],
    batch: ArrayLike,
    *,
    reference: str,
    gene_names: Sequence[str] | None = None,
    populations: ArrayLike | None = None,
    confident_populations: ArrayLike | None = None,
    sample: ArrayLike | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
    margin: float = 0.1,
    level: float = 0.95,
    max_explained: float = 0.5,
    min_shown: float = 0.4,
    group_size: int = 60,
    max_groups: int = 64,
    min_cells: int = 10,
    n_nearest: int = 5,
    n_neighbors: int = 15,
    n_bootstrap: int = 1000,
    max_cells: int | None = 20_000,
    seed: int = 0,
) -> LostContrasts:
    r"""Find differences between groups of cells, of one batch each, that embeddings have lost against a reference.

    Parameters
    ----------
    counts
        Counts, shape ``(n_cells, n_genes)``, dense or sparse.
    embeddings
        By name, codes of all cells, shape ``(n_cells, n_latent)``, or sparse neighbour graphs, with the reference.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    reference
        Name of the embedding that losses are measured against: fixed before anything is judged, as a rule principal
        components that know nothing of batches. It has no rows of its own.
    gene_names
        Names of the genes, for markers, mitochondrial share and cell cycle.
    populations
        Population of each cell, as in :func:`programme_scores`.
    confident_populations
        The same, -1 also where a match is weak (:attr:`SharedPopulations.confident_labels`). What batches differ by in
        a weakly matched population may be the batch, or the difference of two related types of which either batch has
        one.
    sample
        Sample, as a rule donor, of each cell, shape ``(n_cells,)``. With at least three in every batch standard errors
        count what samples differ by, and contrasts of which one side is of less than two samples (of unequal ones: as
        many as weigh the same) do not ring.
    covariates
        Further values of each cell, by name, that explain a contrast away, for example doublet scores.
    margin
        Share of a contrast that may be lost without harm.
    level
        The alarm of embeddings that have lost no contrast by more than the margin stays silent, over all contrasts and
        embeddings together, with this probability.
    max_explained
        Contrasts that covariates explain by more than this share are listed and do not ring.
    min_shown
        Contrasts of which the reference shows less are listed and do not ring.
    group_size, max_groups
        Groups of up to ``group_size`` cells are not split, nor those of up to ``n / max_groups`` cells of a batch.
    min_cells
        Smaller groups are not looked at.
    n_nearest
        Groups that each one is contrasted with.
    n_neighbors
        Neighbours in codes.
    n_bootstrap
        Draws of the largest of all test statistics.
    max_cells
        With more cells a stratified sample is judged, as in :func:`programme_scores`.
    seed
        Seed of halves, groups, ties and draws.

    Returns
    -------
    LostContrasts

    Raises
    ------
    ValueError
        If the reference is not among the embeddings, counts are no counts, lengths differ or codes are not finite.

    Notes
    -----
    Groups, their axes :math:`a` and markers are found in half A of the counts, everything else is half B. With
    :math:`\bar y_{N_i}` the mean scores of the neighbours of cell :math:`i`, an embedding shows of the contrast between
    groups :math:`F` and :math:`S`

    .. math:: v = \operatorname{mean}_{i \in S} a^\top \bar y_{N_i} - \operatorname{mean}_{i \in F} a^\top \bar y_{N_i},

    and has lost :math:`1 - v / v_r` of what the reference :math:`r` shows. With margin :math:`m` the statistic is
    :math:`T = ((1 - m) v_r - v) / \mathrm{se}`; its standard error is that of the influence of each cell, as one of the
    groups and as a neighbour of others. The largest of all :math:`T` under the null is drawn with Gaussian multipliers
    of the influences, common to all contrasts and embeddings, so that their dependence is kept (max-T).

    Groups of one batch are split by K-means until they are small, and then wherever few cells have neighbours in both
    halves, so that types of few cells have groups of their own. Contrasts are pairs of near groups, each group and
    those connected with it, and sets of connected groups with the rest of their batch and with the nearest such sets.

    The kind of a contrast tells a lost type from a shifted state: two sides are of different types if the smaller one
    has fewer than a tenth of the neighbours in the other that chance gives. Of pairs of groups of unlike labels (six
    real sets, two draws each) 96 % were called types, and of one label 28 %: conditions and subtypes that have a gap
    between them are types too.

    With ``sample`` the variance is that of independent cells and what the sums of samples vary by beyond it, with the
    degrees of freedom of Welch and Satterthwaite; multipliers are drawn for cells and for samples. In 30 simulations
    with four donors in each batch, of which two of all eight had lost two fifths of a type (a tenth on average, the
    margin), the alarm rang in 6 by cells and in none by sample; a type merged in all donors was found in 20 of 20 by
    either. Without ``sample`` cells of one donor are taken as independent: the alarm speaks of these cells.

    What batches differ by within a population is taken away from the scores. Where the population is matched weakly,
    this may be what two related types differ by, of which either batch has one, and their merging would go unseen: with
    ``confident_populations`` only the mean effect of the batch is taken away there. An effect of the batch on one type
    can then look like a loss. So a contrast rings if it is lost in that reading, and by more than 35 %, or as much,
    where weak matches are believed, too.

    Measured on real cells (``experiments/calibration``). Null batches: 12 sets dealt at random into two, five times
    each, four embeddings that had lost nothing: no false alarm in 60 (at most 6 % by the 95 % interval); a fifth one,
    blurred by noise, rang in 3. Planted losses: six sets, two draws, up to ten merged types each, which the reference
    kept apart: of those of 15 to 19 cells in a batch (of the smaller of the two) 16 of 21 rang, of 20 to 29 cells 21 of
    23, larger ones 63 of 64; none of 12 sound embeddings rang. The loudest contrast was of the kind "type" in 78 of 100
    merged types that rang, and "state" in 30 of 41 gradients within a type that were laid onto the rest of it.
    Simulated: a type of one batch laid onto its relative in the others, with effects of the batch on each type (20
    draws). Where an alarm that knows the types rang, this one rang in 16 of 18, and for Harmony as it was in 9 of 13;
    where that one was silent, in 1 of 9.

    The smallest population takes the standard error to fall with the root of the cells, and is at least twice
    ``min_cells``, since smaller populations may share a group with others.

    References
    ----------
    Westfall, P. H. and Young, S. S. (1993). Resampling-based multiple testing. Wiley.
    Chernozhukov, V., Chetverikov, D. and Kato, K. (2013). Gaussian approximations and multiplier bootstrap for maxima
    of sums of high-dimensional random vectors. Annals of Statistics 41, 2786-2819.

    Examples
    --------
    Codes that have laid two of four types onto each other:

    >>> import numpy as np
    >>> from scpareto.metrics import lost_contrasts
    >>> rng = np.random.default_rng(0)
    >>> types, batch = rng.integers(4, size=600), np.repeat(["a", "b"], 300)
    >>> counts = rng.poisson(np.exp(1 + rng.normal(size=(4, 80))[types]))
    >>> codes = {"X_pca": np.eye(4)[types], "X_good": np.eye(4)[types] @ rng.normal(size=(4, 4))}
    >>> codes["X_merged"] = np.eye(4)[np.maximum(types, 1)]
    >>> found = lost_contrasts(counts, codes, batch, reference="X_pca")
    >>> found.value
    {'X_good': False, 'X_merged': True}
    """
    if reference not in embeddings:
        raise ValueError(f"`reference` is {reference!r}; choose one of the embeddings: {', '.join(embeddings)}.")
    for name, share in (("margin", margin), ("min_shown", min_shown)):
        if not 0 <= share < 1:
            raise ValueError(f"`{name}` is {share}; give a share of at least 0 and below 1.")
    if not 0 < level < 1:
        raise ValueError(f"`level` is {level}; give a probability between 0 and 1.")
    check_count(n_bootstrap, "n_bootstrap", minimum=100)
    if sample is not None and len(np.asarray(sample)) != _length(counts):
        raise ValueError(
            f"`sample` has {len(np.asarray(sample))} entries; give one for each of {_length(counts)} cells."
        )
    programmes, logged, b_weak = scores_and_half(
        counts,
        batch,
        used_genes=None,
        populations=populations if confident_populations is None else confident_populations,
        n_components=30,
        min_cells=min_cells,
        min_genes=1,
        max_depth_share=1.0,
        max_cells=max_cells,
        seed=seed,
        also=None if confident_populations is None else populations,
    )
    rows, n = programmes.rows, len(programmes.rows)
    unit, _, errors_of = units_of(None if sample is None else np.asarray(sample)[rows], programmes.batch)
    own_counts = counts[rows] if sparse.issparse(counts) else np.asarray(counts)[rows]
    with threadpool_limits(limits=1):
        near_a = neighbor_weights(programmes.a, "half A", n, min(n_neighbors, n - 1), seed=seed)
        groups = groups_within_batches(
            programmes.a,
            programmes.batch,
            near_a,
            group_size=check_count(group_size, "group_size", minimum=2),
            max_groups=check_count(max_groups, "max_groups", minimum=2),
            min_cells=check_count(min_cells, "min_cells", minimum=2),
            n_nearest=check_count(n_nearest, "n_nearest", minimum=1),
            seed=seed,
        )
        contrasts = contrasts_of(groups)
        axes = contrasts.differences(group_means(programmes.a, groups.of_cell, len(groups.size)))
        axes = axes / np.maximum((axes**2).sum(axis=1, keepdims=True), 1e-12)
        told = _technical(own_counts, gene_names, covariates, programmes.batch, rows)
        explained = explained_differences(programmes.b, np.column_stack(list(told.values())), groups, contrasts, axes)
        around = {
            name: neighbor_weights(_rows_of(e, name, rows, _length(counts)), name, n, n_neighbors, seed=seed)
            for name, e in embeddings.items()
        }
        shown = {name: shown_contrasts(programmes.b, near, groups, contrasts, axes) for name, near in around.items()}
        weak = {name: shown_contrasts(b_weak, near, groups, contrasts, axes) for name, near in around.items()}
        judged = (shown[reference] >= min_shown) & (explained[0] <= max_explained)
        samples = samples_of(unit, programmes.batch, groups, contrasts) if errors_of == "samples" else None
        few = np.zeros(len(axes), dtype=bool) if samples is None else samples.on_side < _LEAST_SAMPLES
        judged &= ~few
        others = [name for name in embeddings if name != reference]
        test = max_t(
            programmes.b,
            around,
            groups,
            contrasts,
            axes,
            shown,
            reference,
            others,
            judged,
            margin,
            n_bootstrap,
            seed,
            samples,
        )
    text = np.asarray(batch).astype(str)[rows]
    batch_names = [text[np.flatnonzero(programmes.batch == b)[0]] for b in range(int(programmes.batch.max()) + 1)]
    names = [f"{batch_names[b]}: group {i}" for b, i in zip(groups.batch, groups.number, strict=True)]
    genes = np.flatnonzero(programmes.genes).tolist()
    gene_text = [f"gene {i}" for i in genes] if gene_names is None else [str(gene_names[i]) for i in genes]
    described = describe_contrasts(groups, contrasts, batch_names, logged, gene_text, explained, list(told))
    reasons = [explained[0] > max_explained, judged, few & (shown[reference] >= min_shown)]
    status = np.select(reasons, ["technical", "judged", "few samples"], "not shown")
    lost_by = {name: _lost(shown[reference], shown[name]) for name in others}
    rings = {}
    for i, name in enumerate(others):
        other_way = _lost(weak[reference], weak[name])
        stands = (other_way > _LOST_EITHER_WAY) | (other_way >= lost_by[name] - _ALIKE)
        rings[name] = (test.p[i] <= 1 - level) & stands
    tables = []
    for i, name in enumerate(others):
        part = described.copy()
        part.insert(1, "embedding", name)
        before, now, lost = shown[reference], shown[name], lost_by[name]
        part["shown_by_reference"], part["shown"], part["lost"] = before, now, lost
        half = student.ppf((1 + level) / 2, test.freedom[i]) * test.error_of_lost[i]
        part["low"], part["high"] = lost - half, lost + half
        part["statistic"] = test.statistic[i]
        part["p_adjusted"], part["rings"] = test.p[i], rings[name]
        part["status"], part["errors_of"] = status, errors_of
        tables.append(part)
    table = pd.concat(tables, ignore_index=True) if tables else described.iloc[:0].assign(rings=False)
    everywhere = np.full(_length(counts), -1)
    everywhere[rows] = groups.of_cell
    return LostContrasts(
        table=table,
        value={name: bool(rings[name].any()) for name in others},
        groups=everywhere,
        names=names,
        smallest_population=smallest_population(
            test, np.minimum(*contrasts.sizes(groups.size)), shown[reference], judged, margin, level, min_cells
        ),
        n_judged=int(judged.sum()),
    )


def _lost(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of what the reference shows that is lost; NaN where it shows nothing."""
    return np.divide(before - now, before, out=np.full_like(now, np.nan), where=before > 0)


def _technical(
    counts: Any,
    gene_names: Sequence[str] | None,
    covariates: Mapping[str, ArrayLike] | None,
    batch: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    if gene_names is not None and len(gene_names) != counts.shape[1]:
        raise ValueError(f"`gene_names` has {len(gene_names)} names but there are {counts.shape[1]} genes.")
    told = technical_covariates(counts, gene_names, batch)
    for name, values in (covariates or {}).items():
        told[name] = np.asarray(values, dtype=np.float64)[rows]
        if not np.isfinite(told[name]).all():
            raise ValueError(f"the covariate {name!r} is NaN or infinite in some cells; give a number for each.")
    return told


def _length(counts: Any) -> int:
    return int(counts.shape[0]) if sparse.issparse(counts) else len(np.asarray(counts))


def _rows_of(embedding: Any, name: str, rows: NDArray[np.int64], n_cells: int) -> Any:
    n = embedding.shape[0] if sparse.issparse(embedding) else len(np.asarray(embedding))
    if n != n_cells:
        raise ValueError(f"{name!r} has {n} rows but there are {n_cells} cells; give the same cells.")
    if not sparse.issparse(embedding):
        return np.asarray(embedding)[rows]
    if len(rows) < n_cells:
        raise ValueError(f"{name!r} is a graph of {n_cells} cells, more than `max_cells`; raise it to judge all.")
    return embedding
