"""Read and check the data of a command, and select variable genes."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from scpareto.cli._run_folder import UsageError, console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData


def check_data(adata: AnnData, arguments: dict[str, Any]) -> list[str]:
    """Check counts and columns before a folder is made; return the warnings to show afterwards."""
    from scpareto._cells import check_anndata, check_genes

    labels = [] if arguments["labels_key"] is None else [arguments["labels_key"]]
    check_genes(arguments.get("control_genes", ()), adata.var_names, "--control-genes")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_anndata(
            adata,
            layer=arguments["layer"],
            obs_keys={"batch_key": [arguments["batch_key"]], "labels_key": labels},
            batch_key=arguments["batch_key"],
            labels_key=None,
            need_batches=True,
        )
    return [str(warning.message) for warning in caught if warning.category is UserWarning]


def check_writable(adata: AnnData) -> None:
    """Raise an error for an AnnData that can be read but not written, which would otherwise fail after the training.

    Everything except the matrices is written to memory.
    """
    import anndata
    import h5py
    from anndata import io

    tables = anndata.AnnData(obs=adata.obs, var=adata.var, uns=dict(adata.uns), obsm=dict(adata.obsm))
    with h5py.File("unwritten.h5ad", "w", driver="core", backing_store=False) as file:
        for name in ("obs", "var", "uns", "obsm"):
            element = getattr(tables, name)
            try:
                io.write_elem(file, name, element if name in ("obs", "var") else dict(element))
            except Exception as error:
                notes = " ".join(getattr(error, "__notes__", []))
                text = " ".join(f"{error} {notes}".split())
                raise UsageError(f"anndata cannot write adata.{name}: {text[:300]} Mend or drop it first.") from error


def keep_variable_genes(adata: AnnData, arguments: dict[str, Any]) -> AnnData:
    """Return a copy of checked data with the batch-aware variable genes, and mark these in ``adata.var``."""
    from scpareto.pp import variable_genes as select_variable_genes

    n_top, layer = arguments["n_top_genes"], arguments["layer"]
    always = arguments.get("control_genes", ())
    if not n_top or n_top >= adata.n_vars:
        return adata.copy()
    try:
        mask = select_variable_genes(adata, n_top, batch_key=arguments["batch_key"], layer=layer, always=always)
    except ValueError as error:
        raise UsageError(str(error).replace("n_top_genes", "--n-top-genes")) from error
    adata.var["highly_variable"] = mask
    text = f"Selected {mask.sum():,} of {adata.n_vars:,} genes that vary within batches (--n-top-genes)"
    suffix = f", {', '.join(always)} among them (--control-genes)" if always else ""
    console.print(f"{text}{suffix}.", markup=False, highlight=False)
    return adata[:, mask].copy()


def check_options(arguments: dict[str, Any]) -> None:
    """Check the options that do not depend on the data, before these are read."""
    from scpareto._runtime import check_whole_number
    from scpareto.front import FrontOptions

    check_whole_number("n_top_genes", arguments["n_top_genes"], least=0)
    FrontOptions(preset=arguments["preset"], seed=arguments["seed"], **arguments["training"])


def check_file(path: Path) -> None:
    """Raise an error if a path is not a file."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give an .h5ad file.")
    if not path.is_file():
        raise UsageError(f"{path} does not exist.")


def read_h5ad(path: Path) -> AnnData:
    """Read a file; raise a UsageError with the reason if it cannot be read."""
    import anndata

    with report_read_errors(path):
        return anndata.read_h5ad(path)


@contextmanager
def report_read_errors(path: Path) -> Iterator[None]:
    """Turn errors of reading a file into a UsageError with the reason."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error.args[0] if error.args else error).strip().split("\n")[0]
        if type(error).__name__ == "IORegistryError":
            # Newer versions of anndata write elements that older ones cannot read.
            reason = f"it was written by a newer anndata than {version('anndata')}; upgrade anndata ({reason})"
        raise UsageError(f"{path} is not a readable {path.suffix} file: {reason}") from error


def split_names(values: list[str] | None) -> list[str]:
    """Split the values of a repeated option at commas."""
    return [name.strip() for entry in values or [] for name in entry.split(",") if name.strip()]


def compute_sha256(path: Path) -> str:
    """Return the hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
