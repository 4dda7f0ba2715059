"""Negative binomials, with or without extra zeros, that do the costly part of their likelihood at counts only."""

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
    """Log probabilities and their gradients, written out so that few matrices of the minibatch's size are made.

    New memory, not arithmetic, is what a step of a count model mostly pays for. With ``d = theta + mu`` and the gated
    ``t = theta log(theta / d) - pi`` (``pi`` only where zeros are inflated):

    ====================  ==========================================  =================================
    derivative by         at zero counts                              more at counts ``x``
    ====================  ==========================================  =================================
    ``mu``                ``-s theta / d``                            ``x (1 / mu - 1 / d)``
    ``theta``             ``s (1 + log(theta / d) - theta / d)``      ``psi(x + theta) - psi(theta) - x / d``
    ``pi``                ``sigmoid(-pi) - s``
    ====================  ==========================================  =================================

    where ``s`` is ``sigmoid(t)`` at zero counts and 1 elsewhere.
    """

    @staticmethod
    def forward(ctx: Any, mu: Tensor, theta: Tensor, logits: Tensor | None, counts: Tensor) -> Tensor:
        """Evaluate; ``theta`` has one row, or one for each cell."""
        index = torch.from_numpy(np.flatnonzero((counts > _EPS).numpy()))

        total = (theta + mu).add_(_EPS)
        log_total = total.log()
        gated = torch.sub((theta + _EPS).log(), log_total).mul_(theta)
        if logits is None:
            result, of_gate = gated.clone(), None
        else:
            gated.sub_(logits)
            # log sigmoid(pi) = pi - softplus(pi).
            of_gate = torch.sub(logits, softplus(logits))
            result = softplus(gated).add_(of_gate)

        x, m, r = _at(counts, index), _at(mu, index), _at(theta, index, mu)
        log_gamma = _at(torch.lgamma(theta), index, mu) if len(theta) == 1 else torch.lgamma(r)
        positive = torch.log(m + _EPS).sub_(_at(log_total, index)).mul_(x).add_(_at(gated, index))
        positive += torch.lgamma(x + r).sub_(log_gamma).sub_(torch.lgamma(x + 1))
        if of_gate is not None:
            positive += _at(of_gate, index)
        result.view(-1).index_copy_(0, index, positive)

        ctx.save_for_backward(mu, theta, logits, total, log_total, gated, x, index)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Give the derivatives by ``mu``, ``theta`` and ``logits``."""
        mu, theta, logits, total, log_total, gated, x, index = ctx.saved_tensors
        of_logits = of_theta = None
        if logits is None:
            share = gradient
        else:
            share = torch.sigmoid(gated)
            share.view(-1).index_fill_(0, index, 1.0)
            if ctx.needs_input_grad[2]:
                of_logits = logits.neg().sigmoid_().sub_(share).mul_(gradient)
            share.mul_(gradient)

        g, d, r = _at(gradient, index), _at(total, index), _at(theta, index, mu)
        ratio = theta / total
        of_mu = (share * ratio).neg_()
        if ctx.needs_input_grad[1]:
            constant = (theta + _EPS).log() + theta / (theta + _EPS)
            digamma_theta = _at(digamma(theta), index, mu) if len(theta) == 1 else digamma(r)
            at_counts = digamma(x + r).sub_(digamma_theta).sub_(x / d).mul_(g)
            if len(theta) == 1:
                summed = torch.mul(share, log_total, out=ratio)
                summed.view(-1).index_add_(0, index, at_counts, alpha=-1)
                of_theta = constant * share.sum(0, keepdim=True) - summed.sum(0, keepdim=True)
                of_theta += of_mu.sum(0, keepdim=True)
            else:
                of_theta = constant.sub_(log_total).mul_(share).add_(of_mu)
                of_theta.view(-1).index_add_(0, index, at_counts)
        # After theta's, which needs its part at zero counts alone.
        of_mu.view(-1).index_add_(0, index, (1 / (_at(mu, index) + _EPS) - 1 / d).mul_(x).mul_(g))
        return of_mu, of_theta, of_logits, None


def _at(matrix: Tensor, index: Tensor, like: Tensor | None = None) -> Tensor:
    """Entries of a matrix, or of one row that stands for all those of another matrix, by their places in it."""
    whole = matrix if like is None else matrix.expand_as(like)
    return whole.reshape(-1).index_select(0, index)


class _AtCounts:
    """Likelihood of a count distribution that does its costly part at counts only."""

    mu: Tensor
    theta: Tensor

    def _validate_sample(self, value: Tensor) -> None:
        """Take counts as they are: they were checked when data were set up, and each check halts a GPU."""

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
        # Finding the counts halts a GPU, for which the log-gamma function is cheap.
        if value.device.type != "cpu" or value.ndim != 2 or value.shape != self.mu.shape:
            return super().log_prob(value)  # type: ignore[misc]
        # One dispersion a gene arrives broadcast over cells: it is needed once, not once a cell.
        theta = self.theta[:1] if self.theta.stride(0) == 0 else self.theta
        return _LogProb.apply(self.mu, theta, getattr(self, "zi_logits", None), value)


class SparseNegativeBinomial(_AtCounts, NegativeBinomial):
    """Negative binomial whose ``log_prob`` evaluates log-gamma terms only where a count is not zero.

    Values and gradients are those of :class:`scvi.distributions.NegativeBinomial` up to rounding; second derivatives
    are not given. On other devices than a CPU it is that class. Parameters as there.

    References
    ----------
    The likelihood is that of scVI :cite:p:`Lopez2018`.

    Examples
    --------
    With mean and dispersion 1 a count is geometric, so that its probability halves with each one more:

    >>> import torch
    >>> from scpareto.module import SparseNegativeBinomial
    >>> ones = torch.ones(1, 3)
    >>> SparseNegativeBinomial(mu=ones, theta=ones).log_prob(torch.tensor([[0.0, 1.0, 2.0]])).exp()
    tensor([[0.5000, 0.2500, 0.1250]])
    """


class SparseZeroInflatedNegativeBinomial(_AtCounts, ZeroInflatedNegativeBinomial):
    r"""Zero-inflated negative binomial whose ``log_prob`` evaluates log-gamma terms only where a count is not zero.

    Single-cell counts are mostly zero, and at zero the likelihood needs no log-gamma function:

    .. math::
        \log p(0) = \operatorname{softplus}(t - \pi) - \operatorname{softplus}(-\pi), \qquad
        t = \theta \log \frac{\theta}{\theta + \mu}.

    Values and gradients are those of :class:`scvi.distributions.ZeroInflatedNegativeBinomial` up to rounding; second
    derivatives are not given. On other devices than a CPU it is that class. Parameters as there.

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
    """Twin of a count distribution with the likelihoods above; any other distribution as it is."""
    if not isinstance(distribution, NegativeBinomial):
        return distribution
    parameters = {name: getattr(distribution, name) for name in ("mu", "theta", "scale")}
    if isinstance(distribution, ZeroInflatedNegativeBinomial):
        return SparseZeroInflatedNegativeBinomial(**parameters, zi_logits=distribution.zi_logits, validate_args=False)
    return SparseNegativeBinomial(**parameters, validate_args=False)
