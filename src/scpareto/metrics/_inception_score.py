"""How clearly and how diversely generated cells belong to cell types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from scpareto.metrics._checks import check_count, check_labels, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PSEUDOCOUNT = 1e-6


@dataclass(frozen=True)
class InceptionScore:
    """Score of generated cells.

    Attributes
    ----------
    value
        Mean over parts of the generated cells; from 1 to the number of types.
    sd
        Standard deviation over parts.

    Examples
    --------
    Generated cells of two types, half of either, as clear as real ones; the score is close to 2:

    >>> import numpy as np
    >>> labels = np.arange(90) % 2
    >>> real = np.random.default_rng(0).normal(size=(90, 3)) + 9.0 * labels[:, None]
    >>> score = inception_score(real, labels, real, n_trees=20)
    >>> round(score.value, 1), score.sd < 0.1
    (2.0, True)
    """

    value: float
    sd: float


def inception_score(
    real: ArrayLike,
    labels: ArrayLike,
    generated: ArrayLike,
    *,
    n_trees: int = 1000,
    n_splits: int = 3,
    seed: int = 0,
) -> InceptionScore:
    r"""Inception score from a random forest that has learned cell types from real expression.

    Parameters
    ----------
    real
        Expression of real cells, shape ``(n_real, n_genes)``.
    labels
        Cell type of each real cell, shape ``(n_real,)``.
    generated
        Expression of generated cells on the same scale, shape ``(n_generated, n_genes)``.
    n_trees
        Trees of the forest.
    n_splits
        Parts of the generated cells, scored separately.
    seed
        Seed of the forest and of the parts.

    Returns
    -------
    InceptionScore
        Mean and standard deviation over parts.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, or there are fewer generated cells than parts.

    Notes
    -----
    :math:`\exp \frac{1}{n} \sum_i \mathrm{KL}(p(y \mid x_i) \Vert \bar p(y))`, with the probabilities that the forest
    gives, increased by 1e-6, and their mean over a part's cells. A score near 1 means that all cells look alike, or
    like no type.

    References
    ----------
    :cite:p:`Salimans2016`, :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.repeat([[0.0, 0.0], [9.0, 9.0]], 60, axis=0)
    >>> score = inception_score(cells, np.repeat(["a", "b"], 60), cells, n_trees=20)
    >>> round(score.value, 1)
    2.0
    """
    x, y = check_matrix(real, "real"), check_matrix(generated, "generated")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"`generated` has {y.shape[1]} genes but `real` has {x.shape[1]}; give the same.")
    text = check_labels(labels, "labels", n_cells=len(x), min_labels=2)
    check_count(n_trees, "n_trees", minimum=1)
    if len(y) < check_count(n_splits, "n_splits", minimum=1):
        raise ValueError(f"`generated` has {len(y)} cells; give at least {n_splits}, one for each part.")
    forest = RandomForestClassifier(n_trees, random_state=seed, n_jobs=1).fit(x, text)
    probabilities = forest.predict_proba(y)
    order = np.random.default_rng(seed).permutation(len(y))
    scores = [score_of_probabilities(probabilities[part]) for part in np.array_split(order, n_splits)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def score_of_probabilities(probabilities: NDArray[np.float64]) -> float:
    """Inception score of cells whose type probabilities are given, shape ``(n_cells, n_types)``."""
    p = probabilities + _PSEUDOCOUNT
    marginal = p.mean(axis=0)
    return float(np.exp((p * (np.log(p) - np.log(marginal))).sum(axis=1).mean()))
