"""What must hold on real cells; runs where SCPARETO_TEST_DATA names the folder of datasets."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import scanpy as sc

from scpareto._cells._components import principal_components
from scpareto.metrics import neighborhood_retention, probe_information
from scpareto.model import ParetoVI

pytestmark = pytest.mark.data

BATCHED = [
    "celllines_3protocols",
    "cellmix_9cell",
    "glioblastoma_panobinostat",
    "kang_ifnb_pbmc",
    "pancreas_human_mouse",
    "pbmc_citeseq_2batches",
    "pbmc_multistudy",
    "primate_neural_diff",
]


@pytest.mark.parametrize("name", BATCHED)
def test_published_counts_are_accepted_and_left_alone(real_data, name):
    adata = anndata.read_h5ad(real_data / f"{name}.h5ad")
    before = adata.X.data.copy()
    ParetoVI.setup_anndata(adata, batch_key="batch")
    assert ParetoVI(adata, seed=0).summary_stats.n_batch == adata.obs["batch"].nunique() >= 2
    np.testing.assert_array_equal(adata.X.data, before)


@pytest.fixture(scope="module")
def pbmc(real_data):
    """A third of the genes that vary most within studies, which keeps the test short."""
    adata = anndata.read_h5ad(real_data / "pbmc_multistudy.h5ad")
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=500, batch_key="batch")
    return adata[:, normalised.var["highly_variable"].to_numpy()].copy()


def test_seven_studies_differ_in_expression(pbmc):
    components = principal_components(pbmc.X)
    study = pbmc.obs["batch"].to_numpy()
    leaked = probe_information(components, study, n_bootstrap=50, seed=0)
    assert 1.0 < leaked.low < leaked.high < np.log(7)
    assert neighborhood_retention(components, components, study) == 1.0


def test_a_front_on_real_cells(pbmc):
    adata = pbmc.copy()
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, seed=0)
    model.train(45, max_epochs_pretrain=30, method="pareto_mtl", objective="mine", n_points=4, progress=False)
    table = model.front.to_dataframe().set_index("point")
    assert list(table.index) == [0, 1, 2, 3]
    # The decoder sees the study, so codes need less of it than the 1 to 2 nats that expression holds.
    assert 0.05 < table["leakage_mean"][0] < 1.0
    assert table["leakage_mean"][3] < table["leakage_mean"][0]
    assert np.isfinite(table.select_dtypes("number").to_numpy(dtype=float)).all()
