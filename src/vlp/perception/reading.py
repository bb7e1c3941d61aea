"""Reading what stands in an image: words and digits, and the value that a needle points at among the numbers of a dial."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from PIL import Image

from vlp.core.errors import not_installed
from vlp.core.images import Rgb
from vlp.core.observation import Box
from vlp.perception.dial import dial_value
from vlp.primitives.manifest import Argument, Primitive


@dataclass(frozen=True)
class TextLine:
    """One line of text in an image.

    Args:
        text: what it says.
        box: where, in pixels of the image given.
        score: confidence, 0 to 1.
    """

    text: str
    box: Box
    score: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


class TextFinder(Protocol):
    """Finds lines of text in an image."""

    def lines(self, rgb: Rgb) -> list[TextLine]:
        """Return every line that is legible, from top to bottom; `rgb` is (height, width, 3) uint8."""
        ...


class Ocr:
    """A `TextFinder` by RapidOCR: the detector and the recogniser of PaddleOCR, on the CPU, with the weights of the package."""

    @cached_property
    def _engine(self) -> Any:
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise not_installed("reading text in images needs", error, "read") from None
        # Crops are looked at, not pages, so a short side of 320 px is enough: 0.35 s of processor time, 1.2 s at the usual 736.
        # One thread, so that the same image gives the same text beside other work.
        settings = {
            "Global.log_level": "critical", "Global.use_cls": False, "Det.limit_side_len": 320,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }  # fmt: skip
        return RapidOCR(params=settings)

    def lines(self, rgb: Rgb) -> list[TextLine]:
        """Return every line that is legible, from top to bottom.

        Raises:
            MissingComponent: the package is not installed.
        """
        found = self._engine(np.ascontiguousarray(rgb[..., ::-1]))  # the engine takes blue first
        if found.txts is None or found.boxes is None or found.scores is None:
            return []
        lines: list[TextLine] = []
        for text, corners, score in zip(found.txts, found.boxes, found.scores, strict=True):
            (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
            lines.append(TextLine(text, (left, top, right, bottom), float(score)))
        return sorted(lines, key=lambda line: line.box[1])


def reading() -> Primitive:
    """Return the perception of a robot that reads."""
    said = "Read what stands on one thing: text, digits, or where the needle of a gauge points."
    what = Argument("object", "phrase", 'What to read, e.g. "gauge".')
    return Primitive("read", "perception", said, (what,), result="answer", timeout_s=30.0)


def read(rgb: Rgb, box: Box, finder: TextFinder) -> str:
    """Return what stands on a thing: the value of a dial's needle, else the text, lines apart by " / "; "" for nothing.

    Args:
        rgb: the image, (height, width, 3) uint8.
        box: where the thing is in it, in pixels.
        finder: finds the text.
    """
    near = _closer(rgb, box)
    lines = [line for line in finder.lines(near) if line.score >= 0.8]  # below it is what a blurred edge is taken for
    value = dial_value(near, [(number, line.middle) for line in lines if (number := _number(line.text)) is not None])
    if value is not None:
        return f"{value:.3g}"
    return " / ".join(line.text.strip() for line in lines)


def _closer(rgb: Rgb, box: Box, side_px: int = 320) -> Rgb:
    """Return the part of an image with a tenth around it, enlarged until its shorter side has so many pixels."""
    height, width, _ = rgb.shape
    left, top, right, bottom = box
    more_x, more_y = 0.1 * (right - left), 0.1 * (bottom - top)
    x0, x1 = max(0, round(left - more_x)), min(width, round(right + more_x))
    y0, y1 = max(0, round(top - more_y)), min(height, round(bottom + more_y))
    part = Image.fromarray(rgb[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)])
    times = min(max(1.0, side_px / min(part.size)), 4096 / max(part.size))
    if times > 1.0:
        part = part.resize((round(part.width * times), round(part.height * times)), Image.Resampling.BICUBIC)
    return np.asarray(part)


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None
