"""Cross-entropy of codes under the posteriors of real cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from scpareto.metrics._checks import check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def latent_space_entropy(codes: ArrayLike, mean: ArrayLike, scale: ArrayLike) -> float:
    r"""Cross-entropy of codes under the mixture of the posteriors of some cells, in nats.

    Parameters
    ----------
    codes
        Codes :math:`z \sim \tau`, shape ``(n_codes, n_latent)``.
    mean, scale
        Mean and standard deviation of the posteriors of the cells :math:`g`, shape ``(n_cells, n_latent)``.

    Returns
    -------
    float
        :math:`H = - \frac{1}{m} \sum_i \log \frac{1}{n} \sum_l q(z_i \mid x_l)`. The value for predicted codes minus
        that for the codes of real cells, both under the posteriors of the real cells, is :math:`\Delta H`. It is large
        where a prediction misses the cells.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, or scales are not positive.

    References
    ----------
    :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> round(latent_space_entropy([[0.0]], [[0.0]], [[1.0]]), 4)
    0.9189
    """
    z, loc, sd = check_matrix(codes, "codes"), check_matrix(mean, "mean"), check_matrix(scale, "scale")
    if loc.shape != sd.shape or z.shape[1] != loc.shape[1]:
        raise ValueError(f"`codes` has shape {z.shape}, `mean` {loc.shape}, `scale` {sd.shape}: dimensions must agree.")
    if (sd <= 0).any():
        raise ValueError(f"`scale` has {int((sd <= 0).sum())} values that are not above 0; give standard deviations.")
    constant = -np.log(sd).sum(axis=1) - 0.5 * loc.shape[1] * np.log(2 * np.pi)
    block = max(1, 2**22 // loc.size)
    log_density = [
        logsumexp(constant - 0.5 * (((z[i : i + block, None] - loc) / sd) ** 2).sum(axis=2), axis=1)
        for i in range(0, len(z), block)
    ]
    return float(np.log(len(loc)) - np.concatenate(log_density).mean())
