"""Which direction of a column is better."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

# Names of the field, as written by scpareto and by scib-metrics.
_HIGHER = re.compile(
    r"scib_.*|retention(_reference)?|structure_kept(_in_sample)?|.*_kept"
    r"|alignment|batch_entropy|graph_connectivity|pcr(_comparison)?|bras|kbet(_per_label)?|[ci]lisi(_knn)?"
    r"|(k_?means_|leiden_)?(nmi|ari|uca)|asw|(batch_|label_)?silhouette(_(label|labels|batch|width))?|isolated_labels"
    r"|bio_conservation|batch_correction|total|(unsupervised_clustering_)?accuracy|hypervolume|(graph_)?mixing"
)


def is_higher_better(column: str, objectives: Collection[str] = ()) -> bool:
    """Say whether larger values of a column are better.

    Parameters
    ----------
    column
        Name of a column.
    objectives
        Names of the objectives, which are always minimised.
    """
    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    name = re.sub(r"(?<!_in)_(train|validation|test|mean|sample)$", "", name)
    return name not in objectives and _HIGHER.fullmatch(name) is not None
