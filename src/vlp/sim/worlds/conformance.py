"""The public check that an object is a world: run it over every world before anything else uses it."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from vlp.core.errors import Report
from vlp.sim.embodiments.protocol import Embodiment
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.protocol import World


def check_world(world: World, embodiment: Embodiment | str = "", seeds: Sequence[int] = (0, 1, 2)) -> Report:
    """Return where a world breaks its contract; empty when nowhere.

    Looks at scenes (the same for the same seed, plain data), at the model built from them (the things' bodies, the camera
    for films), at places, at the true state, at rest, at tasks, at events, and at snapshots that go on as the original did.

    Args:
        world: the world.
        embodiment: the body that is put into it, or its row of `vlp.sim.EMBODIMENTS`; "" takes the first.
        seeds: of the scenes that are looked at.
    """
    report = Report()
    if not world.places:
        report.add("/places", "empty", "a world needs at least one place, where the robot starts.")
        return report
    for seed in seeds:
        simulation = _built(report, world, embodiment, seed)
        if simulation is not None:
            _check_places(report, simulation)
            _check_things(report, simulation)
            _check_rest(report, simulation)
            _check_snapshot(report, world, simulation)
            _check_tasks(report, simulation)
            _check_events(report, simulation)
    return report


def _built(report: Report, world: World, embodiment: Embodiment | str, seed: int) -> Simulation | None:
    path = f"/sample/{seed}"
    scene, again = (_guarded(report, path, lambda: world.sample(seed)) for _ in range(2))
    if scene is None or again is None:
        return None
    try:
        if json.dumps(scene.to_json()) != json.dumps(again.to_json()):
            report.add(path, "chance", "the same seed gave two scenes.", "Draw from a generator made of the seed alone.")
    except (TypeError, ValueError) as error:
        report.add(path, "plain-data", f"to_json is not JSON data: {str(error)[:200]}.")
    if scene.seed != seed:
        report.add(path, "seed", f"the scene of seed {seed} says that its seed is {scene.seed}.")
    phrases = [thing.phrase for thing in scene.objects]
    if len(set(phrases)) < len(phrases):
        report.add(path, "names", f"two things have one name: {', '.join(sorted(phrases))}.")
        return None
    return _guarded(report, f"/build/{seed}", lambda: Simulation(scene, embodiment, world))


def _check_places(report: Report, simulation: Simulation) -> None:
    world = simulation.world
    names = [place.name for place in world.places]
    if set(simulation.places) != set(names):
        report.add("/stations", "places", f"stations of {sorted(simulation.places)}, places are {sorted(names)}.")
    for name, place in simulation.places.items():
        numbers = [*place.stand, *place.middle, *place.low, *place.high]
        if not np.isfinite(numbers).all() or any(a > b for a, b in zip(place.low, place.high, strict=True)):
            report.add(f"/stations/{name}", "numbers", "poses must be finite, and low below high.")
    floor = world.floor(simulation.scene)
    for name, place in simulation.places.items():
        if floor.clearance_m([place.stand[:2]])[0] <= 0:
            report.add(f"/stations/{name}", "floor", "a robot that stands there stands in an obstacle or off the floor.")
    if simulation.at() != names[0]:
        report.add("/stations", "start", f"the robot starts at {simulation.at()!r}, not at {names[0]!r}.")


def _check_things(report: Report, simulation: Simulation) -> None:
    model = simulation.model
    for phrase in simulation.objects:
        joint = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_JOINT), phrase)
        free = joint >= 0 and model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE
        if not free or mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_BODY), phrase) < 0:
            report.add("/build", "thing", f"{phrase!r} has no body with a free joint, both of its name.")
    camera = simulation.world.audience
    if mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_CAMERA), camera) < 0:
        report.add("/audience", "camera", f"there is no camera {camera!r} for films.")
    truth = simulation.truth()
    if set(truth.objects) != set(simulation.objects):
        report.add("/truth", "objects", f"the truth knows {sorted(truth.objects)}, the scene {sorted(simulation.objects)}.")
    if truth.holding or truth.at != simulation.at():
        report.add("/truth", "start", f"held at the start: {truth.holding!r}, at {truth.at!r}.")


def _check_rest(report: Report, simulation: Simulation) -> None:
    before = simulation.truth()
    simulation.step(round(1.0 / simulation.model.opt.timestep))
    after = simulation.truth()
    for phrase, was in before.objects.items():
        now = after.objects.get(phrase)
        if now is None or np.linalg.norm(np.subtract(now.position_in_world, was.position_in_world)) > 0.01:
            report.add("/build", "rest", f"{phrase!r} does not stay where it was built.", "Build things at rest, apart.")


def _check_snapshot(report: Report, world: World, simulation: Simulation) -> None:
    saved = simulation.snapshot()
    other = Simulation(world.sample(simulation.scene.seed), simulation.embodiment, world)
    other.restore(saved)
    for each in (simulation, other):
        each.step(50)
    if not np.array_equal(simulation.data.qpos, other.data.qpos):
        report.add("/build", "restored", "a restored snapshot goes on in another way than the original.")


def _check_tasks(report: Report, simulation: Simulation) -> None:
    tasks, truth = simulation.world.tasks, simulation.truth()
    if tasks is None:
        return
    task = _guarded(report, "/tasks/draw", lambda: tasks.draw(truth, Random(simulation.scene.seed)))
    if task is None:
        return
    read = _guarded(report, "/tasks/read", lambda: tasks.read(task.instruction, truth))
    if read is None:
        report.add("/tasks/read", "unread", f"{task.instruction!r} was drawn and is read as no task.")
    if _guarded(report, "/tasks/success", lambda: task.success(truth, truth)):
        report.add("/tasks/draw", "done", f"{task.instruction!r} is done before anything happened.")
    manifest = simulation.embodiment.manifest(simulation.world.places)
    policy = _guarded(report, "/tasks/policy", lambda: tasks.policy(truth, task, manifest))
    known = manifest.primitives
    unknown = [s["do"] for part in (policy or {}).get("subtasks", ()) for s in part["steps"] if s["do"] not in known]
    if unknown:
        report.add("/tasks/policy", "primitive", f"the expert uses {unknown[0]!r}, which {manifest.robot} has not.")


def _check_events(report: Report, simulation: Simulation) -> None:
    for name, event in simulation.world.events.items():
        if event.example.split(" ", 1)[0] != name:
            report.add(f"/events/{name}", "example", f"the example {event.example!r} begins with another word.")
    phrase = next(iter(simulation.truth().objects), "")
    if phrase:
        simulation.remove(phrase)
        if phrase in simulation.truth().objects:
            report.add("/truth", "removed", f"{phrase!r} was taken away, and the truth still knows it.")


def _guarded(report: Report, path: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        report.add(path, "raised", f"it raised {type(error).__name__}: {str(error)[:200]}.")
        return None
