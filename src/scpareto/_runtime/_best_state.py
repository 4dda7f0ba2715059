"""The best state of a training, kept in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class BestState:
    """Keep the state with the lowest value so far, and count the values since then.

    Parameters
    ----------
    patience
        Number of values in a row without a new minimum after which :attr:`has_given_up` is true; None for no limit.
    least_gain
        Least decrease that counts as a new minimum.
    """

    def __init__(self, patience: int | None = None, *, least_gain: float = 0.0) -> None:
        self.patience = patience
        self.least_gain = least_gain
        self.value = math.inf
        self.state: Any = None
        self.waited = 0

    def offer(self, value: float, snapshot: Callable[[], Any]) -> bool:
        """Store a copy, made by ``snapshot``, if the value is a new minimum; return whether it is (NaN never is)."""
        if value < self.value - self.least_gain:
            self.value, self.waited, self.state = value, 0, snapshot()
            return True
        self.waited += 1
        return False

    @property
    def has_given_up(self) -> bool:
        """Whether the patience is used up."""
        return self.patience is not None and self.waited >= self.patience

    def to_plain(self) -> dict[str, Any]:
        """Return the progress as plain types and the snapshot, for :meth:`load_plain`."""
        return {"value": self.value, "state": self.state, "waited": self.waited}

    def load_plain(self, plain: dict[str, Any]) -> None:
        """Continue from the progress of another training."""
        self.value, self.state, self.waited = plain["value"], plain["state"], plain["waited"]
