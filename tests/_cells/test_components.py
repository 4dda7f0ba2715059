from __future__ import annotations

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from scpareto._cells._components import principal_components
from scpareto.datasets import simulate_batches


@pytest.mark.parametrize("convert", [sp.csr_matrix, np.asarray])
def test_principal_components_leave_the_counts_alone(convert):
    rng = np.random.default_rng(0)
    types = rng.integers(2, size=60)
    rates = np.where(types[:, None], np.r_[np.full(10, 5.0), np.ones(10)], np.r_[np.ones(10), np.full(10, 5.0)])
    # Depth varies tenfold and is normalised away.
    counts = convert(rng.poisson(rates * rng.uniform(1, 10, (60, 1))).astype(np.float32))
    before = counts.copy()
    components = principal_components(counts)
    assert components.shape == (60, 19)
    assert (counts != before).sum() == 0
    first = components[:, 0]
    between = first[types == 1].mean() - first[types == 0].mean()
    assert abs(between) > 3 * first[types == 1].std()


@pytest.fixture(scope="module")
def counts():
    return simulate_batches(900, 60, seed=0).X


@pytest.mark.parametrize("convert", [sp.csr_matrix, lambda x: x.toarray()])
@pytest.mark.parametrize("n_rows", [70, 900])
def test_components_of_a_sample_span_those_of_all_cells(counts, convert, n_rows, monkeypatch):
    """What two thirds of the cells say of the largest differences between all of them."""
    monkeypatch.setattr("scpareto._cells._blocks.ROWS", n_rows)
    whole, sampled = principal_components(counts), principal_components(convert(counts), max_cells=600)
    assert whole.shape == sampled.shape
    explained = sampled @ np.linalg.lstsq(sampled, whole[:, :3], rcond=None)[0]
    assert (1 - ((whole[:, :3] - explained) ** 2).sum(0) / (whole[:, :3] ** 2).sum(0)).min() > 0.99
    np.testing.assert_allclose(sampled.var(0)[:5], whole.var(0)[:5], rtol=0.1)


@pytest.mark.parametrize("most", [600, 10_000])
@pytest.mark.parametrize("dense", [False, True])
def test_counts_on_disk_have_the_same_components(counts, tmp_path, most, dense):
    adata = anndata.AnnData(counts.toarray() if dense else counts)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    expected = principal_components(adata.X, max_cells=most)
    np.testing.assert_allclose(principal_components(backed.X, max_cells=most), expected, atol=1e-4)


@pytest.mark.parametrize("most", [200, 10_000])
@pytest.mark.parametrize("on_disk", [False, True])
def test_components_of_some_cells_read_only_these(counts, tmp_path, most, on_disk, monkeypatch):
    monkeypatch.setattr("scpareto._cells._blocks.ROWS", 70)
    values, cells = counts, np.arange(0, 900, 2)
    if on_disk:
        anndata.AnnData(counts).write_h5ad(tmp_path / "cells.h5ad")
        values = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r").X
    found = principal_components(values, max_cells=most, cells=cells)
    np.testing.assert_allclose(found, principal_components(counts[cells], max_cells=most), atol=1e-4)
