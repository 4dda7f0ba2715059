"""Arguments of simulators, refused by name when they are out of range."""

from __future__ import annotations

import numpy as np


def check_counts(**arguments: tuple[float, int]) -> None:
    """Refuse what is no integer of at least the second number of its pair.

    Raises
    ------
    ValueError
        For the first argument that is not.
    """
    for name, (value, minimum) in arguments.items():
        if int(value) != value or value < minimum:
            raise ValueError(f"`{name}` is {value}; give an integer of at least {minimum}.")


def check_shares(**arguments: float) -> None:
    """Refuse what is no share between 0 and 1; raises ValueError."""
    for name, value in arguments.items():
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` is {value}; give a share between 0 and 1.")


def check_not_negative(**arguments: float) -> None:
    """Refuse what is negative or not finite; raises ValueError."""
    for name, value in arguments.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"`{name}` is {value}; give a finite number of at least 0.")


def check_positive(**arguments: float) -> None:
    """Refuse what is not above zero or not finite; raises ValueError."""
    for name, value in arguments.items():
        if not 0 < value < np.inf:
            raise ValueError(f"`{name}` is {value}; give a finite number above 0.")
