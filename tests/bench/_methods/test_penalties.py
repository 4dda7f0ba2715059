"""Methods with a penalty: more weight, less batch."""

from __future__ import annotations

import pytest

import scpareto as sp


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
