"""The journal's tables, as a list that only grows: entry n brings a file from version n to n + 1."""

APPLICATION_ID = 0x564C504A
"""Marks an SQLite file as a journal ("VLPJ")."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        wall_s REAL NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL,
        blob BLOB
    ) STRICT;
    CREATE INDEX event_kind ON event (kind, seq);
    """,
)

SCHEMA_VERSION = len(MIGRATIONS)
