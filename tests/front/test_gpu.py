"""A front that is trained on a GPU: the same kind of front as on a CPU, with all that is kept of it on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

pytestmark = pytest.mark.gpu
ACCELERATOR = "gpu"


@pytest.fixture(scope="module")
def model():
    adata = simulate_batches(1000, 100, n_batches=2, n_types=3, batch_strength=2.0, type_strength=1.3, seed=0)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=64, seed=0)
    model.train(120, max_epochs_pretrain=60, n_points=4, accelerator=ACCELERATOR, progress=False)
    return model


def test_the_front_is_whole_and_its_ends_differ(model):
    table = model.front.to_dataframe()
    assert table["point"].tolist() == [0, 1, 2, 3]
    assert table["batch_left"].iloc[-1] < table["batch_left"].iloc[0]
    assert np.isfinite(table[["generative_loss_test", "classifier_test", "structure_kept"]]).to_numpy().all()


def test_what_is_kept_lies_on_the_cpu(model):
    state = model.front.path.state(model.front.preferences[1])
    assert {tensor.device.type for tensor in state.values()} == {"cpu"}


def test_points_and_places_are_selected_and_give_finite_codes(model):
    codes = []
    for place in ({"which": 0}, {"which": 3}, {"preference": 0.5}):
        model.select(**place)
        codes.append(model.get_latent_representation())
        assert np.isfinite(codes[-1]).all()
    assert np.abs(codes[0] - codes[1]).max() > 0.1


def test_a_saved_front_loads_on_the_cpu_with_the_same_codes(model, tmp_path):
    model.select("auto")
    model.save(tmp_path / "model")
    loaded = ParetoVI.load(tmp_path / "model", model.adata, accelerator="cpu")
    assert {parameter.device for parameter in loaded.module.parameters()} == {torch.device("cpu")}
    mine, theirs = model.get_latent_representation(), loaded.get_latent_representation()
    np.testing.assert_allclose(theirs, mine, rtol=0, atol=1e-3)


def test_a_point_is_refined(model):
    before = model.front.to_dataframe()["n_epochs"].iloc[1]
    model.refine(1, max_epochs=2, accelerator=ACCELERATOR, progress=False)
    assert model.front.to_dataframe()["n_epochs"].iloc[1] > before
