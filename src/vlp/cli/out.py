"""The directory of a run, where nothing is lost; and its standard output, which may be lost without harm to the run."""

import contextlib
import fcntl
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.files import cannot_write, check_writable, free, holder

SLUG_CHARS = 40


def default_out(instruction: str) -> Path:
    """Return runs/DATE-SLUG for an instruction, with a number when that is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", instruction.lower()[:200]).strip("-")[:SLUG_CHARS].rstrip("-") or "run"
    return free(Path("runs") / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{slug}")


def check_out(out: Path, force: bool) -> None:
    """Refuse a directory that cannot be taken; nothing is touched yet.

    Raises:
        UsageError: it is a file, belongs to a run that goes on, or holds something and `force` is not given.
        MissingComponent: nothing can be written there.
    """
    try:
        taken = out.exists() and not out.is_dir()
    except OSError as error:  # a name that is too long
        raise cannot_write(out, error) from None
    if taken:
        raise UsageError(f"{str(out)[:300]!r} is a file.", "Choose another directory with --out.")
    if out.is_dir():
        with held(out):
            pass
    check_writable(out.parent if _holds_something(out) and force else out)
    if _holds_something(out) and not force:
        raise UsageError(f"{str(out)[:300]!r} is not empty.", "Choose another --out, or move it aside with --force.")


def take_out(out: Path, force: bool, until: contextlib.ExitStack) -> Path | None:
    """Make the directory and keep other runs out of it; what stood there is moved aside, and where to is returned.

    Args:
        out: the directory.
        force: whether what stands there may be moved aside.
        until: the directory is ours until this is closed, or the process ends.

    Raises:
        UsageError, MissingComponent: as `check_out` does.
    """
    check_out(out, force)
    aside = None
    try:
        if _holds_something(out):
            with held(out):
                aside = free(out.with_name(f"{out.name}-before"))
                out.rename(aside)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from None
    until.enter_context(held(out))
    return aside


@contextlib.contextmanager
def held(out: Path) -> Iterator[None]:
    """Keep a run's directory for this process; the system lets it go when the process dies, however it does.

    Raises:
        UsageError: another process has it.
        MissingComponent: it cannot be opened.
    """
    try:
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_write(out, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = f"a run goes on in {str(out)[:300]!r}: {holder(out)} has it."
            raise UsageError(said, "Wait for it to end or stop it, or choose another directory.") from None
        except OSError:  # a file system without locks; the journal's own lock still keeps two writers apart
            pass
        yield
    finally:
        os.close(descriptor)


def keep_aside(out: Path, names: Iterable[str]) -> None:
    """Rename files of an earlier part of a run, such as its film, before the next part writes its own."""
    for name in names:
        file = out / name
        try:
            if file.is_file():
                file.rename(free(file.with_stem(f"{file.stem}-before")))
        except OSError as error:
            raise cannot_write(file, error) from None


class _Output:
    """A text stream whose loss does not end a run: what cannot be written, as to a reader that is gone, is dropped with a note.

    Args:
        stream: standard output or standard error.
    """

    def __init__(self, stream: Any) -> None:
        self._stream, self._lost = stream, False

    def write(self, text: str) -> int:
        """Write what can be written."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, work: Callable[[], object]) -> None:
        if self._lost:
            return
        try:
            work()
        except OSError as error:
            self._lost = True
            drop(self._stream)
            if self._stream is not sys.__stderr__:
                print(f"vlp: note: nothing more is shown: {error.strerror}; the run goes on.", file=sys.stderr, flush=True)


def drop(stream: Any) -> None:
    """Let go what a stream still holds, and whatever more is written to it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def surviving_output() -> Iterator[None]:
    """Let nothing that becomes of standard output and error end what is done meanwhile."""
    with contextlib.redirect_stderr(_Output(sys.stderr)), contextlib.redirect_stdout(_Output(sys.stdout)):
        yield


def _holds_something(out: Path) -> bool:
    return out.is_dir() and any(out.iterdir())
