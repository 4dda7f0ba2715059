"""Processes that train together from the command line: refused, started, killed and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import anndata
import pandas as pd
import pytest
from typer.testing import CliRunner

from scpareto.cli import app
from scpareto.cli._processes import get_trainer_arguments
from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    simulate_batches(240, 60, n_batches=2, n_types=3, seed=0).write_h5ad(path)
    return path


def refused(data, *arguments):
    command = ["fit", str(data), "--batch-key", "batch", "--output", str(data.parent / "out"), *arguments]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert not (data.parent / "out").exists()
    return " ".join(result.output.split())


def test_hardware_is_checked_before_the_data_are_read(data, monkeypatch):
    assert get_trainer_arguments("cpu", 1, 1, overwrite=True) == {"accelerator": "cpu"}
    together = {"accelerator": "cpu", "devices": 2, "num_nodes": 1, "strategy": "ddp"}
    assert get_trainer_arguments("cpu", 2, 1, overwrite=True) == together
    assert "Invalid value for '--devices'" in refused(data, "--devices", "0")
    assert "accelerator='tpu' is not there" in refused(data, "--accelerator", "tpu", "--devices", "2")
    assert "start the command on every machine, with srun or torchrun, 4 processes on each" in refused(
        data, "--accelerator", "cpu", "--devices", "4", "--num-nodes", "2"
    )
    monkeypatch.setenv("RANK", "0")
    assert get_trainer_arguments("cpu", 4, 2, overwrite=False) == together | {"devices": 4, "num_nodes": 2}
    told = refused(data, "--accelerator", "cpu", "--devices", "2", "--overwrite")
    assert "--overwrite: processes that start together cannot agree on the folder" in told


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_run_of_two_processes_is_killed_and_goes_on(data, tmp_path):
    command = [sys.executable, "-m", "scpareto.cli", "fit", str(data), "--batch-key", "batch", "--output", "out"]
    command += ["--n-points", "4", "--max-epochs", "60", "--max-epochs-pretrain", "10", "--n-top-genes", "0"]
    command += ["--devices", "2", "--accelerator", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    options = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as process:
        try:
            wait_for(tmp_path / "out" / "checkpoints" / "pretraining.pt", process)
            process.terminate()
            told, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM, told
    assert "Interrupted by SIGTERM. Finished points are kept; add --resume to go on." in told
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        os.killpg(process.pid, 0)

    finished = subprocess.run([*command, "--resume"], text=True, timeout=240, check=False, **options)
    assert finished.returncode == 0, finished.stdout
    assert finished.stdout.count("Results are in out/") == 1
    assert pd.read_csv(tmp_path / "out" / "front.csv")["point"].tolist() == [0, 1, 2, 3]
    front = ParetoVI.load(tmp_path / "out" / "model", anndata.read_h5ad(data)).front
    assert list(front.metadata["history"]["pretraining"]["epoch"]) == list(range(10))


def wait_for(file, process, seconds=120):
    end = time.monotonic() + seconds
    while not file.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.1)
    assert file.exists()
