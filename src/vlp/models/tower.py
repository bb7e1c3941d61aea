"""The digest of a vision tower: equal numbers give an equal digest, whatever file they lie in and whatever type they have."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from vlp.core.errors import UsageError
from vlp.models.numpy_parts import widened


def tower_digest(folder: Path) -> str:
    """Return the digest of the vision tower of a checked model folder, in 12 digits; raises UsageError when it has none."""
    found = dict(_tower(folder))
    if not found:
        raise UsageError(f"{folder.name!r} has no vision tower.", "Expected tensors named visual.*.")
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + found[name])
    return digest.hexdigest()[:12]


def _tower(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and numbers, as 32 bits each, of every tensor of the tower."""
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
            for name, entry in header.items():
                prefix = next((p for p in ("model.visual.", "visual.") if name.startswith(p)), "")
                if prefix:
                    begin, end = entry["data_offsets"]
                    stream.seek(8 + length + begin)
                    yield name.removeprefix(prefix), widened(stream.read(end - begin), entry["dtype"]).tobytes()
