"""How a model takes an image, and how it writes where things are in it."""

import math
from dataclasses import dataclass
from typing import Literal

from vlp.core.camera import Box


@dataclass(frozen=True)
class ImageView:
    """The size at which a model sees an image, and the numbers in which it writes places; by default as Qwen2.5-VL.

    Args:
        side_px: width and height of what it sees are multiples of this; 1 for any size.
        least_px, most_px: bounds on the pixels of what it sees; a smaller image is enlarged, a larger one made smaller.
        unit: "pixel" of the image as it sees it, or "thousandth" of the image's width and height.
        marks: what it is asked for: the "box" around a thing, or a "point" on it.
    """

    side_px: int = 28
    least_px: int = 56 * 56
    most_px: int = 28 * 28 * 16384
    unit: Literal["pixel", "thousandth"] = "pixel"
    marks: Literal["box", "point"] = "box"

    def seen_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height, in pixels, of an image of this width and height as the model sees it.

        This is the rule of Qwen's image processor (`smart_resize` in transformers).
        """
        side, pixels = self.side_px, width * height
        columns, rows = round(width / side), round(height / side)
        if rows * columns * side * side > self.most_px:
            shrink = math.sqrt(pixels / self.most_px)
            columns, rows = (max(1, math.floor(n / shrink / side)) for n in (width, height))
        elif rows * columns * side * side < self.least_px:
            grow = math.sqrt(self.least_px / pixels)
            columns, rows = (math.ceil(n * grow / side) for n in (width, height))
        return columns * side, rows * side

    def to_image(self, box: Box, width: int, height: int) -> Box:
        """Return a box that the model wrote in pixels of an image of this width and height, cut off at its borders."""
        across, down = (1000, 1000) if self.unit == "thousandth" else self.seen_size(width, height)
        sx, sy = width / across, height / down
        x1, y1, x2, y2 = box

        def within(value: float, most: int) -> float:
            return min(max(value, 0.0), float(most))

        return within(x1 * sx, width), within(y1 * sy, height), within(x2 * sx, width), within(y2 * sy, height)
