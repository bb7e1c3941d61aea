"""Random valid policies, drawn from a manifest's declarations: material for property tests and for the fuzzer."""

import random
from dataclasses import replace
from typing import Any

from vlp.policy.model import PolicyStep, Situation, State
from vlp.primitives.facts import UNARY
from vlp.primitives.manifest import Argument, Manifest
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


def random_policy(rng: random.Random, manifest: Manifest, max_subtasks: int = 4) -> dict[str, Any]:
    """Return the plain data of a policy that is valid from an empty hand, whatever the robot has seen before.

    Args:
        rng: the only source of chance.
        manifest: whose primitives, places and bounds are used.
        max_subtasks: at most so many, of one to six steps each.
    """
    if rng.random() < 0.05:
        return {"goal": _text(rng), "cannot": _text(rng)}
    situation, things = Situation(State(), manifest.primitives), set[str]()
    subtasks = []
    for _ in range(rng.randint(0, max_subtasks)):
        steps = [_random_step(rng, manifest, situation, things) for _ in range(rng.randint(1, 6))]
        subtasks.append({"name": _text(rng), "steps": [step.to_json() for step in steps]})
    policy: dict[str, Any] = {"goal": _text(rng)}
    if rng.random() < 0.3:
        policy["seen"] = [[_phrase(rng), _box(rng)] for _ in range(rng.randint(1, 4))]
    return {**policy, "subtasks": subtasks}


def _random_step(rng: random.Random, manifest: Manifest, situation: Situation, things: set[str]) -> PolicyStep:
    """Draw primitives until one is possible now; references are drawn from what is bound, at rest, not in the hand.

    Args:
        things: the names that stand for a located thing.
    """
    names = {name: phrase for name, phrase in situation.names.items() if name in things - situation.stale}
    located = [f"${name}" for name, phrase in names.items() if phrase != situation.held]
    while True:
        primitive = manifest.primitives[rng.choice(list(manifest.primitives))]
        if situation.unmet(PolicyStep(primitive.name)):
            continue
        arguments: dict[str, Any] = {}
        for argument in primitive.arguments:
            value = _value(rng, argument, manifest, located)
            if value is not None:
                arguments[argument.name] = value
        _settle_relation(rng, arguments, manifest)
        missing = [a.name for a in primitive.arguments if a.required and a.name not in arguments]
        if missing or ("object" in arguments and arguments["object"] == arguments.get("subject")):
            continue
        step = PolicyStep(primitive.name, arguments, _name(rng) if primitive.result else "")
        situation.apply(step)
        things.discard(step.as_)
        things |= {step.as_} if primitive.result == "object" else set()
        return step


def _value(rng: random.Random, argument: Argument, manifest: Manifest, located: list[str]) -> Any:
    """Return a value that fits an argument, None when there is none now."""
    draw = {
        "phrase": lambda: _phrase(rng),
        "subject": lambda: rng.choice([_phrase(rng), *(p.name for p in manifest.places.values() if p.relations)]),
        "text": lambda: _text(rng),
        "reference": lambda: rng.choice(located) if located else None,
        "target": lambda: rng.choice([*located, *manifest.places]),
        "place": lambda: rng.choice(list(manifest.places)),
        "choice": lambda: rng.choice(argument.choices),
        "number": lambda: _number(rng, argument),
        "integer": lambda: round(_number(rng, argument)),
        "boolean": lambda: rng.random() < 0.5,
        "list": lambda: [_value(rng, replace(argument, type=argument.items), manifest, located) for _ in range(2)],
    }
    return draw[argument.type]()


def _settle_relation(rng: random.Random, arguments: dict[str, Any], manifest: Manifest) -> None:
    """Make the relation's word and what it is a relation to fit each other."""
    if "relation" not in arguments:
        return
    if arguments["relation"] in UNARY:
        arguments.pop("object", None)
    for name in ("target", "object"):
        if arguments.get(name) in manifest.places:
            words = manifest.places[arguments[name]].relations
            if words:
                arguments["relation"] = rng.choice(words)
            else:
                del arguments[name]


def _number(rng: random.Random, argument: Argument) -> float:
    low, high = argument.minimum or 0.0, argument.maximum or 1.0
    return min(max(round(rng.uniform(low, high), rng.randint(1, 6)), low), high)


def _phrase(rng: random.Random) -> str:
    return f"{rng.choice(COLOURS)} {rng.choice(KINDS)}"


def _text(rng: random.Random) -> str:
    words = (
        "the", "red", "cube", "is", "in", "bowl", "don't", "Bitte", "größer", "right?", '"quoted"', "<b>", "a&b", "{x}", "手",
    )  # fmt: skip
    return " ".join(rng.choice(words) for _ in range(rng.randint(1, 8)))


def _name(rng: random.Random) -> str:
    return rng.choice((f"{rng.choice(COLOURS)}_{rng.choice(KINDS)}", "class", "robot", "x", f"n{rng.randrange(10)}"))


def _box(rng: random.Random) -> list[float]:
    x, y = rng.randrange(600), rng.randrange(440)
    return [x, y, x + rng.randint(1, 40), y + rng.randint(1, 40) + 0.5]
