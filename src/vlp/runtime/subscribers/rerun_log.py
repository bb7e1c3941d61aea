"""run.rrd: camera, depth, boxes, poses and steps on one time line, for the Rerun viewer."""

import contextlib
import importlib.util
import threading
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent
from vlp.core.files import write_whole
from vlp.core.images import decode_image
from vlp.core.observation import Located, Observation
from vlp.journal import Event
from vlp.runtime.story import Story

FILE_NAME = "run.rrd"
LEVELS = {"trigger": "WARN", "report": "WARN", "world": "WARN", "end": "INFO"}


class RerunLog:
    """Records a run for Rerun, whose import takes a third of a run's start: it waits until the robot has moved.

    Args:
        out: the run's directory.

    Raises:
        MissingComponent: Rerun is not installed.
    """

    def __init__(self, out: str | Path) -> None:
        try:
            found = importlib.util.find_spec("rerun")
        except ImportError:
            found = None
        if found is None:
            raise MissingComponent("recordings need rerun-sdk.", "pip install 'vlp[view]'")
        Path(out).mkdir(parents=True, exist_ok=True)
        self._rr: Any = None
        self._path = Path(out) / FILE_NAME
        self._story = Story()
        self._recorded: Any = None
        self._waiting: list[Event] = []
        self._importing = threading.Thread(target=_import, name="rerun", daemon=True)

    def on_event(self, event: Event) -> None:
        """Record what one event shows; raises MissingComponent where Rerun does not load."""
        self._waiting.append(event)
        ended = event.kind == "run-finished"
        if self._importing.ident is None and (ended or event.data.get("kind") == "action"):  # the end of an action
            self._importing.start()
        if self._importing.ident is not None and (ended or not self._importing.is_alive()):
            self._record_all()

    def _record_all(self) -> None:
        """Record what has waited."""
        self._importing.join()
        if self._rr is None:
            try:
                import rerun
            except ImportError as error:
                raise MissingComponent(f"recordings need rerun-sdk, which does not load: {error}.") from None
            self._rr = rerun
            self._begin()
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._record(event)

    def _record(self, event: Event) -> None:
        if event.kind == "run-resumed" and self._recorded is None:
            self._begin()  # what came before is written: the past of a resumed run ends with that run's own end
        shown = len(self._story.moments)
        self._story.on_event(event)
        self._to.set_time("run", duration=self._story.now_s)
        for _, kind, text in self._story.moments[shown:]:
            self._to.log("log", self._rr.TextLog(f"{kind}: {text}", level=LEVELS.get(kind, "INFO")))
        record = _RECORDS.get(event.kind)
        if record:
            record(self, event)
        if event.kind == "run-finished":
            self._write()

    def close(self) -> None:
        """Write the recording of a run that ended without an end; does nothing the second time."""
        with contextlib.suppress(MissingComponent):
            if self._waiting:
                if self._importing.ident is None:
                    self._importing.start()
                self._record_all()
            self._write()

    def _begin(self) -> None:
        self._to: Any = self._rr.RecordingStream("vlp")
        # Kept in memory until the end: Rerun's own file writer waits for ever once the disk is full, also as the process ends.
        self._recorded: Any = self._to.binary_stream()
        self._to.log("world", self._rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def _write(self) -> None:
        recorded, self._recorded = self._recorded, None
        if recorded is not None:
            write_whole(self._path, recorded.read() or b"")

    def _observation(self, event: Event) -> None:
        rr = self._rr
        seen = event.live
        if isinstance(seen, Observation):
            k, pose = seen.intrinsics, seen.camera_in_base
            self._to.log("world/base", _base(rr, seen.state.base_in_world))
            if pose is not None:
                self._to.log("world/base/camera", rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
            if k is not None:
                self._to.log(
                    "world/base/camera/image",
                    rr.Pinhole(
                        focal_length=(k.fx, k.fy), principal_point=(k.cx, k.cy), width=k.width, height=k.height,
                        camera_xyz=rr.ViewCoordinates.RDF,
                    ),
                )  # fmt: skip
            self._to.log("world/base/camera/image/rgb", rr.Image(seen.rgb).compress(jpeg_quality=80))
            if seen.depth_m is not None:
                self._to.log("world/base/camera/image/depth", rr.DepthImage(seen.depth_m, meter=1.0))
            if seen.state.hand_in_base is not None:
                self._to.log("world/base/hand", rr.Points3D([seen.state.hand_in_base], radii=[0.02]))
        elif event.blob:
            self._to.log("world/base/camera/image/rgb", rr.Image(decode_image(event.blob)).compress(jpeg_quality=80))

    def _belief(self, event: Event) -> None:
        phrase, located = event.data["phrase"], event.data["located"]
        if located is None:
            self._to.log(_path(phrase), self._rr.Clear(recursive=True))
        else:
            self._thing(Located.from_json({**located, "phrase": phrase}))

    def _step_finished(self, event: Event) -> None:
        result = event.data["result"]
        values = result["value"] if isinstance(result["value"], list) else [result["value"]]
        for value in values:
            if isinstance(value, dict) and "position_in_world" in value:
                self._thing(Located.from_json(value))
        self._to.log("steps", self._rr.TextLog(f"{event.data['id']} {event.data['do']}: {event.data['status']}"))

    def _policy(self, event: Event) -> None:
        text = "\n".join(f"- {step['text']}" for step in event.data["steps"])
        goal = event.data["policy"]["policy"].get("goal", "")
        document = self._rr.TextDocument(f"## {goal}\n{text}", media_type=self._rr.MediaType.MARKDOWN)
        self._to.log("policy", document)

    def _thing(self, at: Located) -> None:
        rr = self._rr
        turn = rr.RotationAxisAngle(axis=(0, 0, 1), radians=at.yaw_rad)
        half = [max(size, 0.002) / 2 for size in at.size_m]
        self._to.log(
            _path(at.phrase),
            rr.Boxes3D(centers=[at.position_in_world], half_sizes=[half], labels=[at.phrase], rotation_axis_angles=[turn]),
        )
        x1, y1, x2, y2 = at.box
        box = rr.Boxes2D(mins=[(x1, y1)], sizes=[(x2 - x1, y2 - y1)], labels=[at.phrase])
        self._to.log(f"world/base/camera/image/boxes/{_name(at.phrase)}", box)


def _import() -> None:
    with contextlib.suppress(ImportError):  # told by whoever imports it next
        import rerun  # noqa: F401


def _base(rr: Any, base_in_world: tuple[float, float, float]) -> Any:
    x, y, yaw = base_in_world
    return rr.Transform3D(translation=(x, y, 0), rotation=rr.RotationAxisAngle(axis=(0, 0, 1), radians=yaw))


def _name(phrase: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in phrase)[:64] or "thing"


def _path(phrase: str) -> str:
    return f"world/things/{_name(phrase)}"


_RECORDS = {
    "observation": RerunLog._observation,
    "belief": RerunLog._belief,
    "step-finished": RerunLog._step_finished,
    "policy": RerunLog._policy,
}
