"""Small networks that learn a correction of known log proportions from codes, one per fold, trained together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEARNING_RATE = 1e-2
_MAX_EPOCHS = 30
_PATIENCE = 6
_MIN_GAIN = 1e-4
_DECAY = 1e-2
_BETAS, _EPSILON = (0.9, 0.999), 1e-8
_MAX_LOGIT = 80.0
"""Size of a logit beyond which probabilities are 0 or 1 in single precision."""


def fit_offset_networks(
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    offsets: NDArray[np.float32],
    level: NDArray[np.int64],
    training: list[NDArray[np.int64]],
    inner: list[NDArray[np.int64]],
    *,
    hidden: tuple[int, ...],
    rng: np.random.Generator,
) -> list[list[NDArray[np.float32]]]:
    """Train one network per fold and return the weights and biases of the epoch that was best on the inner cells.

    The logits of cell ``i`` in fold ``f`` are ``offsets[f, level[i]]`` plus the output of the network for ``x[i]``. The
    last layer starts at zero, so that training starts from the proportions of the level.

    Parameters
    ----------
    x
        Inputs, shape ``(n_cells, n_inputs)``, on a scale of about 1.
    labels
        Label of each cell, shape ``(n_cells,)``.
    offsets
        Log proportions of the labels, shape ``(n_folds, n_levels, n_labels)``.
    level
        Level of each cell, shape ``(n_cells,)``.
    training, inner
        Per fold the training rows, and the rows for early stopping.
    """
    # All folds take equally many steps, so that one product of stacked matrices serves all of them.
    n_per_epoch = min(map(len, training))
    size = min(n_per_epoch, int(np.clip(n_per_epoch // 32, 128, 512)))
    flat, weights = _initial_weights(len(training), [x.shape[1], *hidden, offsets.shape[2]], rng)
    first, second = np.zeros_like(flat), np.zeros_like(flat)
    one_hot = np.eye(offsets.shape[2], dtype=np.float32)[labels]
    best = [np.inf] * len(training)
    best_weights = [[w[f].copy() for w in weights] for f in range(len(training))]
    waited, step = np.zeros(len(training), dtype=int), 0
    folds = np.arange(len(training))[:, None]
    for _ in range(_MAX_EPOCHS):
        order = np.stack([rng.permutation(rows)[: n_per_epoch - n_per_epoch % size] for rows in training])
        for begin in range(0, order.shape[1], size):
            rows = order[:, begin : begin + size]
            gradient = _gradient(weights, x[rows], offsets[folds, level[rows]], one_hot[rows])
            step += 1
            rate = _LEARNING_RATE * np.sqrt(1 - _BETAS[1] ** step) / (1 - _BETAS[0] ** step)
            first += np.float32(1 - _BETAS[0]) * (gradient - first)
            second += np.float32(1 - _BETAS[1]) * (gradient * gradient - second)
            flat -= np.float32(rate) * first / (np.sqrt(second) + np.float32(_EPSILON))
        for f, rows in enumerate(inner):
            current = [w[f] for w in weights]
            right = probabilities(current, x[rows], offsets[f, level[rows]])[np.arange(len(rows)), labels[rows]]
            loss = float(-np.log(np.maximum(right, 1e-12)).mean())
            waited[f] += 1
            if loss < best[f] - _MIN_GAIN:
                best[f], waited[f] = loss, 0
                best_weights[f] = [w.copy() for w in current]
        if (waited >= _PATIENCE).all():
            break
    return best_weights


def probabilities(
    weights: list[NDArray[np.float32]], x: NDArray[np.float32], offset: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Label probabilities, shape ``(..., n_cells, n_labels)``."""
    return _softmax(_layers(weights, x)[-1] + offset)


def _initial_weights(
    n_folds: int, sizes: list[int], rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return all weights in one array, and each layer's weights and biases as views into it."""
    weights: list[NDArray[np.float32]] = []
    for i, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        bound = 0.0 if i == len(sizes) - 2 else np.sqrt(6 / (n_in + n_out))
        weights.append(rng.uniform(-bound, bound, (n_folds, n_in, n_out)).astype(np.float32))
        weights.append(np.zeros((n_folds, 1, n_out), dtype=np.float32))
    every = np.concatenate([w.ravel() for w in weights])
    ends = np.cumsum([w.size for w in weights])
    return every, [part.reshape(w.shape) for part, w in zip(np.split(every, ends[:-1]), weights, strict=True)]


def _layers(weights: list[NDArray[np.float32]], x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    out = [x]
    for i in range(0, len(weights), 2):
        value = out[-1] @ weights[i]
        value += weights[i + 1]
        out.append(value if i == len(weights) - 2 else np.tanh(value, out=value))
    return out


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # Sums over few labels are products with a column of ones: many times faster than sums over a short axis.
    values = np.exp(np.clip(logits, -_MAX_LOGIT, _MAX_LOGIT))
    return values / (values @ np.ones((logits.shape[-1], 1), dtype=np.float32))


def _gradient(
    weights: list[NDArray[np.float32]],
    x: NDArray[np.float32],
    offset: NDArray[np.float32],
    one_hot: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Gradient of the mean cross-entropy, and of the decay of the weights, in the order of ``weights``."""
    out = _layers(weights, x)
    n = x.shape[-2]
    row = np.ones((1, n), dtype=np.float32)
    back = _softmax(out[-1] + offset)
    back -= one_hot
    back /= np.float32(n)
    gradients: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(weights)
    for i in range(len(weights) - 2, -1, -2):
        inputs = out[i // 2]
        gradients[i] = np.swapaxes(inputs, -1, -2) @ back + np.float32(_DECAY / n) * weights[i]
        gradients[i + 1] = row @ back
        if i:
            back = back @ np.swapaxes(weights[i], -1, -2)
            back *= 1 - inputs * inputs
    return np.concatenate([g.ravel() for g in gradients])
