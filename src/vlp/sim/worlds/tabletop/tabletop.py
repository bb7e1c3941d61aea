"""The world `tabletop`: a table with objects before the robot, a bin beside it, and a place to start from."""

from vlp.core.observation import Described, Sizes
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.truth import Truth
from vlp.sim.worlds.floor import FloorPlan
from vlp.sim.worlds.protocol import Station
from vlp.sim.worlds.seeds import split_of
from vlp.sim.worlds.tabletop.building import AUDIENCE, BIN, build
from vlp.sim.worlds.tabletop.events import EVENTS, scene_of
from vlp.sim.worlds.tabletop.places import PLACES
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.sizes import sizes
from vlp.sim.worlds.tabletop.tasks import TableTasks
from vlp.sim.worlds.tabletop.true_state import read_truth
from vlp.sim.worlds.tabletop.words import CONTAINERS
from vlp.sim.worlds.tabletop.world import sample_scene


class Tabletop:
    """A `World`."""

    name = "tabletop"
    audience = AUDIENCE
    places = PLACES
    events = EVENTS
    legible = False
    tasks = TableTasks()

    def sample(self, seed: int) -> Scene:
        """Return the scene of a seed."""
        return sample_scene(seed)

    def build(self, scene: Scene, robot: mujoco.MjSpec) -> mujoco.MjModel:
        """Return the compiled model of a scene around a robot."""
        return build(scene, robot)

    def stations(self, scene: Scene) -> dict[str, Station]:
        """Return the table, the bin and the start."""
        t, (x, y), (half_x, half_y) = scene.table, BIN.at_m, BIN.half_m
        return {
            "table": Station(
                stand=(0.0, 0.0, 0.0), middle=(0.6, 0.0, t.height_m), takes="on",
                low=(t.near_m, -t.width_m / 2), high=(t.near_m + t.depth_m, t.width_m / 2),
            ),
            "bin": Station(
                stand=(-0.04, -0.93, 0.0), middle=(x, y, BIN.height_m), takes="in",
                low=(x - half_x, y - half_y), high=(x + half_x, y + half_y),
            ),
            "start": Station(stand=(-0.6, 0.0, 0.0), middle=(-0.6, 0.0, 0.0)),
        }  # fmt: skip

    def react(self, simulation: Simulation) -> None:
        """Do nothing: nothing here changes by itself."""

    def floor(self, scene: Scene, data: mujoco.MjData | None = None) -> FloorPlan:
        """Return a square of floor with the table and the bin, which nobody moves."""
        del data
        t, (x, y), (half_x, half_y) = scene.table, BIN.at_m, BIN.half_m
        table = (t.near_m, -t.width_m / 2), (t.near_m + t.depth_m, t.width_m / 2)
        return FloorPlan((-2.0, -2.35), (2.05, 2.35), (table, ((x - half_x, y - half_y), (x + half_x, y + half_y))))

    def is_container(self, phrase: str) -> bool:
        """Return whether the last word names a bowl, a plate, a tray or a box."""
        return any(kind in CONTAINERS for kind in phrase.split()[-1:])

    def truth(self, simulation: Simulation, held: str | None = None) -> Truth:
        """Return the true state, read from the physics."""
        objects, fingers = scene_of(simulation).objects, simulation.embodiment.fingers
        return read_truth(simulation.model, simulation.data, objects, fingers, at=simulation.at(), held=held)

    def sights(self, simulation: Simulation) -> dict[str, tuple[str, ...]]:
        """Return the things."""
        return {name: (name,) for name in simulation.truth().objects}

    def people(self, scene: Scene) -> dict[str, tuple[str, ...]]:
        """Return nobody."""
        return {}

    def described(self, truth: Truth) -> dict[str, Described]:
        """Return nothing: names say it all."""
        del truth
        return {}

    def sizes(self) -> Sizes:
        """Return the bounds of `sizes.toml`, by kind."""
        return sizes()

    def describe(self, scene: Scene, truth: Truth | None = None) -> str:
        """Return one line about table and seed, and one per object with its place, size and what it rests on."""
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
