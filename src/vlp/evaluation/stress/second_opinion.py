"""A second judge of policies, which shares no code with the first but the schema itself.

JSON is read by the standard library, the schema by `jsonschema`, limits from the manifest; names and the hand are followed by a
small interpreter of its own."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from vlp.core.observation import Located
from vlp.primitives.manifest import Manifest, Primitive
from vlp.primitives.schema import policy_schema

Data = dict[str, Any]


class SecondOpinion:
    """Judges policies for one robot.

    Args:
        manifest: what the robot says of itself.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        frame = policy_schema(manifest)
        items = frame["anyOf"][0]["properties"]["subtasks"]["items"]["properties"]["steps"]["items"]
        by_name = {name: [s for s in items["anyOf"] if s["properties"]["do"]["const"] == name] for name in manifest.primitives}
        items["anyOf"] = [{"type": "object", "required": ["do"], "properties": {"do": {"enum": list(by_name)}}}]
        self._frame = Draft202012Validator(frame)
        self._steps = {name: Draft202012Validator({"anyOf": schemas}) for name, schemas in by_name.items()}

    def objection(self, text: str | bytes, known: Mapping[str, Located] | None = None) -> str:
        """Return what is wrong with the text of a policy for a robot with an empty hand, "" for nothing.

        Args:
            text: what the first judge accepted.
            known: where things were last seen, by phrase.
        """
        try:
            data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        except ValueError as error:
            return f"no JSON: {error}"
        if (error := next(self._frame.iter_errors(data), None)) is not None:
            return f"not by the schema: {error.message[:200]}"
        steps = [step for subtask in data.get("subtasks", ()) for step in subtask["steps"]]
        if wrong := next((step for step in steps if not self._steps[step["do"]].is_valid(step)), None):
            return f"not by the schema: {str(wrong)[:200]}"
        if len(steps) > 120:
            return f"{len(steps)} steps"
        return next(filter(None, (*map(self._beyond, steps), self._names_and_hand(steps, known or {}))), "")

    def _beyond(self, step: Data) -> str:
        """Return the number of a step, given or by default, that is beyond its argument's bounds or the body's limit."""
        for argument in self.manifest.primitives[step["do"]].arguments:
            value = step.get(argument.name, argument.default)
            limit = getattr(self.manifest.limits, argument.limit) if argument.limit else None
            for number in value if isinstance(value, list | tuple) else (value,):
                if isinstance(number, bool) or not isinstance(number, int | float):
                    continue
                bounds = ((argument.minimum, -1), (argument.maximum, 1), (limit, 1))
                if any(bound is not None and (number - bound) * sign > 0 for bound, sign in bounds) or number != number:
                    return f"{step['do']}: {argument.name} is {number}"
        return ""

    def _names_and_hand(self, steps: list[Data], known: Mapping[str, Located]) -> str:
        """Follow the steps with what each name stands for, what is in the hand, and what still lies where it was seen."""
        names, kinds, held, moved = dict[str, str](), dict[str, str](), "", set[str]()
        for step in steps:
            primitive = self.manifest.primitives[step["do"]]
            refers = {key: value[1:] for key, value in step.items() if isinstance(value, str) and value.startswith("$")}
            for argument in primitive.arguments:
                name = refers.get(argument.name)
                if argument.type in ("reference", "target") and name is not None:
                    if name not in names:
                        return f"{step['do']}: ${name} is bound by nothing"
                    if kinds[name] != argument.result:
                        return f"{step['do']}: ${name} is {kinds[name]}"
            makes, goes = set(primitive.makes), primitive.kind == "action" and bool(primitive.makes or primitive.needs)
            for phrase in (names.get(name, "") for name in refers.values()):
                if goes and phrase in known and phrase not in moved and (why := self._out(known[phrase], primitive)):
                    return f"{step['do']}: the {phrase} is {why}"
            thing = names.get(refers.get("target", ""), "")
            if "hand_empty" in primitive.needs and held:
                return f"{step['do']} with the {held} in the hand"
            if any(need.startswith("holding") for need in primitive.needs) and not held:
                return f"{step['do']} with an empty hand"
            if "holding target" in makes:
                held, moved = thing, moved | {thing}
            elif "hand_empty" in makes or any(effect.endswith(" held target") for effect in makes):
                held, moved = "", moved | {held}
            elif any(effect.startswith("moved") for effect in makes):
                moved = moved | {thing}
            if "as" in step:
                names[step["as"]] = next((str(step[a.name]) for a in primitive.arguments if a.name in step), "")
                kinds[step["as"]] = primitive.result
        return ""

    def _out(self, thing: Located, primitive: Primitive) -> str:
        limits = self.manifest.limits
        if limits.workspace_min_m is not None and limits.workspace_max_m is not None and limits.workspace_at is None:
            for a, p, b in zip(limits.workspace_min_m, thing.position_in_world, limits.workspace_max_m, strict=True):
                if not a <= p <= b:
                    return f"at {thing.position_in_world}, outside the workspace"
        wide = limits.gripper_opening_m
        if "holding target" in primitive.makes and wide is not None and not thing.size_m[1] <= wide:
            return f"{thing.size_m[1]} m wide, the gripper opens {wide} m"
        return ""


def _unique(pairs: list[tuple[str, Any]]) -> Data:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")
