"""FactorVAE score: whether the dimension of least variance identifies the factor that was held fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto.metrics._checks import check_count, check_matrix
from scpareto.metrics._factors import Factors, as_levels, check_factors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

_TRAINING_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class FactorVAEScore:
    """Accuracy of the majority vote.

    Attributes
    ----------
    value
        Share of held-out votes whose factor is the majority factor of the recorded dimension, in [0, 1].
    votes
        Training votes: factors by dimensions.

    Examples
    --------
    The dimension that a factor is read from varies least among cells that share its level:

    >>> import numpy as np
    >>> factors = {"dose": np.repeat([0, 1, 2, 3], 50), "day": np.tile([0, 1, 2, 3], 50)}
    >>> codes = np.column_stack([factors["dose"], factors["day"]]).astype(float)
    >>> score = factor_vae_score(codes, factors, n_votes=200)
    >>> score.value
    1.0
    >>> score.votes.idxmax(axis=1).tolist()
    [0, 1]
    """

    value: float
    votes: pd.DataFrame


def factor_vae_score(
    codes: ArrayLike,
    factors: Factors,
    *,
    n_votes: int = 10_000,
    cells_per_vote: int = 40,
    seed: int = 0,
) -> FactorVAEScore:
    r"""Score of disentanglement by majority vote.

    For each vote a factor and one of its levels are drawn, then cells of that level, whose other factors are random.
    Codes are divided by their standard deviation over all cells, and the dimension of **least** variance is recorded.
    A majority vote from dimension to factor is learned from 80 % of the votes and scored on the others.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``. Dimensions without variance never win.
    factors
        Known factors of variation, one column per factor; numbers with more than 50 values are cut into quartiles.
    n_votes
        Votes.
    cells_per_vote
        Cells of a vote, drawn without replacement; levels with fewer cells are drawn with replacement.
    seed
        Seed of the votes.

    Returns
    -------
    FactorVAEScore
        Accuracy, in [0, 1], and the table of votes. Chance is the share of the most frequent factor, about one divided
        by the number of factors.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, every dimension is constant, or an option is out of range.

    References
    ----------
    :cite:p:`KimMnih2018`. The code published with :cite:p:`YuWelch2021` records the dimension of largest variance.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> factors = {"a": rng.integers(3, size=900), "b": rng.integers(3, size=900)}
    >>> codes = np.column_stack([factors["a"], factors["b"]]) + 0.01 * rng.normal(size=(900, 2))
    >>> factor_vae_score(codes, factors, n_votes=500).value
    1.0
    """
    return score_votes(codes, factors, np.argmin, n_votes=n_votes, cells_per_vote=cells_per_vote, seed=seed)


def score_votes(
    codes: ArrayLike,
    factors: Factors,
    recorded: Callable[[NDArray[np.float64]], np.intp],
    *,
    n_votes: int,
    cells_per_vote: int,
    seed: int,
) -> FactorVAEScore:
    """Score votes that record the dimension chosen by ``recorded`` from the relative variances."""
    z = check_matrix(codes, "codes")
    check_count(n_votes, "n_votes", minimum=10)
    check_count(cells_per_vote, "cells_per_vote", minimum=2)
    table = check_factors(factors, n_cells=len(z))
    spread = z.std(axis=0)
    active = np.flatnonzero(spread > 0)
    if not len(active):
        raise ValueError("`codes` are the same for all cells: no dimension can be recorded.")
    z = z[:, active] / spread[active]
    members = []
    for name in table:
        level = as_levels(table[name])
        members.append([np.flatnonzero(level == value) for value in np.unique(level)])
    rng = np.random.default_rng(seed)
    factor = rng.integers(len(members), size=n_votes)
    dimension = np.empty(n_votes, dtype=np.int64)
    for vote, chosen in enumerate(factor):
        cells = members[chosen][rng.integers(len(members[chosen]))]
        drawn = rng.choice(cells, cells_per_vote, replace=len(cells) < cells_per_vote, shuffle=False)
        dimension[vote] = active[recorded(z[drawn].var(axis=0))]
    n_train = int(_TRAINING_SHARE * n_votes)
    votes = np.zeros((len(members), len(spread)), dtype=np.int64)
    np.add.at(votes, (factor[:n_train], dimension[:n_train]), 1)
    accuracy = float((votes.argmax(axis=0)[dimension[n_train:]] == factor[n_train:]).mean())
    columns = pd.RangeIndex(len(spread), name="dimension")
    return FactorVAEScore(accuracy, pd.DataFrame(votes, index=list(table.columns), columns=columns))
