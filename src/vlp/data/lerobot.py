"""Samples and simulated episodes as a LeRobotDataset v3.

Layout: `meta/info.json`, `meta/stats.json`, `meta/tasks.parquet`, `meta/episodes/chunk-000/file-000.parquet`,
`data/chunk-000/file-NNN.parquet` and, for videos, `videos/KEY/chunk-000/file-NNN.mp4`. Subtask and plan are written as
language rows (`language_persistent`: role, content, style, timestamp) or, for readers that know no such columns, as two
text columns. The policy is the plan's content; the sample itself is kept in a text column, so that nothing is lost.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.files import write_whole
from vlp.core.images import decode_image, encode_png
from vlp.core.observation import RobotState
from vlp.data.lerobot_schema import (
    CAMERA,
    DATA_PATH,
    PERSISTENT,
    SAMPLE,
    VIDEO_PATH,
    Layout,
    RecordedEpisode,
    RecordedFrame,
    features,
    language_rows,
    parquet,
    table,
)
from vlp.data.sample import Sample
from vlp.data.store import Store

BODY = ("base_x_m", "base_y_m", "base_yaw_rad", "gripper_m", "hand_x_m", "hand_y_m", "hand_z_m")
"""Names of the numbers of a body's state; joints and own fields follow."""


def export_samples(folder: str | Path, out: str | Path, *, video: bool = False, strings: bool = False, split: str = "") -> int:
    """Write the samples of a store as episodes of one frame, and return how many.

    Args:
        folder: the store.
        out: must not exist.
        video, strings: see `Layout`.
        split: only one split.

    Raises:
        UsageError: no samples, a damaged image, or `out` exists.
        MissingComponent: an extra is missing, or it cannot be written.
    """
    store = Store(folder)
    first = next(store.samples(split), None)
    if first is None:
        raise UsageError(f"there are no samples to export in {str(folder)[:300]!r}.")
    names = state_names(sample.state for sample in store.samples(split))
    layout = Layout(1, first.robot, names, video=video, strings=strings)
    return write_lerobot(out, (_episode(store, sample, names) for sample in store.samples(split)), layout)


def state_names(states: Iterable[RobotState]) -> tuple[str, ...]:
    """Return the names of the numbers that states have: base, gripper, hand, then joints, own fields and facts by name."""
    body: dict[str, None] = {}
    rest: set[str] = set()
    for state in states:
        body |= dict.fromkeys(_body_numbers(state))
        rest |= _named_numbers(state).keys()
    return (*(name for name in BODY if name in body), *sorted(rest))


def state_vector(state: RobotState, names: Sequence[str]) -> tuple[float, ...]:
    """Return a state as numbers by name; what it does not have is 0."""
    known = {**_named_numbers(state), **_body_numbers(state)}
    return tuple(known.get(name, 0.0) for name in names)


def _body_numbers(state: RobotState) -> dict[str, float]:
    numbers: dict[str, float] = dict(zip(BODY[:3], state.base_in_world, strict=True))
    if state.gripper_m is not None:
        numbers[BODY[3]] = state.gripper_m
    if state.hand_in_base is not None:
        numbers |= dict(zip(BODY[4:], state.hand_in_base, strict=True))
    return numbers


def _named_numbers(state: RobotState) -> dict[str, float]:
    own = {name: float(value) for name, value in state.own.items() if not isinstance(value, str)}
    return {**state.joints_rad_or_m, **own, **{fact: float(so) for fact, so in state.facts.items()}}


def _episode(store: Store, sample: Sample, names: Sequence[str]) -> RecordedEpisode:
    subtasks = sample.policy.get("subtasks") or [{}]
    frame = RecordedFrame(
        store.image_bytes(sample.images[0]),
        state_vector(sample.state, names),
        subtask=str(subtasks[0].get("name", "")),
        plan="" if sample.question else sample.target,
        sample=json.dumps(sample.to_json(), ensure_ascii=False),
    )
    return RecordedEpisode(sample.instruction, (frame,))


def write_lerobot(out: str | Path, episodes: Iterable[RecordedEpisode], layout: Layout) -> int:
    """Write episodes, one at a time, and return how many; a folder that is not finished is removed.

    Raises:
        UsageError: `out` exists, there are no episodes, or their frames differ in size.
        MissingComponent: an extra is missing, or it cannot be written.
    """
    root = Path(out)
    if root.exists():
        raise UsageError(f"{str(root)[:300]!r} exists already.", "Give a new folder.")
    part = root.with_name(root.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        count = _Writer(part, layout).write(episodes)
        part.rename(root)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise MissingComponent(f"cannot write {str(root)[:300]!r}: {error.strerror or error}.") from None
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return count


@dataclass
class _Stats:
    """Running minimum, maximum, mean and deviation of vectors."""

    n: int = 0
    low: Any = None
    high: Any = None
    total: Any = 0.0
    squares: Any = 0.0

    def add(self, values: np.ndarray) -> None:
        rows = np.atleast_2d(values.astype(np.float64))
        self.n += len(rows)
        low, high = rows.min(axis=0), rows.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)
        self.total, self.squares = self.total + rows.sum(axis=0), self.squares + np.square(rows).sum(axis=0)

    def to_json(self, shape: tuple[int, ...] = (-1,)) -> dict[str, Any]:
        mean = self.total / self.n
        std = np.sqrt(np.maximum(self.squares / self.n - mean**2, 0.0))
        found = {"min": self.low, "max": self.high, "mean": mean, "std": std}
        return {**{k: v.reshape(shape).tolist() for k, v in found.items()}, "count": [self.n]}


@dataclass
class _Writer:
    root: Path
    layout: Layout
    tasks: dict[str, int] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    index: list[dict[str, Any]] = field(default_factory=list)
    stats: dict[str, _Stats] = field(default_factory=dict)
    frames: int = 0
    file: int = 0
    size: tuple[int, int] = (0, 0)
    video: Any = None
    video_frames: int = 0
    chunk_files: int = 1000

    def write(self, episodes: Iterable[RecordedEpisode]) -> int:
        count = 0
        for count, episode in enumerate(episodes, 1):
            if self.rows and len(self.rows) + len(episode.frames) > 1000:
                self._flush()
            self._add(count - 1, episode)
        if not count:
            raise UsageError("there are no episodes to write.")
        self._flush()
        self._meta(count)
        return count

    def _add(self, number: int, episode: RecordedEpisode) -> None:
        if not episode.frames:
            raise UsageError(f"episode {number} has no frames.")
        task = self.tasks.setdefault(episode.task, len(self.tasks))
        chunk, file = divmod(self.file, self.chunk_files)
        begin, from_s = self.frames, self.video_frames / self.layout.fps
        language = None if self.layout.strings else language_rows(episode, self.layout.fps)
        for i, frame in enumerate(episode.frames):
            row: dict[str, Any] = {
                "observation.state": list(frame.state),
                "timestamp": i / self.layout.fps,
                "frame_index": i,
                "episode_index": number,
                "index": self.frames,
                "task_index": task,
                SAMPLE: frame.sample,
            }
            if self.layout.action_names:
                row["action"] = list(frame.action)
            row |= {"subtask": frame.subtask, "plan": frame.plan} if language is None else {PERSISTENT: language}
            self._image(row, frame)
            self._count(row)
            self.rows.append(row)
            self.frames += 1
        entry: dict[str, Any] = {
            "episode_index": number,
            "tasks": [episode.task],
            "length": len(episode.frames),
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": begin,
            "dataset_to_index": self.frames,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        if self.layout.video:
            key = f"videos/{CAMERA}"
            entry |= {f"{key}/chunk_index": chunk, f"{key}/file_index": file}
            entry |= {f"{key}/from_timestamp": from_s, f"{key}/to_timestamp": self.video_frames / self.layout.fps}
        self.index.append(entry)

    def _image(self, row: dict[str, Any], frame: RecordedFrame) -> None:
        rgb = decode_image(frame.rgb) if isinstance(frame.rgb, bytes) else frame.rgb
        self.size = self.size if self.size[0] else rgb.shape[:2]  # type: ignore[assignment]
        if rgb.shape[:2] != self.size:
            found, first = "{1} x {0}".format(*rgb.shape), "{1} x {0}".format(*self.size)
            raise UsageError(f"frame {self.frames} is {found} pixels; the first one is {first}.")
        self.stats.setdefault(CAMERA, _Stats()).add(rgb[::8, ::8].reshape(-1, 3) / 255.0)
        if not self.layout.video:
            row[CAMERA] = {"bytes": frame.rgb if isinstance(frame.rgb, bytes) else encode_png(rgb), "path": None}
            return
        if self.video is None:
            self.video = self._open_video()
        self.video.append_data(rgb)
        self.video_frames += 1

    def _open_video(self) -> Any:
        chunk, file = divmod(self.file, self.chunk_files)
        path = self.root / VIDEO_PATH.format(video_key=CAMERA, chunk_index=chunk, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            import imageio
        except ImportError:
            raise MissingComponent("mp4 needs imageio.", "Install it with: pip install 'vlp[view]'.") from None
        options = {"codec": "libx264", "macro_block_size": 2, "output_params": ["-crf", "18", "-g", "2"]}
        return imageio.get_writer(path, fps=self.layout.fps, **options)

    def _count(self, row: dict[str, Any]) -> None:
        for name in ("observation.state", "action", "timestamp", "frame_index", "episode_index", "index", "task_index"):
            if name in row:
                self.stats.setdefault(name, _Stats()).add(np.atleast_2d(np.asarray(row[name], np.float64)))

    def _flush(self) -> None:
        pq, chunk, file = parquet(), *divmod(self.file, self.chunk_files)
        path = self.root / DATA_PATH.format(chunk_index=chunk, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(self.rows, self.layout), path)
        if self.video is not None:
            self.video.close()
        self.rows, self.file, self.video, self.video_frames = [], self.file + 1, None, 0

    def _meta(self, count: int) -> None:
        import pyarrow as pa

        pq = parquet()
        meta = self.root / "meta"
        (meta / "episodes" / "chunk-000").mkdir(parents=True)
        info = {
            "codebase_version": "v3.0",
            "robot_type": self.layout.robot,
            "total_episodes": count,
            "total_frames": self.frames,
            "total_tasks": len(self.tasks),
            "chunks_size": self.chunk_files,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self.layout.fps,
            "splits": {"train": f"0:{count}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if self.layout.video else None,
            "features": features(self.layout, self.size),
        }
        write_whole(meta / "info.json", json.dumps(info, indent=4))
        shapes = {CAMERA: (3, 1, 1)}
        stats = {name: found.to_json(shapes.get(name, (-1,))) for name, found in self.stats.items()}
        write_whole(meta / "stats.json", json.dumps(stats, indent=4))
        tasks = pa.table({"task_index": pa.array(self.tasks.values(), pa.int64()), "task": list(self.tasks)})
        # Readers take the sentences from the index of a pandas table.
        kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
        columns = [
            {"name": name, "field_name": name, "pandas_type": pandas, "numpy_type": numpy, "metadata": None}
            for name, (pandas, numpy) in kinds.items()
        ]
        index = {"index_columns": ["task"], "columns": columns, "column_indexes": [], "pandas_version": "2.0.0"}
        pq.write_table(tasks.replace_schema_metadata({"pandas": json.dumps(index)}), meta / "tasks.parquet")
        pq.write_table(pa.Table.from_pylist(self.index), meta / "episodes" / "chunk-000" / "file-000.parquet")
