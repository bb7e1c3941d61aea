"""A run shown again from its journal alone."""

from pathlib import Path

from vlp.core.errors import UsageError
from vlp.core.files import write_whole
from vlp.journal import journal_path, read_events
from vlp.runtime.memory import reading
from vlp.runtime.story import Story
from vlp.runtime.subscribers.report import render_report, result_text


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
    out = journal_path(where).parent
    with reading():
        story = Story.of(events)
        report, result = render_report(events), result_text(story)
    write_whole(out / "report.html", report)
    write_whole(out / "result.json", result)
    return story
