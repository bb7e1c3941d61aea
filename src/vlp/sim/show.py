"""What a person wants to see of a world: the robot's picture with boxes, and a list of what there is."""

from vlp.sim.render import Camera, Rgb, visible
from vlp.sim.simulation import Simulation
from vlp.sim.truth import Truth
from vlp.sim.worlds import sample
from vlp.sim.worlds.seeds import split_of
from vlp.sim.worlds.tabletop.objects import BASE_RGB
from vlp.sim.worlds.tabletop.scene import Scene


def show(seed: int, world: str = "tabletop", embodiment: str = "hsr") -> tuple[Rgb, str]:
    """Return what the robot sees at its station, with every object's box and name, and what the world holds, as text.

    Args:
        seed: the scene's seed.
        world: a row of `vlp.sim.worlds.WORLDS`.
        embodiment: a row of `vlp.sim.embodiments.EMBODIMENTS`.

    Raises:
        UsageError: no such world or embodiment.
        MissingComponent: there is no OpenGL to draw with.
    """
    simulation = Simulation(sample(world, seed), embodiment)
    return draw_boxes(simulation), describe_scene(simulation.scene, simulation.truth())


def draw_boxes(simulation: Simulation) -> Rgb:
    """Return the head camera's picture with the box and the name of each visible object drawn into it."""
    import numpy as np
    from PIL import Image, ImageDraw

    camera = Camera(simulation.model)
    seen = visible(simulation.model, simulation.data, camera.bodies(simulation.data), list(simulation.objects))
    picture = Image.fromarray(camera.rgb(simulation.data))
    pen = ImageDraw.Draw(picture)
    for name, v in seen.items():
        r, g, b = (round(255 * c) for c in BASE_RGB[simulation.objects[name].colour])
        x1, y1, x2, y2 = v.box
        pen.rectangle((x1 - 1, y1 - 1, x2, y2), outline=(r, g, b), width=2)
        words = pen.textbbox((x1 + 2, y1 - 13), name)
        pen.rectangle((words[0] - 2, words[1] - 1, words[2] + 2, words[3] + 1), fill=(20, 20, 20))
        pen.text((x1 + 2, y1 - 13), name, fill=(255, 255, 255))
    return np.asarray(picture)


def describe_scene(scene: Scene, truth: Truth | None = None) -> str:
    """Return one line per object with its place, size and what it rests on, and one about table and seed.

    Args:
        scene: the scene.
        truth: the present state; by default the scene as it was sampled.
    """
    rows = [("object", "x m", "y m", "z m", "size cm", "rests")]
    for o in scene.objects:
        now = truth.objects.get(o.phrase) if truth else None
        if truth and now is None:
            rows.append((o.phrase, "", "", "", "", "taken away"))
            continue
        x, y, z = now.position_in_world if now else o.position_m
        relation, support = (now.relation, now.support) if now else (o.relation, o.support)
        size = " x ".join(f"{100 * s:.1f}" for s in o.size_m)
        rows.append((o.phrase, f"{x:.2f}", f"{y:+.2f}", f"{z:.2f}", size, f"{relation} {support}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    t, split = scene.table, split_of(scene.seed)
    whose = f", {split} split" if split else ""
    table = f"seed {scene.seed}{whose}: table top {t.depth_m:.2f} x {t.width_m:.2f} m at {t.height_m:.2f} m"
    return "\n".join([f"{table}, near edge {t.near_m:.2f} m from the station", *lines])
