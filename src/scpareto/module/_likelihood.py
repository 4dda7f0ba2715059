"""Negative binomials, with or without zero inflation, that evaluate log-gamma terms at non-zero counts only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi.distributions import NegativeBinomial, ZeroInflatedNegativeBinomial
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

from scpareto.module._digamma import digamma

if TYPE_CHECKING:
    from torch import Tensor

_EPS = 1e-8


class _LogProb(torch.autograd.Function):
    """Log probabilities with explicit gradients, so that few matrices of the size of a minibatch are allocated.

    A step of a count model spends most of its time on new memory, not on arithmetic. With ``d = theta + mu`` and the
    gated ``t = theta log(theta / d) - pi`` (``pi`` only where zeros are inflated):

    ====================  ==========================================  =================================
    derivative by         at zero counts                              additional term at counts ``x``
    ====================  ==========================================  =================================
    ``mu``                ``-s theta / d``                            ``x (1 / mu - 1 / d)``
    ``theta``             ``s (1 + log(theta / d) - theta / d)``      ``psi(x + theta) - psi(theta) - x / d``
    ``pi``                ``sigmoid(-pi) - s``
    ====================  ==========================================  =================================

    where ``s`` is ``sigmoid(t)`` at zero counts and 1 elsewhere.
    """

    @staticmethod
    def forward(ctx: Any, mu: Tensor, theta: Tensor, logits: Tensor | None, counts: Tensor) -> Tensor:
        """Return log probabilities; ``theta`` has one row for all cells, or one row for each cell."""
        index = torch.from_numpy(np.flatnonzero((counts > _EPS).numpy()))

        total = (theta + mu).add_(_EPS)
        log_total = total.log()
        gated = torch.sub((theta + _EPS).log(), log_total).mul_(theta)
        if logits is None:
            result, log_gate = gated.clone(), None
        else:
            gated.sub_(logits)
            # log sigmoid(pi) = pi - softplus(pi).
            log_gate = torch.sub(logits, softplus(logits))
            result = softplus(gated).add_(log_gate)

        x, m, r = _select(counts, index), _select(mu, index), _select(theta, index, mu)
        log_gamma = _select(torch.lgamma(theta), index, mu) if len(theta) == 1 else torch.lgamma(r)
        positive = torch.log(m + _EPS).sub_(_select(log_total, index)).mul_(x).add_(_select(gated, index))
        positive += torch.lgamma(x + r).sub_(log_gamma).sub_(torch.lgamma(x + 1))
        if log_gate is not None:
            positive += _select(log_gate, index)
        result.view(-1).index_copy_(0, index, positive)

        ctx.save_for_backward(mu, theta, logits, total, log_total, gated, x, index)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Return the gradients of ``mu``, ``theta`` and ``logits``."""
        mu, theta, logits, total, log_total, gated, x, index = ctx.saved_tensors
        grad_logits = grad_theta = None
        if logits is None:
            share = gradient
        else:
            share = torch.sigmoid(gated)
            share.view(-1).index_fill_(0, index, 1.0)
            if ctx.needs_input_grad[2]:
                grad_logits = logits.neg().sigmoid_().sub_(share).mul_(gradient)
            share.mul_(gradient)

        g, d, r = _select(gradient, index), _select(total, index), _select(theta, index, mu)
        ratio = theta / total
        grad_mu = (share * ratio).neg_()
        if ctx.needs_input_grad[1]:
            constant = (theta + _EPS).log() + theta / (theta + _EPS)
            digamma_theta = _select(digamma(theta), index, mu) if len(theta) == 1 else digamma(r)
            at_counts = digamma(x + r).sub_(digamma_theta).sub_(x / d).mul_(g)
            if len(theta) == 1:
                summed = torch.mul(share, log_total, out=ratio)
                summed.view(-1).index_add_(0, index, at_counts, alpha=-1)
                grad_theta = constant * share.sum(0, keepdim=True) - summed.sum(0, keepdim=True)
                grad_theta += grad_mu.sum(0, keepdim=True)
            else:
                grad_theta = constant.sub_(log_total).mul_(share).add_(grad_mu)
                grad_theta.view(-1).index_add_(0, index, at_counts)
        # Last, because grad_theta uses only the term at zero counts.
        grad_mu.view(-1).index_add_(0, index, (1 / (_select(mu, index) + _EPS) - 1 / d).mul_(x).mul_(g))
        return grad_mu, grad_theta, grad_logits, None


def _select(matrix: Tensor, index: Tensor, like: Tensor | None = None) -> Tensor:
    """Return entries by flat index of a matrix, or of one row that is broadcast to the shape of ``like``."""
    expanded = matrix if like is None else matrix.expand_as(like)
    return expanded.reshape(-1).index_select(0, index)


class _SparseLogProb:
    """Likelihood of a count distribution that evaluates log-gamma terms at non-zero counts only."""

    mu: Tensor
    theta: Tensor

    def _validate_sample(self, value: Tensor) -> None:
        """Skip the check of counts: setup has checked them, and each check makes a GPU wait."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability of every count.

        Parameters
        ----------
        value
            Counts, shape ``(n_cells, n_genes)``.

        Returns
        -------
        Log probabilities in nats, same shape.
        """
        # Finding non-zero counts makes a GPU wait, and the log-gamma function is cheap there.
        if value.device.type != "cpu" or value.ndim != 2 or value.shape != self.mu.shape:
            return super().log_prob(value)  # type: ignore[misc]
        # The dispersion of a gene is broadcast over cells: evaluate it once, not for each cell.
        theta = self.theta[:1] if self.theta.stride(0) == 0 else self.theta
        return _LogProb.apply(self.mu, theta, getattr(self, "zi_logits", None), value)


class SparseNegativeBinomial(_SparseLogProb, NegativeBinomial):
    """Negative binomial whose ``log_prob`` evaluates log-gamma terms only where a count is not zero.

    Values and gradients are those of :class:`scvi.distributions.NegativeBinomial` up to rounding; second derivatives
    are not available. On other devices than a CPU it behaves as that class. It has the same parameters.

    References
    ----------
    The likelihood is that of scVI :cite:p:`Lopez2018`.

    Examples
    --------
    With mean and dispersion 1 a count is geometric: each further count has half the probability:

    >>> import torch
    >>> from scpareto.module import SparseNegativeBinomial
    >>> ones = torch.ones(1, 3)
    >>> SparseNegativeBinomial(mu=ones, theta=ones).log_prob(torch.tensor([[0.0, 1.0, 2.0]])).exp()
    tensor([[0.5000, 0.2500, 0.1250]])
    """


class SparseZeroInflatedNegativeBinomial(_SparseLogProb, ZeroInflatedNegativeBinomial):
    r"""Zero-inflated negative binomial whose ``log_prob`` evaluates log-gamma terms only where a count is not zero.

    Single-cell counts are mostly zero, and at zero the likelihood needs no log-gamma function:

    .. math::
        \log p(0) = \operatorname{softplus}(t - \pi) - \operatorname{softplus}(-\pi), \qquad
        t = \theta \log \frac{\theta}{\theta + \mu}.

    Values and gradients are those of :class:`scvi.distributions.ZeroInflatedNegativeBinomial` up to rounding; second
    derivatives are not available. On other devices than a CPU it behaves as that class. It has the same parameters.

    References
    ----------
    The likelihood is that of scVI :cite:p:`Lopez2018`.

    Examples
    --------
    Half of all cells have an extra zero (logit 0), the others a geometric count:

    >>> import torch
    >>> from scpareto.module import SparseZeroInflatedNegativeBinomial
    >>> ones = torch.ones(1, 3)
    >>> px = SparseZeroInflatedNegativeBinomial(mu=ones, theta=ones, zi_logits=torch.zeros(1, 3))
    >>> px.log_prob(torch.tensor([[0.0, 1.0, 2.0]])).exp()
    tensor([[0.7500, 0.1250, 0.0625]])
    """


def with_sparse_likelihood(distribution: Any) -> Any:
    """Return a count distribution with the sparse likelihoods above; other distributions unchanged."""
    if not isinstance(distribution, NegativeBinomial):
        return distribution
    parameters = {name: getattr(distribution, name) for name in ("mu", "theta", "scale")}
    if isinstance(distribution, ZeroInflatedNegativeBinomial):
        return SparseZeroInflatedNegativeBinomial(**parameters, zi_logits=distribution.zi_logits, validate_args=False)
    return SparseNegativeBinomial(**parameters, validate_args=False)
