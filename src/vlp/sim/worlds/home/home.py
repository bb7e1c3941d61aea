"""The world `home`: a living room and a kitchen with furniture, things to carry, switches, gauges and people."""

from functools import cache

from vlp.core.observation import Described, SizeBounds, Sizes
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.truth import Truth
from vlp.sim.worlds.floor import FloorPlan
from vlp.sim.worlds.home.building import build
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.events import events, scene_of
from vlp.sim.worlds.home.mannequins import bodies_of
from vlp.sim.worlds.home.places import places, stations
from vlp.sim.worlds.home.reacting import react
from vlp.sim.worlds.home.rooms import floor_plan
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.home.tasks.symbolic_people import looks
from vlp.sim.worlds.home.tasks.task import home
from vlp.sim.worlds.home.tasks.tasks import HomeTasks
from vlp.sim.worlds.home.telling import describe
from vlp.sim.worlds.home.true_state import HomeTruth, read_truth
from vlp.sim.worlds.home.walking import floor_now
from vlp.sim.worlds.protocol import Station


class Home:
    """A `World`."""

    name = "home"
    audience = "audience"
    places = places()
    events = events()
    legible = True
    tasks = HomeTasks()

    def sample(self, seed: int) -> HomeScene:
        """Return the home of a seed."""
        return sample_home(seed)

    def build(self, scene: HomeScene, robot: mujoco.MjSpec) -> mujoco.MjModel:
        """Return the compiled model of a home around a robot."""
        return build(scene, robot, self.audience)

    def stations(self, scene: HomeScene) -> dict[str, Station]:
        """Return where the places are."""
        return stations(scene)

    def react(self, simulation: Simulation) -> None:
        """Switch the lamp where somebody has pushed the button, let people take what is held out to them, and walk."""
        body, data = simulation.embodiment, simulation.data
        react(simulation.model, data, scene_of(simulation), body.fingers, body.base(data))

    def floor(self, scene: HomeScene, data: mujoco.MjData | None = None) -> FloorPlan:
        """Return both rooms with walls, furniture and people."""
        return floor_plan(scene) if data is None else floor_now(data, scene)

    def is_container(self, phrase: str) -> bool:
        """Return whether it is a bowl or a plate; a cup fits into a hand."""
        product = products().get(phrase)
        return product is not None and product.shape in ("bowl", "plate")

    def truth(self, simulation: Simulation, held: str | None = None) -> HomeTruth:
        """Return the true state, read from the physics."""
        scene, fingers = scene_of(simulation), simulation.embodiment.fingers
        return read_truth(simulation.model, simulation.data, scene, fingers, simulation.at(), held)

    def sights(self, simulation: Simulation) -> dict[str, tuple[str, ...]]:
        """Return things and people, and of the furniture handles, button, lamp, dials and sign."""
        fixed = ("drawer handle", "cabinet door handle", "button", "lamp", "gauge", "display", "sign")
        named = {name: (name,) for name in (*simulation.truth().objects, *fixed)}
        return {**named, **self.people(scene_of(simulation))}

    def people(self, scene: HomeScene) -> dict[str, tuple[str, ...]]:
        """Return the mannequins."""
        return {person.name: bodies_of(person.name) for person in scene.persons}

    def described(self, truth: Truth) -> dict[str, Described]:
        """Return the categories of things, and what people look like."""
        now = home(truth)
        things = {name: Described((products()[name].category,)) for name in now.objects}
        people = {name: Described(looks(person), person.facing_rad) for name, person in now.persons.items()}
        return {**things, **people}

    def sizes(self) -> Sizes:
        """Return the largest extents of things by their nouns."""
        return _sizes()

    def describe(self, scene: HomeScene, truth: HomeTruth | None = None) -> str:
        """Return things, people and fixtures, a line each."""
        return describe(scene, truth)


@cache
def _sizes() -> Sizes:
    found: dict[str, SizeBounds] = {}
    for kind in sorted({product.kind for product in products().values()}):
        sizes = [product.size_m for product in products().values() if product.kind == kind]
        margin = 1.15
        found[kind] = SizeBounds(
            tallest_m=margin * max(s[2] for s in sizes),
            span_m=margin * max(max(s) for s in sizes),
            wide_m=max(min(s[:2]) for s in sizes),
        )
    return found
