"""A process that is killed in the middle of a front, and another one that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch

from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {"max_epochs_pretrain": 2, "n_points": 5, "plan_kwargs": PLAN, "progress": False}
# What must be on disk before the kill, and the number of epochs, which is large where it must not end before.
CASES = {"pareto_mtl": ("point_1.pt", 4), "conditional": ("path_training.pt", 42)}


def train(method, max_epochs, folder):
    torch.set_num_threads(1)
    adata = simulate_batches(300, 40, seed=0)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    model.train(max_epochs, method=method, checkpoint_dir=folder, **SHORT)
    return model.front


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("method", CASES)
def test_a_killed_front_goes_on_to_the_same_end(method, tmp_path):
    part, max_epochs = CASES[method]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = subprocess.Popen([sys.executable, __file__, method, str(max_epochs), str(killed)])
    deadline = time.monotonic() + 120
    while not (killed / part).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
    assert (killed / part).exists()
    assert not (killed / "point_3.pt").exists(), "the front was finished before"
    front, expected = train(method, max_epochs, killed), train(method, max_epochs, whole)
    pd.testing.assert_frame_equal(front.to_dataframe(), expected.to_dataframe(), check_exact=True)
    for number in expected.numbers:
        states = front.state(number), expected.state(number)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), sys.argv[3])
