"""Saved models as tensors and plain types, so that opening the file cannot run code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from scpareto._scvi_compat import SAVE_KEYS, download
from scpareto.pareto import to_plain

FORMAT_VERSION = 1
"""Increased whenever files of the previous version need an upgrade."""

_HEADER_KEY = "scpareto"


class UnsafeModelError(ValueError):
    """A saved model holds more than tensors and plain types."""


def rewrite_as_plain(path: Path, header: Mapping[str, Any]) -> None:
    """Rewrite a file that scvi-tools has just saved, so that it opens with ``weights_only=True``.

    Parameters
    ----------
    path
        A ``model.pt`` written by this process.
    header
        Plain values that are stored with the model, e.g. versions.
    """
    content = torch.load(path, map_location="cpu", weights_only=False)
    attributes = content[SAVE_KEYS.ATTR_DICT_KEY]
    attributes["registry_"] = _convert_arrays_to_lists(attributes["registry_"])
    plain = {key: to_plain(value, key) for key, value in content.items()}
    plain[_HEADER_KEY] = {"format_version": FORMAT_VERSION} | dict(header)
    unfinished = path.with_suffix(".pt.tmp")
    torch.save(plain, unfinished)
    os.replace(unfinished, path)


def check_saved(dir_path: str | os.PathLike[str], prefix: str | None = None, backup_url: str | None = None) -> None:
    """Refuse a saved model that could run code, or that a newer scpareto wrote.

    Parameters
    ----------
    dir_path, prefix, backup_url
        As for loading.

    Raises
    ------
    ValueError
        If the folder holds no model.
    UnsafeModelError
        If the file holds more than tensors and plain types; none of its code has been run.
    """
    name = f"{prefix or ''}{SAVE_KEYS.MODEL_FNAME}"
    path = Path(dir_path) / name
    if backup_url is not None and not path.exists():
        download(backup_url, str(dir_path), name)
    if not path.exists():
        raise ValueError(f"{dir_path} holds no saved model: {name} is missing.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UnsafeModelError(
            f"{path} is not a model that scpareto saved: it holds more than tensors and plain types, or is damaged. "
            "It was not opened, because opening it could run code."
        ) from error
    header = content.get(_HEADER_KEY) if isinstance(content, dict) else None
    if not isinstance(header, dict) or "format_version" not in header:
        raise UnsafeModelError(f"{path} was not saved by scpareto.")
    if header["format_version"] > FORMAT_VERSION:
        raise UnsafeModelError(
            f"{path} was saved by scpareto {header.get('version', '(unknown version)')} in format "
            f"{header['format_version']}; this version reads formats up to {FORMAT_VERSION}. Upgrade scpareto."
        )


def _convert_arrays_to_lists(value: Any) -> Any:
    """Turn arrays of a registry into lists: scvi-tools copies and concatenates them, which tensors do not allow."""
    if isinstance(value, Mapping):
        return {key: _convert_arrays_to_lists(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | pd.Series | pd.Index) else value
