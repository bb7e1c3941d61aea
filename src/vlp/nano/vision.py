"""The grounder in vlp-nano: its vision tower writes what it sees into the image tokens, and this reads it off.

Two passes of 2.4 million parameters find every object of an image; no text is decoded.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vlp.core.images import Rgb
from vlp.core.observation import Box
from vlp.models.folder import check_folder
from vlp.models.loading import load_model
from vlp.models.sight import Sight
from vlp.nano import folders
from vlp.nano.code import CHANNELS, GRID, Array, SeenObject, decode, seen_twice
from vlp.sim.worlds.tabletop.words import phrases_in


class Detector:
    """nano's vision tower as a detector.

    Args:
        folder: a folder of nano; None takes the shipped one.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        checked = check_folder(Path(folder) if folder else folders.shipped())
        self.sight = Sight(load_model(checked, None, torch.device("cpu"), torch.float32).model.visual, joined=True)
        self._last: tuple[Rgb, Array] | None = None
        self.grid = (1, GRID.height_px // GRID.patch_px, GRID.width_px // GRID.patch_px)

    def see(self, rgb: Rgb) -> list[SeenObject]:
        """Return the objects in an image, best first, with boxes in pixels of 432 x 324."""
        return decode(seen_twice(self.code, rgb))

    def code(self, images: Sequence[Rgb]) -> list[Array]:
        """Return the scene codes (rows, columns, CHANNELS) that the tower writes for images."""
        with torch.inference_mode():
            tokens = [self.sight.read(patches(rgb), self.grid) for rgb in images]
        return [each[:, :CHANNELS].numpy().reshape(GRID.rows, GRID.columns, CHANNELS) for each in tokens]

    def detect(self, rgb: Rgb, phrase: str = "") -> list[tuple[str, str, float, Box]]:
        """Return (colour, kind, score, box in pixels of the image) of every object, best first.

        Args:
            rgb: the image; looked at once, however often it is asked about.
            phrase: what is looked for; a thing named in it is likely to be there.
        """
        if self._last is None or self._last[0] is not rgb:
            self._last = (rgb, seen_twice(self.code, rgb))
        sx, sy = rgb.shape[1] / GRID.width_px, rgb.shape[0] / GRID.height_px
        found = decode(self._last[1], phrases_in(phrase))
        return [(o.colour, o.kind, o.score, (o.box[0] * sx, o.box[1] * sy, o.box[2] * sx, o.box[3] * sy)) for o in found]


def patches(rgb: Rgb) -> torch.Tensor:
    """Return the image's patches as the stock image processor lays them out, at 432 x 324 whatever its shape."""
    small = Image.fromarray(rgb).resize((GRID.width_px, GRID.height_px), Image.Resampling.BICUBIC)
    pixels: NDArray[np.float32] = np.asarray(small, np.float32).transpose(2, 0, 1) / 127.5 - 1.0
    merge, patch = GRID.merge, GRID.patch_px
    x = pixels.reshape(3, GRID.rows, merge, patch, GRID.columns, merge, patch).transpose(1, 4, 2, 5, 0, 3, 6)
    x = x.reshape(-1, 3, 1, patch * patch).repeat(2, axis=2)
    return torch.from_numpy(np.ascontiguousarray(x.reshape(len(x), -1)))


@cache
def _shipped() -> Detector:
    return Detector()


def detect(rgb: Rgb, phrase: str = "") -> list[tuple[str, str, float, Box]]:
    """Return what the shipped nano sees (see `Detector.detect`); loaded on first use."""
    return _shipped().detect(rgb, phrase)
