"""The cameras of a LeRobotDataset: which of its features are colour pictures, which one is taken, and its pictures."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError, did_you_mean
from vlp.core.images import Rgb, check_size, decode_image
from vlp.data.lerobot_meta import FETCH, episode_files, number_in, read_rows, whole_file
from vlp.data.lerobot_schema import VIDEO_PATH


@dataclass(frozen=True)
class CameraFeature:
    """The camera that is read.

    Args:
        name: of the feature.
        is_video: whether its pictures lie in mp4 files.
        left_out: what else a dataset has in pictures, and why each is not colour.
    """

    name: str
    is_video: bool
    left_out: dict[str, str]


@dataclass(frozen=True)
class FramePlace:
    """A frame of a dataset, and where it lies.

    Args:
        file, row: of its numbers; of its picture too, where pictures are no video.
        episode, frame: as the dataset counts them.
        time_s: since the episode began.
    """

    file: Path
    row: int
    episode: int
    frame: int
    time_s: float


def choose_camera(features: dict[str, Any], wanted: str = "") -> CameraFeature:
    """Return the camera to be read.

    Args:
        features: of `meta/info.json`.
        wanted: the name of a feature or its last part; "" where there is only one camera.

    Raises:
        UsageError: no colour camera, several and none was named, or one that is not there.
    """
    found = {n: f for n, f in features.items() if isinstance(f, dict) and f.get("dtype") in ("image", "video")}
    if not found:
        raise UsageError("the dataset has no camera.", "Expected a feature of dtype image or video.")
    why = {name: _no_colour(feature) or _no_colour_name(name) for name, feature in found.items()}
    colour = [name for name in found if not why[name]]
    left_out = {name: reason for name, reason in why.items() if reason}
    if wanted:
        name = _named(wanted, colour) or _named(wanted, list(found))
        if not name:
            known = [name.rpartition(".")[2] for name in colour]
            raise UsageError(f"the dataset has no camera {wanted[:80]!r}.", did_you_mean(wanted, known))
        if _no_colour(found[name]):
            raise UsageError(f"{name!r} is no colour camera: {why[name]}.", f"Colour: {', '.join(colour) or 'none'}.")
    elif not colour:
        raise UsageError(f"the dataset has no camera in colour; left out: {_list(left_out)}.", "Name one with --camera.")
    elif len(colour) > 1:
        names = ", ".join(name[:80] for name in colour[:20])
        raise UsageError(f"the dataset has {len(colour)} cameras: {names}.", f"Choose one, e.g. --camera {min(colour)[:80]}")
    else:
        name = colour[0]
    if "/" in name or "\\" in name or ".." in name:
        raise UsageError(f"the camera's name {name[:80]!r} is no name of a feature.")
    return CameraFeature(name, found[name]["dtype"] == "video", {n: r for n, r in left_out.items() if n != name})


def told(camera: CameraFeature) -> str:
    """Return which camera is read, and what is left out, as a sentence."""
    doubt = _no_colour_name(camera.name)
    rest = f" ({doubt})" if doubt else ""
    rest += f"; left out: {_list(camera.left_out)}" if camera.left_out else ""
    return f"camera {camera.name}{rest}."


def picture_in(cell: Any, where: str) -> bytes:
    """Return the encoded image in a cell; raises UsageError when it is not there or cannot be read."""
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(data, bytes):
        found = "null" if cell is None else f"{type(data).__name__}"
        outside = isinstance(cell, dict) and cell.get("path")
        hint = "Images kept outside of it are not read." if outside else "Expected the bytes of an image file."
        raise UsageError(f"{where}: the image is not in the file (found {'a path' if outside else found}).", hint)
    decode_image(data, f"image of {where}")
    return data


def pictures(
    root: Path, fps: float, camera: CameraFeature, places: Sequence[FramePlace]
) -> Iterator[tuple[FramePlace, Rgb | bytes]]:
    """Yield the pictures of some frames, each with its place; raises UsageError for one that cannot be read.

    Args:
        root: the dataset.
        fps: frames per second that it states.
        camera: what `choose_camera` returned.
        places: in any order, which may not be that of the pictures.
    """
    if camera.is_video:
        videos = Videos(root, camera.name, fps)
        for place in places:
            yield place, videos.frame(place.episode, place.frame, place.time_s)
        return
    wanted = {(place.file, place.row): place for place in places}
    for file in dict.fromkeys(place.file for place in places):
        for number, row in read_rows(root, file, [camera.name], (camera.name,)):
            if place := wanted.get((file, number)):
                where = f"episode {place.episode}, frame {place.frame}, {file.relative_to(root)}"
                yield place, picture_in(row.get(camera.name), where)


class Videos:
    """The video files of a camera.

    Args:
        root: the dataset.
        name: the camera's feature.
        fps: frames per second that the dataset states.
    """

    def __init__(self, root: Path, name: str, fps: float) -> None:
        self._root, self._name, self._fps = root, name, fps
        self._begins: dict[int, tuple[str, float]] = {}
        keys = [f"videos/{name}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")]
        files = episode_files(root)
        if not files:
            raise UsageError("meta/episodes/chunk-000/file-000.parquet is missing: it says where the videos lie.", FETCH)
        for file in files:
            for _, row in read_rows(root, file, ["episode_index", *keys], ("episode_index",)):
                episode = int(number_in(row, "episode_index", str(file.relative_to(root))))
                where = f"episode {episode}, {file.relative_to(root)}"
                missing = next((key for key in keys if key not in row), "")
                if missing:
                    raise UsageError(f"{where}: there is no column {missing!r}, so its video is not known.", FETCH)
                chunk, part, begin_s = (number_in(row, key, where) for key in keys)
                path = VIDEO_PATH.format(video_key=name, chunk_index=int(chunk), file_index=int(part))
                self._begins[episode] = (path, begin_s)

    def frame(self, episode: int, number: int, time_s: float) -> Rgb:
        """Return a frame of an episode; raises UsageError, with the episode and the file, when it cannot be read."""
        try:
            import imageio
        except ImportError:
            raise MissingComponent("mp4 needs imageio.", "Install it with: pip install 'vlp[view]'.") from None
        if episode not in self._begins:
            raise UsageError(f"meta/episodes does not know episode {episode}.", FETCH)
        name, begin_s = self._begins[episode]
        path = whole_file(self._root, name, f"episode {episode}")
        where = f"episode {episode}, frame {number}: {name}"
        try:
            reader: Any = imageio.get_reader(path, format="FFMPEG")  # type: ignore[arg-type]
            with reader:
                about = reader.get_meta_data()
                width, height = about["size"]
                check_size(width, height, where)
                if abs(about["fps"] - self._fps) > self._fps / 100:
                    raise UsageError(f"{where} has {about['fps']:g} frames per second; meta/info.json says {self._fps:g}.")
                return reader.get_data(round((begin_s + time_s) * self._fps))
        except UsageError:
            raise
        except IndexError:
            raise UsageError(f"{where} ends before that frame.", FETCH) from None
        except Exception as error:  # readers of videos raise whatever damaged bytes lead them to
            said = " ".join(str(error).split())[:120] or type(error).__name__
            raise UsageError(f"{where} cannot be read: {said}.", f"Is it a whole mp4? {FETCH}") from None


def _named(wanted: str, names: list[str]) -> str:
    """Return the feature of a name, given whole or by its last part where only one has it; "" for none."""
    ends = [name for name in names if name.rpartition(".")[2] == wanted]
    return wanted if wanted in names else ends[0] if len(ends) == 1 else ""


def _no_colour(feature: dict[str, Any]) -> str:
    """Return why a feature says of itself that it is not a colour picture, "" when it does not."""
    about: dict[str, Any] = {}
    for key in ("info", "video_info"):
        about |= feature[key] if isinstance(feature.get(key), dict) else {}
    if any(about.get(key) is True for key in ("is_depth_map", "video.is_depth_map")) or feature.get("is_depth_map") is True:
        return "it is a depth map"
    pixels = str(about.get("video.pix_fmt", about.get("pix_fmt", "")))
    if pixels.startswith("gray"):
        return f"its pixels are {pixels[:20]}"
    channels = _channels(feature)
    return "" if channels in (None, 3) else f"it has {channels} channels"


def _channels(feature: dict[str, Any]) -> int | None:
    """Return how many channels a feature says it has, None when it does not say."""
    shape, names = feature.get("shape"), feature.get("names")
    if not isinstance(shape, list) or not all(isinstance(n, int) for n in shape):
        return None
    if isinstance(names, list) and len(names) == len(shape):
        at = next((i for i, name in enumerate(names) if str(name).rstrip("s") in ("channel", "c")), None)
        if at is not None:
            return shape[at]
    if len(shape) != 3:
        return 1 if len(shape) == 2 else None
    return 3 if 3 in (shape[0], shape[2]) else min(shape[0], shape[2])


def _no_colour_name(name: str) -> str:
    others = ["depth", "disparity", "infrared", "ir", "thermal", "mask", "masks", "segmentation", "semantic", "normals", "flow"]
    word = next((word for word in re.split(r"[^a-z]+", name.lower()) if word in others), "")
    return f"its name says {word}" if word else ""


def _list(left_out: dict[str, str]) -> str:
    return ", ".join(f"{name[:80]} ({why})" for name, why in list(left_out.items())[:20])
