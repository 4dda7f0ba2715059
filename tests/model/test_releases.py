"""What earlier versions saved keeps loading, with the same codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scpareto.model import ParetoVI

pytestmark = pytest.mark.compat

RELEASES = Path(__file__).parents[1] / "data" / "releases"
SAVED = sorted(path.parent for path in RELEASES.glob("*/*/model.pt"))


def test_there_is_a_model_of_each_release():
    assert {path.parent.name for path in SAVED} >= {"0.1.0"}


@pytest.mark.parametrize("folder", SAVED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_model_of_a_release_loads(folder):
    model = ParetoVI.load(folder)
    codes, table = np.load(folder / "codes.npz"), pd.read_csv(folder / "front.csv")
    assert len(codes.files) == len(table)
    for number in table["point"]:
        model.select(number)
        np.testing.assert_allclose(model.get_latent_representation(), codes[f"point_{number}"], rtol=1e-4, atol=1e-5)
    loaded = model.front.to_dataframe()
    pd.testing.assert_frame_equal(loaded[list(table)], table, check_dtype=False)
    for column in {"batch_left", "structure_kept"} - set(table):
        assert loaded[column].isna().all(), "what was not judged is a gap"
    if folder.name == "conditional":
        assert model.select(preference=0.37) in table["point"].to_numpy()
    model.differential_expression(groupby="batch", silent=True)
