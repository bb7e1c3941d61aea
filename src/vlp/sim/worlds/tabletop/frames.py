"""Training pictures for the embedded model: what the head camera sees in the middle of tasks, with the truth beside it.

A frame is a function of its seed alone. `render_dataset` writes them in shards: `<split>-00000.npy`, uint8
(n, 324, 432, 3), and `<split>-00000.jsonl` with one line per frame. A shard that exists is finished, so an interrupted
run goes on where it stopped.
"""

import json
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Box
from vlp.sim import open_embodiment
from vlp.sim.opengl import mujoco
from vlp.sim.render import Camera
from vlp.sim.simulation import set_pose
from vlp.sim.truth import Truth
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.building import BIN, build
from vlp.sim.worlds.tabletop.layout import stand_at
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.tabletop import Tabletop
from vlp.sim.worlds.tabletop.true_state import read_truth
from vlp.sim.worlds.tabletop.words import THINGS
from vlp.sim.worlds.tabletop.world import arrange, sample_scene

WIDTH_PX, HEIGHT_PX = 432, 324
SHARD = 500

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class FrameObject:
    """One object of a frame.

    Args:
        colour, kind: words of `vlp.sim.worlds.tabletop.words`.
        box: its visible part in pixels of the 432 x 324 image, None when no pixel shows.
        fraction: visible pixels as a share of its whole outline, 0 to 1 (a bowl with a ball in it has less than 1).
        pixels: visible pixels in the 432 x 324 image.
        support, relation: what it rests on or in, as in `vlp.sim.truth`; ("hand", "in") when held.
        position_in_world: x, y, z of its middle in metres.
        size_m: length, width, height.
        yaw_rad, upright: its rotation, and whether it stands.
    """

    colour: str
    kind: str
    box: Box | None
    fraction: float
    pixels: float
    support: str
    relation: str
    position_in_world: tuple[float, float, float]
    size_m: tuple[float, float, float]
    yaw_rad: float
    upright: bool


@dataclass(frozen=True)
class Frame:
    """A picture as the model will see it and what is true in it.

    Args:
        seed: what it was made from.
        rgb: (324, 432, 3) uint8.
        objects: every object in the world, seen or not.
        holding: the phrase of the held object, "" for an empty hand.
        at: the place the robot stands at.
        base_in_world: x, y, yaw of the base.
    """

    seed: int
    rgb: Rgb
    objects: tuple[FrameObject, ...]
    holding: str
    at: str
    base_in_world: tuple[float, float, float]

    @property
    def before_things(self) -> bool:
        """Whether the robot stands where it sees what there is."""
        return self.at == "table"

    def labels(self) -> dict[str, Any]:
        """Return everything but the picture as plain data."""
        fields = {"seed": self.seed, "holding": self.holding, "at": self.at, "base_in_world": self.base_in_world}
        return {**fields, "objects": [{"phrase": f"{o.colour} {o.kind}", **asdict(o)} for o in self.objects]}


def shrink(rgb: Rgb) -> Rgb:
    """Return a camera image at the model's size, resized as the model's image processor does (antialiased bicubic)."""
    from PIL import Image

    return np.asarray(Image.fromarray(rgb).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC))


def arranged(seed: int) -> tuple[Scene, SceneObject | None, np.random.Generator]:
    """Return the scene of a frame before things settle, what will be held, and the chance that is left: 100 times cheaper."""
    rng = np.random.default_rng([seed, 29])
    scene = sample_scene(seed)
    scene = replace(scene, objects=arrange(list(scene.objects), scene.table, rng, (0.38, 0.30, 0.20, 0.12), crowded=True))
    held = _choose_held(scene, rng)
    return _bin_some(scene, held, rng), held, rng


def render_frame(seed: int, lying_odds: float = 0.03) -> Frame:
    """Return the frame of a seed.

    Args:
        seed: everything in it follows from this.
        lying_odds: how often a bottle, can, mug or block on the table has fallen over.
    """
    scene, held, rng = arranged(seed)
    body, stations = open_embodiment(), Tabletop().stations(scene)
    model = build(scene, body.spec())
    data = mujoco.MjData(model)
    at = str(rng.choice(("table", "bin", "start"), p=(0.94, 0.03, 0.03)))
    stand = body.stations(stations)[at]
    body.set_home(model, data, stand)
    _settle(model, data, scene, held, lying_odds, rng)
    base = body.pose_near(model, data, stand, rng)
    if held:
        body.put_in_hand(model, data, held.phrase, held.size_m, rng)
    mujoco.mj_forward(model, data)
    truth = read_truth(model, data, scene.objects, body.fingers, at=at, held=held.phrase if held else "")
    camera = Camera(model, body.camera)
    seen = camera.visible(data, list(truth.objects))
    objects = tuple(_frame_object(name, truth, seen, WIDTH_PX / camera.width) for name in truth.objects)
    return Frame(seed, shrink(camera.rgb(data)), objects, truth.holding, at, base)


def _choose_held(scene: Scene, rng: np.random.Generator) -> SceneObject | None:
    """Return the thing to be held, or None: nothing that carries another."""
    carriers = {o.support for o in scene.objects}
    free = [o for o in scene.objects if o.kind in THINGS and o.phrase not in carriers]
    return free[int(rng.integers(len(free)))] if free and rng.random() < 0.30 else None


def _bin_some(scene: Scene, held: SceneObject | None, rng: np.random.Generator) -> Scene:
    """Put some loose things into the bin, as in the middle of clearing the table."""
    if rng.random() >= 0.12:
        return scene
    carriers = {o.support for o in scene.objects}
    loose = [o.phrase for o in scene.objects if o.kind in THINGS and o is not held and o.phrase not in carriers]
    gone = rng.permutation(loose)[: int(rng.integers(1, 4))].tolist()
    objects = list(scene.objects)
    for i, thing in enumerate(objects):
        if thing.phrase in gone:
            layer = gone.index(thing.phrase)
            x, y = BIN.at_m[0] + rng.uniform(-0.08, 0.08), BIN.at_m[1] + rng.uniform(-0.06, 0.06)
            objects[i] = stand_at(thing, x, y, thing.yaw_rad, 0.01 + 0.17 * layer, "bin")
    return replace(scene, objects=tuple(objects))


def _settle(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    scene: Scene,
    held: SceneObject | None,
    lying_odds: float,
    rng: np.random.Generator,
) -> None:
    """Let things come to rest: those in containers fall the last centimetre a little turned, a few have fallen over."""
    dropped = False
    for thing in scene.objects:
        if thing is held:
            set_pose(data, thing.phrase, (-5.0, 0.0, thing.size_m[2] / 2), thing.yaw_rad)
        elif thing.support not in ("table", "bin") and rng.random() < 0.5:
            x, y, z = thing.position_m
            set_pose(data, thing.phrase, (x, y, z + 0.012), thing.yaw_rad)
            _turn(data, thing, rng.normal(0, 0.12), rng.normal(0, 0.12))
            dropped = True
        elif thing.kind in ("bottle", "can", "mug", "block") and thing.support == "table" and rng.random() < lying_odds:
            x, y, _ = thing.position_m
            set_pose(data, thing.phrase, (x, y, scene.table.height_m + 0.6 * thing.size_m[1]), thing.yaw_rad)
            _turn(data, thing, 0.0, math.pi / 2)
            dropped = True
    binned = any(o.support == "bin" for o in scene.objects)
    for _ in range(200 if binned else 130 if dropped else 25):
        mujoco.mj_step(model, data)


def _turn(data: mujoco.MjData, thing: SceneObject, roll: float, pitch: float) -> None:
    joint, quat = data.joint(thing.phrase), np.zeros(4)
    tilt = np.array([math.cos(roll / 2), math.sin(roll / 2), 0, 0])
    lean = np.array([math.cos(pitch / 2), 0, math.sin(pitch / 2), 0])
    mujoco.mju_mulQuat(quat, tilt, lean)
    turned = np.zeros(4)
    mujoco.mju_mulQuat(turned, np.array(joint.qpos[3:]), quat)
    joint.qpos[3:] = turned


def _frame_object(name: str, truth: Truth, seen: dict[str, Any], scale: float) -> FrameObject:
    t, v = truth.objects[name], seen.get(name)
    x1, y1, x2, y2 = v.box if v else (0.0, 0.0, 0.0, 0.0)
    box = (x1 * scale, y1 * scale, x2 * scale, y2 * scale) if v else None
    relation = "in" if t.support == "hand" else t.relation
    return FrameObject(
        t.colour, t.kind, box, v.fraction if v else 0.0, v.pixels * scale**2 if v else 0.0, t.support, relation,
        t.position_in_world, t.size_m, t.yaw_rad, t.upright,
    )  # fmt: skip


def render_dataset(
    out_dir: str | Path,
    n: int,
    split: str,
    *,
    first: int = 0,
    workers: int = 2,
    progress: Callable[[str], None] = print,
) -> None:
    """Write n frames of a split in shards of 500; shards that exist already are kept.

    Args:
        out_dir: folder, made when missing.
        n: how many frames; the last shard may be shorter.
        split: "train", "validation" or "test".
        first: index in the split of the first frame; a multiple of 500.
        workers: processes.
        progress: called with one line now and then.
    """
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    shards = [(start, min(SHARD, first + n - start)) for start in range(first, first + n, SHARD)]
    todo = [(start, size) for start, size in shards if not _finished(_shard(out, split, start), size)]
    began, done = time.monotonic(), 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(_write_shard, out, split, start, size): size for start, size in todo}
        for job in as_completed(jobs):
            job.result()
            done += jobs[job]
            rate = done / (time.monotonic() - began)
            left = sum(size for _, size in todo) - done
            progress(f"{split}: {done} frames written, {rate:.1f}/s, {left / max(rate, 0.01) / 60:.1f} min left")


def _shard(out: Path, split: str, start: int) -> Path:
    return out / f"{split}-{start // SHARD:05d}"


def _finished(shard: Path, size: int) -> bool:
    labels = shard.with_suffix(".jsonl")
    return shard.with_suffix(".npy").exists() and labels.exists() and labels.read_bytes().count(b"\n") == size


def _write_shard(out: Path, split: str, start: int, size: int) -> None:
    shard = _shard(out, split, start)
    images, lines = np.empty((size, HEIGHT_PX, WIDTH_PX, 3), np.uint8), []
    for i in range(size):
        lying_odds = 0.10 if split == "train" else 0.03  # after 3 in 100, things that have fallen over were read less well
        frame = render_frame(seed_of(split, start + i), lying_odds)
        images[i] = frame.rgb
        lines.append(json.dumps(_rounded(frame.labels()), separators=(",", ":")) + "\n")
    part = shard.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, images)
    part.replace(shard.with_suffix(".npy"))
    part.write_text("".join(lines), "utf-8")
    part.replace(shard.with_suffix(".jsonl"))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def read_dataset(folder: str | Path, split: str) -> tuple[list[NDArray[np.uint8]], list[dict[str, Any]]]:
    """Return the finished shards of a split as memory-mapped image arrays, and all labels in the same order."""
    images, labels = [], []
    for file in sorted(Path(folder).glob(f"{split}-*.jsonl")):
        images.append(np.load(file.with_suffix(".npy"), mmap_mode="r"))
        labels += [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return images, labels
