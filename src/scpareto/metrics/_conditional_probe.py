"""What codes tell about a label beyond what a known level tells, cell by cell, from cross-fitted probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import NearestNeighbors

from scpareto.metrics._offset_network import fit_offset_networks, probabilities
from scpareto.metrics._probe_classifier import stratified_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INNER_PARTS = 8
# Networks of a fold, each stopped on another inner part: their mean is misled less than one of them.
_N_MEMBERS = 3
_N_NEIGHBORS = 30
# How far predictions may go from what the level tells alone, and how much of that is mixed in.
_STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)
_MIXING_WEIGHTS = (1e-3, 0.01, 0.05)
# Trees learn their training cells by heart: nothing can be read from how well they tell these.
_HELD_OUT_ALONE = ("boosting",)
_LEAST_SHARE = 0.4
_CHANCE = 3.0  # twice a gain in log likelihood is chi-squared with two degrees of freedom: 6.0 at 5 %


@dataclass(frozen=True, eq=False)
class Pointwise:
    r"""What a probe tells, cell by cell.

    Attributes
    ----------
    values
        Information in nats, ``(2, n_cells)``, NaN for cells that are not scored. The first row is the estimate. The
        second differs where the probe finds no more than chance does, which the first row calls nothing: it has the
        most that the probe could have found, for upper ends of intervals.
    stretch
        How many times the mean scatters more than values of cells do. A probe that learns from finite cells keeps to a
        share :math:`a` of the log ratios, and their scatter to as much, while the mean is made up for; the factor is
        :math:`\sqrt{(1 + a) / 2} / a`, with half of the variance of what was fitted to chance.
    unsure
        How far the truth may lie below and above the estimate, as a share of it: to what held-out cells say, and as far
        towards what training cells say.
    """

    values: NDArray[np.float64]
    stretch: float
    unsure: float


@dataclass(frozen=True, eq=False)
class Folds:
    """Which cells score and train in each fold, and what the level tells about the label there.

    Attributes
    ----------
    scored, training
        Rows per fold. Scored rows of a fold train no probe of it, and those of all other folds.
    inner
        Per fold the inner part of each of its training rows: 0 to 7, or fewer parts of whole samples.
    log_proportions
        Log proportions of the labels within each level, of the training rows, ``(n_folds, n_levels, n_labels)``.
    fold_of
        Fold that scores each cell, ``(n_cells,)``, -1 for none.
    sample
        Sample of each cell, where folds are whole samples.
    """

    scored: list[NDArray[np.int64]]
    training: list[NDArray[np.int64]]
    inner: list[NDArray[np.int64]]
    log_proportions: NDArray[np.float32]
    fold_of: NDArray[np.int64]
    sample: NDArray[np.int64] | None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Scored rows of all folds, in order."""
        return np.flatnonzero(self.fold_of >= 0)

    def both_ways(self, values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean of the value of a cell's own fold, in which it is held out, and of the folds that it trains.

        What is fitted to some cells is too good on these and, to the same amount, too bad on others.

        Parameters
        ----------
        values
            Of each fold and scored row, ``(n_folds, n_rows)``.
        """
        held_out = values[self.fold_of[rows], np.arange(len(rows))]
        return held_out / 2 + (values.sum(axis=0) - held_out) / (2 * (len(values) - 1))


def deal_folds(
    labels: NDArray[np.int64],
    level: NDArray[np.int64],
    scored: NDArray[np.bool_],
    sample: NDArray[np.int64] | None,
    *,
    n_splits: int,
    rng: np.random.Generator,
) -> Folds:
    """Deal scored cells into parts with equal shares of labels and levels, or whole samples within labels."""
    n_labels, n_levels = int(labels.max()) + 1, int(level.max()) + 1
    if sample is None:
        part = np.full(len(labels), -1)
        part[scored] = stratified_parts((labels * n_levels + level)[scored], n_splits, rng)
    else:
        # Cells that only train are dealt too: those of a sample that is scored stay out of its probe.
        part = _deal_samples(labels, sample, n_splits, rng)
    rows: dict[str, list[NDArray[np.int64]]] = {"scored": [], "training": [], "inner": []}
    log_proportions = np.empty((n_splits, n_levels, n_labels), dtype=np.float32)
    for fold in range(n_splits):
        free = np.flatnonzero(part != fold)
        if sample is None:
            inner = stratified_parts((labels * n_levels + level)[free], _INNER_PARTS, rng)
        else:
            # Cells of samples that train would stop too late for samples that do not.
            n_left = min(len(np.unique(sample[free][labels[free] == b])) for b in range(n_labels))
            inner = _deal_samples(labels[free], sample[free], min(_INNER_PARTS, n_left), rng)
        rows["scored"].append(np.flatnonzero((part == fold) & scored))
        rows["training"].append(free)
        rows["inner"].append(inner)
        counts = np.zeros((n_levels, n_labels))
        np.add.at(counts, (level[free], labels[free]), 1)
        # One cell of the overall proportions is added to each level: a label unseen there keeps a probability.
        overall = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * n_labels)
        log_proportions[fold] = np.log((counts + overall) / (counts.sum(axis=1, keepdims=True) + 1))
    fold_of = np.where(scored, part, -1)
    return Folds(rows["scored"], rows["training"], rows["inner"], log_proportions, fold_of, sample)


def _deal_samples(
    labels: NDArray[np.int64], sample: NDArray[np.int64], n_parts: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Part of each cell, the same for all cells of a sample; the samples of each label are spread over the parts."""
    part_of = np.zeros(int(sample.max()) + 1, dtype=np.int64)
    for b in np.unique(labels):
        own = np.unique(sample[labels == b])
        part_of[rng.permutation(own)] = np.arange(len(own)) % n_parts
    return part_of[sample]


def pointwise_information(
    codes: NDArray[np.float64],
    labels: NDArray[np.int64],
    level: NDArray[np.int64],
    folds: Folds,
    *,
    kind: str,
    seed: list[int],
) -> Pointwise:
    """Log probability of each scored cell's label given codes and level, less that given the level.

    Initial weights and minibatches depend on ``seed`` and the folds alone.
    """
    scale = codes.std(axis=0)
    z = ((codes - codes.mean(axis=0)) / np.where(scale > 1e-12 * (1 + np.abs(codes).max()), scale, np.inf)).astype(
        np.float32
    )
    predict = PROBES[kind](z, labels, level, folds, np.random.default_rng(seed))
    values, stretch, unsure = np.full((2, len(labels)), np.nan), 1.0, 0.0
    # Apart for cells without a population, which are the first level: a probe may be sure of these and not of others.
    for nowhere in (True, False):
        rows = folds.rows[(level[folds.rows] == 0) == nowhere]
        if len(rows):
            told = np.stack([predict(fold, rows) for fold in range(len(folds.scored))]).astype(np.float64)
            alone = folds.log_proportions[:, level[rows]].astype(np.float64)
            found = _calibrated(np.log(np.maximum(told, 1e-12)), alone, labels[rows], rows, folds, kind)
            values[:, rows] = found.values
            if not nowhere:
                stretch, unsure = found.stretch, found.unsure
    return Pointwise(values, stretch, unsure)


def _calibrated(
    told: NDArray[np.float64],
    alone: NDArray[np.float64],
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    folds: Folds,
    kind: str,
) -> Pointwise:
    """Gain in log probability of each cell's label, with over-confidence taken back.

    Probabilities go from those without codes towards the probe's by a strength, and are mixed with a little of the
    former. Both numbers are chosen for all held-out cells at once: two numbers from many cells, which adds about 1 / n
    nats, where a choice on a part of the training cells of each fold costs far more. A gain that two free numbers reach
    by chance in one case of twenty counts as none.
    """
    own = (folds.fold_of[rows], np.arange(len(rows)))
    best, chosen = np.zeros(len(rows)), None
    for strength in _STRENGTHS:
        gains = _gain(told[own], alone[own], labels, strength)
        for weight in _MIXING_WEIGHTS:
            gain = np.log((1 - weight) * np.exp(gains) + weight)
            if gain.mean() > best.mean():
                best, chosen = gain, (strength, weight)

    def estimate(strength: float, weight: float) -> tuple[NDArray[np.float64], float]:
        every = np.log((1 - weight) * np.exp(_gain(told, alone, labels, strength)) + weight)
        found = every[own] if kind in _HELD_OUT_ALONE else folds.both_ways(every, rows)
        return found, every[own].mean() / max(found.mean(), 1e-12)

    # The gain at the least strength goes with the slope, whose scatter says what chance does where there is nothing.
    alike = _alike_within_samples(_gain(told[own], alone[own], labels, _STRENGTHS[0]), labels, rows, folds)
    limit = _CHANCE * alike / len(rows)
    if chosen is None or best.mean() <= _CHANCE / len(rows):
        # Held-out cells advise to believe nothing. There may be as much as is found at another strength, or is missed.
        at_most = max((estimate(strength, min(_MIXING_WEIGHTS))[0] for strength in _STRENGTHS), key=np.mean)
        return Pointwise(np.stack([np.zeros(len(rows)), at_most + max(limit - at_most.mean(), 0)]), 1.0, 0.0)
    found, share = estimate(*chosen)
    held_back = np.clip(share, _LEAST_SHARE, 1)
    return Pointwise(
        np.stack([found, found + max(limit - found.mean(), 0)]),
        float(np.sqrt((1 + held_back) / 2) / held_back),
        float(max(1 - share, 0)),
    )


def _gain(
    told: NDArray[np.float64], alone: NDArray[np.float64], labels: NDArray[np.int64], strength: float
) -> NDArray[np.float64]:
    logits = alone + strength * (told - alone)
    at = (*np.indices(logits.shape[:-1], sparse=True)[:-1], np.arange(len(labels)), labels)
    return logits[at] - logsumexp(logits, axis=-1) - alone[at]


def _alike_within_samples(
    gain: NDArray[np.float64], labels: NDArray[np.int64], rows: NDArray[np.int64], folds: Folds
) -> float:
    """How many times the sum of gains scatters more, in variance, than if cells of a sample were independent."""
    if folds.sample is None:
        return 1.0
    # Batches may gain unequally without any scatter between their samples.
    centred = gain - (np.bincount(labels, gain) / np.maximum(np.bincount(labels), 1))[labels]
    return max(1.0, float((np.bincount(folds.sample[rows], centred) ** 2).sum() / max((centred**2).sum(), 1e-12)))


Predictor = Callable[[int, "NDArray[np.int64]"], "NDArray"]
Probe = Callable[
    ["NDArray[np.float32]", "NDArray[np.int64]", "NDArray[np.int64]", Folds, np.random.Generator], Predictor
]


def _network(*hidden: int) -> Probe:
    def probe(
        z: NDArray[np.float32],
        labels: NDArray[np.int64],
        level: NDArray[np.int64],
        folds: Folds,
        rng: np.random.Generator,
    ) -> Predictor:
        one_hot = np.eye(folds.log_proportions.shape[1], dtype=np.float32)[level]
        x = np.concatenate([z, one_hot], axis=1)
        pairs = [(f, part) for f, inner in enumerate(folds.inner) for part in range(min(_N_MEMBERS, inner.max() + 1))]
        training = [folds.training[f][folds.inner[f] != part] for f, part in pairs]
        stops = [folds.training[f][folds.inner[f] == part] for f, part in pairs]
        offsets = folds.log_proportions[[f for f, _ in pairs]]
        trained = fit_offset_networks(x, labels, offsets, level, training, stops, hidden=hidden, rng=rng)

        def predict(fold: int, rows: NDArray[np.int64]) -> NDArray:
            offset = folds.log_proportions[fold, level[rows]]
            members = [weights for (f, _), weights in zip(pairs, trained, strict=True) if f == fold]
            return np.mean([probabilities(weights, x[rows], offset) for weights in members], axis=0)

        return predict

    return probe


def _neighbors(
    z: NDArray[np.float32],
    labels: NDArray[np.int64],
    level: NDArray[np.int64],
    folds: Folds,
    rng: np.random.Generator,
) -> Predictor:
    """Proportions among the nearest training cells of the same level, and as much of one cell that says nothing."""

    def predict(fold: int, rows: NDArray[np.int64]) -> NDArray:
        known = np.exp(folds.log_proportions[fold])
        out = known[level[rows]]
        for at in np.unique(level[rows]):
            near_to = np.flatnonzero(level[rows] == at)
            others = folds.training[fold][level[folds.training[fold]] == at]
            if not len(others):
                continue
            k = min(_N_NEIGHBORS, len(others))
            near = NearestNeighbors(n_neighbors=k).fit(z[others]).kneighbors(z[rows[near_to]], return_distance=False)
            counts = np.stack([(labels[others][near] == b).sum(axis=1) for b in range(known.shape[1])], axis=1)
            out[near_to] = (counts + known[at]) / (k + 1)
        return out

    return predict


def _boosting(
    z: NDArray[np.float32],
    labels: NDArray[np.int64],
    level: NDArray[np.int64],
    folds: Folds,
    rng: np.random.Generator,
) -> Predictor:
    x = np.column_stack([z, level])
    state = int(rng.integers(2**31))
    trained = []
    for training in folds.training:
        trees = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, l2_regularization=1.0, early_stopping=False, random_state=state
        )
        trained.append(trees.fit(x[training], labels[training]))

    def predict(fold: int, rows: NDArray[np.int64]) -> NDArray:
        out = np.zeros((len(rows), folds.log_proportions.shape[2]))
        out[:, trained[fold].classes_] = trained[fold].predict_proba(x[rows])
        return out

    return predict


# One line per kind.
PROBES: dict[str, Probe] = {
    "network": _network(32, 32),
    "linear": _network(),
    "wide network": _network(128, 64),
    "neighbors": _neighbors,
    "boosting": _boosting,
}
