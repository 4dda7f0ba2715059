"""Who a cell is: data that come reordered, in part, renamed or in another number after a training."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._tried import case, refused, same
from .matrices import simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

KIND = "cells"
OPTIONS = {"n_points": 4, "method": "scalarization", "objective": "mmd", "accelerator": "cpu", "progress": False}
ORDER = np.random.default_rng(3).permutation(200)


MADE = Path(tempfile.mkdtemp())


@cache
def folder() -> Path:
    """Models of each class that were saved after a training on the same cells; by the first process that asks."""
    import scpareto as sp

    made = MADE
    if (made / "BetaTCVAE").exists():
        return made
    adata = simulated()
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_hidden=8, n_latent=3, seed=0)
    model.train(2, max_epochs_pretrain=1, **OPTIONS)
    model.save(made / "ParetoVI")
    adata = simulated()
    sp.model.ScInfoVAE.setup_anndata(adata)
    model = sp.model.ScInfoVAE(adata, n_clusters=3, n_hidden=[16], seed=0)
    model.train(1, 1, progress=False, accelerator="cpu")
    model.save(made / "ScInfoVAE")
    adata = simulated()
    sp.model.BetaTCVAE.setup_anndata(adata)
    model = sp.model.BetaTCVAE(adata, gene_likelihood="nb", n_hidden=[16], seed=0)
    model.train(1, progress=False, accelerator="cpu")
    model.save(made / "BetaTCVAE")
    return made


def loaded(adata: AnnData, name: str = "ParetoVI") -> Any:
    """A saved model on other data."""
    import scpareto as sp

    return getattr(sp.model, name).load(folder() / name, adata, accelerator="cpu")


def renamed() -> AnnData:
    """The same cells under other names."""
    adata = simulated()
    adata.obs_names = [f"{name}-1" for name in adata.obs_names]
    return adata


def doubled() -> AnnData:
    """More cells than those of the training."""
    import anndata

    other = simulated()
    other.obs_names = [f"other_{name}" for name in other.obs_names]
    return anndata.concat([simulated(), other])


OTHERS: dict[str, Callable[[], AnnData]] = {
    "the first fifty cells": lambda: simulated()[:50].copy(),
    "every second cell": lambda: simulated()[::2].copy(),
    "half of them, reordered": lambda: simulated()[ORDER[:100]].copy(),
    "all but one": lambda: simulated()[:-1].copy(),
    "as many cells of other names": renamed,
    "twice as many": doubled,
    "one of them renamed": lambda: _one_renamed(),
    "as many, names not unique": lambda: _repeated(),
}


def _one_renamed() -> AnnData:
    adata = simulated()
    adata.obs_names = ["somebody", *adata.obs_names[1:]]
    return adata


def _repeated() -> AnnData:
    adata = simulated()[ORDER].copy()
    adata.obs_names = ["cell"] * 200
    return adata


def _refine(model: Any) -> Any:
    model.refine(1, max_epochs=1, progress=False, accelerator="cpu")
    return model


METHODS: dict[str, Callable[[Any], Any]] = {
    "refine": _refine,
    "audit": lambda model: model.audit(n_bootstrap=5, progress=False),
    "audit with labels": lambda model: model.audit("cell_type", n_bootstrap=5, scib=False, progress=False),
}


def _differ(method: Callable[[Any], Any], other: Callable[[], AnnData]) -> bool:
    return refused(lambda: method(loaded(other())), "ells")


for method_name, method in METHODS.items():
    for other_name, other in OTHERS.items():
        case(KIND, f"{method_name}: {other_name}")(partial(_differ, method, other))


def _held_out(model: Any, part: str) -> set[str]:
    return set(model.adata.obs_names[np.asarray(getattr(model, f"{part}_indices"))])


def _follows(name: str, part: str, other: Callable[[], AnnData]) -> bool:
    whole, now = loaded(simulated(), name), loaded(other(), name)
    wanted = _held_out(whole, part) & set(now.adata.obs_names)
    found = _held_out(now, part)
    if found != wanted:
        print(f"{len(found & wanted)} of {len(wanted)} right, {len(found - wanted)} wrong")
    return found == wanted


PARTS = {"ParetoVI": ("train", "validation", "test"), "ScInfoVAE": ("train", "validation"), "BetaTCVAE": ("train",)}
for model_name, parts in PARTS.items():
    for part_name in parts:
        for how, cells in {
            "reordered": lambda: simulated()[ORDER].copy(),
            "half of them": lambda: simulated()[ORDER[:100]].copy(),
            "twice as many": lambda: doubled()[::-1].copy(),
        }.items():
            case(KIND, f"{model_name}.{part_name}_indices: {how}")(partial(_follows, model_name, part_name, cells))


@case(KIND, "audit of reordered cells judges the same test cells")
def same_judgement() -> bool:
    models = loaded(simulated()), loaded(simulated()[ORDER].copy())
    one, other = (model.audit("cell_type", n_bootstrap=5, scib=False, progress=False) for model in models)
    return same(other["generative_loss_test"], one["generative_loss_test"]) and same(
        np.round(other["silhouette"], 3), np.round(one["silhouette"], 3)
    )


@case(KIND, "refine of reordered cells trains on the same cells")
def same_training() -> bool:
    found = []
    for adata in (simulated(), simulated()[ORDER].copy()):
        model = loaded(adata)
        from scpareto.front import _refine as refining

        run = refining._run(model, model.front, 1, 1, False, {})
        found.append(set(model.adata.obs_names[run.problem.split.train]))
    return found[0] == found[1]


@case(KIND, "data put in place of the model's: held-out rows follow")
def put_in_place() -> bool:
    model = loaded(simulated())
    wanted = _held_out(model, "test")
    model.adata = simulated()[ORDER].copy()
    return _held_out(model, "test") == wanted


@case(KIND, "data put in place of the model's: refine of others")
def put_others() -> bool:
    model = loaded(simulated())
    model.adata = simulated()[:50].copy()
    return refused(lambda: _refine(model), "ells")


@case(KIND, "saved again with reordered data, loaded with the first")
def again() -> bool:
    wanted = _held_out(loaded(simulated()), "test")
    model = loaded(simulated()[ORDER].copy())
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "again")
        import scpareto as sp

        back = sp.model.ParetoVI.load(Path(place) / "again", simulated(), accelerator="cpu")
    return _held_out(back, "test") == wanted


@case(KIND, "saved again with half of the data, loaded with all")
def again_of_half() -> bool:
    wanted = _held_out(loaded(simulated()), "test")
    model = loaded(simulated()[ORDER[:100]].copy())
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "again")
        import scpareto as sp

        back = sp.model.ParetoVI.load(Path(place) / "again", simulated(), accelerator="cpu")
    return _held_out(back, "test") == wanted


@case(KIND, "fit_front of SCVI, refine_point on a reordered model")
def foreign() -> bool:
    import scvi

    import scpareto as sp

    def made(adata: AnnData) -> Any:
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        return scvi.model.SCVI(adata, n_hidden=8, n_latent=3)

    first = made(simulated())
    options = {"n_points": 4, "max_epochs": 2, "max_epochs_pretrain": 1, "progress": False}
    front = sp.fit_front(first, "mmd", method="scalarization", **options)
    fewer = made(simulated()[:60].copy())
    call = partial(sp.front.refine_point, fewer, front, 1, max_epochs=1, progress=False)
    sp.front.refine_point(made(simulated()[ORDER].copy()), front, 1, max_epochs=1, progress=False)
    return refused(call, "ells")


@case(KIND, "a model for query data knows nothing of the reference's cells")
def query() -> bool:
    import scpareto as sp

    adata = simulated()[:80].copy()
    adata.obs["batch"] = "new"
    model = sp.model.ParetoVI.load_query_data(adata, folder() / "ParetoVI", accelerator="cpu")
    return model.test_indices is None and model.front is None


@case(KIND, "to_scvi of reordered data has their rows")
def plain() -> bool:
    wanted = _held_out(loaded(simulated()), "test")
    model = loaded(simulated()[ORDER].copy()).to_scvi()
    return set(model.adata.obs_names[np.asarray(model.test_indices_)]) == wanted


@case(KIND, "loading with fewer cells says so")
def told() -> bool:
    folder()
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        loaded(simulated()[:50].copy())
    return any("50 of the 200 cells" in str(warning.message) for warning in noted)


@case(KIND, "loading with the same cells says nothing")
def quiet() -> bool:
    folder()
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        loaded(simulated())
        loaded(simulated()[ORDER].copy())
    return not any("cells that the model" in str(warning.message) for warning in noted)


@case(KIND, "names that are not unique, the same cells in the same order: refine")
def not_unique() -> bool:
    import scpareto as sp

    adata = simulated()
    adata.obs_names = ["cell"] * 200
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_hidden=8, n_latent=3, seed=0)
    model.train(2, max_epochs_pretrain=1, **OPTIONS)
    return _refine(model).selected == 1


@case(KIND, "latent codes of other cells need no names")
def other_codes() -> bool:
    return loaded(simulated()).get_latent_representation(renamed()[:30].copy()).shape == (30, 3)


@case(KIND, "minified cells keep their rows")
def minified() -> bool:
    model = loaded(simulated()[ORDER].copy())
    wanted = _held_out(model, "test")
    qz_m, qz_v = model.get_latent_representation(return_dist=True)
    model.adata.obsm["qz_m"], model.adata.obsm["qz_v"] = qz_m, qz_v
    model.minify_adata(use_latent_qzm_key="qz_m", use_latent_qzv_key="qz_v")
    return _held_out(model, "test") == wanted


def _by_hand(split: Any) -> Callable[[], Any]:
    import scpareto as sp

    adata = simulated()
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_hidden=8, n_latent=3, seed=0)
    return lambda: model.train(2, max_epochs_pretrain=1, split=split, **OPTIONS)


def _masks() -> list[np.ndarray]:
    place = np.arange(200) % 10
    return [place < 7, place == 7, place > 7]


@case(KIND, "a split given as masks")
def masks() -> bool:
    _by_hand(_masks())()
    return True


@case(KIND, "a split given by names of cells")
def by_names() -> bool:
    names = simulated().obs_names
    _by_hand([list(names[mask]) for mask in _masks()])()
    return True


@case(KIND, "a split with names of other cells")
def by_other_names() -> bool:
    names = renamed().obs_names
    return refused(_by_hand([list(names[mask]) for mask in _masks()]), "split")


@case(KIND, "a split of fractions of row numbers")
def fractions() -> bool:
    return refused(_by_hand([np.arange(140) + 0.5, np.arange(140, 160), np.arange(160, 200)]), "split")
