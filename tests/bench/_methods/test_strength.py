"""Methods whose strength is set by an option."""

from __future__ import annotations

import numpy as np
import pytest

import scpareto as sp
from scpareto.bench import Knob, get_method, method_names, read_cells, run_method
from scpareto.datasets import simulate_batches


@pytest.fixture(scope="module")
def adata():
    return simulate_batches(n_cells=200, n_genes=60, n_batches=2, n_types=3, batch_strength=1.5, seed=0)


def test_combat_moves_cells_by_a_share_of_its_correction(adata):
    cells = read_cells(adata, batch_key="batch")
    codes = {s: run_method(get_method("combat"), cells, {"strength": s}) for s in (0.0, 0.5, 1.0)}
    batch = adata.obs["batch"].to_numpy() == "batch_0"
    apart = {s: np.linalg.norm(z[batch].mean(axis=0) - z[~batch].mean(axis=0)) for s, z in codes.items()}
    assert apart[0.0] > apart[0.5] > apart[1.0]
    # But for genes that do not vary in every batch, nothing of the correction is nothing.
    assert abs(np.corrcoef(codes[0.0][:, 0], cells.components[:, 0])[0, 1]) > 0.99


def test_flavours_of_harmony_differ_by_their_ridge_penalty(adata):
    pytest.importorskip("harmonypy")
    cells = read_cells(adata, batch_key="batch")
    fixed = run_method(get_method("harmony_ridge"), cells, {})
    np.testing.assert_array_equal(fixed, run_method(get_method("harmony"), cells, {"lamb": 1.0}))
    assert np.abs(fixed - run_method(get_method("harmony"), cells, {})).max() > 1e-3


def test_depth_is_over_all_genes_where_some_are_given(adata):
    depth = np.asarray(adata.X.sum(axis=1)).ravel()
    some = read_cells(adata[:, :30].copy(), batch_key="batch", depth=depth)
    whole = read_cells(adata, batch_key="batch")
    np.testing.assert_allclose(
        some.log_normalised.toarray(), whole.log_normalised.toarray()[:, :30], rtol=1e-5, atol=1e-6
    )
    assert some.components.shape == (200, 29)


def test_grids_hold_values_that_their_knobs_allow():
    for name in method_names():
        knob = get_method(name).knob
        if knob is not None:
            assert knob.checked(knob.grid) == knob.grid, name
            assert len(knob.grid) >= 4
    falling = Knob("k", (40, 20, 5), least=1, whole=True)
    assert falling.checked([5, 10.0, 40]) == (40, 10, 5)
    for bad in ([True], ["2"], [float("inf")], [0], [2.5]):
        with pytest.raises(ValueError, match="is no value of k, which takes whole numbers from 1 upwards"):
            falling.checked(bad)
    assert sp.bench.methods().set_index("name").loc["fastmnn", "knob"] == "num_neighbors"
