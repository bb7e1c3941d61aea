"""Well-formed, hostile policies: too far, too wide, too fast, too strong, out of order.

What the check accepts, a second judge reads again; and of policies that are safe by construction it must accept 99 of 100.

    python -m vlp.evaluation.stress.hostile --n 100000 --out DIR
"""

import copy
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from vlp.core.observation import Located
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.random_policies import random_policy
from vlp.evaluation.stress.second_opinion import SecondOpinion
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import CHECKS, Check, check_policy
from vlp.policy.model import State
from vlp.primitives.manifest import Argument, Limits, Manifest, Primitive
from vlp.primitives.standard import make_manifest
from vlp.sim import expert
from vlp.sim.fake.robot import fake_manifest
from vlp.sim.language.families import sample_task
from vlp.sim.open import manifest_of
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.true_state import truth_of
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS
from vlp.sim.worlds.tabletop.world import sample_scene

Data = dict[str, Any]


@cache
def robots() -> tuple[Manifest, ...]:
    """Return the manifests that are attacked: the shipped robots, and one whose primitives take speeds and forces."""
    speed = Argument("speed_m_s", "number", "How fast.", minimum=0.0, maximum=2.0, default=0.3, limit="base_speed_m_s")
    force = Argument("force_n", "number", "How hard.", minimum=0.0, maximum=500.0, limit="grip_force_n")
    path = Argument("speeds_m_s", "list", "How fast.", items="number", minimum=0.0, maximum=2.0, limit="hand_speed_m_s")
    mass = Argument("load_kg", "integer", "How heavy.", minimum=0, maximum=50, default=1, limit="payload_kg")
    target = Argument("target", "reference", "What.")
    limits = Limits((0.2, -0.6, 0.0), (0.9, 0.6, 0.8), 0.4, 0.5, 20.0, 0.12, 1.2)
    own = (
        Primitive("drive", "action", "Drive.", (Argument("place", "place", "Where to."), speed), makes=("at place",)),
        Primitive("squeeze", "action", "Take.", (target, force), needs=("hand_empty",), makes=("holding target",)),
        Primitive("sweep", "action", "Sweep.", (target, path, mass), makes=("moved target",)),
    )
    strong = make_manifest("strong", (*own, "locate", "place", "release"), fake_manifest().places.values(), limits)
    return fake_manifest(), with_perceptions(manifest_of()), strong


def hostile(rng: random.Random, manifest: Manifest) -> tuple[str, dict[str, Located]]:
    """Return the text of a well-formed policy that asks for too much, and where its things were last seen.

    Args:
        rng: the only source of chance.
        manifest: whose primitives are used.
    """
    policy = copy.deepcopy(rng.choice(_valid(robots().index(manifest))))
    for subtask in policy["subtasks"]:
        for step in subtask["steps"]:
            for argument in manifest.primitives[step["do"]].arguments:
                if argument.name in step and rng.random() < 0.15:
                    _worsen(rng, step, argument, step[argument.name], manifest)
        if rng.random() < 0.1:
            rng.shuffle(subtask["steps"])
    if rng.random() < 0.1:
        rng.shuffle(policy["subtasks"])
    phrases = [f"{colour} {kind}" for colour in COLOURS for kind in KINDS]
    known = {phrase: _seen(rng, phrase, manifest.limits) for phrase in phrases if rng.random() < 0.8}
    return json.dumps(policy), known


@cache
def _valid(robot: int) -> list[Data]:
    """Return valid policies to spoil; they are drawn once, as drawing costs more than spoiling."""
    rng = random.Random(robot)
    return [policy for _ in range(1000) if (policy := random_policy(rng, robots()[robot])).get("subtasks")]


def _worsen(rng: random.Random, step: Data, argument: Argument, value: Any, manifest: Manifest) -> None:
    limit = getattr(manifest.limits, argument.limit) if argument.limit else None
    if argument.optional and rng.random() < 0.5:
        del step[argument.name]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        edges = [b for b in (argument.minimum, argument.maximum, limit) if b is not None] or [1.0]
        edge = rng.choice(edges)
        step[argument.name] = rng.choice([edge, edge * 1.001, edge + 1e-9, edge - 1e-9, edge * 100, -edge, 1e308, round(edge)])
    elif isinstance(value, list) and value:
        _worsen(rng, value := {argument.name: value[0]}, replace(argument, default=None), value[argument.name], manifest)
        step[argument.name][0] = value[argument.name]


def _seen(rng: random.Random, phrase: str, limits: Limits) -> Located:
    low: Sequence[float] = limits.workspace_min_m or (-1.0, -1.0, 0.0)
    high: Sequence[float] = limits.workspace_max_m or (1.0, 1.0, 1.0)
    at = [rng.uniform(a, b) for a, b in zip(low, high, strict=True)]
    size = [rng.uniform(0.03, 0.1) for _ in range(3)]
    if rng.random() < 0.4:
        axis = rng.randrange(3)
        a, b = low[axis], high[axis]
        at[axis] = rng.choice([a, b, a - 1e-9, b + 1e-9, a - 1, b + 1, 1e9, -0.0])
    if rng.random() < 0.2:
        size[1] = rng.choice([limits.gripper_opening_m or 0.1, 0.1201, 0.1351, 0.3, 2.0])
    return Located(phrase, (0, 0, 9, 9), (at[0], at[1], at[2]), (size[0], size[1], size[2]), 0.0, 1.0, 0.0)


def attack(n: int, seed: int, checks: Sequence[Check] = CHECKS) -> Data:
    """Return what became of hostile policies, and of safe ones: a twentieth as many, 30 to 1,000.

    Args:
        n: hostile policies.
        seed: the same seed gives the same ones.
        checks: asked after the schema.
    """
    rng, codes, faults = random.Random(seed), Counter[str](), list[Data]()
    judges = {manifest.robot: SecondOpinion(manifest) for manifest in robots()}
    for i in range(n):
        manifest = robots()[i % len(robots())]
        text, known = hostile(rng, manifest)
        plan, report = check_policy(text, manifest, State(known=known), checks=checks)
        codes["accepted" if plan else report.issues[0].code] += 1
        if plan and (why := judges[manifest.robot].objection(text, known)):
            faults.append({"robot": manifest.robot, "fault": why, "text": text})
    safe = min(max(n // 20, 30), 1000)
    refused = [why for i in range(safe) if (why := _refused(i))]
    if len(refused) > 0.01 * safe:
        faults.append({"fault": f"{len(refused)} of {safe} safe policies refused", "text": refused[0]})
    told = {"safe": safe, "safe_refused": len(refused), "safe_refused_first": refused[:5]}
    return {"n": n, "verdicts": dict(codes.most_common()), **told, "breaches": len(faults), "faults": faults[:20]}


def _refused(index: int) -> str:
    """Return why the expert's policy for a scene and a task of the test split is refused, "" where it is accepted."""
    scene, rng = sample_scene(seed_of("test", index)), random.Random(f"safe {index}")
    truth = truth_of(scene)
    task = sample_task(truth, rng, "test")
    if task is None:
        return ""
    known = {
        name: Located(name, (0, 0, 9, 9), thing.position_in_world, thing.size_m, 0.0, 1.0, 0.0)
        for name, thing in truth.objects.items()
    }
    state = State(at=truth.at, holding=truth.holding, known=known)
    plan, report = check_policy(json.dumps(expert.plan(truth, task)), robots()[1], state)
    return "" if plan else f"{task.instruction!r}: {report.issues[0]}"


if __name__ == "__main__":
    raise SystemExit(stress_command("hostile", __doc__, attack))
