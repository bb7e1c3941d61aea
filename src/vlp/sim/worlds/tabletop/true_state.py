"""Reads the true state out of MuJoCo: what rests in or on what, and what the hand holds, from contacts and geometry."""

import math
from collections.abc import Iterable

import numpy as np

from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.opengl import mujoco
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.contacts import carrier, contacts, held_by, of_hand
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.words import CONTAINERS, FLAT_TOPPED, PUT_RELATION


def read_truth(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    objects: Iterable[SceneObject],
    fingers: Fingers | None,
    *,
    at: str,
    held: str | None = None,
) -> Truth:
    """Return the true state.

    Args:
        model, data: a world after `mj_forward` or `mj_step`.
        objects: the scene's objects, for their kinds and sizes.
        fingers: the robot's; None for one without a hand.
        at: the place the robot stands at.
        held: what the hand holds where that is known beforehand; None looks at the contacts.
    """
    present = {o.phrase: o for o in objects if data.body(o.phrase).xpos[0] > -10.0}  # farther: a person took it away
    touching = contacts(model, data, present)
    hand = fingers or Fingers((), (), "", ())
    holding = held_by(touching, hand) if held is None else held
    supports: dict[str, str] = {}
    for phrase in present:
        carriers = {n: up for n, up in touching[phrase].items() if n in present or n in ("table", "bin", "world")}
        supports[phrase] = "hand" if phrase == holding else _support(model, data, phrase, carriers, hand)
    made = {p: _true_object(data, o, supports, present) for p, o in present.items()}
    return Truth(objects=made, holding=holding, at=at)


def _support(model: mujoco.MjModel, data: mujoco.MjData, phrase: str, partners: dict[str, float], hand: Fingers) -> str:
    below = carrier(model, data, phrase, partners)
    return "hand" if of_hand(below, hand) else _place_name(below)


def _place_name(body: str) -> str:
    return "floor" if body == "world" else body


def _true_object(
    data: mujoco.MjData, thing: SceneObject, supports: dict[str, str], present: dict[str, SceneObject]
) -> TrueObject:
    body = data.body(thing.phrase)
    turn = body.xmat.reshape(3, 3)
    support = _named_support(data, thing, supports, present)
    return TrueObject(
        colour=thing.colour,
        kind=thing.kind,
        position_in_world=(float(body.xpos[0]), float(body.xpos[1]), float(body.xpos[2])),
        size_m=thing.size_m,
        yaw_rad=math.atan2(turn[1, 0], turn[0, 0]),
        support=support,
        relation=_relation(data, thing, support, present),
        upright=bool(turn[2, 2] > 0.8),
    )


def _named_support(data: mujoco.MjData, thing: SceneObject, supports: dict[str, str], present: dict[str, SceneObject]) -> str:
    """Return what a person would say it rests on: in a heap in a container, the container; in a stack, the next."""
    direct = supports[thing.phrase]
    name, seen = direct, {thing.phrase}
    while name in present and name not in seen:
        if name == direct and present[name].kind in FLAT_TOPPED and _stands_on(data, thing, present[name]):
            return direct
        if present[name].kind in CONTAINERS:
            return name
        seen.add(name)
        name = supports[name]
    if name == "bin" or direct not in present:
        return name
    return direct


def _stands_on(data: mujoco.MjData, thing: SceneObject, host: SceneObject) -> bool:
    """Return whether a thing's middle is above the top of an upright host."""
    top, middle = data.body(host.phrase), data.body(thing.phrase).xpos
    local = top.xmat.reshape(3, 3).T @ (middle - top.xpos)
    half = host.size_m[0] / 2, host.size_m[1] / 2
    return bool(top.xmat[8] > 0.9 and local[2] > host.size_m[2] / 2 and abs(local[0]) <= half[0] and abs(local[1]) <= half[1])


def _relation(data: mujoco.MjData, thing: SceneObject, support: str, present: dict[str, SceneObject]) -> str:
    if support == "bin":
        return "in"
    host = present.get(support)
    if host is None or PUT_RELATION.get(host.kind) != "in":
        return "on"
    rim = data.body(host.phrase).xpos[2] + host.size_m[2] / 2
    body = data.body(thing.phrase)
    lowest = body.xpos[2] - np.abs(body.xmat[6:]) @ np.array(thing.size_m) / 2
    return "in" if lowest < rim - 0.003 else "on"


def truth_of(scene: Scene) -> Truth:
    """Return the true state of a scene before anything has moved, without building its physics."""
    objects = {
        o.phrase: TrueObject(o.colour, o.kind, o.position_m, o.size_m, o.yaw_rad, o.support, o.relation) for o in scene.objects
    }
    return Truth(objects)
