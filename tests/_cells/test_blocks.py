from __future__ import annotations

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
import zarr

from scpareto._cells._blocks import is_in_memory, read_rows, row_blocks


@pytest.fixture
def matrix():
    return sp.random(23, 5, 0.3, format="csr", random_state=0)


def on_disk(matrix, tmp_path):
    anndata.AnnData(matrix).write_h5ad(tmp_path / "cells.h5ad")
    return anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r").X


def in_zarr(matrix, tmp_path):
    return zarr.array(matrix.toarray(), chunks=(4, 5))


class Lazy:
    """An array whose rows have to be computed."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __getitem__(self, rows):
        return type("Part", (), {"compute": lambda part: self.values[rows]})()


@pytest.mark.parametrize("store", [on_disk, in_zarr, lambda matrix, folder: Lazy(matrix.toarray())])
@pytest.mark.parametrize("n_rows", [1, 7, 23, 100])
def test_blocks_are_the_rows_in_order(matrix, tmp_path, store, n_rows):
    stored = store(matrix, tmp_path)
    assert not is_in_memory(stored)
    blocks = list(row_blocks(stored, n_rows))
    assert [first for first, _ in blocks] == list(range(0, 23, n_rows))
    assert all(is_in_memory(block) and block.shape[0] <= n_rows for _, block in blocks)
    dense = [block.toarray() if sp.issparse(block) else block for _, block in blocks]
    np.testing.assert_array_equal(np.concatenate(dense), matrix.toarray())
    some = read_rows(stored, np.array([2, 3, 11]))
    np.testing.assert_array_equal(some.toarray() if sp.issparse(some) else some, matrix[[2, 3, 11]].toarray())


@pytest.mark.parametrize("convert", [lambda x: x, lambda x: x.tocsc(), lambda x: x.toarray()])
def test_what_is_in_memory_is_one_block_and_not_copied(matrix, convert):
    values = convert(matrix)
    assert [(first, block is values) for first, block in row_blocks(values, 2)] == [(0, True)]
