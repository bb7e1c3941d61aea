"""What a home does by itself: its button switches its lamp, people take what is held out to them, and walk.

The lamp's state is MuJoCo's user data, so snapshots keep it: first whether it differs from how the scene begins, then whether
the button is down. Behind it stands what people are about, see `taking` and `walking`.
"""

from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.home import taking, walking
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.protocol import Pose2


def n_remembered(scene: HomeScene) -> int:
    """Return how many numbers of MuJoCo's user data a home takes."""
    return walkers_from(scene) + len(scene.persons) * walking.n_remembered()


def people_from() -> int:
    """Return where people's user data begins."""
    return 2


def walkers_from(scene: HomeScene) -> int:
    """Return where the user data of people as walkers begins."""
    return people_from() + len(scene.persons) * taking.n_remembered()


def react(model: mujoco.MjModel, data: mujoco.MjData, scene: HomeScene, hand: Fingers | None, robot: Pose2) -> None:
    """Let happen what follows by itself from the state.

    Args:
        model, data: a home after a time step.
        scene: what it was built from.
        hand: the robot's.
        robot: where its base is.
    """
    _switch(model, data, scene.fixtures.lamp_on)
    taking.take(model, data, scene, hand, robot, people_from())
    walking.walk(data, scene, robot, walkers_from(scene))


def _switch(model: mujoco.MjModel, data: mujoco.MjData, lamp_began_on: bool) -> None:
    """Switch the lamp where the button has just gone down, and let it look as it is."""
    pressed_m = float(data.qpos[model.jnt_qposadr[model.joint("button").id]])
    if pressed_m > 0.007 and not data.userdata[1]:
        data.userdata[:2] = 1.0 - data.userdata[0], 1.0
    elif pressed_m < 0.003 and data.userdata[1]:
        data.userdata[1] = 0.0
    show_lamp(model, is_lamp_on(data, lamp_began_on))


def is_lamp_on(data: mujoco.MjData, began_on: bool) -> bool:
    """Return whether the lamp shines."""
    return began_on != bool(data.userdata[0])


def show_lamp(model: mujoco.MjModel, on: bool) -> None:
    """Give lamp and room the look of a lamp that is on or off."""
    light = model.light("lamp").id
    if bool(model.light_diffuse[light, 0]) != on:
        model.light_diffuse[light] = (0.44, 0.37, 0.25) if on else (0.0, 0.0, 0.0)
        model.mat_emission[model.material("lamp").id] = 0.9 if on else 0.0
