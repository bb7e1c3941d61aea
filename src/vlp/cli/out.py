"""The directory of a run: where it is, and that nothing in it is lost."""

import re
import time
from collections.abc import Iterable
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError

SLUG_CHARS = 40


def default_out(instruction: str) -> Path:
    """Return runs/DATE-SLUG for an instruction, with a number when that is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", instruction.lower()[:200]).strip("-")[:SLUG_CHARS].rstrip("-") or "run"
    return _free(Path("runs") / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{slug}")


def check_out(out: Path, force: bool) -> None:
    """Refuse a directory that cannot be taken; nothing is touched yet.

    Raises:
        UsageError: it is a file, or holds something and `force` is not given.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{str(out)[:300]!r} is a file.", "Choose another directory with --out.")
    if _holds_something(out) and not force:
        raise UsageError(f"{str(out)[:300]!r} is not empty.", "Choose another --out, or move it aside with --force.")


def take_out(out: Path, force: bool) -> Path | None:
    """Make the directory; what stood there is moved aside, and where to is returned."""
    check_out(out, force)
    aside = None
    try:
        if _holds_something(out):
            aside = _free(out.with_name(f"{out.name}-before"))
            out.rename(aside)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingComponent(f"cannot make {str(out)[:300]!r}: {error.strerror}.") from None
    return aside


def keep_aside(out: Path, names: Iterable[str]) -> None:
    """Rename files of an earlier part of a run, such as its film, before the next part writes its own."""
    for name in names:
        file = out / name
        if file.is_file():
            file.rename(_free(file.with_stem(f"{file.stem}-before")))


def _holds_something(out: Path) -> bool:
    return out.is_dir() and any(out.iterdir())


def _free(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found
