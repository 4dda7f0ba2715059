from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.front import stratified_split
from scpareto.front._judge import Judge
from scpareto.objectives import Mine
from scpareto.train import Recipe
from scpareto.train._adapter import get_adapter

SHORT = {"de_novo": {"max_epochs": 2}, "n_bootstrap": 5}


@pytest.fixture
def judge(model, adata):
    split = stratified_split(adata.obs["batch"])
    return Judge(get_adapter(model), model.adata_manager, split, [Mine(3, 2)], Recipe().with_options(SHORT))


def test_all_cells_are_encoded_in_order_and_in_evaluation_mode(judge, model, adata):
    model.module.train()
    qz, context, generative = judge.encode()
    model.is_trained_ = True
    np.testing.assert_allclose(qz.loc.numpy(), model.get_latent_representation(), atol=1e-6)
    assert generative.shape == (adata.n_obs,)
    assert context.categorical["batch"].tolist() == adata.obs["batch"].cat.codes.tolist()
    assert not generative.requires_grad
    again = judge.encode()[0]
    assert torch.equal(qz.loc, again.loc)


def test_generative_loss_is_the_mean_of_each_part(judge):
    torch.manual_seed(0)
    losses = judge.losses(*judge.encode())["generative_loss"]
    torch.manual_seed(0)
    _, _, generative = judge.encode()
    for name, part in judge.split.items():
        assert losses[name] == pytest.approx(float(generative[torch.from_numpy(part)].mean()))


def test_equal_seeds_give_equal_rows(judge):
    rows = []
    for _ in range(2):
        torch.manual_seed(0)
        rows.append(judge(seed=3))
    assert rows[0].row == rows[1].row
    assert {"mine_test", "leakage_mean", "leakage_sample_high", "retention"} <= set(rows[0].row)
    assert repr(rows[0].structure) == repr(rows[1].structure)
    assert len(rows[0].structure["names"]) == len(rows[0].structure["value"]) > 0
