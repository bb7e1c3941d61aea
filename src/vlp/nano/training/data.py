"""The scenes with labels that nano learns from: what is in an image, and the true state behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import cos, pi, prod, sin
from random import Random
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vlp.core.observation import Intrinsics, project, transform
from vlp.nano.code import CHANNELS, GRID, SLOTS, SeenObject, encode
from vlp.nano.scene import Standing, entries, standing, told
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.truth import ToldTruth, TrueObject, Truth
from vlp.sim.worlds.tabletop.words import COLOURS


@dataclass(frozen=True)
class LabelledScene:
    """What is in one image, and the true state behind it (visible objects only)."""

    objects: tuple[SeenObject, ...]
    truth: Truth

    def entries(self) -> dict[str, str]:
        """Return the scene text's entries from the true places: answers then follow from them, without exception.

        From the boxes the order from left to right is another than the true one in some pairs, and an answer would contradict
        its text. Away from the table things in the picture may lack a true place; there the boxes tell.
        """
        places = self.truth.objects
        seen = [o for o in self.objects if not o.held]
        if any(o.phrase not in places for o in seen):
            return entries(standing(self.objects))
        return entries([_standing(o, places[o.phrase], {s.phrase for s in seen}) for o in seen])

    def text(self) -> str:
        """Return the scene text."""
        return told(self.entries())

    def exact(self) -> "LabelledScene":
        """Return the scene with a state in which the smallest lead is clear, where its text follows from the true places.

        Else few scenes have a clear biggest of a kind that is asked for.
        """
        truth = self.truth
        told_by_boxes = any(o.phrase not in truth.objects for o in self.objects if not o.held)
        return self if told_by_boxes else replace(self, truth=ToldTruth(truth.objects, truth.holding, truth.at))


def _standing(item: SeenObject, place: TrueObject, seen: set[str]) -> Standing:
    x, y, _ = place.position_in_world
    return Standing(item, place.support if place.support in seen else "", x, y, max(place.size_m[:2]))


class FrameSource(Protocol):
    """Rendered frames with labels."""

    def __len__(self) -> int: ...

    def scene(self, index: int) -> LabelledScene:
        """Return the labels of one frame."""
        ...

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, list[LabelledScene]]:
        """Return normalised pixels (b, 3, h, w) with small random changes, and labels that fit them."""
        ...


def code_batch(scenes: Sequence[LabelledScene]) -> Tensor:
    """Return the codes (b, cells, CHANNELS) of scenes."""
    return torch.from_numpy(np.stack([encode(s.objects) for s in scenes])).view(len(scenes), GRID.cells, CHANNELS)


def noisy_codes(scenes: Sequence[LabelledScene], rng: np.random.Generator) -> Tensor:
    """Return codes with errors like those of a trained vision tower: soft decisions, boxes a pixel or two off."""
    code = code_batch(scenes).numpy()
    noisy = code * rng.uniform(0.75, 1.1, code.shape) + np.abs(rng.normal(0, 0.04, code.shape))
    for slot in SLOTS:
        errors = rng.normal(0, 0.05, (*code.shape[:2], 5))
        present = code[..., slot.start : slot.start + 1]
        noisy[..., slot.measures] = (code[..., slot.measures] + errors) * present + errors * 0.5 * (1 - present)
    return torch.from_numpy(noisy.astype(np.float32))


@cache
def _home_camera() -> tuple[np.ndarray, Intrinsics]:
    """Return the head camera's pose in the base frame at the table station, and nano's intrinsics."""
    from vlp.sim import open_embodiment
    from vlp.sim.opengl import mujoco

    body = open_embodiment()
    model = body.spec().compile()
    data = mujoco.MjData(model)
    body.set_home(model, data)
    pose = np.eye(4)
    pose[:3, :3] = data.camera(body.camera).xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = data.camera(body.camera).xpos
    f = body.intrinsics.fx * GRID.width_px / body.intrinsics.width
    return pose, Intrinsics(GRID.width_px, GRID.height_px, f, f, GRID.width_px / 2, GRID.height_px / 2)


def imagined_scene(rng: Random) -> LabelledScene:
    """Return a random table state with the boxes that the head camera would see, without rendering it.

    Occlusion is left out; the hand's place in the picture is a guess. Good for learning language from scene codes.
    """
    truth = sample_truth(rng)
    pose, k = _home_camera()
    yaw = rng.gauss(0, 0.03)
    base = np.eye(4)
    base[:2, :2] = [[cos(yaw), -sin(yaw)], [sin(yaw), cos(yaw)]]
    base[:2, 3] = rng.gauss(0, 0.02), rng.gauss(0, 0.02)
    camera_from_world = np.asarray(np.linalg.inv(base @ pose), np.float64)
    seen: list[SeenObject] = []
    loads = {item.support for item in truth.objects.values()}
    for name, item in truth.objects.items():
        if truth.at != "table":
            continue
        held = item.support == "hand"
        if held:
            if rng.random() < 0.5:
                continue
            x, y = rng.uniform(0, 90), rng.uniform(90, GRID.height_px)
            box = (max(0.0, x - 30), y - 38, x + 30, min(y + 38, GRID.height_px))
        else:
            angles = item.yaw_rad + np.arange(12) * pi / 6
            ring = np.stack([np.cos(angles) * item.size_m[0] / 2, np.sin(angles) * item.size_m[1] / 2], 1)
            points = np.concatenate([np.c_[ring, np.full(12, z)] for z in (-item.size_m[2] / 2, item.size_m[2] / 2)])
            pixels = project(transform(points + np.array(item.position_in_world), camera_from_world), k)
            low, high = pixels.min(0), pixels.max(0)
            box = (max(low[0], 0), max(low[1], 0), min(high[0], GRID.width_px), min(high[1], GRID.height_px))
        if box[2] - box[0] < 6 or box[3] - box[1] < 6:
            continue
        x1, y1, x2, y2 = map(float, box)
        supported, size_m = item.support in truth.objects, prod(item.size_m) ** (1 / 3)
        seen.append(SeenObject(item.colour, item.kind, (x1, y1, x2, y2), supported, name in loads, held, size_m))
    return LabelledScene(tuple(seen), truth)


def recoloured(scene: LabelledScene, rng: Random) -> LabelledScene:
    """Return the scene with its colours exchanged at random, in labels and truth alike."""
    other = dict(zip(COLOURS, rng.sample(COLOURS, len(COLOURS)), strict=True))

    def name(phrase: str) -> str:
        colour, _, kind = phrase.partition(" ")
        return f"{other[colour]} {kind}" if colour in other and kind else phrase

    items = [replace(o, colour=other[o.colour], support=name(o.support)) for o in scene.truth.objects.values()]
    truth = replace(scene.truth, objects={o.phrase: o for o in items}, holding=name(scene.truth.holding))
    return LabelledScene(tuple(replace(o, colour=other[o.colour]) for o in scene.objects), truth)


def shifted_box(item: SeenObject, dx: float, dy: float) -> SeenObject | None:
    """Return the object with its box moved and cut at the image's edge, or None when little is left of it."""
    x1, y1, x2, y2 = item.box
    box = (max(x1 + dx, 0.0), max(y1 + dy, 0.0), min(x2 + dx, float(GRID.width_px)), min(y2 + dy, float(GRID.height_px)))
    if box[2] - box[0] < 0.5 * (x2 - x1) or box[3] - box[1] < 0.5 * (y2 - y1):
        return None
    return replace(item, box=box)
