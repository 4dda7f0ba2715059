"""The autoencoder of counts of scDeepCluster and scziDesk."""

from __future__ import annotations

import pytest
import torch

from scpareto.bench import read_cells
from scpareto.bench._methods._fit_network import fit_network
from scpareto.bench._methods._zinb_autoencoder import ZINBAutoencoder


@pytest.fixture(scope="module")
def cells(simulate):
    return read_cells(simulate(2), batch_key="batch")


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
    before = float(network.compute_reconstruction_error(network.codes(), rows))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    fit_network(
        network,
        lambda r: network.compute_reconstruction_error(network.encode(r), r),
        optimizer,
        rows,
        max_epochs=15,
        batch_size=64,
    )
    assert float(network.compute_reconstruction_error(network.codes(), rows)) < before - 0.1
    free, ridged = (float(network.compute_reconstruction_error(network.codes(), rows, ridge=r)) for r in (0.0, 1.0))
    assert 0 < ridged - free < 1
