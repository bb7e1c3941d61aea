"""Pictures: boxes, depth, noise, and one drawing context for all threads."""

import threading

import mujoco
import numpy as np
import pytest

from vlp.core.errors import MissingComponent
from vlp.core.observation import deproject, project, transform
from vlp.sim import opengl, render
from vlp.sim.embodiments.hsr.body import CAMERA as HEAD
from vlp.sim.embodiments.hsr.body import INTRINSICS as K
from vlp.sim.render import Camera, noisy_depth, outline_points
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.tabletop.world import sample_scene


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(sample_scene(12))


def _camera_in_world(simulation: Simulation) -> np.ndarray:
    """The optical frame: x right, y down, z forward."""
    view = simulation.data.camera(HEAD)
    pose = np.eye(4)
    pose[:3, :3] = view.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = view.xpos
    return pose


@pytest.mark.parametrize("seed", [12, 13, 14, 15, 16, 17])
def test_boxes_of_unhidden_objects_are_where_projection_puts_them(seed: int):
    simulation = Simulation(sample_scene(seed))
    seen = Camera(simulation.model, HEAD).visible(simulation.data, list(simulation.objects))
    world_in_camera = np.linalg.inv(_camera_in_world(simulation))
    compared = 0
    for name, v in seen.items():
        assert 0 < v.fraction <= 1 and v.pixels <= (v.box[2] - v.box[0]) * (v.box[3] - v.box[1])
        if v.fraction > 0.93 and simulation.objects[name].kind in ("cube", "block", "ball", "can", "tray", "box"):
            corners = outline_points(simulation.model, simulation.data, simulation.model.body(name).id)
            pixels = project(transform(corners, world_in_camera), K)
            expected = (*pixels.min(axis=0), *pixels.max(axis=0))
            assert np.allclose(v.box, expected, atol=2.5), name
            compared += 1
    assert compared >= 1


def test_a_hidden_object_shows_less_of_itself(simulation: Simulation):
    camera, data = Camera(simulation.model, HEAD), simulation.data
    name = next(n for n, o in simulation.objects.items() if o.support == "table" and o.kind in ("cube", "block", "ball"))
    alone = camera.visible(data, [name])[name]
    bodies = camera.bodies(data)
    middle = int((alone.box[0] + alone.box[2]) / 2)
    bodies[:, middle:] = 0
    half = camera.visible(data, [name], bodies)[name]
    assert 0.3 * alone.fraction < half.fraction < 0.7 * alone.fraction


def test_exact_depth_puts_the_table_at_its_height(simulation: Simulation):
    camera = Camera(simulation.model, HEAD)
    bodies = camera.bodies(simulation.data)
    _, depth = camera.rgb_and_depth(simulation.data)
    rows, columns = np.nonzero(bodies == simulation.model.body("table").id)
    inner = (rows > 150) & (rows < 300)
    pixels = np.stack([columns[inner] + 0.5, rows[inner] + 0.5], axis=1)[::37].astype(np.float64)
    points = deproject(pixels, depth[rows[inner], columns[inner]][::37].astype(np.float64), K)
    heights = transform(points, _camera_in_world(simulation))[:, 2]
    assert abs(np.median(heights) - simulation.scene.table.height_m) < 0.001
    assert np.percentile(abs(heights - simulation.scene.table.height_m), 90) < 0.003


@pytest.mark.parametrize("distance", [0.6, 1.0, 2.0])
def test_depth_noise_grows_with_the_square_of_distance(distance: float):
    noisy = noisy_depth(np.full((200, 300), distance, np.float32), np.random.default_rng(0))
    back = noisy[noisy > 0]
    assert back.std() == pytest.approx(0.0010 + 0.0020 * (distance - 0.4) ** 2, rel=0.05)
    assert abs(back.mean() - distance) < 0.0005
    assert 0.0005 < np.mean(noisy == 0) < 0.005


def test_depth_has_holes_at_edges_and_out_of_range():
    depth = np.full((100, 100), 0.8, np.float32)
    depth[:, 50:] = 1.2
    depth[:10] = 0.1
    noisy = noisy_depth(depth, np.random.default_rng(0))
    assert np.mean(noisy[20:, 49:51] == 0) > 0.4
    assert (noisy[:10] == 0).all()


def test_depth_noise_follows_its_seed():
    depth = np.full((20, 20), 1.0, np.float32)
    first, again, other = (noisy_depth(depth, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_models_take_turns_and_threads_draw_the_same_picture(simulation: Simulation):
    """A context kept current in one thread could not be used by the server's worker thread."""
    camera = Camera(simulation.model, HEAD)
    first = camera.rgb(simulation.data)
    other = Simulation(sample_scene(13))
    assert (Camera(other.model, HEAD).rgb(other.data) != first).any()
    pictures = []
    thread = threading.Thread(target=lambda: pictures.append(camera.rgb(simulation.data)))
    thread.start()
    thread.join()
    assert (pictures[0] == first).all()


def test_the_audience_sees_the_robot(simulation: Simulation):
    camera = Camera(simulation.model, "audience", 320, 240)
    names = {simulation.model.body(i).name for i in np.unique(camera.bodies(simulation.data)) if i >= 0}
    assert {"table", "base_link"} <= names


def test_no_opengl_is_a_missing_component_with_the_packages_to_install(simulation: Simulation, monkeypatch):
    egl = pytest.importorskip("mujoco.egl")

    def none_here(*_: int):
        raise RuntimeError("no EGL device")

    monkeypatch.setattr(render, "_STATE", {})
    monkeypatch.setattr(opengl, "GIVEN", {})  # MuJoCo, imported first, sets one of them itself where MUJOCO_GL is set
    monkeypatch.setattr(egl, "GLContext", none_here)
    with pytest.raises(MissingComponent, match="libegl1"):
        Camera(simulation.model, HEAD).rgb(simulation.data)


def test_models_with_drawing_contexts_of_their_own_take_turns(simulation: Simulation):
    """The first context that was used again drew into the other one's buffer: one thing filled the whole picture."""
    spec = mujoco.MjSpec()
    spec.worldbody.add_camera(name="eye", pos=[0, 0, 3])
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.1, 0.1, 0.1])
    small = spec.compile()
    data = mujoco.MjData(small)
    mujoco.mj_forward(small, data)
    camera, eye = Camera(simulation.model, HEAD), Camera(small, "eye", 320, 240)
    first, other = camera.bodies(simulation.data), eye.bodies(data)
    assert (camera.bodies(simulation.data) == first).all() and (eye.bodies(data) == other).all()


def test_an_image_is_drawn_when_it_is_read_and_shows_the_moment_of_the_observation(simulation: Simulation):
    """Every look at proprioception drew an image: 47 of 133 in two episodes; 64 of the others showed what had been drawn."""
    robot = simulation.embodiment.robot(simulation)
    camera = Camera(simulation.model, HEAD)
    rgb, depth_m = camera.rgb_and_depth(simulation.data)
    before = render.drawn.copy()
    first = robot.observe()
    assert first.state.at and robot.observe() is first and render.drawn == before
    simulation.data.qpos[simulation.model.joint("head_pan_joint").qposadr[0]] += 0.3
    mujoco.mj_forward(simulation.model, simulation.data)
    turned = robot.observe()
    assert turned is not first and (first.rgb == rgb).all() and (turned.rgb != rgb).any()
    assert first.depth_m is not None
    assert np.abs(np.where(first.depth_m > 0, first.depth_m - depth_m, 0.0)).max() < 0.1
    assert render.drawn - before == {"image": 2}
    with pytest.raises(ValueError, match="read-only"):
        first.rgb[0, 0] = 0
    with pytest.raises(AttributeError, match="no 'dpeth_m'"):
        getattr(first, "dpeth_m")  # noqa: B009


def test_what_bodies_are_seen_is_drawn_once_as_long_as_nothing_moves(simulation: Simulation):
    camera, before = Camera(simulation.model, HEAD), render.drawn.copy()
    bodies = camera.shot(simulation.data).bodies
    assert (camera.shot(simulation.data).bodies == bodies).all() and render.drawn - before == {"bodies": 1}
    assert (bodies == camera.bodies(simulation.data)).all()
