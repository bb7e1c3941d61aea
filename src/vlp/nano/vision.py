"""The grounder in vlp-nano: its vision tower writes what it sees into the image tokens, and this reads it off.

Two passes of 2.4 million parameters find every object of an image; no text is decoded.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image

from vlp.core.images import Rgb
from vlp.core.observation import Box
from vlp.models.chat import digest_of
from vlp.models.folder import read_json
from vlp.models.numpy_model import PatchCutter, tower_of
from vlp.nano import folders
from vlp.nano.code import CHANNELS, GRID, Array, SeenObject, decode, seen_twice
from vlp.sim.worlds.tabletop.words import phrases_in


class Detector:
    """nano's vision tower as a detector.

    Args:
        folder: a folder of nano; None takes the shipped one.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        folder = Path(folder) if folder else folders.shipped()
        self.visual, self._cutter = tower_of(folder), PatchCutter(read_json(folder / "preprocessor_config.json"))
        self._last: tuple[Rgb, Array] | None = None

    def see(self, rgb: Rgb) -> list[SeenObject]:
        """Return the objects in an image, best first, with boxes in pixels of 432 x 324, whatever its shape."""
        return decode(seen_twice(self.code, rgb))

    def code(self, images: Sequence[Rgb]) -> list[Array]:
        """Return the scene codes (rows, columns, CHANNELS) that the tower writes for images."""
        grid = (1, GRID.rows * GRID.merge, GRID.columns * GRID.merge)

        def look(rgb: Rgb) -> Array:
            return self.visual.seen(digest_of(rgb), grid, lambda: self._cutter.cut(_small(rgb)))

        return [look(rgb)[:, :CHANNELS].reshape(GRID.rows, GRID.columns, CHANNELS) for rgb in images]

    def detect(self, rgb: Rgb, phrase: str = "") -> list[tuple[str, str, float, Box]]:
        """Return (colour, kind, score, box in pixels of the image) of every object, best first.

        Args:
            rgb: the image; looked at once, however often it is asked about.
            phrase: what is looked for; a thing named in it is likely to be there.
        """
        last = self._last
        if last is None or last[0] is not rgb:
            last = self._last = (rgb, seen_twice(self.code, rgb))  # of two threads, each has its own
        sx, sy = rgb.shape[1] / GRID.width_px, rgb.shape[0] / GRID.height_px
        found = decode(last[1], phrases_in(phrase))
        return [(o.colour, o.kind, o.score, (o.box[0] * sx, o.box[1] * sy, o.box[2] * sx, o.box[3] * sy)) for o in found]


def _small(rgb: Rgb) -> Image.Image:
    return Image.fromarray(rgb).resize((GRID.width_px, GRID.height_px), Image.Resampling.BICUBIC)


@cache
def _shipped() -> Detector:
    return Detector()


def detect(rgb: Rgb, phrase: str = "") -> list[tuple[str, str, float, Box]]:
    """Return what the shipped nano sees (see `Detector.detect`); loaded on first use."""
    return _shipped().detect(rgb, phrase)
