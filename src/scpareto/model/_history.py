"""Losses of the epochs of a model, from what a front keeps of its trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._constants import GENERATIVE_LOSS

if TYPE_CHECKING:
    from scpareto.pareto import Front

OF_SCVI = {f"elbo_{part}": f"{GENERATIVE_LOSS}_{part}" for part in ("train", "validation")}
"""Names that scvi-tools has for columns of ours."""
SHARED_START = "pretraining"
"""Name of the training that every point begins from."""


def history_of(front: Front, point: int) -> dict[str, pd.DataFrame] | None:
    """Return what was recorded of each epoch of a point: those of the shared start, then its own.

    Parameters
    ----------
    front
        The front.
    point
        Number of the point.

    Returns
    -------
    One frame per quantity, a row per epoch, NaN where a part does not have it; None if nothing was recorded.
    """
    histories = front.metadata.get("history", {})
    own = histories.get(f"point_{point}", histories.get("path", {}))
    parts = [columns for columns in (histories.get(SHARED_START, {}), own) if columns]
    if not parts:
        return None
    lengths = [len(next(iter(columns.values()))) for columns in parts]
    names = dict.fromkeys(name for columns in parts for name in columns)
    whole = {
        name: np.concatenate([columns.get(name, np.full(n, np.nan)) for columns, n in zip(parts, lengths, strict=True)])
        for name in names
    }
    index = pd.RangeIndex(sum(lengths), name="epoch")
    if "epoch" in whole:
        whole["epoch"] = index.to_numpy(dtype=float)
    whole |= {name: whole[ours] for name, ours in OF_SCVI.items() if ours in whole}
    return {name: pd.DataFrame({name: values}, index=index) for name, values in whole.items()}
