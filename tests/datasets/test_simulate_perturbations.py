from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from scpareto.datasets import simulate_perturbations


def test_every_combination_has_its_cells():
    adata = simulate_perturbations(1100, 60)
    sizes = adata.obs.groupby(["cell_type", "drug"], observed=True).size()
    assert len(sizes) == 3 * 18
    assert np.ptp(sizes) <= 1
    assert adata.varm["drug_log_fold_change"].shape == (60, 3, 18)


def test_the_vehicle_changes_nothing_and_later_drugs_change_more():
    effect = simulate_perturbations(54, 2000, seed=1).varm["drug_log_fold_change"]
    assert not effect[:, :, 0].any()
    size = effect.std(axis=(0, 1))
    assert size[17] > 3 * size[1]


@pytest.mark.parametrize(("interaction", "correlation"), [(0.0, 1.0), (0.3, 0.7), (1.0, 0.0)])
def test_interaction_is_the_share_that_types_do_not_share(interaction, correlation):
    effect = simulate_perturbations(54, 5000, interaction=interaction, seed=2).varm["drug_log_fold_change"]
    first, second = (effect[:, t, 1:].ravel() for t in (0, 1))
    affected = first != 0
    found = np.corrcoef(first[affected], second[affected])[0, 1]
    assert found == pytest.approx(correlation, abs=0.03)


def test_response_of_cells_follows_the_effect():
    adata = simulate_perturbations(6000, 100, n_drugs=3, state_strength=0.0, counts_per_gene=20, seed=3)
    shares = adata.X.toarray() / adata.X.sum(1).A1[:, None]
    cells = adata.obs["cell_type"] == "type_1"
    treated, control = (shares[cells & (adata.obs["drug"] == d)].mean(0) for d in ("drug_2", "drug_0"))
    effect = adata.varm["drug_log_fold_change"][:, 1, 2]
    expressed = control > np.median(control)
    found = np.log(treated / control)[expressed]
    assert np.corrcoef(found, effect[expressed])[0, 1] > 0.97


def test_same_seed_same_bits():
    first, again, other = (simulate_perturbations(300, 40, seed=s) for s in (5, 5, 6))
    assert (first.X != again.X).nnz == 0
    assert (first.X != other.X).nnz > 0
    pd.testing.assert_frame_equal(first.obs, again.obs)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_cells": 20}, "`n_cells` is 20"), ({"interaction": 2}, "`interaction` is 2"), ({"n_types": 1}, "n_types")],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_perturbations(**{"n_cells": 100, "n_genes": 20} | options)


@pytest.mark.data
def test_summary_statistics_of_real_cells(real_data):
    """Zeros, spread of depth, and size of the response, which the simulation spans, at the depth of the real data."""
    real = anndata.read_h5ad(real_data / "kang_ifnb_pbmc.h5ad")
    depth = np.asarray(real.X.sum(1)).ravel()
    adata = simulate_perturbations(1500, real.n_vars, counts_per_gene=float(np.median(depth)) / real.n_vars, seed=0)
    zeros = [1 - values.X.nnz / np.prod(values.shape) for values in (real, adata)]
    assert zeros[1] == pytest.approx(zeros[0], abs=0.2)
    spread = [np.log(np.asarray(values.X.sum(1)).ravel()).std() for values in (real, adata)]
    assert 0.4 < spread[1] / spread[0] < 2.5
