"""Position servos of joints, and the physics that every body is simulated with."""

from collections.abc import Mapping
from typing import NamedTuple

from vlp.sim.opengl import mujoco


class Servo(NamedTuple):
    """A position servo: stiffness, damping, the highest force or torque (N, Nm), and the highest speed (m/s, rad/s)."""

    stiffness: float
    damping: float
    force: float
    speed: float


def set_physics(made: mujoco.MjSpec) -> None:
    """Set the time step, integrator and contacts that grasping by friction needs, and the bounds of pictures."""
    made.compiler.degree = False
    made.option.timestep = 0.002
    made.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    made.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    made.option.impratio = 10.0
    made.option.iterations = 30
    made.visual.global_.offwidth = 1280
    made.visual.global_.offheight = 960
    made.visual.map.znear = 0.01
    made.visual.map.zfar = 20.0
    made.stat.extent = 1.0  # clip planes are given in units of the extent


def add_servos(made: mujoco.MjSpec, servos: Mapping[str, Servo]) -> None:
    """Give joints their position servos, by the joints' names; set points keep to the joints' limits."""
    for name, (stiffness, damping, force, _) in servos.items():
        servo = made.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(kp=stiffness, kv=damping)
        servo.forcelimited = True
        servo.forcerange = [-force, force]
        joint = made.joint(name)
        if joint.limited == mujoco.mjtLimited.mjLIMITED_TRUE:
            servo.ctrllimited = True
            servo.ctrlrange = joint.range
