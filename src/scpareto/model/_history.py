"""Losses of each epoch, from the training records that a front keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._constants import GENERATIVE_LOSS

if TYPE_CHECKING:
    from scpareto.pareto import Front

SCVI_COLUMNS = {f"elbo_{part}": f"{GENERATIVE_LOSS}_{part}" for part in ("train", "validation")}
"""Our columns, by the names that scvi-tools gives them."""
SHARED_START = "pretraining"
"""Name of the training that every point starts from."""


def build_history(front: Front, point: int) -> dict[str, pd.DataFrame] | None:
    """Return the record of each epoch of a point: first the shared start, then the training of the point.

    Parameters
    ----------
    front
        The front.
    point
        Number of the point.

    Returns
    -------
    One frame per quantity, a row per epoch, NaN where a training did not record it; None if nothing was recorded.
    """
    histories = front.metadata.get("history", {})
    of_point = histories.get(f"point_{point}", histories.get("path", {}))
    trainings = [columns for columns in (histories.get(SHARED_START, {}), of_point) if columns]
    if not trainings:
        return None
    lengths = [len(next(iter(columns.values()))) for columns in trainings]
    names = dict.fromkeys(name for columns in trainings for name in columns)
    joined = {
        name: np.concatenate(
            [columns.get(name, np.full(n, np.nan)) for columns, n in zip(trainings, lengths, strict=True)]
        )
        for name in names
    }
    index = pd.RangeIndex(sum(lengths), name="epoch")
    if "epoch" in joined:
        joined["epoch"] = index.to_numpy(dtype=float)
    joined |= {scvi_name: joined[name] for scvi_name, name in SCVI_COLUMNS.items() if name in joined}
    return {name: pd.DataFrame({name: values}, index=index) for name, values in joined.items()}
