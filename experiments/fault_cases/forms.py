"""Numbers of every type and layout that files give, and what is no number."""

from __future__ import annotations

import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ._tried import case, refused, same
from .matrices import (
    BROKEN,
    DOORS,
    KIND,
    _adjusted,
    _front,
    _integrated,
    _judged,
    _scinfovae,
    duplicates,
    simulated,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _locked(values: Any) -> Any:
    for part in (values.data, values.indices, values.indptr) if sparse.issparse(values) else (values,):
        part.flags.writeable = False
    return values


def _on_disk(values: Any) -> Any:
    file = np.memmap(tempfile.NamedTemporaryFile().name, dtype=np.float32, mode="w+", shape=values.shape)
    file[:] = values
    return file


def _typed(values: Any, dtype: Any) -> Any:
    made = sparse.csr_matrix(values)
    made.data = made.data.astype(dtype)
    return made


NUMBERS: dict[str, Callable[[np.ndarray], Any]] = {
    "big-endian floats": lambda x: x.astype(">f4"),
    "big-endian integers": lambda x: x.astype(">i4"),
    "half precision": lambda x: x.astype(np.float16),
    "double precision": lambda x: x.astype(np.float64),
    "long doubles": lambda x: x.astype(np.longdouble),
    "8-bit integers": lambda x: x.astype(np.int8),
    "unsigned 8 bit": lambda x: x.astype(np.uint8),
    "unsigned 16 bit": lambda x: x.astype(np.uint16),
    "unsigned 32 bit": lambda x: x.astype(np.uint32),
    "unsigned 64 bit": lambda x: x.astype(np.uint64),
    "64-bit integers": lambda x: x.astype(np.int64),
    "columns first": np.asfortranarray,
    "every second row of another": lambda x: np.repeat(x, 2, axis=0)[::2],
    "read-only": lambda x: _locked(x.copy()),
    "file mapped into memory": _on_disk,
    "sparse, big-endian": lambda x: _typed(x, ">f4"),
    "sparse, unsigned 8 bit": lambda x: _typed(x, np.uint8),
    "sparse, unsigned 64 bit": lambda x: _typed(x, np.uint64),
    "sparse, read-only": lambda x: _locked(sparse.csr_matrix(x)),
    "sparse by columns": sparse.csc_matrix,
}
NO_NUMBERS: dict[str, Callable[[np.ndarray], Any]] = {
    "numbers as objects": lambda x: x.astype(object),
    "text": lambda x: x.astype(int).astype(str),
    "complex numbers": lambda x: x.astype(np.complex64),
    "sparse complex numbers": lambda x: _typed(x, np.complex64),
    "masked array": lambda x: np.ma.masked_less(x, 1),
    "dates": lambda x: x.astype(int).astype("datetime64[D]"),
}
SOME = {"ParetoVI, a front": _front, "tl.judge": _judged, "pp.adjust_counts": _adjusted, "bench, pca": _integrated}


def _equal(door: Callable[..., Any], form: Callable[[np.ndarray], Any]) -> bool:
    dense = np.minimum(simulated().X.toarray().astype(np.float32), 100)
    clean, adata = simulated(), simulated()
    clean.X = sparse.csr_matrix(dense)
    adata.X = form(dense)
    return same(door(adata), door(clean))


def _not_taken(door: Callable[..., Any], form: Callable[[np.ndarray], Any]) -> bool:
    def go() -> None:
        adata = simulated()
        adata.X = form(adata.X.toarray().astype(np.float32))
        door(adata)

    return refused(go, "number")


for door_name, entrance in SOME.items():
    for form_name, form in NUMBERS.items():
        case(KIND, f"{door_name}: {form_name}")(partial(_equal, entrance, form))
    for form_name, form in NO_NUMBERS.items():
        case(KIND, f"{door_name}: {form_name}")(partial(_not_taken, entrance, form))


def _broken(adata: Any) -> Any:
    broken = BROKEN["index far beyond n_vars"](adata.X.astype(np.float32))
    made = sparse.csr_matrix(broken.shape, dtype=np.float32)
    made.data, made.indices, made.indptr = broken.data, broken.indices, broken.indptr
    return made


@case(KIND, "embedding that is a broken sparse matrix: tl.judge")
def embedding() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.obsm["X_own"] = _broken(adata)
    return refused(lambda: sp.tl.judge(adata, "X_own", batch_key="batch", n_bootstrap=5), "X_own")


@case(KIND, "neighbour graph that is broken: tl.judge")
def graph() -> bool:
    import scanpy as sc

    import scpareto as sp

    adata = simulated()
    sc.pp.neighbors(adata, use_rep="X")
    adata.obsp["connectivities"].indices[5] = 2**30
    adata.obsm["X_own"] = adata.X.toarray()
    call = partial(sp.tl.judge, adata, "X_own", batch_key="batch", neighbors_key="neighbors", n_bootstrap=5)
    return refused(call, "connectivities")


@case(KIND, "coordinates for adjust_counts that are a broken sparse matrix")
def coordinates() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.obsm["X_own"] = _broken(adata)
    return refused(lambda: sp.pp.adjust_counts(adata, use_rep="X_own"), "X_own")


@case(KIND, "coordinates for adjust_counts that are sparse")
def sparse_coordinates() -> bool:
    import scpareto as sp

    found = []
    for make in (np.asarray, sparse.csr_matrix):
        adata = simulated()
        adata.obsm["X_own"] = make(np.random.default_rng(0).normal(size=(adata.n_obs, 3)))
        sp.pp.adjust_counts(adata, use_rep="X_own")
        found.append(adata.varm["batch_effect"].to_numpy())
    return same(*found)


@case(KIND, "codes for MichiGAN that are a broken sparse matrix")
def codes() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.obsm["X_own"] = _broken(adata)
    return refused(lambda: sp.model.MichiGAN.setup_anndata(adata, code_key="X_own"), "X_own")


@case(KIND, "counts that break after the registration: ParetoVI.train")
def later() -> bool:
    import scpareto as sp

    adata = simulated()
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_hidden=8)
    adata.X.indices[7] = 2**30
    return refused(lambda: model.train(2, max_epochs_pretrain=1, n_points=4, progress=False), "broken")


@case(KIND, "a plain SCVI of duplicates, then fit_front")
def foreign() -> bool:
    import scvi

    import scpareto as sp

    found = []
    for spoil in (lambda x: x, duplicates):
        adata = simulated()
        adata.X = spoil(adata.X.astype(np.float32))
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        scvi.settings.seed = 0
        model = scvi.model.SCVI(adata, n_hidden=8, n_latent=3)
        options = {"n_points": 4, "max_epochs": 2, "max_epochs_pretrain": 1, "progress": False, "seed": 0}
        front = sp.fit_front(model, "mmd", method="scalarization", **options)
        found.append(front.to_dataframe().select_dtypes("number").to_numpy())
    return same(*found)


def _other_data(door: str) -> bool:
    import scpareto as sp

    adata, other = simulated(), simulated()
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_hidden=8)
    model.is_trained_ = True
    broken = BROKEN[door](other.X.astype(np.float32))
    other.X.data, other.X.indices, other.X.indptr = broken.data, broken.indices, broken.indptr
    return refused(lambda: model.get_latent_representation(other), "broken")


for way in ("index far beyond n_vars", "negative index", "indptr beyond the data"):
    case(KIND, f"other data for a getter: {way}")(partial(_other_data, way))


@case(KIND, "a Benchmark of duplicates")
def benchmark() -> bool:
    import scpareto as sp

    found = []
    for spoil in (lambda x: x, duplicates):
        adata = simulated()
        adata.X = spoil(adata.X.astype(np.float32))
        bench = sp.bench.Benchmark(adata, batch_key="batch", methods=["pca"], seeds=1)
        bench.run(progress=False)
        found.append(bench.to_dataframe()[["leakage_mean", "retention"]].to_numpy())
    return same(*found)


@case(KIND, "adata.raw of duplicates does no harm")
def raw() -> bool:
    adata = simulated()
    adata.raw = simulated()
    adata.raw._X = duplicates(adata.X.astype(np.float32))
    return same(DOORS["tl.judge"](adata), DOORS["tl.judge"](simulated()))


@case(KIND, "a broken layer that nobody asked for")
def other_layer() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.layers["own"] = _broken(adata)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    return True


@case(KIND, "a broken layer that is asked for")
def layer() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.layers["own"] = _broken(adata)
    return refused(lambda: sp.model.ParetoVI.setup_anndata(adata, layer="own", batch_key="batch"), "layers['own']")


@case(KIND, "a broken layer that prepare_scinfovae would carry along")
def carried() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.layers["own"] = _broken(adata)
    return refused(lambda: sp.pp.prepare_scinfovae(adata), "layers['own']")


@case(KIND, "the input of ScInfoVAE as big-endian floats")
def infovae() -> bool:
    return _equal(_scinfovae, NUMBERS["big-endian floats"])
