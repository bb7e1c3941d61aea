"""LeRobot datasets with several cameras, and such as are not whole: one line with the episode and the file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kit
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlp.core.errors import UsageError, VlpError
from vlp.core.images import encode_png
from vlp.data.lerobot import write_lerobot
from vlp.data.lerobot_cameras import choose_camera, told
from vlp.data.lerobot_in import import_lerobot
from vlp.data.lerobot_schema import CAMERA, Layout, RecordedEpisode, RecordedFrame
from vlp.data.store import Store
from vlp.prompt.target import policy_text

ALL_CHECKS: list[HealthCheck] = list(HealthCheck)  # type: ignore[assignment]  # its metaclass has no types

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PLAN = policy_text(kit.put_policy("red cube", "green bowl"))
DATA, EPISODES, TASKS = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet", "meta/tasks.parquet"
VIDEO = f"videos/{CAMERA}/chunk-000/file-000.mp4"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


def write(root: Path, video: bool) -> Path:
    episodes = [
        RecordedEpisode(f"tidy {e}", [RecordedFrame(kit.picture(9 * e + i), (0.0,), (), "", PLAN) for i in range(3)])
        for e in range(2)
    ]
    write_lerobot(root, episodes, Layout(10, "hsr", ("x",), video=video, strings=True))
    return root


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    folder = tmp_path_factory.mktemp("lerobot")
    return {video: write(folder / str(video), video) for video in (False, True)}


@pytest.fixture
def images(written: dict[bool, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(written[False], tmp_path / "l"))


@pytest.fixture
def videos(written: dict[bool, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(written[True], tmp_path / "l"))


def refused(root: Path, **options: Any) -> str:
    with pytest.raises(UsageError) as error:
        import_lerobot(root.parent / "s", root, kit.manifest(), **options)
    assert not (root.parent / "s").exists()
    return str(error.value)


def edit(root: Path, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the rows of a parquet file in place."""
    rows = pq.read_table(root / name).to_pylist()
    pq.write_table(pa.Table.from_pylist(change(rows) or rows), root / name)


def edit_info(root: Path, **changes: Any) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# Cameras.


def feature(dtype: str = "image", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [72, 96, 3], "names": ["height", "width", "channels"], **more}


NO_COLOUR: dict[str, tuple[str, dict[str, Any], str]] = {
    "its name": ("observation.depth.cam", feature(), "its name says depth"),
    "its name, joined": ("observation.images.wrist_depth", feature("video"), "its name says depth"),
    "a mask": ("observation.masks.front", feature(), "its name says masks"),
    "infrared": ("observation.images.ir_left", feature(), "its name says ir"),
    "its own word": ("observation.images.d", feature("video", info={"video.is_depth_map": True}), "it is a depth map"),
    "its older word": ("observation.images.d", feature("video", video_info={"is_depth_map": True}), "it is a depth map"),
    "its pixels": ("observation.images.d", feature("video", info={"video.pix_fmt": "gray16le"}), "its pixels are gray16le"),
    "one channel": ("observation.images.d", feature(shape=[72, 96, 1]), "it has 1 channels"),
    "channels first": ("observation.images.d", feature(shape=[1, 72, 96], names=["channel", "height", "width"]), "1 channels"),
    "no channels": ("observation.images.d", feature(shape=[72, 96], names=["height", "width"]), "it has 1 channels"),
}


@pytest.mark.parametrize("case", NO_COLOUR)
def test_what_is_no_colour_camera_is_left_out_and_named(case: str) -> None:
    """Against: the depth picture was imported as the camera's, all white, because its name came first."""
    name, about, why = NO_COLOUR[case]
    camera = choose_camera({name: about, "observation.images.z": feature("video"), "state": {"dtype": "float32"}})
    assert (camera.name, camera.is_video) == ("observation.images.z", True)
    assert why in told(camera) and name in told(camera)
    with pytest.raises(UsageError, match=r"no camera in colour; left out") as error:
        choose_camera({name: about})
    assert why in error.value.message


@pytest.mark.parametrize(
    "about",
    [feature(shape=[3, 72, 96], names=["channels", "height", "width"]), feature(names=None), {"dtype": "image"},
     feature("video", info={"video.is_depth_map": False, "video.pix_fmt": "yuv420p"}), feature(shape="?", names=5)],
)  # fmt: skip
def test_what_does_not_say_otherwise_is_in_colour(about: dict[str, Any]) -> None:
    assert choose_camera({"observation.images.indepth": about}).name == "observation.images.indepth"


TWO = {"observation.images.wrist": feature(), "observation.images.front": feature(), "observation.depth.front": feature()}


@pytest.mark.parametrize("wanted", ["wrist", "observation.images.wrist"])
def test_of_several_cameras_the_one_named_is_taken(wanted: str) -> None:
    """Against: the first by alphabet was taken without a word."""
    assert choose_camera(TWO, wanted).name == "observation.images.wrist"
    with pytest.raises(UsageError, match=r"has 2 cameras: .*wrist, .*front\. Choose one, e\.g\. --camera observation"):
        choose_camera(TWO)
    assert choose_camera(TWO, "front").name == "observation.images.front", "of two that end so, the one in colour"
    with pytest.raises(UsageError, match=r"no camera 'frnt'\. Did you mean 'front'\? Known: front, wrist"):
        choose_camera(TWO, "frnt")


def test_a_camera_that_is_none_in_colour_is_refused_even_when_named() -> None:
    deep = feature(info={"video.is_depth_map": True})
    with pytest.raises(UsageError, match=r"'d' is no colour camera: it is a depth map\. Colour: c\."):
        choose_camera({"c": feature(), "d": deep}, "d")


def test_the_camera_that_was_taken_stands_in_the_set(images: Path) -> None:
    info = json.loads((images / "meta" / "info.json").read_text())
    edit_info(images, features={**info["features"], "observation.images.wrist": feature()})
    other = {"bytes": encode_png(kit.picture(77)), "path": None}
    edit(images, DATA, lambda rows: [{**row, "vlp_sample": "", "observation.images.wrist": other} for row in rows])
    said: list[str] = []
    assert "has 2 cameras" in refused(images)
    assert import_lerobot(images.parent / "s", images, kit.manifest(), "wrist", said.append) == 2
    store = Store(images.parent / "s")
    assert said == ["camera observation.images.wrist."]
    assert {sample.source["camera"] for sample in store} == {"observation.images.wrist"}
    assert np.array_equal(store.image(next(iter(store))), kit.picture(77))


# What is not whole.


def rows_of(name: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Callable[[Path], None]:
    """Return what changes the rows of the second episode; None takes a row out."""

    def changed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        made = [change(row) if row.get("episode_index", row.get("task_index")) == 1 else row for row in rows]
        return [row for row in made if row is not None]

    return lambda root: edit(root, name, changed)


def without(name: str, *columns: str) -> Callable[[Path], None]:
    return lambda root: edit(root, name, lambda rows: [{k: v for k, v in row.items() if k not in columns} for row in rows])


def text(name: str, content: str) -> Callable[[Path], Any]:
    return lambda root: (root / name).write_text(content)


def gone(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def half(name: str) -> Callable[[Path], Any]:
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:300])


def info(**changes: Any) -> Callable[[Path], None]:
    return lambda root: edit_info(root, **changes)


def info_without(key: str) -> Callable[[Path], Any]:
    def change(root: Path) -> None:
        path = root / "meta" / "info.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != key}))

    return change


EITHER: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "no info": (gone("meta/info.json"), ("meta/info.json is missing",)),
    "empty info": (text("meta/info.json", ""), ("meta/info.json is empty",)),
    "info is a list": (text("meta/info.json", "[]"), ("no 'codebase_version'",)),
    "info is cut off": (half("meta/info.json"), ("meta/info.json cannot be read",)),
    "no rate": (info_without("fps"), ("no 'fps'",)),
    "null rate": (info(fps=None), ("no 'fps'",)),
    "rate in words": (info(fps="ten"), ("found ten frames per second",)),
    "no features": (info_without("features"), ("no 'features'",)),
    "features in a list": (info(features=[1]), ("'features' is no object",)),
    "episodes of info": (info(total_episodes=3), ("says 3 episodes; the data files hold 2",)),
    "frames of info": (info(total_frames=7), ("says 7 frames; the data files hold 6", "Is a file of data/ missing?")),
    "no data": (gone(DATA), ("has 0 data files",)),
    "empty data": (text(DATA, ""), (DATA, "is empty (0 bytes)")),
    "pointer for data": (text(DATA, LFS), (DATA, "git lfs pull")),
    "words for data": (text(DATA, "no parquet"), (DATA, "cannot be read")),
    "data cut off": (half(DATA), (DATA, "cannot be read")),
    "no tasks": (gone(TASKS), (TASKS, "is missing")),
    "pointer for tasks": (text(TASKS, LFS), (TASKS, "git lfs pull")),
    "tasks without words": (without(TASKS, "task"), (TASKS, "expected columns task_index and task")),
    "null task": (rows_of(TASKS, lambda row: {**row, "task": None}), (TASKS, "expected columns task_index and task, row 1")),
    "task left out": (rows_of(TASKS, lambda row: None), ("episode 1, frame 0", DATA, "task_index 1 is not in")),
    "no time": (without(DATA, "timestamp"), (DATA, "no column 'timestamp'")),
    "null time": (rows_of(DATA, lambda row: {**row, "timestamp": None}), (DATA, "row 3", "'timestamp' is null")),
    "NaN time": (rows_of(DATA, lambda row: {**row, "timestamp": float("nan")}), ("row 3", "'timestamp' is nan")),
    "negative frame": (rows_of(DATA, lambda row: {**row, "frame_index": -1}), ("'frame_index' is -1",)),
    "frames left out": (
        rows_of(DATA, lambda row: row if row["frame_index"] else None),
        ("episode 1", EPISODES, "says 3 frames; the data files hold 2"),
    ),
    "null length": (rows_of(EPISODES, lambda row: {**row, "length": None}), ("episode 1", EPISODES, "'length' is null")),
    "null chunk": (rows_of(EPISODES, lambda row: {**row, "data/file_index": None}), ("episode 1", "'data/file_index' is null")),
    "missing chunk": (
        rows_of(EPISODES, lambda row: {**row, "data/chunk_index": 4}),
        ("episode 1: data/chunk-004/file-000.parquet is missing",),
    ),
    "pointer for episodes": (text(EPISODES, LFS), (EPISODES, "git lfs pull")),
    "bad plan": (
        rows_of(DATA, lambda row: {**row, "plan": '{"goal":"a","goal":"b"}'}),
        ("episode 1, frame 0", DATA, "appears twice"),
    ),
}

IN_IMAGES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "no column": (without(DATA, CAMERA), (DATA, f"no column '{CAMERA}'")),
    "null image": (rows_of(DATA, lambda row: {**row, CAMERA: None}), ("episode 1, frame 0", DATA, "found null")),
    "a path": (
        rows_of(DATA, lambda row: {**row, CAMERA: {"bytes": None, "path": "a.png"}}),
        ("episode 1, frame 0", DATA, "found a path", "kept outside"),
    ),
    "empty image": (rows_of(DATA, lambda row: {**row, CAMERA: {"bytes": b"", "path": None}}), ("episode 1", DATA, "is empty")),
    "cut off": (
        rows_of(DATA, lambda row: {**row, CAMERA: {"bytes": row[CAMERA]["bytes"][:99], "path": None}}),
        ("episode 1, frame 0", DATA, "cannot be decoded"),
    ),
}

IN_VIDEOS: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "no video": (gone(VIDEO), ("episode 0", VIDEO, "is missing")),
    "empty video": (text(VIDEO, ""), ("episode 0", VIDEO, "is empty")),
    "pointer for a video": (text(VIDEO, LFS), ("episode 0", VIDEO, "git lfs pull")),
    "words for a video": (text(VIDEO, "no mp4 " * 99), ("episode 0, frame 0", VIDEO, "cannot be read")),
    "video cut off": (half(VIDEO), ("episode 0, frame 0", VIDEO, "cannot be read")),
    "no episodes": (gone(EPISODES), (EPISODES, "is missing")),
    "no columns": (
        without(EPISODES, *(f"videos/{CAMERA}/{part}" for part in ("chunk_index", "file_index", "from_timestamp"))),
        ("episode 0", EPISODES, f"no column 'videos/{CAMERA}/chunk_index'"),
    ),
    "null columns": (
        rows_of(EPISODES, lambda row: {**row, f"videos/{CAMERA}/file_index": None}),
        ("episode 1", EPISODES, f"'videos/{CAMERA}/file_index' is null"),
    ),
    "another rate": (info(fps=25), ("episode 0, frame 0", VIDEO, "has 10 frames per second; meta/info.json says 25")),
    "a video too short": (
        rows_of(EPISODES, lambda row: {**row, f"videos/{CAMERA}/from_timestamp": 900.0}),
        ("episode 1, frame 0", VIDEO, "ends before that frame"),
    ),
    "an episode left out": (rows_of(EPISODES, lambda row: None), ("does not know episode 1",)),
}


@pytest.mark.parametrize("case", [*EITHER, *IN_IMAGES])
def test_a_dataset_of_images_that_is_not_whole_is_told(images: Path, case: str) -> None:
    """Against: a traceback over each null, empty file and pointer; "NoneType" and "KeyError 'fps'" as explanations."""
    damage, words = (EITHER | IN_IMAGES)[case]
    damage(images)
    with pytest.raises(UsageError) as error:
        import_lerobot(images.parent / "s", images, kit.manifest())
    assert all(word in str(error.value) for word in words), str(error.value)
    assert not list((images.parent / "s").glob("*.jsonl")) or not len(Store(images.parent / "s"))


@pytest.mark.parametrize("case", [*EITHER, *IN_VIDEOS])
def test_a_dataset_of_videos_that_is_not_whole_is_told(videos: Path, case: str) -> None:
    pytest.importorskip("imageio")
    damage, words = (EITHER | IN_VIDEOS)[case]
    damage(videos)
    with pytest.raises(UsageError) as error:
        import_lerobot(videos.parent / "s", videos, kit.manifest())
    assert all(word in str(error.value) for word in words), str(error.value)
    assert not list((videos.parent / "s").glob("*.jsonl")) or not len(Store(videos.parent / "s"))


def test_a_file_that_is_a_link_out_of_the_folder_is_not_read(images: Path) -> None:
    (images / DATA).rename(images.parent / "outside.parquet")
    (images / DATA).symlink_to(images.parent / "outside.parquet")
    assert f"{DATA} is a link out of the folder. Copy the dataset with its links followed" in refused(images)


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=ALL_CHECKS)
@given(
    name=st.sampled_from([DATA, EPISODES, TASKS, "meta/info.json"]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=2),
)
def test_damaged_files_are_read_or_refused(images: Path, name: str, changes: list[tuple[float, bytes, int]]) -> None:
    whole = (images / name).read_bytes()
    data = whole
    for place, put, left_out in changes:
        at = int(place * len(data))
        data = data[:at] + put + data[at + left_out :]
    (images / name).write_bytes(data)
    try:
        import_lerobot(images.parent / "s", images, kit.manifest())
    except VlpError as error:
        assert error.message
    finally:
        (images / name).write_bytes(whole)
