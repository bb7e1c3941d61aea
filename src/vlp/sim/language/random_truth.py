"""Random table states without physics, for endless text: sizes, places and stacks like those of the tabletop world."""

from dataclasses import replace
from math import hypot, pi
from random import Random

from vlp.sim.language.fitting import fits
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.kinds import kinds
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, THINGS

TABLE_TOP_M = 0.43
CARRY_M = (0.25, 0.0, 0.85)
"""Where a held thing is, in the world frame."""


def random_size(kind: str, rng: Random) -> tuple[float, float, float]:
    """Return length, width and height in metres of a thing of this kind.

    Half of the things are among the smallest or the biggest of their kind, so that instructions often speak of these.
    """
    of = kinds()[kind]
    l0, l1 = of.length_m
    chance, share = rng.random(), rng.random()
    if chance < 0.5:
        share = 0.1 * share + (0.9 if chance < 0.25 else 0.0)
    length = l0 + share * (l1 - l0)
    return length, length * rng.uniform(*of.width_share), length * rng.uniform(*of.height_share)


def sample_truth(rng: Random, held_rate: float = 0.25) -> Truth:
    """Return 3 to 8 objects on the table, some in or on others, one held in a quarter of the cases.

    Args:
        rng: the source of chance; the same state of it gives the same truth.
        held_rate: how often the hand holds something.
    """
    objects: dict[str, TrueObject] = {}
    colours = rng.sample(COLOURS, rng.randint(3, len(COLOURS)))
    kinds = _kinds(rng)
    for kind in kinds:
        name = _unused(objects, kind, colours, rng)
        if name:
            item = _stand(objects, name.split()[0], kind, rng)
            if item is not None:
                objects[name] = item
    _load(objects, rng)
    holding = ""
    if rng.random() < held_rate:
        holding = _hold(objects, rng)
    chance = rng.random()
    at = "table" if chance < 0.9 else "start" if chance < 0.96 else "bin"
    return Truth(objects, holding, at)


def _kinds(rng: Random) -> list[str]:
    """Draw kinds; half of the scenes favour a few, so that groups and comparisons come about."""
    n_containers = rng.choice((0, 1, 1, 2, 2, 3))
    n_things = rng.randint(2, 6)
    pool = rng.sample(THINGS, rng.randint(2, 3)) if rng.random() < 0.5 else THINGS
    kinds = [rng.choice(CONTAINERS) for _ in range(n_containers)] + [rng.choice(pool) for _ in range(n_things)]
    return kinds[:8] if len(kinds) >= 3 else [*kinds, rng.choice(THINGS)]


def _unused(objects: dict[str, TrueObject], kind: str, colours: list[str], rng: Random) -> str:
    for _ in range(6):
        name = f"{rng.choice(colours)} {kind}"
        if name not in objects:
            return name
    return ""


def _stand(objects: dict[str, TrueObject], colour: str, kind: str, rng: Random) -> TrueObject | None:
    """Return the object at a free spot of the table, or None when none was found."""
    size = random_size(kind, rng)
    reach = (size[0] + size[1]) / 4
    for _ in range(25):
        x, y = rng.uniform(0.42, 0.75), rng.uniform(-0.33, 0.33)
        if all(_apart(x, y, reach, item) for item in objects.values()):
            return TrueObject(colour, kind, (x, y, TABLE_TOP_M + size[2] / 2), size, rng.uniform(-pi / 2, pi / 2))
    return None


def _apart(x: float, y: float, reach: float, item: TrueObject) -> bool:
    ox, oy, _ = item.position_in_world
    return hypot(x - ox, y - oy) >= reach + (item.size_m[0] + item.size_m[1]) / 4 + 0.035


def _load(objects: dict[str, TrueObject], rng: Random) -> None:
    """Put some things in or on others."""
    for name, item in list(objects.items()):
        if item.kind not in THINGS or rng.random() > 0.25:
            continue
        targets = [n for n in objects if n != name and _can_carry(objects, n, name)]
        if not targets or any(other.support == name for other in objects.values()):
            continue
        target = objects[rng.choice(targets)]
        objects[name] = rest_upon(item, target, sum(o.support == target.phrase for o in objects.values()))


def _can_carry(objects: dict[str, TrueObject], target: str, subject: str) -> bool:
    carrier = objects[target]
    load = sum(other.support == target for other in objects.values())
    most = 2 if carrier.kind in CONTAINERS else 1
    return carrier.support == "table" and load < most and fits(objects[subject], carrier)


def rest_upon(item: TrueObject, target: TrueObject, load: int) -> TrueObject:
    """Return the item resting in or on a target that carries `load` things already."""
    x, y, z = target.position_in_world
    shift = ((0.0, 0.0), (0.0, 0.035), (0.0, -0.035), (0.035, 0.0))[load % 4]
    inside = target.kind in ("bowl", "box")
    floor = z - target.size_m[2] / 2 + (0.006 if inside else target.size_m[2])
    place = (x + shift[0], y + shift[1], floor + item.size_m[2] / 2)
    relation = "in" if inside else "on"
    return replace(item, position_in_world=place, support=target.phrase, relation=relation, upright=True)


def _hold(objects: dict[str, TrueObject], rng: Random) -> str:
    names = [n for n, i in objects.items() if i.kind in THINGS and all(o.support != n for o in objects.values())]
    if not names:
        return ""
    name = rng.choice(names)
    objects[name] = replace(objects[name], position_in_world=CARRY_M, support="hand", relation="in")
    return name
