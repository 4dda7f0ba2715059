"""Columns of lost contrasts that do not depend on embeddings, and the smallest population that can be tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from scpareto.metrics._log_components import group_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.metrics._batch_groups import BatchGroups, Contrasts
    from scpareto.metrics._max_t import MaxT

_N_MARKERS = 5
_POWER = 0.8


def describe_contrasts(
    groups: BatchGroups,
    contrasts: Contrasts,
    batch_names: Sequence[str],
    logged: Any,
    genes: Sequence[str],
    explained: NDArray[np.float64],
    covariates: Sequence[str],
) -> pd.DataFrame:
    """Return one row for each contrast, with the columns that do not depend on an embedding."""
    means = group_means(logged, groups.of_cell, len(groups.size))
    n_first, n_second = contrasts.sizes(groups.size)
    rows = []
    for column, (first, second) in enumerate(zip(contrasts.first, contrasts.second, strict=True)):
        difference = contrasts.sides[column] @ means
        order = np.argsort(difference)
        batch_name = batch_names[contrasts.batch[column]]
        main = covariates[int(explained[1:, column].argmax())] if explained[1:, column].any() else ""
        lower = ", ".join(genes[g] for g in order[:_N_MARKERS] if difference[g] < 0)
        higher = ", ".join(genes[g] for g in order[::-1][:_N_MARKERS] if difference[g] > 0)
        kind = "type" if contrasts.is_type[column] else "state"
        sizes = (int(n_first[column]), int(n_second[column]))
        name = f"{batch_name}: {first} | {second}"
        rows.append((name, batch_name, *sizes, kind, lower, higher, float(explained[0, column]), main))
    columns = ["contrast", "batch", "n_first", "n_second", "kind", "markers_first", "markers_second"]
    return pd.DataFrame(rows, columns=[*columns, "explained", "explained_by"])


def smallest_population(
    test: MaxT,
    smaller: NDArray[np.int64],
    before: NDArray[np.float64],
    judged: NDArray[np.bool_],
    margin: float,
    level: float,
    min_cells: int,
) -> float:
    """Return the number of cells with which a merged population of one batch is detected in four of five cases."""
    if not judged.any() or not len(test.error) or not np.isfinite(test.largest).all():
        return float("nan")
    needed = np.quantile(test.largest, level) + norm.ppf(_POWER)
    cells = smaller[judged] * (np.median(test.error[:, judged], axis=0) * needed / ((1 - margin) * before[judged])) ** 2
    return float(max(np.ceil(np.median(cells)), 2 * min_cells))
