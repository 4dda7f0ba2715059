from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scpareto.train import stratified_split
from scpareto.train._distributed import (
    averaged,
    averaged_gradient,
    is_first_process,
    of_first_process,
    several,
)

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
        assert seen["averaged"][:2] == [0.5, 10.0]
        assert np.isnan(seen["averaged"][2]), "undefined anywhere is undefined"
        assert seen["first"]["rank"] == 0
        assert seen["first"]["tensor"].tolist() == [0, 0]


def test_divergence_in_one_process_ends_the_training_of_both(processes):
    for seen in processes:
        assert seen["diverged"].startswith("The losses of epoch 0 are")


def test_one_process_keeps_its_values():
    assert not several()
    assert is_first_process()
    values, loss_of = np.array([1.0, np.nan]), nn.Parameter(torch.tensor([3.0]))
    assert averaged(values) is values
    assert of_first_process(values) is values
    gradient, nothing = averaged_gradient((loss_of**2).sum(), [loss_of, nn.Parameter(torch.ones(2))])
    assert gradient.tolist() == [6.0]
    assert nothing is None
