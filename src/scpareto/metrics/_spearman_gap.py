"""Spearman gap: how exclusively one dimension of the codes follows a factor of variation, by rank correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from scpareto.metrics._checks import check_matrix
from scpareto.metrics._factors import Factors, as_numbers, check_factors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class SpearmanGap:
    """Gap and rank correlations of each factor.

    Attributes
    ----------
    value
        Mean of ``gaps``.
    gaps
        Largest minus second largest absolute rank correlation, by factor.
    table
        Absolute rank correlation of each dimension with each factor: factors by dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> gap = spearman_gap(np.array([[1, 4], [2, 1], [3, 2], [4, 3]]), {"step": [1, 2, 3, 4]})
    >>> gap.table.round(1)
    dimension    0    1
    step       1.0  0.2
    >>> gap.value
    0.8
    """

    value: float
    gaps: pd.Series
    table: pd.DataFrame


def spearman_gap(codes: ArrayLike, factors: Factors) -> SpearmanGap:
    r"""Gap between the two dimensions that follow a factor of variation most closely.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``; at least two dimensions. For a generator: the codes given to it.
    factors
        Known factors of variation, one column per factor: numbers, ordered categories or two levels. For generated
        cells these are predicted from real ones.

    Returns
    -------
    SpearmanGap
        Mean over factors of :math:`|\rho|_{(1)} - |\rho|_{(2)}`, in [0, 1], with its table. A constant dimension has
        correlation 0.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, or a factor has more than two levels without an order.

    References
    ----------
    :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import numpy as np
    >>> spearman_gap(np.array([[1, 4], [2, 1], [3, 2], [4, 3]]), {"step": [1, 2, 3, 4]}).value
    0.8
    """
    z = check_matrix(codes, "codes")
    if z.shape[1] < 2:
        raise ValueError(f"`codes` has {z.shape[1]} column; a gap needs at least 2 dimensions.")
    table_of_factors = check_factors(factors, n_cells=len(z))
    ranks = _standardised_ranks(z)
    table = pd.DataFrame(
        {
            name: np.abs(_standardised_ranks(as_numbers(table_of_factors[name], str(name))[:, None]).T @ ranks)[0]
            for name in table_of_factors
        },
        index=pd.RangeIndex(z.shape[1], name="dimension"),
    ).T
    ordered = np.sort(table.to_numpy(), axis=1)
    gaps = pd.Series(ordered[:, -1] - ordered[:, -2], index=table.index)
    return SpearmanGap(round(float(gaps.mean()), 12), gaps, table)


def _standardised_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of each column with mean 0 and norm 1; a constant column gives 0."""
    ranks = rankdata(values, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    norm = np.linalg.norm(ranks, axis=0)
    return ranks / np.where(norm > 0, norm, 1.0)
