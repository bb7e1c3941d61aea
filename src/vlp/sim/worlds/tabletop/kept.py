"""Frames drawn before, kept in the user's cache: evaluating a second model draws nothing.

A file is named after what its frame follows from: the seed, every file of `vlp.sim`, the libraries that compute and draw,
and the variables that choose how. It begins with a digest of the rest; one that does not agree with it is drawn anew.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vlp.core.images import decode_image, encode_png
from vlp.sim import opengl
from vlp.sim.worlds.tabletop.frames import Frame, FrameObject, render_frame


def kept_frame(seed: int) -> Frame:
    """Return `render_frame(seed)`, from the cache where it is there; a folder that cannot be written keeps nothing."""
    folder = _folder()
    file = folder / hashlib.sha256(f"{_made_by()} {seed}".encode()).hexdigest()[:32]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return _read(file.read_bytes())
    frame = render_frame(seed)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _write(file, frame)
    return frame


def _folder() -> Path:
    """Return where frames are kept: below XDG_CACHE_HOME, by default ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "vlp" / "frames"


@functools.cache
def _made_by() -> str:
    """Return a digest of all that a frame follows from besides its seed."""
    root = Path(opengl.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".toml", ".json"))
    digest = hashlib.sha256()
    for path in files:
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(data)}\n".encode() + data)
    libraries = [f"{name} {version(name)}" for name in ("mujoco", "numpy", "pillow")]
    digest.update(json.dumps([libraries, platform.machine(), sorted(opengl.GIVEN.items())]).encode())
    return digest.hexdigest()


def _read(data: bytes) -> Frame:
    """Return the frame in a file's bytes; raises ValueError, KeyError or TypeError when they are not whole."""
    digest, body = data[:32], data[32:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("a kept frame is damaged")
    labels, _, png = body.partition(b"\n")
    said: dict[str, Any] = json.loads(labels)
    objects = tuple(FrameObject(**_tuples({k: v for k, v in row.items() if k != "phrase"})) for row in said.pop("objects"))
    rgb = decode_image(png)
    rgb.flags.writeable = False
    return Frame(rgb=rgb, objects=objects, **_tuples(said))


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def _write(file: Path, frame: Frame) -> None:
    """Write a file whole or not at all, whoever else writes it."""
    body = json.dumps(frame.labels()).encode() + b"\n" + encode_png(frame.rgb)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".part-", delete=False) as part:
        part.write(hashlib.sha256(body).digest() + body)
    os.replace(part.name, file)
    trim(file.parent)


def trim(folder: Path, most_bytes: int = 512 * 2**20) -> None:
    """Remove the oldest files of a folder until the rest is no larger than that, by default some 11,000 frames."""
    found = sorted((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
    over = sum(size for _, size, _ in found) - most_bytes
    for _, size, path in found:
        if over <= 0:
            break
        Path(path).unlink(missing_ok=True)  # another process may have been faster
        over -= size
