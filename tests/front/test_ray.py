"""Points on a Ray cluster of two workers, and a search over hyperparameters."""

from __future__ import annotations

import builtins
import os
import types

import numpy as np
import pandas as pd
import pytest
import torch

from scpareto.datasets import simulate_batches
from scpareto.front._points import train_and_judge
from scpareto.model import ParetoVI

# See RayExecutor.map; a search starts Ray by itself.
os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")
ray = pytest.importorskip("ray", reason="Ray is not installed")
# Ray in turn warns of what will change in it.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {"max_epochs": 4, "max_epochs_pretrain": 2, "n_points": 4, "plan_kwargs": PLAN, "progress": False}


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=300 * 2**20)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def cells():
    adata = simulate_batches(300, 40, seed=0)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    return adata


def trained(cells, **options):
    model = ParetoVI(cells, n_hidden=16, n_latent=3, seed=0)
    model.train(**SHORT | {"method": "pareto_mtl"} | options)
    return model.front


@pytest.fixture(scope="module")
def serial(cells):
    return trained(cells)


def assert_equal(front, other):
    pd.testing.assert_frame_equal(front.to_dataframe(), other.to_dataframe(), check_exact=True)
    for number in front.numbers:
        states = front.state(number), other.state(number)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


class DiesOnce:
    """Trains and judges a point; the worker is killed the first time that it is asked for point 1."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, problem, cells, judging, point, progress):
        mark = os.path.join(self.folder, "died")
        if point.number == 1 and not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(1)
        return train_and_judge(problem, cells, judging, point, progress)


@pytest.mark.slow
def test_a_front_from_ray_is_the_same_and_survives_a_dead_worker(cluster, cells, serial, monkeypatch, tmp_path):
    monkeypatch.setattr("scpareto.front._apart.train_and_judge", DiesOnce(str(tmp_path)))
    # Workers do not import tests: the class travels whole.
    ray.cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
    front = trained(cells, executor="ray")
    assert (tmp_path / "died").exists()
    assert_equal(front, serial)


@pytest.mark.slow
def test_points_that_are_there_are_not_trained_again(cluster, cells, serial, tmp_path, monkeypatch):
    assert_equal(trained(cells, checkpoint_dir=tmp_path, executor="ray"), serial)
    assert {"point_0.pt", "point_1.pt", "point_2.pt", "point_3.pt"} <= {path.name for path in tmp_path.iterdir()}
    monkeypatch.setattr("scpareto.front._points.train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert_equal(trained(cells, checkpoint_dir=tmp_path), serial)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"executor": "dask"}, "executor='dask' is not one of None, 'ray'"),
        ({"executor_kwargs": {"num_cpus": 1}}, "without an executor"),
        ({"executor": "ray", "warm_start": "path"}, "one point after the other"),
        ({"executor": "ray", "method": "conditional"}, "is one training"),
    ],
)
def test_what_does_not_go_with_an_executor_is_refused(cells, options, told):
    with pytest.raises(ValueError, match=told):
        trained(cells, **options)


def test_without_ray_the_extra_is_named(cells, monkeypatch):
    monkeypatch.setattr("scpareto.front._executor.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"scpareto\[ray\]"):
        trained(cells, executor="ray")


@pytest.mark.slow
def test_hyperparameters_are_searched_for(cluster, cells, tmp_path):
    pytest.importorskip("hyperopt", reason="the extra autotune is not installed")
    from ray import tune
    from scvi.autotune import run_autotune

    found = run_autotune(
        ParetoVI,
        cells,
        metrics="selected_leakage_mean",
        mode="min",
        search_space={
            "model_params": {"n_hidden": tune.choice([8, 16]), "n_latent": 3},
            "train_params": {name: value for name, value in SHORT.items() if name != "plan_kwargs"},
        },
        num_samples=2,
        seed=0,
        scheduler="fifo",
        searcher="random",
        resources={"cpu": 1},
        logging_dir=str(tmp_path),
        ignore_reinit_error=True,
    )
    results = found.result_grid
    assert not results.errors
    values = [result.metrics["selected_leakage_mean"] for result in results]
    assert np.isfinite(values).all()
    assert results.get_best_result("selected_leakage_mean", "min").metrics["selected_leakage_mean"] == min(values)


def test_print_is_still_that_of_python():
    """Ray replaces it, see RayExecutor.map, and whatever numba compiles afterwards would fail."""
    assert isinstance(builtins.print, types.BuiltinFunctionType)
