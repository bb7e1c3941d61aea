"""What a person wants to see of a world: the robot's picture with boxes, and a list of what there is."""

from vlp.sim import sample
from vlp.sim.render import Camera, Rgb
from vlp.sim.simulation import Simulation


def show(seed: int, world: str = "", embodiment: str = "", audience: bool = False) -> tuple[Rgb, str]:
    """Return what the robot sees at its station, with every object's box and name, and what the world holds, as text.

    Args:
        seed: the scene's seed.
        world: a row of `vlp.sim.WORLDS`; "" takes the first.
        embodiment: a row of `vlp.sim.EMBODIMENTS`; "" takes the first.
        audience: whether to draw robot and scene as films show them instead, with smooth edges and without boxes.

    Raises:
        UsageError: no such world or embodiment.
        MissingComponent: there is no OpenGL to draw with.
    """
    simulation = Simulation(sample(world, seed), embodiment, world)
    picture = draw_audience(simulation) if audience else draw_boxes(simulation)
    return picture, simulation.world.describe(simulation.scene, simulation.truth())


def draw_audience(simulation: Simulation) -> Rgb:
    """Return what the camera for films sees, half as large as the model can be drawn, with smooth edges."""
    largest = simulation.model.vis.global_
    camera = Camera(simulation.model, simulation.world.audience, largest.offwidth // 2, largest.offheight // 2)
    return camera.rgb(simulation.data, oversample=2)


def draw_boxes(simulation: Simulation) -> Rgb:
    """Return the robot's picture with the box and the name of each visible object drawn into it."""
    import numpy as np
    from PIL import Image, ImageDraw

    camera = Camera(simulation.model, simulation.embodiment.camera)
    seen = camera.visible(simulation.data, list(simulation.objects))
    picture = Image.fromarray(camera.rgb(simulation.data))
    pen = ImageDraw.Draw(picture)
    for name, v in seen.items():
        r, g, b = (round(255 * c) for c in simulation.objects[name].rgb)
        x1, y1, x2, y2 = v.box
        pen.rectangle((x1 - 1, y1 - 1, x2, y2), outline=(r, g, b), width=2)
        words = pen.textbbox((x1 + 2, y1 - 13), name)
        pen.rectangle((words[0] - 2, words[1] - 1, words[2] + 2, words[3] + 1), fill=(20, 20, 20))
        pen.text((x1 + 2, y1 - 13), name, fill=(255, 255, 255))
    return np.asarray(picture)
