"""What is chosen where the user chooses nothing: the practical front and the published one."""

from __future__ import annotations

from dataclasses import dataclass

from scpareto.train import PRACTICAL, PUBLISHED, Recipe


@dataclass(frozen=True)
class Preset:
    """What is chosen where the user chooses nothing.

    Parameters
    ----------
    recipe
        Numbers of the trainings.
    objective, method
        Recommended names. The method is for one training of all preferences, where there is one.
    method_apart
        Recommended method where every point is trained apart.
    max_epochs_pretrain, max_epochs
        Epochs of the shared start, and of what follows it; None for those that follow from the number of cells.
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
