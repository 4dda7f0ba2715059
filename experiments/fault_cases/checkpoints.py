"""Cases in which a checkpoint folder is given to another model, other data or another recipe, or is damaged."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fault_cases._cases import PLAN, SHORT, case, cells, refused, warned

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

KIND = "checkpoints"
# Trained once, by the first case that needs it: cases run in children of one process.
_TRAINED = Path(tempfile.gettempdir()) / f"scpareto_fault_cases_{os.getpid()}"
atexit.register(shutil.rmtree, _TRAINED, ignore_errors=True)


def _adata() -> AnnData:
    adata = cells()
    number = np.arange(adata.n_obs)
    adata.obs["kind"] = np.where(number % 3, "x", "y")
    adata.obs["age"] = np.linspace(0, 1, adata.n_obs)
    adata.obs["depth"] = np.linspace(0.5, 1.5, adata.n_obs)
    return adata


_SETUP: dict[str, Any] = {
    "batch_key": "batch",
    "labels_key": "kind",
    "continuous_covariate_keys": ["age"],
    "size_factor_key": "depth",
}


def _trained(
    folder: Path, adata: AnnData | None = None, setup: Any = None, model: Any = None, seed: int = 0, **options: Any
) -> Any:
    import scpareto as sp

    adata = _adata() if adata is None else adata
    sp.model.ParetoVI.setup_anndata(adata, **_SETUP | (setup or {}))
    made = sp.model.ParetoVI(adata, **{"n_hidden": 8, "n_latent": 3, "dropout_rate": 0.1, "seed": seed} | (model or {}))
    made.train(**SHORT | {"method": "scalarization", "checkpoint_dir": folder} | options)
    return made


def _copied(folder: Path) -> tuple[Path, np.ndarray]:
    """Return a copy of a finished checkpoint folder, and the codes that its model gave."""
    if not (_TRAINED / "codes.npy").exists():
        model = _trained(_TRAINED / "c")
        np.save(_TRAINED / "codes.npy", model.get_latent_representation())
    shutil.copytree(_TRAINED / "c", folder / "c")
    return folder / "c", np.load(_TRAINED / "codes.npy")


def _add(name: str, words: tuple[str, ...], **changes: Any) -> None:
    def run(folder: Path) -> None:
        place, _ = _copied(folder)
        before = sorted((path.name, path.read_bytes()) for path in place.iterdir())
        refused(lambda: _trained(place, **changes), *words)
        assert sorted((path.name, path.read_bytes()) for path in place.iterdir()) == before, "the folder was changed"

    case(KIND, f"a finished folder is given to a run with {name}")(run)


for _argument, _value in {
    "dropout_rate": 0.4,
    "n_latent": 4,
    "n_hidden": 16,
    "n_layers": 1,
    "gene_likelihood": "nb",
    "dispersion": "gene-label",
    "use_layer_norm": "both",
    "latent_distribution": "ln",
}.items():
    _add(f"{_argument}={_value!r}", ("model",), model={_argument: _value})
for _argument, _value in {
    "max_epochs": 4,
    "max_epochs_pretrain": 2,
    "batch_size": 64,
    "n_points": 5,
    "objective": "mmd",
    "method": "epo",
    "precision": "bf16-mixed",
    "limit_train_batches": 1,
    "preset": "paper",
    "plan_kwargs": PLAN | {"lr": 1e-2},
}.items():
    _add(f"{_argument}={_value!r}", (), **{_argument: _value})
_add("another seed", ("seed",), seed=1)
_add("another split", (), split=(np.arange(80), np.arange(80, 100), np.arange(100, 120)))


def _changed(change: Callable[[AnnData], Any]) -> AnnData:
    adata = _adata()
    return adata if (found := change(adata)) is None else found


def _set(column: str, value: Any) -> Callable[[AnnData], None]:
    def change(adata: AnnData) -> None:
        adata.obs.iloc[5, adata.obs.columns.get_loc(column)] = value

    return change


def _swapped(column: str) -> Callable[[AnnData], None]:
    def change(adata: AnnData) -> None:
        values = adata.obs[column].astype(str).to_numpy().copy()
        other = int(np.argmax(values != values[0]))
        values[[0, other]] = values[[other, 0]]
        adata.obs[column] = values

    return change


def _one_count(adata: AnnData) -> None:
    adata.X = adata.X.tocsr()
    adata.X.data[7] += 1


for _name, _change in {
    "one count more": _one_count,
    "two cells in the batches of each other": _swapped("batch"),
    "two cells with the labels of each other": _swapped("kind"),
    "another covariate of one cell": _set("age", 0.7),
    "another size factor of one cell": _set("depth", 0.7),
    "one cell less": lambda a: a[1:].copy(),
    "the cells in another order": lambda a: a[::-1].copy(),
    "the genes in another order": lambda a: a[:, ::-1].copy(),
}.items():

    def _other_data(folder: Path, change: Any = _change) -> None:
        place, _ = _copied(folder)
        refused(lambda: _trained(place, adata=_changed(change)), "data")

    case(KIND, f"a finished folder is given to a run with {_name}")(_other_data)

for _name, _setup in {
    "no labels": {"labels_key": None},
    "no covariate": {"continuous_covariate_keys": None},
    "no size factor": {"size_factor_key": None},
    "labels as a further covariate": {"categorical_covariate_keys": ["kind"]},
}.items():
    _add(_name, (), setup=_setup)


@case(KIND, "a finished folder is given to the same run")
def _same(folder: Path) -> None:
    place, codes = _copied(folder)
    np.testing.assert_array_equal(_trained(place).get_latent_representation(), codes)


def _damaged(name: str, damage: Callable[[Path], None]) -> None:
    def run(folder: Path) -> None:
        place, codes = _copied(folder)
        damage(place)
        np.testing.assert_array_equal(_trained(place).get_latent_representation(), codes)

    case(KIND, f"a part of the folder is damaged and made again: {name}")(run)


_damaged("cut in half", lambda c: (c / "point_1.pt").write_bytes((c / "point_1.pt").read_bytes()[:900]))
_damaged("empty", lambda c: (c / "point_0.pt").write_bytes(b""))
_damaged("the shared start is text", lambda c: (c / "pretraining.pt").write_text("no part"))
_damaged("one point is gone", lambda c: (c / "point_2.pt").unlink())
_damaged("all but one point are gone", lambda c: [(c / f"point_{i}.pt").unlink() for i in (0, 1, 3)] and None)
_damaged("a point is the copy of another", lambda c: shutil.copy(c / "point_0.pt", c / "point_3.pt") and None)


@case(KIND, "parts without their settings")
def _no_settings(folder: Path) -> None:
    place, _ = _copied(folder)
    (place / "settings.json").unlink()
    refused(lambda: _trained(place), "settings.json")


@case(KIND, "settings that are no settings")
def _odd_settings(folder: Path) -> None:
    place, _ = _copied(folder)
    (place / "settings.json").write_text("[1, 2]")
    refused(lambda: _trained(place), "settings.json")


@case(KIND, "a folder of another version of a library is taken with a warning")
def _versions(folder: Path) -> None:
    place, codes = _copied(folder)
    text = (place / "settings.json").read_text()
    import torch

    assert torch.__version__ in text, "the version is not recorded"
    (place / "settings.json").write_text(text.replace(torch.__version__, "0.0.1"))
    model = warned(lambda: _trained(place), "0.0.1")
    np.testing.assert_array_equal(model.get_latent_representation(), codes)


@case(KIND, "a folder of another number of threads is taken with a warning")
def _threads(folder: Path) -> None:
    place, _ = _copied(folder)
    import torch

    torch.set_num_threads(torch.get_num_threads() + 1)
    warned(lambda: _trained(place), "threads")


@case(KIND, "a plain scVI is given the folder of a ParetoVI")
def _plain(folder: Path) -> None:
    import scvi

    import scpareto as sp

    place, _ = _copied(folder)
    adata = _adata()
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch", labels_key="kind", continuous_covariate_keys=["age"])
    model = scvi.model.SCVI(adata, n_hidden=8, n_latent=3)
    refused(lambda: sp.fit_front(model, **SHORT | {"method": "scalarization", "checkpoint_dir": place}))


@case(KIND, "a query is given the folder of its reference")
def _query(folder: Path) -> None:
    import scpareto as sp

    place, _ = _copied(folder)
    query = _adata()
    query.obs["batch"] = np.where(np.arange(120) % 2, "new", "batch_0")
    model = sp.model.ParetoVI.load_query_data(query, _trained(folder / "other"))
    refused(lambda: model.train(**SHORT | {"method": "scalarization", "checkpoint_dir": place}))


@case(KIND, "settings name no machine, user or path")
def _private(folder: Path) -> None:
    place, _ = _copied(folder)
    text = json.dumps(json.loads((place / "settings.json").read_text()))
    assert str(_TRAINED) not in text
    assert os.path.expanduser("~") not in text
