"""Records in annotated data."""

from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData

from scpareto._cells import read_records, write_codes, write_record


@pytest.mark.parametrize("foreign", ["mine", 3, ["paretovi"], np.arange(2)])
def test_what_is_no_table_of_records_counts_as_nothing_and_is_replaced(foreign):
    adata = AnnData(np.ones((3, 2)), uns={"scpareto": foreign})
    assert read_records(adata) == {}
    write_record(adata, "paretovi", {"seed": 0})
    write_codes(adata, "X_a", np.zeros((3, 1)), {"point": 4})
    assert adata.uns["scpareto"] == {"paretovi": {"seed": 0}, "embeddings": {"X_a": {"point": 4}}}


def test_other_records_stay_and_those_of_the_parent_of_a_view_too():
    adata = AnnData(np.ones((3, 2)), uns={"scpareto": {"judge": {"seed": 1}, "embeddings": "mine"}})
    view = adata[:2]
    write_codes(view, "X_a", np.zeros((2, 1)), {"point": 4})
    assert view.uns["scpareto"] == {"judge": {"seed": 1}, "embeddings": {"X_a": {"point": 4}}}
    assert adata.uns["scpareto"] == {"judge": {"seed": 1}, "embeddings": "mine"}
