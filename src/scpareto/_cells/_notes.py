"""Write embeddings, and records of plain types that describe them, into an AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scpareto._constants import EMBEDDINGS_KEY, UNS_KEY

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def check_key_added(key_added: Any) -> None:
    """Refuse a key that cannot be written to a file.

    Raises
    ------
    TypeError
        If the key is not text.
    ValueError
        If the key is empty or contains a slash.
    """
    if not isinstance(key_added, str):
        raise TypeError(f"key_added={key_added!r} must be text, such as 'X_paretovi'.")
    if not key_added or "/" in key_added:
        raise ValueError(f"key_added={key_added!r} cannot be written to a file: give a name without '/'.")


def read_records(adata: Any) -> Mapping[str, Any]:
    """Return the records in ``adata.uns["scpareto"]``; empty if there are none or the entry is not a dictionary."""
    records = adata.uns.get(UNS_KEY)
    return records if isinstance(records, Mapping) else {}


def write_record(adata: AnnData, name: str, record: Mapping[str, Any]) -> None:
    """Write a record to ``adata.uns["scpareto"][name]``."""
    # Assigned, not changed in place: the dictionary of a view belongs to another AnnData.
    adata.uns[UNS_KEY] = {**read_records(adata), name: dict(record)}


def write_codes(adata: AnnData, key: str, codes: NDArray[Any], record: Mapping[str, Any]) -> None:
    """Write codes to ``adata.obsm[key]`` and their record to ``adata.uns["scpareto"]["embeddings"][key]``."""
    adata.obsm[key] = codes
    embeddings = read_records(adata).get(EMBEDDINGS_KEY)
    write_record(adata, EMBEDDINGS_KEY, {**(embeddings if isinstance(embeddings, Mapping) else {}), key: dict(record)})
