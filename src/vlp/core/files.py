"""Files: whole or not there, what to do when one cannot be written, where state is kept, who holds one, which one was meant."""

import contextlib
import errno
import os
from pathlib import Path

from vlp.core.errors import MissingComponent, closest


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file by way of a temporary one beside it; what was there before stays until the new one is complete.

    Raises:
        MissingComponent: it could not be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise cannot_write(path, error) from None


def state_folder() -> Path:
    """Return where is kept what outlives a command: below XDG_STATE_HOME, by default ~/.local/state."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "vlp"


def cannot_write(path: Path, error: OSError) -> MissingComponent:
    """Return the error for a file or folder that could not be written."""
    remedies = {
        errno.ENOSPC: "Free some space on that disk.",
        errno.EDQUOT: "Free some space: your quota is used up.",
        errno.EFBIG: "Let files grow larger there (`ulimit -f`).",
        errno.EROFS: "Choose a place that can be written to.",
        errno.EACCES: "Choose a place that you may write to.",
        errno.EPERM: "Choose a place that you may write to.",
    }
    why = error.strerror or str(error)
    return MissingComponent(f"cannot write {str(path)[:300]!r}: {why}.", remedies.get(error.errno or 0, ""))


def check_writable(folder: Path) -> None:
    """Raise MissingComponent when nothing can be written in a folder, or where it would be made; nothing is touched."""
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.is_dir() and not os.access(there, os.W_OK | os.X_OK):
        # Asked so, root is told of a file system that is read-only too.
        which = "it" if there == folder.absolute() else repr(str(there)[:300])
        raise cannot_write(folder, OSError(errno.EROFS, f"{which} is read-only for you"))


def holder(*paths: Path) -> str:
    """Return the process that has a lock on one of some files, in words; "another process" where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        inodes = {str(path.stat().st_ino) for path in paths if path.exists()}
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] != "->" and words[5].rpartition(":")[2] in inodes and int(words[4]) > 0:
                name = Path(f"/proc/{words[4]}/comm").read_text().strip()
                return f"process {words[4]} ({name[:40]})"
    return "another process"


def free(path: Path) -> Path:
    """Return a path where nothing is: the one given, or with a number behind its stem."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def nearest(path: str | Path) -> str:
    """Return the hint that names the existing path nearest in spelling to one that does not exist; "" where none is near."""
    given = Path(path)
    found = Path(given.anchor)
    with contextlib.suppress(OSError, ValueError):  # a folder that cannot be read, a name that no file system takes
        for part in given.relative_to(found).parts:
            here = found / part
            near = part if here.exists() else closest(part, os.listdir(found))
            if near is None:
                return ""
            found /= near
        return "" if found == given else f"Did you mean {str(found)!r}?"
    return ""
