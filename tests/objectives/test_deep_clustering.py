from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal

from scpareto.objectives import (
    Context,
    DeepClustering,
    clustering_divergence,
    estimate,
    get_objective,
    kmeans_centres,
    soft_assignments,
    target_distribution,
)


def posterior(z):
    return Normal(z, torch.full_like(z, 1e-6))


@pytest.fixture
def blobs():
    """Three blobs of 60, 30 and 10 cells, ten apart."""
    torch.manual_seed(0)
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor([60, 30, 10]))
    return 10.0 * torch.eye(3)[labels] + torch.randn(100, 3), labels


def test_assignments_by_hand():
    q = soft_assignments(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]]))
    # 1 / (1 + 0) against 1 / (1 + 4).
    torch.testing.assert_close(q, torch.tensor([[5 / 6, 1 / 6], [0.5, 0.5]]))
    heavy = soft_assignments(torch.tensor([[0.0]]), torch.tensor([[0.0], [2.0]]), nu=3.0)
    second = (1 + 4 / 3) ** -2
    torch.testing.assert_close(heavy, torch.tensor([[1, second]]) / (1 + second))


def test_targets_by_hand():
    q = torch.tensor([[0.9, 0.1], [0.5, 0.5]])
    # Column sums 1.4 and 0.6.
    first = torch.tensor([0.81 / 1.4, 0.01 / 0.6])
    second = torch.tensor([0.25 / 1.4, 0.25 / 0.6])
    torch.testing.assert_close(target_distribution(q), torch.stack([first / first.sum(), second / second.sum()]))
    # Only ratios of sizes matter.
    torch.testing.assert_close(target_distribution(q, torch.tensor([0.7, 0.3])), target_distribution(q))


def test_rows_sum_to_one_and_targets_are_sharper():
    torch.manual_seed(0)
    q = soft_assignments(torch.randn(200, 4), torch.randn(5, 4))
    p = target_distribution(q)
    torch.testing.assert_close(q.sum(1), torch.ones(200))
    torch.testing.assert_close(p.sum(1), torch.ones(200))
    entropy = [-torch.xlogy(t, t).sum(1).mean() for t in (p, q)]
    assert entropy[0] < entropy[1]
    uniform = torch.full((7, 4), 0.25)
    torch.testing.assert_close(target_distribution(uniform), uniform)
    assert float(clustering_divergence(uniform, uniform)) == pytest.approx(0.0, abs=1e-7)


def test_divergence_by_hand_and_with_an_empty_cluster():
    p, q = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    expected = (math.log(2) + 0.5 * math.log(2) + 0.5 * math.log(2 / 3)) / 2
    assert float(clustering_divergence(p, q)) == pytest.approx(expected, rel=1e-6)
    empty = torch.tensor([[0.6, 0.4, 0.0], [0.2, 0.8, 0.0]], requires_grad=True)
    target = target_distribution(empty)
    assert target[:, 2].tolist() == [0.0, 0.0]
    value = clustering_divergence(target, empty)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(empty.grad).all()


def test_gradients_reach_codes_and_centres_but_not_targets(blobs):
    z = blobs[0].clone().requires_grad_()
    objective = DeepClustering(3, n_clusters=3)
    objective.start(posterior(blobs[0]))
    q = objective.assign(z)
    assert not target_distribution(q).requires_grad
    objective(z, posterior(z), Context()).backward()
    assert objective.centres.grad.abs().sum() > 0
    assert z.grad.abs().sum() > 0
    given = torch.full((100, 3), 1 / 3, requires_grad=True)
    objective(z, posterior(z), Context(clusters={DeepClustering.target_key: given})).backward()
    assert given.grad is None


def test_a_step_of_gradient_descent_sharpens(blobs):
    codes = (blobs[0] / 4).requires_grad_()
    objective = DeepClustering(3, n_clusters=3).eval()
    objective.start(posterior(codes.detach()))
    target = {DeepClustering.target_key: target_distribution(objective.assign(codes))}
    before = objective(codes, posterior(codes), Context(clusters=target))
    gradients = torch.autograd.grad(before, [codes, objective.centres])
    with torch.no_grad():
        codes -= 1.0 * gradients[0]
        objective.centres -= 0.01 * gradients[1]
    assert objective(codes, posterior(codes), Context(clusters=target)) < before


def test_start_finds_the_blobs(blobs):
    codes, labels = blobs
    torch.manual_seed(1)
    objective = DeepClustering(3, n_clusters=3)
    objective.start(posterior(codes))
    means = torch.stack([codes[labels == k].mean(0) for k in range(3)])
    distances = torch.cdist(means, objective.centres)
    assert float(distances.min(1).values.max().detach()) < 1e-4
    assert sorted(objective.frequencies.tolist(), reverse=True) == pytest.approx([0.6, 0.3, 0.1], abs=0.05)
    torch.manual_seed(1)
    again, found = kmeans_centres(codes, 3)
    assert torch.equal(again, objective.centres)
    assert sorted(found.bincount().tolist()) == [10, 30, 60]


def test_more_clusters_than_cells_are_refused():
    with pytest.raises(ValueError, match="n_clusters=5: there are only 4 cells"):
        kmeans_centres(torch.randn(4, 2), 5)


def test_running_sizes_move_in_training_only(blobs):
    objective = DeepClustering(3, n_clusters=3, momentum=0.5)
    objective.start(posterior(blobs[0]))
    before = objective.frequencies.clone()
    part = blobs[0][:60]
    objective.eval()(part, posterior(part), Context())
    assert torch.equal(objective.frequencies, before)
    objective.train()(part, posterior(part), Context())
    torch.testing.assert_close(objective.frequencies, (before + objective.assign(part).mean(0)) / 2)


def test_targets_of_all_cells_count_for_both_codes_of_a_cell(blobs):
    z, target = blobs[0], torch.eye(3)[blobs[1]]
    context = Context(clusters={DeepClustering.target_key: target})
    values = {}
    for on in ("mean", "both"):
        objective = DeepClustering(3, n_clusters=3, on=on)
        objective.centres.data = 10 * torch.eye(3)
        values[on] = float(objective(z, posterior(z), context))
    assert values["both"] == pytest.approx(values["mean"], rel=1e-6)


def test_fresh_twin_starts_from_the_codes(blobs):
    objective = get_objective("deep_clustering", n_latent=3, n_clusters=3)
    split = torch.randperm(100).split([70, 10, 20])
    values = estimate(objective, posterior(blobs[0]), Context(categorical={"batch": blobs[1]}), split)
    assert all(0 < value < 0.2 for value in values)
    assert not objective.centres.any()
    twin = objective.fresh()
    twin.load_state_dict(objective.state_dict())
    assert twin.options == objective.options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 1}, "n_clusters=1"),
        ({"nu": 0.0}, "nu=0.0"),
        ({"momentum": 2.0}, "momentum=2.0"),
        ({"on": "median"}, "on='median'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DeepClustering(3, **options)
