"""Matrices as files really are: the same numbers stored in other ways, and matrices that are broken."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ._tried import case, refused, same, untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

KIND = "matrices"


def simulated(n_cells: int = 200) -> AnnData:
    """Two batches of 40 genes."""
    import scpareto as sp

    return sp.datasets.simulate_batches(n_cells, 40, n_batches=2, n_types=3, counts_per_gene=2.0, seed=0)


def _shell(x: Any, data: Any, indices: Any, indptr: Any) -> Any:
    """Sparse matrix of parts as they are, which SciPy would not let pass."""
    made = sparse.csr_matrix(x.shape, dtype=np.asarray(data).dtype)
    made.data, made.indices, made.indptr = np.asarray(data), np.asarray(indices), np.asarray(indptr)
    return made


def duplicates(x: Any) -> Any:
    """Half of each count twice."""
    order = np.repeat(np.arange(x.nnz), 2)
    halves = np.repeat(x.data, 2) - np.tile([0.0, 0.0], x.nnz)
    halves[::2], halves[1::2] = np.floor(x.data / 2), np.ceil(x.data / 2)
    return _shell(x, halves.astype(x.dtype), x.indices[order], x.indptr * 2)


def unsorted(x: Any) -> Any:
    """Genes of each cell in reverse order."""
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(x.indptr[:-1], x.indptr[1:], strict=True)])
    return _shell(x, x.data[order], x.indices[order], x.indptr.copy())


def zeros(x: Any) -> Any:
    """Every entry of the first hundred cells stored."""
    top = sparse.csr_matrix(np.ones((100, x.shape[1])))
    dense = x[:100].toarray().ravel()
    data, indices = np.concatenate([dense, x[100:].data]), np.concatenate([top.indices, x[100:].indices])
    indptr = np.concatenate([top.indptr, x[100:].indptr[1:] + top.indptr[-1]])
    return _shell(x, data.astype(x.dtype), indices, indptr)


def all_three(x: Any) -> Any:
    """Duplicates, unsorted, explicit zeros."""
    return duplicates(unsorted(zeros(x)))


def falsely_flagged(x: Any) -> Any:
    """Duplicates that SciPy takes for none."""
    made = duplicates(x)
    made.has_canonical_format = made.has_sorted_indices = True
    return made


def long_indices(x: Any) -> Any:
    """64-bit indices."""
    return _shell(x, x.data, x.indices.astype(np.int64), x.indptr.astype(np.int64))


OTHERWISE = {
    "duplicate entries": duplicates,
    "unsorted indices": unsorted,
    "explicit zeros": zeros,
    "duplicates, unsorted, zeros": all_three,
    "duplicates flagged as none": falsely_flagged,
    "64-bit indices": long_indices,
}


def _with(x: Any, part: str, place: int, value: int) -> Any:
    made = _shell(x, x.data.copy(), x.indices.copy(), x.indptr.copy())
    getattr(made, part)[place] = value
    return made


BROKEN: dict[str, Callable[[Any], Any]] = {
    "index at n_vars": lambda x: _with(x, "indices", 7, x.shape[1]),
    "index far beyond n_vars": lambda x: _with(x, "indices", -1, 2**30),
    "negative index": lambda x: _with(x, "indices", 7, -1),
    "indptr that falls": lambda x: _with(x, "indptr", 3, x.indptr[5] + 9),
    "indptr beyond the data": lambda x: _with(x, "indptr", -1, x.nnz + 1000),
    "indptr that begins late": lambda x: _with(x, "indptr", 0, 2),
    "negative indptr": lambda x: _with(x, "indptr", 1, -5),
    "data shorter than indices": lambda x: _shell(x, x.data[:-20], x.indices, x.indptr),
    "indptr too short": lambda x: _shell(x, x.data, x.indices, x.indptr[:-10]),
}


def _front(adata: AnnData) -> Any:
    import scpareto as sp

    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_hidden=8, n_latent=3, seed=0)
    options = {"n_points": 4, "method": "scalarization", "objective": "mmd", "accelerator": "cpu"}
    model.train(2, max_epochs_pretrain=1, progress=False, **options)
    return model.front.to_dataframe().select_dtypes("number").to_numpy()


def _scinfovae(adata: AnnData) -> Any:
    import scpareto as sp

    sp.model.ScInfoVAE.setup_anndata(adata)
    model = sp.model.ScInfoVAE(adata, n_clusters=3, n_hidden=[16], seed=0)
    model.train(1, 1, progress=False, accelerator="cpu")
    return model.get_latent_representation()


def _betatcvae(adata: AnnData) -> Any:
    import scpareto as sp

    sp.model.BetaTCVAE.setup_anndata(adata)
    model = sp.model.BetaTCVAE(adata, gene_likelihood="nb", n_hidden=[16], seed=0)
    model.train(1, progress=False, accelerator="cpu")
    return model.get_latent_representation()


def _michigan(adata: AnnData) -> Any:
    import scpareto as sp

    adata.obsm["codes"] = np.random.default_rng(0).normal(size=(adata.n_obs, 3)).astype(np.float32)
    sp.model.MichiGAN.setup_anndata(adata, code_key="codes")
    model = sp.model.MichiGAN(adata, output="nb", n_hidden_generator=[16], n_hidden_critic=[16], seed=0)
    model.train(1, batch_size=64, accelerator="cpu")
    return model.generate(adata.obsm["codes"][:5])


def _adjusted(adata: AnnData) -> Any:
    import scpareto as sp

    sp.pp.adjust_counts(adata, batch_key="batch")
    return adata.varm["batch_effect"].to_numpy()


def _counterfactual(adata: AnnData) -> Any:
    import scpareto as sp

    x, adata.X = adata.X, simulated().X
    sp.pp.adjust_counts(adata, batch_key="batch")
    adata.X = x
    sp.pp.counterfactual_counts(adata, "batch_0")
    return adata.layers["counterfactual_batch_0"]


def _prepared(adata: AnnData) -> Any:
    import scpareto as sp

    return sp.pp.prepare_scinfovae(adata, n_top_genes=10).X


def _intersected(adata: AnnData) -> Any:
    import scpareto as sp

    return sp.pp.intersect_genes([adata, simulated()])[0].X


def _judged(adata: AnnData) -> Any:
    import scpareto as sp

    adata.obsm["X_codes"] = np.random.default_rng(0).normal(size=(adata.n_obs, 3))
    table = sp.tl.judge(adata, "X_codes", batch_key="batch", n_bootstrap=5)
    return table[["batch_left", "structure_kept"]].to_numpy()


def _integrated(adata: AnnData, method: str = "pca") -> Any:
    import scpareto as sp

    sp.bench.integrate(adata, method, batch_key="batch")
    return np.abs(adata.obsm[f"X_{method}"][:, :5])


def _explored(adata: AnnData) -> Any:
    from scpareto.pl._explorer._colorings import color_by_genes

    return [c.codes for c in color_by_genes(adata, list(adata.var_names[:3]), None, np.arange(adata.n_obs))]


def _resident(adata: AnnData) -> Any:
    import torch
    from scvi.model import SCVI

    from scpareto._cells import ResidentDataset

    SCVI.setup_anndata(adata, batch_key="batch")
    manager = SCVI(adata, n_hidden=8).adata_manager
    return ResidentDataset(manager, torch.device("cpu"))[list(range(adata.n_obs))]["X"].numpy()


def _components(adata: AnnData) -> Any:
    from scpareto._cells import principal_components

    return np.abs(principal_components(adata.X)[:, :5])


def _thinned(adata: AnnData) -> Any:
    import scpareto as sp

    one, other = sp.metrics.thinned_halves(adata.X)
    return one + other


def _selected(adata: AnnData) -> Any:
    from scpareto.cli._data import check_data, keep_variable_genes

    arguments = {"layer": None, "batch_key": "batch", "labels_key": None, "n_top_genes": 15}
    check_data(adata, arguments)
    keep_variable_genes(adata, arguments)
    return adata.var["highly_variable"].to_numpy()


def _backed(adata: AnnData) -> Any:
    import anndata

    import scpareto as sp

    with tempfile.TemporaryDirectory() as folder:
        adata.write_h5ad(Path(folder) / "cells.h5ad")
        backed = anndata.read_h5ad(Path(folder) / "cells.h5ad", backed="r")
        sp.model.ParetoVI.setup_anndata(backed, batch_key="batch")
        from scpareto._cells import principal_components

        return np.abs(principal_components(backed.X)[:, :5])


DOORS: dict[str, Callable[[AnnData], Any]] = {
    "ParetoVI, a front": _front,
    "ScInfoVAE": _scinfovae,
    "BetaTCVAE": _betatcvae,
    "MichiGAN": _michigan,
    "pp.adjust_counts": _adjusted,
    "pp.counterfactual_counts": _counterfactual,
    "pp.prepare_scinfovae": _prepared,
    "pp.intersect_genes": _intersected,
    "tl.judge": _judged,
    "bench, pca": _integrated,
    "bench, combat": partial(_integrated, method="combat"),
    "genes of the explorer": _explored,
    "reader on a device": _resident,
    "principal components": _components,
    "thinned_halves": _thinned,
    "genes of the command": _selected,
    "backed file": _backed,
}


def _right(door: Callable[[AnnData], Any], spoil: Callable[[Any], Any]) -> bool:
    wanted = door(simulated())
    adata = simulated()
    adata.X = spoil(adata.X.astype(np.float32))
    found: list[Any] = []
    kept = untouched(adata, lambda: found.append(door(adata)))
    if not kept:
        print("the matrix of the user was changed")
    return same(found[0], wanted) and kept


def _told(door: Callable[[AnnData], Any], spoil: Callable[[Any], Any]) -> bool:
    adata = simulated()
    broken = spoil(adata.X.astype(np.float32))
    adata.X = sparse.csr_matrix(adata.shape, dtype=np.float32)
    adata.X.data, adata.X.indices, adata.X.indptr = broken.data, broken.indices, broken.indptr
    return refused(lambda: door(adata), "indices" if "ind" in spoil.__name__ else "")


for door_name, entrance in DOORS.items():
    for way_name, way in OTHERWISE.items():
        case(KIND, f"{door_name}: {way_name}")(partial(_right, entrance, way))
    for way_name, way in BROKEN.items():
        if door_name in ("ParetoVI, a front", "BetaTCVAE", "tl.judge") or way_name in (
            "index far beyond n_vars",
            "negative index",
            "indptr that falls",
        ):
            case(KIND, f"{door_name}: {way_name}")(partial(_told, entrance, way))
