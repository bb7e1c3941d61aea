"""The simulated HSR is the published HSR."""

import mujoco
import numpy as np
import pytest
from by_facts import forward_kinematics
from hypothesis import given, settings
from hypothesis import strategies as st

from vlp.core.errors import UsageError
from vlp.sim import open_embodiment
from vlp.sim.embodiments.hsr.body import CAMERA, HOME, set_home
from vlp.sim.embodiments.kinematics import load_facts

FACTS = load_facts("hsrb.json")
MODEL = open_embodiment("hsr").spec().compile()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_link_is_where_the_facts_put_it(seed):
    rng = np.random.default_rng(seed)
    data = mujoco.MjData(MODEL)
    q = {}
    for i in range(MODEL.njnt):
        name = MODEL.joint(i).name
        if not name.startswith("base_"):
            q[name] = data.qpos[MODEL.jnt_qposadr[i]] = rng.uniform(*MODEL.jnt_range[i])
    mujoco.mj_kinematics(MODEL, data)
    for link, expected in forward_kinematics(FACTS, "base_footprint", q).items():
        found = data.body(link)
        assert np.abs(found.xpos - expected[:3, 3]).max() < 1e-6, link
        assert np.abs(found.xmat.reshape(3, 3) - expected[:3, :3]).max() < 1e-5, link


def test_movable_joints_keep_the_names_and_limits_of_the_facts():
    for joint in FACTS["joints"]:
        limit = joint.get("limit", {})
        if joint["type"] in ("revolute", "prismatic") and limit["lower"] < limit["upper"]:
            assert MODEL.joint(joint["name"]).range == pytest.approx([limit["lower"], limit["upper"]])


def test_mass_is_the_published_mass():
    assert MODEL.body_mass.sum() == pytest.approx(sum(FACTS["link_mass_kg"].values()) + 0.1)


def test_home_is_at_rest_and_the_mimicking_joints_follow():
    data = mujoco.MjData(MODEL)
    set_home(MODEL, data)
    mujoco.mj_step(MODEL, data, 500)
    for name, value in HOME.items():
        assert data.joint(name).qpos[0] == pytest.approx(value, abs=2e-3), name
    assert data.joint("torso_lift_joint").qpos[0] == pytest.approx(HOME["arm_lift_joint"] / 2, abs=1e-3)


def test_camera_has_the_sensors_intrinsics_and_looks_along_its_optical_axis():
    data = mujoco.MjData(MODEL)
    set_home(MODEL, data)
    camera = MODEL.camera(CAMERA)
    assert 240 / np.tan(np.radians(camera.fovy[0]) / 2) == pytest.approx(554.38, abs=0.01)
    optical = data.body("head_rgbd_sensor_link").xmat.reshape(3, 3)
    seen = data.cam_xmat[camera.id].reshape(3, 3)
    assert np.allclose(-seen[:, 2], optical[:, 2]) and np.allclose(-seen[:, 1], optical[:, 1])


def test_an_unknown_robot_is_answered_with_the_closest_match():
    with pytest.raises(UsageError, match="hsr"):
        open_embodiment("hrs")
