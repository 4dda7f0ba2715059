"""One bar for a whole front."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class FrontProgress:
    """Progress over the epochs of all trainings of a front: a bar, or in log files a line for each stage.

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
        self._console = Console()
        moving = self._console.is_terminal or self._console.is_jupyter
        self._writes_lines = show and not moving
        self._begun = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (show and moving),
        )
        self._task = self._bar.add_task("Pareto front", total=n_epochs)
        self._stage_end = 0
        self._unit = unit

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
        self._write(description)

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
        self._write(description)

    def _write(self, description: str) -> None:
        """Write a line where a bar cannot move."""
        if not self._writes_lines:
            return
        task, passed = self._bar.tasks[self._task], int(time.monotonic() - self._begun)
        done = f"{int(task.completed)} of {int(task.total or 0)} {self._unit}"
        print(f"{passed // 3600}:{passed // 60 % 60:02}:{passed % 60:02}  {description:<28}  {done}", flush=True)
