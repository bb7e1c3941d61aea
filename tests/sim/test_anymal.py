"""The simulated ANYmal is the published one; its gait keeps standing feet where they stand."""

import math

import mujoco
import numpy as np
import pytest
from by_facts import forward_kinematics
from hypothesis import given, settings
from hypothesis import strategies as st

from vlp.sim import open_embodiment
from vlp.sim.embodiments.anymal import body
from vlp.sim.embodiments.anymal.gait import Gait, legs
from vlp.sim.embodiments.anymal.motion import AnymalMotion
from vlp.sim.embodiments.kinematics import load_facts
from vlp.sim.embodiments.reach import Reach

FACTS = load_facts("anymal/anymal_kinova.json")
MODEL = open_embodiment("anymal").spec().compile()
JOINTS = {joint["name"]: joint for joint in FACTS["joints"] if joint["type"] == "revolute"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_link_is_where_the_facts_put_it(seed: int):
    rng, data = np.random.default_rng(seed), mujoco.MjData(MODEL)
    q = {name: rng.uniform(joint["limit"]["lower"], joint["limit"]["upper"]) for name, joint in JOINTS.items()}
    for name, value in q.items():
        data.joint(name).qpos[0] = value
    mujoco.mj_kinematics(MODEL, data)
    for link, expected in forward_kinematics(FACTS, "base", q).items():
        found = data.body(link)
        assert np.abs(found.xpos - expected[:3, 3]).max() < 1e-6, link
        assert np.abs(found.xmat.reshape(3, 3) - expected[:3, :3]).max() < 1e-6, link


def test_joints_and_masses_are_those_of_the_facts():
    for name, joint in JOINTS.items():
        assert MODEL.joint(name).range == pytest.approx([joint["limit"]["lower"], joint["limit"]["upper"]])
    for name in body.ARM_JOINTS:
        assert body.mechanics().servos[name].speed == pytest.approx(JOINTS[name]["limit"]["velocity"])
        assert body.mechanics().servos[name].force <= 2 * JOINTS[name]["limit"]["effort"]
    assert MODEL.body_mass.sum() == pytest.approx(sum(FACTS["link_mass_kg"].values()) + 0.1)


def test_home_is_at_rest_on_four_feet_with_the_hand_pointing_down():
    data = mujoco.MjData(MODEL)
    body.set_home(MODEL, data, (0.3, -0.2, 0.5))
    mujoco.mj_step(MODEL, data, 300)
    for name, value in body.HOME.items():
        assert data.joint(name).qpos[0] == pytest.approx(value, abs=2e-3), name
    assert [data.body(f"{leg}_FOOT").xpos[2] for leg in legs()] == pytest.approx([0.03] * 4, abs=1e-3)
    assert data.body("hand").xmat.reshape(3, 3)[:, 2] == pytest.approx([0, 0, -1], abs=0.01)


@pytest.mark.parametrize("camera", ["front_rgbd", "wrist_rgbd"])
def test_cameras_have_their_intrinsics_and_look_along_their_optical_axes(camera: str):
    data = mujoco.MjData(MODEL)
    body.set_home(MODEL, data)
    assert 240 / np.tan(np.radians(MODEL.camera(camera).fovy[0]) / 2) == pytest.approx(body.intrinsics().fy, abs=0.01)
    optical = data.body(f"{camera}_optical_frame").xmat.reshape(3, 3)
    seen = data.cam_xmat[MODEL.camera(camera).id].reshape(3, 3)
    assert np.allclose(-seen[:, 2], optical[:, 2]) and np.allclose(-seen[:, 1], optical[:, 1])
    assert optical[2, 1] < 0, "what is below stands below in the image"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["LF", "RF", "LH", "RH"]), st.floats(-0.15, 0.15), st.floats(-0.1, 0.1), st.floats(-0.5, -0.25))
def test_a_foot_comes_where_it_is_sent(leg: str, dx: float, dy: float, z: float):
    geometry = legs()[leg]
    foot = geometry.front * 0.36 + dx, geometry.left * 0.246 + dy, z
    q = dict(zip(body.leg_joints(leg), geometry.angles(foot), strict=True))
    assert forward_kinematics(FACTS, "base", q)[f"{leg}_FOOT"][:3, 3] == pytest.approx(foot, abs=1e-9)


class Walk:
    """A robot on an empty floor, and what its feet did after each tick."""

    def __init__(self):
        self.data = mujoco.MjData(MODEL)
        body.set_home(MODEL, self.data)
        mechanics = body.mechanics()
        self.motion = AnymalMotion(mechanics, MODEL, self.data, Reach(mechanics), self.after_tick)
        self.slips_m, self.lifts_m = [], []

    def after_tick(self, now_s):
        del now_s
        gait = self.motion.gait
        for leg in legs():
            x, y, z = self.data.body(f"{leg}_FOOT").xpos
            if gait.stands(leg):
                self.slips_m.append(math.hypot(math.dist((x, y), gait.feet[leg]), z - 0.03))
            else:
                self.lifts_m.append(z - 0.03)


@pytest.mark.parametrize(
    "goal",
    [{"base_x": 0.8, "base_y": 0.3}, {"base_yaw": -1.0}, {"base_y": -0.1}, {"base_height": 0.22}],
    ids=["walks askew", "turns", "steps aside", "sits"],
)
def test_standing_feet_stay_put_and_all_four_stand_at_the_end(goal: dict[str, float]):
    walk = Walk()
    walk.motion.follow(goal)
    assert max(walk.slips_m) < 0.008 and np.percentile(walk.slips_m, 90) < 0.003
    assert walk.motion.gait.rests
    for leg in legs():
        assert walk.data.body(f"{leg}_FOOT").xpos[2] == pytest.approx(0.03, abs=1e-3)
    if "base_height" not in goal:
        assert max(walk.lifts_m) > 0.03, "no foot was lifted"


def test_the_gait_advances_with_the_way():
    """Twice as far takes twice as many steps, however fast."""

    def steps(way_m, speed_m_s):
        gait, count, before = Gait.standing((0.0, 0.0, 0.0)), 0, None
        for i in range(1, round(way_m / speed_m_s / 0.02) + 1):
            gait.advance((i * 0.02 * speed_m_s, 0.0, 0.0), 0.02)
            count += gait.swinging is not None and gait.swinging != before
            before = gait.swinging
        return count

    assert abs(steps(2.8, 0.45) - 2 * steps(1.4, 0.45)) <= 2
    assert abs(steps(2.8, 0.45) - steps(2.8, 0.42)) <= 2


def test_a_gait_survives_json_midway():
    gait = Gait.standing((0.0, 0.0, 0.0))
    for i in range(30):
        gait.advance((i * 0.008, 0.0, 0.0), 0.02)
    again = Gait.from_json(gait.to_json())
    for each in (gait, again):
        each.advance((30 * 0.008, 0.0, 0.0), 0.02)
    assert again.swinging is not None and again.angles(0.48) == gait.angles(0.48)
