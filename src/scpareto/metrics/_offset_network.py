"""Small networks that learn what codes add to what is known without them, one per fold and all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEARNING_RATE = 1e-2
_MAX_EPOCHS = 30
_PATIENCE = 6
_LEAST_GAIN = 1e-4
_DECAY = 1e-2
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


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
    """Train one network per fold and return its weights and biases, of the epoch that was best on the inner cells.

    The logits of cell ``i`` in fold ``f`` are ``offsets[f, level[i]]`` plus what the network makes of ``x[i]``. Its
    last layer begins at zero: training begins with what ``level`` tells alone.

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
        Per fold the rows that train, and the rows that say when to stop.
    """
    # All folds take as many steps, so that one product of stacks of matrices serves them.
    least = min(map(len, training))
    size = min(least, int(np.clip(least // 32, 128, 512)))
    weights = _initial(len(training), [x.shape[1], *hidden, offsets.shape[2]], rng)
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    best = [np.inf] * len(training)
    kept = [[w[f].copy() for w in weights] for f in range(len(training))]
    waited, step = np.zeros(len(training), dtype=int), 0
    folds = np.arange(len(training))[:, None]
    for _ in range(_MAX_EPOCHS):
        order = np.stack([rng.permutation(rows)[: least - least % size] for rows in training])
        for begin in range(0, order.shape[1], size):
            rows = order[:, begin : begin + size]
            gradients = _gradients(weights, x[rows], offsets[folds, level[rows]], labels[rows])
            step += 1
            rate = _LEARNING_RATE * np.sqrt(1 - _BETAS[1] ** step) / (1 - _BETAS[0] ** step)
            for w, g, m, v in zip(weights, gradients, first, second, strict=True):
                m += (1 - _BETAS[0]) * (g - m)
                v += (1 - _BETAS[1]) * (g * g - v)
                w -= (rate * m / (np.sqrt(v) + _EPSILON)).astype(np.float32)
        for f, rows in enumerate(inner):
            current = [w[f] for w in weights]
            right = probabilities(current, x[rows], offsets[f, level[rows]])[np.arange(len(rows)), labels[rows]]
            loss = float(-np.log(np.maximum(right, 1e-12)).mean())
            waited[f] += 1
            if loss < best[f] - _LEAST_GAIN:
                best[f], waited[f] = loss, 0
                kept[f] = [w.copy() for w in current]
        if (waited >= _PATIENCE).all():
            break
    return kept


def probabilities(
    weights: list[NDArray[np.float32]], x: NDArray[np.float32], offset: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Label probabilities, shape ``(..., n_cells, n_labels)``."""
    return _softmax(_layers(weights, x)[-1] + offset)


def _initial(n_folds: int, sizes: list[int], rng: np.random.Generator) -> list[NDArray[np.float32]]:
    weights: list[NDArray[np.float32]] = []
    for i, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        bound = 0.0 if i == len(sizes) - 2 else np.sqrt(6 / (n_in + n_out))
        weights.append(rng.uniform(-bound, bound, (n_folds, n_in, n_out)).astype(np.float32))
        weights.append(np.zeros((n_folds, 1, n_out), dtype=np.float32))
    return weights


def _layers(weights: list[NDArray[np.float32]], x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    out = [x]
    for i in range(0, len(weights), 2):
        value = out[-1] @ weights[i] + weights[i + 1]
        out.append(value if i == len(weights) - 2 else np.tanh(value))
    return out


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    values = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return values / values.sum(axis=-1, keepdims=True)


def _gradients(
    weights: list[NDArray[np.float32]],
    x: NDArray[np.float32],
    offset: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> list[NDArray[np.float32]]:
    """Gradients of the mean cross-entropy, and of the decay of the weights, in the order of ``weights``."""
    out = _layers(weights, x)
    n = x.shape[-2]
    back = _softmax(out[-1] + offset)
    np.put_along_axis(back, labels[..., None], np.take_along_axis(back, labels[..., None], axis=-1) - 1, axis=-1)
    back /= n
    gradients: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(weights)
    for i in range(len(weights) - 2, -1, -2):
        inputs = out[i // 2]
        gradients[i] = np.swapaxes(inputs, -1, -2) @ back + np.float32(_DECAY / n) * weights[i]
        gradients[i + 1] = back.sum(axis=-2, keepdims=True)
        if i:
            back = (back @ np.swapaxes(weights[i], -1, -2)) * (1 - inputs**2)
    return gradients
