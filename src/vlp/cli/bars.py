"""Progress of several things, one after another."""

import os
import time
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class Bars:
    """Progress bars, one for each thing that goes on; where there is no terminal a line now and then, and one at the end."""

    def __init__(self) -> None:
        self.main = os.environ.get("RANK", "0") == "0"
        self._console = Console(stderr=True, quiet=not self.main)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._begun: dict[str, tuple[Any, int, float]] = {}
        self._said_s = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def moved(self, what: str, done: int, total: int, note: str = "") -> None:
        """Show how far something has come, how fast since it was first told, and how long the rest will take."""
        now_s = time.monotonic()
        if what not in self._begun:
            self._begun[what] = self._progress.add_task(what, pace=""), done, now_s
        task, before, since_s = self._begun[what]
        pace = ", ".join(part for part in (note, _pace(done - before, total - done, now_s - since_s)) if part)
        self._progress.update(task, completed=done, total=total, pace=pace)
        if not self._console.is_terminal and (done == total or now_s - self._said_s > 15):
            self._said_s = now_s
            self._console.print(f"{what}: {done} of {total}{pace and f', {pace}'}", highlight=False)

    def say(self, line: str) -> None:
        """Show a line that stays, above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _pace(done: int, left: int, taken_s: float) -> str:
    if not done or taken_s < 1:  # too early to say
        return ""
    rest_s = round(left * taken_s / done)
    return f"{done / taken_s:.2g} a second" + (f", {rest_s // 60}:{rest_s % 60:02} left" if left else "")
