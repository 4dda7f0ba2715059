"""A hub folder: from saving to a newcomer who selects a point of it."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.model import ParetoVI

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """Return the hub folder of the trained model."""
    path = tmp_path_factory.mktemp("hub") / "model"
    trained.save_for_hub(path, license_info="cc-by-4.0", description="Simulated cells.")
    return path


def test_a_newcomer_loads_the_model_and_selects_a_point(folder, trained, make_adata):
    from scvi.hub import HubModel

    hub = HubModel(str(folder))
    hub.load_model(adata=make_adata())
    model = hub.model
    assert isinstance(model, ParetoVI)
    assert model.selected == trained.selected
    np.testing.assert_array_equal(model.get_latent_representation(), trained.get_latent_representation())
    assert model.select(0) == 0


def test_the_card_shows_the_front(folder, trained):
    card = (folder / "README.md").read_text()
    assert (folder / "front.png").stat().st_size > 10_000
    assert "![The front](front.png)" in card
    assert "license: cc-by-4.0" in card
    assert "Simulated cells." in card
    rows = [line for line in card.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert len(rows) == len(trained.front)
    leakage = trained.front.to_dataframe()["leakage_mean"]
    assert [float(row.split("|")[3]) for row in rows] == pytest.approx(leakage.round(3).tolist())


def test_what_cannot_be_shared_is_refused(simulated, trained, folder):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    with pytest.raises(RuntimeError, match="no front to show"):
        ParetoVI(simulated).save_for_hub("nowhere", license_info="mit")
    with pytest.raises(ValueError, match="license_info is empty"):
        trained.save_for_hub("nowhere", license_info="")
    with pytest.raises(ValueError, match="already exists"):
        trained.save_for_hub(folder, license_info="mit")
