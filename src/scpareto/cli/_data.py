"""The data of a command: read, checked, and reduced to the genes that vary."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

from scpareto.cli._run_folder import UsageError, console

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def check_data(adata: AnnData, arguments: dict[str, Any]) -> list[str]:
    """Check counts and columns before a folder is made; return what there is to warn of once it is."""
    from scpareto._cells import check_anndata

    labels = [] if arguments["labels_key"] is None else [arguments["labels_key"]]
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        check_anndata(
            adata,
            layer=arguments["layer"],
            obs_keys={"batch_key": [arguments["batch_key"]], "labels_key": labels},
            batch_key=arguments["batch_key"],
            labels_key=None,
            need_batches=True,
        )
    return [str(warning.message) for warning in noted if warning.category is UserWarning]


def variable_genes(adata: AnnData, arguments: dict[str, Any]) -> AnnData:
    """Copy of checked data with the batch-aware variable genes, which are also noted in ``adata.var``."""
    import scanpy as sc

    from scpareto._cells import matrix_of
    from scpareto._runtime import torch_threads_kept

    n_top, layer, batch_key = arguments["n_top_genes"], arguments["layer"], arguments["batch_key"]
    if not n_top or n_top >= adata.n_vars:
        return adata.copy()
    normalised = adata.copy()
    normalised.X = matrix_of(normalised, layer).copy()
    with torch_threads_kept():
        sc.pp.normalize_total(normalised, target_sum=1e4)
        sc.pp.log1p(normalised)
        sc.pp.highly_variable_genes(normalised, n_top_genes=n_top, batch_key=batch_key)
    chosen = normalised.var["highly_variable"].to_numpy()
    adata.var["highly_variable"] = chosen
    console.print(f"Selected {chosen.sum():,} of {adata.n_vars:,} genes that vary within batches (--n-top-genes).")
    subset = adata[:, chosen].copy()
    empty = subset.n_obs - int(((subset.X if layer is None else subset.layers[layer]).sum(axis=1) > 0).sum())
    if empty:
        raise UsageError(f"{empty} cells have no counts in the selected genes. Raise --n-top-genes or remove them.")
    return subset


def read(path: Path) -> AnnData:
    """Read a file, or say why it cannot be read."""
    import anndata

    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError) as error:
        raise UsageError(f"{path} is not a readable .h5ad file: {error}") from error


def names(given: list[str] | None) -> list[str]:
    """Split what is separated by commas in repeated options."""
    return [name.strip() for entry in given or [] for name in entry.split(",") if name.strip()]


def sha256(path: Path) -> str:
    """Hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
