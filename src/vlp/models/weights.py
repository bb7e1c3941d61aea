"""Safetensors files are checked against themselves: the header's sizes, offsets and types must fit the file exactly."""

import json
import math
from pathlib import Path
from typing import Any, TypeGuard

from vlp.core.errors import UsageError


def check_weights(folder: Path, only: str | None = None) -> int:
    """Check every weight file of a folder.

    Args:
        folder: the model or adapter folder.
        only: the one file that is expected; None for `model.safetensors` or shards with an index.

    Returns:
        how many numbers the weights have in all.

    Raises:
        UsageError: no weights, a file or index that lies, or weights beside those expected, which other programs would load.
    """
    index = folder / "model.safetensors.index.json"
    single = folder / (only or "model.safetensors")
    if single.is_file():
        _no_others(folder, {single.name})
        if index.is_file():
            raise UsageError(f"{folder.name!r} has both {single.name!r} and {index.name!r}.", "Keep one of them.")
        return sum(_header(single).values())
    if only is not None or not index.is_file():
        raise UsageError(f"{folder.name!r} has no weights.", f"Expected {single.name}.")
    shards: dict[str, dict[str, int]] = {}
    there = {file.name for file in folder.iterdir() if file.is_file()}  # asked so, no name is too long for the system
    for tensor, file in _index(index).items():
        if not isinstance(file, str) or file not in there:
            raise UsageError(f"the index of {folder.name!r} names a weight file that is not there: {str(file)[:80]!r}.")
        if file not in shards:
            shards[file] = _header(folder / file)
        if tensor not in shards[file]:
            raise UsageError(f"the index of {folder.name!r} places {tensor[:80]!r} in {file!r}, which has no such tensor.")
    _no_others(folder, set(shards))
    return sum(sum(sizes.values()) for sizes in shards.values())


def _no_others(folder: Path, known: set[str]) -> None:
    others = sorted({file.name for file in folder.glob("*.safetensors")} - known)
    if others:
        raise UsageError(f"{folder.name!r} has weights that nothing names: {others[0][:80]!r}.", "Remove them.")


def _index(file: Path) -> dict[str, Any]:
    if file.stat().st_size > (most_bytes := 64 * 1024 * 1024):
        raise UsageError(f"{file.name!r} is larger than {most_bytes:,} bytes.")
    entries = _object(file.read_bytes(), file).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise UsageError(f"{file.name!r} has no weight_map.")
    return entries


def _header(file: Path) -> dict[str, int]:
    """Return the number of elements by tensor, or raise a UsageError for the first thing that does not fit."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 10 or not 2 <= length <= min(size - 8, 64 * 1024 * 1024):
            raise _lies(file, f"a header of {length:,} bytes in a file of {size:,}")
        entries = _object(stream.read(length), file)
    entries.pop("__metadata__", None)
    if not entries or len(entries) > 100_000:
        raise _lies(file, f"{len(entries):,} tensors")
    spans, counts = [], {}
    for name, entry in entries.items():
        begin, end, count = _entry(file, name, entry)
        spans.append((begin, end, name))
        counts[name] = count
    at = 0
    for begin, end, name in sorted(spans):
        if begin != at:
            raise _lies(file, f"{name[:80]!r} begins at {begin:,} where {at:,} was expected")
        at = end
    if at != size - 8 - length:
        raise _lies(file, f"{at:,} bytes of tensors where the file has {size - 8 - length:,}")
    return counts


def _entry(file: Path, name: str, entry: Any) -> tuple[int, int, int]:
    if not isinstance(entry, dict):
        raise _lies(file, f"an entry {name[:80]!r} that is not an object")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    item_bytes = {"F32": 4, "F16": 2, "BF16": 2}
    if dtype not in item_bytes:
        raise _lies(file, f"{name[:80]!r} of type {str(dtype)[:20]!r}; expected one of {', '.join(item_bytes)}")
    if not _whole(shape, 8) or not _whole(offsets, 2) or len(offsets) != 2:
        raise _lies(file, f"{name[:80]!r} without a plain shape and offsets")
    count = math.prod(shape)
    if offsets[1] - offsets[0] != count * item_bytes[dtype]:
        raise _lies(file, f"{name[:80]!r} with {count:,} numbers in {offsets[1] - offsets[0]:,} bytes")
    return offsets[0], offsets[1], count


def _whole(values: Any, most: int) -> TypeGuard[list[int]]:
    if not isinstance(values, list) or len(values) > most:
        return False
    return all(type(value) is int and 0 <= value < 2**37 for value in values)


def _object(data: bytes, file: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands there twice")
        return found

    try:
        parsed = json.loads(data, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise _lies(file, f"no JSON: {str(error)[:80]}") from None
    if not isinstance(parsed, dict):
        raise _lies(file, "no object")
    return parsed


def _lies(file: Path, what: str) -> UsageError:
    return UsageError(f"the header of {file.name!r} cannot be right: it has {what}.", "Fetch the file again.")
