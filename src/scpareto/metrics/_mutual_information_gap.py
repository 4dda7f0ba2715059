"""Mutual information gap: how exclusively one dimension of the codes holds a factor of variation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto.metrics._checks import check_count, check_matrix
from scpareto.metrics._factors import Factors, as_levels, check_factors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class MutualInformationGap:
    """Gap and information of each factor.

    Attributes
    ----------
    value
        Mean of ``gaps``.
    gaps
        Largest minus second largest normalised information, by factor.
    table
        Information of each dimension about each factor, divided by the factor's entropy: factors by dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> path = np.repeat([0, 1], 300)
    >>> mean = np.column_stack([6.0 * path, np.zeros(600)])
    >>> gap = mutual_information_gap(mean, {"path": path}, scale=np.ones((600, 2)))
    >>> gap.table.round(1)
    dimension    0    1
    path       1.0  0.0
    >>> round(gap.value, 1)
    1.0
    """

    value: float
    gaps: pd.Series
    table: pd.DataFrame


def mutual_information_gap(
    mean: ArrayLike,
    factors: Factors,
    *,
    scale: ArrayLike,
    max_cells: int = 12_000,
    seed: int = 0,
) -> MutualInformationGap:
    r"""Mutual information gap of codes with Gaussian posteriors.

    Parameters
    ----------
    mean, scale
        Mean and standard deviation of each cell's posterior, shape ``(n_cells, n_latent)``; at least two dimensions.
    factors
        Known factors of variation, one column per factor. Numbers with more than 50 values are cut into quartiles.
    max_cells
        With more cells, a random subset of this size is used; time and memory grow with its square.
    seed
        Seed of the posterior samples and of the subset.

    Returns
    -------
    MutualInformationGap
        The gap, from 0 to about 1, with its table.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, scales are not positive, or a factor cannot be used.

    Notes
    -----
    With one sample :math:`z_{ij}` from each cell's posterior,

    .. math::
        \hat I(z_j; v) = H(z_j) - \sum_v p(v) H(z_j \mid v), \qquad
        H(z_j) = - \frac{1}{n} \sum_i \log \frac{1}{n} \sum_l q(z_{ij} \mid x_l),

    and likewise within each level of the factor. It is divided by the entropy of the factor. The gap is the difference
    between the two most informative dimensions, averaged over factors. Inactive dimensions have information 0 up to
    noise. Within rare levels entropy is underestimated where posteriors are narrow; compare models on the same cells.

    References
    ----------
    :cite:p:`Chen2018`, :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import numpy as np
    >>> path = np.repeat([0, 1], 500)
    >>> mean = np.column_stack([4.0 * path, np.zeros(1000)])
    >>> gap = mutual_information_gap(mean, {"path": path}, scale=np.ones((1000, 2)) * [0.5, 1.0])
    >>> bool(0.95 < gap.value <= 1.0)
    True
    """
    loc, sd = check_matrix(mean, "mean"), check_matrix(scale, "scale")
    if loc.shape != sd.shape or loc.shape[1] < 2:
        raise ValueError(f"`mean` has shape {loc.shape}, `scale` {sd.shape}; give the same, with at least 2 columns.")
    if (sd <= 0).any():
        raise ValueError(f"`scale` has {int((sd <= 0).sum())} values that are not above 0; give standard deviations.")
    check_count(max_cells, "max_cells", minimum=2)
    table_of_factors = check_factors(factors, n_cells=len(loc))
    rng = np.random.default_rng(seed)
    if len(loc) > max_cells:
        kept = np.sort(rng.choice(len(loc), max_cells, replace=False))
        loc, sd, table_of_factors = loc[kept], sd[kept], table_of_factors.iloc[kept].reset_index(drop=True)
    levels = {str(name): as_levels(table_of_factors[name]) for name in table_of_factors}
    z = loc + sd * rng.standard_normal(loc.shape)
    table = pd.DataFrame(
        [_information(z[:, j], loc[:, j], sd[:, j], levels) for j in range(loc.shape[1])],
        index=pd.RangeIndex(loc.shape[1], name="dimension"),
    ).T
    ordered = np.sort(table.to_numpy(), axis=1)
    gaps = pd.Series(ordered[:, -1] - ordered[:, -2], index=table.index)
    return MutualInformationGap(float(gaps.mean()), gaps, table)


def _information(
    z: NDArray[np.float64], loc: NDArray[np.float64], sd: NDArray[np.float64], levels: dict[str, NDArray[np.int64]]
) -> dict[str, float]:
    """Normalised information of one dimension about each factor."""
    n = len(z)
    one_hot = {name: np.eye(level.max() + 1)[level] for name, level in levels.items()}
    marginal = np.empty(n)
    within = {name: np.empty(n) for name in levels}
    block = max(1, 2**22 // n)
    for start in range(0, n, block):
        rows = slice(start, start + block)
        log_q = -0.5 * ((z[rows, None] - loc) / sd) ** 2 - np.log(sd)
        # One shift per row: density of all cells and of a level's cells from the same exponentials.
        shift = log_q.max(axis=1, keepdims=True)
        density = np.exp(log_q - shift)
        marginal[rows] = np.log(density.mean(axis=1)) + shift[:, 0]
        for name, level in levels.items():
            sums = (density @ one_hot[name])[np.arange(len(density)), level[rows]]
            sizes = one_hot[name].sum(axis=0)[level[rows]]
            within[name][rows] = np.log(np.maximum(sums, _TINY) / sizes) + shift[:, 0]
    information = {}
    for name in levels:
        share = one_hot[name].mean(axis=0)
        entropy = -float((share[share > 0] * np.log(share[share > 0])).sum())
        information[name] = float((within[name] - marginal).mean()) / entropy
    return information
