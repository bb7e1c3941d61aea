"""What ANYmal looks like: primitive shapes by link, most of them for the eye only."""

import math
from collections.abc import Iterator

import numpy as np

from vlp.sim.embodiments.shapes import BodyShape, Vec
from vlp.sim.opengl import mujoco

Rgba = tuple[float, float, float, float]


class Colour:
    """The colours that the robot is painted in."""

    white, silver, grey = (0.90, 0.91, 0.90, 1.0), (0.70, 0.72, 0.75, 1.0), (0.36, 0.38, 0.41, 1.0)
    dark, black, red = (0.15, 0.16, 0.18, 1.0), (0.05, 0.05, 0.06, 1.0), (0.80, 0.09, 0.10, 1.0)
    glass, lamp = (0.08, 0.13, 0.20, 1.0), (0.96, 0.97, 1.0, 1.0)


def shapes() -> Iterator[BodyShape]:
    """Yield what the robot is drawn from."""
    yield from _torso()
    for leg in ("LF", "RF", "LH", "RH"):
        yield from _leg(leg, front=1.0 if leg[1] == "F" else -1.0, left=1.0 if leg[0] == "L" else -1.0)
    yield from _arm()
    yield from _hand()


def _torso() -> Iterator[BodyShape]:
    base = "base"
    yield _box(base, (0.262, 0.118, 0.066), (0, 0, -0.004), Colour.dark, name="torso_collision")
    yield _box(base, (0.215, 0.100, 0.018), (0, 0, -0.082), Colour.black)
    yield _box(base, (0.205, 0.104, 0.010), (-0.03, 0, 0.072), Colour.white)
    yield _box(base, (0.075, 0.062, 0.014), (-0.02, 0, 0.090), Colour.dark)
    yield _box(base, (0.052, 0.044, 0.004), (-0.02, 0, 0.106), Colour.grey)
    for side in (1.0, -1.0):
        yield _box(base, (0.176, 0.006, 0.050), (0, side * 0.123, -0.002), Colour.white)
        yield _box(base, (0.176, 0.003, 0.007), (0, side * 0.129, 0.022), Colour.red)
        yield _box(base, (0.060, 0.003, 0.018), (-0.09, side * 0.129, -0.020), Colour.dark)
        for x in (0.150, -0.210):
            yield _rod(base, (x, side * 0.092, 0.070), (x, side * 0.092, 0.122), 0.009, Colour.grey)
        yield _rod(base, (0.150, side * 0.092, 0.122), (-0.210, side * 0.092, 0.122), 0.010, Colour.grey)
        for x in (0.262, -0.262):  # the drives that swing the legs sideways
            yield _disc(base, "x", 0.057, 0.034, (x * 0.93, side * 0.116, 0), Colour.grey)
    # the turning laser behind, on its socket
    yield _disc(base, "z", 0.052, 0.012, (-0.165, 0, 0.094), Colour.dark)
    yield _disc(base, "z", 0.046, 0.024, (-0.165, 0, 0.130), Colour.black)
    yield _disc(base, "z", 0.047, 0.004, (-0.165, 0, 0.130), Colour.silver)
    yield _disc(base, "z", 0.046, 0.005, (-0.165, 0, 0.159), Colour.grey)
    for end in (1.0, -1.0):  # the head and its twin behind
        yield _box(base, (0.052, 0.074, 0.052), (end * 0.305, 0, -0.010), Colour.white)
        yield _box(base, (0.010, 0.066, 0.044), (end * 0.352, 0, -0.010), Colour.black)
        yield _box(base, (0.002, 0.056, 0.018), (end * 0.3625, 0, 0.006), Colour.glass)
        for y in (0.038, -0.038):
            yield _disc(base, "x", 0.013, 0.004, (end * 0.364, y, 0.006), Colour.black)
            yield _disc(base, "x", 0.008, 0.005, (end * 0.365, y, 0.006), Colour.glass)
        yield _box(base, (0.003, 0.050, 0.004), (end * 0.362, 0, -0.030), Colour.lamp)
    yield _box("jaco_mounting_block", (0.050, 0.052, 0.007), (0, 0, -0.009), Colour.dark)


def _leg(leg: str, front: float, left: float) -> Iterator[BodyShape]:
    """Yield one leg; `front` and `left` are 1 or -1."""
    hip, thigh, shank, foot = (f"{leg}_{part}" for part in ("HIP", "THIGH", "SHANK", "FOOT"))
    yield _disc(hip, "x", 0.050, 0.034, (front * 0.030, 0, 0), Colour.dark)
    yield _disc(hip, "y", 0.058, 0.036, (front * 0.0635, left * 0.006, 0), Colour.grey)
    yield _disc(thigh, "y", 0.060, 0.030, (0, left * 0.036, 0), Colour.dark)
    yield _disc(thigh, "y", 0.044, 0.004, (0, left * 0.067, 0), Colour.red)
    yield _disc(thigh, "y", 0.030, 0.005, (0, left * 0.069, 0), Colour.dark)
    yield _box(thigh, (0.033, 0.016, 0.105), (0, left * 0.046, -0.125), Colour.dark)
    yield _box(thigh, (0.019, 0.004, 0.075), (0, left * 0.064, -0.125), Colour.grey)
    yield _disc(thigh, "y", 0.047, 0.032, (0, left * 0.052, -0.250), Colour.dark)
    yield _disc(shank, "y", 0.045, 0.020, (0, -left * 0.004, 0), Colour.grey)
    yield _disc(shank, "y", 0.030, 0.004, (0, left * 0.018, 0), Colour.black)
    yield _rod(shank, (0, -left * 0.010, 0), (front * 0.092, -left * 0.020, -0.046), 0.021, Colour.dark)
    yield _rod(shank, (front * 0.092, -left * 0.020, -0.046), (front * 0.1, -left * 0.020, -0.28), 0.016, Colour.dark)
    yield _rod(shank, (front * 0.099, -left * 0.020, -0.235), (front * 0.1, -left * 0.020, -0.300), 0.021, Colour.grey)
    yield BodyShape(foot, mujoco.mjtGeom.mjGEOM_SPHERE, (0.030,), (0, 0, 0), Colour.black)


def _arm() -> Iterator[BodyShape]:
    base, shoulder, upper, fore, wrist, last = ("j2s6s200_link_base", *(f"j2s6s200_link_{i}" for i in range(1, 6)))
    yield _disc(base, "z", 0.046, 0.050, (0, 0, 0.050), Colour.dark)
    yield _disc(base, "z", 0.047, 0.006, (0, 0, 0.106), Colour.silver)
    yield _disc(base, "z", 0.042, 0.022, (0, 0, 0.134), Colour.dark)
    yield _disc(shoulder, "z", 0.041, 0.040, (0, 0, -0.042), Colour.white)
    yield _disc(shoulder, "z", 0.043, 0.005, (0, 0, -0.006), Colour.silver)
    yield _disc(shoulder, "y", 0.044, 0.046, (0, 0, -0.11875), Colour.dark)
    yield _disc(upper, "z", 0.036, 0.052, (0, 0, 0), Colour.white)
    yield _rod(upper, (0, -0.02, 0), (0, -0.39, 0), 0.034, Colour.dark, name="upper_arm_collision")
    yield _disc(upper, "y", 0.0355, 0.006, (0, -0.095, 0), Colour.silver)
    yield _disc(upper, "y", 0.0355, 0.006, (0, -0.315, 0), Colour.silver)
    yield _disc(upper, "y", 0.0365, 0.060, (0, -0.205, 0), Colour.white)
    yield _disc(upper, "z", 0.040, 0.042, (0, -0.41, 0), Colour.dark)
    yield _disc(fore, "z", 0.034, 0.046, (0, 0, 0), Colour.white, name="elbow_collision")
    yield _rod(fore, (0, 0.015, 0), (0, 0.185, -0.010), 0.030, Colour.dark, name="forearm_collision")
    yield _disc(fore, "y", 0.032, 0.040, (0, 0.110, -0.006), Colour.white)
    yield _disc(fore, "y", 0.032, 0.005, (0, 0.180, -0.010), Colour.silver)
    yield _disc(wrist, "z", 0.030, 0.036, (0, 0, -0.044), Colour.dark)
    yield _disc(wrist, "z", 0.031, 0.004, (0, 0, -0.010), Colour.silver)
    yield BodyShape(wrist, mujoco.mjtGeom.mjGEOM_SPHERE, (0.034,), (0, 0, -0.10375), Colour.white, name="wrist_collision")
    yield _disc(last, "y", 0.030, 0.034, (0, 0.052, 0), Colour.dark)
    yield _disc(last, "y", 0.031, 0.004, (0, 0.088, 0), Colour.silver)
    # the camera on the wrist
    yield _box(last, (0.016, 0.012, 0.012), (0.040, 0.030, 0), Colour.grey)
    yield _box(last, (0.012, 0.013, 0.045), (0.064, 0.016, 0), Colour.dark)
    yield _box(last, (0.009, 0.002, 0.040), (0.064, 0.030, 0), Colour.glass)


def _hand() -> Iterator[BodyShape]:
    palm = "j2s6s200_link_6"
    yield _disc(palm, "z", 0.033, 0.044, (0, 0, -0.036), Colour.white, name="palm_collision")
    yield _disc(palm, "z", 0.034, 0.004, (0, 0, -0.066), Colour.silver)
    yield BodyShape(palm, mujoco.mjtGeom.mjGEOM_ELLIPSOID, (0.028, 0.044, 0.026), (0, 0, -0.092), Colour.dark)
    for i, side in ((1, 1.0), (2, -1.0)):
        finger, tip = f"j2s6s200_link_finger_{i}", f"j2s6s200_link_finger_tip_{i}"
        yield _disc(palm, "x", 0.010, 0.014, (-0.0025, side * 0.031, -0.1148), Colour.grey)
        yield _rod(finger, (0.006, -0.001, 0), (0.042, -0.003, 0), 0.0085, Colour.dark, name=f"finger_{i}_collision")
        yield _rod(tip, (0.002, 0, 0), (0.034, 0.001, 0), 0.0075, Colour.grey)
        yield _box(tip, (0.017, 0.0045, 0.014), (0.0245, 0.0075, 0), Colour.black, name=f"pad_{i}_collision")


def _rod(link: str, start: Vec, end: Vec, radius_m: float, rgba: Rgba, name: str = "") -> BodyShape:
    """Return a capsule between two points of a link."""
    a, b = np.array(start), np.array(end)
    x, y, z = b - a
    turn = (0.0, math.atan2(math.hypot(x, y), z), math.atan2(y, x))
    middle = ((a + b) / 2).tolist()
    size = radius_m, float(np.linalg.norm(b - a)) / 2
    return BodyShape(link, mujoco.mjtGeom.mjGEOM_CAPSULE, size, (middle[0], middle[1], middle[2]), rgba, turn, name)


def _box(link: str, half_m: Vec, middle: Vec, rgba: Rgba, name: str = "") -> BodyShape:
    return BodyShape(link, mujoco.mjtGeom.mjGEOM_BOX, half_m, middle, rgba, name=name)


def _disc(link: str, axis: str, radius_m: float, half_m: float, middle: Vec, rgba: Rgba, name: str = "") -> BodyShape:
    """Return a cylinder along an axis of a link."""
    turn = {"x": (0.0, math.pi / 2, 0.0), "y": (math.pi / 2, 0.0, 0.0), "z": (0.0, 0.0, 0.0)}[axis]
    return BodyShape(link, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius_m, half_m), middle, rgba, turn, name)
