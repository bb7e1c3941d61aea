"""Families about several things at once: stack in order, sort by colour, swap two places."""

from dataclasses import replace
from itertools import pairwise
from random import Random

from vlp.sim.language.put import free, graspable, put_relation, takes
from vlp.sim.language.references import is_container, missing
from vlp.sim.language.relations import gap_m, rests_on, visible
from vlp.sim.language.task import Goal, Task
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import FLAT_TOPPED

Arguments = dict[str, str]


def build_stack(truth: Truth, arguments: Arguments) -> Task | None:
    """Return the task of standing b on a, and c on b where there is a c."""
    names = [arguments[slot] for slot in "abc" if slot in arguments]
    refusal = _refusal(truth, names)
    if not refusal:
        soft = [n for n in names[:-1] if n.rpartition(" ")[2] not in FLAT_TOPPED]
        refusal = f"nothing can be put on the {soft[0]}" if soft else ""
    if refusal:
        return Task("stack", arguments, cannot=refusal)
    if len(set(names)) < len(names):
        return None
    goals = tuple(Goal("on", upper, lower) for lower, upper in pairwise(names))
    return Task("stack", arguments, goals, ordered=True, satisfied=all(goal.holds(truth) for goal in goals))


def build_swap(truth: Truth, arguments: Arguments) -> Task | None:
    """Return the task of swapping the places of a and b, as they stand now."""
    a, b = arguments["a"], arguments["b"]
    refusal = _refusal(truth, [a, b])
    if refusal:
        return Task("swap", arguments, cannot=refusal)
    if a == b or truth.holding in (a, b):
        return None
    (ax, ay, _), (bx, by, _) = truth.objects[a].position_in_world, truth.objects[b].position_in_world
    goals = (Goal("at", b, a, (ax, ay)), Goal("at", a, b, (bx, by)))
    return Task("swap", arguments, goals, ordered=True)


def build_sort(truth: Truth, arguments: Arguments) -> Task | None:
    """Return the task of putting each thing into or onto the container of its colour, where there is exactly one."""
    homes = colour_homes(truth)
    goals = tuple(
        Goal(put_relation(homes[item.colour]), name, homes[item.colour])
        for name in graspable(truth)
        if (item := truth.objects[name]).colour in homes
    )
    if not goals:
        return Task("sort", arguments, cannot="there is no container with a thing of its colour")
    return Task("sort", arguments, goals, satisfied=all(goal.holds(truth) for goal in goals))


def colour_homes(truth: Truth) -> dict[str, str]:
    """Return the container in view of each colour that has exactly one."""
    homes: dict[str, list[str]] = {}
    for name in visible(truth):
        if is_container(name):
            homes.setdefault(truth.objects[name].colour, []).append(name)
    return {colour: names[0] for colour, names in homes.items() if len(names) == 1}


def _refusal(truth: Truth, names: list[str]) -> str:
    present = [n for n, item in truth.objects.items() if item.support not in ("bin", "floor")]
    gone = next((n for n in names if n not in present), "")
    stuck = next((n for n in names if is_container(n)), "")
    return missing(gone) if gone else f"the {stuck} cannot be grasped" if stuck else ""


def propose_stack(truth: Truth, rng: Random) -> Arguments | None:
    """Draw two or three flat-topped things that nothing else rests on."""
    names = [n for n in graspable(truth) if truth.objects[n].kind in FLAT_TOPPED and free(truth, n)]
    lower = [n for n in names if truth.objects[n].support == "table"]
    if not lower or len(names) < 2:
        return None
    base = rng.choice(lower)
    rest = [n for n in names if n != base]
    chosen = [base, *rng.sample(rest, 2 if len(rest) > 1 and rng.random() < 0.6 else 1)]
    return dict(zip("abc", chosen, strict=False))


def propose_swap(truth: Truth, rng: Random) -> Arguments | None:
    """Draw two things that stand on the table with nothing on them, well apart."""
    names = [n for n in graspable(truth) if truth.objects[n].support == "table" and free(truth, n)]
    if len(names) < 2:
        return None
    a, b = rng.sample(names, 2)
    return {"a": a, "b": b} if _fits_at(truth, a, b) and _fits_at(truth, b, a) else None


def _fits_at(truth: Truth, name: str, other: str) -> bool:
    """Return whether a thing has room at the place of another."""
    moved = replace(truth.objects[name], position_in_world=truth.objects[other].position_in_world)
    rest = [item for n, item in truth.objects.items() if n not in (name, other) and item.support == "table"]
    return all(gap_m(moved, item) > 0.01 for item in rest)


def propose_sort(truth: Truth, rng: Random) -> Arguments | None:
    """Sorting makes sense where containers of their own colour wait for things and no colour has two."""
    containers = [n for n in visible(truth) if is_container(n) and truth.objects[n].support == "table"]
    homes = colour_homes(truth)
    if not containers or len({truth.objects[n].colour for n in containers}) < len(containers):
        return None
    todo = 0
    for home in homes.values():
        mine = [n for n in graspable(truth) if truth.objects[n].colour == truth.objects[home].colour]
        more = [n for n in mine if not rests_on(truth, n, home)]
        todo += len(more)
        if more and not takes(truth, home, more):
            return None
    return {} if todo else None
