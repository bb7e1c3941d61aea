"""An arm with a gripper and a depth camera: it finds things on its table, grasps them and puts them elsewhere.

vlp run "put the red cube on the tray" --robot examples.arm:Arm --model scripted:examples/arm_replies.json"""

from dataclasses import replace
from time import monotonic

import numpy as np

from vlp.core.observation import Intrinsics, Observation, RobotState
from vlp.primitives.manifest import Limits, Place
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.conformance import check_robot
from vlp.robot.skills import SkillFailed, SkillRobot

CAMERA = Intrinsics(320, 240, 277.2, 277.2, 160.0, 120.0)
CAMERA_IN_BASE = np.array([[0, -0.6, 0.8, 0], [-1, 0, 0, 0], [0, -0.8, -0.6, 0.6], [0, 0, 0, 1.0]])  # x right, y down, z ahead
TRAY = (0.5, -0.6, 0.0)
CUBE = {  # what locate gives, and grasp receives
    "phrase": "red cube", "box": [133, 141, 152, 167], "position_in_world": [0.6, 0.05, 0.025],
    "size_m": [0.05, 0.05, 0.05], "yaw_rad": 0.0, "score": 1.0, "stamp_s": 0.0,
}  # fmt: skip
PRIMITIVES = (  # a name stands for the standard primitive; `example`: arguments that are safe to try, for `vlp robot check`
    replace(STANDARD["home"], example={}),
    replace(STANDARD["grasp"], example={"target": CUBE}),
    replace(STANDARD["place"], example={"target": "tray", "relation": "on"}),
    "release",
)
LIMITS = Limits(workspace_min_m=(0.2, -0.7, 0.0), workspace_max_m=(0.9, 0.7, 0.8), gripper_opening_m=0.1)
MANIFEST = make_manifest("arm", PRIMITIVES, (Place("tray", ("on",)),), LIMITS, cameras={"head": {"depth": True}})


class Driver:
    """Stands for your arm, gripper and camera: where they are and where the cube is, x, y and z in metres."""

    def __init__(self) -> None:
        self.hand, self.opening_m, self.cube = (0.3, 0.0, 0.4), 0.1, (0.6, 0.05, 0.025)

    def move(self, point: tuple[float, float, float]) -> None:
        if self.opening_m < 0.1:
            self.cube = point
        self.hand = point

    def picture(self) -> tuple[np.ndarray, np.ndarray]:
        """Return RGB and depth in metres along the optical axis of a table, z = 0, with the cube, ray by ray."""
        v, u = np.mgrid[: CAMERA.height, : CAMERA.width] + 0.5
        x, y = (u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy
        rays = np.stack([x, y, np.ones_like(x)], -1) @ CAMERA_IN_BASE[:3, :3].T
        eye, cube = CAMERA_IN_BASE[:3, 3], np.array(self.cube)
        near, far = (cube - np.sign(rays) * 0.025 - eye) / rays, (cube + np.sign(rays) * 0.025 - eye) / rays
        entry, table = near.max(-1), -eye[2] / rays[..., 2]
        hit = entry < far.min(-1)
        shade = np.array([0.75, 0.6, 1.0])[near.argmax(-1)][..., None]
        rgb = np.where(hit[..., None], shade * (200, 30, 30), (150, 120, 90))
        return rgb.astype(np.uint8), np.where(hit, entry, table).astype(np.float32)


class Arm(SkillRobot):
    def __init__(self) -> None:
        super().__init__(MANIFEST)
        self.driver, self.held = Driver(), ""

    def observe(self) -> Observation:
        rgb, depth_m = self.driver.picture()
        state = RobotState(holding=self.held, gripper_m=self.driver.opening_m, hand_in_base=self.driver.hand)
        return Observation(rgb, depth_m, CAMERA, CAMERA_IN_BASE, state, monotonic())

    def grasp(self, target: dict) -> None:
        if target["size_m"][1] > LIMITS.gripper_opening_m:
            raise SkillFailed("too-wide", f"the {target['phrase']} is too wide for the gripper.")
        self.driver.move(target["position_in_world"])  # base_in_world stays (0, 0, 0), so that it is in the base frame
        self.driver.opening_m = target["size_m"][1]
        self.held = target["phrase"]  # once your gripper feels it
        self.home()

    def place(self, target: dict | str, relation: str) -> None:
        if relation not in ("on", "in"):
            raise SkillFailed("no-such-relation", f"this arm cannot put things {relation.replace('_', ' ')} others.")
        x, y, z = TRAY if isinstance(target, str) else target["position_in_world"]
        self.driver.move((x, y, z + 0.05))
        self.release()

    def release(self) -> None:
        self.driver.opening_m, self.held = 0.1, ""

    def home(self) -> None:
        self.pause(0.1)
        self.driver.move((0.3, 0.0, 0.4))

    def stop(self) -> None:
        super().stop()  # and then your arm's brake


if __name__ == "__main__":
    print("conformance:", check_robot(Arm()))
