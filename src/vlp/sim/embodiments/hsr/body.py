"""The Toyota HSR-B: holonomic base, lift, four-joint arm, two-finger gripper, pan-tilt head with an RGB-D camera."""

import math

from vlp.core.observation import Intrinsics
from vlp.sim.embodiments.gripper import Gripper
from vlp.sim.embodiments.hsr.shapes import shapes
from vlp.sim.embodiments.kinematics import add_tree, field_of_view_deg, load_facts
from vlp.sim.embodiments.mechanics import Bounds, Mechanics, Solving, add_base
from vlp.sim.embodiments.servos import Servo, add_servos, set_physics
from vlp.sim.embodiments.shapes import add_shapes
from vlp.sim.opengl import mujoco

CAMERA = "head_rgbd"
INTRINSICS = Intrinsics(640, 480, 554.38, 554.38, 320.0, 240.0)
ARM_JOINTS = ("arm_lift_joint", "arm_flex_joint", "arm_roll_joint", "wrist_flex_joint", "wrist_roll_joint")
HEAD_JOINTS = ("head_pan_joint", "head_tilt_joint")
GRIPPER = "hand_motor_joint"

HOME: dict[str, float] = {
    "arm_lift_joint": 0.2,
    "arm_flex_joint": 0.0,
    "arm_roll_joint": 1.57,
    "wrist_flex_joint": -1.57,
    "wrist_roll_joint": 0.0,
    "head_pan_joint": -0.03,
    "head_tilt_joint": -0.9,
    "hand_motor_joint": 0.6,
}
"""Carry posture: the arm upright, the hand out to the left of the camera's view, the head looking down on the table."""

SERVOS: dict[str, Servo] = {
    "base_x": Servo(60_000, 6_000, 1_500, 0.4),
    "base_y": Servo(60_000, 6_000, 1_500, 0.4),
    "base_yaw": Servo(12_000, 900, 300, 1.0),
    "arm_lift_joint": Servo(8_000, 450, 300, 0.2),
    "arm_flex_joint": Servo(3_000, 120, 100, 1.2),
    "arm_roll_joint": Servo(1_000, 25, 60, 2.0),
    "wrist_flex_joint": Servo(1_000, 25, 60, 1.5),
    "wrist_roll_joint": Servo(500, 12, 30, 1.5),
    "head_pan_joint": Servo(500, 20, 50, 1.0),
    "head_tilt_joint": Servo(500, 20, 50, 1.0),
    "hand_motor_joint": Servo(60, 3, 1.8, 1.0),
}
"""The commanded joints. Speeds are the facts' for arm and head, our own for the base."""


def spec() -> mujoco.MjSpec:
    """Return the HSR standing alone at the origin, its joints and links named as in the facts."""
    made = mujoco.MjSpec()
    made.modelname = "hsr"
    set_physics(made)
    root = add_base(made)
    # Wheels and casters roll under the shell; the base is driven as three joints, so theirs stay at zero.
    casters = (f"base_{side}_passive_wheel_{axis}" for side in "rl" for axis in ("x_frame_joint", "y_frame_joint", "z_joint"))
    wheels = ("base_roll_joint", "base_r_drive_wheel_joint", "base_l_drive_wheel_joint", *casters)
    add_tree(made, root, load_facts("hsrb.json"), welded=wheels)
    add_shapes(made, shapes())
    _set_joints(made)
    _set_contacts(made)
    add_servos(made, SERVOS)
    made.body("wrist_roll_link").add_site(name="wrist_force", group=4)
    made.add_sensor(
        name="wrist_force", type=mujoco.mjtSensor.mjSENS_FORCE, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="wrist_force"
    )
    made.body("head_rgbd_sensor_link").add_camera(
        name=CAMERA,
        quat=[0, 1, 0, 0],  # MuJoCo cameras look along -z with y up; the optical frame has z forward and y down
        fovy=field_of_view_deg(INTRINSICS.height, INTRINSICS.fy),
        resolution=[INTRINSICS.width, INTRINSICS.height],
    )
    return made


def mechanics() -> Mechanics:
    """Return what the shared motions know of the HSR."""
    lean_rad = 0.087  # of the fingers' tips
    return Mechanics(
        spec=spec,
        servos=SERVOS,
        joints=Mechanics.base_joints + ARM_JOINTS,
        home=HOME,
        hand="hand_palm_link",
        closer=GRIPPER,
        fingers=tuple((f"hand_{side}_proximal_joint", f"hand_{side}_spring_proximal_joint") for side in "lr"),
        gripper=Gripper(
            knuckle_y_m=0.0245, knuckle_z_m=-0.0175, length_m=0.07, ahead_rad=0.0,
            tip_y_m=0.01865 * math.cos(lean_rad) + 0.04289 * math.sin(lean_rad),
            tip_z_m=0.04289 * math.cos(lean_rad) - 0.01865 * math.sin(lean_rad),
            widest_m=0.128, resting_m=0.083, thick_m=0.012, knuckle_m=0.010, pad_m=0.034, deepest_m=0.060,
            knuckle_over_tip_m=0.03, closed_rad=-0.15, empty_m=0.008,
        ),
        bounds=Bounds(
            base_m_s=0.4, hand_m_s=0.6, low_m=(0.20, -1.40, 0.0), high_m=(1.00, 0.70, 1.20), own_m=0.35, payload_kg=1.2,
            grip_force_n=20.0, opening_m=0.13, radius_m=0.30, back_m=0.60, up_m=0.30,
        ),
        solving=Solving(
            frozen=(),
            # The posture keeps the arm stretched and the base straight; lift, base and wrist roll follow the hand.
            posture_cost={"base_yaw": 0.3, "arm_flex_joint": 0.3, "arm_roll_joint": 0.3, "wrist_flex_joint": 0.1},
            arm=("upper_arm_collision", "elbow_collision", "wrist_collision", "palm_collision"),
            rest=("torso_collision", "base_collision"),
            usual_m_s=0.19,
            usual_rad_s=1.2,
        ),
        lag={"base_x": 0.03, "base_y": 0.03, "base_yaw": 0.08, "arm_lift_joint": 0.02},
    )  # fmt: skip


def set_home(model: mujoco.MjModel, data: mujoco.MjData, base: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
    """Put the robot into carry posture, joints and servo set points alike; for the start of an episode only.

    Args:
        model, data: any world that holds this robot.
        base: x, y, yaw in the world.
    """
    wanted = {**HOME, **dict(zip(Mechanics.base_joints, base, strict=True))}
    for name, value in wanted.items():
        data.joint(name).qpos[0] = value
        data.actuator(name).ctrl[0] = value
    data.joint("torso_lift_joint").qpos[0] = 0.5 * wanted["arm_lift_joint"]
    for side in "lr":
        data.joint(f"hand_{side}_proximal_joint").qpos[0] = wanted[GRIPPER]
        data.joint(f"hand_{side}_distal_joint").qpos[0] = -wanted[GRIPPER] - 0.087
        data.joint(f"hand_{side}_spring_proximal_joint").qpos[0] = 0.0
        data.joint(f"hand_{side}_mimic_distal_joint").qpos[0] = 0.0
    mujoco.mj_forward(model, data)


def _set_joints(made: mujoco.MjSpec) -> None:
    for joint in made.joints:
        if joint.name.startswith("hand_"):
            joint.armature = 0.002
            joint.damping[0] = 0.05
        if "spring_proximal" in joint.name:
            joint.stiffness[0], joint.springref = 30.0, -0.02  # a little preload keeps the spring on its stop
            joint.damping[0] = 0.5
        if joint.name in ARM_JOINTS + HEAD_JOINTS:
            joint.armature = 0.05


def _set_contacts(made: mujoco.MjSpec) -> None:
    """Make the pads rubber: their friction rules over that of what they hold, with some torsion."""
    for side in "lr":
        pad = made.geom(f"pad_{side}_collision")
        pad.friction = [1.2, 0.02, 0.0001]
        pad.condim, pad.priority = 4, 1
        pad.solref, pad.solimp = [0.006, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]
    made.add_pair(geomname1="pad_l_collision", geomname2="pad_r_collision", condim=1, name="pads")
