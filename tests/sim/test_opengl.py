"""A variable of the environment with which nothing can be drawn is named, with what works on this machine."""

import os
import subprocess
import sys

import pytest

SHOW = "from vlp.cli.main import main; raise SystemExit(main(['world', 'show']))"
COLLECT = "from vlp.cli.main import main; raise SystemExit(main(['data', 'collect', '--out', 'samples', '--n', '1']))"

WRONG = {
    "a library that is not there": ({"MUJOCO_GL": "osmesa"}, "MUJOCO_GL='osmesa'"),
    "no such way": ({"MUJOCO_GL": "vulkan"}, "MUJOCO_GL='vulkan'"),
    "a window without a display": ({"MUJOCO_GL": "glfw"}, "MUJOCO_GL='glfw': it opens a window"),
    "a window by its other name": ({"MUJOCO_GL": "GLX"}, "MUJOCO_GL='GLX': it opens a window"),
    "turned off": ({"MUJOCO_GL": "disable"}, "MUJOCO_GL='disable': it turns drawing off"),
    "a platform of PyOpenGL's": ({"PYOPENGL_PLATFORM": "glx"}, "PYOPENGL_PLATFORM='glx'"),
    "both": ({"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "osmesa"}, "unset PYOPENGL_PLATFORM"),
    "no such device": ({"MUJOCO_EGL_DEVICE_ID": "first"}, "MUJOCO_EGL_DEVICE_ID='first'"),
}
CLEAN = {name: value for name, value in os.environ.items() if name not in
         ("MUJOCO_GL", "PYOPENGL_PLATFORM", "MUJOCO_EGL_DEVICE_ID", "DISPLAY", "WAYLAND_DISPLAY")}  # fmt: skip


def run(code: str, folder: object, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {**CLEAN, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=env, cwd=str(folder))


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_variable_is_named_in_one_line(case: str, tmp_path: object) -> None:
    """Against: a traceback from inside MuJoCo, or a window's platform passed over without a word."""
    variables, named = WRONG[case]
    done = run(SHOW, tmp_path, variables)
    assert done.returncode == 3 and len(done.stderr.splitlines()) == 1, done.stderr[-2000:]
    assert done.stderr.startswith("vlp: pictures cannot be drawn with ") and named in done.stderr


def test_it_is_named_by_every_command_that_simulates(tmp_path: object) -> None:
    """Against: a traceback where a module imports MuJoCo before the simulator."""
    done = run(COLLECT, tmp_path, {"MUJOCO_GL": "vulkan"})
    assert done.returncode == 3 and done.stderr.startswith("vlp: pictures cannot be drawn with MUJOCO_GL='vulkan'")


@pytest.mark.parametrize("value", ["", "egl", "EGL ", "on"])
def test_what_leaves_the_choice_draws(value: str, tmp_path: object) -> None:
    assert run(SHOW, tmp_path, {"MUJOCO_GL": value}).returncode == 0
