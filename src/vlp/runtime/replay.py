"""A run shown again from its journal alone."""

from pathlib import Path

from vlp.core.errors import UsageError
from vlp.journal import journal_path, read_events
from vlp.runtime.memory import reading
from vlp.runtime.story import Story
from vlp.runtime.subscribers.report import write_files


def replay(where: str | Path) -> Story:
    """Rebuild report.html and result.json beside a journal, and return the run's story.

    Args:
        where: run directory or journal file.

    Raises:
        UsageError: no journal, a damaged one, or one without a run.
        MissingComponent: the directory cannot be written.
    """
    events = [event for event in read_events(where) if event.kind != "snapshot"]
    if not events:
        raise UsageError("the journal holds no run.", "Was the run killed before it began?")
    with reading():
        return write_files(journal_path(where).parent, events)
