"""MuJoCo, for all of `vlp.sim` to import from here, and the environment's variables that choose how it draws.

MuJoCo reads them at its import; a wrong one is named here, in a sentence.
"""

import ctypes.util
import os

from vlp.core.errors import MissingComponent

GIVEN = {n: os.environ[n] for n in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "MUJOCO_EGL_DEVICE_ID") if os.environ.get(n)}
"""As a person set them: MuJoCo sets one of them itself."""


def wanted() -> str:
    """Return the way to draw that MUJOCO_GL names; "" leaves the choice."""
    value = GIVEN.get("MUJOCO_GL", "").lower().strip()
    return "" if value in ("", "enable", "enabled", "on", "true", "1") else value


def has_display() -> bool:
    """Whether there is a display to open a window on."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_drawing() -> None:
    """Raise MissingComponent when MUJOCO_GL turns drawing off, or wants a window where there is no display."""
    if wanted() in ("disable", "disabled", "off", "false", "0"):
        raise cannot_draw("it turns drawing off")
    if wanted() in ("glfw", "glx") and not has_display():
        raise cannot_draw("it opens a window, and neither DISPLAY nor WAYLAND_DISPLAY is set")


def cannot_draw(why: Exception | str) -> MissingComponent:
    """Return the error for a machine or an environment that cannot draw, with what would help here."""
    said = str(why).split(". ")[0][:140].rstrip(".")
    if wanted() == "osmesa" and ctypes.util.find_library("OSMesa") is None:
        said = "the library OSMesa is not installed"
    install = "Install libegl1 and libgl1-mesa-dri (Debian, Ubuntu), or a graphics driver."
    if not set(GIVEN) - {"MUJOCO_GL"} and wanted() in ("", "egl"):
        return MissingComponent(f"pictures cannot be drawn: no OpenGL ({said}).", install)
    named = ", ".join(f"{name}={value[:40]!r}" for name, value in GIVEN.items())
    others = " and ".join(name for name in GIVEN if name != "MUJOCO_GL")
    egl = ctypes.util.find_library("EGL") is not None
    hint = f"Use EGL, which is installed here: MUJOCO_GL=egl{f', and unset {others}' if others else ''}."
    return MissingComponent(f"pictures cannot be drawn with {named}: {said}.", hint if egl else install)


try:
    import mujoco as mujoco
except ImportError:
    raise  # that it is not installed is for those who need it
except Exception as error:  # a name that MuJoCo does not know, a library that is not there, a number that is none
    raise (cannot_draw(error) if GIVEN else error) from None
