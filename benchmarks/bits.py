"""Hashes of weights, codes and training losses: two versions of the package that print the same table train the same.

    python benchmarks/bits.py [--only NAME ...] [--output bits.csv]

One thread, one seed, on the CPU. Run it on both versions, on the same machine with the same libraries. Columns that
judge a trained point are left out: they come from probes, which may get other random numbers.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import logging
import sys
import warnings

import numpy as np
import scanpy as sc
import scvi
import torch

import scpareto as sp

SHORT = {"n_points": 4, "max_epochs": 4, "max_epochs_pretrain": 2, "progress": False, "accelerator": "cpu"}


def hash_of(*values) -> str:
    """First 12 hexadecimal digits of the SHA-256 of arrays, tensors and containers of them."""
    digest = hashlib.sha256()
    for value in values:
        _feed(digest, value)
    return digest.hexdigest()[:12]


def _feed(digest, value) -> None:
    if isinstance(value, dict):
        for key in sorted(value):
            digest.update(str(key).encode())
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            _feed(digest, item)
    elif value is not None:
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        digest.update(str(array.dtype).encode() + str(array.shape).encode() + np.ascontiguousarray(array).tobytes())


def cells(n_cells: int = 300, n_genes: int = 60):
    return sp.datasets.simulate_batches(n_cells=n_cells, n_genes=n_genes, seed=0)


def log_normalised():
    adata = cells()
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    return adata


def losses(front) -> dict[str, str]:
    """Hash of the training losses of each training."""
    return {f"losses of {name}": hash_of(columns) for name, columns in front.metadata["history"].items()}


def of_front(model, front, points) -> dict[str, str]:
    found = losses(front)
    if front.path is not None:
        found["path"] = hash_of(dict(front.path.start), [dict(control) for control in front.path.controls])
    for number in points:
        sp.apply_point(model, front, number)
        found[f"weights of point {number}"] = hash_of(dict(model.module.state_dict()))
        found[f"codes of point {number}"] = hash_of(model.get_latent_representation())
    return found


def trained_paretovi(**options):
    adata = cells()
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, n_latent=5, n_hidden=32, seed=0)
    model.train(**SHORT | options)
    return adata, model


def default_front():
    _, model = trained_paretovi(max_epochs=5, n_points=5)
    found = of_front(model, model.front, range(4))
    found["codes at preference 0.37"] = hash_of(model.get_latent_representation(preference=0.37))
    return found


def collapsed_path():
    """Too short for the path, long enough for a training of its own: points are trained apart."""
    _, model = trained_paretovi(max_epochs=14)
    return of_front(model, model.front, range(4)) | {"path is kept": str(model.front.path is not None)}


def pareto_mtl_mine():
    _, model = trained_paretovi(method="pareto_mtl", objective="mine")
    return of_front(model, model.front, range(4))


def scalarization_mmd():
    _, model = trained_paretovi(method="scalarization", objective="mmd")
    return of_front(model, model.front, range(4))


def warm_start():
    _, model = trained_paretovi(method="scalarization", objective="hsic", warm_start="path")
    return of_front(model, model.front, range(4))


def two_objectives():
    _, model = trained_paretovi(objective=["mmd", "total_correlation"], n_points=5)
    return of_front(model, model.front, range(len(model.front)))


def within_clusters():
    _, model = trained_paretovi(objective="classifier", objective_kwargs={"given": "pca", "n_clusters": 3})
    return of_front(model, model.front, range(4))


def fit_front_scvi():
    adata = cells()
    scvi.settings.seed = 0
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    model = scvi.model.SCVI(adata, n_latent=5, n_hidden=32)
    return of_front(model, sp.fit_front(model, **SHORT, seed=0), range(4))


def fit_front_scanvi():
    adata = cells()
    scvi.settings.seed = 0
    scvi.model.SCANVI.setup_anndata(adata, labels_key="cell_type", unlabeled_category="unknown", batch_key="batch")
    model = scvi.model.SCANVI(adata, n_latent=5, n_hidden=32)
    return of_front(model, sp.fit_front(model, **SHORT, seed=0), range(4))


def query_front():
    adata = cells()
    reference, query = (adata[some].copy() for some in (adata.obs["batch"] != "b0", adata.obs["batch"] == "b0"))
    if not query.n_obs:
        first = adata.obs["batch"].unique()[0]
        reference, query = (adata[some].copy() for some in (adata.obs["batch"] != first, adata.obs["batch"] == first))
    query.obs["batch"] = np.where(np.arange(query.n_obs) % 2 == 0, "new_1", "new_2")
    sp.model.ParetoVI.setup_anndata(reference, batch_key="batch")
    model = sp.model.ParetoVI(reference, n_latent=5, n_hidden=32, seed=0)
    model.train(**SHORT)
    model.select(1)  # the point that is recommended depends on the judge
    scvi.settings.seed = 0
    mapped = sp.model.ParetoVI.load_query_data(query, model)
    mapped.train(**SHORT)
    return of_front(mapped, mapped.front, range(4))


def scinfovae():
    adata = cells()
    scvi.settings.seed = 0
    sp.model.ScInfoVAE.setup_anndata(adata)
    model = sp.model.ScInfoVAE(adata, n_clusters=3)
    model.train(max_epochs_pretrain=3, max_epochs_finetune=2, progress=False, accelerator="cpu")
    return {
        "weights": hash_of(dict(model.module.state_dict())),
        "codes": hash_of(model.get_latent_representation()),
        "losses": hash_of({name: frame.to_numpy(dtype=float) for name, frame in model.history.items()}),
    }


def betatcvae():
    adata = log_normalised()
    scvi.settings.seed = 0
    sp.model.BetaTCVAE.setup_anndata(adata)
    model = sp.model.BetaTCVAE(adata, n_latent=4)
    model.train(3, progress=False, accelerator="cpu")
    return {
        "weights": hash_of(dict(model.module.state_dict())),
        "codes": hash_of(model.get_latent_representation()),
        "losses": hash_of({name: frame.to_numpy(dtype=float) for name, frame in model.history.items()}),
    }


def michigan():
    adata = log_normalised()
    scvi.settings.seed = 0
    sp.model.BetaTCVAE.setup_anndata(adata)
    model = sp.model.BetaTCVAE(adata, n_latent=4)
    model.train(3, progress=False, accelerator="cpu")
    generator = sp.model.MichiGAN.from_model(model)
    generator.train(2, accelerator="cpu")
    return {
        "weights": hash_of(dict(generator.module.state_dict())),
        "losses": hash_of({name: frame.to_numpy(dtype=float) for name, frame in generator.history.items()}),
    }


def adjust_counts():
    adata = cells()
    sp.pp.adjust_counts(adata, batch_key="batch")
    layer = adata.layers["adjusted"]
    return {
        "effects": hash_of(np.asarray(adata.varm["batch_effect"])),
        "counts": hash_of(layer.toarray() if hasattr(layer, "toarray") else layer),
    }


def bench():
    found = {}
    for method, options in (
        ("desc", {"max_epochs": 2, "max_epochs_clusters": 2}),
        ("seurat_cca", {}),
        ("fastmnn", {}),
        ("scvi_mmd", {"max_epochs": 2}),
        ("saucie_mmd", {"max_epochs": 2}),
        ("scdeepcluster", {"max_epochs": 2, "max_epochs_clusters": 2}),
    ):
        adata = cells(400, 200)
        try:
            sp.bench.integrate(adata, method, batch_key="batch", seed=0, **options)
        except ImportError as error:
            found[f"codes of {method}"] = f"skipped: {error}"
            continue
        found[f"codes of {method}"] = hash_of(np.asarray(adata.obsm[f"X_{method}"]))
    return found


PARTS = {
    function.__name__: function
    for function in (
        default_front,
        collapsed_path,
        pareto_mtl_mine,
        scalarization_mmd,
        warm_start,
        two_objectives,
        within_clusters,
        fit_front_scvi,
        fit_front_scanvi,
        query_front,
        scinfovae,
        betatcvae,
        michigan,
        adjust_counts,
        bench,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--output", help="CSV file; printed in any case")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("scpareto").setLevel(logging.ERROR)
    scvi.settings.verbosity = logging.ERROR
    torch.set_num_threads(1)
    rows = []
    for name in arguments.only:
        for what, value in PARTS[name]().items():
            rows.append((name, what, value))
            print(*rows[-1], sep=",", flush=True)
    if arguments.output:
        with open(arguments.output, "w", newline="") as file:
            csv.writer(file).writerows([("part", "what", "hash"), *rows])


if __name__ == "__main__":
    sys.exit(main())
