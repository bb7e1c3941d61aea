"""What people do in the home while the robot works: move, take away, put into a hand, switch the lamp, hold out a hand."""

from collections.abc import Sequence

import numpy as np

from vlp.core.errors import UsageError, lookup
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.home.mannequins import move_arm
from vlp.sim.worlds.home.people import gestures
from vlp.sim.worlds.home.places import surfaces
from vlp.sim.worlds.home.reacting import people_from
from vlp.sim.worlds.home.sampling import place_thing
from vlp.sim.worlds.home.scene import HomeScene, Thing
from vlp.sim.worlds.home.taking import let_go
from vlp.sim.worlds.protocol import Happening


def scene_of(simulation: Simulation) -> HomeScene:
    """Return the scene of a simulated home; raises UsageError in another world."""
    if not isinstance(simulation.scene, HomeScene):
        raise UsageError(f"the world {simulation.world.name!r} is no home.", "Use the world home.")
    return simulation.scene


def things_now(simulation: Simulation) -> dict[str, Thing]:
    """Return the things still in the world with their present poses."""
    return {
        name: Thing(name, t.position_in_world, t.yaw_rad, t.support, t.relation)
        for name, t in simulation.truth().objects.items()
    }


def move(simulation: Simulation, phrase: str, rng: np.random.Generator, place: str = "") -> bool:
    """Put a thing elsewhere, upright; return False when there is no free place.

    Args:
        simulation: a home.
        phrase: the thing.
        rng: decides where.
        place: the surface; by default one of those in the open.
    """
    now, scene = things_now(simulation), scene_of(simulation)
    lookup(phrase, now, "object")
    tops = surfaces(scene.furniture, scene.fixtures)
    open_ = [place] if place else ["coffee table", "kitchen table", "cabinet", "shelf: middle", "shelf: upper"]
    spot = place_thing(phrase, open_, tops, [t for name, t in now.items() if name != phrase], rng)
    if spot is not None:
        let_go(simulation.model, simulation.data, scene, people_from(), phrase)
        simulation.put(phrase, spot.position_m, spot.yaw_rad)
    return spot is not None


def switch_lamp(simulation: Simulation) -> None:
    """Push the button once; its spring lets it come back."""
    simulation.data.joint("button").qpos[0] = 0.011
    simulation.data.joint("button").qvel[0] = 0.0
    mujoco.mj_forward(simulation.model, simulation.data)
    simulation.check()


def hold_out_hand(simulation: Simulation, name: str) -> None:
    """Let a person hold out the open hand; it takes about a second."""
    people = {person.name: person for person in scene_of(simulation).persons if person.pose != "lying"}
    person = lookup(name, people, "person who is not lying")
    move_arm(simulation.model, simulation.data, person, gestures()["offering"][0])


def _move(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    return (named[0],) if move(simulation, named[0], rng) else ()


def _remove(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    let_go(simulation.model, simulation.data, scene_of(simulation), people_from(), named[0])
    simulation.remove(named[0])
    return (named[0],)


def _switch(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng, named
    switch_lamp(simulation)
    return ("lamp",)


def _offer(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng, named
    free = [p.name for p in scene_of(simulation).persons if p.pose == "standing"]
    hold_out_hand(simulation, free[0])
    return (free[0],)


def events() -> dict[str, Happening]:
    """Return the events by the first word of how they are said."""
    return {
        "move": Happening(r"move (?:the )?(.+)", "move cereal box", _move),
        "remove": Happening(r"remove (?:the )?(.+)", "remove cereal box", _remove),
        "switch": Happening(r"switch the lamp", "switch the lamp", _switch),
        "offer": Happening(r"offer a hand", "offer a hand", _offer),
    }
