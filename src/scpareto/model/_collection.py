"""Several files as one data set: prepare scvi-tools' adapter of an AnnCollection for registration."""

from __future__ import annotations

from typing import Any

from anndata.experimental import AnnCollection
from scvi.dataloaders import CollectionAdapter

from scpareto._cells import format_names


def prepare_collection(adata: Any, layer: str | None) -> None:
    """Check an adapted collection of files and give it its own ``uns``; leave other data as they are.

    Raises
    ------
    TypeError
        If the collection is not adapted, or its layer is not sparse, which scvi-tools does not read.
    ValueError
        If no layer is named: scvi-tools' adapter has no ``X``.
    KeyError
        If the layer does not exist.
    """
    if type(adata) is AnnCollection:
        raise TypeError(
            "scvi-tools reads an AnnCollection through its adapter: adata = scvi.dataloaders.CollectionAdapter(adata)."
        )
    if not isinstance(adata, CollectionAdapter):
        return
    available = [name for name in adata.layers.keys() if name is not None]
    layers = format_names(available)
    if layer is None:
        raise ValueError(
            "A collection of files is read from a layer, scvi-tools' adapter has no X: name one, layer=... Available: "
            f"{layers}."
        )
    if layer not in available:
        raise KeyError(f"layer={layer!r} is not in every file of the collection. Available: {layers}.")
    try:
        adata.layers[layer]
    except TypeError as error:
        raise TypeError(
            f"layer={layer!r} of the collection is not sparse, and scvi-tools' adapter reads sparse layers only. Write "
            "it as scipy.sparse.csr_matrix."
        ) from error
    if "uns" not in vars(adata):
        # All adapters share the ``uns`` of the class, so scvi-tools would take two collections for the same data.
        adata.uns = {}
