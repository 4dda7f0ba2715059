"""Matrices as files hold them: the same numbers in any form, and no compiled code on a broken one."""

from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from scpareto._cells import as_row_matrix, get_matrix, holds_counts, principal_components, row_blocks, to_canonical

PARTS = ("data", "indices", "indptr")


def stored_as(dense, rng, *, make=sparse.csr_matrix, dtype=np.float32):
    """The same numbers with some entries in two parts, in random order within rows, and some zeros."""
    made = make(dense.astype(dtype))
    by_rows = dense if made.format == "csr" else dense.T
    data, indices, indptr = [], [], [0]
    for row in by_rows:
        places = np.flatnonzero((row != 0) | (rng.random(len(row)) < 0.2))
        first = np.floor(row[places] * rng.random(len(places)))
        order = rng.permutation(2 * len(places))
        data += np.concatenate([first, row[places] - first])[order].tolist()
        indices += np.tile(places, 2)[order].tolist()
        indptr.append(len(data))
    made.data, made.indices, made.indptr = (
        np.array(data, dtype),
        np.array(indices, np.int32),
        np.array(indptr, np.int32),
    )
    return made


def broken(part, place, value):
    made = sparse.csr_matrix(np.tile([1.0, 1.0, 1.0, 0.0, 0.0], (6, 1)))
    getattr(made, part)[place] = value
    return made


def whole(made):
    """Whether SciPy's own thorough check finds nothing; where the last row ends at 0 it looks at no other."""
    try:
        made.check_format(full_check=True)
    except ValueError:
        return False
    return bool((made.indptr[1:] >= made.indptr[:-1]).all())


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1), st.sampled_from(["csr", "csc"]))
def test_the_same_numbers_come_out_whatever_the_order_and_the_parts(n, m, seed, layout):
    rng = np.random.default_rng(seed)
    dense = rng.poisson(1.0, (n, m)).astype(float)
    made = stored_as(dense, rng, make=getattr(sparse, f"{layout}_matrix"))
    before = [getattr(made, part).copy() for part in PARTS]
    found = to_canonical(made)
    np.testing.assert_array_equal(found.toarray(), dense)
    assert found.format == layout
    fresh = type(found)((found.data, found.indices, found.indptr), shape=found.shape)
    assert fresh.has_canonical_format
    for part, was in zip(PARTS, before, strict=True):
        np.testing.assert_array_equal(getattr(made, part), was)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["indices", "indptr"]), st.integers(-(2**31), 2**31 - 1))
def test_no_number_in_indices_or_indptr_gets_past_the_gate_unless_the_matrix_stays_whole(seed, part, value):
    rng = np.random.default_rng(seed)
    made = sparse.random(7, 5, density=0.5, format="csr", random_state=rng, dtype=np.float32)
    values = getattr(made, part)
    values[rng.integers(len(values))] = value
    if not whole(made):
        with pytest.raises(ValueError, match="broken sparse matrix"):
            to_canonical(made)
        return
    found = to_canonical(made)
    assert found.indptr[0] == 0
    assert (np.diff(found.indptr) >= 0).all()
    assert found.indptr[-1] == len(found.data) == len(found.indices)
    assert ((found.indices >= 0) & (found.indices < 5)).all()


def test_what_is_in_order_is_not_copied():
    for values in (np.ones((3, 2)), sparse.eye(3, format="csr"), sparse.eye(3, format="csc")):
        assert to_canonical(values) is values
        assert as_row_matrix(values) is values


@pytest.mark.parametrize(
    ("part", "place", "value", "said"),
    [
        ("indices", 4, 5, "cell number 1 has an entry for gene number 5, of 5"),
        ("indices", 0, 2**30, "cell number 0 has an entry for gene number 1073741824, of 5"),
        ("indices", -1, -1, "gene number -1, of 5"),
        ("indptr", 0, 1, "begins with 1"),
        ("indptr", 2, 40, "falls after cell number 2"),
        ("indptr", -1, 400, "ends with 400, but 18 values are stored"),
    ],
)
def test_a_broken_matrix_is_refused_with_the_place(part, place, value, said):
    with pytest.raises(ValueError, match=f"The matrix is a broken sparse matrix: .*{said}"):
        to_canonical(broken(part, place, value))


def test_a_broken_matrix_of_an_anndata_is_named_with_the_cell():
    adata = AnnData(sparse.csr_matrix(np.tile([1.0, 1.0, 1.0, 0.0, 0.0], (6, 1))))
    adata.obs_names = list("abcdef")
    adata.layers["own"] = adata.X.copy()
    adata.layers["own"].indices[4] = 9
    with pytest.raises(
        ValueError, match=r"adata\.layers\['own'\] is a broken .* cell 'b' has an entry for gene number 9"
    ):
        get_matrix(adata, "own")
    assert get_matrix(adata, None) is adata.X


def test_small_integers_do_not_begin_anew_when_they_are_added_up():
    made = sparse.csr_matrix((np.array([200, 100], np.uint8), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    assert to_canonical(made).toarray().item() == 300


def test_values_that_are_stored_behind_the_last_row_are_left_out():
    made = sparse.csr_matrix(np.array([[1.0, 2.0], [0.0, 3.0]]))
    made.data, made.indices = np.append(made.data, np.nan), np.append(made.indices, 77)
    np.testing.assert_array_equal(to_canonical(made).toarray(), [[1, 2], [0, 3]])


@pytest.mark.parametrize("dtype", [">f4", ">i4", np.float16, np.longdouble])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_numbers_come_in_a_type_that_torch_reads(dtype, make):
    if make is sparse.csr_matrix and dtype is np.float16:
        pytest.skip("SciPy has no sparse matrices of half precision")
    dense = np.array([[1, 0], [2, 3]])
    values = make(dense.astype(np.float32))
    values = values.astype(dtype) if make is np.asarray else values
    if make is sparse.csr_matrix:
        values.data = values.data.astype(dtype)
    found = to_canonical(values)
    assert found.dtype.isnative
    assert found.dtype.itemsize in (4, 8)
    np.testing.assert_array_equal(found.toarray() if sparse.issparse(found) else found, dense)


@pytest.mark.parametrize("dtype", [object, "U3", complex, "datetime64[D]"])
def test_what_is_no_number_is_refused(dtype):
    with pytest.raises(ValueError, match="which are no numbers"):
        to_canonical(np.array([[1, 2]]).astype(dtype))


def test_masked_numbers_are_refused_with_the_way_on():
    with pytest.raises(ValueError, match=r"adata.X is a masked array.*adata.X.filled\(0\)"):
        to_canonical(np.ma.masked_less(np.ones((2, 2)), 2), "adata.X")


def test_numbers_of_a_whole_are_those_of_its_parts():
    """Half a count twice is a count: to logarithms and to the question whether these are counts."""
    rng = np.random.default_rng(0)
    dense = rng.poisson(2.0, (60, 20)).astype(float)
    twice = stored_as(dense, rng)
    halves = twice.copy()
    halves.data = np.full(len(halves.data), 0.5, np.float32)
    assert holds_counts(halves)
    [(_, block)] = row_blocks(twice)
    np.testing.assert_array_equal(block.toarray(), dense)
    np.testing.assert_allclose(
        np.abs(principal_components(twice)), np.abs(principal_components(sparse.csr_matrix(dense))), atol=1e-4
    )
