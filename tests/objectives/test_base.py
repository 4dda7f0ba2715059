from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Context, Mine, Objective


class Sum(Objective):
    """Sum of the codes, weighed by the label of the cell."""

    name = "sum"

    def forward(self, z, qz, context):
        return (self.codes(z, qz) * self.labels(context.categorical[self.target])[:, None]).sum()


QZ = Normal(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1.0)
Z = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
CONTEXT = Context(categorical={"batch": torch.tensor([1, 10]), "donor": torch.tensor([0, 1])})


@pytest.mark.parametrize(("on", "batch", "donor"), [("mean", 73, 7), ("sample", 730, 70), ("both", 803, 77)])
def test_on_chooses_the_codes_and_target_the_labels(on, batch, donor):
    assert float(Sum(2, on=on)(Z, QZ, CONTEXT)) == batch
    assert float(Sum(2, on=on, target="donor")(Z, QZ, CONTEXT)) == donor


@pytest.mark.parametrize(("on", "expected"), [("mean", [QZ.loc]), ("sample", [Z]), ("both", [QZ.loc, Z])])
def test_the_critic_sees_the_codes_that_are_judged(on, expected):
    mine = Mine(2, 2, on=on, standardize=False)
    seen = []
    mine.critic.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    labels = torch.tensor([1, 0])
    for function in (mine, mine.critic_loss):
        function(Z, QZ, Context(categorical={"batch": labels}))
        joint = seen.pop()[: 2 * len(expected)]
        torch.testing.assert_close(joint[:, :2], torch.cat(expected))
        torch.testing.assert_close(joint[:, 2].long(), (1 - labels).repeat(len(expected)))


def test_gradient_reaches_what_is_judged_only():
    for on, mean, sample in (("mean", True, False), ("sample", False, True), ("both", True, True)):
        loc, z = QZ.loc.clone().requires_grad_(), Z.clone().requires_grad_()
        Sum(2, on=on)(z, Normal(loc, 1.0), CONTEXT).backward()
        assert (loc.grad is not None, z.grad is not None) == (mean, sample)


def test_unknown_codes_are_refused():
    with pytest.raises(ValueError, match="on='median'.*mean, sample, both"):
        Sum(2, on="median")


def test_without_a_critic_there_is_no_critic_loss():
    with pytest.raises(TypeError, match="'sum' has no critic"):
        Sum(2).critic_loss(Z, QZ, CONTEXT)
