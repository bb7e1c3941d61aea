"""run.mp4: what an audience sees while a run goes on."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent, lookup
from vlp.core.observation import Observation
from vlp.journal import Event
from vlp.runtime.story import Story
from vlp.runtime.subscribers.film_frames import LAYOUTS, FilmMoment

FILE_NAME = "run.mp4"
Rgb = NDArray[np.uint8]
STILL_FRAMES = 8
"""Frames for which the picture stands when a policy is written and at the end."""


class Video:
    """Records frames with captions.

    Args:
        out: the run's directory.
        audience: returns the picture of this moment; called from the robot's thread. None shows the robot's view alone.
        fps: frames per second of the film.
        layout: a row of `vlp.runtime.subscribers.film_frames.LAYOUTS`.

    Raises:
        UsageError: no such layout.
        MissingComponent: no encoder is installed.
    """

    def __init__(
        self, out: str | Path, audience: Callable[[], Rgb] | None = None, fps: int = 10, layout: str = "small"
    ) -> None:
        try:
            import imageio_ffmpeg
        except ImportError:
            raise MissingComponent("videos need imageio-ffmpeg.", "pip install 'vlp[view]'") from None
        self.fps = fps
        self.frames = 0
        self._audience = audience
        self._layout = lookup(layout, LAYOUTS, "film")
        self._story = Story()
        self._inset: Rgb | None = None
        self._now_s = self._looked_s = 0.0  # by the clock of `recorder`
        self._path = Path(out) / FILE_NAME
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._encoder: Callable[..., Any] = imageio_ffmpeg.write_frames
        self._reader: Callable[[str], Any] = imageio_ffmpeg.read_frames
        self._writer: Any = None  # made for the first frame: a film without one is no film
        self._ended, self._fault = False, ""

    def on_event(self, event: Event) -> None:
        """Take captions and the robot's view from events; the film of a resumed run begins where that run went on.

        Raises:
            MissingComponent: a frame could not be written; the film ends there.
        """
        if self._fault:
            raise MissingComponent(self._fault)
        self._story.on_event(event)
        if isinstance(event.live, Observation):
            self._inset, self._looked_s = event.live.rgb, self._now_s
        # Events of the past come first when a run is resumed, the end of a stopped one among them: nothing is seen live yet,
        # and the film goes on after that end until `close`.
        if event.kind in ("policy", "run-finished") and self._inset is not None:
            self.tick(STILL_FRAMES)
        if event.kind == "run-finished" and self._inset is not None:
            self.close()  # now, while a person can be told that it is not whole
            if self._fault:
                raise MissingComponent(self._fault)

    def tick(self, copies: int = 1) -> None:
        """Record the picture of this moment."""
        view = self._audience() if self._audience else self._inset
        if self._ended or view is None:
            return
        look = self._inset if self._audience else None
        frame = self._layout.draw(FilmMoment(view, look, self._now_s - self._looked_s, self._story))
        try:
            if self._writer is None:
                self._writer = self._encoder(
                    str(self._path), self._layout.size_px, fps=self.fps, codec="libx264", macro_block_size=8, quality=6,
                    ffmpeg_log_level="quiet",
                )  # fmt: skip
                self._writer.send(None)
            for _ in range(copies):
                self._writer.send(frame)
        except OSError:  # not here: this may be the robot's thread, whose step must not fail for a film
            self.close()
            self._fault = f"{self._path.name} cannot be written: the encoder ended. Is the disk full?"
            return
        self.frames += copies

    def recorder(self, speed: float = 2.0) -> Callable[[float], None]:
        """Return a function of the simulated time in seconds that records a frame whenever one is due.

        Args:
            speed: how many times faster than simulated time the film runs.
        """
        due_s = 0.0

        def tick(now_s: float) -> None:
            nonlocal due_s
            self._now_s = now_s
            if now_s + 1e-9 >= due_s:
                due_s = now_s + speed / self.fps
                self.tick()

        return tick

    def close(self) -> None:
        """End the film; does nothing the second time."""
        self._ended = True
        if self._writer is None:
            return
        with contextlib.suppress(OSError):
            self._writer.close()
        self._writer = None
        try:
            reader = self._reader(str(self._path))
            next(reader)
            reader.close()
        except (OSError, RuntimeError):  # the encoder says nothing of a disk that was full at the end of the film
            self._path.unlink(missing_ok=True)
            self._fault = f"{self._path.name} could not be written to its end and is deleted. Is the disk full?"
