"""Losses, loops and networks of the autoencoder baselines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import scpareto as sp
from scpareto.bench._inputs import checked_n_clusters, clustering_input
from scpareto.bench._integrate import gather
from scpareto.bench._loop import fit_network
from scpareto.bench._methods._desc import StackedAutoencoder
from scpareto.bench._methods._saucie_mmd import discrepancy, reconstruction
from scpareto.bench._methods._sczidesk import similarity_divergence, soft_kmeans
from scpareto.bench._self_training import SelfTraining
from scpareto.bench._zinb_autoencoder import ZINBAutoencoder


@pytest.fixture(scope="module")
def cells(simulate):
    return gather(simulate(2), batch_key="batch")


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(()))


def squares(line, y):
    return lambda rows: (line.slope - y[rows]).square().mean()


def test_the_best_epoch_is_kept_and_training_stops():
    line, y = Line(), torch.cat([torch.full((8,), 10.0), torch.full((2,), 1.0)])
    optimizer = torch.optim.SGD(line.parameters(), lr=0.05)
    # Training draws the slope to 10, past the best for the validation rows, 1.
    epochs = fit_network(
        line, squares(line, y), optimizer, torch.arange(8), torch.arange(8, 10), max_epochs=50, patience=3
    )
    # The gradient is clipped at 10: two steps of 0.5 lead to 1, three more do not improve on it.
    assert epochs == 5
    assert float(line.slope) == pytest.approx(1.0)
    assert not line.training


def test_all_epochs_without_validation_cells_unless_ended():
    line, y = Line(), torch.full((9,), 3.0)
    optimizer = torch.optim.SGD(line.parameters(), lr=0.2)
    assert fit_network(line, squares(line, y), optimizer, torch.arange(9), max_epochs=30, batch_size=4) == 30
    assert float(line.slope) == pytest.approx(3.0, abs=1e-4)
    ended = fit_network(
        line, squares(line, y), optimizer, torch.arange(9), max_epochs=30, after_epoch=lambda epoch: epoch == 5
    )
    assert ended == 5


def test_a_loss_that_is_not_finite_says_so():
    line = Line()
    with pytest.raises(RuntimeError, match="the loss is nan in epoch 1"):
        fit_network(
            line,
            lambda rows: line.slope * float("nan"),
            torch.optim.SGD(line.parameters(), lr=1),
            torch.arange(4),
            max_epochs=2,
        )


def test_discrepancy_of_two_batches_by_hand():
    codes = torch.tensor([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
    batch = torch.tensor([0, 0, 1, 1])
    scales = [10.0**e for e in range(-6, 1)] + [5, 10, 15, 20, 25, 30, 35, 100] + [10.0**e for e in range(3, 7)]
    assert len(scales) == 19

    def kernel(i, j):
        squared = (codes[i] - codes[j]).square().sum() / 5
        return np.mean([np.exp(-float(squared) / (2 * v)) for v in scales])

    def mean(rows, columns):
        return np.mean([kernel(i, j) for i in rows for j in columns])

    by_hand = mean([0, 1], [0, 1]) + mean([2, 3], [2, 3]) - 2 * mean([0, 1], [2, 3])
    assert float(discrepancy(codes, batch, 2)) == pytest.approx(by_hand, rel=1e-5)


def test_discrepancy_ignores_scale_and_lonely_batches_and_grows_with_a_shift():
    torch.manual_seed(0)
    codes, batch = torch.randn(300, 2), torch.arange(300) % 3
    values = [float(discrepancy(codes + shift * (batch == 0)[:, None], batch, 3)) for shift in (0.0, 1.0, 3.0)]
    assert values[0] < values[1] < values[2]
    assert float(discrepancy(10 * codes, batch, 3)) == pytest.approx(values[0], rel=1e-4)
    lonely = codes[:10].requires_grad_()
    alone = discrepancy(lonely, torch.zeros(10, dtype=torch.long), 3)
    alone.backward()
    assert float(alone) == 0
    assert torch.isfinite(lonely.grad).all()


def test_reconstruction_of_other_batches_is_free_of_shift_and_scale():
    torch.manual_seed(0)
    x, batch = torch.randn(20, 5), torch.arange(20) % 2
    changed = torch.where((batch == 1)[:, None], 3 * x + 7, x)
    assert float(reconstruction(changed, x, batch, reference=0)) == pytest.approx(0, abs=1e-6)
    assert float(reconstruction(changed, x, batch, reference=1)) > 1


def test_soft_kmeans_by_hand():
    codes, centres = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [3.0]])
    value = 0.0
    for d in ([1.0, 9.0], [4.0, 0.0]):
        a = np.exp(-np.array(d))
        a = (a / a.sum()) ** 2
        value += (a / a.sum() * d).sum() / 2
    assert float(soft_kmeans(codes, centres)) == pytest.approx(value, rel=1e-5)


def test_similarity_divergence_by_hand_and_its_minimum():
    codes = torch.tensor([[0.0], [1.0], [3.0]])
    kernel = np.array([[0, 1 / 2, 1 / 10], [1 / 2, 0, 1 / 5], [1 / 10, 1 / 5, 0]])
    p = kernel / kernel.sum(1, keepdims=True)
    q = p**2 / (p**2).sum(1, keepdims=True)
    value = sum(q[i, j] * np.log(q[i, j] / p[i, j]) for i in range(3) for j in range(3) if i != j)
    assert float(similarity_divergence(codes)) == pytest.approx(value, rel=1e-5)
    # Cells that are all equally similar are their own sharpened copy.
    assert float(similarity_divergence(torch.eye(4))) == pytest.approx(0, abs=1e-6)


def test_self_training_stops_when_no_cell_moves_and_sharpens():
    torch.manual_seed(0)
    codes = torch.cat([torch.randn(30, 2), torch.randn(30, 2) + 8])
    clusters = SelfTraining(codes, 2, tolerance=0.01)
    assert clusters.refresh(codes)
    assert not clusters.refresh(-codes + 8)
    torch.testing.assert_close(clusters.targets.sum(1), torch.ones(60))
    given = SelfTraining(codes, labels=torch.arange(60) // 30)
    torch.testing.assert_close(given.centres.detach(), torch.stack([codes[:30].mean(0), codes[30:].mean(0)]))
    loss = given.loss(codes[:5].requires_grad_(), torch.arange(5))
    loss.backward()
    assert given.centres.grad.abs().sum() > 0


def test_the_autoencoder_of_counts_learns_them_and_is_still_when_read(cells):
    torch.manual_seed(0)
    network = ZINBAutoencoder(cells, n_genes=40, noise=1.0)
    assert network.input.shape == (len(cells), 40)
    assert float(network.size.median()) == pytest.approx(1)
    rows = torch.arange(len(cells))
    network.train()
    assert not torch.equal(network.encode(rows), network.encode(rows))
    assert torch.equal(network.codes(), network.codes())
    assert network.training
    before = float(network.reconstruction(network.codes(), rows))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    fit_network(
        network, lambda r: network.reconstruction(network.encode(r), r), optimizer, rows, max_epochs=15, batch_size=64
    )
    assert float(network.reconstruction(network.codes(), rows)) < before - 0.1
    free, ridged = (float(network.reconstruction(network.codes(), rows, ridge=r)) for r in (0.0, 1.0))
    assert 0 < ridged - free < 1


def test_stacked_layers_end_in_the_hyperbolic_tangent():
    torch.manual_seed(0)
    network = StackedAutoencoder(20, (8, 3))
    codes, output = network.encode(10 * torch.randn(50, 20)), network(10 * torch.randn(50, 20))
    assert codes.shape == (50, 3)
    assert output.shape == (50, 20)
    assert codes.min() < 0 < codes.max()
    assert max(codes.abs().max(), output.abs().max()) <= 1


def test_z_scores_of_the_variable_genes(cells):
    scaled, genes = clustering_input(cells, n_genes=None, max_value=100.0)
    assert genes.tolist() == list(range(60))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert np.abs(clustering_input(cells, n_genes=None, max_value=1.0)[0]).max() == 1
    assert len(clustering_input(cells, n_genes=20)[1]) == 20


def test_number_of_clusters(cells):
    assert checked_n_clusters(cells, 7) == 7
    assert 3 <= checked_n_clusters(cells, None) <= 12
    with pytest.raises(ValueError, match="n_clusters=1 must be from 2"):
        checked_n_clusters(cells, 1)


@pytest.mark.parametrize("method", ["scvi_hsic", "scvi_mmd", "saucie_mmd"])
def test_a_penalty_removes_batch(simulate, method):
    adata = simulate(2, n_cells=400, batch_strength=2.0)
    leaked = []
    weights = {"scvi_hsic": 1e5, "scvi_mmd": 300.0, "saucie_mmd": 10.0}
    for weight in (0.0, weights[method]):
        sp.bench.integrate(adata, method, batch_key="batch", weight=weight, max_epochs=40)
        leaked.append(sp.metrics.probe_information(adata.obsm[f"X_{method}"], adata.obs["batch"]).value)
    assert leaked[1] < 0.8 * leaked[0]
    with pytest.raises(ValueError, match="weight=-1"):
        sp.bench.integrate(adata, method, batch_key="batch", weight=-1)
