"""Check the arguments of simulators."""

from __future__ import annotations

import numpy as np


def check_counts(**arguments: tuple[float, int]) -> None:
    """Check that arguments are integers of at least the second number of their pair.

    Raises
    ------
    ValueError
        For the first argument that is not valid.
    """
    for name, (value, minimum) in arguments.items():
        if int(value) != value or value < minimum:
            raise ValueError(f"`{name}` is {value}; give an integer of at least {minimum}.")


def check_shares(**arguments: float) -> None:
    """Raise a ValueError for the first argument that is not between 0 and 1."""
    for name, value in arguments.items():
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` is {value}; give a share between 0 and 1.")


def check_not_negative(**arguments: float) -> None:
    """Raise a ValueError for the first argument that is negative or not finite."""
    for name, value in arguments.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"`{name}` is {value}; give a finite number of at least 0.")


def check_positive(**arguments: float) -> None:
    """Raise a ValueError for the first argument that is not positive or not finite."""
    for name, value in arguments.items():
        if not 0 < value < np.inf:
            raise ValueError(f"`{name}` is {value}; give a finite number above 0.")
