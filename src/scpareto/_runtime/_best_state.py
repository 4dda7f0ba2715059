"""The best state of a training, kept in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class BestState:
    """Keep the state with the lowest value so far, and count how long none was lower.

    Parameters
    ----------
    patience
        Values in a row that may be no lower before :attr:`has_given_up`; None to wait for ever.
    least_gain
        How much lower than the lowest a value has to be.
    """

    def __init__(self, patience: int | None = None, *, least_gain: float = 0.0) -> None:
        self.patience = patience
        self.least_gain = least_gain
        self.value = math.inf
        self.state: Any = None
        self.waited = 0

    def offer(self, value: float, snapshot: Callable[[], Any]) -> bool:
        """Keep a copy, made by ``snapshot``, if the value is the lowest so far; say whether it was (NaN never is)."""
        if value < self.value - self.least_gain:
            self.value, self.waited, self.state = value, 0, snapshot()
            return True
        self.waited += 1
        return False

    @property
    def has_given_up(self) -> bool:
        """Whether no lower value came for as long as the patience lasts."""
        return self.patience is not None and self.waited >= self.patience

    def to_plain(self) -> dict[str, Any]:
        """Return all that :meth:`take_plain` needs, as plain types and what the snapshots are made of."""
        return {"value": self.value, "state": self.state, "waited": self.waited}

    def take_plain(self, plain: dict[str, Any]) -> None:
        """Go on from where another training was."""
        self.value, self.state, self.waited = plain["value"], plain["state"], plain["waited"]
