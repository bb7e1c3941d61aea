"""The files of a LeRobotDataset v3 on disk: found inside its folder, whole, and in agreement with one another."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.images import is_pointer
from vlp.data.lerobot_schema import DATA_PATH, parquet

FETCH = "Fetch the dataset again, whole."


def read_info(root: Path) -> dict[str, Any]:
    """Return `fps`, `features` and the counts of `meta/info.json`; raises UsageError for anything but a v3 dataset."""
    path = whole_file(root, "meta/info.json")
    if path.stat().st_size > 4 << 20:
        raise UsageError(f"meta/info.json is larger than {4 << 20:,} bytes.")
    try:
        info = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"meta/info.json cannot be read: {str(error)[:120]}.") from None
    for key in ("codebase_version", "fps", "features"):
        if not isinstance(info, dict) or info.get(key) is None:
            raise UsageError(f"meta/info.json has no {key!r}.", "Is it the info.json of a LeRobotDataset v3?")
    version, rate, features = str(info["codebase_version"]), info["fps"], info["features"]
    if not version.startswith("v3"):
        raise UsageError(f"this is a LeRobotDataset {version[:20]}; v3 is read.", "Convert it with LeRobot's own script.")
    if not isinstance(rate, int | float) or not 0 < rate <= 1000:
        raise UsageError(f"meta/info.json: found {str(rate)[:40]} frames per second; expected 0 to 1000.")
    if not isinstance(features, dict):
        raise UsageError("meta/info.json: 'features' is no object.", "Expected the features by name.")
    return {"fps": float(rate), "features": features} | {k: info.get(k) for k in ("total_episodes", "total_frames")}


def read_tasks(root: Path) -> dict[int, str]:
    """Return the tasks by number; raises UsageError where they cannot be read."""
    name = "meta/tasks.parquet"
    found: dict[int, str] = {}
    for number, row in read_rows(root, whole_file(root, name), ["task_index", "task", "__index_level_0__"]):
        if number >= 1_000_000:
            raise UsageError(f"{name} has more than 1,000,000 tasks.")
        index, words = row.get("task_index"), row.get("task", row.get("__index_level_0__"))
        if not isinstance(index, int) or not isinstance(words, str):
            raise UsageError(f"{name} does not hold the tasks: expected columns task_index and task, row {number}.")
        found[index] = words
    return found


def data_files(root: Path) -> list[Path]:
    """Return the data files in order, each looked at from outside; raises UsageError when there are none, or too many."""
    found = sorted((root / "data").glob("chunk-*/file-*.parquet"))
    if not found or len(found) > 10_000:
        hint = f"Expected data/chunk-000/file-000.parquet. {FETCH}"
        raise UsageError(f"{str(root)[:300]!r} has {len(found)} data files; expected 1 to 10,000.", hint)
    return [whole_file(root, str(file.relative_to(root))) for file in found]


def episode_files(root: Path) -> list[Path]:
    """Return the files that say what each episode is; none in an older dataset."""
    found = sorted((root / "meta" / "episodes").glob("chunk-*/file-*.parquet"))[:10_000]
    return [whole_file(root, str(file.relative_to(root))) for file in found]


def whole_file(root: Path, name: str, who: str = "") -> Path:
    """Return a file of the dataset that is there, not empty, and no pointer to one.

    Args:
        root: the dataset.
        name: relative to it.
        who: which episode needs it, e.g. "episode 3".

    Raises:
        UsageError: otherwise, with its name and what would help.
    """
    said = f"{who}: {name}" if who else name
    path = root / name
    try:
        if not path.is_file():
            raise UsageError(f"{said} is missing.", FETCH)
        if not path.resolve().is_relative_to(root.resolve()):
            raise UsageError(f"{said} is a link out of the folder.", "Copy the dataset with its links followed: cp -rL.")
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise UsageError(f"{said} cannot be read: {error.strerror}.") from None
    if not head:
        raise UsageError(f"{said} is empty (0 bytes).", FETCH)
    if is_pointer(head):
        raise UsageError(f"{said} is a pointer of git-lfs, not the file itself.", "Fetch it with: git lfs pull")
    return path


def read_rows(root: Path, file: Path, columns: list[str], needed: tuple[str, ...] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number, cells) of those columns that a parquet file has.

    Raises:
        UsageError: it cannot be read, or lacks a column that is needed.
    """
    pq, name = parquet(), file.relative_to(root)
    try:
        source = pq.ParquetFile(file)
        names = source.schema_arrow.names
        missing = next((column for column in needed if column not in names), "")
        if missing:
            raise UsageError(f"{name} has no column {missing!r}.", "Is it of a LeRobotDataset v3?")
        number = 0
        for batch in source.iter_batches(batch_size=64, columns=[column for column in columns if column in names]):
            for row in batch.to_pylist():
                yield number, row
                number += 1
    except UsageError:
        raise
    except Exception as error:  # readers of parquet raise whatever damaged bytes lead them to
        raise UsageError(f"{name} cannot be read: {str(error)[:120] or type(error).__name__}.", FETCH) from None


def number_in(row: dict[str, Any], column: str, where: str) -> float:
    """Return a number that must be in a row; raises UsageError for null, text, or one out of bounds."""
    value = row.get(column)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise UsageError(f"{where}: {column!r} is {'null' if value is None else repr(value)[:40]}; expected a number.")
    if not 0 <= value <= 100_000_000:
        raise UsageError(f"{where}: {column!r} is {value:g}; expected 0 to 100,000,000.")
    return value


def check_counts(root: Path, info: dict[str, Any], frames: Counter[int]) -> None:
    """Refuse a dataset in which the frames that are there are not those that its meta files speak of.

    Args:
        root: the dataset.
        info: what `read_info` returned.
        frames: how many rows the data files hold, by episode.

    Raises:
        UsageError: names the episode and the file.
    """
    places = ("data/chunk_index", "data/file_index")
    for file in episode_files(root):
        name = file.relative_to(root)
        for _, row in read_rows(root, file, ["episode_index", "length", *places], ("episode_index",)):
            episode = int(number_in(row, "episode_index", str(name)))
            if all(place in row for place in places):
                chunk, part = (int(number_in(row, place, f"episode {episode}, {name}")) for place in places)
                whole_file(root, DATA_PATH.format(chunk_index=chunk, file_index=part), f"episode {episode}")
            if "length" in row and (length := int(number_in(row, "length", f"episode {episode}, {name}"))) != frames[episode]:
                said = f"episode {episode}: {name} says {length:,} frames; the data files hold {frames[episode]:,}."
                raise UsageError(said, FETCH)
    for key, found in (("total_episodes", len(frames)), ("total_frames", frames.total())):
        if isinstance(info[key], int) and info[key] != found:
            said = f"meta/info.json says {info[key]:,} {key.removeprefix('total_')}; the data files hold {found:,}."
            raise UsageError(said, f"Is a file of data/ missing? {FETCH}")
