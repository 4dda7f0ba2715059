from __future__ import annotations

import numpy as np
import torch

from scpareto.objectives._soft_clusters import (
    level_shares,
    log_mean_exp_within,
    memberships_given_levels,
    raise_to_floor,
)


def drawn(n_cells=400, n_clusters=3, n_levels=4, seed=0):
    """Levels and soft memberships of random cells."""
    generator = torch.Generator().manual_seed(seed)
    memberships = torch.randn(n_cells, n_clusters, generator=generator).mul(2).softmax(1)
    return torch.randint(n_levels, (n_cells,), generator=generator), memberships


def test_shares_of_hard_clusters_are_their_table():
    labels, memberships = drawn()
    cluster = memberships.argmax(1)
    expected = [np.bincount(labels[cluster == c], minlength=4) / int((cluster == c).sum()) for c in range(3)]
    np.testing.assert_allclose(level_shares(labels, 4, torch.eye(3)[cluster]), expected, rtol=1e-5)


def test_shares_of_overlapping_clusters_are_not_blurred(clusters):
    """An average weighted by memberships lies well above the true 0.2."""
    context = clusters(apart=2.0, shift=0.0, soft=True).context
    labels, memberships = context.categorical["batch"], context.clusters["types"]
    blurred = (memberships[:, 0] * labels).sum() / memberships[:, 0].sum()
    assert float(blurred) > 0.25
    shares = level_shares(labels, 2, memberships)
    torch.testing.assert_close(shares, torch.tensor([[0.8, 0.2], [0.2, 0.8]]), atol=0.03, rtol=0)


def test_no_other_shares_make_the_levels_more_probable():
    labels, memberships = drawn()
    shares = level_shares(labels, 4, memberships)
    torch.testing.assert_close(shares.sum(1), torch.ones(3))

    def log_likelihood(table):
        return float(torch.log((memberships @ table).gather(1, labels[:, None]).double()).sum())

    rng = np.random.default_rng(0)
    for _ in range(50):
        other = 0.9 * shares + 0.1 * torch.tensor(rng.dirichlet(np.ones(4), size=3)).float()
        assert log_likelihood(other) < log_likelihood(shares) + 1e-3


def test_an_empty_cluster_has_no_shares():
    labels = torch.tensor([0, 1])
    shares = level_shares(labels, 2, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    torch.testing.assert_close(shares, torch.tensor([[0.5, 0.5], [0.0, 0.0]]))
    torch.testing.assert_close(raise_to_floor(shares, 0.01)[1], torch.tensor([0.5, 0.5]))


def test_floored_shares_sum_to_one():
    torch.testing.assert_close(
        raise_to_floor(torch.tensor([[1.0, 0.0, 0.0]]), 0.1), torch.tensor([[1.0, 0.1, 0.1]]) / 1.2
    )


def test_memberships_follow_bayes_rule():
    memberships, shares = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[0.8, 0.2], [0.4, 0.6]])
    expected = torch.tensor([[0.8 / 1.2, 0.4 / 1.2], [0.18 / 0.24, 0.06 / 0.24]])
    torch.testing.assert_close(memberships_given_levels(memberships, torch.tensor([0, 1]), shares), expected)


def test_log_mean_exp_is_weighted_by_memberships():
    rng = np.random.default_rng(0)
    scores, memberships = rng.normal(size=9), rng.dirichlet([1, 1], size=9)
    expected = np.log(memberships.T @ np.exp(scores) / memberships.sum(0))
    value = log_mean_exp_within(torch.tensor(scores), torch.tensor(memberships))
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_log_mean_exp_ignores_cells_elsewhere():
    scores = torch.tensor([0.0, 0.0, 1e4], requires_grad=True)
    memberships = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])  # the last cluster is empty
    value = log_mean_exp_within(scores, memberships)
    torch.testing.assert_close(value, torch.tensor([0.0, 1e4, 0.0]))
    value.sum().backward()
    torch.testing.assert_close(scores.grad, torch.tensor([0.5, 0.5, 1.0]))
