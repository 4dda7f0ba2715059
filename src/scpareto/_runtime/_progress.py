"""One progress bar for a whole front."""

from __future__ import annotations

import time
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

_SECONDS_BETWEEN_LINES = 0.5


class FrontProgress:
    """Show the progress of all trainings of a front and of judging.

    Terminals, and notebooks with ipywidgets, show a bar; notebooks without ipywidgets one line that is updated; log
    files get a line for each stage.

    Parameters
    ----------
    n_epochs
        Number of epochs if no training stops early.
    show
        Whether to show anything.
    unit
        Name of the counted unit.
    judging
        Rough time of judging, as a share of the time of the epochs.
    """

    def __init__(self, n_epochs: int, *, show: bool = True, unit: str = "epochs", judging: float = 0.0) -> None:
        self._console = Console()
        in_notebook = self._console.is_jupyter
        has_bar = self._console.is_terminal or (in_notebook and find_spec("ipywidgets") is not None)
        self._writes_lines = show and not has_bar and not in_notebook
        self._line = _UpdatedLine() if show and in_notebook and not has_bar else None
        self._begun = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[counted]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (show and has_bar),
        )
        self._n_epochs, self._n_done, self._stage_end, self._unit = n_epochs, 0, 0, unit
        self._judging, self._judged = judging * n_epochs, 0.0
        self._task = self._bar.add_task("Pareto front", total=n_epochs + self._judging, counted=self._counted)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)
        if self._line is not None:
            self._line.write(self._sentence)

    def stage(self, description: str, n_epochs: int) -> None:
        """Begin a training of at most ``n_epochs``; unused epochs of the previous one count as done."""
        self._n_done = self._stage_end
        self._stage_end += n_epochs
        self._update(description)

    def done(self) -> None:
        """Count all epochs and judging as done."""
        self._judged = self._judging
        self.stage("done", 0)

    def extend(self, n_epochs: int) -> None:
        """Add epochs to the expected total."""
        self._n_epochs += n_epochs
        self._update()

    def epoch(self) -> None:
        """Count an epoch."""
        self._n_done += 1
        self._update()

    @contextmanager
    def judge(self, description: str, share: float) -> Iterator[None]:
        """Show what is being judged, and count this share of all judging when the block ends."""
        self.say(description)
        yield
        self._judged = min(self._judged + share * self._judging, self._judging)
        self._update()

    def say(self, description: str) -> None:
        """Change the description."""
        self._update(description)

    @property
    def _counted(self) -> str:
        return f"{self._n_done} of {self._n_epochs} {self._unit}"

    @property
    def _sentence(self) -> str:
        task = self._bar.tasks[self._task]
        return f"{_clock(self._begun)}  {task.description:<28}  {task.percentage:3.0f} %  {self._counted}"

    def _update(self, description: str | None = None) -> None:
        self._bar.update(
            self._task,
            description=description,
            completed=self._n_done + self._judged,
            total=self._n_epochs + self._judging,
            counted=self._counted,
        )
        if self._line is not None and self._line.is_due:
            self._line.write(self._sentence)
        if self._writes_lines and description is not None:
            print(f"{_clock(self._begun)}  {description:<28}  {self._counted}", flush=True)


class _UpdatedLine:
    """One line of output in a notebook whose text is replaced; without ipywidgets rich would warn at each refresh."""

    def __init__(self) -> None:
        self._id, self._written = f"scpareto-{id(self)}-{time.monotonic_ns()}", float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether the text is old enough to be replaced."""
        return time.monotonic() - self._written >= _SECONDS_BETWEEN_LINES

    def write(self, text: str) -> None:
        """Replace the text."""
        from IPython.display import publish_display_data, update_display

        data = {"text/plain": text}
        if self._written == float("-inf"):
            publish_display_data(data, transient={"display_id": self._id})
        else:
            update_display(data, raw=True, display_id=self._id)
        self._written = time.monotonic()


def _clock(begun: float) -> str:
    passed = int(time.monotonic() - begun)
    return f"{passed // 3600}:{passed // 60 % 60:02}:{passed % 60:02}"
