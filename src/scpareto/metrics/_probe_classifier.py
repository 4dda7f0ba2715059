"""The classifier behind the probe: small, stopped early, mixed with the label proportions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.neural_network import MLPClassifier

from scpareto._runtime import BestState

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_HIDDEN = (32, 32)
_LEARNING_RATE = 1e-2
_MAX_EPOCHS = 30
_PATIENCE = 6
_INNER_PARTS = 8  # one of them, 12.5 % of the training cells, is held out to stop and to calibrate
# The smallest weight of the label proportions bounds the cost of a confident mistake and costs at most 0.001 nats.
_MIXING_WEIGHTS = np.array([1e-3, 3e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def stratified_parts(labels: NDArray[np.int64], n_parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Divide cells into parts of equal size and equal label proportions, up to one cell per label.

    Unlike the folds of scikit-learn this accepts labels with fewer cells than parts.
    """
    part = np.empty(len(labels), dtype=np.int64)
    part[np.lexsort((rng.random(len(labels)), labels))] = np.arange(len(labels)) % n_parts
    return part


def fit_probe(
    codes: NDArray[np.float64], labels: NDArray[np.int64], *, n_labels: int, rng: np.random.Generator
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Train a probe and return its function from codes ``(n, d)`` to label probabilities ``(n, n_labels)``."""
    inner = stratified_parts(labels, _INNER_PARTS, rng) == 0
    train, held_out = codes[~inner], codes[inner]
    held_out_labels = labels[inner]
    shift, scale = train.mean(axis=0), train.std(axis=0)
    scale[scale == 0] = 1.0
    # Half a cell is added to each label so that one without training cells keeps a probability.
    prior = np.bincount(labels[~inner], minlength=n_labels) + 0.5
    prior /= prior.sum()

    network = _train(
        (train - shift) / scale, labels[~inner], (held_out - shift) / scale, held_out_labels, n_labels, rng
    )
    right = network.predict_proba((held_out - shift) / scale)[np.arange(len(held_out_labels)), held_out_labels]
    gains = [np.log((1 - w) * right + w * prior[held_out_labels]).mean() for w in _MIXING_WEIGHTS]
    weight = _MIXING_WEIGHTS[int(np.argmax(gains))]

    def predict(new: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - weight) * network.predict_proba((new - shift) / scale) + weight * prior

    return predict


def _train(
    codes: NDArray[np.float64],
    labels: NDArray[np.int64],
    held_out: NDArray[np.float64],
    held_out_labels: NDArray[np.int64],
    n_labels: int,
    rng: np.random.Generator,
) -> MLPClassifier:
    """Train until the held-out cross-entropy has not improved for some epochs, and go back to the best weights.

    scikit-learn's own early stopping looks at accuracy, which is blind to over-confidence.
    """
    network = MLPClassifier(
        _HIDDEN,
        # On codes of an encoder that hides batch from a critic, rectified linear units found half as much as tanh.
        activation="tanh",
        learning_rate_init=_LEARNING_RATE,
        # Larger minibatches for more cells, so that the number of steps grows slower than the data.
        batch_size=min(len(codes), int(np.clip(len(codes) // 32, 128, 512))),
        alpha=1e-2,
        random_state=int(rng.integers(2**31)),
    )
    best = BestState(_PATIENCE, least_gain=1e-4)
    for _ in range(_MAX_EPOCHS):
        network.partial_fit(codes, labels, classes=np.arange(n_labels))
        right = network.predict_proba(held_out)[np.arange(len(held_out)), held_out_labels]
        cross_entropy = -np.log(np.maximum(right, 1e-12)).mean()
        # Copies: the optimiser changes the arrays in place.
        best.offer(cross_entropy, lambda: ([w.copy() for w in network.coefs_], [b.copy() for b in network.intercepts_]))
        if best.has_given_up:
            break
    network.coefs_, network.intercepts_ = best.state
    return network
