"""`vlp replay`: a run again, from its journal alone."""

import time
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from vlp.core.errors import MissingComponent
from vlp.journal import Event, journal_path, read_events
from vlp.runtime.story import Story
from vlp.runtime.subscribers.report import replay as rebuild
from vlp.runtime.subscribers.terminal import Terminal

LONGEST_PAUSE_S = 2.0


def replay(
    directory: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")],
    speed: float = 10.0,
) -> int:
    """Show a run again from its journal, and rebuild report.html and result.json beside it.

    Args:
        directory: the run's directory, or its journal.db.
        speed: how many times faster than it was; where the output is no terminal there are no pauses.
    """
    told: Story | MissingComponent
    try:
        told = rebuild(directory)
    except MissingComponent as error:  # a run can be looked at where nothing can be written
        told = error
    console = Console(markup=False)
    terminal = Terminal(console)
    last: Event | None = None
    for event in read_events(directory, blobs=False):
        if console.is_terminal and last is not None and speed > 0:
            time.sleep(min(LONGEST_PAUSE_S, max(0.0, (event.wall_s - last.wall_s) / speed)))
        terminal.on_event(event)
        last = event
    terminal.close()
    if isinstance(told, MissingComponent):
        raise told
    out: Path = journal_path(directory).parent
    console.print(f"rebuilt {out / 'report.html'} and {out / 'result.json'}", highlight=False, soft_wrap=True)
    ended = told.end.get("outcome", "unfinished")
    return 0 if ended == "success" and told.end.get("verdict") is not False else 1
