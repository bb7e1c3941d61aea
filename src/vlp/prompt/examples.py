"""Example policies for a prompt, made from the robot's own manifest: each passes the checks of policies."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vlp.policy.checks import State, check_policy
from vlp.primitives.declare import Primitive
from vlp.primitives.facts import Condition, makers
from vlp.primitives.manifest import Manifest
from vlp.primitives.schema import step_schemas

THING = "red cup"
Step = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One example.

    Args:
        when: the situation, as a model would find it.
        policy: what is written then.
        state: what is known before its first step.
    """

    when: str
    policy: dict[str, Any]
    state: State = field(default_factory=State)

    @property
    def text(self) -> str:
        """Return the example as one line."""
        return f"{self.when}: {json.dumps(self.policy, separators=(',', ':'), ensure_ascii=False)}"


def make_examples(manifest: Manifest) -> list[Example]:
    """Return a few examples that this robot could carry out, the longest first; none that its checks would refuse."""
    maker = _Maker(manifest)
    found = [maker.carrying(), maker.correcting(), maker.asking(), *maker.ending()]
    if found[0] is None:
        found[0] = maker.touring()
    made = [example for example in found if example is not None]
    return [e for e in made if check_policy(json.dumps(e.policy), manifest, e.state)[0] is not None]


class _Maker:
    """Makes examples out of a manifest's primitives, whatever they are called."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.primitives = manifest, list(manifest.primitives.values())
        self.finds = next((p for p in self.primitives if p.result == "object" and _types(p) == ["phrase"]), None)
        self.takes = self._with(("holding", "target"), "reference")
        self.puts = self._with(("relation", "held", "target"), "target")
        self.checks = next((p for p in self.primitives if {"relation", "subject"} <= {a.name for a in p.arguments}), None)

    def carrying(self) -> Example | None:
        """One thing is put on another, or at a place."""
        if self.takes is None or self.puts is None or self.finds is None:
            return None
        relation = next((w for w in ("on", "in") if w in self._choices(self.puts)), "")
        steps = [self._find(THING, "cup"), {"do": self.takes.name, "target": "$cup"}]
        tray = "blue tray"
        put = [self._find(tray, "tray"), {"do": self.puts.name, "target": "$tray", "relation": relation}]
        if self.checks is not None:
            put.append({"do": self.checks.name, "relation": relation, "subject": THING, "object": tray})
        goal = f"the {THING} is {relation} the {tray}"
        subtasks = [{"name": f"take the {THING}", "steps": steps}, {"name": f"put it {relation} the {tray}", "steps": put}]
        return Example(f'"put the {THING} {relation} the {tray}"', {"goal": goal, "subtasks": subtasks})

    def correcting(self) -> Example | None:
        """A new instruction finds something in the hand."""
        if self.puts is None or (place := next(self._places_for(self.puts), None)) is None:
            return None
        name, relation = place
        steps = [{"do": self.puts.name, "target": name, "relation": relation}]
        if self.checks is not None:
            steps.append({"do": self.checks.name, "relation": relation, "subject": THING, "object": name})
        policy = {"goal": f"the {THING} is {relation} the {name}", "subtasks": [{"name": "put it down", "steps": steps}]}
        return Example(f'"no, {relation} the {name}", holding "{THING}"', policy, State(holding=THING))

    def touring(self) -> Example | None:
        """The first things that a robot without a hand can do, one after the other."""
        subtasks: list[dict[str, Any]] = []
        for primitive in sorted(self.primitives, key=lambda p: (p.kind != "action", p.result == "answer")):
            done = [step for subtask in subtasks for step in subtask["steps"]]
            steps = self._reached(primitive, done, 3) if len(subtasks) < 3 else None
            if steps:
                subtasks.append({"name": primitive.name.replace("_", " "), "steps": steps})
        return Example('"do your round"', {"goal": "the round is done", "subtasks": subtasks}) if subtasks else None

    def asking(self) -> Example | None:
        """The instruction leaves open what is meant."""
        asks = next((p for p in self.primitives if p.result == "answer" and _types(p) == ["text"]), None)
        if asks is None:
            return None
        step = {"do": asks.name, asks.arguments[0].name: "Which one do you mean?", "as": "answer"}
        policy = {"goal": "it is known what is meant", "subtasks": [{"name": "ask", "steps": [step]}]}
        return Example("it is not clear which of two things is meant", policy)

    def ending(self) -> Iterator[Example]:
        """What ends without a step."""
        yield Example("it is so already", {"goal": "it is so", "subtasks": []})
        yield Example("it is beyond this robot", {"goal": "tea is made", "cannot": "none of my primitives can make tea"})

    def _with(self, effect: tuple[str, ...], kind: str) -> Primitive | None:
        """Return the first primitive with an effect, and with a target of a type."""
        for primitive in self.primitives:
            aims = any(a.name == "target" and a.type == kind for a in primitive.arguments)
            if aims and any(tuple(text.split()) == effect for text in primitive.makes):
                return primitive
        return None

    def _find(self, phrase: str, name: str) -> Step:
        assert self.finds is not None
        return {"do": self.finds.name, self.finds.arguments[0].name: phrase, "as": name}

    def _choices(self, primitive: Primitive) -> tuple[str, ...]:
        return next((a.choices for a in primitive.arguments if a.name == "relation"), ())

    def _places_for(self, primitive: Primitive) -> Iterator[tuple[str, str]]:
        """Yield each place where a primitive can put things, and a relation."""
        for place in self.manifest.places.values():
            yield from ((place.name, word) for word in place.relations[:1] if word in self._choices(primitive))

    def _reached(self, primitive: Primitive, done: list[Step], depth: int) -> list[Step] | None:
        """Return the steps to a primitive and itself, after those that are done; None when its needs cannot be met."""
        own = [*self._found_for(primitive), self._filled(primitive, len(done))]
        before: list[Step] = []
        for need in primitive.needs:
            if self._passes([*done, *before, *own]):
                break
            able = makers(Condition.parse(need), self.manifest.primitives)
            others = [self.manifest.primitives[name] for name in able if name != primitive.name and depth]
            first = (self._reached(p, [*done, *before], depth - 1) for p in others)
            before += next((steps for steps in first if steps), [])
        return [*before, *own] if self._passes([*done, *before, *own]) else None

    def _found_for(self, primitive: Primitive) -> list[Step]:
        wanted = {a.result for a in primitive.arguments if a.type == "reference" and not a.optional}
        found = [self._find(THING, "cup")] if "object" in wanted and self.finds is not None else []
        givers = ((result, next((p for p in self.primitives if p.result == result), None)) for result in sorted(wanted))
        own = [{**self._filled(p, 0), "as": result} for result, p in givers if p is not None and result != "object"]
        return [*found, *own]

    def _filled(self, primitive: Primitive, number: int) -> Step:
        """Return a step with every argument that its schema wants."""
        schema = step_schemas(primitive, self.manifest)[-1]
        values = {name: _value(schema["properties"][name]) for name in schema["required"] if name not in ("do", "as")}
        values |= {a.name: f"${a.result}" for a in primitive.arguments if a.name in values and a.result != "object"}
        bound = {"as": f"{primitive.name[:24]}_{number + 1}"} if "as" in schema["required"] else {}
        return {"do": primitive.name, **values, **bound}

    def _passes(self, steps: list[Step]) -> bool:
        policy = {"goal": "done", "subtasks": [{"name": "all", "steps": steps}]}
        return check_policy(json.dumps(policy), self.manifest)[0] is not None


def _types(primitive: Primitive) -> list[str]:
    return [a.type for a in primitive.arguments if a.required]


def _value(schema: dict[str, Any]) -> Any:
    """Return a value that a schema of one argument admits."""
    for option in schema.get("anyOf", ()):
        if option.get("enum"):
            return option["enum"][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "anyOf" in schema:
        return _value(schema["anyOf"][0])
    kind = schema.get("type")
    if kind in ("number", "integer"):
        low, high = schema.get("minimum", 0), schema.get("maximum", schema.get("minimum", 0) + 1)
        return int(low) if kind == "integer" else round((low + high) / 2, 2)
    if kind == "array":
        return [_value(schema["items"])]
    if kind == "boolean":
        return True
    return "$cup" if str(schema.get("pattern", "")).startswith(r"^\$") else THING
