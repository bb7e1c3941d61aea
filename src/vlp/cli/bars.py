"""Progress of several things, one after another."""

import os
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bars:
    """Progress bars, one for each thing that goes on; where there is no terminal a line now and then, and one at the end."""

    def __init__(self) -> None:
        self.main = os.environ.get("RANK", "0") == "0"
        self._console = Console(stderr=True, quiet=not self.main)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._tasks: dict[str, object] = {}
        self._said_s = time.monotonic()

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def moved(self, what: str, done: int, total: int) -> None:
        """Show how far something has come."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=total)  # type: ignore[arg-type]
        if not self._console.is_terminal and (done == total or time.monotonic() - self._said_s > 15):
            self._said_s = time.monotonic()
            self._console.print(f"{what}: {done} of {total}", highlight=False)

    def say(self, line: str) -> None:
        """Show a line that stays, above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
