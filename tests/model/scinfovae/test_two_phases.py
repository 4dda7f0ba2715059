from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto._cells._in_memory import InMemoryBatches, make_batches
from scpareto._cells._indexed import CELL_INDEX
from scpareto.datasets import simulate_batches
from scpareto.model import ScInfoVAE
from scpareto.model.scinfovae import InfoVAEPlan, InfoVAEWeights, TwoPhases, generalisability
from scpareto.model.scinfovae._label_stability import LabelStability
from scpareto.objectives import DeepClustering, PriorDivergence, target_distribution
from scpareto.train import TrainingDiverged

CPU = {"accelerator": "cpu", "devices": 1}


@pytest.fixture(scope="module")
def adata():
    adata = simulate_batches(150, 40, n_batches=1, n_types=3, counts_per_gene=3.0, seed=0)
    ScInfoVAE.setup_anndata(adata)
    return adata


@pytest.fixture
def untrained(adata):
    return lambda **options: ScInfoVAE(adata, **{"n_clusters": 3, "n_hidden": [16], "n_latent": 3, "seed": 0} | options)


def phases_of(model, weights=None, **options):
    n = model.adata.n_obs
    defaults = {
        "weights": weights or InfoVAEWeights(),
        "divergence": PriorDivergence(3),
        "train": np.arange(n - 20),
        "validation": np.arange(n - 20, n),
        "batch_size": 32,
        "seed": 0,
        "trainer_kwargs": CPU,
    }
    return TwoPhases(model.module, model.adata_manager, **defaults | options)


def plan_of(model, alpha, lambda_):
    plan = InfoVAEPlan(model.module.eval(), InfoVAEWeights(alpha, lambda_), PriorDivergence(3), lr=1e-3)
    batch = next(iter(make_batches(model.adata_manager, np.arange(64), 64, shuffle=False)))
    return plan, batch


def test_elbo_and_beta_vae_are_exact_special_cases(untrained):
    model = untrained()
    plan, batch = plan_of(model, 0.0, 1.0)
    torch.manual_seed(0)
    terms, _, _ = plan.terms(batch)
    assert set(terms) == {"reconstruction", "kl"}
    torch.manual_seed(0)
    _, _, elbo = model.module(batch, loss_kwargs={"kl_weight": 1.0})
    assert float(plan.total(terms).detach()) == pytest.approx(float(elbo.loss.detach()), abs=1e-6, rel=1e-6)
    for beta in (0.3, 4.0):
        plan, batch = plan_of(model, 1 - beta, beta)
        torch.manual_seed(0)
        terms, _, _ = plan.terms(batch)
        torch.manual_seed(0)
        _, _, loss = model.module(batch, loss_kwargs={"kl_weight": beta})
        assert set(terms) == {"reconstruction", "kl"}
        assert float(plan.total(terms).detach()) == pytest.approx(float(loss.loss.detach()), abs=1e-6, rel=1e-6)


def test_mmd_vae_has_no_term_of_single_cells(untrained):
    plan, batch = plan_of(untrained(), 1.0, 50.0)
    terms, _, _ = plan.terms(batch)
    expected = terms["reconstruction"] + 50 * terms["divergence"]
    torch.testing.assert_close(plan.total(terms), expected)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.5, 1.0, 1.0), "alpha=1.5 must be at most 1"),
        ((0.5, 0.2, 1.0), r"alpha \+ lambda_ must be at least 1"),
        ((-1.0, 1.0, 1.0), "alpha=-1.0, lambda_=1.0"),
        ((1.0, 0.0, 1.0), "lambda_=0.0 must be positive"),
        ((0.9, 100.0, -1.0), "gamma=-1.0"),
    ],
)
def test_invalid_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        InfoVAEWeights(*weights)


def test_fine_tuning_as_published_drops_the_term_of_single_cells():
    weights = InfoVAEWeights(0.9, 100.0, 2.0)
    assert weights.for_finetuning("full") == weights
    paper = weights.for_finetuning("paper")
    assert (paper.kl, paper.divergence, paper.gamma) == (0.0, 100.0, 2.0)
    with pytest.raises(ValueError, match="'both' is not one of full, paper"):
        weights.for_finetuning("both")


def test_weight_of_the_divergence_is_exactly_zero_for_a_beta_vae():
    assert InfoVAEWeights(1 - 0.3, 0.3).divergence == 0.0


def test_clusters_settle_when_labels_stay():
    labels = torch.tensor([0, 1, 2, 1])
    stability = LabelStability(labels, 1e-3)
    assert stability.has_settled(labels.clone())
    assert LabelStability(labels, 0.0).has_settled(labels) is False


def test_switching_labels_do_not_stop_training():
    first, second = torch.tensor([0, 1] * 50), torch.tensor([1, 0] * 50)
    stability = LabelStability(first, 0.5)
    assert not any(stability.has_settled(labels) for labels in (second, first, second))
    assert stability.changed == 1.0
    with pytest.raises(ValueError, match="tol=2"):
        LabelStability(first, 2)


def test_minibatches_cover_the_cells_and_know_their_rows(untrained):
    manager = untrained().adata_manager
    cells = np.array([5, 7, 11, 20, 30, 31, 90])
    loader = make_batches(manager, cells, 3, shuffle=True)
    assert isinstance(loader, InMemoryBatches)
    torch.manual_seed(0)
    # One left-over cell is left out.
    assert [len(batch["X"]) for batch in loader] == [3, 3]
    assert len(loader) == 2
    whole = make_batches(manager, cells, 3, shuffle=False)
    rows = torch.cat([batch[CELL_INDEX] for batch in whole]).view(-1)
    assert rows.tolist() == cells.tolist()
    counts = torch.cat([batch["X"] for batch in whole]).numpy()
    np.testing.assert_array_equal(counts, manager.adata.X[cells].toarray())


def test_large_data_are_read_by_a_loader_with_equal_content(untrained):
    manager = untrained().adata_manager
    in_memory, read = (
        list(make_batches(manager, np.arange(50), 16, shuffle=False, max_elements=m)) for m in (2**28, 10)
    )
    assert len(in_memory) == len(read) == 4
    for a, b in zip(in_memory, read, strict=True):
        for key in a:
            torch.testing.assert_close(a[key].float(), b[key].float())


def test_pretraining_keeps_the_best_state(untrained):
    model = untrained()
    phases = phases_of(model)
    history = phases.pretrain(15, lr=3e-3, patience=None)
    assert len(history) == 15
    merits = [record["total_validation"] for record in history]
    plan = InfoVAEPlan(model.module, phases.weights, phases.divergence, lr=1e-3)
    again = np.mean([plan.evaluate_total(phases._validation) for _ in range(20)])
    # Codes and draws of the prior are new: up to noise, the lowest loss that was seen.
    assert again == pytest.approx(min(merits), rel=0.03)
    assert merits[0] > min(merits)


def test_pretraining_ends_when_nothing_gets_better(untrained):
    history = phases_of(untrained()).pretrain(200, lr=0.1, patience=3)
    best = int(np.argmin([record["total_validation"] for record in history]))
    assert len(history) == best + 4 < 200


def test_fine_tuning_moves_codes_and_centres(untrained):
    model = untrained(gamma=50.0)
    phases = phases_of(model, InfoVAEWeights(gamma=50.0))
    phases.pretrain(3, lr=1e-3, patience=None)
    before = phases.codes()
    found = phases.finetune(4, lr=1e-3, objective="full", update_interval=2, tol=0.0, restore_best=None)
    assert len(found.history) == 4
    assert found.reason == "all epochs were run"
    assert not torch.equal(before, phases.codes())
    assert found.before.shape == found.after.shape == (150,)
    # Refreshed every second epoch.
    assert [("labels_changed" in record) for record in found.history] == [False, True, False, True]
    losses = [record["clustering_train"] for record in found.history]
    assert losses[-1] < losses[0]


def test_stable_labels_end_the_fine_tuning_after_one_refresh(untrained):
    phases = phases_of(untrained())
    phases.pretrain(2, lr=1e-3, patience=None)
    found = phases.finetune(10, lr=1e-12, objective="full", update_interval=1, tol=1e-3, restore_best=None)
    assert len(found.history) == 1
    assert "0.001 of the labels changed" in found.reason
    # tol=0 runs all epochs although nothing changes.
    found = phases.finetune(3, lr=1e-12, objective="full", update_interval=1, tol=0.0, restore_best=None)
    assert len(found.history) == 3


@pytest.mark.parametrize("restore_best", ["loss", "silhouette"])
def test_fine_tuning_that_only_harms_is_taken_back(untrained, restore_best):
    phases = phases_of(untrained())
    phases.pretrain(12, lr=3e-3, patience=None)
    codes = phases.codes()
    found = phases.finetune(
        6, lr=10.0, objective="paper", update_interval=1, tol=0.0, restore_best=restore_best, patience=2
    )
    assert len(found.history) <= 6
    if restore_best == "loss":
        assert torch.equal(codes, phases.codes())
        np.testing.assert_array_equal(found.before, found.after)
        assert "no better loss" in found.reason


def test_an_empty_cluster_is_survived_and_said(untrained, caplog):
    model = untrained(n_clusters=4)
    phases = phases_of(model)
    phases.pretrain(1, lr=1e-3, patience=None)

    def move_one_away():
        model.module.clustering.centres.data[3] = 1e6

    phases.on_epoch = move_one_away
    found = phases.finetune(2, lr=1e-4, objective="full", update_interval=1, tol=0.0, restore_best=None)
    assert found.history[-1]["smallest_cluster"] == 0
    assert np.isfinite(found.history[-1]["clustering_train"])
    assert 3 not in found.after
    assert "1 of 4 clusters have no cell" in caplog.text


def test_no_gradient_through_the_target(untrained):
    model = untrained()
    plan, batch = plan_of(model, 0.9, 100.0)
    plan.with_clusters = True
    model.module.clustering.centres.data.normal_()
    codes = phases_of(model).codes()
    plan.target = target_distribution(model.module.clustering.assign(codes))
    assert not plan.target.requires_grad
    terms, _, _ = plan.terms(batch)
    terms["clustering"].backward()
    assert model.module.clustering.centres.grad.abs().sum() > 0
    assert model.module.z_encoder.mean_encoder.weight.grad.abs().sum() > 0
    # The posterior's variance has no part in it.
    assert model.module.z_encoder.var_encoder.weight.grad is None


def test_a_critic_is_trained_before_each_step(untrained):
    model = untrained()
    divergence = PriorDivergence(3, divergence="js", n_hidden=8)
    before = [p.clone() for p in divergence.parameters()]
    phases = phases_of(model, divergence=divergence)
    history = phases.pretrain(2, lr=1e-3, patience=None)
    assert any(not torch.equal(a, b) for a, b in zip(before, divergence.parameters(), strict=True))
    assert np.isfinite(history[-1]["divergence_train"])


def test_divergence_is_reported(untrained):
    model = untrained()
    with torch.no_grad():
        next(model.module.z_encoder.parameters()).fill_(torch.nan)
    with pytest.raises((TrainingDiverged, ValueError)):
        phases_of(model).pretrain(1, lr=1e-3, patience=None)


def test_ratio_of_losses_of_seen_and_unseen_cells(untrained):
    model = untrained()
    phases_of(model).pretrain(3, lr=1e-3, patience=None)
    state = {key: value.clone() for key, value in model.module.state_dict().items()}
    ratios = generalisability(
        model.module,
        model.adata_manager,
        [2, 20],
        train=np.arange(100),
        validation=np.arange(100, 150),
        max_epochs=2,
        lr=1e-3,
        objective="full",
        weights=InfoVAEWeights(),
        divergence=PriorDivergence(3),
        batch_size=32,
        seed=0,
        trainer_kwargs=CPU,
    )
    assert len(ratios) == 2
    assert all(0.2 < ratio < 5 for ratio in ratios)
    assert all(torch.equal(value, state[key]) for key, value in model.module.state_dict().items())


def test_targets_of_cells_that_are_not_clustered_are_zero(untrained):
    model = untrained()
    phases = phases_of(model, clustered=np.arange(0, 150, 2))
    q = model.module.clustering.assign(phases.codes()).detach()
    target = phases._target(q)
    assert target.shape == (150, 3)
    assert not target[1::2].any()
    torch.testing.assert_close(target[::2].sum(1), torch.ones(75))
    assert isinstance(model.module.clustering, DeepClustering)
