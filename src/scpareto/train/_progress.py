"""One bar for a whole front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class FrontProgress:
    """Progress over the epochs of all trainings of a front.

    Parameters
    ----------
    n_epochs
        Epochs if no training stops early.
    show
        Whether anything is drawn.
    unit
        What is counted.
    """

    def __init__(self, n_epochs: int, *, show: bool = True, unit: str = "epochs") -> None:
        self._bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            disable=not show,
        )
        self._task = self._bar.add_task("Pareto front", total=n_epochs)
        self._stage_end = 0

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def stage(self, description: str, n_epochs: int) -> None:
        """Begin a training of at most ``n_epochs``; what the one before did not need is counted as done."""
        self._bar.update(self._task, description=description, completed=self._stage_end)
        self._stage_end += n_epochs

    def extend(self, n_epochs: int) -> None:
        """Expect more epochs than at first."""
        total = self._bar.tasks[self._task].total or 0
        self._bar.update(self._task, total=total + n_epochs)

    def epoch(self) -> None:
        """Count an epoch."""
        self._bar.advance(self._task)

    def say(self, description: str) -> None:
        """Change the description, e.g. while a point is judged."""
        self._bar.update(self._task, description=description)
