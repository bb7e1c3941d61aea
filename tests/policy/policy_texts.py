"""Small policies that the tests of the language share."""

import json
from typing import Any

from vlp.policy.checks import check_policy
from vlp.policy.model import Plan, Policy, State
from vlp.primitives.manifest import Limits, Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.sim.worlds.tabletop.places import PLACES

LIMITS = Limits((0.2, -1.2, 0.0), (1.0, 0.6, 1.3), 0.3, 0.5, 20.0, 0.13, 1.2)

MANIFEST: Manifest = make_manifest("tester", STANDARD, PLACES, LIMITS)
"""Every standard primitive at a table with a bin."""


def named(phrase: str) -> str:
    """Return the name that a phrase's result is bound to."""
    return phrase.replace(" ", "_")


def pick(thing: str) -> dict[str, Any]:
    """Return the subtask that takes a thing into the hand."""
    steps = [
        {"do": "locate", "object": thing, "as": named(thing)},
        {"do": "grasp", "target": f"${named(thing)}"},
        {"do": "lift", "height_m": 0.1},
    ]
    return {"name": f"pick up the {thing}", "steps": steps}


def put(thing: str, where: str, relation: str = "in") -> dict[str, Any]:
    """Return the subtask that puts what is held somewhere."""
    steps: list[dict[str, Any]] = [{"do": "place", "target": where, "relation": relation}]
    if where not in ("table", "bin"):
        steps = [
            {"do": "locate", "object": where, "as": named(where)},
            {"do": "place", "target": f"${named(where)}", "relation": relation},
            {"do": "check", "relation": relation, "subject": thing, "object": where},
        ]
    return {"name": f"put it {relation} the {where}", "steps": steps}


def policy(goal: str, *subtasks: dict[str, Any]) -> str:
    """Return the text of a policy."""
    return json.dumps({"goal": goal, "subtasks": list(subtasks)})


def plan(text: str, state: State | None = None) -> Plan:
    """Return the plan of a text that must pass the checks."""
    checked, report = check_policy(text, MANIFEST, state)
    assert checked is not None, str(report)
    return checked


def codes(text: str | bytes | Policy, state: State | None = None) -> list[tuple[str, str]]:
    """Return (code, path) of every issue of a text."""
    return [(issue.code, issue.path) for issue in check_policy(text, MANIFEST, state)[1].issues]
