"""Default choices: the practical front and the published one."""

from __future__ import annotations

from dataclasses import dataclass

from scpareto.train import PRACTICAL, PUBLISHED, Recipe


@dataclass(frozen=True)
class Preset:
    """Choices for arguments that the user leaves out.

    Parameters
    ----------
    recipe
        Numbers of the trainings.
    objective, method
        Recommended names; the method is the one that trains all preferences at once, where possible.
    method_apart
        Recommended method if every point is trained separately.
    max_epochs_pretrain, max_epochs
        Epochs of the shared start, and of the training after it; None to compute them from the number of cells.
    """

    recipe: Recipe
    objective: str
    method: str
    method_apart: str = "pareto_mtl"
    max_epochs_pretrain: int | None = None
    max_epochs: int | None = None


PRESETS: dict[str | None, Preset] = {
    None: Preset(PRACTICAL, objective="classifier", method="conditional"),
    "paper": Preset(PUBLISHED, objective="mine", method="pareto_mtl", max_epochs_pretrain=200, max_epochs=150),
}
"""Presets by name."""
