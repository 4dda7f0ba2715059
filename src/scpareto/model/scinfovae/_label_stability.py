"""Stopping rule of the fine-tuning: few cells change cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class LabelStability:
    """Watches the share of cells whose cluster changes from one refresh to the next.

    Parameters
    ----------
    labels
        Initial clusters, shape ``(n_cells,)``.
    tol
        Share of changed cells below which the clustering has settled; 0 for never.

    Raises
    ------
    ValueError
        If ``tol`` is not in [0, 1].
    """

    def __init__(self, labels: Tensor, tol: float) -> None:
        if not 0 <= tol <= 1:
            raise ValueError(f"tol={tol} must be in [0, 1].")
        self.labels = labels
        self.tol = tol
        self.changed = 1.0

    def has_settled(self, labels: Tensor) -> bool:
        """Compare labels with those of the previous refresh, store them, and return whether few have changed."""
        self.changed = float((labels != self.labels).float().mean())
        self.labels = labels
        return self.changed < self.tol
