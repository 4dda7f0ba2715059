from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from scpareto.pp import intersect_genes


def dataset(names, n_cells=3, empty=(), kind=np.asarray):
    counts = np.arange(1.0, n_cells * len(names) + 1).reshape(n_cells, len(names))
    counts[:, [names.index(name) for name in empty]] = 0
    adata = AnnData(kind(counts))
    adata.var_names = names
    return adata


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_same_genes_in_the_order_of_the_first(kind):
    one, two = dataset(["d", "a", "c", "b"], kind=kind), dataset(["a", "b", "c", "e"], 5, kind=kind)
    found = intersect_genes([one, two])
    assert [list(part.var_names) for part in found] == [["a", "c", "b"]] * 2
    for part, whole in zip(found, (one, two), strict=True):
        assert part.n_obs == whole.n_obs
        np.testing.assert_array_equal(part.to_df(), whole.to_df()[["a", "c", "b"]])
    assert list(one.var_names) == ["d", "a", "c", "b"], "the input stays as it is"


def test_genes_without_counts_in_one_dataset_go():
    parts = [dataset(["a", "b", "c"], empty=["a"]), dataset(["c", "b", "a"], empty=["b"]), dataset(["a", "b", "c"])]
    assert list(intersect_genes(parts)[2].var_names) == ["c"]
    assert list(intersect_genes(parts, drop_empty=False)[2].var_names) == ["a", "b", "c"]


def test_counts_of_a_layer_decide():
    one, two = dataset(["a", "b"]), dataset(["a", "b"])
    for adata in (one, two):
        adata.layers["counts"] = adata.X.copy()
    two.layers["counts"][:, 0] = 0
    assert list(intersect_genes([one, two], layer="counts")[0].var_names) == ["b"]


def test_upper_case():
    one, two = dataset(["Actb", "Cd4"]), dataset(["CD4", "ACTB"])
    with pytest.raises(ValueError, match="no gene in common; their first genes are 'Actb', 'CD4'"):
        intersect_genes([one, two])
    found = intersect_genes([one, two], upper_case=True)
    np.testing.assert_array_equal(found[1].to_df()["ACTB"], two.to_df()["ACTB"])
    assert [list(part.var_names) for part in found] == [["ACTB", "CD4"]] * 2


def test_annotations_follow_the_genes():
    one, two = dataset(["a", "b", "c"]), dataset(["c", "a"])
    one.var["place"], two.var["place"] = [0, 1, 2], [0, 1]
    found = intersect_genes([one, two])
    assert [part.var["place"].tolist() for part in found] == [[0, 2], [1, 0]]


def test_duplicates_are_refused_unless_they_are_empty():
    with pytest.raises(ValueError, match=r"adatas\[1\] names 1 genes more than once: 'b'"):
        intersect_genes([dataset(["a", "b"]), dataset(["a", "b", "b"])])
    with pytest.raises(ValueError, match="in upper case: 'A'"):
        intersect_genes([dataset(["a", "A"]), dataset(["a", "b"])], upper_case=True)
    double = dataset(["a", "b"], empty=["b"])
    double.var_names = ["a", "a"]
    assert list(intersect_genes([double, dataset(["a", "b"])])[0].var_names) == ["a"]


@pytest.mark.parametrize(
    ("adatas", "error", "said"),
    [
        (dataset(["a"]), TypeError, "AnnData"),
        ([dataset(["a"])], ValueError, "1 datasets"),
        ([dataset(["a"]), 3], TypeError, r"adatas\[1\] is a int"),
    ],
)
def test_errors(adatas, error, said):
    with pytest.raises(error, match=said):
        intersect_genes(adatas)
