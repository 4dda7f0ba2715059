from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import Context, Mine, Smile


def score(objective, values, *, loss=False):
    """Value or loss on codes that are the scores themselves, without standardisation."""
    objective.critic = torch.nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        objective.critic.weight.copy_(torch.tensor([[1.0, 0.0, 0.0]]))
    z = torch.as_tensor(values, dtype=torch.float32)[:, None]
    context = Context(categorical={"batch": torch.zeros(len(z), dtype=torch.long)})
    function = objective.critic_loss if loss else objective
    return float(function(z, Normal(z, torch.ones_like(z)), context).detach())


def test_held_out_value_meets_the_truth(known_case):
    margin = 0.02 if known_case.truth == 0 else 0.1
    assert known_case.held_out("smile") == pytest.approx(known_case.truth, abs=margin)


def test_held_out_value_meets_the_truth_of_a_continuous_nuisance(correlated):
    assert correlated.held_out("smile") == pytest.approx(correlated.truth, abs=0.1)


def test_only_the_partition_term_is_clipped():
    values = np.array([0.3, -9.0, 20.0, 2.0])
    expected = values.mean() - np.log(np.exp(np.clip(values, -3, 3)).mean())
    assert score(Smile(1, 2, clip=3.0, standardize=False), values) == pytest.approx(expected, abs=1e-5)


def test_value_is_that_of_mine_where_nothing_is_clipped():
    values = [0.3, -1.2, 2.0, 0.0]
    expected = score(Mine(1, 2, standardize=False), values)
    assert score(Smile(1, 2, standardize=False), values) == pytest.approx(expected, abs=1e-6)


def test_critic_learns_to_tell_pairs_from_shuffled_pairs():
    """Logistic loss; shuffled codes are the same scores in another order."""
    values = np.array([0.3, -1.2, 200.0, 0.0])
    expected = np.logaddexp(0, -values).mean() + np.logaddexp(0, values).mean()
    assert score(Smile(1, 2, standardize=False), values, loss=True) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan")])
def test_clip_must_be_positive(clip):
    with pytest.raises(ValueError, match=rf"clip={clip} must be positive"):
        Smile(1, 2, clip=clip)
