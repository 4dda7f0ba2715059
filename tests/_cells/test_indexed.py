from __future__ import annotations

import anndata
import numpy as np
import pytest
import scvi
import torch
from scvi.data import AnnTorchDataset
from scvi.dataloaders import AnnDataLoader

from scpareto._cells._indexed import CELL_INDEX, IndexedDataset, add_cell_index


@pytest.fixture(scope="module")
def manager(adata, untrained):
    return untrained(adata).adata_manager


@pytest.mark.parametrize("indices", [None, np.arange(199, 40, -3)], ids=["all", "some"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_rows_of_a_minibatch_are_those_of_its_cells(manager, adata, indices, shuffle):
    loader = AnnDataLoader(add_cell_index(manager), indices=indices, batch_size=32, shuffle=shuffle)
    counts, seen = torch.from_numpy(adata.X.toarray()), []
    for batch in loader:
        assert batch[CELL_INDEX].shape == (len(batch["X"]), 1)
        rows = batch[CELL_INDEX].view(-1)
        assert torch.equal(batch["X"], counts[rows])
        seen += rows.tolist()
    expected = np.arange(200) if indices is None else indices
    if shuffle:
        assert seen != expected.tolist()
        assert sorted(seen) == sorted(expected)
    else:
        assert seen == expected.tolist()


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (7, [7]),
        ([5, 2], [5, 2]),
        (np.array([3, 0]), [3, 0]),
        (slice(4, 10, 2), [4, 6, 8]),
        (slice(-2, None), [198, 199]),
    ],
)
def test_every_kind_of_index(manager, index, rows):
    plain, indexed = AnnTorchDataset(manager), IndexedDataset(manager)
    found, expected = indexed[index], plain[index]
    assert found.pop(CELL_INDEX).tolist() == [[row] for row in rows]
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])


def test_backed_data_come_in_ascending_order(simulate, untrained, tmp_path):
    adata = simulate()
    adata.write_h5ad(tmp_path / "adata.h5ad")
    backed = anndata.read_h5ad(tmp_path / "adata.h5ad", backed="r")
    scvi.model.SCVI.setup_anndata(backed, batch_key="batch")
    dataset = IndexedDataset(untrained(backed).adata_manager)
    for index in ([9, 4, 6], np.array([9, 4, 6])):
        batch = dataset[index]
        assert batch[CELL_INDEX].ravel().tolist() == [4, 6, 9]
        np.testing.assert_array_equal(batch["X"], adata.X[[4, 6, 9]].toarray())


def test_manager_and_data_are_left_as_they_are(manager, adata):
    before = set(adata.obs), set(manager.data_registry)
    twin = add_cell_index(manager)
    assert twin is not manager
    assert (set(adata.obs), set(manager.data_registry)) == before
    assert CELL_INDEX not in next(iter(AnnDataLoader(manager, batch_size=8)))
    assert twin.adata_uuid == manager.adata_uuid
