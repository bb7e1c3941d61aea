"""Lessons on disk: one small SQLite file with a full-text index, for all robots of a person and several processes at once."""

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError, closest
from vlp.core.files import cannot_write, state_folder
from vlp.prompt.render import plain
from vlp.runtime.lessons.lesson import Lesson


def own_lessons() -> Path:
    """Return where a person's own lessons are: below XDG_STATE_HOME, by default ~/.local/state."""
    return state_folder() / "lessons.db"


class LessonStore:
    """A bounded number of lessons; each method opens the file, and waits two seconds at most for another process.

    Args:
        path: the file, made when it is not there; only its owner may read it.
        most: the number of lessons it keeps. When there are more, those go first that are old and were seldom seen.

    Raises:
        UsageError: the file is something else, or damaged, or of a newer version; nothing in it is changed. Also by every
            method, where that shows later.
        MissingComponent: it cannot be read or written; by every method, not when the store is made.
    """

    def __init__(self, path: Path, most: int = 500) -> None:
        self.path, self.most = path, most
        with contextlib.suppress(MissingComponent), self._opened():
            pass

    def fitting(self, robot: str, words: Sequence[str], failed: Sequence[tuple[str, str]], most: int = 3) -> list[Lesson]:
        """Return the lessons of a robot that fit best, the best one first.

        A lesson fits when the noun of one of its things, or a word of its place, is among the words, or when the same
        primitive has failed in the same way.

        Args:
            robot: name of its manifest.
            words: of the instruction, and of the steps that failed.
            failed: primitive and code of what has failed in this run so far; primitive "" for a trigger.
            most: how many are given.
        """
        some = " OR ".join(map(_term, words))
        asked = [f"({{kinds place}} : ({some}) AND {{about place}} : ({some}))"] if some else []
        asked += [f"(do : {_term(do)} AND code : {_term(code)})" if do else f"code : {_term(code)}" for do, code in failed]
        if not asked:
            return []
        found = f"SELECT {_columns('lesson.')} FROM words JOIN lesson ON lesson.id = words.rowid"
        order = "ORDER BY words.rank, lesson.seen DESC, lesson.id LIMIT ?"
        with self._opened() as db:
            rows = db.execute(
                f"{found} WHERE words MATCH ? AND lesson.robot = ? {order}", (" OR ".join(asked), plain(robot, 64), most)
            )
            return [_lesson(row) for row in rows]

    def learn(self, lessons: Sequence[Lesson]) -> list[Lesson]:
        """Keep lessons, and return them as they stand there now: a situation that is known counts up.

        A run that teaches the same again, as one that was taken over after a crash may, counts once.
        """
        if not lessons:
            return []
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                kept = [_add(db, lesson) for lesson in lessons]
                _drop(db, self._spare(db, kept))
                rows = [db.execute(f"SELECT {_columns()} FROM lesson WHERE id = ?", (one,)).fetchone() for one in kept]
            return [_lesson(row) for row in rows]

    def all(self) -> list[Lesson]:
        """Return every lesson, the one that was seen last first."""
        with self._opened() as db:
            return [_lesson(row) for row in db.execute(f"SELECT {_columns()} FROM lesson ORDER BY last_s DESC, id DESC")]

    def find(self, *numbers: str) -> list[Lesson]:
        """Return the lessons with these numbers; raises UsageError, which names the closest, where there is none."""
        known = {str(lesson.id): lesson for lesson in self.all()}
        for number in numbers:
            if number not in known:
                near = closest(number, known)
                hint = f"Did you mean {near!r}? `vlp memory list` shows them." if near else "`vlp memory list` shows them."
                raise UsageError(f"there is no lesson {number[:40]!r} in {str(self.path)[:300]!r}.", hint)
        return [known[number] for number in dict.fromkeys(numbers)]

    def forget(self, lessons: Sequence[Lesson]) -> bool:
        """Delete lessons, and return whether nothing of them is left on the disk.

        While another process reads, their text stays in the file and its log, where no lesson has it any more: until that
        process has ended and the file is opened once again.
        """
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                _drop(db, [lesson.id for lesson in lessons])
                db.execute("INSERT INTO words (words) VALUES ('rebuild')")
            busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    def _spare(self, db: sqlite3.Connection, kept: Collection[int]) -> list[int]:
        """Return the lessons beyond the bound that are worth least; none of those just kept, since every lesson begins small.

        A lesson is worth the runs that taught it, twice that where it tells of one that ended well, and half of it with every
        thirty days without another: what was seen often once and never again makes room in the end.
        """
        rows = db.execute("SELECT id, seen, solved, last_s FROM lesson").fetchall()
        now_s = max(last_s for *_, last_s in rows)
        worth = {
            one: seen * (2 if solved else 1) * 0.5 ** ((now_s - last_s) / (30 * 86400.0)) for one, seen, solved, last_s in rows
        }
        spare = sorted((one for one in worth if one not in kept), key=lambda one: (worth[one], one))
        return spare[: max(0, len(rows) - self.most)]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file, make what is missing in it, and look whether it is whole."""
        with self._in_words():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=2)) as db:
                self._check(db)
                yield db

    def _check(self, db: sqlite3.Connection) -> None:
        mark = 0x564C504C  # "VLPL"
        # In this order: tables that another process makes meanwhile come with their mark.
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        found = db.execute("PRAGMA application_id").fetchone()[0]
        if found != mark and (found or tables):
            raise self._not_ours("is something else than a store of lessons")
        if db.execute("PRAGMA user_version").fetchone()[0] > 1:
            raise self._not_ours("was written by a newer version of vlp")
        db.execute("PRAGMA secure_delete = ON")
        if found != mark:
            with contextlib.suppress(sqlite3.OperationalError):  # another process makes the same file: one of them is enough
                db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_tables(mark))
        fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise self._not_ours(f"is damaged: {fault.splitlines()[-1][:200]}")

    def _not_ours(self, why: str) -> UsageError:
        hint = "Name another file (`--lessons FILE`), or move this one aside: a new one is made, which knows nothing of it."
        return UsageError(f"{str(self.path)[:300]!r} {why}.", hint)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Raise what SQLite and the system raise as an error that names the file."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "no such module" in str(error):
                hint = "Use a Python whose SQLite has FTS5."
                raise MissingComponent("lessons need the full-text search of SQLite (FTS5), which is missing.", hint) from None
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
                raise self._not_ours(f"is no store of lessons, or a damaged one: {error}") from None
            said = f"the lessons in {str(self.path)[:300]!r} cannot be read or written: {error}."
            raise MissingComponent(said, "Free some space, or see who may write there, or has the file.") from None
        except OSError as error:
            raise cannot_write(self.path, error) from None


def _tables(mark: int) -> str:
    """Return the script that makes the tables, whole or not at all, also where two processes run it at once."""
    return f"""
        BEGIN IMMEDIATE;
        CREATE TABLE IF NOT EXISTS lesson (
            robot TEXT NOT NULL,
            "do" TEXT NOT NULL,
            about TEXT NOT NULL,
            relation TEXT NOT NULL,
            place TEXT NOT NULL,
            code TEXT NOT NULL,
            failed TEXT NOT NULL,
            worked TEXT NOT NULL,
            seen INTEGER NOT NULL,
            solved INTEGER NOT NULL,
            last_s REAL NOT NULL,
            run TEXT NOT NULL,
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            UNIQUE (robot, "do", about, relation, place, code)
        ) STRICT;
        CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(kinds, about, place, do, code, tokenize = 'porter unicode61');
        PRAGMA application_id = {mark};
        PRAGMA user_version = 1;
        COMMIT;
    """


def _add(db: sqlite3.Connection, lesson: Lesson) -> int:
    """Write a lesson, or what it adds to the one of the same situation, and return its number."""
    *values, _ = astuple(lesson)
    names = ", ".join(f'"{one.name}"' for one in fields(Lesson) if one.name != "id")
    row = db.execute(
        f"""
        INSERT INTO lesson ({names}) VALUES ({", ".join("?" * len(values))})
        ON CONFLICT (robot, "do", about, relation, place, code) DO UPDATE SET
            failed = excluded.failed,
            worked = CASE excluded.worked WHEN '' THEN lesson.worked ELSE excluded.worked END,
            seen = lesson.seen + (lesson.run <> excluded.run),
            solved = lesson.solved + (lesson.run <> excluded.run) * excluded.solved,
            last_s = max(lesson.last_s, excluded.last_s),
            run = excluded.run
        RETURNING id
        """,
        values,
    ).fetchall()
    number = int(row[0][0])
    db.execute("DELETE FROM words WHERE rowid = ?", (number,))
    indexed = (number, lesson.kinds, lesson.about, lesson.place, lesson.do, lesson.code)
    db.execute('INSERT INTO words (rowid, kinds, about, place, "do", code) VALUES (?, ?, ?, ?, ?, ?)', indexed)
    return number


def _drop(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    for table, key in (("lesson", "id"), ("words", "rowid")):
        db.executemany(f"DELETE FROM {table} WHERE {key} = ?", [(number,) for number in numbers])


def _columns(of: str = "") -> str:
    return ", ".join(f'{of}"{one.name}"' for one in fields(Lesson))


def _lesson(row: Sequence[str | int | float]) -> Lesson:
    """Return the lesson of a row; it is checked and bounded again, for the file may have been changed by another program.

    Raises:
        sqlite3.DatabaseError: a row that no lesson was written as.
    """
    bounds = {"failed": 80, "worked": 330, "about": 200, "place": 200}
    named = dict(zip((one.name for one in fields(Lesson)), row, strict=True))
    counts = [number for name in ("solved", "seen", "id") if isinstance(number := named[name], int)]
    latest_s = 1e11  # some thousand years on
    fits = len(counts) == 3 and all(0 <= number < 10**12 for number in counts) and counts[0] <= counts[1]
    fits = fits and isinstance(named["last_s"], int | float) and 0 <= named["last_s"] < latest_s
    if not fits or any(not isinstance(v, str) for n, v in named.items() if n not in ("seen", "solved", "id", "last_s")):
        raise sqlite3.DatabaseError(f"row {str(named['id'])[:40]} is no lesson")
    return Lesson(**{n: plain(v, bounds.get(n, 64)) if isinstance(v, str) else v for n, v in named.items()})  # type: ignore[arg-type]


def _term(text: str) -> str:
    """Return text as one term of a search: nothing in it is read as an operator."""
    return '"' + text.replace('"', '""') + '"'
