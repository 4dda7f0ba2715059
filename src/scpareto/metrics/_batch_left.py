"""How much of the batch is left in codes, within populations that batches share, in percent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from scpareto.metrics._batch_left_checks import (
    check_codes,
    check_judged,
    check_options,
    check_part,
    check_populations,
    check_samples,
)
from scpareto.metrics._batch_left_tables import Evidence, summarise
from scpareto.metrics._checks import check_count, check_labels
from scpareto.metrics._conditional_probe import Pointwise, deal_folds, pointwise_information
from scpareto.metrics._graph_mixing import graph_mixing
from scpareto.metrics._paired_bootstrap import draw
from scpareto.metrics._probe_classifier import stratified_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy import sparse

    from scpareto.metrics._populations import SharedPopulations

_NOTHING = "There is no batch effect to remove: the reference holds less than {:g} % of the batch entropy."


@dataclass(frozen=True, eq=False)
class BatchLeft:
    """What is left of the batch in each embedding.

    Attributes
    ----------
    table
        One row per embedding. In % of the reference: ``batch_left`` with its interval ``low`` and ``high``;
        ``range_low`` and ``range_high``, from "what differs among cells that are not assessable is all biology" to "it
        is all batch"; standard deviations by cells, by repeats of the probe and between resolutions. In nats:
        ``information`` given the population, ``marginal`` information, and ``composition``, what the population alone
        tells. ``graph_mixing`` in %, of :func:`graph_mixing`. Flags: ``no_batch_effect`` (percentages are NaN),
        ``composition_erased``, ``reference_leaks_less``; ``kind`` of the probe that found most, and whether another
        kind found as much (``plateau``; None with one kind).
    populations
        One row per resolution, population and embedding.
    differences
        One row per pair of embeddings: ``batch_left`` of the first less that of the second, with a paired interval.
    kinds
        Information in nats by embedding and kind of probe.
    not_assessable
        Share of each batch's judged cells without a counterpart, one column per resolution.
    entropy
        Entropy of the batches of the judged cells, in nats.
    interval_of
        ``"samples"`` where samples were drawn, else ``"these cells"``.
    notes
        What a reader must know: cells left out, samples not used, nothing to remove.
    parts
        The same of further sets of cells, by name, where they were asked for.

    Examples
    --------
    >>> import numpy as np
    >>> batch = np.tile([0, 1], 100)
    >>> codes = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = batch_left({"X_pca": codes}, reference="X_pca", batch=batch, populations=np.zeros(200, dtype=int))
    >>> bool(np.isnan(found.value["X_pca"])), found.notes
    (True, ('There is no batch effect to remove: the reference holds less than 1 % of the batch entropy.',))
    """

    table: pd.DataFrame
    populations: pd.DataFrame
    differences: pd.DataFrame
    kinds: pd.DataFrame
    not_assessable: pd.DataFrame
    entropy: float
    interval_of: str
    notes: tuple[str, ...]
    parts: dict[str, BatchLeft] = field(default_factory=dict)

    @property
    def value(self) -> pd.Series:
        """``batch_left`` of each embedding, in %.

        Examples
        --------
        >>> import numpy as np
        >>> batch = np.tile([0, 1], 100)
        >>> codes = np.random.default_rng(0).normal(size=(200, 1)) + 4 * batch[:, None]
        >>> batch_left({"X_pca": codes}, reference="X_pca", batch=batch, populations=0 * batch).value.to_dict()
        {'X_pca': 100.0}
        """
        return self.table["batch_left"]


def batch_left(
    codes: Mapping[str, ArrayLike],
    *,
    reference: str | ArrayLike,
    batch: ArrayLike,
    populations: SharedPopulations | ArrayLike | Sequence[SharedPopulations | ArrayLike],
    cells: ArrayLike | None = None,
    parts: Mapping[str, ArrayLike] | None = None,
    sample: ArrayLike | None = None,
    graphs: Mapping[str, sparse.spmatrix | sparse.sparray] | None = None,
    kinds: Sequence[str] | None = None,
    n_repeats: int | None = None,
    n_splits: int = 5,
    n_bootstrap: int = 300,
    margin: float = 0.01,
    level: float = 0.95,
    max_cells: int = 20_000,
    thorough: bool = False,
    marginal: bool = True,
    memory: dict[Any, Any] | None = None,
    seed: int = 0,
) -> BatchLeft:
    r"""Information about the batch within shared populations, as a share of what a batch-blind reference holds.

    Parameters
    ----------
    codes
        Embeddings by name, each of shape ``(n_cells, n_latent)``.
    reference
        Name of one of them, or codes of its own (then called "reference"): as a rule principal components of
        log-normalised counts.
    batch
        Batch of each cell, shape ``(n_cells,)``; at least two distinct ones.
    populations
        Of :func:`shared_populations`, or one integer per cell, negative for cells that are not assessable; several of
        these for several resolutions, whose spread becomes part of the interval. Populations of one batch are not
        assessable.
    cells
        Rows that are judged, for example test cells, as numbers or a mask; by default all. Other cells only help to
        train the probes.
    parts
        Further sets of judged cells by name, as numbers or masks, for example those that no training has seen: the same
        probes, summed up for these cells alone.
    sample
        Sample of each cell. With at least three in each batch, folds and intervals go by sample; samples of equal
        name in two batches are two.
    graphs
        Neighbour graphs by name, of methods that have no codes: they get ``graph_mixing`` only. A graph with the name
        of an embedding takes the place of its nearest neighbours.
    kinds
        Of "network", "linear", "wide network", "neighbors" and "boosting"; by default "network" alone.
    n_repeats
        Repeats with other folds and weights, by default 2.
    n_splits
        Parts of the cross-fitting.
    n_bootstrap
        Draws of the intervals.
    margin
        Share of the entropy of the batches that the reference must hold, by the lower end of its interval. With less
        there is no batch effect to remove, and no percentage.
    level
        Coverage of the intervals.
    max_cells
        Of more cells a subset of this size is used, stratified by batch and population.
    thorough
        All kinds and 4 repeats, where ``kinds`` and ``n_repeats`` do not say otherwise.
    marginal
        Whether to measure marginal information, too; without, it and what follows from it are NaN.
    memory
        What probes have found in earlier calls with equal cells and options, which only codes that were not among
        these are probed in; filled in place.
    seed
        Seed of subset, folds, initial weights, minibatches and draws, common to all embeddings.

    Returns
    -------
    BatchLeft

    Raises
    ------
    ValueError
        If codes are not finite, shapes disagree, labels are missing, there is one batch, no population is shared, a
        batch has fewer than 20 judged cells, the reference is not among the codes, or an option is out of range.

    Notes
    -----
    With the batch :math:`s`, the population :math:`c` and the reference :math:`r`

    .. math::
        100 \, \frac{I(z; s \mid c)}{I(r; s \mid c)}, \qquad
        I(z; s \mid c) \approx \frac{1}{n} \sum_i \left[ \log q(s_i \mid z_i, c_i) - \log \pi(s_i \mid c_i) \right] ,

    over cells that have a population, with :math:`\pi` the proportions of the batches in a population and :math:`q` a
    probe. The probe is given the log proportions and learns what codes add, from zero. Its over-confidence is taken
    back by two numbers chosen for all held-out cells at once, which adds about :math:`1/n` nats; a probe that finds no
    more than chance gives exactly zero. What one kind of probe can tell is a lower bound: of several kinds the highest
    counts.

    On cells that it has not seen a probe tells too little, by what it has fitted to chance; on the cells that trained
    it too much, by the same amount to first order :cite:p:`Efron2004`. This also holds for a probe that is held back as
    much as held-out cells advise. The terms of the sum are therefore the mean of both: of the fold in which a cell is
    held out and of the folds in which it trains. Boosted trees know their training cells by heart: only held-out cells
    count for them.

    Folds, initial weights, minibatches and draws are the same for all embeddings: equal codes get equal numbers. In
    each draw of the bootstrap cells (or samples) and repeats are drawn, the same for numerator, denominator and all
    embeddings; the draws of all resolutions together are the interval. A probe that is held back to a share :math:`a`
    of the log ratios scatters too little from cell to cell: deviations are stretched by :math:`\sqrt{(1 + a) / 2} / a`,
    with :math:`a` the held-out information as a share of the estimate, and taken on the scale of the root, as
    information grows with the square of an effect. Those of few samples are stretched as by Student's t. Where a probe
    finds no more than chance, the upper end is that of the most that it could have found.

    The truth may lie anywhere between what held-out cells and what training cells say. So in each draw the estimates of
    all embeddings move by the same share of the way towards one of the two, drawn uniformly.

    Measured on 1,200 simulated cells with known truth, forty draws of each of five cases: 31.9 % were found as 31.0 to
    32.8 % on average, 41.0 % as 41.1 %, 5.5 % as 3.4 to 6.8 % and 8.2 % as 8.4 %. The 95 % intervals covered the truth
    in 389 of 400 (97 %). With six samples a batch they covered it in 111 of 120 and were wide: a share of 32 % was
    found as 30 % on average, with a standard deviation of 11, and told from chance in 27 of 40. Batches that
    differ in nothing were told in 80 of 80.

    With ``cells``, other cells help to train the probes. Where these have trained the encoder and the judged ones have
    not, probes read a little less than with as many unseen cells: scVI on two real sets, two seeds each, within 2
    points after 80 epochs, 3 to 7 points less after 400. Without any other cells they learn from half as many, and read
    3 to 21 points less.

    Cells that are not assessable are one more population to the probes. They do not enter ``batch_left``; with them
    the ratio is the other end of the range.

    ``composition_erased``: the upper end of :math:`I(z; s) - I(c; s)` is below zero by more than the margin and a
    fifth of :math:`I(c; s)`, of which codes that keep populations apart hold all; a probe falls a little short.

    References
    ----------
    :cite:p:`Efron2004`.

    Examples
    --------
    Half of the shift taken away, and all of it:

    >>> import numpy as np
    >>> batch, types = np.tile([0, 1], 300), np.repeat([0, 1, 2], 200)
    >>> codes = 4 * np.eye(3)[types] + np.random.default_rng(0).normal(size=(600, 3))
    >>> shift = np.array([2.0, 0.0, 0.0]) * batch[:, None]
    >>> embeddings = {"X_pca": codes + shift, "half": codes + shift / 2, "all": codes}
    >>> found = batch_left(embeddings, reference="X_pca", batch=batch, populations=types)
    >>> float(found.value["X_pca"]), bool(20 < found.value["half"] < 50), bool(found.value["all"] < 5)
    (100.0, True, True)
    """
    text = check_labels(batch, "batch", n_cells=len(np.asarray(batch)), min_labels=2)
    names, level_of = np.unique(text, return_inverse=True)
    n = len(text)
    embeddings, chosen = check_codes(codes, reference, n)
    populated = check_populations(populations, level_of)
    judged = check_judged(cells, level_of, names)
    used_kinds, repeats = check_options(kinds, n_repeats, margin, level, thorough)
    splits = check_count(n_splits, "n_splits", minimum=2)
    n_draws = check_count(n_bootstrap, "n_bootstrap", minimum=2)
    notes: list[str] = []
    units = check_samples(sample, level_of, judged, notes)
    if units is not None:
        least = min(len(np.unique(units[judged & (level_of == b)])) for b in range(len(names)))
        splits = min(splits, least)
    elif judged.sum() < splits:
        raise ValueError(f"`cells` has {judged.sum()} rows; {splits} parts need at least as many.")

    limit = check_count(max_cells, "max_cells", minimum=100)
    kept = np.arange(n)
    if n > limit:
        strata = 2 * (level_of * (populated.max() + 2) + populated[0] + 1) + judged
        kept = np.flatnonzero(stratified_parts(strata, 1000, np.random.default_rng([seed, 1])) < 1000 * limit / n)
        notes.append(f"Judged on {len(kept)} of {n} cells, drawn in proportion to batches and populations.")
    s, c, rows = level_of[kept], populated[:, kept], judged[kept]
    own_units = None if units is None else np.unique(units[kept], return_inverse=True)[1]

    evidence = _gather(
        {name: z[kept] for name, z in embeddings.items()},
        chosen,
        s,
        c,
        rows,
        own_units,
        used_kinds,
        repeats,
        splits,
        seed,
        marginal,
        {} if memory is None else memory,
    )
    sample_of = None if own_units is None else own_units[rows]
    mixing = {}
    for name in [*embeddings, *(graphs or {})]:
        if graphs is not None and name in graphs:
            mixing[name] = np.mean([graph_mixing(text, p, graph=graphs[name]).value for p in populated])
        else:
            mixing[name] = np.mean([graph_mixing(s, p, codes=embeddings[name][kept]).value for p in c])

    def summed_up(inside: NDArray[np.bool_]) -> BatchLeft:
        """Sum up what was found of some of the judged cells, ``inside`` among ``rows``."""
        of_these = evidence.of(inside)
        drawn = draw(
            n_draws,
            repeats,
            np.random.default_rng([seed, 2]),
            batch=of_these.batch,
            sample=None if sample_of is None else np.unique(sample_of[inside], return_inverse=True)[1],
            level=level,
        )
        found = summarise(of_these, drawn, margin=margin, level=level)
        table = found.table.reindex([*found.table.index, *(g for g in graphs or {} if g not in found.table.index)])
        table.insert(5, "graph_mixing", pd.Series(mixing))
        nothing = [_NOTHING.format(100 * margin)] if bool(found.table["no_batch_effect"].iloc[0]) else []
        told = names[np.unique(of_these.batch)]
        missing = {
            r: np.bincount(of_these.batch, p < 0)[np.unique(of_these.batch)]
            / np.bincount(of_these.batch)[np.unique(of_these.batch)]
            for r, p in enumerate(of_these.population)
        }
        return BatchLeft(
            table,
            found.populations,
            found.differences,
            found.kinds,
            pd.DataFrame(missing, index=told),
            of_these.entropy,
            "these cells" if own_units is None else "samples",
            (*notes, *nothing),
        )

    whole = summed_up(np.ones(int(rows.sum()), dtype=bool))
    masks = {name: check_part(part, name, n)[kept][rows] for name, part in (parts or {}).items()}
    return replace(whole, parts={name: summed_up(inside) for name, inside in masks.items()})


def _gather(
    embeddings: dict[str, NDArray[np.float64]],
    reference: str,
    s: NDArray[np.int64],
    c: NDArray[np.int64],
    rows: NDArray[np.bool_],
    units: NDArray[np.int64] | None,
    kinds: Sequence[str],
    n_repeats: int,
    n_splits: int,
    seed: int,
    with_marginal: bool,
    memory: dict[Any, Any],
) -> Evidence:
    """Train the probes of all embeddings on the same folds; equal codes are probed once."""
    known = {name: hashlib.sha256(np.ascontiguousarray(z).tobytes()).hexdigest() for name, z in embeddings.items()}
    n = int(rows.sum())
    given = np.empty((2, len(embeddings), len(kinds), len(c), n_repeats, n))
    stretch, unsure = np.empty((2, *given.shape[1:-1]))
    marginal = np.full((len(embeddings), n_repeats, n), np.nan)
    composition = np.empty((len(c), n_repeats, n))
    nowhere = np.zeros_like(s)
    with threadpool_limits(limits=1):
        for t in range(n_repeats):
            for r, population in enumerate([*c, None]):
                # Cells without a population are one more level.
                at = nowhere if population is None else population + 1
                folds = deal_folds(s, at, rows, units, n_splits=n_splits, rng=np.random.default_rng([seed, 3, t]))
                # Marginal information, one repeat: it stands beside, and nothing is divided by it.
                beside = ["network"] if t == 0 and with_marginal else []
                for e, (name, z) in enumerate(embeddings.items()):
                    for k, kind in enumerate(beside if population is None else kinds):
                        key = (r, t, kind, known[name])
                        found = _probed(memory, key, z, s, at, folds, kind=kind, seed=[seed, 4, t])
                        if population is None:
                            marginal[e] = found.values[0, rows]
                            continue
                        given[:, e, k, r, t] = found.values[:, rows]
                        stretch[e, k, r, t], unsure[e, k, r, t] = found.stretch, found.unsure
                told = folds.both_ways(folds.log_proportions[:, at[rows], s[rows]].astype(np.float64), folds.rows)
                if population is None:
                    composition[:, t] -= told
                else:
                    composition[r, t] = told
    return Evidence(
        list(embeddings),
        list(kinds),
        list(embeddings).index(reference),
        given,
        stretch,
        unsure,
        marginal,
        composition,
        s[rows],
        c[:, rows],
    )


def _probed(memory: dict[Any, Pointwise], key: Any, *given: Any, **options: Any) -> Pointwise:
    if key not in memory:
        memory[key] = pointwise_information(*given, **options)
    return memory[key]
