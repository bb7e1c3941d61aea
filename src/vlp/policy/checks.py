"""Checks of a policy: small functions with one stated property each, over the symbolic state that its steps change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from vlp.core.errors import Issue, Report, did_you_mean
from vlp.core.observation import Located
from vlp.policy.model import Plan, Policy, PolicyStep, Situation, State, references, walk
from vlp.policy.parse import MAX_ISSUES, count_steps, parse_policy, validator
from vlp.primitives.facts import Condition, makers, spatial
from vlp.primitives.manifest import Manifest, Place
from vlp.primitives.schema import CHECK

Reachable = Callable[[PolicyStep, Located], str]
"""Returns why a step cannot be done at a place, "" when it can."""


@dataclass(frozen=True)
class Context:
    """What the checks may look at beside the policy.

    Args:
        manifest: the robot's primitives, places and limits.
        state: what is known before the first step.
        reachable: asked for every step that touches a thing whose place is known; None asks nobody.
    """

    manifest: Manifest
    state: State = field(default_factory=State)
    reachable: Reachable | None = None


Check = Callable[[Policy, Context], Iterable[Issue]]
"""One property of a policy: yields what is wrong, in the order of the document, nothing when the property holds.

The schema has been checked before any check is asked."""


def known_names(policy: Policy, context: Context) -> Iterator[Issue]:
    """Every `$name` is bound by an earlier step.

    Yield `unknown-name` for each reference that nothing before it binds.
    """
    bound: dict[str, None] = {}
    for path, step in walk(policy):
        for argument, name in references(step):
            if name not in bound:
                recent = list(bound)[-5:]
                hint = did_you_mean(name, recent) if recent else "Bind it first, with a locate step."
                yield Issue(f"{path}/{argument}", "unknown-name", f"no earlier step binds '${name}'.", hint)
        if step.as_:
            bound[step.as_] = None


def types(policy: Policy, context: Context) -> Iterator[Issue]:
    """Every argument is of the kind its primitive takes: a located thing where one is needed, a place as a place.

    Yield `wrong-result`, `place-not-thing`, `relation-not-possible` and `self-relation`.
    """
    results: dict[str, str] = {}
    for path, step in walk(policy):
        wanted = {a.name: a.result for a in context.manifest.primitives[step.do].arguments}
        for argument, name in references(step):
            if wanted[argument] and results.get(name, wanted[argument]) != wanted[argument]:
                thing = wanted[argument] == "object"
                what = "one located object" if thing else f"the result {wanted[argument]!r}"
                message = f"'${name}' is bound to {results[name]}; {step.do} takes {what}."
                hint = "Locate the thing itself." if thing else _bind_hint(wanted[argument], context.manifest)
                yield Issue(f"{path}/{argument}", "wrong-result", message, hint)
        yield from _places(path, step, context.manifest)
        if step.as_:
            results[step.as_] = context.manifest.primitives[step.do].result


def _places(path: str, step: PolicyStep, manifest: Manifest) -> Iterator[Issue]:
    types = {a.name: a.type for a in manifest.primitives[step.do].arguments}
    for name, value in step.arguments.items():
        if not isinstance(value, str):
            continue
        place = manifest.places.get(value)
        cleared = place is not None and place.clearable and step.arguments.get("relation") == "clear"
        if types[name] == "phrase" and place is not None and not cleared:
            message = f"{value!r} is a named place, not a thing to look for."
            yield Issue(f"{path}/{name}", "place-not-thing", message, "Use the place's name as it is.")
        relation = step.arguments.get("relation")
        if types[name] == "subject" and place is not None and relation not in place.relations:
            message = f"nothing can be {relation!r} the place {value!r}."
            hint = f"With it: {', '.join(place.relations)}." if place.relations else "It takes no things."
            yield Issue(f"{path}/relation", "relation-not-possible", message, hint)
        if types[name] == "subject" and value == step.arguments.get("subject"):
            yield Issue(f"{path}/{name}", "self-relation", f"{value!r} cannot stand in a relation to itself.")


def effects(policy: Policy, context: Context) -> Iterator[Issue]:
    """Every step's needs are met by the state before the first step and the effects of the steps before it.

    Yield `hand-not-empty`, `hand-empty`, `unmet-need`, `place-full`, `stale-reference` and `self-relation`.
    """
    situation = Situation(context.state, context.manifest.primitives)
    for path, step in walk(policy):
        for need in situation.unmet(step):
            yield _unmet(path, step, need, situation)
        yield from _references(path, step, situation)
        made = situation.apply(step)
        for place in {fact[2] for fact in made if spatial(fact)} & set(context.manifest.places):
            yield from _room(path, context.manifest.places[place], situation)


def _references(path: str, step: PolicyStep, situation: Situation) -> Iterator[Issue]:
    for argument, name in references(step):
        phrase = situation.names.get(name)
        if phrase is None or not situation.primitives[step.do].reaches:
            continue
        at_old_spot = step.arguments.get("relation") == "at"
        if "held" in _effect_words(step, situation) and phrase == situation.held and not at_old_spot:
            message = f"the {phrase} is in the hand; it cannot be put in a relation to itself."
            yield Issue(f"{path}/{argument}", "self-relation", message)
        elif name in situation.stale and not at_old_spot:
            message = f"the {phrase} has moved since '${name}' was located."
            yield Issue(f"{path}/{argument}", "stale-reference", message, "Locate it again before this step.")


def _room(path: str, place: Place, situation: Situation) -> Iterator[Issue]:
    there = [fact[1] for fact in sorted(situation.facts.known) if spatial(fact) and fact[2] == place.name]
    if place.capacity is not None and len(there) > place.capacity:
        message = f"the {place.name} takes {place.capacity}; with this step it would have {', '.join(there)}."
        yield Issue(path, "place-full", message, "Take one away first, or choose another place.")


def within_limits(policy: Policy, context: Context) -> Iterator[Issue]:
    """Boxes have an area; what the hand goes to at a known place lies in the workspace and fits the gripper.

    Yield `bad-box`, `out-of-workspace` and `too-wide`.
    """
    for i, (phrase, (x1, y1, x2, y2)) in enumerate(policy.seen):
        if x1 >= x2 or y1 >= y2:
            message = f"the box of {phrase!r} has no area: x {x1:g} to {x2:g}, y {y1:g} to {y2:g}."
            yield Issue(f"/seen/{i}/1", "bad-box", message, "Write [left, top, right, bottom] in pixels.")
    opening_m = context.manifest.limits.gripper_opening_m
    for path, step, thing in _touched(policy, context):
        at, box = thing.position_in_world, context.manifest.limits.workspace
        if box is not None and any(not a <= p <= b for a, p, b in zip(box[0], at, box[1], strict=True)):
            low, high = box
            message = f"the {thing.phrase} is at {_metres(at)}, outside the workspace {_metres(low)} to {_metres(high)}."
            yield Issue(f"{path}/target", "out-of-workspace", message, "Choose another thing, or say that it cannot be.")
        takes = "holding target" in context.manifest.primitives[step.do].makes
        if takes and opening_m is not None and thing.size_m[1] > opening_m:
            opening = f"the gripper opens {opening_m:.3f} m"
            message = f"the {thing.phrase} is {thing.size_m[1]:.3f} m wide; {opening}."
            yield Issue(f"{path}/target", "too-wide", message)


def within_reach(policy: Policy, context: Context) -> Iterator[Issue]:
    """Everything the hand goes to at a known place can be reached, by the word of the caller's function.

    Yield `unreachable` with the reason the function gave.
    """
    if context.reachable is None:
        return
    for path, step, thing in _touched(policy, context):
        if reason := context.reachable(step, thing):
            yield Issue(f"{path}/target", "unreachable", f"the {thing.phrase} cannot be reached: {reason}.")


def claims(policy: Policy, context: Context) -> Iterator[Issue]:
    """What a check has just refuted is not claimed again.

    Yield `refuted-claim` for a policy that does nothing, or begins by checking, after a check has failed.
    """
    if context.state.refuted and not policy.cannot and (not policy.steps or policy.steps[0].do == CHECK):
        message = "the check before this policy failed; it is not so already."
        yield Issue("/subtasks", "refuted-claim", message, "Begin with a step that changes it.")


CHECKS: tuple[Check, ...] = (known_names, types, effects, within_limits, within_reach, claims)
"""Asked in this order, after the schema."""


def check_policy(
    policy: Policy | str | bytes,
    manifest: Manifest,
    state: State | None = None,
    reachable: Reachable | None = None,
    checks: Sequence[Check] = CHECKS,
) -> tuple[Plan | None, Report]:
    """Return the plan that a policy makes, or None and the report of what is wrong with it; a bad policy never raises.

    Args:
        policy: a policy, or its text.
        manifest: what the robot says of itself.
        state: what is known before the first step; None is an empty hand and nothing known.
        reachable: tells why a step cannot be done at a known place, "" when it can.
        checks: asked in order once the schema holds; every one is asked, so a report can hold several faults.
    """
    if isinstance(policy, Policy):
        parsed, report = policy, _schema(policy, manifest)
    else:
        parsed, report = parse_policy(policy, manifest)
    if parsed is None or not report.ok:
        return None, report
    context = Context(manifest, state or State(), reachable)
    for check in checks:
        report.issues.extend(islice(check(parsed, context), MAX_ISSUES - len(report.issues)))
    return (Plan(parsed, manifest.version) if report.ok else None), report


def _schema(policy: Policy, manifest: Manifest) -> Report:
    """Return what the schema says of a policy that was made by code, not read from text."""
    report = Report()
    data = policy.to_json()
    validator(manifest)(data, report)
    if report.ok:
        count_steps(data, report)
    return report


def _unmet(path: str, step: PolicyStep, need: Condition, situation: Situation) -> Issue:
    said = f"{step.do} needs {str(need)!r}"
    of_the_hand = {
        "hand_empty": ("hand-not-empty", "Place or release it first."),
        "holding": ("hand-empty", "Grasp something first."),
    }
    if need.words[0] in of_the_hand and need.positive:
        code, hint = of_the_hand[need.words[0]]
        holding = f"the hand holds the {situation.held}" if situation.held else "the hand is empty"
        return Issue(path, code, f"{said}, but {holding}.", hint)
    able = makers(need, situation.primitives)
    hint = f"Done by: {', '.join(able)}." if able else "No primitive of this robot makes it so."
    return Issue(path, "unmet-need", f"{said}, and nothing before it has made that so.", hint)


def _bind_hint(result: str, manifest: Manifest) -> str:
    able = [name for name, p in manifest.primitives.items() if p.result == result]
    return f"Bind it with: {', '.join(able)}." if able else "No primitive of this robot gives one."


def _effect_words(step: PolicyStep, situation: Situation) -> set[str]:
    return {word for effect in situation.primitives[step.do].makes for word in effect.split()}


def _touched(policy: Policy, context: Context) -> Iterator[tuple[str, PolicyStep, Located]]:
    """Yield each step whose hand goes to a thing that is still where it was last seen, with that thing."""
    if not context.state.known:
        return
    situation = Situation(context.state, context.manifest.primitives)
    for path, step in walk(policy):
        for _, name in references(step):
            phrase = situation.phrase_of(f"${name}")
            if situation.primitives[step.do].reaches and phrase in context.state.known and phrase not in situation.moved:
                yield path, step, context.state.known[phrase]
        situation.apply(step)


def _metres(point: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in point) + ") m"
