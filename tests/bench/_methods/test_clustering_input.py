"""What the deep clustering methods read, and how many clusters they look for."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.bench import read_cells
from scpareto.bench._methods._clustering_input import check_n_clusters, compute_clustering_input


@pytest.fixture(scope="module")
def cells(simulate):
    return read_cells(simulate(2), batch_key="batch")


def test_z_scores_of_the_variable_genes(cells):
    scaled, genes = compute_clustering_input(cells, n_genes=None, max_value=100.0)
    assert genes.tolist() == list(range(60))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert np.abs(compute_clustering_input(cells, n_genes=None, max_value=1.0)[0]).max() == 1
    assert len(compute_clustering_input(cells, n_genes=20)[1]) == 20


def test_number_of_clusters(cells):
    assert check_n_clusters(cells, 7) == 7
    assert 3 <= check_n_clusters(cells, None) <= 12
    with pytest.raises(ValueError, match="n_clusters=1 must be from 2"):
        check_n_clusters(cells, 1)
