"""Information of each cell's codes about a label given a level, from cross-fitted probes."""

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
# Networks of a fold, each stopped on another inner part; their mean is more robust than a single one.
_N_MEMBERS = 3
_N_NEIGHBORS = 30
# Strengths of the step from the proportions of the level to the prediction, and weights at which these are mixed in.
_STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)
_MIXING_WEIGHTS = (1e-3, 0.01, 0.05)
# Trees memorise their training cells, so that only held-out cells count.
_HELD_OUT_ONLY = ("boosting",)
_MIN_SHARE = 0.4
_CHANCE_GAIN = 3.0  # twice a gain in log likelihood is chi-squared with two degrees of freedom: 6.0 at 5 %


@dataclass(frozen=True, eq=False)
class PointwiseInformation:
    r"""Information that a probe finds, cell by cell.

    Attributes
    ----------
    values
        Information in nats, ``(2, n_cells)``, NaN for cells that are not scored. The first row is the estimate, zero
        where the probe finds no more than chance. There the second row has the largest value that the probe could have
        missed, for the upper ends of intervals; elsewhere the rows are equal.
    stretch
        Factor by which the standard deviation of the mean exceeds that computed from the values of the cells. A probe
        trained on finitely many cells finds only a share :math:`a` of the log ratios and of their scatter, while the
        mean is corrected. The factor is :math:`\sqrt{(1 + a) / 2} / a`, with half of the variance due to noise that was
        fitted.
    uncertainty
        Largest distance of the truth from the estimate, as a share of it: down to the held-out value, and equally far
        up towards the training value.
    """

    values: NDArray[np.float64]
    stretch: float
    uncertainty: float


@dataclass(frozen=True, eq=False)
class Folds:
    """Scored and training cells of each fold, and the proportions of the labels in each level.

    Attributes
    ----------
    scored, training
        Rows per fold. Scored rows of a fold train the probes of all other folds, not its own.
    inner
        Per fold the inner part of each of its training rows: 0 to 7, or fewer if parts are whole samples.
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

    def mean_of_held_out_and_training(
        self, values: NDArray[np.float64], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Average the value of the fold that holds a cell out with the mean of the folds that it trains.

        A fit is too good on its training cells and, by the same amount, too bad on other cells.

        Parameters
        ----------
        values
            Of each fold and scored row, ``(n_folds, n_rows)``.
        """
        held_out = values[self.fold_of[rows], np.arange(len(rows))]
        return held_out / 2 + (values.sum(axis=0) - held_out) / (2 * (len(values) - 1))


def assign_folds(
    labels: NDArray[np.int64],
    level: NDArray[np.int64],
    scored: NDArray[np.bool_],
    sample: NDArray[np.int64] | None,
    *,
    n_splits: int,
    rng: np.random.Generator,
) -> Folds:
    """Assign scored cells to folds with equal shares of labels and levels, or whole samples within labels."""
    n_labels, n_levels = int(labels.max()) + 1, int(level.max()) + 1
    if sample is None:
        part = np.full(len(labels), -1)
        part[scored] = stratified_parts((labels * n_levels + level)[scored], n_splits, rng)
    else:
        # Cells that only train get a fold too, so that no sample is both scored and used to train a probe.
        part = _assign_samples(labels, sample, n_splits, rng)
    rows: dict[str, list[NDArray[np.int64]]] = {"scored": [], "training": [], "inner": []}
    log_proportions = np.empty((n_splits, n_levels, n_labels), dtype=np.float32)
    for fold in range(n_splits):
        free = np.flatnonzero(part != fold)
        if sample is None:
            inner = stratified_parts((labels * n_levels + level)[free], _INNER_PARTS, rng)
        else:
            # With cells of the training samples, early stopping would come too late for new samples.
            n_left = min(len(np.unique(sample[free][labels[free] == b])) for b in range(n_labels))
            inner = _assign_samples(labels[free], sample[free], min(_INNER_PARTS, n_left), rng)
        rows["scored"].append(np.flatnonzero((part == fold) & scored))
        rows["training"].append(free)
        rows["inner"].append(inner)
        counts = np.zeros((n_levels, n_labels))
        np.add.at(counts, (level[free], labels[free]), 1)
        # One cell with the overall proportions is added to each level, so that labels unseen there have a probability.
        overall = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * n_labels)
        log_proportions[fold] = np.log((counts + overall) / (counts.sum(axis=1, keepdims=True) + 1))
    fold_of = np.where(scored, part, -1)
    return Folds(rows["scored"], rows["training"], rows["inner"], log_proportions, fold_of, sample)


def _assign_samples(
    labels: NDArray[np.int64], sample: NDArray[np.int64], n_parts: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Part of each cell, the same for all cells of a sample; the samples of each label are spread over the parts."""
    part_of = np.zeros(int(sample.max()) + 1, dtype=np.int64)
    for b in np.unique(labels):
        samples = np.unique(sample[labels == b])
        part_of[rng.permutation(samples)] = np.arange(len(samples)) % n_parts
    return part_of[sample]


def pointwise_information(
    codes: NDArray[np.float64],
    labels: NDArray[np.int64],
    level: NDArray[np.int64],
    folds: Folds,
    *,
    kind: str,
    seed: list[int],
) -> PointwiseInformation:
    """Compute the log probability of each scored cell's label given codes and level, minus that given the level.

    Initial weights and minibatches depend on ``seed`` and the folds alone.
    """
    scale = codes.std(axis=0)
    z = ((codes - codes.mean(axis=0)) / np.where(scale > 1e-12 * (1 + np.abs(codes).max()), scale, np.inf)).astype(
        np.float32
    )
    predict = PROBES[kind](z, labels, level, folds, np.random.default_rng(seed))
    values, stretch, uncertainty = np.full((2, len(labels)), np.nan), 1.0, 0.0
    # Cells without a population (the first level) are calibrated separately: a probe may be sure of these and not of
    # others.
    for without_population in (True, False):
        rows = folds.rows[(level[folds.rows] == 0) == without_population]
        if len(rows):
            predicted = np.stack([predict(fold, rows) for fold in range(len(folds.scored))]).astype(np.float64)
            log_proportions = folds.log_proportions[:, level[rows]].astype(np.float64)
            information = _calibrate(
                np.log(np.maximum(predicted, 1e-12)), log_proportions, labels[rows], rows, folds, kind
            )
            values[:, rows] = information.values
            if not without_population:
                stretch, uncertainty = information.stretch, information.uncertainty
    return PointwiseInformation(values, stretch, uncertainty)


def _calibrate(
    log_predicted: NDArray[np.float64],
    log_proportions: NDArray[np.float64],
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    folds: Folds,
    kind: str,
) -> PointwiseInformation:
    """Compute the gain in log probability of each cell's label, corrected for over-confidence.

    A strength moves log probabilities from those without codes towards the probe's, and the result is mixed with a
    little of the former. Both numbers are chosen once for all held-out cells, which adds about 1 / n nats; choosing
    them on inner parts of each fold would cost far more. A gain that two free numbers reach by chance in one case of
    twenty counts as zero.
    """
    held_out = (folds.fold_of[rows], np.arange(len(rows)))
    best, chosen = np.zeros(len(rows)), None
    for strength in _STRENGTHS:
        gains = _log_gain(log_predicted[held_out], log_proportions[held_out], labels, strength)
        for weight in _MIXING_WEIGHTS:
            gain = np.log((1 - weight) * np.exp(gains) + weight)
            if gain.mean() > best.mean():
                best, chosen = gain, (strength, weight)

    def estimate(strength: float, weight: float) -> tuple[NDArray[np.float64], float]:
        gains_of_folds = np.log(
            (1 - weight) * np.exp(_log_gain(log_predicted, log_proportions, labels, strength)) + weight
        )
        values = (
            gains_of_folds[held_out]
            if kind in _HELD_OUT_ONLY
            else folds.mean_of_held_out_and_training(gains_of_folds, rows)
        )
        return values, gains_of_folds[held_out].mean() / max(values.mean(), 1e-12)

    # The gain at the smallest strength is proportional to the slope; its scatter shows what chance gives without
    # information.
    inflation = _variance_inflation(
        _log_gain(log_predicted[held_out], log_proportions[held_out], labels, _STRENGTHS[0]), labels, rows, folds
    )
    limit = _CHANCE_GAIN * inflation / len(rows)
    if chosen is None or best.mean() <= _CHANCE_GAIN / len(rows):
        # Nothing was found on held-out cells. The upper bound is the most at any strength, or the detection limit.
        most = max((estimate(strength, min(_MIXING_WEIGHTS))[0] for strength in _STRENGTHS), key=np.mean)
        return PointwiseInformation(np.stack([np.zeros(len(rows)), most + max(limit - most.mean(), 0)]), 1.0, 0.0)
    values, share = estimate(*chosen)
    shrinkage = np.clip(share, _MIN_SHARE, 1)
    return PointwiseInformation(
        np.stack([values, values + max(limit - values.mean(), 0)]),
        float(np.sqrt((1 + shrinkage) / 2) / shrinkage),
        float(max(1 - share, 0)),
    )


def _log_gain(
    log_predicted: NDArray[np.float64], log_proportions: NDArray[np.float64], labels: NDArray[np.int64], strength: float
) -> NDArray[np.float64]:
    logits = log_proportions + strength * (log_predicted - log_proportions)
    index = (*np.indices(logits.shape[:-1], sparse=True)[:-1], np.arange(len(labels)), labels)
    return logits[index] - logsumexp(logits, axis=-1) - log_proportions[index]


def _variance_inflation(
    gain: NDArray[np.float64], labels: NDArray[np.int64], rows: NDArray[np.int64], folds: Folds
) -> float:
    """Ratio of the variance of the sum of gains to that for independent cells, at least 1."""
    if folds.sample is None:
        return 1.0
    # Different mean gains of batches are no scatter between samples.
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
    """Proportions among the nearest training cells of the same level, plus one cell with the level's proportions."""

    def predict(fold: int, rows: NDArray[np.int64]) -> NDArray:
        proportions = np.exp(folds.log_proportions[fold])
        out = proportions[level[rows]]
        for level_number in np.unique(level[rows]):
            cells_of_level = np.flatnonzero(level[rows] == level_number)
            training_of_level = folds.training[fold][level[folds.training[fold]] == level_number]
            if not len(training_of_level):
                continue
            k = min(_N_NEIGHBORS, len(training_of_level))
            near = (
                NearestNeighbors(n_neighbors=k)
                .fit(z[training_of_level])
                .kneighbors(z[rows[cells_of_level]], return_distance=False)
            )
            counts = np.stack(
                [(labels[training_of_level][near] == b).sum(axis=1) for b in range(proportions.shape[1])], axis=1
            )
            out[cells_of_level] = (counts + proportions[level_number]) / (k + 1)
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
