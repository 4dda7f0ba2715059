"""Simulators with known ground truth."""

from scpareto.datasets._simulate_batches import simulate_batches
from scpareto.datasets._simulate_branches import simulate_branches
from scpareto.datasets._simulate_multiplicative import simulate_multiplicative
from scpareto.datasets._simulate_perturbations import simulate_perturbations
from scpareto.datasets._simulate_polynomial import simulate_polynomial
from scpareto.datasets._simulate_splatter import simulate_splatter

__all__ = [
    "simulate_batches",
    "simulate_branches",
    "simulate_multiplicative",
    "simulate_perturbations",
    "simulate_polynomial",
    "simulate_splatter",
]
