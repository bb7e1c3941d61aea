"""The frames of films: the picture alone with two lines below it, or beside the plan with its steps as they are done."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vlp.runtime.story import Chapter, Story

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Rgb = NDArray[np.uint8]
COLOURS = {
    "dark": (16, 20, 28), "light": (244, 245, 248), "faint": (128, 134, 146), "now": (150, 205, 255),
    "": (84, 92, 108), "running": (255, 196, 84), "succeeded": (94, 196, 122), "failed": (232, 104, 92),
}  # fmt: skip
"""Of the page, and of steps by their status; every other status is a failure's."""


@dataclass(frozen=True)
class FilmMoment:
    """What one frame shows.

    Args:
        view: what an audience sees, (height, width, 3) uint8 of any size.
        look: the picture that the policy was written from; None before, or where `view` is that.
        look_age_s: how old that is, by the robot's clock.
        story: the run so far.
    """

    view: Rgb
    look: Rgb | None
    look_age_s: float
    story: Story

    @property
    def captions(self) -> tuple[str, str]:
        """The sentence in force, and what the robot is doing or how the run ended."""
        story = self.story
        said = story.instructions[-1] if story.instructions else ""
        if story.end:
            return said, story.account
        rows = story.chapters[-1].rows if story.chapters else []
        return said, next((in_words(row.text) for row in rows if row.status == "running"), story.waiting)


@dataclass(frozen=True)
class FilmLayout:
    """How a film's frames look.

    Args:
        size_px: width and height.
        view_px: size that the audience's picture is drawn in at best; it is shrunk where it is shown, for edges without steps.
        draw: makes a frame.
    """

    size_px: tuple[int, int]
    view_px: tuple[int, int]
    draw: Callable[[FilmMoment], Rgb]


def in_words(step: str) -> str:
    """Return a step's text without its number, names of references and arguments: "grasp red cube" of "1.2 grasp $red_cube"."""
    text = re.sub(r"^[\d.]+ |-> \$\w+$|\b\w+=", "", step)
    return text.replace("$", "").replace("_", " ").strip()


def small(moment: FilmMoment) -> Rgb:
    """Return the picture with the robot's own view in a corner and two lines of caption at the bottom."""
    from PIL import Image, ImageDraw

    width, height = LAYOUTS["small"].size_px
    frame = Image.fromarray(moment.view).resize((width, height))
    inset_share, caption_px = 0.3, 56
    if moment.look is not None:
        w = round(inset_share * width)
        h = round(w * moment.look.shape[0] / moment.look.shape[1])
        frame.paste((255, 255, 255), (width - w - 14, 10, width - 10, h + 32))
        frame.paste(Image.fromarray(moment.look).resize((w, h)), (width - w - 12, 12))
        ImageDraw.Draw(frame).text((width - w - 10, h + 14), _look_told(moment), font=_font(13), fill=COLOURS["dark"])
    pen = ImageDraw.Draw(frame, "RGBA")
    pen.rectangle((0, height - caption_px, width, height), fill=(*COLOURS["dark"], 200))
    for line, (text, colour) in enumerate(zip(moment.captions, (COLOURS["light"], COLOURS["now"]), strict=True)):
        pen.text((14, height - caption_px + 5 + 24 * line), _printable(text)[:72], font=_font(18), fill=colour)
    return np.asarray(frame.convert("RGB"))


def wide(moment: FilmMoment) -> Rgb:
    """Return the picture, and beside it the robot's own view, the sentence and the plan with its steps as they are done."""
    from PIL import Image, ImageDraw

    width, height = LAYOUTS["wide"].size_px
    view_w, view_h = height * 4 // 3, height
    frame = Image.new("RGB", (width, height), COLOURS["dark"])
    frame.paste(Image.fromarray(moment.view).resize((view_w, view_h), Image.Resampling.LANCZOS), (0, 0))
    pen = ImageDraw.Draw(frame, "RGBA")
    left, top, right = view_w + 16, 14, width - 16
    if moment.look is not None:
        w = right - left
        h = round(w * moment.look.shape[0] / moment.look.shape[1])
        frame.paste(Image.fromarray(moment.look).resize((w, h), Image.Resampling.LANCZOS), (left, top))
        pen.text((left, top + h + 3), _look_told(moment), font=_font(13), fill=COLOURS["faint"])
        top += h + 30
    for line in textwrap.wrap(f"“{_printable(moment.captions[0])}”", 34)[:4]:
        pen.text((left, top), line, font=_font(17), fill=COLOURS["light"])
        top += 23
    if moment.story.chapters:
        _plan(pen, moment.story.chapters[-1], (left, top + 8, right, height - 12))
    pen.rectangle((0, height - 44, view_w, height), fill=(*COLOURS["dark"], 190))
    pen.text((18, height - 36), _printable(moment.captions[1])[:90], font=_font(21), fill=COLOURS["now"])
    return np.asarray(frame)


def _plan(pen: ImageDraw, chapter: Chapter, area: tuple[int, int, int, int]) -> None:
    """Draw a policy's subtasks and steps, each with the colour of what became of it, as many as there is room for."""
    left, top, right, bottom = area
    rows = [(name, row) for name, steps in groupby(chapter.rows, key=lambda row: row.subtask) for row in [None, *steps]]
    step_px, room = 21, (bottom - top - 26) // 21
    why = f"policy {chapter.revision}" + (f": {chapter.whys[-1]}" if chapter.whys else "")
    pen.text((left, top), _printable(why)[:40], font=_font(14), fill=COLOURS["faint"])
    now = next((i for i, (_, row) in enumerate(rows) if row and row.status in ("", "running")), len(rows))
    first = max(0, min(now - room // 2, len(rows) - room))
    for i, (name, row) in enumerate(rows[first : first + room]):
        y = top + 26 + step_px * i
        if row is None:
            pen.text((left, y), _printable(name)[:38], font=_font(15), fill=COLOURS["light"])
            continue
        colour = COLOURS.get(row.status, COLOURS["failed"])
        if row.status == "running":
            pen.rounded_rectangle((left + 2, y - 2, right, y + 18), 4, fill=(*COLOURS["running"], 50))
        pen.ellipse((left + 8, y + 4, left + 17, y + 13), fill=colour)
        ink = COLOURS["light" if row.status in ("", "running") else "faint"]
        pen.text((left + 26, y), _printable(row.told)[:37], font=_font(14), fill=ink)


def _look_told(moment: FilmMoment) -> str:
    """Return how old the picture is that the policy was written from, in words."""
    return f"planned from this, {moment.look_age_s:.0f} s ago" if moment.look_age_s >= 0.5 else "planned from this"


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _font(size_px: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size_px)


LAYOUTS = {"small": FilmLayout((640, 480), (640, 480), small), "wide": FilmLayout((1280, 720), (1440, 1080), wide)}
"""Films by name, as `vlp run --film` takes it."""
