"""Views, data without cells or genes, and counts that are elsewhere."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from scpareto._cells import check_anndata, check_annotated, check_one_type, check_shape
from scpareto._cells._where_counts import find_counts
from scpareto.datasets import simulate_batches


def simulate():
    return simulate_batches(60, 30, n_batches=2, n_types=3, seed=0)


def log_normalised(adata):
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    return adata


def test_views_are_told_what_helps(tmp_path):
    adata = simulate()
    with pytest.raises(ValueError, match=r"view of another AnnData.*adata.copy\(\)"):
        check_shape(adata[:10])
    adata.write_h5ad(tmp_path / "cells.h5ad")
    part = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")[:10]
    with pytest.raises(ValueError, match=r"view of a backed AnnData.*adata.to_memory\(\)"):
        check_shape(part)
    check_shape(part.to_memory())


@pytest.mark.parametrize(("rows", "columns", "what"), [(0, 30, "cells"), (60, 0, "genes")])
def test_nothing_is_refused(rows, columns, what):
    with pytest.raises(ValueError, match=f"adata has no {what}: its shape is {rows} cells x {columns} genes"):
        check_shape(simulate()[:rows, :columns].copy())


def test_columns_of_several_types_are_refused():
    check_one_type(pd.Series(["a", "b"]), "batch")
    check_one_type(pd.Series([1, 2]), "batch")
    check_one_type(pd.Series(pd.Categorical([1, 2], categories=[1, 2, 3])), "batch")
    for column in (pd.Series(["a", 1]), pd.Series(pd.Categorical(["a", 1]))):
        with pytest.raises(ValueError, match=r"\(int, str\). Make them text"):
            check_one_type(column, "batch")


def test_counts_beside_normalised_expression_are_found():
    adata = simulate()
    adata.layers["umi"] = adata.X.copy()
    hint, normalised = find_counts(log_normalised(adata), None)
    assert (hint, normalised) == ("The counts are in adata.layers['umi']: give layer='umi'.", True)
    adata = simulate()
    adata.raw = adata.copy()
    log_normalised(adata)
    with pytest.raises(ValueError, match=r"adata.X holds normalised expression.*The counts are in adata.raw"):
        check_anndata(adata, layer=None, obs_keys={}, batch_key="batch", labels_key=None, need_batches=True)
    adata.layers["counts"] = adata.raw[:, adata.var_names].X
    check_anndata(adata, layer="counts", obs_keys={}, batch_key="batch", labels_key=None, need_batches=True)


def test_corrected_counts_are_not_taken_for_normalised_ones():
    adata = simulate()
    adata.raw = adata.copy()
    adata.X = (adata.X * 0.9).astype(np.float32)
    hint, normalised = find_counts(adata, None)
    assert "adata.raw" in hint
    assert not normalised
    assert find_counts(log_normalised(simulate()), None) == ("", False)


@pytest.mark.parametrize("given", ["cells.h5ad", Path("cells.h5ad")])
def test_a_path_is_told_how_to_be_read(given):
    with pytest.raises(TypeError, match=r"not an AnnData: read the file first: sc.read_h5ad\('cells.h5ad'\)"):
        check_annotated(given)


def test_a_table_is_no_annotated_data():
    with pytest.raises(TypeError, match="of type DataFrame, not an AnnData: give cells"):
        check_annotated(pd.DataFrame({"gene": [1]}))
