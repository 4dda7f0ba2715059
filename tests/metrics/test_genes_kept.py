"""What neighbours still show of single genes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scpareto.metrics import genes_kept

N = 900


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    types, batch = rng.integers(3, size=N), np.arange(N) % 2
    genes = np.column_stack([types == 0, types == 1, batch == 1, np.zeros(N)]) * 2.0 + 0.5 * rng.normal(size=(N, 4))
    shift = 3.0 * batch[:, None] * np.array([0, 0, 0, 1.0])
    all_there = np.column_stack([5 * np.eye(3)[types], np.zeros(N)])
    embeddings = {
        "reference": all_there + shift + rng.normal(size=(N, 4)),
        "corrected": all_there + rng.normal(size=(N, 4)),
        "merged": np.column_stack([5 * np.eye(3)[np.maximum(types, 1)], np.zeros(N)]) + rng.normal(size=(N, 4)),
        "random": rng.normal(size=(N, 4)),
    }
    near = np.argsort(((embeddings["corrected"][:, None] - embeddings["corrected"][None]) ** 2).sum(axis=2), axis=1)
    rows = np.repeat(np.arange(N), 10)
    embeddings["graph"] = sparse.csr_matrix((np.ones(10 * N), (rows, near[:, 1:11].ravel())), shape=(N, N))
    table = genes_kept(
        genes,
        embeddings,
        batch,
        reference="reference",
        genes=["first type", "second type", "batch", "noise"],
        populations=types,
        n_bootstrap=100,
    )
    return table.set_index(["gene", "embedding"])


def test_a_gene_of_a_type_is_kept_where_the_type_is(found):
    for name in ("corrected", "graph"):
        assert 95 < found.loc[("first type", name), "kept"] < 105
        assert not found.loc[("first type", name), "alarm"]
    assert abs(found.loc[("first type", "random"), "kept"]) < 10
    assert found.loc[("first type", "random"), "alarm"]


def test_merging_types_loses_the_genes_that_tell_them_apart(found):
    assert found.loc[("first type", "merged"), "alarm"]
    # Laid onto the second type, half of whose neighbourhood the first is now.
    assert 10 < found.loc[("second type", "merged"), "kept"] < 60


def test_a_gene_that_only_batches_show_is_removed_with_the_batch_and_that_is_said(found):
    row = found.loc[("batch", "corrected")]
    assert abs(row["kept"]) < 10
    assert row["alarm"]
    assert row["between_batches"] > 90
    assert np.isnan(row["kept_within_batches"])
    assert found.loc[("first type", "corrected"), "between_batches"] < 5


def test_a_gene_that_the_reference_does_not_show_has_no_percentage(found):
    assert found.loc["noise", "kept"].isna().all()
    assert not found.loc["noise", "alarm"].any()


def test_intervals_enclose_the_value(found):
    known = found.dropna(subset=["kept"])
    assert (known["kept_low"] <= known["kept"]).all()
    assert (known["kept"] <= known["kept_high"]).all()


def test_graphs_are_left_out_of_a_sample_of_the_cells():
    rng = np.random.default_rng(0)
    batch, codes = np.arange(400) % 2, rng.normal(size=(400, 2))
    embeddings = {"reference": codes, "same": codes, "graph": sparse.eye(400, format="csr")}
    table = genes_kept(
        codes[:, :1], embeddings, batch, reference="reference", genes=["g"], max_cells=200, n_bootstrap=20
    )
    assert table["embedding"].tolist() == ["same"]
    assert table["kept"].item() == pytest.approx(100)
