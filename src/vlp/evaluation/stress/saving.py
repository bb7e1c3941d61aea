"""Kill whoever saves at each of its file operations, and let the disk be full at each page: what was there before is whole.

    python -m vlp.evaluation.stress.saving --n 2000 --out runs/saving

Each case saves in a process of its own, on a small file system in memory (mounted in a name space of its own, which `unshare`
makes). A full disk is real: all but some pages are taken. A kill is SIGKILL before a write, a rename, a sync or a removal,
or in the middle of a write. Then the old state or the new one is there, and saving again makes the new one.
"""

import builtins
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, VlpError
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.saved import SAVED, Saved


class Killer:
    """Kills this process at the n-th file operation, counted from 1; a write is half done by then.

    Args:
        nth: which one.
    """

    def __init__(self, nth: int) -> None:
        self.left = nth
        opened: Any = io.open
        for name in ("replace", "rename", "fsync", "mkdir", "unlink", "rmdir", "ftruncate"):
            setattr(os, name, self._counted(getattr(os, name)))
        builtins.open = io.open = lambda *words, **named: _Written(opened(*words, **named), self)  # pyright: ignore
        shutil.copyfile = self._cut(shutil.copyfile, 1)
        for module, name in (("safetensors.torch", "serialize_file"), ("pyarrow.parquet", "write_table")):
            if loaded := sys.modules.get(module):  # only what is loaded can write here
                setattr(loaded, name, self._cut(getattr(loaded, name), 1))

    def ask(self, half: Callable[[], object] = lambda: None) -> None:
        """Count an operation, and do half of it and die when it is the one."""
        self.left -= 1
        if self.left == 0:
            half()
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **named: Any) -> Any:
            self.ask()
            return operation(*words, **named)

        return counted

    def _cut(self, write: Callable[..., Any], path: int) -> Callable[..., Any]:
        """Return a function that writes a file, by its argument of that number, in two halves."""

        def cut(*words: Any, **named: Any) -> Any:
            def half() -> None:
                write(*words, **named)
                os.truncate(words[path], os.path.getsize(words[path]) // 2)

            self.ask(half)
            return write(*words, **named)

        return cut


class _Written:
    """A file whose writes are counted."""

    def __init__(self, file: Any, killer: Killer) -> None:
        self._file, self._killer = file, killer

    def write(self, data: Any) -> Any:
        self._killer.ask(lambda: (self._file.write(data[: len(data) // 2]), self._file.flush()))
        return self._file.write(data)

    def __enter__(self) -> "_Written":
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@dataclass
class Disk:
    """A small file system.

    Args:
        root: where it is mounted.
    """

    root: Path

    def fill(self, pages: int) -> None:
        """Leave so many pages free."""
        there = os.statvfs(self.root)
        with open(self.root / "filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, (there.f_bavail - pages) * there.f_frsize))

    def free(self) -> None:
        """Give the space back."""
        (self.root / "filler").unlink(missing_ok=True)

    @property
    def pages(self) -> int:
        """How many are free."""
        return os.statvfs(self.root).f_bavail


def _saved(saved: Saved, folder: Path, nth: int = 0) -> tuple[str, str]:
    """Save in a process of its own; return "killed", "done", "refused" or "wrong", and what was said."""
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        word = "done"
        try:
            if nth:
                Killer(nth)
            saved.save(folder)
        except VlpError as error:
            word = f"refused {error}"
        except BaseException as error:  # a traceback is what is looked for, whatever it is
            word = f"wrong {type(error).__name__}: {error}"
        os.write(far, word[:4000].encode())
        os._exit(0)
    os.close(far)
    with os.fdopen(near, "rb") as said:
        word, _, text = said.read().decode().partition(" ")
    os.waitpid(child, 0)
    return word or "killed", text


def _fault(saved: Saved, folder: Path, word: str, text: str, old: Any, new: Any, full: bool) -> str:
    """Return what is not as promised after a save that met a kill or a full disk, "" for nothing."""
    if word == "wrong":
        return f"ended as {text}"
    if word == "refused" and ("\n" in text or not (full and ("space" in text or "full" in text.lower()))):
        return f"said {text}"
    try:
        state = saved.read(folder)
    except Exception as error:
        return f"cannot be read after it was {word}: {type(error).__name__}: {error}"
    if not (state == new if word == "done" else saved.whole(old, new, state)):
        return f"was {word} and left {str(state)[:200]}"
    again, text = _saved(saved, folder)
    if again != "done" or saved.read(folder) != new:
        return f"saved again after it was {word}, it is {again}: {text or str(saved.read(folder))[:200]}"
    left = [str(path.relative_to(folder)) for path in folder.rglob("*") if ".part" in path.name]
    return f"left {left[0]}" if left else ""


def save_all(n: int, seed: int, disk: Disk, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Save each kind of thing again and again, and return counts and faults.

    Args:
        n: cases at most; each kind has an equal share.
        seed: of the moments, where there are more than a kind's share.
        disk: where.
        only: kinds; () for all.
    """
    rng, counts, faults = random.Random(seed), Counter[str](), list[str]()
    kinds = {name: make for name, make in SAVED.items() if not only or name in only}
    for name, make in kinds.items():
        saved, start, folder = make(), disk.root / "start", disk.root / "case"
        shutil.rmtree(start, ignore_errors=True)
        start.mkdir()
        saved.before(start)
        old = saved.read(start)
        before = disk.pages
        _fresh(start, folder)
        copied = disk.pages
        if (made := _saved(saved, folder))[0] != "done":
            raise UsageError(f"{name} cannot be saved at all: {made}")
        new, most = saved.read(folder), 2 * (before - copied + abs(copied - disk.pages)) + 4
        operations = _operations(saved, start, folder)
        cases = [("kill", nth) for nth in range(1, operations + 1)] + [("full", pages) for pages in range(most)]
        for what, at in rng.sample(cases, min(len(cases), n // len(kinds))):
            _fresh(start, folder)
            if what == "full":
                disk.fill(at)
            word, text = _saved(saved, folder, at if what == "kill" else 0)
            disk.free()
            counts[f"{name}: {what}: {word}"] += 1
            if fault := _fault(saved, folder, word, text, old, new, what == "full"):
                faults.append(f"{name}: {what} at {at}: {fault}"[:500])
    return {"n": sum(counts.values()), "seed": seed, "counts": dict(sorted(counts.items())), "faults": faults}


def _fresh(start: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)


def _operations(saved: Saved, start: Path, folder: Path) -> int:
    """Return how many file operations a save is."""
    low, high = 0, 1
    while True:
        _fresh(start, folder)
        if _saved(saved, folder, high)[0] != "killed":
            break
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        _fresh(start, folder)
        low, high = (middle, high) if _saved(saved, folder, middle)[0] == "killed" else (low, middle)
    return low


def on_small_disk(n: int, seed: int, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run `save_all` on a file system of its own; raises UsageError where this system lets nobody mount one."""
    with tempfile.TemporaryDirectory() as folder:
        disk, result = Path(folder) / "disk", Path(folder) / "summary.json"
        disk.mkdir()
        here = [
            sys.executable,
            "-m",
            "vlp.evaluation.stress.saving",
            "--inside",
            str(disk),
            str(result),
            str(n),
            str(seed),
            *only,
        ]
        mount = 'mount -t tmpfs -o size=200m none "$0" && exec "$@"'
        done = subprocess.run(["unshare", "-rm", "sh", "-c", mount, str(disk), *here], stderr=subprocess.PIPE, text=True)
        if not result.is_file():
            raise UsageError(f"no small disk could be made, or not written to: {done.stderr.strip()[-300:]}")
        return json.loads(result.read_text())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        _, _, where, file, cases, number, *kinds = sys.argv
        Path(file).write_text(json.dumps(save_all(int(cases), int(number), Disk(Path(where)), tuple(kinds))))
    else:
        sys.exit(stress_command("saving", __doc__, on_small_disk))
