"""Simulators whose truth is known."""

from ._simulate_batches import simulate_batches
from ._simulate_multiplicative import simulate_multiplicative

__all__ = ["simulate_batches", "simulate_multiplicative"]
