"""Estimate the number of clusters from a pre-trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scpareto.metrics import ESTIMATORS, NumberOfClusters, number_before_drop, number_of_clusters
from scpareto.model.scinfovae._generalisability import generalisability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scpareto.model.scinfovae._two_phases import TwoPhases

_GENERALISABILITY = "generalisability"
_CLUSTER_NUMBERS = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
_EPOCHS = 10


class ClusterChoice:
    """Estimates the number of clusters after pre-training.

    Parameters
    ----------
    method
        ``"silhouette"``, ``"leiden"`` or ``"generalisability"``.

    Raises
    ------
    ValueError
        If the method is unknown.
    """

    def __init__(self, method: str) -> None:
        if method not in (*ESTIMATORS, _GENERALISABILITY):
            raise ValueError(f"n_clusters_by={method!r} is not one of {', '.join([*ESTIMATORS, _GENERALISABILITY])}.")
        self.method = method

    def __call__(
        self, phases: TwoPhases, parts: dict[str, NDArray[np.int64]], *, lr: float, objective: str, **options: Any
    ) -> NumberOfClusters:
        """Estimate the number from a pre-trained network; the validation cells are held out.

        Raises
        ------
        ValueError
            If ``"generalisability"`` has no held-out cells.
        """
        if self.method != _GENERALISABILITY:
            return number_of_clusters(phases.codes().numpy(), self.method, seed=phases.seed)
        if not len(parts["validation"]):
            raise ValueError("n_clusters_by='generalisability' needs held-out cells: give validation_size above 0.")
        counts = [k for k in _CLUSTER_NUMBERS if k <= min(map(len, parts.values()))]
        ratios = generalisability(
            phases.module,
            phases.manager,
            counts,
            **parts,
            weights=phases.weights,
            divergence=phases.divergence,
            max_epochs=_EPOCHS,
            lr=lr,
            objective=objective,
            **options,
        )
        return number_before_drop(counts, ratios)
