"""Trainings as scvi-tools' users ask for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor

from scpareto.model import ParetoVI

SHORT = {
    "max_epochs": 4,
    "n_points": 4,
    "objective_kwargs": {"n_hidden": 8, "n_layers": 1},
    "plan_kwargs": {"n_bootstrap": 5, "critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}},
    "progress": False,
}


@pytest.fixture
def untrained(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    return ParetoVI(simulated, n_hidden=8, n_latent=3, seed=0)


def changed(**plan):
    return SHORT | {"plan_kwargs": SHORT["plan_kwargs"] | plan}


def test_one_epoch_is_short_and_sizes_are_kept(untrained):
    untrained.train(**SHORT | {"max_epochs": 1}, train_size=0.5, check_val_every_n_epoch=1)
    assert len(untrained.history["elbo_train"]) == 2  # the shared start and the path, one epoch each
    assert untrained.front.metadata["max_epochs"] == 2
    n = untrained.adata.n_obs
    assert len(untrained.train_indices) == pytest.approx(0.5 * n, abs=3)
    assert len(untrained.validation_indices) == pytest.approx(0.5 / 3 * n, abs=3)
    together = [untrained.train_indices, untrained.validation_indices, untrained.test_indices]
    np.testing.assert_array_equal(np.sort(np.concatenate(together)), np.arange(n))


def test_unknown_arguments_leave_the_model_as_it_was(untrained):
    before = {name: value.clone() for name, value in untrained.module.state_dict().items()}
    with pytest.raises(TypeError, match=r"unexpected argument 'train_sise'. Did you mean train_size"):
        untrained.train(1, train_sise=0.5)
    with pytest.raises(ValueError, match="n_epochs_kl_warmup=20 does not go with a front"):
        untrained.train(1, plan_kwargs={"n_epochs_kl_warmup": 20})
    assert all(torch.equal(before[name], value) for name, value in untrained.module.state_dict().items())
    assert not untrained.is_trained


def test_an_error_in_a_training_is_no_interruption(untrained, caplog):
    class Fails(LearningRateMonitor):
        def on_train_epoch_end(self, *args):
            raise RuntimeError("of the user")

    with caplog.at_level("WARNING", logger="scpareto"), pytest.raises(RuntimeError, match="of the user"):
        untrained.train(**SHORT, callbacks=[Fails()])
    assert "Ended by RuntimeError. Finished points: none" in caplog.text
    assert "Interrupted" not in caplog.text


def test_the_learning_rate_falls_where_nothing_gets_better_and_is_monitored(untrained):
    falling = {"reduce_lr_on_plateau": True, "lr_patience": 1, "lr_factor": 0.5, "lr_threshold": 1e6}
    training = changed(**falling, lr=0.0, lr_front=1e-5) | {"max_epochs": 24}
    untrained.train(**training, callbacks=[LearningRateMonitor()])
    rates = untrained.history["lr-Adam"]["lr-Adam"].to_numpy()
    start = len(untrained.front.metadata["history"]["pretraining"]["epoch"])
    assert rates[:start].max() == 0
    assert rates[start] == 1e-5
    assert rates[-1] < 0.3e-5
    assert (np.diff(rates[start:]) <= 0).all()


def test_stopping_counts_from_the_beginning_and_in_nats(untrained):
    untrained.train(
        **SHORT | {"max_epochs": 40},
        early_stopping=True,
        early_stopping_patience=2,
        early_stopping_warmup_epochs=6,
        early_stopping_min_delta=1e6,  # nothing gains as much
    )
    lengths = {name: len(part["epoch"]) for name, part in untrained.front.metadata["history"].items()}
    # The start is over before the warm-up and the patience are; the path settles for a fifth of its 33 epochs.
    assert lengths == {"pretraining": 7, "path": 6 + 1 + 2}
    assert untrained.front.metadata["recipe"]["least_gain"] == 1e6


def test_another_optimiser_trains_other_weights(untrained):
    untrained.train(**changed(weight_decay=0.1))
    one = {name: value.clone() for name, value in untrained.front.state(0).items()}
    untrained.train(**changed(weight_decay=0.1, optimizer="AdamW"))
    assert any(not torch.equal(one[name], value) for name, value in untrained.front.state(0).items())


def test_sparse_minibatches_train_the_same_weights(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    fronts = []
    for load_sparse_tensor in (False, True):
        model = ParetoVI(simulated, n_hidden=8, n_latent=3, seed=0)
        model.train(**SHORT, load_sparse_tensor=load_sparse_tensor)
        fronts.append(model.front)
    for number in fronts[0].numbers:
        states = [front.state(number) for front in fronts]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
