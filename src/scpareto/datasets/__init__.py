"""Simulators whose truth is known."""

from ._simulate_batches import simulate_batches

__all__ = ["simulate_batches"]
