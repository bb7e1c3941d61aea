"""A LeRobotDataset v3 to samples: one for every moment at which a new plan begins.

The plan is read from this package's own sample column, from language rows of the style "plan", or from a text column
`plan`; it must be a policy of the robot. Files are found by pattern, never by a path that the dataset names.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.images import Rgb, decode_image
from vlp.core.observation import RobotState
from vlp.data.lerobot_schema import CAMERA, PERSISTENT, PLAN, SAMPLE, parquet
from vlp.data.sample import Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.policy import check_policy
from vlp.policy.situation import State
from vlp.primitives.manifest import Manifest
from vlp.prompt.bounds import clean_instruction
from vlp.prompt.memory import Memory
from vlp.prompt.target import policy_text

MAX_INFO_BYTES = 4 * 1024 * 1024
MAX_FILES, MAX_TASKS, MAX_FRAMES = 10_000, 1_000_000, 100_000_000
BATCH_ROWS = 64
SAME_TIME_S = 1e-4


@dataclass(frozen=True)
class _Moment:
    """A frame at which a plan begins: where it is, and what it says."""

    file: Path
    row: int
    episode: int
    frame: int
    time_s: float
    sample: Sample


def import_lerobot(out: str | Path, folder: str | Path, manifest: Manifest) -> int:
    """Import every plan of a dataset, all or none, and return how many samples were new.

    Args:
        out: a store; made when missing.
        folder: the dataset.
        manifest: of the robot that the plans are for.

    Raises:
        UsageError: not a LeRobotDataset v3, or a plan that is no policy of the robot, named by episode and frame.
        MissingComponent: an extra that is not installed.
    """
    root = Path(folder)
    info = _info(root)
    tasks = _tasks(root)
    camera = _camera(info)
    moments = [moment for file in _files(root) for moment in _moments(file, tasks, manifest)]
    if not moments:
        raise UsageError(
            f"{str(root)[:300]!r} holds no plans.",
            f"Expected rows of the style 'plan' in {PERSISTENT}, or a column {PLAN}.",
        )
    with StoreWriter(out, {manifest.robot: manifest}) as writer:
        samples = []
        for moment, picture in _pictures(root, info, camera, moments):
            image = writer.add_image(picture)
            samples.append(_with_image(moment.sample, image))
        return writer.add_all(samples)


def _info(root: Path) -> dict[str, Any]:
    path = root / "meta" / "info.json"
    if not path.is_file():
        raise UsageError(f"no LeRobot dataset at {str(root)[:300]!r}: meta/info.json is missing.")
    if path.stat().st_size > MAX_INFO_BYTES:
        raise UsageError(f"meta/info.json is larger than {MAX_INFO_BYTES:,} bytes.")
    try:
        info = json.loads(path.read_bytes())
        version, rate, columns = str(info["codebase_version"]), float(info["fps"]), dict(info["features"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"meta/info.json cannot be read: {str(error)[:120]}.") from None
    if not version.startswith("v3"):
        raise UsageError(f"this is a LeRobotDataset {version[:20]}; v3 is read.", "Convert it with LeRobot's own script.")
    if not 0 < rate <= 1000:
        raise UsageError(f"meta/info.json: found {rate:g} frames per second; expected 0 to 1000.")
    return {"fps": rate, "features": columns}


def _camera(info: dict[str, Any]) -> tuple[str, bool]:
    """Return the name of the camera to be read, and whether it is a video."""
    kinds = {n: f.get("dtype") for n, f in info["features"].items() if isinstance(f, dict)}
    cameras = {name: kind == "video" for name, kind in kinds.items() if kind in ("image", "video")}
    if not cameras:
        raise UsageError("the dataset has no camera.", "Expected a feature of dtype image or video.")
    name = CAMERA if CAMERA in cameras else min(cameras)
    if "/" in name or "\\" in name or ".." in name:
        raise UsageError(f"the camera's name {name[:80]!r} is no name of a feature.")
    return name, cameras[name]


def _tasks(root: Path) -> dict[int, str]:
    table = _read(root / "meta" / "tasks.parquet")
    words = next((name for name in ("task", "__index_level_0__") if name in table.column_names), "")
    if not words or "task_index" not in table.column_names or table.num_rows > MAX_TASKS:
        raise UsageError("meta/tasks.parquet does not hold the tasks: expected columns task_index and task.")
    return dict(zip(table["task_index"].to_pylist(), table[words].to_pylist(), strict=True))


def _files(root: Path) -> list[Path]:
    files = sorted((root / "data").glob("chunk-*/file-*.parquet"))
    inside = [file for file in files if file.resolve().is_relative_to(root.resolve())]
    if not inside or len(inside) > MAX_FILES:
        raise UsageError(f"{str(root)[:300]!r} has {len(inside)} data files; expected 1 to {MAX_FILES:,}.")
    return inside


def _read(path: Path) -> Any:
    try:
        return parquet().read_table(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name} cannot be read: {str(error)[:120]}.") from None


def _rows(file: Path, columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number, cells) of those columns that the file has."""
    try:
        source = parquet().ParquetFile(file)
        there = [name for name in columns if name in source.schema_arrow.names]
        number = 0
        for batch in source.iter_batches(batch_size=BATCH_ROWS, columns=there):
            for row in batch.to_pylist():
                yield number, row
                number += 1
    except (OSError, ValueError) as error:
        raise UsageError(f"{file.name} cannot be read: {str(error)[:120]}.") from None


def _moments(file: Path, tasks: dict[int, str], manifest: Manifest) -> Iterator[_Moment]:
    last: tuple[int, str] = (-1, "")
    columns = ["episode_index", "frame_index", "timestamp", "task_index", SAMPLE, PERSISTENT, PLAN]
    for number, row in _rows(file, columns):
        try:
            episode, frame, time_s = int(row["episode_index"]), int(row["frame_index"]), float(row["timestamp"])
            task = str(tasks[row["task_index"]])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{file.name}, row {number}: {type(error).__name__} {str(error)[:80]}.") from None
        where = f"episode {episode}, frame {frame}"
        try:
            if row.get(SAMPLE):
                sample = _known(row[SAMPLE], manifest)
                last = (episode, policy_text(sample.policy))
                yield _Moment(file, number, episode, frame, time_s, sample)
            else:
                text = str(row.get(PLAN) or _plan_at(row.get(PERSISTENT), time_s) or "")
                if text and (episode, text) != last:
                    last = (episode, text)
                    yield _Moment(file, number, episode, frame, time_s, _made(text, task, episode, frame, manifest))
        except UsageError as error:
            raise UsageError(f"{where}: {error}", "Nothing was imported.") from None


def _plan_at(rows: Any, time_s: float) -> str:
    for row in rows or ():
        if row.get("style") == PLAN and abs(float(row.get("timestamp") or 0.0) - time_s) <= SAME_TIME_S:
            return str(row.get("content") or "")
    return ""


def _known(text: str, manifest: Manifest) -> Sample:
    sample = Sample.from_json(text)
    if sample.robot != manifest.robot:
        raise UsageError(f"its sample is for robot {sample.robot!r}, not {manifest.robot!r}.")
    known = State(at=sample.state.at, holding=sample.memory.holding or sample.state.holding)
    _checked(policy_text(sample.policy), manifest, known)
    return sample


def _made(text: str, task: str, episode: int, frame: int, manifest: Manifest) -> Sample:
    policy = _checked(text, manifest, State())
    instruction = clean_instruction(task)
    state = RobotState("", "", {}, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0))
    source = {"kind": "lerobot", "episode": episode, "frame": frame}
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
    return make_sample(stem, [image], s.instruction, s.robot, s.state, s.memory, s.policy, s.source, s.split)


def _pictures(
    root: Path, info: dict[str, Any], camera: tuple[str, bool], moments: list[_Moment]
) -> Iterator[tuple[_Moment, bytes | Rgb]]:
    name, is_video = camera
    if is_video:
        yield from _video_frames(root, info, name, moments)
        return
    wanted = {(moment.file, moment.row): moment for moment in moments}
    for file in dict.fromkeys(moment.file for moment in moments):
        for number, row in _rows(file, [name]):
            moment = wanted.get((file, number))
            if moment is None:
                continue
            data = (row.get(name) or {}).get("bytes")
            where = f"episode {moment.episode}, frame {moment.frame}"
            if not isinstance(data, bytes):
                raise UsageError(f"{where}: the image is not in the file.", "Images kept outside of it are not read.")
            decode_image(data, f"image of {where}")
            yield moment, data


def _video_frames(root: Path, info: dict[str, Any], name: str, moments: list[_Moment]) -> Iterator[tuple[_Moment, Rgb]]:
    try:
        import imageio
    except ImportError:
        raise MissingComponent("mp4 needs imageio.", "Install it with: pip install 'vlp[view]'.") from None
    keys = [f"videos/{name}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")]
    begins: dict[int, tuple[int, int, float]] = {}
    for file in sorted((root / "meta" / "episodes").glob("chunk-*/file-*.parquet")):
        for _, row in _rows(file, ["episode_index", *keys]):
            begins[int(row["episode_index"])] = (int(row[keys[0]]), int(row[keys[1]]), float(row[keys[2]]))
    for moment in moments:
        if moment.episode not in begins:
            raise UsageError(f"meta/episodes does not know episode {moment.episode}.")
        chunk, number, from_s = begins[moment.episode]
        path = root / "videos" / name / f"chunk-{chunk:03d}" / f"file-{number:03d}.mp4"
        if not path.is_file():
            raise UsageError(f"video {path.name} of chunk {chunk} is missing.")
        reader: Any = imageio.get_reader(path, format="FFMPEG")  # type: ignore[arg-type]
        with reader:
            try:
                yield moment, reader.get_data(round((from_s + moment.time_s) * info["fps"]))
            except (IndexError, RuntimeError) as error:
                raise UsageError(f"episode {moment.episode}, frame {moment.frame}: {str(error)[:100]}.") from None
