"""What earlier versions saved, and other releases of scvi-tools, keeps loading, with the same codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scpareto import model
from scpareto.model import MichiGAN, ParetoVI

pytestmark = pytest.mark.compat

RELEASES = Path(__file__).parents[1] / "data" / "releases"
FRONTS = sorted(path.parent for path in RELEASES.glob("*/*/front.csv"))
OTHERS = sorted(path.parent for path in RELEASES.glob("*/*/model.pt") if path.parent not in FRONTS)


def named(path):
    return f"{path.parent.name}-{path.name}"


def test_there_are_models_of_each_release():
    """Of this package, and of scvi-tools."""
    assert {path.parent.name for path in FRONTS} >= {"0.1.0", "0.1.0-scvi-1.4", "0.1.0-scvi-1.5"}
    for release in ("0.1.0-scvi-1.4", "0.1.0-scvi-1.5"):
        assert {path.name for path in OTHERS if path.parent.name == release} == {"ScInfoVAE", "BetaTCVAE", "MichiGAN"}


@pytest.mark.parametrize("folder", FRONTS, ids=named)
def test_a_front_of_a_release_loads(folder):
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


@pytest.mark.parametrize("folder", OTHERS, ids=named)
def test_another_model_of_a_release_loads(folder):
    cls = getattr(model, folder.name)
    loaded = cls.load(folder)
    found = loaded.generate(n_cells=20, seed=0) if cls is MichiGAN else loaded.get_latent_representation()
    np.testing.assert_allclose(found, np.load(folder / "codes.npz")["given"], rtol=1e-4, atol=1e-5)
