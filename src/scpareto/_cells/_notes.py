"""What is written into annotated data: embeddings, and records of plain types that say what they are of."""

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
        If it is no text.
    ValueError
        If it is empty or holds a slash.
    """
    if not isinstance(key_added, str):
        raise TypeError(f"key_added={key_added!r} must be text, such as 'X_paretovi'.")
    if not key_added or "/" in key_added:
        raise ValueError(f"key_added={key_added!r} cannot be written to a file: give a name without '/'.")


def read_records(adata: Any) -> Mapping[str, Any]:
    """Return what scpareto has written to ``adata.uns["scpareto"]``; what is no table of records counts as nothing."""
    found = adata.uns.get(UNS_KEY)
    return found if isinstance(found, Mapping) else {}


def write_record(adata: AnnData, name: str, record: Mapping[str, Any]) -> None:
    """Write a record to ``adata.uns["scpareto"][name]``."""
    # Assigned, not changed in place: what a view holds belongs to another AnnData.
    adata.uns[UNS_KEY] = {**read_records(adata), name: dict(record)}


def write_codes(adata: AnnData, key: str, codes: NDArray[Any], facts: Mapping[str, Any]) -> None:
    """Write codes to ``adata.obsm[key]``, and to ``adata.uns["scpareto"]["embeddings"][key]`` what they are of."""
    adata.obsm[key] = codes
    known = read_records(adata).get(EMBEDDINGS_KEY)
    write_record(adata, EMBEDDINGS_KEY, {**(known if isinstance(known, Mapping) else {}), key: dict(facts)})
