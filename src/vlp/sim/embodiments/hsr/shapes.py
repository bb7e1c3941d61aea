"""What the HSR looks like: primitive shapes by link, most of them for the eye only."""

import math

from vlp.sim.embodiments.shapes import BodyShape
from vlp.sim.opengl import mujoco


def shapes() -> tuple[BodyShape, ...]:
    """Return what the robot is drawn from."""
    white, grey, dark = (0.93, 0.93, 0.92, 1.0), (0.72, 0.73, 0.75, 1.0), (0.16, 0.16, 0.18, 1.0)
    black, glass, accent = (0.06, 0.06, 0.07, 1.0), (0.10, 0.14, 0.18, 1.0), (0.85, 0.10, 0.12, 1.0)
    box, cylinder, capsule = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_CAPSULE
    ellipsoid = mujoco.mjtGeom.mjGEOM_ELLIPSOID
    along_x, along_y = (0.0, math.pi / 2, 0.0), (math.pi / 2, 0.0, 0.0)
    lean_rad = 0.087  # of the fingers' distal links, inwards; pads stand upright so that they close flat on a thing
    return (
        # base: a round skirt on hidden wheels, then the shell
        BodyShape("base_link", cylinder, (0.205, 0.030), (0, 0, 0.045), dark),
        BodyShape("base_link", cylinder, (0.215, 0.100), (0, 0, 0.175), white, name="base_collision"),
        BodyShape("base_link", cylinder, (0.217, 0.006), (0, 0, 0.190), black),
        BodyShape("base_link", ellipsoid, (0.212, 0.212, 0.040), (0, 0, 0.275), white),
        BodyShape("base_range_sensor_link", cylinder, (0.030, 0.018), (0.02, 0, 0), black),
        # torso column behind the centre, so that the base can stand under a table's edge
        BodyShape("base_link", box, (0.075, 0.095, 0.240), (-0.055, 0, 0.510), white, name="torso_collision"),
        BodyShape("base_link", cylinder, (0.075, 0.240), (-0.055, 0.095, 0.510), white),
        BodyShape("base_link", cylinder, (0.075, 0.240), (-0.055, -0.095, 0.510), white),
        BodyShape("base_link", box, (0.004, 0.018, 0.210), (0.022, 0.06, 0.520), dark),
        BodyShape("torso_lift_link", cylinder, (0.045, 0.180), (-0.050, 0, -0.150), grey),
        BodyShape("torso_lift_link", ellipsoid, (0.100, 0.150, 0.055), (-0.050, 0, 0.010), white),
        # head
        BodyShape("head_pan_link", cylinder, (0.045, 0.030), (-0.010, 0, 0.030), dark),
        BodyShape("head_tilt_link", ellipsoid, (0.095, 0.130, 0.095), (-0.070, 0, 0.080), white, name="head_collision"),
        BodyShape("head_tilt_link", box, (0.030, 0.105, 0.055), (-0.020, 0, 0.065), white),
        BodyShape("head_tilt_link", box, (0.004, 0.095, 0.046), (0.012, 0, 0.065), glass),
        BodyShape("head_l_stereo_camera_link", cylinder, (0.020, 0.008), (0, 0, -0.004), black),
        BodyShape("head_r_stereo_camera_link", cylinder, (0.020, 0.008), (0, 0, -0.004), black),
        BodyShape("head_tilt_link", cylinder, (0.020, 0.030), (-0.105, 0, 0.175), grey),
        BodyShape("head_rgbd_sensor_link", box, (0.085, 0.020, 0.018), (0.022, 0, -0.024), dark),
        # arm
        BodyShape("arm_lift_link", box, (0.060, 0.045, 0.045), (0.070, 0.070, 0), grey),
        BodyShape("arm_flex_link", cylinder, (0.052, 0.052), (0, 0, 0), white, along_y),
        BodyShape("arm_flex_link", capsule, (0.040, 0.110), (0.005, 0, 0.150), white, name="upper_arm_collision"),
        BodyShape("arm_flex_link", cylinder, (0.042, 0.006), (0.005, 0, 0.262), accent),
        BodyShape("arm_roll_link", cylinder, (0.036, 0.030), (0, 0, -0.045), dark),
        BodyShape("arm_roll_link", cylinder, (0.036, 0.036), (0, 0, 0), white, along_y, name="elbow_collision"),
        BodyShape("wrist_flex_link", cylinder, (0.034, 0.025), (0, 0, 0.040), grey),
        BodyShape("wrist_roll_link", cylinder, (0.038, 0.022), (0, 0, 0.088), white, name="wrist_collision"),
        # hand
        BodyShape("hand_palm_link", box, (0.033, 0.040, 0.020), (-0.010, 0, -0.022), dark, name="palm_collision"),
        BodyShape("hand_palm_link", cylinder, (0.012, 0.004), (0.039, 0, -0.010), black),
        *(
            shape
            for side, sign in (("l", 1.0), ("r", -1.0))
            for shape in (
                BodyShape(f"hand_{side}_proximal_link", cylinder, (0.009, 0.012), (0, 0, 0), dark, along_x),
                BodyShape(
                    f"hand_{side}_spring_proximal_link", capsule, (0.008, 0.030), (0, 0, 0.036), dark,
                    name=f"finger_{side}_collision",
                ),
                BodyShape(
                    f"hand_{side}_distal_link", box, (0.010, 0.005, 0.021), (0.01, sign * 0.0055, 0.018), dark,
                    (-sign * 0.30, 0, 0),
                ),
                BodyShape(
                    f"hand_{side}_distal_link", box, (0.016, 0.005, 0.017), (0.01675, sign * 0.0150, 0.0265), black,
                    (sign * lean_rad, 0, 0), name=f"pad_{side}_collision",
                ),
            )
        ),
    )  # fmt: skip
