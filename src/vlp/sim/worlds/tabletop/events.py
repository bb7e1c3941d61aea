"""What people do at the table while the robot works: move, take away, bring, exchange, knock out of the hand, block."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlp.core.errors import UsageError, lookup
from vlp.sim.simulation import Simulation, exchange, taken_away
from vlp.sim.worlds.protocol import Happening
from vlp.sim.worlds.tabletop.layout import fits
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.words import CONTAINERS
from vlp.sim.worlds.tabletop.world import beside_others, free_spot


def scene_of(simulation: Simulation) -> Scene:
    """Return the scene of a simulated tabletop; raises UsageError in another world."""
    if not isinstance(simulation.scene, Scene):
        raise UsageError(f"the world {simulation.world.name!r} has no table with things on it.", "Use the world tabletop.")
    return simulation.scene


def things_now(simulation: Simulation) -> dict[str, SceneObject]:
    """Return the objects still in the world with their present poses."""
    sampled = {o.phrase: o for o in scene_of(simulation).objects}
    return {
        name: replace(
            sampled[name],
            position_m=t.position_in_world, yaw_rad=t.yaw_rad, support=t.support, relation=t.relation,
        )
        for name, t in simulation.truth().objects.items()
    }  # fmt: skip


def move(simulation: Simulation, phrase: str, rng: np.random.Generator, at: tuple[float, float] | None = None) -> bool:
    """Put an object elsewhere on the table, upright.

    Args:
        simulation: a tabletop.
        phrase: the object.
        rng: decides the place when `at` is None.
        at: x, y in the world frame.

    Returns:
        False when there is no free place; then nothing has moved.
    """
    now, table = things_now(simulation), scene_of(simulation).table
    thing = lookup(phrase, now, "object")
    others = [o for name, o in now.items() if name != phrase]
    if at is not None:
        spot = replace(thing, position_m=(*at, table.height_m + thing.size_m[2] / 2 + 0.001))
    else:
        spot = free_spot(thing, others, table, rng, tries=500)
    if spot is None:
        return False
    simulation.put(phrase, spot.position_m, spot.yaw_rad)
    return True


def knock_out(simulation: Simulation, rng: np.random.Generator) -> str:
    """Knock the held object out of the hand onto the table; return its phrase, "" when none is held."""
    held = simulation.truth().holding
    return held if held and move(simulation, held, rng) else ""


def block(simulation: Simulation, container: str, rng: np.random.Generator, by: str = "") -> str:
    """Put a thing in or on a container; return its phrase, "" when nothing fits.

    Args:
        simulation: a tabletop.
        container: the phrase of the container.
        rng: decides which thing, and where in the container.
        by: the thing; by default any that lies freely on the table and fits.
    """
    now = things_now(simulation)
    host = lookup(container, now, "object")
    if host.kind not in CONTAINERS:
        raise UsageError(f"{container!r} is not a container.", f"Containers: {', '.join(CONTAINERS)}.")
    loose = [o for o in now.values() if o.support == "table" and o.kind not in CONTAINERS and fits(o, host)]
    choice = [lookup(by, now, "object")] if by else [loose[i] for i in rng.permutation(len(loose))]
    for thing in choice:
        spot = beside_others(thing, host, list(now.values()), rng, crowded=True)
        if spot is not None:
            simulation.put(spot.phrase, spot.position_m, spot.yaw_rad)
            return spot.phrase
    return ""


def _move(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    return (named[0],) if move(simulation, named[0], rng) else ()


def _remove(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    simulation.remove(named[0])
    return (named[0],)


def _knock(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del named
    return tuple(filter(None, [knock_out(simulation, rng)]))


def _block(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    return tuple(filter(None, [block(simulation, named[0], rng, named[1])]))


def _swap(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    return (named[0], named[1]) if exchange(simulation, named[0], named[1], ("table",)) else ()


def bring(simulation: Simulation, phrase: str, rng: np.random.Generator) -> bool:
    """Put a thing that is not there on the table, upright; return False when there is no free place."""
    scene = scene_of(simulation)
    thing = lookup(phrase, {o.phrase: o for o in scene.objects}, "object")
    spot = free_spot(thing, list(things_now(simulation).values()), scene.table, rng, tries=500)
    if spot is not None:
        simulation.put(phrase, spot.position_m, spot.yaw_rad)
    return spot is not None


def _bring(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    return (named[0],) if bring(simulation, named[0], rng) else ()


EVENTS: dict[str, Happening] = {
    "move": Happening(r"move (?:the )?(\w+ \w+)", "move red cube", _move),
    "remove": Happening(r"remove (?:the )?(\w+ \w+)", "remove red cube", _remove),
    "knock": Happening(r"knock", "knock", _knock),
    "bring": Happening(r"bring (?:the )?(\w+ \w+)", "bring red cube", _bring, (taken_away,)),
    "swap": Happening(r"swap (?:the )?(\w+ \w+) (?:with|and) (?:the )?(\w+ \w+)", "swap red cube with blue cube", _swap),
    "block": Happening(r"block (?:the )?(\w+ \w+)(?: (?:by|with) (?:the )?(\w+ \w+))?", "block green bowl by red can", _block),
}
