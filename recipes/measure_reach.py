"""Measure what a body reaches in the home: under boards, into drawer, bin, basket and cupboard, tall things, the hinged door.

    python recipes/measure_reach.py hsr take-shelf --cases 30 --out runs/reach.jsonl
    python recipes/measure_reach.py --table --out runs/reach.jsonl

Each case is a home of the validation split with one thing put where it is asked for; skills alone, no model: targets are the
true positions with noise (sd 0.4 cm per axis, size 0.2 cm, yaw 5 degrees). `take-X` counts when the action says so and the
true state has the thing in the hand; `put-X` (take it from a table, put it at X) when it lies there two seconds later. Neither
counts when another thing has moved by more than 3 cm. `door` counts when the door is open by 85 %, then shut. Limits of
speed, grip, load and workspace are read in the physics after every time step; so is what the robot touches besides things.
"""

import argparse
import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.observation import Located
from vlp.evaluation.runner import wilson
from vlp.evaluation.stress.limits import Gauge
from vlp.robot.protocol import Step
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.places import surfaces
from vlp.sim.worlds.home.sampling import place_thing, sample_home
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.home.tasks.task import home
from vlp.sim.worlds.seeds import seed_of

BOARDS = ("shelf: upper", "shelf: middle", "shelf: lower")
PLACES: dict[str, tuple[str, ...]] = {
    "shelf": BOARDS, "upper": BOARDS[:1], "middle": BOARDS[1:2], "lower": BOARDS[2:], "drawer": ("drawer",),
    "cupboard": ("cupboard",), "bin": ("bin",), "basket": ("basket",), "tall": ("kitchen table",),
}  # fmt: skip
JOBS = [f"take-{name}" for name in PLACES] + ["put-shelf", "put-cupboard", "door"]
TALL_M, MOVED_M = 0.14, 0.03


def scene_for(seed: int, where: tuple[str, ...], rng: np.random.Generator, tall: bool = False) -> tuple[HomeScene, str]:
    """Return a home with one more thing at one of some places, which stand open, and its name, "" without room."""
    scene = sample_home(seed)
    fixtures = replace(scene.fixtures, drawer=float("drawer" in where), door=float("cupboard" in where))
    tops = surfaces(scene.furniture, fixtures)
    inside = ("drawer", "cupboard")
    here = tuple(t for t in scene.objects if t.support not in inside and not (t.support in where and rng.random() < 0.5))
    hosts = {t.support for t in here}
    here = (*here, *(t for t in scene.objects if t not in here and t.name in hosts))
    known = {t.name for t in here}
    fits = [
        name
        for name, product in products().items()
        if name not in known
        and product.shape not in ("bowl", "plate", "cup")
        and (product.size_m[2] > TALL_M) >= tall
        and product.size_m[1] < 0.095
    ]
    for name in rng.permutation(fits).tolist():
        thing = place_thing(name, where, tops, here, rng)
        if thing is not None:
            return replace(scene, fixtures=fixtures, objects=(*here, thing)), name
    return replace(scene, fixtures=fixtures, objects=here), ""


def see(simulation: Simulation, phrase: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return a located thing as a good camera would give it: the truth with noise."""
    thing = simulation.truth().objects[phrase]
    position = np.array(thing.position_in_world) + rng.normal(0, 0.004, 3)
    length, width, height = np.maximum(0.01, np.array(thing.size_m) + rng.normal(0, 0.002, 3)).tolist()
    yaw = thing.yaw_rad + rng.normal(0, math.radians(5))
    yaw = math.remainder(yaw, 2 * math.pi if phrase.endswith("mug") else math.pi)
    if width > length:
        length, width, yaw = width, length, math.remainder(yaw + math.pi / 2, math.pi)
    x, y, z = position.tolist()
    return Located(phrase, (0, 0, 9, 9), (x, y, z), (length, width, height), yaw, 1.0, 0.0).to_json()


def handle(simulation: Simulation, rng: np.random.Generator) -> dict[str, Any]:
    """Return the handle of the cabinet's door, likewise."""
    door = simulation.data.body("cabinet door")
    at = door.xpos + door.xmat.reshape(3, 3) @ (-0.045, -0.345, 0.10) + rng.normal(0, 0.004, 3)
    x, y, z = at.tolist()
    return Located("cabinet door handle", (0, 0, 9, 9), (x, y, z), (0.014, 0.014, 0.14), 0.0, 1.0, 0.0).to_json()


class Watch:
    """A robot in a home, its limits, and what it touches besides things, the floor and what it is told to touch."""

    def __init__(self, scene: HomeScene, body: str, at: str, free: tuple[str, ...]) -> None:
        self.simulation = Simulation(scene, body, "home")
        simulation = self.simulation
        simulation.embodiment.set_home(simulation.model, simulation.data, simulation.stations[at])
        simulation.step(50)
        self.robot = simulation.embodiment.robot(simulation)
        self.gauge, self.bumps = Gauge(simulation, self.robot.describe().limits), defaultdict[str, int](int)
        self.robot.on_step.append(self.gauge.after_step)
        self.robot.on_tick += [self.gauge.after_tick, self._count]
        model = simulation.model
        names = [model.body(int(model.geom_bodyid[g])).name for g in range(model.ngeom)]
        own = model.body("base_footprint").id
        self._own = np.array([model.body_rootid[model.geom_bodyid[g]] == own for g in range(model.ngeom)])
        allowed = {*free, *simulation.objects}
        self._theirs = {g: names[g] or "world" for g in range(model.ngeom) if not self._own[g] and names[g] not in allowed}
        self._theirs.pop(model.geom("floor").id, None)

    def do(self, what: str, **arguments: Any) -> Any:
        """Carry out a step."""
        self.gauge.step = what
        return self.robot.execute(Step(what, arguments, f"{what}{self.simulation.data.time}"))

    def _count(self, now_s: float) -> None:
        contacts = self.simulation.data.contact
        for a, b in contacts.geom[contacts.exclude == 0]:
            if self._own[a] != self._own[b] and (name := self._theirs.get(int(b if self._own[a] else a))):
                self.bumps[name] += 1


def take(body: str, where: tuple[str, ...], seed: int, rng: np.random.Generator, tall: bool) -> dict[str, Any]:
    """Take a thing from one of some places."""
    scene, name = scene_for(seed, where, rng, tall)
    if not name:
        return {"what": "none", "ok": True}
    place = next(t.support for t in scene.objects if t.name == name)
    watch = Watch(scene, body, place, ("small ball",))
    first = watch.simulation.truth()
    result = watch.do("grasp", target=see(watch.simulation, name, rng))
    last = watch.simulation.truth()
    held = result.status == "succeeded" and last.holding == name
    return row(watch, held, first, last, f"{name} from {place}", result.code, result.message, name)


def put(body: str, where: tuple[str, ...], seed: int, rng: np.random.Generator) -> dict[str, Any]:
    """Take a thing from a table and put it at one of some places."""
    scene, name = scene_for(seed, ("kitchen table", "coffee table"), rng)
    if not name:
        return {"what": "none", "ok": True}
    place, goal = next(t.support for t in scene.objects if t.name == name), where[int(rng.integers(len(where)))]
    watch = Watch(scene, body, place, ("small ball",))
    first = watch.simulation.truth()
    grasped = watch.do("grasp", target=see(watch.simulation, name, rng))
    relation = watch.simulation.places[goal].takes
    placed = watch.do("place", target=goal, relation=relation) if grasped.status == "succeeded" else grasped
    watch.simulation.step(1000)
    last = watch.simulation.truth()
    there = placed.status == "succeeded" and last.objects[name].support == goal
    code = "grasp " + grasped.code if grasped.code else placed.code
    made = row(watch, there, first, last, f"{name} to {goal}", code, placed.message, name)
    return {**made, "upright": there and last.objects[name].upright}


def door(body: str, seed: int, rng: np.random.Generator) -> dict[str, Any]:
    """Open the door and shut it again."""
    scene = sample_home(seed)
    watch = Watch(replace(scene, fixtures=replace(scene.fixtures, drawer=0.0, door=0.0)), body, "cupboard", ("cabinet door",))
    first = watch.simulation.truth()
    opened = watch.do("open", target=handle(watch.simulation, rng))
    wide = home(watch.simulation.truth()).opened["cabinet door"]
    closed = watch.do("close", target=handle(watch.simulation, rng))
    last = watch.simulation.truth()
    left = home(last).opened["cabinet door"]
    why = f"open {opened.code} {wide:.2f}, close {closed.code} {left:.3f}: {opened.message} {closed.message}"
    return row(watch, wide > 0.85 and left < 0.03, first, last, "door", opened.code or closed.code, why, "")


def row(watch: Watch, ok: bool, first: Any, last: Any, case: str, code: str, why: str, name: str) -> dict[str, Any]:
    """Return what is kept of a case."""
    moved = [
        n
        for n, o in last.objects.items()
        if n != name and math.dist(o.position_in_world, first.objects[n].position_in_world) > MOVED_M
    ]
    return {
        "ok": bool(ok and not moved), "case": case, "code": code, "why": why, "moved": moved, "bumps": dict(watch.bumps),
        "breaches": watch.gauge.breaches(), "most": {k: round(float(v), 3) for k, v in watch.gauge.most.items()},
        "s": round(float(watch.simulation.data.time), 1),
    }  # fmt: skip


def run(body: str, job: str, seed: int) -> dict[str, Any]:
    """Carry out one case."""
    rng = np.random.default_rng([seed, 7])
    what, _, name = job.partition("-")
    if what == "door":
        return door(body, seed, rng)
    return take(body, PLACES[name], seed, rng, name == "tall") if what == "take" else put(body, PLACES[name], seed, rng)


def table(rows: list[dict[str, Any]]) -> None:
    """Print successes, bumps and breaches by job and body."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for made in rows:
        if made.get("what") != "none":
            groups[made["job"], made["body"]].append(made)
    print("| what | body | n | succeeded | 95 % interval | bumps | breaches | failures |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (job, body), made in sorted(groups.items()):
        oks = sum(one["ok"] for one in made)
        low, high = wilson(oks, len(made))
        codes: dict[str, int] = defaultdict(int)
        for one in made:
            if not one["ok"]:
                codes[one["code"] or ("moved another" if one["moved"] else "not there")] += 1
        told = ", ".join(f"{n} {code}" for code, n in sorted(codes.items()))
        bumps, breaches = sum(bool(one["bumps"]) for one in made), sum(bool(one["breaches"]) for one in made)
        rate = f"{oks} ({100 * oks / len(made):.0f} %)"
        print(
            f"| {job} | {body} | {len(made)} | {rate} | {100 * low:.0f} to {100 * high:.0f} % | {bumps} | {breaches} | {told} |"
        )


def main() -> None:
    """Run the cases that the file does not have yet, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("body", nargs="?", default="hsr")
    parser.add_argument("job", nargs="?", choices=JOBS)
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--first", type=int, default=0, help="index of the first scene in the validation split")
    parser.add_argument("--table", action="store_true", help="print the table of the file and stop")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    known = {(made["body"], made["job"], made["index"]) for made in rows}
    with options.out.open("a") as file:
        for index in range(options.first, options.first + options.cases) if options.job and not options.table else ():
            if (options.body, options.job, index) in known:
                continue
            seed = seed_of("validation", index)
            rows.append({"body": options.body, "job": options.job, "index": index, **run(options.body, options.job, seed)})
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
            if not rows[-1]["ok"] or rows[-1].get("bumps"):
                print({k: v for k, v in rows[-1].items() if k != "most"}, flush=True)
    table(rows)


if __name__ == "__main__":
    main()
