"""The layout of a LeRobotDataset v3, as this package writes and reads it: features, columns and language rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlp.core.errors import MissingComponent
from vlp.core.images import Rgb

CAMERA = "observation.images.head"
SAMPLE = "vlp_sample"
PERSISTENT = "language_persistent"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


@dataclass(frozen=True)
class RecordedFrame:
    """One moment of an episode.

    Args:
        rgb: the camera's image, or its PNG.
        state: numbers, the same names for every frame of a dataset.
        action: numbers; empty in datasets without actions.
        subtask: what is being done, "" for nothing.
        plan: the policy in force, as text; "" for none.
        sample: JSON of the sample that was asked at this moment; "" for none.
    """

    rgb: Rgb | bytes
    state: tuple[float, ...]
    action: tuple[float, ...] = ()
    subtask: str = ""
    plan: str = ""
    sample: str = ""


@dataclass(frozen=True)
class RecordedEpisode:
    """One run of a task: its instruction and its frames at the dataset's rate."""

    task: str
    frames: Sequence[RecordedFrame]


@dataclass(frozen=True)
class Layout:
    """What all episodes of a dataset share.

    Args:
        fps: frames per second.
        robot: the robot's name.
        state_names, action_names: with their units; no action names for a dataset without actions.
        video: whether images are written as mp4 (lossy).
        strings: text columns instead of language rows.
    """

    fps: int
    robot: str
    state_names: tuple[str, ...]
    action_names: tuple[str, ...] = ()
    video: bool = False
    strings: bool = False


def language_rows(episode: RecordedEpisode, fps: int) -> list[dict[str, Any]]:
    """Return an episode's persistent language rows: each plan and subtask from the moment it holds."""
    rows: list[dict[str, Any]] = []
    held = {"plan": "", "subtask": ""}
    for i, frame in enumerate(episode.frames):
        for style, content in (("plan", frame.plan), ("subtask", frame.subtask)):
            if content and content != held[style]:
                held[style] = content
                row = {"role": "assistant", "content": content, "style": style, "timestamp": i / fps}
                rows.append({**row, "camera": None, "tool_calls": None})
    return rows


def features(layout: Layout, size: tuple[int, int]) -> dict[str, Any]:
    """Return the `features` of `info.json`."""

    def one(dtype: str) -> dict[str, Any]:
        return {"dtype": dtype, "shape": [1], "names": None}

    camera: dict[str, Any] = {"dtype": "video" if layout.video else "image", "shape": [*size, 3]}
    camera["names"] = ["height", "width", "channels"]
    if layout.video:
        about = {"height": size[0], "width": size[1], "codec": "h264", "pix_fmt": "yuv420p", "is_depth_map": False}
        camera["info"] = {f"video.{k}": v for k, v in {**about, "fps": layout.fps, "channels": 3}.items()}
        camera["info"]["has_audio"] = False
    found = {CAMERA: camera, "observation.state": _vector(layout.state_names)}
    if layout.action_names:
        found["action"] = _vector(layout.action_names)
    words = {"subtask": one("string"), "plan": one("string")} if layout.strings else {PERSISTENT: one("language")}
    numbers = {name: one("int64") for name in ("frame_index", "episode_index", "index", "task_index")}
    return {**found, SAMPLE: one("string"), **words, "timestamp": one("float32"), **numbers}


def _vector(names: Sequence[str]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def parquet() -> Any:
    """Return `pyarrow.parquet`; raises MissingComponent when it is not installed."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingComponent("this needs pyarrow.", "Install it with: pip install 'vlp[data]'.") from None
    return pq


def table(rows: list[dict[str, Any]], layout: Layout) -> Any:
    """Return rows as an Arrow table whose schema also tells `datasets` what each column is."""
    import pyarrow as pa

    plain = pa.Table.from_pylist(rows, schema=_schema(layout, pa.string()))
    # Rows cannot be turned into Arrow's JSON type directly, only text can.
    return plain if layout.strings else plain.cast(_schema(layout, pa.json_()))


def _schema(layout: Layout, tool_call: Any) -> Any:
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float32()
    spoken = [("role", text), ("content", text), ("style", text), ("timestamp", real), ("camera", text)]
    columns: list[tuple[str, Any]] = []
    if not layout.video:
        columns.append((CAMERA, pa.struct([("bytes", pa.binary()), ("path", text)])))
    columns.append(("observation.state", pa.list_(real, len(layout.state_names))))
    if layout.action_names:
        columns.append(("action", pa.list_(real, len(layout.action_names))))
    columns.append((SAMPLE, text))
    if layout.strings:
        columns += [("subtask", text), ("plan", text)]
    else:
        columns.append((PERSISTENT, pa.list_(pa.struct([*spoken, ("tool_calls", pa.list_(tool_call))]))))
    columns += [("timestamp", real), *((n, whole) for n in ("frame_index", "episode_index", "index", "task_index"))]
    return pa.schema(columns, {"huggingface": json.dumps({"info": {"features": _hf_features(layout)}})})


def _hf_features(layout: Layout) -> dict[str, Any]:
    """Return the columns in the words of `datasets`, so that images decode wherever the files are loaded."""

    def value(dtype: str) -> dict[str, Any]:
        return {"dtype": dtype, "_type": "Value"}

    def vector(n: int) -> dict[str, Any]:
        return {"feature": value("float32"), "length": n, "_type": "List"}

    found: dict[str, Any] = {} if layout.video else {CAMERA: {"_type": "Image"}}
    found["observation.state"] = vector(len(layout.state_names))
    if layout.action_names:
        found["action"] = vector(len(layout.action_names))
    found[SAMPLE] = value("string")
    if layout.strings:
        found |= {"subtask": value("string"), "plan": value("string")}
    else:
        words = {name: value("string") for name in ("role", "content", "style")}
        row = {**words, "timestamp": value("float32"), "camera": value("string")}
        found[PERSISTENT] = {
            "feature": {**row, "tool_calls": {"feature": {"_type": "Json"}, "_type": "List"}},
            "_type": "List",
        }
    found["timestamp"] = value("float32")
    return found | {name: value("int64") for name in ("frame_index", "episode_index", "index", "task_index")}
