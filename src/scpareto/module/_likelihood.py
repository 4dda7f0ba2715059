"""A zero-inflated negative binomial that does the costly part of its likelihood at non-zero counts only."""

from __future__ import annotations

import torch
from scvi.distributions import ZeroInflatedNegativeBinomial
from torch.nn.functional import softplus

_EPS = 1e-8
# Above this share of non-zero counts, gathering costs more than the log-gamma functions that it saves.
_MAX_DENSITY = 0.4


class SparseZeroInflatedNegativeBinomial(ZeroInflatedNegativeBinomial):
    r"""ZINB whose ``log_prob`` evaluates the log-gamma terms only where a count is not zero.

    Single-cell counts are mostly zero, and at zero the likelihood needs no log-gamma function:

    .. math::
        \log p(0) = \operatorname{softplus}(t - \pi) - \operatorname{softplus}(-\pi), \qquad
        t = \theta \log \frac{\theta}{\theta + \mu}.

    The values are those of :class:`scvi.distributions.ZeroInflatedNegativeBinomial` up to rounding; dense minibatches
    and devices without this indexing fall back on it. Parameters as there.

    References
    ----------
    The likelihood is that of scVI :cite:p:`Lopez2018`.
    """

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """Log probability of every count.

        Parameters
        ----------
        value
            Counts, shape ``(n_cells, n_genes)``.

        Returns
        -------
        Log probabilities in nats, same shape.
        """
        if self.on_mps or value.shape != self.mu.shape:
            return super().log_prob(value)
        index = torch.nonzero((value > _EPS).flatten()).squeeze(1)
        if len(index) > _MAX_DENSITY * value.numel():
            return super().log_prob(value)

        # One dispersion a gene arrives broadcast over cells: its logarithm is needed once, not once a cell.
        theta = self.theta[:1] if self.theta.ndim == 2 and self.theta.stride(0) == 0 else self.theta
        log_theta_mu = torch.log(self.theta + (self.mu + _EPS))
        gated = theta * (torch.log(theta + _EPS) - log_theta_mu) - self.zi_logits
        no_dropout = softplus(-self.zi_logits)
        log_prob = softplus(gated) - no_dropout

        def at(parameter: torch.Tensor) -> torch.Tensor:
            return parameter.flatten().index_select(0, index)

        x, r = at(value), at(self.theta)
        positive = (
            at(gated)
            - at(no_dropout)
            + x * (torch.log(at(self.mu) + _EPS) - at(log_theta_mu))
            + torch.lgamma(x + r)
            - torch.lgamma(r)
            - torch.lgamma(x + 1)
        )
        return log_prob.flatten().index_copy(0, index, positive).view_as(value)
