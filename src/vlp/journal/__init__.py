"""The durable record of a run: typed events in one SQLite file, each on disk before the next step and before anyone is told.

A chain of hashes goes through the events: what was damaged later is noticed when it is read, and never believed.
"""

from vlp.journal.file import FILE_NAME, KINDS, DamagedJournal, Event, JournalError, NotAJournal, StoredEvent, journal_path
from vlp.journal.reading import has_chain, read_events, read_rows
from vlp.journal.writing import Journal, Subscriber

__all__ = [
    "FILE_NAME", "KINDS", "DamagedJournal", "Event", "Journal", "JournalError", "NotAJournal", "StoredEvent", "Subscriber",
    "has_chain", "journal_path", "read_events", "read_rows",
]  # fmt: skip
