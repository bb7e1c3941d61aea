"""The durable record of a run: typed events in SQLite."""

from vlp.journal.events import KINDS, Event, EventKind
from vlp.journal.reader import journal_path, read_events
from vlp.journal.writer import Journal, JournalError

__all__ = ["KINDS", "Event", "EventKind", "Journal", "JournalError", "journal_path", "read_events"]
