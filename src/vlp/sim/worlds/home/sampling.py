"""Homes sampled by seed: furniture, things, fixtures, looks."""

import colorsys
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vlp.sim.worlds.home.catalogue import Product, Rgb, products
from vlp.sim.worlds.home.people import sample_persons, upturned_hand
from vlp.sim.worlds.home.places import Surface, surfaces
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import Fixtures, Furniture, HomeLook, HomePerson, HomeScene, Thing

BALLS_SHARE = 0.4
"""Of the homes in which small balls are to be poured; each takes contacts all the time."""


def sample_home(seed: int, spread: float = 1.0) -> HomeScene:
    """Return the home of a seed; the same seed gives the same home on every machine.

    Args:
        seed: see `vlp.sim.worlds.seeds` for which belong to training, validation and test.
        spread: by how much the ranges of colours, light and camera error are wider than usual; 0 takes their middles.
    """
    rng = np.random.default_rng([seed, 29])
    furniture = _sample_furniture(rng)
    fixtures = _sample_fixtures(rng)
    persons = sample_persons(furniture["sofa"], rng)
    things, persons = _sample_things(furniture, fixtures, persons, rng)
    if np.random.default_rng([seed, 38]).random() > BALLS_SHARE or fixtures.ball_cup not in {thing.name for thing in things}:
        fixtures = replace(fixtures, balls=0, ball_cup="")
    return HomeScene(seed, furniture, things, persons, fixtures, _sample_look(np.random.default_rng([seed, 31]), spread))


def _sample_furniture(rng: np.random.Generator) -> dict[str, Furniture]:
    rooms, up = Rooms(), math.pi / 2

    def near(middle: float, half: float) -> float:
        return float(rng.uniform(middle - half, middle + half))

    def at_back(x: float, depth: float, width: float, height: float, before: float) -> Furniture:
        return Furniture(near(x, 0.08), rooms.high[1] - depth / 2, up, depth, width, height, before)

    near_m, depth_m = near(0.36, 0.04), near(0.475, 0.025)
    low = Furniture(near_m + depth_m / 2, 0.0, 0.0, depth_m, near(0.95, 0.05), near(0.43, 0.03), near_m)
    depth_m = near(0.70, 0.05)
    high = Furniture(near(4.92, 0.1), near(-0.1, 0.1), 0.0, depth_m, near(1.1, 0.1), near(0.72, 0.03), 0.36)
    return {
        "coffee table": low,
        "kitchen table": high,
        "shelf": at_back(4.95, 0.32, 0.90, 1.26, 0.50),
        "cabinet": at_back(3.40, 0.50, 0.80, 0.76, 0.70),
        "fridge": at_back(6.55, 0.62, 0.66, 1.70, 0.60),
        "bin": Furniture(near(6.80, 0.05), near(0.70, 0.1), 0.0, 0.30, 0.34, 0.30, 0.32),
        "basket": Furniture(near(1.90, 0.06), near(-1.93, 0.04), 0.0, 0.30, 0.40, 0.22, 0.34),
        "sofa": at_back(-0.95, 0.85, 1.75, 0.80, 0.70),
        "lamp": Furniture(near(0.42, 0.05), near(1.98, 0.05), up, 0.28, 0.28, 1.55, 0.45),
        "plant": Furniture(near(-1.90, 0.04), near(-1.98, 0.04), 0.0, 0.30, 0.30, 0.95, 0.45),
        "button": Furniture(rooms.wall_x_m[0], near(1.30, 0.1), 0.0, 0.05, 0.12, near(0.85, 0.05), 0.50),
        "gauges": Furniture(rooms.high[0], near(-1.0, 0.1), 0.0, 0.05, 0.60, near(1.10, 0.05), 0.60),
    }


def _sample_fixtures(rng: np.random.Generator) -> Fixtures:
    signs = ("PLEASE KEEP CLOSED", "PAPER ONLY", "BACK AT FIVE", "WET PAINT", "GUESTS WELCOME", "QUIET HOURS")
    ajar = rng.random(2) < (0.2, 0.2)
    return Fixtures(
        drawer=float(rng.uniform(0.5, 0.9)) if ajar[0] else 0.0,
        door=float(rng.uniform(0.5, 0.95)) if ajar[1] else 0.0,
        lamp_on=bool(rng.random() < 0.5),
        needle=round(float(rng.uniform(0.5, 9.5)), 1),
        digits=round(float(rng.uniform(10, 40)), 1),
        sign=str(rng.choice(signs)),
        balls=int(rng.integers(3, 7)),
        ball_cup=str(rng.choice(["orange cup", "purple cup"])),
    )


def _sample_things(
    furniture: dict[str, Furniture], fixtures: Fixtures, persons: tuple[HomePerson, ...], rng: np.random.Generator
) -> tuple[tuple[Thing, ...], tuple[HomePerson, ...]]:
    """Return 12 to 18 things at free places, and the persons, one of whom may hold a thing in an open hand."""
    tops = surfaces(furniture, fixtures)
    cups = [name for name, product in products().items() if product.shape == "cup"]
    bowls = [name for name, product in products().items() if product.shape == "bowl"]
    first = [fixtures.ball_cup, str(rng.choice(bowls)), *(c for c in cups if c != fixtures.ball_cup and rng.random() < 0.5)]
    rest = [str(name) for name in rng.permutation([name for name in products() if name not in (*cups, *bowls)])]
    placed: list[Thing] = []
    for name in first:
        placed += filter(None, [place_thing(name, ("coffee table", "kitchen table"), tops, placed, rng)])
    wanted = {"coffee table": (2, 5), "kitchen table": (3, 5), "shelf: upper": (1, 2), "shelf: middle": (1, 3)}
    wanted |= {"shelf: lower": (0, 2), "cabinet": (1, 2), "drawer": (0, 2), "cupboard": (0, 2)}
    for place, (least, most) in wanted.items():
        for _ in range(int(rng.integers(least, most + 1))):
            if len(placed) < 17:
                placed += filter(None, [place_thing(rest.pop(), (place,), tops, placed, rng)])
    for bowl in (t for t in tuple(placed) if t.product.shape == "bowl"):
        fruit = next((n for n in rest if products()[n].category == "fruit" and max(products()[n].size_m) < 0.08), "")
        if fruit and rng.random() < 0.3:
            rest.remove(fruit)
            floor_m = bowl.position_m[2] - bowl.size_m[2] / 2 + 0.0075
            at = bowl.position_m[0], bowl.position_m[1], floor_m + products()[fruit].size_m[2] / 2
            placed.append(Thing(fruit, at, float(rng.uniform(-3, 3)), bowl.name, "in"))
    giver = next((p for p in persons if p.gesture == "offering"), None)
    small = [n for n in rest if products()[n].shape in ("carton", "can", "puzzle") and 0.04 < products()[n].size_m[2] < 0.13]
    if giver and small and rng.random() < 0.7:
        x, y, z = upturned_hand(giver)
        placed.append(Thing(small[0], (x, y, z + products()[small[0]].size_m[2] / 2 + 0.001), giver.yaw_rad,
                            f"{giver.name}'s hand", "on"))  # fmt: skip
        persons = tuple(replace(p, holds=small[0]) if p is giver else p for p in persons)
    return tuple(placed), persons


def reach_m(product: Product) -> float:
    """Return the radius around its middle that a thing covers however it is turned."""
    length, width, _ = product.size_m
    if product.shape == "mug":
        return length - width / 2
    return math.hypot(length, width) / 2 if product.square else max(length, width) / 2


def place_thing(
    name: str, where: Sequence[str], tops: Mapping[str, Surface], others: Sequence[Thing], rng: np.random.Generator
) -> Thing | None:
    """Return a thing at a free place of one of the surfaces, None when none has room.

    Args:
        name: a row of `things.toml`.
        where: names of the surfaces that will do.
        tops: all surfaces.
        others: the things that are there, with a finger's room to each.
        rng: decides.
    """
    product = products()[name]
    radius_m, gap_m = reach_m(product), 0.035
    for place in rng.permutation(list(where)).tolist():
        top = tops[place]
        low, high = np.array(top.low) + radius_m + 0.01, np.array(top.high) - radius_m - 0.01
        if place == "coffee table":  # what the shortest arm reaches from its stand
            low, high = np.maximum(low, (0.42, -0.33)), np.minimum(high, (0.75, 0.33))
        if place == "kitchen table":
            high[0] = top.low[0] + 0.40
        if place == "drawer":  # what is seen over its front, and has room for a hand before the cabinet's top
            low[1], high[1] = low[1] + 0.04, min(high[1], top.high[1] - 0.07)
        if product.size_m[2] > top.headroom_m or (low > high).any():
            continue
        there = [(t.position_m[:2], radius_m + reach_m(t.product) + gap_m) for t in others if t.support == place]
        for _ in range(60):
            x, y = (float(v) for v in rng.uniform(low, high))
            if all(math.dist((x, y), at) > apart_m for at, apart_m in there):
                z = top.floor_m + product.size_m[2] / 2 + 0.0005
                return Thing(name, (x, y, z), _turn(product, place, rng), place, top.relation)
    return None


def _turn(product: Product, place: str, rng: np.random.Generator) -> float:
    """Return a yaw: printed things show their faces to whoever stands before the furniture, more or less."""
    facing = math.pi / 2 if "table" in place else 0.0
    if product.label:
        return float(rng.uniform(-0.6, 0.6) + facing + (math.pi if rng.random() < 0.5 else 0.0))
    yaw = float(rng.uniform(-math.pi, math.pi))
    if product.shape == "mug" and place.startswith(("shelf", "cupboard")):  # its handle out of the way of a hand from the front
        ahead, aside = math.pi / 2, 0.22 + 0.37 * (2 * abs(yaw) / math.pi - 1)
        return ahead + aside + (math.pi if yaw < 0 else 0.0)
    return yaw


def _sample_look(rng: np.random.Generator, spread: float) -> HomeLook:
    def tone(hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]) -> Rgb:
        h, s, v = (_within(rng, a, b, spread) for a, b in (hue, saturation, value))
        r, g, b = colorsys.hsv_to_rgb(h % 1.0, min(max(s, 0.0), 1.0), min(max(v, 0.0), 1.0))
        return r, g, b

    def three(deviation: float) -> tuple[float, float, float]:
        x, y, z = (spread * rng.normal(0, deviation, 3).clip(-2.5 * deviation, 2.5 * deviation)).tolist()
        return x, y, z

    accent = float(rng.choice([0.08, 0.28, 0.42, 0.55, 0.60, 0.95]))
    sofa = float(rng.choice([0.02, 0.09, 0.35, 0.56, 0.62, 0.75]))
    return HomeLook(
        floor_rgb=tone((0.06, 0.10), (0.30, 0.48), (0.55, 0.85)),
        wall_rgb=tone((0.08, 0.14), (0.03, 0.08), (0.78, 0.88)),
        accent_rgb=tone((accent - 0.02, accent + 0.02), (0.12, 0.26), (0.72, 0.86)),
        wood_rgb=tone((0.06, 0.09), (0.35, 0.55), (0.60, 0.90)),
        front_rgb=tone((0.0, 1.0), (0.0, 0.10), (0.80, 0.95)),
        sofa_rgb=tone((sofa - 0.02, sofa + 0.02), (0.25, 0.50), (0.40, 0.65)),
        rug_rgb=tone((sofa + 0.4, sofa + 0.6), (0.15, 0.35), (0.70, 0.88)),
        light_position_m=(_within(rng, 1.6, 3.2, spread), _within(rng, -0.8, 0.4, spread), _within(rng, 6.6, 7.6, spread)),
        light_strength=_within(rng, 0.40, 0.54, spread),
        ambient=_within(rng, 0.26, 0.34, spread),
        camera_shift_m=three(0.004),
        camera_turn_rad=three(0.006),
    )


def _within(rng: np.random.Generator, low: float, high: float, spread: float) -> float:
    """Return a number drawn around the middle of a range that is widened by a factor."""
    return (low + high) / 2 + spread * float(rng.uniform(low - high, high - low)) / 2
