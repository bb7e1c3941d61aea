"""What a robot's server must not forget when it dies: the latch, the last epoch, and every key that it took on."""

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.files import cannot_write, holder, state_folder
from vlp.robot.protocol import Step, StepResult, in_words, is_own, plain


def default_path(robot: str) -> Path:
    """Return where the record of a robot, "module:Class", is: below XDG_STATE_HOME, by default ~/.local/state.

    The latch is the robot's, whatever port it is served on.
    """
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in robot)[:80]
    return state_folder() / "robots" / f"{name}.db"


@contextlib.contextmanager
def held_here(name: str, robot: Any) -> Iterator[None]:
    """Hold a robot of one's own while this process moves it itself, as a server of it would.

    Args:
        name: "module:Class"; of any other nothing is held.
        robot: the robot. One that exists in its program alone (`simulated`) is another one in each process.

    Raises:
        UsageError: another process has it, or it is latched.
        MissingComponent: its record cannot be written.
    """
    path, here = default_path(name), is_own(name)
    while here and robot is not None:
        here, robot = not getattr(robot, "simulated", ()), getattr(robot, "robot", None)
    with contextlib.closing(Record(path)) if here else contextlib.nullcontext() as record:
        if record and record.stop_reason:
            hint = f"A person who has looked at it serves it (`vlp robot serve --robot {name}`), and then: `vlp robot reset`."
            raise UsageError(f"{name} is latched: {record.stop_reason}.", hint)
        yield


@dataclass(frozen=True)
class Taken:
    """One key that was taken on.

    Args:
        id: of its execution.
        holder: who sent it.
        step: as it was sent.
        result: how it ended; None while nobody knows.
    """

    id: str
    holder: str
    step: Step
    result: StepResult | None


class Record:
    """A small SQLite file, written before the robot moves; one server at a time has it.

    Args:
        path: the file, made when it is not there; None keeps all in memory, which forgets when the process ends.

    Raises:
        UsageError: another server has it, or it is no record, or a damaged one; by every method, where that shows later.
        MissingComponent: it cannot be read or written; also by every method.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        with contextlib.ExitStack() as opened:
            try:
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    opened.callback(os.close, _hold(path))
            except OSError as error:
                raise cannot_write(path or Path(), error) from None
            with self._told():
                self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=5)
                opened.callback(self._db.close)
                self._db.text_factory = bytes.decode
                self._open()
            self._opened = opened.pop_all()

    def _open(self) -> None:
        """Make the tables where there are none, and check that what is there is whole."""
        for sql in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS taken "
            "(n INTEGER PRIMARY KEY, key TEXT UNIQUE, id TEXT UNIQUE, holder TEXT, step TEXT, result TEXT) STRICT",
        ):
            self._db.execute(sql)
        fault = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise ValueError(fault.splitlines()[-1][:200])
        state = dict(self._db.execute("SELECT name, value FROM state"))
        epoch, reason = state.get("epoch", 0), state.get("stop_reason", "")
        if not isinstance(epoch, int) or not 0 <= epoch < 2**53:
            raise ValueError(f"its epoch is {in_words(epoch)}")
        if not isinstance(reason, str):
            raise ValueError(f"its reason for a stop is {in_words(reason)}")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what the database raises as an error that names the file."""
        file = repr(str(self.path)[:300])
        try:
            yield
        except sqlite3.OperationalError as error:  # the disk is full or read-only, or somebody else has the file
            said = f"the record of the robot's server, {file}, cannot be read or written: {error}."
            raise MissingComponent(said, "Free some space, or see who may write there.") from None
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise UsageError(
                f"{file} is no record of a robot's server, or a damaged one: {error}.",
                "A stop that it keeps is lost with it, and a new record does not know of it: look at the robot, and move the"
                " file aside only when the robot may move.",
            ) from None

    # The latch.

    @property
    def stop_reason(self) -> str:
        """Why the robot is stopped; "" when the latch is open."""
        return str(self._get("stop_reason") or "")

    def keep_stop(self, reason: str) -> None:
        """Write that the latch is closed, with its reason, or open ("")."""
        self._set("stop_reason", reason)

    # Epochs.

    def next_epoch(self) -> int:
        """Return an epoch higher than every one before, also after a restart.

        It is at least the wall clock's milliseconds, so that a record that was lost repeats none; a clock that was set back
        changes nothing while the record is there.
        """
        with self._lock, self._told():
            row = self._db.execute("SELECT value FROM state WHERE name = 'epoch'").fetchone()
            epoch = max((row[0] if row else 0) + 1, int(time.time() * 1000))
            self._db.execute("INSERT OR REPLACE INTO state VALUES ('epoch', ?)", (epoch,))
        return epoch

    # Keys.

    def take(self, id: str, holder: str, step: Step) -> None:
        """Write that a step was taken on; before anything moves.

        Raises:
            MissingComponent: it could not be written, so the step may not be carried out.
        """
        data = json.dumps(plain(asdict(step)), separators=(",", ":"))
        with self._lock, self._told():
            self._db.execute("INSERT INTO taken (key, id, holder, step) VALUES (?, ?, ?, ?)", (step.key, id, holder, data))

    def finish(self, id: str, result: StepResult) -> None:
        """Write how a step ended."""
        data = json.dumps(plain(asdict(result)), separators=(",", ":"))
        with self._lock, self._told():
            self._db.execute("UPDATE taken SET result = ? WHERE id = ?", (data, id))

    def find(self, *, key: str = "", id: str = "") -> Taken | None:
        """Return what was taken on under a key or an id, None when nothing was."""
        column, value = ("key", key) if key else ("id", id)
        with self._lock, self._told():
            row = self._db.execute(f"SELECT id, holder, step, result FROM taken WHERE {column} = ?", (value,)).fetchone()
            if row is None:
                return None
            found, holder_, step, result = row
            return Taken(found, holder_, Step(**json.loads(step)), StepResult(**json.loads(result)) if result else None)

    def close(self) -> None:
        """Close the file and let it go."""
        with self._lock:
            self._opened.close()

    def _get(self, name: str) -> object:
        with self._lock, self._told():
            row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set(self, name: str, value: object) -> None:
        with self._lock, self._told():
            self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))


def _hold(path: Path) -> int:
    """Take the lock of a record; the system drops it when this process dies."""
    lock = path.with_suffix(".lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            f"{holder(lock)} has this robot already, with {str(path)!r}.",
            "Command it there (--robot URL) if it serves the robot, else end it. A second robot of this kind is served with a"
            " record of its own, --record PATH.",
        ) from None
    return descriptor
