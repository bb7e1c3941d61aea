"""Rendered frames on disk as a `FrameSource`: labels as scenes, pixels with small random changes."""

from dataclasses import replace
from math import prod
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vlp.nano.code import GRID, SeenObject
from vlp.nano.training.data import LabelledScene, imagined_scene, recoloured, shifted_box
from vlp.sim.worlds.tabletop.frames import read_dataset
from vlp.sim.worlds.tabletop.labels import seen_rows, seen_truth


def labelled(label: dict[str, Any]) -> LabelledScene:
    """Return one frame's label as a scene: what is seen, and the true state without what is not."""
    every = {row["phrase"] for row in label["objects"]}
    seen = seen_rows(label)
    loads = {row["support"] for row in seen.values()}
    objects = tuple(
        SeenObject(
            r["colour"], r["kind"], tuple(r["box"]), r["support"] in every, p in loads, p == label["holding"],
            prod(r["size_m"]) ** (1 / 3),
        )
        for p, r in seen.items()
    )  # fmt: skip
    return LabelledScene(objects, seen_truth(label))


class RenderedFrames:
    """Frames that `vlp.sim.worlds.tabletop.frames.render_dataset` wrote.

    Args:
        folder: where they lie.
        split: which of them.
    """

    def __init__(self, folder: Path, split: str = "train") -> None:
        shards, labels = read_dataset(folder, split)
        self.scenes = [labelled(label) for label in labels]
        self.shards = shards
        self.place = [(s, i) for s, shard in enumerate(shards) for i in range(len(shard))]

    def __len__(self) -> int:
        return len(self.scenes)

    def scene(self, index: int) -> LabelledScene:
        """Return the labels of one frame."""
        return self.scenes[index]

    def image(self, index: int) -> np.ndarray:
        """Return one frame's pixels (324, 432, 3) uint8."""
        shard, row = self.place[index]
        return self.shards[shard][row]

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, list[LabelledScene]]:
        """Return normalised pixels, shifted, mirrored and lit at random, and labels whose boxes fit; their true state no
        longer does."""
        reach = 18
        images = np.empty((len(indices), GRID.height_px, GRID.width_px, 3), np.float32)
        scenes: list[LabelledScene] = []
        for row, index in enumerate(indices):
            image, scene = self.image(int(index)), self.scenes[int(index)]
            dx, dy = (int(v) for v in rng.integers(-reach, reach + 1, size=2))
            moved = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
            moved = moved[reach - dy : reach - dy + GRID.height_px, reach - dx : reach - dx + GRID.width_px]
            objects = tuple(o for o in (shifted_box(o, dx, dy) for o in scene.objects) if o is not None)
            if rng.random() < 0.5:
                moved = moved[:, ::-1]
                objects = tuple(_mirrored(o) for o in objects)
            gain = rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, size=3)
            images[row] = moved * gain + rng.uniform(-8, 8)
            scenes.append(LabelledScene(objects, scene.truth))
        images += rng.normal(0, 2.0, images.shape[:3])[..., None].astype(np.float32)
        pixels = torch.from_numpy(images.clip(0, 255)).permute(0, 3, 1, 2).div_(127.5).sub_(1.0)
        return pixels, scenes


def _mirrored(item: SeenObject) -> SeenObject:
    x1, y1, x2, y2 = item.box
    return replace(item, box=(GRID.width_px - x2, y1, GRID.width_px - x1, y2))


class ImaginedScenes:
    """Endless scenes without pictures, for the language stage; half of them with the labels of rendered frames.

    Args:
        frames: rendered frames to draw labels from; None for imagined ones alone.
    """

    def __init__(self, frames: RenderedFrames | None = None) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return 2**40

    def scene(self, index: int) -> LabelledScene:
        """Return the scene that follows from a number."""
        rng = Random(index)
        if self.frames is not None and index % 2:
            return recoloured(self.frames.scene(rng.randrange(len(self.frames))), rng)
        return imagined_scene(rng)

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, list[LabelledScene]]:
        """Raise: there are no pictures."""
        raise NotImplementedError("imagined scenes have no pictures")
