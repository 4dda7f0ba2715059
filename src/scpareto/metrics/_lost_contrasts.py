"""Differences between groups of cells that an embedding has lost, with a stated rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from scpareto.metrics._batch_groups import build_contrasts, find_groups
from scpareto.metrics._checks import check_count
from scpareto.metrics._log_components import group_means
from scpareto.metrics._lost_tables import describe_contrasts, smallest_population
from scpareto.metrics._max_t import count_samples, max_t, shown_contrasts
from scpareto.metrics._neighbor_weights import neighbor_weights
from scpareto.metrics._programmes import score_programmes
from scpareto.metrics._resampling import resampling_units
from scpareto.metrics._technical import explained_differences, technical_covariates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


_MIN_LOST_WITH_WEAK_MATCHES, _MAX_READING_DIFFERENCE = 0.35, 0.05
"""A loss must exceed the first number with weak matches taken as matches, or differ by at most the second from the loss
without them."""
_MIN_SAMPLES = 2.0
"""Effective number of samples that a side needs: with fewer, the variance between samples cannot be estimated."""


@dataclass(frozen=True, eq=False)
class LostContrasts:
    """Differences between groups of cells within batches, and the share that embeddings have lost.

    Attributes
    ----------
    table
        One row for each contrast and embedding. ``contrast``: unique name; ``batch``, ``n_first``, ``n_second``;
        ``kind``: ``"type"`` if few cells of the batch connect the two sides, ``"state"`` if the sides pass gradually
        into each other; ``shown_by_reference`` and ``shown``: share of the difference that neighbourhoods show;
        ``lost``: share of the reference's difference that is lost, with ``low`` and ``high``; ``statistic``: loss
        beyond the margin in standard errors; ``p_adjusted``; ``rings``: whether the alarm rings, which also needs the
        loss to be confirmed with weak matches taken as matches; ``markers_first``, ``markers_second``: genes that are
        higher on each side; ``explained``: share of the difference that technical covariates explain, and
        ``explained_by``, the covariate that explains most; ``status``: ``"judged"``, ``"technical"``, ``"few
        samples"``, or ``"not shown"`` if the reference does not show the contrast; ``errors_of``: whether standard
        errors are those of ``"cells"`` or of ``"samples"``.
    value
        For each embedding whether the alarm rings.
    groups
        Group of each cell, shape ``(n_cells,)``, as an index into ``names``; -1 for cells in no group.
    names
        Names of the groups.
    smallest_population
        Number of cells that a population of one batch needs for the alarm to detect in four of five cases that it was
        merged with its neighbour; NaN if no contrast is judged.
    n_judged
        Number of contrasts that are tested.

    Examples
    --------
    >>> import numpy as np
    >>> from scpareto.metrics import lost_contrasts
    >>> rng = np.random.default_rng(0)
    >>> types = np.repeat([0, 1], 100)
    >>> counts = rng.poisson(np.exp(1 + rng.normal(size=(2, 60))[types]))
    >>> result = lost_contrasts(counts, {"X": np.eye(2)[types]}, np.repeat("a", 200), reference="X")
    >>> result.value, result.table.empty
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
    r"""Find differences between groups of cells of the same batch that embeddings have lost against a reference.

    Parameters
    ----------
    counts
        Counts, shape ``(n_cells, n_genes)``, dense or sparse.
    embeddings
        By name, codes of all cells, shape ``(n_cells, n_latent)``, or sparse neighbour graphs; the reference included.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    reference
        Name of the embedding that losses are measured against, usually principal components without any correction.
        Choose it before judging. The result has no rows for it.
    gene_names
        Names of the genes, for markers, mitochondrial share and cell cycle.
    populations
        Population of each cell, as in :func:`programme_scores`.
    confident_populations
        The same, with -1 also where a match is weak (:attr:`SharedPopulations.confident_labels`). In a weakly matched
        population the difference between batches may be a batch effect, or the difference between two related types of
        which each batch has one.
    sample
        Sample, usually donor, of each cell, shape ``(n_cells,)``. With at least three in every batch, standard errors
        include the variance between samples, and contrasts with a side of fewer than two samples (effective number) do
        not ring.
    covariates
        Further covariates of each cell, by name, that may explain a contrast, for example doublet scores.
    margin
        Share of a contrast that may be lost without harm.
    level
        If no embedding has lost any contrast by more than the margin, no alarm rings with this probability, over all
        contrasts and embeddings together.
    max_explained
        Contrasts that covariates explain by more than this share are listed but do not ring.
    min_shown
        Contrasts of which the reference shows less than this share are listed but do not ring.
    group_size, max_groups
        Groups of up to ``group_size`` cells are not split, nor those of up to ``n / max_groups`` cells of a batch.
    min_cells
        Smaller groups are left out.
    n_nearest
        Number of nearest groups that each group is contrasted with.
    n_neighbors
        Neighbours in codes.
    n_bootstrap
        Draws of the largest test statistic.
    max_cells
        With more cells, a stratified sample is judged, as in :func:`programme_scores`.
    seed
        Seed of halves, groups, ties and draws.

    Returns
    -------
    LostContrasts

    Raises
    ------
    ValueError
        If the reference is not among the embeddings, counts are not counts, lengths differ or codes are not finite.

    Notes
    -----
    Groups, their axes :math:`a` and markers come from half A of the counts, everything else from half B. With
    :math:`\bar y_{N_i}` the mean scores of the neighbours of cell :math:`i`, the share of the contrast between groups
    :math:`F` and :math:`S` that an embedding shows is

    .. math:: v = \operatorname{mean}_{i \in S} a^\top \bar y_{N_i} - \operatorname{mean}_{i \in F} a^\top \bar y_{N_i},

    and it has lost :math:`1 - v / v_r` of what the reference :math:`r` shows. With margin :math:`m` the statistic is
    :math:`T = ((1 - m) v_r - v) / \mathrm{se}`. Its standard error comes from the influence of each cell, as a member
    of the groups and as a neighbour of others. The largest :math:`T` under the null is drawn with Gaussian multipliers
    of the influences. They are the same for all contrasts and embeddings, so that the dependence is kept (max-T).

    Groups of one batch are split by K-means until they are small. They are split further where few cells have
    neighbours in both halves, so that rare types get separate groups. Contrasts are: pairs of near groups; each group
    and the groups connected with it; sets of connected groups and the rest of their batch; and pairs of near sets.

    The kind of a contrast distinguishes a lost type from a shifted state. Two sides are different types if the smaller
    one has fewer than a tenth of the neighbours in the other that chance gives. In six real datasets with two draws
    each, 96 % of the pairs of groups with different labels were called types, and 28 % of those with the same label:
    conditions and subtypes with a gap between them are called types too.

    With ``sample`` the variance is that of independent cells plus the excess variance of the sums of samples, with
    Welch-Satterthwaite degrees of freedom; multipliers are drawn for cells and for samples. In 30 simulations with four
    donors in each batch, two of all eight donors had lost two fifths of a type (a tenth on average, which is the
    margin). The alarm rang in 6 of them by cells and in none by sample. A type merged in all donors was found in 20 of
    20 by both. Without ``sample`` the cells of a donor are taken as independent, so that the alarm holds for these
    cells only.

    Differences between batches within a population are removed from the scores. In a weakly matched population this may
    remove the difference between two related types of which each batch has one, and their merging would be missed. With
    ``confident_populations`` only the mean effect of the batch is removed there. An effect of the batch on one type can
    then look like a loss. A contrast therefore rings only if it is lost in this reading, and if with weak matches taken
    as matches it is lost by more than 35 % or by as much.

    Measured on real cells (``experiments/calibration``). Null batches: 12 datasets were divided at random into two
    batches, five times each, with four embeddings that had lost nothing. There was no false alarm in 60 (at most 6 % by
    the 95 % interval); a fifth embedding, blurred by noise, rang in 3. Planted losses: six datasets, two draws, up to
    ten merged types each, which the reference kept apart. The alarm rang for 16 of 21 merged types with 15 to 19 cells
    in a batch (of the smaller of the two), for 21 of 23 with 20 to 29 cells, and for 63 of 64 larger ones; it rang for
    none of 12 sound embeddings. The contrast with the largest statistic was of the kind "type" for 78 of 100 merged
    types that rang, and "state" for 30 of 41 gradients within a type that were merged into the rest of the type.
    Simulated: a type of one batch was merged into a related type of the others, with effects of the batch on each type
    (20 draws). Where an alarm with the true types rang, this alarm rang in 16 of 18, and for unmodified Harmony in 9 of
    13; where that alarm was silent, this one rang in 1 of 9.

    The smallest population assumes that the standard error falls with the square root of the number of cells. It is at
    least twice ``min_cells``, because smaller populations may share a group with others.

    References
    ----------
    Westfall, P. H. and Young, S. S. (1993). Resampling-based multiple testing. Wiley.
    Chernozhukov, V., Chetverikov, D. and Kato, K. (2013). Gaussian approximations and multiplier bootstrap for maxima
    of sums of high-dimensional random vectors. Annals of Statistics 41, 2786-2819.

    Examples
    --------
    Codes that have merged two of four types:

    >>> import numpy as np
    >>> from scpareto.metrics import lost_contrasts
    >>> rng = np.random.default_rng(0)
    >>> types, batch = rng.integers(4, size=600), np.repeat(["a", "b"], 300)
    >>> counts = rng.poisson(np.exp(1 + rng.normal(size=(4, 80))[types]))
    >>> codes = {"X_pca": np.eye(4)[types], "X_good": np.eye(4)[types] @ rng.normal(size=(4, 4))}
    >>> codes["X_merged"] = np.eye(4)[np.maximum(types, 1)]
    >>> result = lost_contrasts(counts, codes, batch, reference="X_pca")
    >>> result.value
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
    if sample is not None and len(np.asarray(sample)) != _count_cells(counts):
        raise ValueError(
            f"`sample` has {len(np.asarray(sample))} entries; give one for each of {_count_cells(counts)} cells."
        )
    programmes, logged, b_weak = score_programmes(
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
    unit, _, errors_of = resampling_units(None if sample is None else np.asarray(sample)[rows], programmes.batch)
    counts_of_rows = counts[rows] if sparse.issparse(counts) else np.asarray(counts)[rows]
    with threadpool_limits(limits=1):
        near_a = neighbor_weights(programmes.a, "half A", n, min(n_neighbors, n - 1), seed=seed)
        groups = find_groups(
            programmes.a,
            programmes.batch,
            near_a,
            group_size=check_count(group_size, "group_size", minimum=2),
            max_groups=check_count(max_groups, "max_groups", minimum=2),
            min_cells=check_count(min_cells, "min_cells", minimum=2),
            n_nearest=check_count(n_nearest, "n_nearest", minimum=1),
            seed=seed,
        )
        contrasts = build_contrasts(groups)
        axes = contrasts.differences(group_means(programmes.a, groups.of_cell, len(groups.size)))
        axes = axes / np.maximum((axes**2).sum(axis=1, keepdims=True), 1e-12)
        technical = _collect_covariates(counts_of_rows, gene_names, covariates, programmes.batch, rows)
        explained = explained_differences(
            programmes.b, np.column_stack(list(technical.values())), groups, contrasts, axes
        )
        around = {
            name: neighbor_weights(_select_rows(e, name, rows, _count_cells(counts)), name, n, n_neighbors, seed=seed)
            for name, e in embeddings.items()
        }
        shown = {name: shown_contrasts(programmes.b, near, groups, contrasts, axes) for name, near in around.items()}
        weak = {name: shown_contrasts(b_weak, near, groups, contrasts, axes) for name, near in around.items()}
        judged = (shown[reference] >= min_shown) & (explained[0] <= max_explained)
        samples = count_samples(unit, programmes.batch, groups, contrasts) if errors_of == "samples" else None
        few = np.zeros(len(axes), dtype=bool) if samples is None else samples.on_side < _MIN_SAMPLES
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
    described = describe_contrasts(groups, contrasts, batch_names, logged, gene_text, explained, list(technical))
    reasons = [explained[0] > max_explained, judged, few & (shown[reference] >= min_shown)]
    status = np.select(reasons, ["technical", "judged", "few samples"], "not shown")
    lost_by = {name: _lost_share(shown[reference], shown[name]) for name in others}
    rings = {}
    for i, name in enumerate(others):
        lost_with_weak_matches = _lost_share(weak[reference], weak[name])
        is_confirmed = (lost_with_weak_matches > _MIN_LOST_WITH_WEAK_MATCHES) | (
            lost_with_weak_matches >= lost_by[name] - _MAX_READING_DIFFERENCE
        )
        rings[name] = (test.p[i] <= 1 - level) & is_confirmed
    tables = []
    for i, name in enumerate(others):
        of_embedding = described.copy()
        of_embedding.insert(1, "embedding", name)
        before, now, lost = shown[reference], shown[name], lost_by[name]
        of_embedding["shown_by_reference"], of_embedding["shown"], of_embedding["lost"] = before, now, lost
        half_width = student.ppf((1 + level) / 2, test.freedom[i]) * test.error_of_lost[i]
        of_embedding["low"], of_embedding["high"] = lost - half_width, lost + half_width
        of_embedding["statistic"] = test.statistic[i]
        of_embedding["p_adjusted"], of_embedding["rings"] = test.p[i], rings[name]
        of_embedding["status"], of_embedding["errors_of"] = status, errors_of
        tables.append(of_embedding)
    table = pd.concat(tables, ignore_index=True) if tables else described.iloc[:0].assign(rings=False)
    everywhere = np.full(_count_cells(counts), -1)
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


def _lost_share(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lost share of what the reference shows; NaN where it shows nothing."""
    return np.divide(before - now, before, out=np.full_like(now, np.nan), where=before > 0)


def _collect_covariates(
    counts: Any,
    gene_names: Sequence[str] | None,
    covariates: Mapping[str, ArrayLike] | None,
    batch: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    if gene_names is not None and len(gene_names) != counts.shape[1]:
        raise ValueError(f"`gene_names` has {len(gene_names)} names but there are {counts.shape[1]} genes.")
    values_by_name = technical_covariates(counts, gene_names, batch)
    for name, values in (covariates or {}).items():
        values_by_name[name] = np.asarray(values, dtype=np.float64)[rows]
        if not np.isfinite(values_by_name[name]).all():
            raise ValueError(f"the covariate {name!r} is NaN or infinite in some cells; give a number for each.")
    return values_by_name


def _count_cells(counts: Any) -> int:
    return int(counts.shape[0]) if sparse.issparse(counts) else len(np.asarray(counts))


def _select_rows(embedding: Any, name: str, rows: NDArray[np.int64], n_cells: int) -> Any:
    n = embedding.shape[0] if sparse.issparse(embedding) else len(np.asarray(embedding))
    if n != n_cells:
        raise ValueError(f"{name!r} has {n} rows but there are {n_cells} cells; give the same cells.")
    if not sparse.issparse(embedding):
        return np.asarray(embedding)[rows]
    if len(rows) < n_cells:
        raise ValueError(f"{name!r} is a graph of {n_cells} cells, more than `max_cells`; raise it to judge all.")
    return embedding
