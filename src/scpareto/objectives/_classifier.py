"""Mutual information of codes and nuisance, from a classifier that predicts the nuisance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch.nn.functional import log_softmax

from scpareto.objectives._information import InformationObjective
from scpareto.objectives._registry import register_objective

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context


@register_objective
class Classifier(InformationObjective):
    r"""Classifier bound :math:`I(z; s) \ge H(s) - \mathrm{CE}(q)`, or within clusters :math:`I(z; s \mid c)`.

    .. math::
        V = \frac{1}{m} \sum_i \log \frac{q(s_i \mid z_i)}{\pi_{s_i}}, \qquad
        q(s \mid z) = \operatorname{softmax}(\log \pi + F(z))_s

    with the proportions :math:`\pi` of the levels among all training cells, or given the cell's clusters
    :math:`\pi_{s \mid c}`. It is the Donsker-Varadhan bound of a critic that is normalised for each code, and thus
    never looser for the same scores. Its minibatch gradient is unbiased, and it cannot overflow.

    Parameters
    ----------
    n_latent, n_categories
        See :class:`InformationObjective`.
    **options
        See :class:`InformationObjective`.

    References
    ----------
    Bound: :cite:p:`Barber2003`; as an adversary of a representation: :cite:p:`Ganin2016`.

    Examples
    --------
    Three batches that are far apart; log 3 is 1.1:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Classifier, Context, CriticSchedule, estimate
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(300) % 3
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(300, 1)), Context(categorical={"batch": batch})
    >>> split = torch.arange(300).split([180, 60, 60])
    >>> round(estimate(Classifier(1, 3), codes, context, split, CriticSchedule(max_epochs=30, lr=0.01))[2], 1)
    1.1
    """

    name: ClassVar[str] = "classifier"

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the bound in nats; see :class:`Objective`."""
        inputs = self.critic_input(z, qz, context)
        assert inputs.log_prior is not None
        log_ratio = log_softmax(inputs.log_prior + self.critic(inputs.codes), 1) - inputs.log_prior
        of_pairs = log_ratio.gather(1, inputs.nuisance[:, None]).squeeze(1)
        # Cells of clusters that do not count have weight zero but enter the number of cells.
        return (inputs.memberships.sum(1) * of_pairs).mean()

    def critic_loss(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Cross-entropy up to a constant; updates the code moments."""
        self.update_moments(z, qz)
        return -self(z, qz, context)
