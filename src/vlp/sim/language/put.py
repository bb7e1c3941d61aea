"""Families that put one thing or several somewhere: put, pick, throw, unload, spatial, relative, size, group, clear."""

from random import Random

from vlp.sim.language.fitting import has_room, has_spot
from vlp.sim.language.references import ORDERS, SIZES, Unclear, is_container, is_place, matching, missing, resolve
from vlp.sim.language.relations import DIRECTIONS, displacement_m, gap_m, holds, rests_on, visible
from vlp.sim.language.task import Goal, Task
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import PUT_RELATION, THINGS

Arguments = dict[str, str]


def build_put(truth: Truth, arguments: Arguments) -> Task | None:
    """Return the task of putting all that `a` stands for at `b`; None when a reference is unclear."""
    a, relation, b = arguments["a"], arguments["relation"], arguments["b"]
    try:
        subjects, targets = resolve(truth, a), resolve(truth, b)
    except Unclear:
        return None
    if b == "bin":
        subjects = subjects or [n for n in truth.objects if n == a]
    if not subjects and (a, b) != ("every thing", "bin"):
        return Task("put", arguments, cannot=missing(a))
    if not targets:
        return Task("put", arguments, cannot=missing(b))
    target = targets[0]
    subjects = [name for name in subjects if name != target]
    stuck = next((name for name in subjects if is_container(name)), "")
    if stuck:
        return Task("put", arguments, cannot=f"the {stuck} cannot be grasped")
    if relation in ("in", "on") and not is_place(target) and not _carries(truth, relation, target):
        return Task("put", arguments, cannot=f"nothing can be put {relation} the {target}")
    if not subjects and b != "bin":
        return None
    goals = tuple(Goal(relation, name, target) for name in subjects)
    return Task("put", arguments, goals, satisfied=all(goal.holds(truth) for goal in goals))


def build_pick(truth: Truth, arguments: Arguments) -> Task | None:
    """Return the task of holding `a`."""
    try:
        subjects = resolve(truth, arguments["a"])
    except Unclear:
        return None
    if not subjects:
        return Task("pick", arguments, cannot=missing(arguments["a"]))
    if is_container(subjects[0]):
        return Task("pick", arguments, cannot=f"the {subjects[0]} cannot be grasped")
    goal = Goal("holding", subjects[0])
    return Task("pick", arguments, (goal,), satisfied=goal.holds(truth))


def _carries(truth: Truth, relation: str, target: str) -> bool:
    item = truth.objects.get(target)
    return item is not None and PUT_RELATION.get(item.kind) == relation


def graspable(truth: Truth) -> list[str]:
    """Return the things in view or in hand that can be grasped."""
    return matching(truth, "thing")


def takes(truth: Truth, target: str, subjects: list[str]) -> bool:
    """Return whether a target in view stands on the table and has room for these things beside what it carries."""
    item = truth.objects[target]
    load = [truth.objects[name] for name in truth.inside(target) if name not in subjects]
    return item.support == "table" and has_room(item, load, [truth.objects[name] for name in subjects])


def free(truth: Truth, name: str) -> bool:
    """Return whether nothing rests on a thing."""
    return not truth.inside(name)


def name_it(truth: Truth, name: str, rng: Random) -> str:
    """Return the phrase of a thing, or sometimes its kind alone where there is only one such."""
    kind = name.rpartition(" ")[2]
    if rng.random() < 0.15 and sum(item.kind == kind for item in truth.objects.values()) == 1:
        return kind
    return name


def targets_for(truth: Truth, subject: str) -> list[str]:
    """Return everything that a thing can sensibly be put in or on and is not in or on yet."""
    return [
        name
        for name in visible(truth)
        if name != subject
        and takes(truth, name, [subject])
        and not rests_on(truth, subject, name)
        and not rests_on(truth, name, subject)
    ]


def near_relations() -> tuple[str, ...]:
    """Return the relations of putting something beside a target."""
    return ("next_to", *DIRECTIONS)


def put_relation(target: str) -> str:
    """Return the canonical relation of putting something into or onto a target."""
    return PUT_RELATION[target.rpartition(" ")[2]]


def propose_put(truth: Truth, rng: Random) -> Arguments | None:
    """Draw a thing and a target; a third of the time a place next to, left of, ... the target."""
    subjects = graspable(truth)
    if not subjects:
        return None
    subject = truth.holding if truth.holding in subjects and rng.random() < 0.4 else rng.choice(subjects)
    if rng.random() < 0.35:
        return _propose_near(truth, subject, rng)
    targets = targets_for(truth, subject)
    if not targets:
        return None
    boxes = [name for name in targets if is_container(name)]
    target = rng.choice(boxes if boxes and rng.random() < 0.7 else targets)
    return {"a": name_it(truth, subject, rng), "relation": put_relation(target), "b": name_it(truth, target, rng)}


def _propose_near(truth: Truth, subject: str, rng: Random) -> Arguments | None:
    others = [n for n in visible(truth) if n != subject and truth.objects[n].support == "table"]
    if not others:
        return None
    other, relation = rng.choice(others), rng.choice(near_relations())
    a, b = truth.objects[subject], truth.objects[other]
    if a.support == other or not has_spot(truth, a, b, relation):
        return None
    if a.support != "hand":
        if relation == "next_to" and a.support == "table" and gap_m(a, b) < 0.17:
            return None
        if relation != "next_to" and displacement_m(a, b, relation) > -0.02:  # "left of" must mean work
            return None
    return {"a": name_it(truth, subject, rng), "relation": relation, "b": name_it(truth, other, rng)}


def propose_pick(truth: Truth, rng: Random) -> Arguments | None:
    """Draw a thing that is not held."""
    names = [name for name in graspable(truth) if name != truth.holding]
    return {"a": name_it(truth, rng.choice(names), rng)} if names else None


def propose_throw(truth: Truth, rng: Random) -> Arguments | None:
    """Draw a thing for the bin."""
    names = graspable(truth)
    return {"a": name_it(truth, rng.choice(names), rng), "relation": "in", "b": "bin"} if names else None


def propose_unload(truth: Truth, rng: Random) -> Arguments | None:
    """Draw a thing that is held or rests in or on another, to be put on the table."""
    names = [name for name in graspable(truth) if truth.objects[name].support != "table"]
    return {"a": name_it(truth, rng.choice(names), rng), "relation": "on", "b": "table"} if names else None


def _somewhere(truth: Truth, subject: str, rng: Random) -> tuple[str, str] | None:
    """Return (relation, target) for a thing: mostly a container, sometimes the bin."""
    targets = [name for name in targets_for(truth, subject) if is_container(name)]
    if targets and rng.random() < 0.85:
        target = rng.choice(targets)
        return put_relation(target), target
    return ("in", "bin") if rng.random() < 0.5 else None


def _propose_ranked(truth: Truth, rng: Random, words: tuple[str, ...], descriptions: list[str]) -> Arguments | None:
    """Draw "leftmost can" and the like for the thing, the target, or both."""
    superlative = rng.choice(words)
    descriptions = [d for d in descriptions if len(matching(truth, d)) >= 2]
    if not descriptions:
        return None
    reference = f"{superlative} {rng.choice(descriptions)}"
    if fits_held(truth, reference):
        return None
    try:
        names = resolve(truth, reference)
    except Unclear:
        return None
    goal = _somewhere(truth, names[0], rng)
    if goal is None:
        return None
    description = reference.partition(" ")[2]
    if any(rests_on(truth, name, goal[1]) for name in matching(truth, description)):
        return None
    return {"a": reference, "relation": goal[0], "b": _rank_target(truth, goal[1], rng)}


def fits_held(truth: Truth, reference: str) -> bool:
    """Return whether the held thing is among those that the reference ranks."""
    return bool(truth.holding) and truth.holding in matching(truth, reference.partition(" ")[2])


def _descriptions(truth: Truth) -> list[str]:
    things = [item for item in truth.objects.values() if item.kind in THINGS]
    kinds = sorted({item.kind for item in things})
    colours = sorted({item.colour for item in things})
    return [*kinds, *(f"{c} thing" for c in colours), "thing"]


def _rank_target(truth: Truth, target: str, rng: Random) -> str:
    kind = target.rpartition(" ")[2]
    alike = [name for name in truth.objects if name.endswith(" " + kind)]
    if len(alike) < 2 or rng.random() < 0.5:
        return target
    for superlative in rng.sample(sorted(ORDERS), len(ORDERS)):
        try:
            if resolve(truth, f"{superlative} {kind}") == [target]:
                return f"{superlative} {kind}"
        except Unclear:
            continue
    return target


def propose_spatial(truth: Truth, rng: Random) -> Arguments | None:
    """Draw the leftmost, rightmost, nearest or farthest of at least two things."""
    return _propose_ranked(truth, rng, tuple(ORDERS), _descriptions(truth))


def propose_size(truth: Truth, rng: Random) -> Arguments | None:
    """Draw the biggest or smallest of at least two things of one kind."""
    return _propose_ranked(truth, rng, tuple(SIZES), list(THINGS))


def propose_relative(truth: Truth, rng: Random) -> Arguments | None:
    """Draw "the can left of the blue bowl" where exactly one of several cans is there, and clearly so."""
    relation = rng.choice(tuple(DIRECTIONS))
    seen = visible(truth)
    kinds = [k for k in THINGS if len(matching(truth, k)) >= 2 and not truth.holding.endswith(" " + k)]
    marks = [name for name in seen if truth.objects[name].support == "table"]
    if not kinds or not marks:
        return None
    kind, mark = rng.choice(kinds), rng.choice(marks)
    others = [n for n in matching(truth, kind) if n != mark]
    offsets = {n: displacement_m(truth.objects[n], truth.objects[mark], relation) for n in others}
    there = [n for n, d in offsets.items() if d > 0.07]
    if len(there) != 1 or any(d > 0.0 for n, d in offsets.items() if n != there[0]):
        return None
    goal = _somewhere(truth, there[0], rng)
    if goal is None or any(rests_on(truth, name, goal[1]) for name in offsets):
        return None
    return {"a": f"{kind} {relation} {mark}", "relation": goal[0], "b": goal[1]}


def propose_group(truth: Truth, rng: Random) -> Arguments | None:
    """Draw all cans, or everything red, and a container with room, the bin or (for loaded things) the table."""
    descriptions = [d for d in _descriptions(truth) if d != "thing"]
    if not descriptions:
        return None
    several = [d for d in descriptions if len(matching(truth, d)) >= 2]
    description = rng.choice(several if several and rng.random() < 0.8 else descriptions)
    names = matching(truth, description)
    containers = [n for n in visible(truth) if is_container(n) and truth.objects[n].support == "table"]
    options: list[tuple[str, str]] = [("in", "bin")] if rng.random() < 0.3 else []
    for target in containers:
        todo = [n for n in names if not rests_on(truth, n, target)]
        if todo and takes(truth, target, todo):
            options.append((put_relation(target), target))
    if not options:
        return None
    relation, target = rng.choice(options)
    colour = description.partition(" ")[0] if description.endswith("thing") else ""
    if any(truth.objects[n].colour == colour for n in containers if n != target):
        return None
    return {"a": f"every {description}", "relation": relation, "b": target}


def propose_clear(truth: Truth, rng: Random) -> Arguments | None:
    """Everything that can be grasped goes into the bin."""
    return {"a": "every thing", "relation": "in", "b": "bin"} if graspable(truth) else None


def satisfied_put(truth: Truth, rng: Random) -> Arguments | None:
    """Draw arguments of put or group that hold already, clearly so."""
    loaded = [n for n in graspable(truth) if truth.objects[n].support.rpartition(" ")[2] in PUT_RELATION]
    if loaded and rng.random() < 0.75:
        subject = rng.choice(loaded)
        target = truth.objects[subject].support
        colour, kind = subject.split()
        for reference in (f"every {kind}", f"every {colour} thing"):
            names = matching(truth, reference.partition(" ")[2])
            if is_container(target) and all(rests_on(truth, n, target) for n in names) and rng.random() < 0.4:
                return {"a": reference, "relation": put_relation(target), "b": target}
        return {"a": name_it(truth, subject, rng), "relation": put_relation(target), "b": name_it(truth, target, rng)}
    standing = [n for n in visible(truth) if truth.objects[n].support == "table"]
    pairs = [
        (a, relation, b)
        for a in standing
        for b in standing
        if a != b and not is_container(a)
        for relation in near_relations()
        if holds(truth, relation, a, b) and _clearly(truth, relation, a, b)
    ]
    if not pairs:
        return None
    a, relation, b = rng.choice(pairs)
    return {"a": a, "relation": relation, "b": b}


def _clearly(truth: Truth, relation: str, a: str, b: str) -> bool:
    first, second = truth.objects[a], truth.objects[b]
    gap = gap_m(first, second)
    if relation == "next_to":
        return gap < 0.08
    return gap < 0.2 and displacement_m(first, second, relation) > 0.07
