"""`vlp memory list|show|forget`: the lessons of earlier runs, which a model is told of with `vlp run --lessons`."""

import sys
import time
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from vlp.cli.names import LessonFile, lessons_at
from vlp.core.errors import UsageError
from vlp.core.files import nearest
from vlp.core.messages import counted
from vlp.runtime.lessons.lesson import Lesson
from vlp.runtime.lessons.store import LessonStore, own_lessons
from vlp.runtime.subscribers.terminal import printable

Number = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ID")]
Numbers = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[ID ...]")]


def list_(lessons: LessonFile = "on") -> None:
    """List the lessons that are kept, the one that was seen last first.

    "runs" counts those in which it failed so, "well" those of them that ended well.
    """
    store = _store(lessons)
    known = store.all() if store else []
    if not known:
        print("no lessons yet: `vlp run --lessons on` keeps what a run teaches")
        return
    table = Table("id", "robot", "what failed", "code", "runs", "well", "last")
    for one in known:
        row = str(one.id), one.robot, one.failed, one.code, f"{one.seen:,}", f"{one.solved:,}", _day(one)
        table.add_row(*map(printable, row))
    Console(markup=False, highlight=False).print(table)


def show(number: Number, lessons: LessonFile = "on") -> None:
    """Show one lesson: what failed and what worked, where it comes from, and the line that a model is told.

    Args:
        number: its id, as `vlp memory list` shows it.
    """
    (one,) = _some(lessons).find(number)
    rows = {
        "robot": one.robot,
        "what failed": f"{one.failed} ({one.code})",
        "about": one.about,
        "relation": one.relation,
        "place": one.place,
        "what worked": one.worked or "nothing is known to have worked",
        "seen": f"in {counted(one.seen, 'run')}, {one.solved:,} of them ended well",
        "last": f"{_day(one)}, in run {one.run}",
        "told as": one.text,
    }
    for name, text in rows.items():
        if text:
            print(f"{name:<12} {printable(text)}")


def forget(
    numbers: Numbers = (),
    all_: Annotated[bool, tyro.conf.arg(name="all")] = False,
    lessons: LessonFile = "on",
) -> int:
    """Delete lessons from the file for good.

    While another process reads the file, their text is still on the disk afterwards; the exit status is 1 then.

    Args:
        numbers: their ids, as `vlp memory list` shows them.
        all_: delete every lesson.
    """
    if bool(numbers) == all_:
        raise UsageError("say what is to be forgotten.", "Give ids, as `vlp memory list` shows them, or --all.")
    store = _some(lessons)
    gone = store.all() if all_ else store.find(*numbers)
    wiped = store.forget(gone)
    print(f"forgot {counted(len(gone), 'lesson')}")
    if not wiped:
        path = printable(str(store.path)[:300])
        told = f"another process reads {path}, so their text is still in that file, or in {path}-wal."
        print(f"vlp: {told} Once it has ended, `vlp memory list` wipes it.", file=sys.stderr)
    return int(not wiped)


def _store(lessons: str) -> LessonStore | None:
    """Return the store that an option names; None for the person's own where there is none yet.

    Raises:
        UsageError: no such file, or "off".
    """
    path = lessons_at(lessons)
    if path is None:
        raise UsageError("--lessons off names no lessons.", "Leave it out for your own, or name a file.")
    if path.exists():
        return LessonStore(path)
    if path == own_lessons():
        return None
    raise UsageError(f"no file of lessons at {str(path)[:300]!r}.", nearest(path) or "`vlp run --lessons FILE` makes one.")


def _some(lessons: str) -> LessonStore:
    """Return the store that an option names; raises UsageError where there is none."""
    if store := _store(lessons):
        return store
    raise UsageError("there are no lessons yet.", "`vlp run --lessons on` keeps what a run teaches.")


def _day(lesson: Lesson) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(lesson.last_s))
