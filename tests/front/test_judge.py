from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from scpareto.front import stratified_split
from scpareto.front._control_genes import add_control_genes
from scpareto.front._judge_all import judge_all_points
from scpareto.front._judged_cells import JudgedCells
from scpareto.front._judging import Judging, compute_losses, encode_points, judge_points
from scpareto.objectives import Mine
from scpareto.train import Recipe, copy_state
from scpareto.train._adapter import get_adapter

SHORT = {"de_novo": {"max_epochs": 2}, "n_bootstrap": 5}


@pytest.fixture
def judge(model, adata):
    return JudgedCells(get_adapter(model), model.adata_manager, stratified_split(adata.obs["batch"]))


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
    losses = compute_losses(judge, *judge.encode(), (), None)
    torch.manual_seed(0)
    _, _, generative = judge.encode()
    for name, part in judge.split.items():
        assert losses[f"generative_loss_{name}"] == pytest.approx(float(generative[torch.from_numpy(part)].mean()))


def test_points_are_judged_with_equal_random_numbers_whatever_the_others(judge, model):
    """The same weights get the same numbers, alone or after others, and the callers' generator stays."""
    recipe = Recipe().with_options(SHORT)
    options = {"de_novo": recipe.de_novo, "n_bootstrap": recipe.n_bootstrap}
    judging = Judging(seed=3, nats=True, objectives=[Mine(3, 2)], **options)
    state = copy_state(model.module)
    other = {name: values + 0.1 if values.is_floating_point() else values for name, values in state.items()}
    torch.manual_seed(0)
    before = torch.get_rng_state()
    found = dict(judge_points(judge, [(0, state), (1, other), (2, state)], judging))
    assert torch.equal(torch.get_rng_state(), before)
    assert found[0].row == found[2].row != found[1].row
    assert {"mine_test", "leakage_mean", "leakage_sample_high", "retention"} <= set(found[0].row)
    np.testing.assert_array_equal(found[0].codes, found[2].codes)


def test_points_judged_together_have_the_numbers_that_they_have_alone(judge, model):
    state = copy_state(model.module)
    other = {name: values + 0.1 if values.is_floating_point() else values for name, values in state.items()}
    judging, codes = Judging(seed=3, n_bootstrap=100), encode_points(judge, {0: state, 1: other})
    together = judge_all_points(judge, judging, codes)
    alone = judge_all_points(judge, judging, {1: codes[1]})
    for name in ("batch_left", "structure_kept", "information", "leakage_mean"):
        assert together["columns"][1][name] == alone["columns"][1][name], name
    assert together["numbers"] == [0, 1]
    assert set(together["tables"]) >= {"differences", "differences_structure", "populations", "lost"}


def test_a_continuous_nuisance_is_not_judged_by_batches(judge, model):
    judged = judge_all_points(judge, Judging(seed=3, target=None), encode_points(judge, {0: copy_state(model.module)}))
    assert set(judged["columns"][0]) >= {"structure_kept", "alarm"}
    assert not any("left" in name or "leakage" in name for name in judged["columns"][0])
    assert judged["record"]["reason"] == "a continuous nuisance is not judged"


def test_a_lost_control_gene_rings_the_alarm_of_its_point_and_is_named():
    columns = {name: {"alarm": 0.0, "structure_lost": 0.0, "structure_lost_most": "none"} for name in "abc"}
    rows = [
        ("XIST", "b", 97.0, False),
        ("XIST", "c", 40.0, True),
        ("CD3D", "b", 99.0, False),
        ("CD3D", "c", 90.0, False),
    ]
    add_control_genes(columns, pd.DataFrame(rows, columns=["gene", "embedding", "kept", "alarm"]))
    assert [columns[name]["alarm"] for name in "abc"] == [0.0, 0.0, 1.0]
    assert [columns[name]["XIST_kept"] for name in "abc"] == [100.0, 97.0, 40.0]
    assert columns["c"]["structure_lost_most"] == "control gene XIST"
    assert columns["c"]["structure_lost"] == pytest.approx(0.6)


def test_control_genes_are_judged_against_the_least_corrected_point(model, adata):
    gene = np.log1p(np.asarray(adata.X[:, 0].todense()).ravel() if hasattr(adata.X, "todense") else adata.X[:, 0])
    cells = JudgedCells(get_adapter(model), model.adata_manager, stratified_split(adata.obs["batch"]), {"gene_0": gene})
    codes = encode_points(cells, {0: copy_state(model.module), 1: copy_state(model.module)})
    judged = judge_all_points(cells, Judging(seed=3, n_bootstrap=100), codes)
    assert judged["columns"][0]["gene_0_kept"] == 100.0
    assert judged["columns"][1]["gene_0_kept"] == pytest.approx(100.0) or np.isnan(judged["columns"][1]["gene_0_kept"])
