"""From published joint facts to the bodies and joints of a MuJoCo specification."""

import json
import math
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.sim.opengl import mujoco

Facts = dict[str, Any]


def load_facts(file: str) -> Facts:
    """Return the kinematic facts that ship with the package, e.g. "hsrb.json"."""
    return json.loads((files("vlp.sim.embodiments") / file).read_text("utf-8"))


def quaternion(rpy_rad: tuple[float, float, float] | list[float]) -> NDArray[np.float64]:
    """Return (w, x, y, z) of fixed-axis roll, pitch, yaw."""
    half = np.asarray(rpy_rad, dtype=np.float64) / 2
    (cr, cp, cy), (sr, sp, sy) = np.cos(half), np.sin(half)
    return np.array(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )


def add_tree(spec: mujoco.MjSpec, root: mujoco.MjsBody, facts: Facts, welded: tuple[str, ...]) -> None:
    """Hang every link of the facts below `root`, with names, origins, axes, limits and masses as published.

    Args:
        spec: the specification that is filled.
        root: the body of the facts' root link.
        facts: as `load_facts` returns them.
        welded: joints that are kept at zero although the facts let them turn (wheels rolling on the floor, which the
            simulated base does not need). Joints whose limits leave no room are welded too.
    """
    bodies = {root.name: root}
    waiting = list(facts["joints"])
    while waiting:
        joint = next(j for j in waiting if j["parent"] in bodies)
        waiting.remove(joint)
        body = bodies[joint["parent"]].add_body(
            name=joint["child"], pos=joint["origin_xyz_m"], quat=quaternion(joint["origin_rpy_rad"])
        )
        bodies[joint["child"]] = body
        _set_mass(body, facts["link_mass_kg"][joint["child"]])
        limit = joint.get("limit", {})
        has_room = limit.get("lower") is None or limit["lower"] < limit["upper"]
        if _moves(joint["type"]) is not None and joint["name"] not in welded and has_room:
            _add_joint(body, joint, limit)
            if "mimic" in joint:
                _add_mimic(spec, joint)


def _moves(kind: str) -> mujoco.mjtJoint | None:
    """Return how joints of a kind move in MuJoCo, None for fixed ones."""
    hinge, slide = mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE
    return {"revolute": hinge, "continuous": hinge, "prismatic": slide}.get(kind)


def _set_mass(body: mujoco.MjsBody, mass_kg: float) -> None:
    # The facts give masses only; inertia is that of a ball whose radius grows with the mass.
    radius_m = 0.05 * max(mass_kg, 0.01) ** (1 / 3)
    body.explicitinertial = True
    body.mass = mass_kg
    body.inertia = [0.4 * mass_kg * radius_m**2] * 3
    body.gravcomp = 1.0


def _add_joint(body: mujoco.MjsBody, joint: Facts, limit: Facts) -> None:
    made = body.add_joint(name=joint["name"], type=_moves(joint["type"]), axis=joint["axis"])
    if limit.get("lower") is not None:
        made.limited = mujoco.mjtLimited.mjLIMITED_TRUE
        made.range = [limit["lower"], limit["upper"]]


def _add_mimic(spec: mujoco.MjSpec, joint: Facts) -> None:
    mimic = joint["mimic"]
    data = np.zeros(mujoco.mjNEQDATA)
    data[0], data[1] = float(mimic.get("offset", 0.0)), float(mimic.get("multiplier", 1.0))
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=joint["name"],
        name2=mimic["joint"],
        data=data,
        solref=[0.004, 1.0],
        solimp=[0.99, 0.999, 0.001, 0.5, 2.0],
    )


def field_of_view_deg(height_px: int, fy_px: float) -> float:
    """Return the vertical field of view in degrees, as MuJoCo wants it."""
    return math.degrees(2 * math.atan(height_px / 2 / fy_px))
