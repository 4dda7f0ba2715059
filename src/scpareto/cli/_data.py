"""The data of a command: read, checked, and reduced to the genes that vary."""

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
    """Check counts and columns before a folder is made; return what there is to warn of once it is."""
    from scpareto._cells import check_anndata, check_genes

    labels = [] if arguments["labels_key"] is None else [arguments["labels_key"]]
    check_genes(arguments.get("control_genes", ()), adata.var_names, "--control-genes")
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


def check_writable(adata: AnnData) -> None:
    """Refuse cells that anndata can read but not write, which would be found after the training.

    All but the matrices is written to memory.
    """
    import anndata
    import h5py
    from anndata import io

    tables = anndata.AnnData(obs=adata.obs, var=adata.var, uns=dict(adata.uns), obsm=dict(adata.obsm))
    with h5py.File("unwritten.h5ad", "w", driver="core", backing_store=False) as file:
        for name in ("obs", "var", "uns", "obsm"):
            part = getattr(tables, name)
            try:
                io.write_elem(file, name, part if name in ("obs", "var") else dict(part))
            except Exception as error:
                notes = " ".join(getattr(error, "__notes__", []))
                told = " ".join(f"{error} {notes}".split())
                raise UsageError(f"anndata cannot write adata.{name}: {told[:300]} Mend or drop it first.") from error


def variable_genes(adata: AnnData, arguments: dict[str, Any]) -> AnnData:
    """Copy of checked data with the batch-aware variable genes, which are also noted in ``adata.var``."""
    from scpareto.pp import variable_genes as chosen_genes

    n_top, layer = arguments["n_top_genes"], arguments["layer"]
    always = arguments.get("control_genes", ())
    if not n_top or n_top >= adata.n_vars:
        return adata.copy()
    try:
        chosen = chosen_genes(adata, n_top, batch_key=arguments["batch_key"], layer=layer, always=always)
    except ValueError as error:
        raise UsageError(str(error).replace("n_top_genes", "--n-top-genes")) from error
    adata.var["highly_variable"] = chosen
    told = f"Selected {chosen.sum():,} of {adata.n_vars:,} genes that vary within batches (--n-top-genes)"
    forced = f", {', '.join(always)} among them (--control-genes)" if always else ""
    console.print(f"{told}{forced}.", markup=False, highlight=False)
    return adata[:, chosen].copy()


def check_options(arguments: dict[str, Any]) -> None:
    """Check what does not depend on the data, before these are read."""
    from scpareto._runtime import check_whole_number
    from scpareto.front import FrontOptions

    check_whole_number("n_top_genes", arguments["n_top_genes"], least=0)
    FrontOptions(preset=arguments["preset"], seed=arguments["seed"], **arguments["training"])


def check_file(path: Path) -> None:
    """Refuse a path that is no file."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give an .h5ad file.")
    if not path.is_file():
        raise UsageError(f"{path} does not exist.")


def read(path: Path) -> AnnData:
    """Read a file, or say why it cannot be read."""
    import anndata

    with readable(path):
        return anndata.read_h5ad(path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read why it cannot."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error.args[0] if error.args else error).strip().split("\n")[0]
        if type(error).__name__ == "IORegistryError":
            # anndata of one version writes kinds of elements that those before it do not know.
            reason = f"it was written by a newer anndata than {version('anndata')}; upgrade anndata ({reason})"
        raise UsageError(f"{path} is not a readable {path.suffix} file: {reason}") from error


def names(given: list[str] | None) -> list[str]:
    """Split what is separated by commas in repeated options."""
    return [name.strip() for entry in given or [] for name in entry.split(",") if name.strip()]


def sha256(path: Path) -> str:
    """Hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
