"""Data that keep codes instead of counts."""

from __future__ import annotations

from typing import Any


def refuse_minified(holder: Any, verb: str) -> None:
    """Refuse minified data where counts are needed.

    Parameters
    ----------
    holder
        A model or its module.
    verb
        What the counts are needed for, to follow ``to``, e.g. ``"train on"``.

    Raises
    ------
    ValueError
        If the data are minified.
    """
    if getattr(holder, "minified_data_type", None) is not None:
        raise ValueError(f"Minified data hold no counts to {verb}. Load the model with the full AnnData.")
