"""Scenes of a table with three to eight objects, sampled by seed."""

import colorsys
import math

import numpy as np

from vlp.sim.worlds.tabletop.layout import Outline, fits, footprint, gap_m, rest_on, stand_at
from vlp.sim.worlds.tabletop.objects import Rgb, SceneObject, sample_rgb, sample_size
from vlp.sim.worlds.tabletop.scene import Look, Scene, Table, brighter
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, THINGS

AREA_X_M, AREA_Y_M = (0.42, 0.75), (-0.33, 0.33)
"""Where the middles of objects may lie, in the world frame."""
FREE_M = 0.035
"""Between the outlines of two things, so that a gripper has room."""


def sample_scene(seed: int, *, count: int | None = None) -> Scene:
    """Return the scene of a seed; the same seed gives the same scene on every machine.

    Args:
        seed: see `vlp.sim.worlds.seeds` for which belong to training, validation and test.
        count: how many objects, 3 to 8; by default the seed decides. Fewer when they do not fit.
    """
    rng = np.random.default_rng([seed, 17])
    n = count or int(rng.choice(np.arange(3, 9), p=[0.10, 0.18, 0.24, 0.22, 0.16, 0.10]))
    table = Table(
        near_m=float(rng.uniform(0.32, 0.40)),
        depth_m=float(rng.uniform(0.45, 0.50)),
        width_m=float(rng.uniform(0.90, 1.00)),
        height_m=float(rng.uniform(0.40, 0.46)),
    )
    return Scene(seed, arrange(sample_objects(n, rng), table, rng), table, sample_look(rng))


def sample_objects(n: int, rng: np.random.Generator) -> list[SceneObject]:
    """Return n objects, no two of the same colour and kind, containers first; in a third of cases few colours recur."""
    containers = min(int(rng.choice(4, p=(0.05, 0.42, 0.38, 0.15))), n - 2)
    palette = COLOURS if rng.random() < 0.65 else tuple(rng.choice(COLOURS, size=int(rng.integers(2, 5)), replace=False))
    things = THINGS if rng.random() < 0.7 else tuple(rng.choice(THINGS, size=int(rng.integers(2, 4)), replace=False))
    chosen: list[tuple[str, str]] = []
    while len(chosen) < n:
        kinds = CONTAINERS if len(chosen) < containers else things
        colours = palette if rng.random() < 0.9 else COLOURS
        pair = str(rng.choice(colours)), str(rng.choice(kinds))
        if pair not in chosen:
            chosen.append(pair)
    return [SceneObject(c, k, sample_size(k, rng), sample_rgb(c, rng)) for c, k in chosen]


def arrange(
    objects: list[SceneObject],
    table: Table,
    rng: np.random.Generator,
    odds: tuple[float, ...] = (0.70, 0.22, 0.08),
    *,
    crowded: bool = False,
) -> tuple[SceneObject, ...]:
    """Return the objects at free places on the table, some of them in, on or atop another.

    Args:
        objects: what to place; those that find no free place after 200 tries are left out.
        table: where.
        rng: decides.
        odds: how often none, one, two ... lie in, on or atop another.
        crowded: whether things in a container may lie near its wall and each other, as in the middle of a task; else
            they leave room for the gripper.
    """
    hosts = _choose_hosts(objects, int(rng.choice(len(odds), p=odds)), rng)
    placed: list[SceneObject] = []
    for thing in sorted(objects, key=lambda o: o.phrase in hosts):
        host = next((o for o in placed if o.phrase == hosts.get(thing.phrase)), None)
        spot = beside_others(thing, host, placed, rng, crowded=crowded) if host else None
        spot = spot or free_spot(thing, placed, table, rng)
        if spot is not None:
            placed.append(spot)
    return tuple(placed)


def _choose_hosts(objects: list[SceneObject], n: int, rng: np.random.Generator) -> dict[str, str]:
    """Return for up to n things the object that each shall lie in, on or atop; only containers take several."""
    hosts: dict[str, str] = {}
    for _ in range(n):
        pairs = [
            (a.phrase, b.phrase)
            for a in objects
            for b in objects
            if a is not b and a.kind in THINGS and a.phrase not in hosts and a.phrase not in hosts.values()
            if b.phrase not in hosts and (b.kind in CONTAINERS or b.phrase not in hosts.values()) and fits(a, b)
        ]
        if pairs:
            thing, host = pairs[int(rng.integers(len(pairs)))]
            hosts[thing] = host
    return hosts


def beside_others(
    thing: SceneObject, host: SceneObject, placed: list[SceneObject], rng: np.random.Generator, *, crowded: bool
) -> SceneObject | None:
    """Return the thing in or on the host, clear of what already lies there, or None when no room was found."""
    there = [footprint(o) for o in placed if o.support == host.phrase]
    walled = host.kind in ("bowl", "box")  # a finger must fit between thing and wall
    for _ in range(20):
        candidate = rest_on(thing, host, rng, 0.4 if walled and not crowded else 1.0)
        if all(gap_m(footprint(candidate), o) > (0.004 if crowded else FREE_M) for o in there):
            return candidate
    return None


def free_spot(
    thing: SceneObject, others: list[SceneObject], table: Table, rng: np.random.Generator, tries: int = 200
) -> SceneObject | None:
    """Return the thing at a random place on the table with `FREE_M` to all others, or None after so many tries."""
    outlines = [footprint(o) for o in others if o.support == "table"]
    x_range = table.near_m + 0.015, table.near_m + table.depth_m - 0.015
    for _ in range(tries):
        x, y = float(rng.uniform(*AREA_X_M)), float(rng.uniform(*AREA_Y_M))
        spread = math.pi if thing.kind in THINGS else 0.35
        candidate = stand_at(thing, x, y, float(rng.uniform(-spread, spread)), table.height_m)
        outline = footprint(candidate)
        on_table = outline[:, 0].min() > x_range[0] and outline[:, 0].max() < x_range[1]
        if on_table and in_view(outline, candidate) and all(gap_m(outline, o) >= FREE_M for o in outlines):
            return candidate
    return None


def in_view(outline: Outline, thing: SceneObject) -> bool:
    """Return whether an upright object lies between the left and right edge of the picture taken at the station."""
    eye_m, (forward, down) = (0.14, 0.02, 1.0), (0.606, -0.795)  # x and z of the view's axis
    ahead = (outline[:, 0] - eye_m[0]) * forward
    for z in (thing.position_m[2] - thing.size_m[2] / 2, thing.position_m[2] + thing.size_m[2] / 2):
        depth = ahead + (z - eye_m[2]) * down
        if (np.abs(outline[:, 1] - eye_m[1]) > 0.577 * depth - 0.045).any():  # half its width; a margin
            return False
    return True


def sample_look(rng: np.random.Generator) -> Look:
    """Return neutral but varied colours, a lamp and the camera's mounting error."""
    table_rgb = _neutral(rng, value=(0.35, 0.78), saturation=0.36)
    return Look(
        table_rgb=table_rgb,
        table_rgb2=brighter(table_rgb, float(rng.uniform(0.82, 1.12))),
        table_pattern=str(rng.choice(["flat", "checker", "gradient"], p=[0.5, 0.25, 0.25])),
        floor_rgb=_neutral(rng, value=(0.25, 0.70), saturation=0.25),
        wall_rgb=_neutral(rng, value=(0.50, 0.88), saturation=0.15),
        light_position_m=(float(rng.uniform(-0.3, 0.8)), float(rng.uniform(-0.9, 0.9)), float(rng.uniform(1.9, 2.5))),
        light_strength=float(rng.uniform(0.52, 0.78)),
        ambient=float(rng.uniform(0.32, 0.46)),
        camera_shift_m=_normal3(rng, 0.004),
        camera_turn_rad=_normal3(rng, 0.006),
    )


def _normal3(rng: np.random.Generator, sd: float) -> tuple[float, float, float]:
    x, y, z = (rng.normal(0, sd, 3).clip(-2.5 * sd, 2.5 * sd)).tolist()
    return x, y, z


def _neutral(rng: np.random.Generator, value: tuple[float, float], saturation: float) -> Rgb:
    """Return a wood-like or a greyish colour."""
    wood = rng.random() < 0.5
    hue = rng.uniform(0.06, 0.11) if wood else rng.uniform(0, 1)
    sat = rng.uniform(0.1, saturation) if wood else rng.uniform(0, 0.12)
    r, g, b = colorsys.hsv_to_rgb(float(hue), float(sat), float(rng.uniform(*value)))
    return r, g, b
