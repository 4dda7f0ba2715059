"""Values that are not numbers one can train on, categories that cannot be saved, and keys given in other ways."""

from __future__ import annotations

import datetime
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._tried import case, refused
from .matrices import simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

KIND = "values"
N = 200
HALF = np.arange(N) % 2
PLACE = 7
"""The first cell with a wrong value."""


def _at(values: Any, wrong: Any) -> Any:
    found = pd.Series(values, dtype=object if isinstance(wrong, str | bytes) else None)
    found = found.astype(object) if not np.isscalar(wrong) else found
    found.iloc[PLACE] = wrong
    return found.to_numpy()


NUMBERS = np.linspace(0.5, 2.0, N)
WRONG_NUMBERS: dict[str, Callable[[], Any]] = {
    "infinity": lambda: _at(NUMBERS, np.inf),
    "minus infinity": lambda: _at(NUMBERS, -np.inf),
    "NaN": lambda: _at(NUMBERS, np.nan),
    "1e300": lambda: _at(NUMBERS, 1e300),
    "text": lambda: np.where(HALF, "low", "high"),
    "numbers as text": lambda: NUMBERS.astype(str),
    "numbers as objects": lambda: NUMBERS.astype(object),
    "numbers and a word": lambda: _at(NUMBERS, "unknown"),
    "dates": lambda: pd.date_range("2024-01-01", periods=N),
    "time differences": lambda: pd.to_timedelta(np.arange(N), unit="h"),
    "categories of numbers": lambda: pd.Categorical(np.round(NUMBERS)),
    "complex numbers": lambda: NUMBERS + 1j,
    "big-endian floats": lambda: NUMBERS.astype(">f8"),
}
WRONG_FACTORS: dict[str, Callable[[], Any]] = {
    "zero": lambda: _at(NUMBERS, 0.0),
    "a negative one": lambda: _at(NUMBERS, -1.0),
    "all zero": lambda: np.zeros(N),
    "1e-30": lambda: _at(NUMBERS, 1e-30),
    "1e12": lambda: _at(NUMBERS, 1e12),
}
GOOD_NUMBERS: dict[str, Callable[[], Any]] = {
    "integers": lambda: np.arange(N) + 1,
    "8-bit integers": lambda: (np.arange(N) % 100 + 1).astype(np.uint8),
    "half precision": lambda: NUMBERS.astype(np.float16),
    "nullable integers": lambda: pd.array(np.arange(N) + 1, dtype="Int64"),
    "nullable floats": lambda: pd.array(NUMBERS, dtype="Float64"),
}
WRONG_CATEGORIES: dict[str, Callable[[], Any]] = {
    "NaN": lambda: _at(np.where(HALF, "a", "b").astype(object), np.nan),
    "None": lambda: _at(np.where(HALF, "a", "b").astype(object), None),
    "dates": lambda: pd.to_datetime(np.where(HALF, "2024-01-01", "2024-02-01")),
    "dates with time zones": lambda: pd.to_datetime(np.where(HALF, "2024-01-01", "2024-02-01")).tz_localize("UTC"),
    "dates as objects": lambda: np.array([datetime.date(2024, 1, 1 + h) for h in HALF], dtype=object),
    "categories of dates": lambda: pd.Categorical(pd.to_datetime(np.where(HALF, "2024-01-01", "2024-02-01"))),
    "missing dates": lambda: _at(pd.to_datetime(np.where(HALF, "2024-01-01", "2024-02-01")), pd.NaT),
    "time differences": lambda: pd.to_timedelta(HALF, unit="h"),
    "periods": lambda: pd.PeriodIndex(np.where(HALF, "2024-01", "2024-02"), freq="M"),
    "intervals": lambda: pd.cut(NUMBERS, 2),
    "text and numbers": lambda: _mixed(),
    "pairs": lambda: np.array([("a", int(h)) for h in HALF] + [None], dtype=object)[:-1],
    "bytes": lambda: np.where(HALF, b"a", b"b").astype(object),
    "a number for each cell": lambda: NUMBERS,
    "a name for each cell": lambda: [f"cell_{i}" for i in range(N)],
    "infinity": lambda: np.where(HALF, np.inf, 1.0),
}
GOOD_CATEGORIES: dict[str, Callable[[], Any]] = {
    "integers": lambda: HALF,
    "8-bit integers": lambda: HALF.astype(np.int8),
    "truth values": lambda: HALF.astype(bool),
    "a few floats": lambda: HALF + 0.5,
    "texts of pandas": lambda: pd.array(np.where(HALF, "a", "b"), dtype="string"),
    "texts of arrow": lambda: _arrow(),
    "categories of integers": lambda: pd.Categorical(HALF, categories=[0, 1, 5]),
    "unused categories": lambda: pd.Categorical(np.where(HALF, "a", "b"), categories=["unused", "b", "a"]),
    "ordered categories": lambda: pd.Categorical(np.where(HALF, "a", "b"), categories=["b", "a"], ordered=True),
    "nullable integers": lambda: pd.array(HALF, dtype="Int64"),
    "nullable truth values": lambda: pd.array(HALF.astype(bool), dtype="boolean"),
    "empty text": lambda: np.where(HALF, "", "b"),
    "text with odd letters": lambda: np.where(HALF, "a/β ☃\n", "b"),
}


def _mixed() -> Any:
    found = np.where(HALF, "a", "b").astype(object)
    found[PLACE] = 5
    return found


def _arrow() -> Any:
    try:
        return pd.array(np.where(HALF, "a", "b"), dtype="string[pyarrow]")
    except ImportError:
        return pd.array(np.where(HALF, "a", "b"), dtype="string")


def _with(column: Callable[[], Any]) -> AnnData:
    adata = simulated()
    adata.obs["own"] = pd.Series(column(), index=adata.obs_names)
    return adata


def _trained(adata: AnnData, **keys: Any) -> Any:
    """Set up, train, save and load: what was registered has to come back."""
    import scpareto as sp

    sp.model.ParetoVI.setup_anndata(adata, **{"batch_key": "batch"} | keys)
    model = sp.model.ParetoVI(adata, n_hidden=8, n_latent=3, seed=0)
    options = {"n_points": 4, "method": "scalarization", "objective": "mmd", "accelerator": "cpu", "progress": False}
    model.train(2, max_epochs_pretrain=1, **options)
    if not np.isfinite(model.get_latent_representation()).all():
        raise RuntimeError("codes are not finite")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model", save_anndata=False)
        back = sp.model.ParetoVI.load(Path(folder) / "model", adata.copy(), accelerator="cpu")
    if not np.allclose(back.get_latent_representation(), model.get_latent_representation(), atol=1e-4):
        raise RuntimeError("codes of the loaded model differ")
    return model


ARGUMENTS = {
    "batch_key": "own",
    "labels_key": "own",
    "categorical_covariate_keys": ["own"],
    "nuisance_keys": ["own"],
}


def _set_up(name: str, adata: AnnData, **keys: Any) -> None:
    import scpareto as sp

    getattr(sp.model, name).setup_anndata(adata, **keys)


def _named(call: Callable[[], Any], what: str, *, cell: bool = True) -> bool:
    return refused(call, "own", *([f"cell_{PLACE}"] if cell and what in _PLACED else []))


_PLACED = ("infinity", "minus infinity", "NaN", "1e300", "zero", "a negative one", "1e-30", "1e12", "None")

for argument, given in ARGUMENTS.items():
    for what, column in WRONG_CATEGORIES.items():
        if argument == "nuisance_keys" and what == "a number for each cell":
            continue
        cell = what != "infinity"
        keys = {"batch_key": "batch", argument: given}
        case(KIND, f"ParetoVI {argument}: {what}")(
            lambda column=column, keys=keys, what=what, cell=cell: _named(
                lambda: _set_up("ParetoVI", _with(column), **keys), what, cell=cell
            )
        )
    for what, column in GOOD_CATEGORIES.items():
        if argument in ("batch_key", "nuisance_keys") or what in ("integers", "texts of pandas", "truth values"):
            case(KIND, f"ParetoVI {argument}: {what}, trained and loaded")(
                lambda column=column, keys={argument: given}: bool(_trained(_with(column), **keys))
            )
for model_name, argument in (("ScInfoVAE", "batch_key"), ("BetaTCVAE", "batch_key"), ("BetaTCVAE", "labels_key")):
    for what, column in WRONG_CATEGORIES.items():
        case(KIND, f"{model_name} {argument}: {what}")(
            lambda column=column, n=model_name, argument=argument, what=what: _named(
                lambda: _set_up(n, _with(column), **{argument: "own"}), what, cell=what != "infinity"
            )
        )
for argument, given in (
    ("size_factor_key", "own"),
    ("continuous_covariate_keys", ["own"]),
    ("nuisance_keys", ["own"]),
):
    for what, column in WRONG_NUMBERS.items():
        if argument == "nuisance_keys" and ("text" in what or what == "categories of numbers"):
            continue
        keys = {"batch_key": "batch", argument: given}
        place = f"ParetoVI {'continuous ' if argument == 'nuisance_keys' else ''}{argument}"
        case(KIND, f"{place}: {what}")(
            lambda column=column, keys=keys, what=what: _named(lambda: _set_up("ParetoVI", _with(column), **keys), what)
        )
    for what, column in GOOD_NUMBERS.items():
        case(KIND, f"{place}: {what}, trained and loaded")(
            lambda column=column, keys={argument: given}: bool(_trained(_with(column), **keys))
        )
for model_name in ("ParetoVI", "ScInfoVAE"):
    wrong = WRONG_FACTORS if model_name == "ParetoVI" else WRONG_FACTORS | WRONG_NUMBERS
    for what, column in wrong.items():
        case(KIND, f"{model_name} size_factor_key: {what}")(
            lambda column=column, n=model_name, what=what: _named(
                lambda: _set_up(n, _with(column), size_factor_key="own", **{"batch_key": "batch"}), what
            )
        )


def _adjust(column: Callable[[], Any]) -> None:
    import scpareto as sp

    sp.pp.adjust_counts(_with(column), size_factors="own")


for what, column in {**WRONG_NUMBERS, **WRONG_FACTORS}.items():
    case(KIND, f"adjust_counts size_factors: {what}")(
        lambda column=column, what=what: _named(lambda: _adjust(column), what)
    )

BOTH = ["cell_type", "own"]
KEYS: dict[str, tuple[dict[str, Any], bool]] = {
    "batch_key as a list of one": ({"batch_key": ["batch"]}, True),
    "batch_key as a list of two": ({"batch_key": ["batch", "cell_type"]}, False),
    "batch_key as a set": ({"batch_key": {"batch"}}, False),
    "batch_key as a number": ({"batch_key": 0}, False),
    "batch_key as an empty list": ({"batch_key": []}, False),
    "labels_key as a tuple of one": ({"labels_key": ("cell_type",)}, True),
    "size_factor_key as a list of one": ({"size_factor_key": ["size"]}, True),
    "size_factor_key as a list of two": ({"size_factor_key": ["size", "size_2"]}, False),
    "covariates as text": ({"categorical_covariate_keys": "own"}, True),
    "covariates as a tuple": ({"categorical_covariate_keys": ("cell_type", "own")}, True),
    "covariates as an index": ({"categorical_covariate_keys": pd.Index(BOTH)}, True),
    "covariates as an array": ({"categorical_covariate_keys": np.array(BOTH)}, True),
    "covariates as a series": ({"categorical_covariate_keys": pd.Series(BOTH)}, True),
    "covariates as a set": ({"categorical_covariate_keys": set(BOTH)}, False),
    "covariates as a dict": ({"categorical_covariate_keys": dict.fromkeys(BOTH)}, False),
    "covariates as a generator": ({"categorical_covariate_keys": (key for key in BOTH)}, True),
    "covariates twice the same": ({"categorical_covariate_keys": ["own", "own"]}, True),
    "covariates with None": ({"categorical_covariate_keys": ["own", None]}, False),
    "covariates empty": ({"categorical_covariate_keys": []}, True),
    "numbers as text": ({"continuous_covariate_keys": "size"}, True),
    "numbers twice the same": ({"continuous_covariate_keys": ["size", "size"]}, True),
    "numbers as a tuple": ({"continuous_covariate_keys": ("size", "size_2")}, True),
    "nuisances as a tuple": ({"nuisance_keys": ("own", "size")}, True),
    "nuisances twice the same": ({"nuisance_keys": ["own", "own"]}, True),
    "nuisances empty": ({"nuisance_keys": ()}, True),
    "nuisances that hold the batch": ({"nuisance_keys": ["batch"]}, True),
    "nuisances as a set": ({"nuisance_keys": {"own"}}, False),
}


def _columns() -> AnnData:
    adata = _with(lambda: np.where(HALF, "a", "b"))
    adata.obs["size"], adata.obs["size_2"] = NUMBERS, NUMBERS[::-1]
    return adata


def _taken(keys: dict[str, Any], right: bool) -> bool:
    if right:
        return bool(_trained(_columns(), **keys))
    return refused(lambda: _set_up("ParetoVI", _columns(), **{"batch_key": "batch"} | keys), next(iter(keys)))


for what, (keys, right) in KEYS.items():
    case(KIND, f"keys: {what}")(partial(_taken, keys, right))


@case(KIND, "keys: a column that is there twice")
def twice() -> bool:
    adata = _columns()
    adata.obs = pd.concat([adata.obs, adata.obs[["own"]]], axis=1)
    return refused(lambda: _set_up("ParetoVI", adata, batch_key="own"), "own")


@case(KIND, "counts beyond single precision")
def large() -> bool:
    adata = simulated()
    adata.X = adata.X.astype(np.float64)
    adata.X.data[3] = 1e200
    return refused(lambda: _set_up("ParetoVI", adata, batch_key="batch"), "precision", "cell_0")


@case(KIND, "counts that vanish in single precision")
def small() -> bool:
    adata = simulated()
    dense = adata.X.toarray().astype(np.float64)
    dense[PLACE] = 1e-60
    adata.X = dense
    return refused(lambda: _set_up("ParetoVI", adata, batch_key="batch"), "no counts", f"cell_{PLACE}")


@case(KIND, "a constant continuous nuisance that is traded")
def constant() -> bool:
    import scpareto as sp

    adata = _with(lambda: np.ones(N))
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch", nuisance_keys=["own"])
    model = sp.model.ParetoVI(adata, n_hidden=8)
    options = {"objective": "hsic", "objective_kwargs": {"target": "own"}, "progress": False}
    return refused(lambda: model.train(2, max_epochs_pretrain=1, n_points=4, method="scalarization", **options), "own")


@case(KIND, "codes for MichiGAN as text")
def codes() -> bool:
    adata = simulated()
    adata.obsm["own"] = np.full((N, 2), "a")
    return refused(lambda: _set_up("MichiGAN", adata, code_key="own"), "own")


@case(KIND, "codes for MichiGAN with infinity")
def infinite_codes() -> bool:
    adata = simulated()
    adata.obsm["own"] = np.full((N, 2), np.inf)
    return refused(lambda: _set_up("MichiGAN", adata, code_key="own"), "own")


@case(KIND, "adjust_counts: batches that read alike as text")
def alike() -> bool:
    import scpareto as sp

    adata = _with(lambda: _at(np.where(HALF, "1", "2").astype(object), 1))
    adata.obs["own"] = pd.Series([1 if i % 3 else "1" for i in range(N)], dtype=object, index=adata.obs_names)
    return refused(lambda: sp.pp.adjust_counts(adata, batch_key="own"), "own")


@case(KIND, "bench: batches that are dates")
def dates() -> bool:
    import scpareto as sp

    adata = _with(WRONG_CATEGORIES["dates"])
    sp.bench.integrate(adata, "pca", batch_key="own")
    return "X_pca" in adata.obsm


@case(KIND, "tl.judge: batches that are dates")
def judged_dates() -> bool:
    import scpareto as sp

    adata = _with(WRONG_CATEGORIES["dates"])
    adata.obsm["X_own"] = adata.X.toarray()
    return len(sp.tl.judge(adata, "X_own", batch_key="own", n_bootstrap=5)) == 1
