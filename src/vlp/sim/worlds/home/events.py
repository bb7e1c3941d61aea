"""What people do in the home while the robot works: to things, to drawer, door and lamp, and where they go themselves."""

from collections.abc import Sequence

import numpy as np

from vlp.core.errors import UsageError, lookup
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation, exchange, taken_away
from vlp.sim.worlds.home.mannequins import move_arm
from vlp.sim.worlds.home.people import gestures
from vlp.sim.worlds.home.places import places, surfaces
from vlp.sim.worlds.home.reacting import people_from, walkers_from
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.sampling import place_thing
from vlp.sim.worlds.home.scene import HomeScene, Thing
from vlp.sim.worlds.home.taking import let_go
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.home.walking import Walk, send, stand_in_way, where
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


def move(simulation: Simulation, phrase: str, rng: np.random.Generator, *onto: str) -> bool:
    """Put a thing elsewhere, upright; return False when there is no free place.

    Args:
        simulation: a home.
        phrase: the thing.
        rng: decides where.
        onto: the surfaces that will do; by default some of those in the open.
    """
    now, scene = things_now(simulation), scene_of(simulation)
    lookup(phrase, now, "object")
    tops = surfaces(scene.furniture, scene.fixtures)
    open_ = onto or ("coffee table", "kitchen table", "cabinet", "shelf: middle", "shelf: upper")
    spot = place_thing(phrase, open_, tops, [t for name, t in now.items() if name != phrase], rng)
    if spot is not None:
        let_go(simulation.model, simulation.data, scene, people_from(), phrase)
        simulation.put(phrase, spot.position_m, spot.yaw_rad)
    return spot is not None


def bring(simulation: Simulation, phrase: str, rng: np.random.Generator, place: str) -> bool:
    """Put a thing that is not there, upright, on or in a place; return False when there is no free spot."""
    scene = scene_of(simulation)
    tops = surfaces(scene.furniture, scene.fixtures)
    spot = place_thing(phrase, (place,), tops, list(things_now(simulation).values()), rng)
    if spot is not None:
        simulation.put(phrase, spot.position_m, spot.yaw_rad)
    return spot is not None


def knock_out(simulation: Simulation, rng: np.random.Generator) -> str:
    """Knock what the robot holds onto the table of the room that it is in; return its phrase, "" when nothing is held."""
    held, (x, y, _) = simulation.truth().holding, simulation.embodiment.base(simulation.data)
    table = {"living room": "coffee table", "kitchen": "kitchen table"}[Rooms().room_of(x, y)]
    return held if held and move(simulation, held, rng, table) else ""


def swap(simulation: Simulation, one: str, other: str) -> bool:
    """Let two things change places; return False where they are not of one size, or do not both stand in the open."""
    open_ = {place.name for place in places() if "on" in place.relations}
    return exchange(simulation, one, other, open_)


def shut(simulation: Simulation, fixture: str) -> bool:
    """Push the drawer or the cabinet door shut, with what lies in it; return False while a robot stands before it."""
    if simulation.at() in ("drawer", "cupboard", "cabinet"):
        return False
    joint, dt_s = simulation.data.joint(fixture), simulation.model.opt.timestep
    speed = {"drawer": 0.25, "cabinet door": 0.8}[fixture]  # m/s, rad/s
    for _ in range(round(4.0 / dt_s)):
        if joint.qpos[0] < 0.002:
            break
        joint.qvel[0] = -speed
        simulation.step()
    joint.qvel[0] = 0.0
    return True


def send_away(simulation: Simulation, name: str) -> bool:
    """Let a person who stands walk to the other room; return False where there is no way, or no room to stand."""
    scene, data = scene_of(simulation), simulation.data
    people = {person.name: person for person in scene.persons if person.name in _standing(simulation)}
    x, y, _ = where(data, lookup(name, people, "person who stands"))
    other = {"living room": "kitchen", "kitchen": "living room"}[Rooms().room_of(x, y)]
    try:
        send(data, scene, walkers_from(scene), name, Walk.ALONE, other)
    except UsageError:
        return False
    return True


def stand_in_the_way(simulation: Simulation, name: str, place: str) -> bool:
    """Let a person with empty hands stand on the robot's way to a place; return False where no other way would be left."""
    scene, data = scene_of(simulation), simulation.data
    now = simulation.truth()
    if not isinstance(now, HomeTruth) or now.persons[name].holds:
        return False
    start, goal = simulation.embodiment.base(data)[:2], simulation.stations[place][:2]
    if not stand_in_way(data, scene, walkers_from(scene), name, start, goal):
        return False
    mujoco.mj_forward(simulation.model, data)
    simulation.check()
    return True


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


def _shift(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    support = simulation.truth().objects[named[0]].support
    on = any(place.name == support and "on" in place.relations for place in places())
    return (named[0],) if on and move(simulation, named[0], rng, support) else ()


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


def _knock(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del named
    return tuple(filter(None, [knock_out(simulation, rng)]))


def _swap(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    return (named[0], named[1]) if swap(simulation, *named) else ()


def _block(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    place, thing = named
    return (thing,) if move(simulation, thing, rng, place) else ()


def _bring(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    thing, place = named
    return (thing,) if bring(simulation, thing, rng, place) else ()


def _shut(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    return (named[0],) if shut(simulation, named[0]) else ()


def _send(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    return (named[0],) if send_away(simulation, named[0]) else ()


def _stand(simulation: Simulation, rng: np.random.Generator, named: Sequence[str]) -> tuple[str, ...]:
    del rng
    return (named[0],) if stand_in_the_way(simulation, *named) else ()


def _anywhere(simulation: Simulation) -> list[str]:
    return list(simulation.stations)


def _open_places(simulation: Simulation) -> list[str]:
    """Return the surfaces and boxes that things can be put on or in without opening anything."""
    del simulation
    closed = ("drawer", "cupboard", "shelf")  # of the shelf each board has a name of its own
    return [place.name for place in places() if place.relations and place.name not in closed]


def _things(simulation: Simulation) -> list[str]:
    return list(simulation.truth().objects)


def _fixtures(simulation: Simulation) -> list[str]:
    del simulation
    return ["drawer", "cabinet door"]


def _standing(simulation: Simulation) -> list[str]:
    return [person.name for person in scene_of(simulation).persons if person.pose == "standing"]


def events() -> dict[str, Happening]:
    """Return the events by the first word of how they are said."""
    return {
        "move": Happening(r"move (?:the )?(.+)", "move cereal box", _move),
        "shift": Happening(r"shift (?:the )?(.+)", "shift blue bowl", _shift),
        "remove": Happening(r"remove (?:the )?(.+)", "remove cereal box", _remove),
        "bring": Happening(
            r"bring (?:the )?(.+?) to (?:the )?(.+)", "bring cereal box to coffee table", _bring, (taken_away, _open_places)
        ),
        "knock": Happening(r"knock", "knock", _knock),
        "swap": Happening(r"swap (?:the )?(.+?) (?:with|and) (?:the )?(.+)", "swap cola can with lemonade can", _swap),
        "block": Happening(
            r"block (?:the )?(.+?) (?:by|with) (?:the )?(.+)", "block sofa by cola can", _block, (_open_places, _things)
        ),
        "shut": Happening(r"shut (?:the )?(.+)", "shut the drawer", _shut, (_fixtures,)),
        "send": Happening(r"send (\w+) away", "send Jane away", _send, (_standing,)),
        "let": Happening(
            r"let (\w+) stand in the way to (?:the )?(.+)", "let Jane stand in the way to sofa", _stand, (_standing, _anywhere)
        ),
        "switch": Happening(r"switch the lamp", "switch the lamp", _switch),
        "offer": Happening(r"offer a hand", "offer a hand", _offer),
    }
