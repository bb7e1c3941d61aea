"""What touches what, and what carries it: read from MuJoCo's contacts, for the true state of any world."""

from collections.abc import Iterable, Mapping

import numpy as np

from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.faults import STATE
from vlp.sim.opengl import mujoco

Touching = dict[str, dict[str, float]]
"""For each thing the upward force in newtons from each body that it touches."""


def contacts(model: mujoco.MjModel, data: mujoco.MjData, things: Iterable[str]) -> Touching:
    """Return, for each thing, the upward force in newtons from each body it touches.

    Args:
        model, data: a world after `mj_forward` or `mj_step`.
        things: names of bodies.
    """
    touching: Touching = {name: {} for name in things}
    data = awake(model, data)
    names = {model.body(name).id: name for name in touching}
    force = np.zeros(6)
    for i in range(data.ncon):
        contact = data.contact[i]
        if contact.efc_address < 0:
            continue
        bodies = [int(model.geom_bodyid[g]) for g in contact.geom]
        if bodies[0] not in names and bodies[1] not in names:
            continue
        mujoco.mj_contactForce(model, data, i, force)
        up = float(contact.frame.reshape(3, 3).T[2] @ force[:3])  # on the second geom
        for mine, other, upward in ((bodies[0], bodies[1], -up), (bodies[1], bodies[0], up)):
            if mine in names:
                found = touching[names[mine]]
                found[model.body(other).name] = found.get(model.body(other).name, 0.0) + upward
    return touching


def awake(model: mujoco.MjModel, data: mujoco.MjData) -> mujoco.MjData:
    """Return a state in which nothing is asleep: MuJoCo has no contacts between what is.

    Args:
        model, data: a world after `mj_forward` or `mj_step`. Where all is awake, it is returned itself.
    """
    if data.ntree_awake == model.ntree:
        return data
    woken = mujoco.MjData(model)
    state = np.empty(mujoco.mj_stateSize(model, STATE))
    mujoco.mj_getState(model, data, state, STATE)
    mujoco.mj_setState(model, woken, state, STATE)
    mujoco.mj_forward(model, woken)
    return woken


def held_by(touching: Touching, hand: Fingers) -> str:
    """Return the thing that all fingers touch and nothing else carries, or ""."""
    for name, partners in touching.items():
        fingers = [any(body.startswith(finger) for body in partners) for finger in hand.each]
        carried = any(upward > 0.02 for body, upward in partners.items() if not of_hand(body, hand))
        if fingers and all(fingers) and not carried:
            return name
    return ""


def of_hand(body: str, hand: Fingers) -> bool:
    """Return whether a body belongs to the hand."""
    return body.startswith(hand.hand)


def carrier(model: mujoco.MjModel, data: mujoco.MjData, thing: str, partners: Mapping[str, float]) -> str:
    """Return the body that bears most of a thing's weight; where none does, the body below it.

    Args:
        model, data: a world after `mj_forward` or `mj_step`.
        thing: name of its body.
        partners: upward forces from the bodies that may bear it.
    """
    pushing = {name: up for name, up in partners.items() if up > 0.02}
    if pushing:
        return max(pushing, key=lambda name: pushing[name])
    hit, body = np.array([-1], dtype=np.int32), model.body(thing).id
    mujoco.mj_ray(model, data, data.xpos[body], np.array([0.0, 0.0, -1.0]), None, 1, body, hit)
    return model.body(model.geom_bodyid[hit[0]]).name if hit[0] >= 0 else "world"
