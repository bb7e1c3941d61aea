"""The true state of a home, read from the physics: things and what carries them, what is open, lit and shown, and people."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.opengl import mujoco
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.contacts import carrier, contacts, held_by, of_hand
from vlp.sim.worlds.home.mannequins import hand_of, joint_names
from vlp.sim.worlds.home.people import Build, gestures, seat_height_m, upturned_hand
from vlp.sim.worlds.home.places import Cabinet, Surface, shelf_levels, surfaces
from vlp.sim.worlds.home.reacting import is_lamp_on, people_from
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import HomePerson, HomeScene, Thing
from vlp.sim.worlds.home.taking import taken
from vlp.sim.worlds.home.walking import where

Point = tuple[float, float, float]


@dataclass(frozen=True)
class HomeObject(TrueObject):
    """One thing as it really is.

    Args:
        name: its name, which need not be a colour and a noun.
        category: RoboCup@Home's.
        room: the room that it is in.
    """

    name: str = ""
    category: str = ""
    room: str = ""

    @property
    def phrase(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True)
class TruePerson:
    """One person as they really are.

    Args:
        name, pose, shirt: as in `vlp.sim.worlds.home.scene.HomePerson`.
        gesture: of the arms as they are now, "" for none, "moving" for one that has no name.
        place: "sofa", or the room.
        position_in_world: x and y of the middle in metres, and the height of the face.
        hand_in_world: x, y, z of the middle of the right palm.
        holds: the thing in that hand, or "".
        facing_rad: where the front faces.
    """

    name: str
    pose: str
    gesture: str
    shirt: str
    place: str
    position_in_world: Point
    hand_in_world: Point
    holds: str
    facing_rad: float = 0.0


@dataclass(frozen=True)
class HomeTruth(Truth):
    """The true state of a home.

    Args:
        persons: by name.
        opened: how far "drawer" and "cabinet door" are open, 0 to 1.
        lamp_on: whether the lamp shines.
        gauges: what "needle" and "digits" show.
        sign: what the sign says.
        balls: how many small balls are in or on what, by its name.
        surfaces: where things can stand or lie, by place.
    """

    persons: dict[str, TruePerson] = field(default_factory=dict)
    opened: dict[str, float] = field(default_factory=dict)
    lamp_on: bool = False
    gauges: dict[str, float] = field(default_factory=dict)
    sign: str = ""
    balls: dict[str, int] = field(default_factory=dict)
    surfaces: Mapping[str, Surface] = field(default_factory=dict)

    def rebased(self, now: Truth, touched: Collection[str]) -> Self:
        """Return this state with things, drawer, door and lamp, where they were touched, and people as they are now."""
        assert isinstance(now, HomeTruth)
        lamp_on = now.lamp_on if "lamp" in touched else self.lamp_on
        opened = {name: now.opened[name] if name in touched else share for name, share in self.opened.items()}
        return replace(super().rebased(now, touched), persons=now.persons, lamp_on=lamp_on, opened=opened)


def read_truth(
    model: mujoco.MjModel, data: mujoco.MjData, scene: HomeScene, fingers: Fingers | None, at: str, held: str | None
) -> HomeTruth:
    """Return the true state.

    Args:
        model, data: a home after `mj_forward` or `mj_step`.
        scene: what it was built from.
        fingers: the robot's; None for one without a hand.
        at: the place the robot stands at.
        held: what its hand holds where that is known beforehand; None looks at the contacts.
    """
    present = {thing.phrase: thing for thing in scene.objects if data.body(thing.phrase).xpos[0] > -10.0}
    hand, touching = fingers or Fingers((), (), "", ()), contacts(model, data, present)
    holding = held_by(touching, hand) if held is None else held
    carrying = {*present, *_carriers(scene)}
    direct: dict[str, str] = {}
    owners = taken(data, scene, people_from())
    for name in present:
        if name in owners and name != holding:
            direct[name] = hand_of(owners[name])
            continue
        below = carrier(model, data, name, {body: up for body, up in touching[name].items() if body in carrying})
        direct[name] = "hand" if name == holding or of_hand(below, hand) else "floor" if below == "world" else below
    objects = {name: _object(data, thing, direct, present) for name, thing in present.items()}
    cabinet, f = Cabinet(), scene.fixtures
    opened = {"drawer": cabinet.travel_m, "cabinet door": cabinet.leaf_rad}
    return HomeTruth(
        objects=dict(objects),
        holding=holding,
        at=at,
        persons={p.name: _person(data, p, objects) for p in scene.persons},
        opened={name: min(1.0, max(0.0, float(data.joint(name).qpos[0]) / most)) for name, most in opened.items()},
        lamp_on=is_lamp_on(data, f.lamp_on),
        gauges={"needle": f.needle, "digits": f.digits},
        sign=f.sign,
        balls=_balls(model, data, present),
        surfaces=surfaces(scene.furniture, f),
    )


def truth_of(scene: HomeScene) -> HomeTruth:
    """Return the true state of a home that nobody has touched yet, without physics; arms and faces of people only nearly."""
    build, f = Build(), scene.fixtures
    objects = {
        thing.phrase: HomeObject(
            colour=thing.product.colour,
            kind=thing.product.kind,
            position_in_world=thing.position_m,
            size_m=thing.size_m,
            yaw_rad=thing.yaw_rad,
            support=thing.support,
            relation=thing.relation,
            name=thing.name,
            category=thing.product.category,
            room=Rooms().room_of(*thing.position_m[:2]),
        )
        for thing in scene.objects
    }
    persons = {}
    for p in scene.persons:
        face_m = seat_height_m(p) + (build.head_m if p.pose != "lying" else 0.0)
        at, held = (p.x_m, p.y_m, face_m), upturned_hand(p)
        persons[p.name] = TruePerson(p.name, p.pose, p.gesture, p.shirt, place_of(p), at, held, p.holds, p.yaw_rad)
    return HomeTruth(
        objects=dict(objects),
        at="start",
        persons=persons,
        opened={"drawer": f.drawer, "cabinet door": f.door},
        lamp_on=f.lamp_on,
        gauges={"needle": f.needle, "digits": f.digits},
        sign=f.sign,
        balls={t.phrase: f.balls if t.phrase == f.ball_cup else 0 for t in scene.objects if t.product.holds},
        surfaces=surfaces(scene.furniture, f),
    )


def _carriers(scene: HomeScene) -> set[str]:
    """Return the bodies besides things that may carry things."""
    boards = {f"shelf: {level}" for level in shelf_levels()}
    people = {body for person in scene.persons for body in (person.name, hand_of(person.name))}
    return {*scene.furniture, *boards, *people, "drawer", "cupboard", "world"}


def _object(data: mujoco.MjData, thing: Thing, direct: dict[str, str], present: dict[str, Thing]) -> HomeObject:
    body, product = data.body(thing.phrase), thing.product
    turn, (x, y, z) = body.xmat.reshape(3, 3), (float(v) for v in body.xpos)
    support = _named_support(thing.phrase, direct, present)
    return HomeObject(
        colour=product.colour,
        kind=product.kind,
        position_in_world=(x, y, z),
        size_m=product.size_m,
        yaw_rad=math.atan2(turn[1, 0], turn[0, 0]),
        support=support,
        relation=_relation(data, thing, support, present),
        upright=bool(turn[2, 2] > 0.8),
        name=thing.name,
        category=product.category,
        room=Rooms().room_of(x, y),
    )


def _named_support(name: str, direct: dict[str, str], present: dict[str, Thing]) -> str:
    """Return what a person would say it rests on: in a heap in a container, the container."""
    support, seen = direct[name], {name}
    while support in present and support not in seen:
        if present[support].product.holds:
            return support
        seen.add(support)
        if direct[support] in present or direct[support] in ("bin", "basket", "drawer", "cupboard"):
            support = direct[support]
        else:
            break
    return support if support in present or support in ("bin", "basket", "drawer", "cupboard") else direct[name]


def _relation(data: mujoco.MjData, thing: Thing, support: str, present: dict[str, Thing]) -> str:
    if support in ("bin", "basket", "drawer", "cupboard"):
        return "in"
    host = present.get(support)
    if host is None or host.product.shape not in ("bowl", "cup"):
        return "on"
    rim = data.body(host.phrase).xpos[2] + host.size_m[2] / 2
    body = data.body(thing.phrase)
    return "in" if body.xpos[2] - np.abs(body.xmat[6:]) @ np.array(thing.size_m) / 2 < rim - 0.003 else "on"


def _person(data: mujoco.MjData, person: HomePerson, objects: dict[str, HomeObject]) -> TruePerson:
    moved = np.array([float(data.joint(name).qpos[0]) for name in joint_names(person.name)])
    held = np.array(gestures()[person.gesture][0].angles()) + moved
    near_rad = 0.35
    gesture = person.gesture
    if np.abs(moved).max() > near_rad:
        left = gestures()[person.gesture][1]
        same = [
            name for name, (arm, other) in gestures().items() if np.abs(held - arm.angles()).max() < near_rad and other == left
        ]
        gesture = same[0] if same else "moving"
    build, hand = Build(), data.body(hand_of(person.name))
    palm = hand.xpos + hand.xmat.reshape(3, 3) @ (0.0, 0.0, -build.forearm_m - build.palm_m)
    eye = data.body(person.name)
    face = eye.xpos + eye.xmat.reshape(3, 3) @ (0.0, 0.0, build.head_m)
    x, y, yaw = where(data, person)
    place = Rooms().room_of(x, y) if person.pose == "standing" else place_of(person)
    holds = next((name for name, item in objects.items() if item.support == hand_of(person.name)), "")
    return TruePerson(
        person.name, person.pose, gesture, person.shirt, place,
        (x, y, float(face[2])), (float(palm[0]), float(palm[1]), float(palm[2])), holds, yaw,
    )  # fmt: skip


def _balls(model: mujoco.MjModel, data: mujoco.MjData, present: dict[str, Thing]) -> dict[str, int]:
    """Return how many small balls are in each container, and how many on what else."""
    found: dict[str, int] = {name: 0 for name, thing in present.items() if thing.product.holds}
    balls = [i for i in range(model.nbody) if model.body(i).name.startswith("small ball ")]
    for ball in balls:
        home = next((name for name in found if name in present and _inside(data, data.xpos[ball], present[name])), "")
        if not home:
            hit, below = np.array([-1], dtype=np.int32), ball
            at = data.xpos[ball].copy()
            for _ in balls:  # through the balls that it lies on
                mujoco.mj_ray(model, data, at, np.array([0.0, 0.0, -1.0]), None, 1, below, hit)
                below = int(model.geom_bodyid[hit[0]]) if hit[0] >= 0 else 0
                if below not in balls:
                    break
                at = data.xpos[below].copy()
            home = model.body(below).name
        home = "floor" if home == "world" else home
        found[home] = found.get(home, 0) + 1
    return found


def _inside(data: mujoco.MjData, point: np.ndarray, host: Thing) -> bool:
    """Return whether a point lies within the outline of a container."""
    body, (length, _, height) = data.body(host.phrase), host.size_m
    local = body.xmat.reshape(3, 3).T @ (point - body.xpos)
    over_m = 0.012  # a ball that a heap holds over the rim counts too
    return bool(math.hypot(local[0], local[1]) < length / 2 and -height / 2 < local[2] < height / 2 + over_m)


def place_of(person: HomePerson) -> str:
    """Return the sofa or the room that a person is in."""
    return "sofa" if person.spot.startswith("sofa") else Rooms().room_of(person.x_m, person.y_m)
