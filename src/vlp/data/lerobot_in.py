"""A LeRobotDataset v3 to samples: one for every moment at which a new plan begins.

The plan is read from this package's own sample column, from language rows of the style "plan", or from a text column
`plan`; it must be a policy of the robot. Files are found by pattern, never by a path that the dataset names.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.core.observation import RobotState
from vlp.data.lerobot_cameras import FramePlace, choose_camera, pictures
from vlp.data.lerobot_cameras import told as camera_told
from vlp.data.lerobot_meta import check_counts, data_files, number_in, read_info, read_rows, read_tasks
from vlp.data.lerobot_schema import PERSISTENT, SAMPLE
from vlp.data.policy_checks import known_in
from vlp.data.sample import Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory


@dataclass(frozen=True)
class _Moment:
    """A frame at which a plan begins: where it is, and what it says."""

    place: FramePlace
    sample: Sample


def import_lerobot(
    out: str | Path,
    folder: str | Path,
    manifest: Manifest,
    camera: str = "",
    told: Callable[[str], None] = lambda _: None,
) -> int:
    """Import every plan of a dataset, all or none, and return how many samples were new.

    Args:
        out: a store; made when missing.
        folder: the dataset.
        manifest: of the robot that the plans are for.
        camera: the feature whose pictures are taken, or its last part; needed where there are several in colour.
        told: called with a sentence that says which camera is read.

    Raises:
        UsageError: not a LeRobotDataset v3, one that is not whole, or a plan that is no policy of the robot, named by
            episode, frame and file.
        MissingComponent: an extra that is not installed.
    """
    root = Path(folder)
    info = read_info(root)
    chosen = choose_camera(info["features"], camera)
    tasks, files, frames = read_tasks(root), data_files(root), Counter[int]()
    told(camera_told(chosen))
    moments = [m for file in files for m in _moments(root, file, tasks, manifest, chosen.name, frames)]
    if not moments:
        raise UsageError(
            f"{str(root)[:300]!r} holds no plans.",
            f"Expected rows of the style 'plan' in {PERSISTENT}, or a column plan.",
        )
    check_counts(root, info, frames)
    samples = {moment.place: moment.sample for moment in moments}
    shown = pictures(root, info["fps"], chosen, list(samples))
    first = next(shown)  # what is wrong with all of them is told before a store is made
    with StoreWriter(out, {manifest.robot: manifest}) as writer:
        return writer.add_all([_with_image(samples[at], writer.add_image(picture)) for at, picture in chain([first], shown)])


def _moments(
    root: Path, file: Path, tasks: dict[int, str], manifest: Manifest, camera: str, frames: Counter[int]
) -> Iterator[_Moment]:
    """Yield the moments of a data file, and count its frames."""
    last: tuple[int, str] = (-1, "")
    needed = ("episode_index", "frame_index", "timestamp", "task_index")
    for number, row in read_rows(root, file, [*needed, SAMPLE, PERSISTENT, "plan"], needed):
        place = f"{file.relative_to(root)}, row {number}"
        episode, frame, task, time_s = (
            number_in(row, name, place) for name in ("episode_index", "frame_index", "task_index", "timestamp")
        )
        episode, frame = int(episode), int(frame)
        frames[episode] += 1
        if frames.total() > 100_000_000:
            raise UsageError("the dataset has more than 100,000,000 frames.")
        try:
            if row.get(SAMPLE):
                sample = _known(str(row[SAMPLE]), manifest)
                last = (episode, sample.target)
                yield _Moment(FramePlace(file, number, episode, frame, time_s), sample)
            else:
                text = str(row.get("plan") or _plan_at(row.get(PERSISTENT), time_s) or "")
                if text and (episode, text) != last:
                    last = (episode, text)
                    if task not in tasks:
                        raise UsageError(f"task_index {task:g} is not in meta/tasks.parquet.")
                    made = _made(text, tasks[int(task)], episode, frame, manifest, camera)
                    yield _Moment(FramePlace(file, number, episode, frame, time_s), made)
        except UsageError as error:
            where = f"episode {episode}, frame {frame}, {file.relative_to(root)}"
            raise UsageError(f"{where}: {error}", "Nothing was imported.") from None


def _plan_at(rows: Any, time_s: float) -> str:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("style") == "plan":
            since_s = number_in({"timestamp": 0.0, **row}, "timestamp", PERSISTENT)
            if abs(since_s - time_s) <= 1e-4:
                return str(row.get("content") or "")
    return ""


def _known(text: str, manifest: Manifest) -> Sample:
    sample = Sample.from_json(text)
    if sample.robot != manifest.robot:
        raise UsageError(f"its sample is for robot {sample.robot!r}, not {manifest.robot!r}.")
    if not sample.question:
        _checked(sample.target, manifest, replace(known_in(sample), known={}))
    return sample


def _made(text: str, task: str, episode: int, frame: int, manifest: Manifest, camera: str) -> Sample:
    policy = _checked(text, manifest, State())
    instruction = Instruction.of(task).text
    state = RobotState()
    source = {"kind": "lerobot", "episode": episode, "frame": frame, "camera": camera[:200]}
    stem = f"lerobot-{episode:06d}-{frame:06d}"
    return make_sample(stem, ["0" * 64], instruction, manifest.robot, state, Memory((instruction,)), policy, source, "train")


def _checked(text: str, manifest: Manifest, state: State) -> dict[str, Any]:
    plan, report = check_policy(text, manifest, state)
    if plan is None:
        raise UsageError(f"the plan is no policy of {manifest.robot!r}: {report.issues[0]}")
    return plan.policy.to_json()


def _with_image(s: Sample, image: str) -> Sample:
    """Return the sample with an image: itself when it is its own, else (a video is lossy) one with another id."""
    if s.images == (image,):
        return s
    stem = s.id.rpartition("-")[0]
    return make_sample(
        stem, [image], s.instruction, s.robot, s.state, s.memory, s.policy, s.source, s.split, s.question, s.reply
    )
