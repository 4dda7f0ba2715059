from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from scpareto.pp import normalize_gene_lengths

LENGTHS = {"a": 500.0, "b": 1000.0, "c": 4500.0}  # mean 2000: factors 4, 2 and 0.444
COUNTS = np.array([[1, 2, 9, 7], [0, 3, 2, 7], [0, 0, 0, 0]], dtype=np.float32)
TRUNCATED = np.array([[4, 4, 4], [0, 6, 0], [0, 0, 0]], dtype=np.float32)


def cells(matrix=COUNTS):
    adata = AnnData(matrix.copy())
    adata.var_names = ["a", "b", "c", "unknown"]
    return adata


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_by_hand(kind):
    adata = cells(kind(COUNTS))
    scaled = normalize_gene_lengths(adata, LENGTHS)
    assert list(scaled.var_names) == ["a", "b", "c"]
    assert type(scaled.X) is type(adata.X)
    assert scaled.X.dtype == np.float32
    dense = scaled.X.toarray() if sparse.issparse(scaled.X) else scaled.X
    np.testing.assert_array_equal(dense, TRUNCATED)
    if sparse.issparse(scaled.X):
        assert scaled.X.nnz == np.count_nonzero(TRUNCATED), "what was truncated to zero is not stored"
        np.testing.assert_array_equal(adata.X.toarray(), COUNTS)


@pytest.mark.parametrize(("rounding", "last"), [("truncate", 0.0), ("nearest", 1.0), ("none", 2 * 2000 / 4500)])
def test_rounding(rounding, last):
    assert normalize_gene_lengths(cells(), LENGTHS, rounding=rounding).X[1, 2] == pytest.approx(last)


def test_whole_products_survive_truncation():
    """100 / 49 * 49 falls short of 100 in floating point: nothing may be lost."""
    length = np.arange(1.0, 200.0)  # mean 100
    adata = AnnData(np.outer([1.0, 2.0, 3.0], length))
    scaled = normalize_gene_lengths(adata, pd.Series(length, index=adata.var_names))
    np.testing.assert_array_equal(scaled.X, np.outer([100.0, 200.0, 300.0], np.ones(199)))


def test_equal_lengths_change_nothing_and_scale_does_not_matter():
    adata = cells()
    same = normalize_gene_lengths(adata, dict.fromkeys(adata.var_names, 1234.5))
    np.testing.assert_array_equal(same.X, COUNTS)
    kilo = {gene: length / 1000 for gene, length in LENGTHS.items()}
    np.testing.assert_array_equal(normalize_gene_lengths(adata, kilo).X, TRUNCATED)


def test_series_column_and_layer_agree():
    adata = cells()
    adata.var["length"] = pd.Series(LENGTHS)
    adata.layers["counts"] = sparse.csr_matrix(COUNTS)
    np.testing.assert_array_equal(normalize_gene_lengths(adata, pd.Series(LENGTHS)).X, TRUNCATED)
    scaled = normalize_gene_lengths(adata, "length", layer="counts")
    np.testing.assert_array_equal(scaled.layers["counts"].toarray(), TRUNCATED)
    np.testing.assert_array_equal(scaled.X, COUNTS[:, :3])


def test_integer_counts_are_taken():
    assert normalize_gene_lengths(cells(COUNTS.astype(int)), LENGTHS).X.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"lengths": LENGTHS | {"b": 0}}, ValueError, "gene 'b' is 0"),
        ({"lengths": LENGTHS | {"a": np.inf}}, ValueError, "gene 'a' is inf"),
        ({"lengths": pd.Series([1.0, 2.0], index=["a", "a"])}, ValueError, "'a' more than once"),
        ({"lengths": {"A": 5.0}}, ValueError, "none of the 4 genes"),
        ({"missing": "error"}, ValueError, "'unknown'"),
        ({"lengths": "length"}, KeyError, "'length'"),
        ({"lengths": 3}, TypeError, "int"),
        ({"rounding": "up"}, ValueError, "'truncate', 'nearest', 'none'"),
        ({"missing": "keep"}, ValueError, "'drop', 'error'"),
        ({"layer": "counts"}, KeyError, "'counts'"),
    ],
)
def test_errors(change, error, said):
    with pytest.raises(error, match=said):
        normalize_gene_lengths(cells(), **{"lengths": LENGTHS} | change)


def test_negative_values_are_refused():
    with pytest.raises(ValueError, match="negative"):
        normalize_gene_lengths(cells(-COUNTS), LENGTHS)
