"""Measure the simulated HSR's grasp, place and push with noisy but otherwise true positions: skills alone, no model.

    python recipes/measure_manipulation.py grasp --cases 120 --out runs/grasp.jsonl
    python recipes/measure_manipulation.py put --cases 120 --out runs/put.jsonl
    python recipes/measure_manipulation.py push --cases 120 --out runs/push.jsonl

Each case is a fresh scene of the validation split. A grasp counts when the action says so and the true state has the
thing in the hand; a put counts when the relation holds a second later and nothing else has moved by more than 3 cm.
Only things that fit, and sides with a free spot (3.5 cm to all neighbours), are asked for. A push is asked for any thing, in
any direction; it counts when nothing has left the table, nothing else has moved, and the thing is where the action says.
One line per case goes to the file, which a second call continues; a table per kind is printed at the end.
"""

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.observation import Located
from vlp.evaluation.runner import wilson
from vlp.robot.protocol import Step
from vlp.sim.language.relations import DIRECTIONS, holds
from vlp.sim.simulation import Simulation
from vlp.sim.truth import Truth
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.layout import fits
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.words import PUT_RELATION, THINGS
from vlp.sim.worlds.tabletop.world import free_spot, sample_scene

POSITION_SD_M, SIZE_SD_M, YAW_SD_RAD = 0.004, 0.002, math.radians(5)
SIDES = ("next_to", *DIRECTIONS)
MOVED_M = 0.03


def see(simulation: Simulation, phrase: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return a located thing as a good camera would give it: the truth with noise."""
    thing = simulation.truth().objects[phrase]
    position = np.array(thing.position_in_world) + rng.normal(0, POSITION_SD_M, 3)
    size = np.maximum(0.01, np.array(thing.size_m) + rng.normal(0, SIZE_SD_M, 3))
    yaw = math.remainder(thing.yaw_rad + rng.normal(0, YAW_SD_RAD), math.pi)
    x, y, z = position.tolist()
    return Located(phrase, (0, 0, 9, 9), (x, y, z), tuple(size.tolist()), yaw, 1.0, 0.0).to_json()


def uncovered(scene: Scene) -> list[SceneObject]:
    """Return the objects that stand on the table with nothing on or in them."""
    hosts = {o.support for o in scene.objects}
    return [o for o in scene.objects if o.support == "table" and o.phrase not in hosts]


def grasp_case(scene: Scene, rng: np.random.Generator) -> dict[str, Any] | None:
    """Grasp one thing of the scene."""
    things = [o for o in uncovered(scene) if o.kind in THINGS]
    if not things:
        return None
    thing = things[int(rng.integers(len(things)))]
    simulation = Simulation(scene)
    robot = simulation.embodiment.robot(simulation)
    result = robot.execute(Step("grasp", {"target": see(simulation, thing.phrase, rng)}, "grasp"))
    ok = result.status == "succeeded" and simulation.truth().holding == thing.phrase
    return {"what": f"grasp {thing.kind}", "ok": ok, "case": thing.phrase, "code": result.code, "why": result.message}


def put_case(scene: Scene, rng: np.random.Generator) -> dict[str, Any] | None:
    """Grasp one thing and put it in, on or beside another."""
    free = uncovered(scene)
    pairs = [(a, b) for a in free for b in free if a is not b and a.kind in THINGS]
    onto = [(a, PUT_RELATION[b.kind], b) for a, b in pairs if b.kind in PUT_RELATION and fits(a, b)]
    beside = [(a, str(rng.choice(SIDES)), b) for a, b in pairs]
    jobs = onto if onto and rng.random() < 0.7 else [job for job in beside if has_room(scene, *job, rng)]
    if not jobs:
        return None
    a, relation, b = jobs[int(rng.integers(len(jobs)))]
    simulation = Simulation(scene)
    robot = simulation.embodiment.robot(simulation)
    first = simulation.truth()
    grasped = robot.execute(Step("grasp", {"target": see(simulation, a.phrase, rng)}, "grasp"))
    arguments = {"target": see(simulation, b.phrase, rng), "relation": relation}
    placed = robot.execute(Step("place", arguments, "place"))
    simulation.step(500)
    last = simulation.truth()
    right = placed.status == "succeeded" and holds(last, relation, a.phrase, b.phrase)
    disturbed = moved(first, last, a.phrase)
    what = f"{relation} {b.kind}" if relation in ("in", "on") else relation
    why = f"grasp {grasped.code or 'ok'}, place {placed.code or 'ok'}: {placed.message} moved {disturbed}"
    return {"what": what, "ok": right and not disturbed, "case": f"{a.phrase} {relation} {b.phrase}", "why": why}


def push_case(scene: Scene, rng: np.random.Generator) -> dict[str, Any] | None:
    """Push one thing somewhere: as asked, or not at all."""
    things = uncovered(scene)
    thing = things[int(rng.integers(len(things)))]
    direction = str(rng.choice(["left", "right", "forward", "back"]))
    simulation = Simulation(scene)
    robot = simulation.embodiment.robot(simulation)
    first = simulation.truth()
    arguments = {"direction": direction, "distance_m": round(float(rng.uniform(0.03, 0.15)), 3)}
    result = robot.execute(Step("push", {"target": see(simulation, thing.phrase, rng), **arguments}, "push"))
    simulation.step(500)
    last = simulation.truth()
    fallen = [name for name, item in last.objects.items() if item.position_in_world[2] < scene.table.height_m - 0.05]
    went = np.array(last.objects[thing.phrase].position_in_world) - first.objects[thing.phrase].position_in_world
    axis, sign = {"left": (1, 1), "right": (1, -1), "forward": (0, 1), "back": (0, -1)}[direction]
    wanted_m = arguments["distance_m"] if result.status == "succeeded" else 0.0
    right = abs(sign * went[axis] - wanted_m) < 0.03 and abs(went[1 - axis]) < 0.03
    others = moved(first, last, thing.phrase)
    why = f"{result.status} {result.code}: went {np.round(went, 3).tolist()}, moved {others}, fell {fallen}"
    ok = not fallen and not others and (bool(right) or result.code == "slipped")
    return {"what": f"push, {result.code or 'succeeded'}", "ok": ok, "case": f"{thing.phrase} {arguments}", "why": why}


def has_room(scene: Scene, a: SceneObject, relation: str, b: SceneObject, rng: np.random.Generator) -> bool:
    """Return whether one of some random free spots plainly has the relation to b."""
    others = [o for o in scene.objects if o is not a]
    axis, sign = DIRECTIONS.get(relation, (0, 0.0))
    for _ in range(60):
        spot = free_spot(a, others, scene.table, rng, tries=20)
        if spot is not None:
            offset = np.array(spot.position_m[:2]) - b.position_m[:2]
            gap_m = np.hypot(*offset) - (max(a.size_m[:2]) + max(b.size_m[:2])) / 2
            along = sign * offset[axis]
            if gap_m < 0.08 if relation == "next_to" else along > max(0.06, 1.4 * abs(offset[1 - axis])):
                return True
    return False


def moved(first: Truth, last: Truth, but: str) -> list[str]:
    """Return the phrases of other objects that are no longer where they were."""
    return [
        name
        for name, item in last.objects.items()
        if name != but and math.dist(item.position_in_world, first.objects[name].position_in_world) > MOVED_M
    ]


def main() -> None:
    """Run the cases that the file does not have yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("grasp", "put", "push"))
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--first", type=int, default=0, help="index of the first scene in the validation split")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    run = {"grasp": grasp_case, "put": put_case, "push": push_case}[options.kind]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    known = {row["index"] for row in rows}
    with options.out.open("a") as file:
        for index in range(options.first, options.first + options.cases):
            if index in known:
                continue
            seed = seed_of("validation", index)
            row = run(sample_scene(seed), np.random.default_rng([seed, 3])) or {"what": "none", "ok": True}
            rows.append({"index": index, "seed": seed, **row})
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
            if not row["ok"]:
                print("failed:", rows[-1], flush=True)
    groups: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row["what"] != "none":
            groups[row["what"]].append(row["ok"])
            groups["all"].append(row["ok"])
    print("| what | n | succeeded | 95 % interval |\n| --- | --- | --- | --- |")
    for name, oks in sorted(groups.items(), key=lambda item: (item[0] == "all", item[0])):
        low, high = wilson(sum(oks), len(oks))
        rate = f"{sum(oks)} ({100 * sum(oks) / len(oks):.1f} %)"
        print(f"| {name} | {len(oks)} | {rate} | {100 * low:.1f} to {100 * high:.1f} % |")


if __name__ == "__main__":
    main()
