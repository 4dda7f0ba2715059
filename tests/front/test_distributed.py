from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import nn

from scpareto._runtime._processes import (
    average_array,
    average_tensors,
    broadcast_from_first,
    compute_mean_gradient,
    computes_for_all,
    is_distributed,
    is_first_process,
)
from scpareto.front import stratified_split

N_EPOCHS, N_STEPS = 4, 3
"""An initial epoch and three others; 70 cells for each process, 32 a step."""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """What each of two processes saw that trained together on CPUs; see two_processes.py."""
    folder = tmp_path_factory.mktemp("two_processes")
    command = [sys.executable, str(Path(__file__).with_name("two_processes.py")), str(folder)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    started = []
    # As torchrun would start them, without its own start-up time.
    for rank in ("0", "1"):
        environment = os.environ | shared | {"RANK": rank, "LOCAL_RANK": rank, "CUDA_VISIBLE_DEVICES": ""}
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        for process in started:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in started:
            process.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.mark.parametrize("part", ["module", "objectives"])
def test_both_processes_end_in_the_same_state_and_have_moved(processes, part):
    first, second = processes
    for name in first["end"][part]:
        assert torch.equal(first["end"][part][name], second["end"][part][name]), name
        torch.testing.assert_close(*(s["start"][part][name] for s in processes), rtol=0, atol=0, equal_nan=True)
    start, end = ({n: t for n, t in first[when][part].items() if t.is_floating_point()} for when in ("start", "end"))
    moved = {name.split(".")[0] for name in end if not torch.equal(start[name], end[name])}
    assert moved == {"module": {"px_r", "z_encoder", "decoder"}, "objectives": {"0"}}[part]


def test_the_weights_of_each_step_are_the_same(processes):
    first, second = (np.array(seen["weights"]) for seen in processes)
    assert first.shape == (N_EPOCHS * N_STEPS, 2)
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first, axis=0)) > 1


def test_losses_and_decisions_are_the_same(processes):
    first, second = processes
    assert first["minibatch_losses"] == second["minibatch_losses"]
    assert repr(first["history"]) == repr(second["history"])
    assert first["merits"] == second["merits"]
    assert (len(first["merits"]), first["n_epochs"], second["n_epochs"]) == (N_EPOCHS, 3, 3)
    assert first["after"] == second["after"], "both go on with the same random numbers"


def test_the_training_cells_are_divided_anew_each_epoch(processes, adata):
    train = stratified_split(adata.obs["batch"]).train
    seen = [[set(cells) for cells in process["cells"]] for process in processes]
    assert [len(epochs) for epochs in seen] == [N_EPOCHS, N_EPOCHS]
    for one, other in zip(*seen, strict=True):
        assert not one & other
        assert one | other == set(train.tolist())
    assert len({frozenset(cells) for cells in seen[0]}) == N_EPOCHS


def test_values_and_gradients_are_averaged(processes):
    for seen in processes:
        # Of 1 and 2 times the sum of squares at 2, whose gradient is 4.
        assert seen["gradients"] == [[[6.0] * 3] * 2, None]
        assert seen["tensors"] == [[[0.5], [0.5]], 2.0]
        assert seen["average_array"][:2] == [0.5, 10.0]
        assert np.isnan(seen["average_array"][2]), "undefined anywhere is undefined"
        assert seen["first"]["rank"] == 0
        assert seen["first"]["tensor"].tolist() == [0, 0]


@pytest.mark.parametrize(("which", "n_moved"), [("front", 13), ("path", 2 * 13)])
def test_a_step_has_the_gradients_of_one_process(processes, which, n_moved):
    """Losses per cell, no batch norm, the same 64 cells, noise by cell: gradients of one step agree to 1e-5."""
    first, second = processes
    ((one,), (two,), (other,)) = first["one"][which], first["two"][which], second["two"][which]
    moved = [name for name, gradient in one.items() if gradient is not None and gradient.any()]
    assert len(moved) == n_moved
    for name, gradient in one.items():
        if gradient is None:
            assert two[name] is None
            assert other[name] is None
            continue
        assert torch.equal(two[name], other[name]), name
        assert (two[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_an_objective_stands_still_where_the_mean_of_all_processes_is_at_its_floor(processes):
    """Values -1 and 2, whose mean is above zero, and -3 and 2, whose mean is below; the loss is twice the parameter."""
    for seen in processes:
        assert seen["floored"] == [[0.5, 2.0], [0.0, 0.0]]


PARTS = {
    "early": ["pretraining", "path", "path"],
    "collapsed": ["pretraining", "path", "path", "alone", "point_0", "point_3", "point_3", "point_1", "point_2"],
}


@pytest.mark.parametrize("front", PARTS)
def test_each_training_of_a_front_ends_in_the_same_state(processes, front):
    """Before the first process hands on what it has: control points, statistics, critics, and the best of each."""
    first, second = (seen[front]["ends"] for seen in processes)
    assert [part for part, _ in first] == [part for part, _ in second] == PARTS[front]
    for (part, states), (_, others) in zip(first, second, strict=True):
        assert states.keys() == others.keys()
        for which, state in states.items():
            for name in state:
                assert torch.equal(state[name], others[which][name]), (part, which, name)


def test_each_place_of_a_path_has_statistics_of_its_own(processes):
    _, states = processes[0]["early"]["ends"][-1]
    first, last = (states["end"][f"path.statistics.{control}.0"] for control in (0, 2))
    assert not torch.equal(first, last)


@pytest.mark.parametrize("front", PARTS)
def test_both_processes_learn_the_same_front(processes, front):
    first, second = (seen[front] for seen in processes)
    pd.testing.assert_frame_equal(first["table"], second["table"], check_exact=True)
    assert repr(first["history"]) == repr(second["history"])
    np.testing.assert_array_equal(first["codes"], second["codes"])
    assert len(first["table"]) == 4
    assert np.isfinite(first["codes"]).all()


def test_both_processes_stop_a_path_early(processes):
    """Two epochs of twelve are for settling, the third is the best one, and the fourth is worse."""
    assert [len(seen["early"]["history"]["path"]["epoch"]) for seen in processes] == [4, 4]


def test_only_the_first_process_writes_and_a_finished_front_is_read(processes):
    first, second = (seen["written"] for seen in processes)
    parts = ["pretraining.pt", "critics.pt", "path.pt", *(f"point_{number}.pt" for number in range(4))]
    assert {"settings.json", *parts} <= set(first)
    assert second == []
    assert [seen["again"] for seen in processes] == [[], []]


def test_divergence_in_one_process_ends_the_training_of_both(processes):
    for seen in processes:
        assert seen["diverged"].startswith("The losses of epoch 0 are")


def test_one_process_keeps_its_values():
    assert not is_distributed()
    assert is_first_process()
    values, loss_of = np.array([1.0, np.nan]), nn.Parameter(torch.tensor([3.0]))
    assert average_array(values) is values
    assert broadcast_from_first(values) is values
    gradient, nothing = compute_mean_gradient((loss_of**2).sum(), [loss_of, nn.Parameter(torch.ones(2))])
    assert gradient.tolist() == [6.0]
    assert average_tensors([gradient])[0] is gradient
    assert nothing is None


def test_a_process_that_is_not_connected_to_the_first_finds_for_itself(monkeypatch):
    assert computes_for_all()
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert not is_first_process()
    assert computes_for_all()
    assert broadcast_from_first("mine") == "mine"
    monkeypatch.setattr("scpareto._runtime._processes.is_distributed", lambda: True)
    assert not computes_for_all()
