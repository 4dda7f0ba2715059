"""Information about a label that a freshly trained classifier finds in codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._probe_classifier import fit_probe, stratified_parts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """Result of a cross-fitted probe; all numbers in nats.

    Attributes
    ----------
    value
        Information bound, the mean of ``per_cell``.
    low, high
        Bootstrap interval over cells.
    per_cell
        Pointwise information of each scored cell, shape ``(n_cells,)``; negative where the probe was misled.
    entropy
        Entropy of the labels of the scored cells, the upper limit of ``value``.

    Examples
    --------
    Noise holds no information, and no codes hold more than the entropy of the labels:

    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(200, 2))
    >>> probe = probe_information(codes, np.arange(200) % 2, n_bootstrap=50)
    >>> probe.low <= probe.value <= probe.high, probe.value < 0.1, round(probe.entropy, 2)
    (True, True, 0.69)
    """

    value: float
    low: float
    high: float
    per_cell: NDArray[np.float64]
    entropy: float


def probe_information(
    codes: ArrayLike,
    labels: ArrayLike,
    *,
    extra_codes: ArrayLike | None = None,
    extra_labels: ArrayLike | None = None,
    n_splits: int = 5,
    n_bootstrap: int = 200,
    seed: int = 0,
    level: float = 0.95,
    max_training_cells: int = 20_000,
) -> ProbeResult:
    r"""Lower bound on the information that codes carry about a label, from a fresh cross-fitted classifier.

    The cells are divided into ``n_splits`` parts with equal label proportions. The cells of a part are scored by a
    probe trained on the other parts and on the extra cells. No cell is scored by a probe that saw it, so that an
    overfitted probe lowers the value instead of raising it.

    Parameters
    ----------
    codes
        Codes of the cells to score (test cells), shape ``(n_cells, n_latent)``.
    labels
        One label per cell, shape ``(n_cells,)``; at least two distinct ones.
    extra_codes
        Codes of cells that only help to train the probe (training and validation cells), shape
        ``(n_extra, n_latent)``. More training cells make the bound tighter.
    extra_labels
        Labels of the extra cells, shape ``(n_extra,)``. Extra cells of a label that no scored cell has are left out.
    n_splits
        Parts of the cross-fitting.
    n_bootstrap
        Bootstrap samples of the interval.
    seed
        Seed of parts, initial weights, minibatches and bootstrap. Equal seeds give equal results.
    level
        Coverage of the interval.
    max_training_cells
        A probe trained on more cells than this uses a random subset of this size.

    Returns
    -------
    ProbeResult
        Bound, interval and pointwise information, in nats.

    Raises
    ------
    ValueError
        If codes are not finite, shapes disagree, labels are missing, there is only one label, there are fewer than 10
        cells or fewer than ``n_splits``, or an option is out of range.

    Notes
    -----
    For any classifier :math:`q(s \mid z)`, and with :math:`\pi` the label proportions of the scored cells,

    .. math::
        I(z; s) \ge H(s) - \mathrm{CE}(q)
        = \frac{1}{n} \sum_i \left[ \log q(s_i \mid z_i) - \log \pi(s_i) \right] ,

    with equality for the true posterior. The probe is a small multilayer perceptron on standardised codes, so that
    information in a dimension of tiny scale is found too. It stops early on the cross-entropy of an inner
    held-out part of its training cells; on the same part its probabilities are mixed with the label proportions,
    which keeps the value near zero where there is no information. The interval covers the choice of the scored cells,
    not the training of the probe.

    The networks are too small to gain from threads. Linear algebra uses one thread while they train, which also makes
    results independent of the number of cores.

    References
    ----------
    Barber, D. and Agakov, F. (2003). The IM algorithm: a variational approach to information maximization. NIPS 16.

    Examples
    --------
    >>> import numpy as np
    >>> batch = np.repeat(["a", "b"], 200)
    >>> codes = np.random.default_rng(0).normal(size=(400, 2)) + 6 * (batch == "b")[:, None]
    >>> result = probe_information(codes, batch)
    >>> round(result.entropy, 2), bool(0.65 < result.value < 0.70)
    (0.69, True)
    """
    z = check_matrix(codes, "codes")
    text = check_labels(labels, "labels", n_cells=len(z), min_labels=2)
    check_count(n_splits, "n_splits", minimum=2)
    check_count(n_bootstrap, "n_bootstrap", minimum=1)
    check_count(max_training_cells, "max_training_cells", minimum=10)
    if not 0 < level < 1:
        raise ValueError(f"`level` is {level}; give a coverage between 0 and 1.")
    if len(z) < max(n_splits, 10):
        raise ValueError(f"`codes` has {len(z)} cells; the probe needs at least {max(n_splits, 10)}.")
    extra_z, extra_text = _check_extra(extra_codes, extra_labels, n_latent=z.shape[1])

    names, label, size = np.unique(text, return_inverse=True, return_counts=True)
    is_scored_label = np.isin(extra_text, names)
    extra_z, extra_label = extra_z[is_scored_label], np.searchsorted(names, extra_text[is_scored_label])
    log_pi = np.log(size / len(z))

    rng = np.random.default_rng(seed)
    part = stratified_parts(label, n_splits, rng)
    per_cell = np.empty(len(z))
    with threadpool_limits(limits=1, user_api="blas"):
        for fold in range(n_splits):
            held_out = part == fold
            train_z = np.concatenate([z[~held_out], extra_z])
            train_label = np.concatenate([label[~held_out], extra_label])
            if len(train_z) > max_training_cells:
                chosen = rng.choice(len(train_z), max_training_cells, replace=False)
                train_z, train_label = train_z[chosen], train_label[chosen]
            predict = fit_probe(train_z, train_label, n_labels=len(names), rng=rng)
            label_of_part = label[held_out]
            per_cell[held_out] = (
                np.log(predict(z[held_out])[np.arange(len(label_of_part)), label_of_part]) - log_pi[label_of_part]
            )

    means = [per_cell[rng.integers(len(z), size=len(z))].mean() for _ in range(n_bootstrap)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    entropy = -float(log_pi[label].mean())
    return ProbeResult(float(per_cell.mean()), float(low), float(high), per_cell, entropy)


def _check_extra(
    codes: ArrayLike | None, labels: ArrayLike | None, *, n_latent: int
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    if (codes is None) != (labels is None):
        raise ValueError("`extra_codes` and `extra_labels` belong together; give both or neither.")
    if codes is None or labels is None or len(np.asarray(codes)) == 0:
        return np.empty((0, n_latent)), np.empty(0, dtype=str)
    z = check_matrix(codes, "extra_codes")
    if z.shape[1] != n_latent:
        raise ValueError(
            f"`extra_codes` has {z.shape[1]} columns but `codes` has {n_latent}; give the same dimensions."
        )
    return z, check_labels(labels, "extra_labels", n_cells=len(z))
