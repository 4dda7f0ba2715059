"""Simulators whose truth is known."""

from ._simulate_batches import simulate_batches
from ._simulate_multiplicative import simulate_multiplicative
from ._simulate_polynomial import simulate_polynomial

__all__ = ["simulate_batches", "simulate_multiplicative", "simulate_polynomial"]
