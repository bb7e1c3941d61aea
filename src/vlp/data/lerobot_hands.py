"""The way of the hand through each episode of a LeRobotDataset v3, from the numbers of its state."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, did_you_mean
from vlp.core.messages import Instruction
from vlp.data.lerobot_cameras import FramePlace
from vlp.data.lerobot_meta import data_files, number_in, read_rows
from vlp.data.lerobot_schema import PERSISTENT
from vlp.language_actions.trajectory import HandPose


@dataclass(frozen=True)
class StateColumns:
    """Which numbers of `observation.state` tell where the hand is: their places in the vector.

    Args:
        position: x, y, z in metres.
        rotation: roll, pitch, yaw in radians; empty where they are not known, and rotation is left out.
        opening: of the gripper, any number that grows as it opens; None without a gripper.
    """

    position: tuple[int, int, int]
    rotation: tuple[int, ...] = ()
    opening: int | None = None


@dataclass(frozen=True)
class HandEpisode:
    """One episode.

    Args:
        number: as the dataset counts.
        task: its instruction.
        places: of its frames.
        poses: of the hand, one a frame.
    """

    number: int
    task: str
    places: tuple[FramePlace, ...]
    poses: tuple[HandPose, ...]


def find_columns(
    features: dict[str, Any], position: Sequence[str] = (), rotation: Sequence[str] = (), opening: str = ""
) -> StateColumns:
    """Return the columns by their names.

    Args:
        features: of `meta/info.json`.
        position, rotation, opening: names as the dataset has them; () and "" take hand_x_m ... as this package writes them,
            or x, y, z, roll, pitch, yaw and gripper as many others do; a dataset that names nothing takes numbers from 0.

    Raises:
        UsageError: no such state, or names that are not there.
    """
    names = _names(features)

    def found(wanted: Sequence[str], usual: Sequence[Sequence[str]], what: str) -> tuple[int, ...]:
        chosen = wanted or next((each for each in usual if set(each) <= set(names)), ())
        if wanted and len(wanted) != len(usual[0]):
            raise UsageError(f"--{what} has {len(wanted)} names; expected {len(usual[0])}.", "Give them in order.")
        for name in chosen:
            if name not in names:
                raise UsageError(f"observation.state has no {name[:80]!r}.", did_you_mean(name, names))
        return tuple(names.index(name) for name in chosen)

    place = found(position, (("hand_x_m", "hand_y_m", "hand_z_m"), ("x", "y", "z")), "position")
    if not place:
        said = f"observation.state does not say where the hand is; it has {', '.join(names)[:300]}."
        raise UsageError(said, "Name three of them with --position, in metres: x, y, z.")
    turn = found(rotation, (("roll", "pitch", "yaw"), ("hand_roll_rad", "hand_pitch_rad", "hand_yaw_rad")), "rotation")
    grip = found((opening,) if opening else (), (("gripper_m",), ("gripper",)), "opening")
    return StateColumns((place[0], place[1], place[2]), turn, grip[0] if grip else None)


def hand_episodes(root: Path, tasks: dict[int, str], columns: StateColumns, frames: Counter[int]) -> Iterator[HandEpisode]:
    """Yield the episodes of a dataset in order, and count their frames.

    Args:
        root: the dataset.
        tasks: its instructions by number.
        columns: where the hand is found.
        frames: counted by episode; `vlp.data.lerobot_meta.check_counts` compares them with what the dataset says.

    Raises:
        UsageError: numbers that are missing or of another length, named by episode, frame and file.
    """
    number, task, places, poses = -1, "", list[FramePlace](), list[HandPose]()
    spoken: list[tuple[float, str]] = []
    needed = ("episode_index", "frame_index", "timestamp", "task_index", "observation.state")
    for file in data_files(root):
        for i, row in read_rows(root, file, [*needed, "subtask", PERSISTENT], needed):
            where = f"{file.relative_to(root)}, row {i}"
            episode, frame, index = (
                int(number_in(row, name, where)) for name in ("episode_index", "frame_index", "task_index")
            )
            time_s = number_in(row, "timestamp", where)
            if episode != number:
                if poses:
                    yield HandEpisode(number, task, tuple(places), tuple(poses))
                if episode in frames:
                    raise UsageError(f"{where}: episode {episode} goes on after another one.", "Sort the rows by episode.")
                number, places, poses = episode, [], []
                task, spoken = _task(tasks, index, where), _spoken(row.get(PERSISTENT))
            frames[episode] += 1
            pose = _pose(row["observation.state"], columns, time_s, f"episode {episode}, frame {frame}, {where}")
            said = row.get("subtask") or next((text for since_s, text in reversed(spoken) if since_s <= time_s + 1e-4), "")
            places.append(FramePlace(file, i, episode, frame, time_s))
            poses.append(replace(pose, subtask=_sentence(said, where)))
    if poses:
        yield HandEpisode(number, task, tuple(places), tuple(poses))


def _names(features: dict[str, Any]) -> list[str]:
    """Return what the numbers of the state are called; those without names are counted."""
    feature = features.get("observation.state")
    shape = feature.get("shape") if isinstance(feature, dict) else None
    if not isinstance(feature, dict) or not isinstance(shape, list) or len(shape) != 1 or not isinstance(shape[0], int):
        raise UsageError("the dataset has no vector 'observation.state'.", "Expected the robot's state in each frame.")
    names = feature.get("names")
    if isinstance(names, dict):  # {"motors": [...]}
        names = next(iter(names.values()), None)
    if not isinstance(names, list) or len(names) != shape[0]:
        names = range(min(shape[0], 1000))
    return [str(name) for name in names]


def _task(tasks: dict[int, str], index: int, where: str) -> str:
    if index not in tasks:
        raise UsageError(f"{where}: task_index {index} is not in meta/tasks.parquet.")
    return Instruction.of(tasks[index]).text


def _sentence(said: Any, where: str) -> str:
    return Instruction.of(str(said), what=f"subtask of {where}").text if said else ""


def _spoken(rows: Any) -> list[tuple[float, str]]:
    """Return the subtasks of an episode's language rows, each with the time from which it holds."""
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    subtasks = [row for row in found if row.get("style") == "subtask"]
    return sorted((number_in({"timestamp": 0.0, **r}, "timestamp", PERSISTENT), str(r.get("content") or "")) for r in subtasks)


def _pose(state: Any, columns: StateColumns, time_s: float, where: str) -> HandPose:
    wanted = (*columns.position, *columns.rotation, *(() if columns.opening is None else (columns.opening,)))
    if not isinstance(state, list) or len(state) <= max(wanted):
        found = f"{len(state)} numbers" if isinstance(state, list) else type(state).__name__
        raise UsageError(f"{where}: observation.state is {found}; expected more than {max(wanted)}.")
    numbers = [state[i] for i in wanted]
    bad = next((value for value in numbers if not isinstance(value, int | float) or not abs(value) < 1e6), None)
    if bad is not None or None in numbers:
        raise UsageError(f"{where}: observation.state holds {str(bad)[:40]}; expected a number below 1,000,000.")
    x, y, z, *rest = map(float, numbers)
    roll, pitch, yaw = rest[:3] if columns.rotation else (0.0, 0.0, 0.0)
    return HandPose(time_s, (x, y, z), (roll, pitch, yaw), None if columns.opening is None else rest[-1])
