"""Symbolic execution: what a policy would do to a true state, without physics, and whether that is right for a task."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import cos, hypot, pi, sin
from typing import Any

from vlp.sim.language.random_truth import CARRY_M, TABLE_TOP_M, rest_upon
from vlp.sim.language.references import fits as fits_description
from vlp.sim.language.references import is_container
from vlp.sim.language.relations import DIRECTIONS, OUT_OF_SIGHT, holds
from vlp.sim.language.task import Task
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.words import FLAT_TOPPED, PUT_RELATION

ZONE_M = ((0.42, 0.76), (-0.34, 0.34))
"""Where on the table things are put down: bounds of x and of y in the world frame."""
PolicyJson = dict[str, Any]


class StepNotPossible(Exception):
    """A step that the robot would report as failed."""


@dataclass(frozen=True)
class SymbolicThing:
    """What a `$name` stands for: a thing as it was when it was located."""

    phrase: str
    item: TrueObject


@dataclass
class SymbolicTable:
    """The state while a policy runs: objects by phrase, what is held, where the robot is, the names bound so far."""

    objects: dict[str, TrueObject]
    holding: str = ""
    at: str = "table"
    names: dict[str, SymbolicThing] = field(default_factory=dict)

    @classmethod
    def of(cls, truth: Truth) -> "SymbolicTable":
        """Return a copy of a true state."""
        return cls(dict(truth.objects), truth.holding, truth.at)

    @property
    def truth(self) -> Truth:
        """The state as it is now."""
        return Truth(dict(self.objects), self.holding, self.at)

    def load(self, name: str) -> list[str]:
        """Return what rests directly in or on something."""
        return [n for n, item in self.objects.items() if item.support == name]

    def seen(self, reference: str) -> SymbolicThing:
        """Return what a reference such as "$red_cube" was bound to."""
        if reference[:1] != "$" or reference[1:] not in self.names:
            raise StepNotPossible(f"{reference} is not bound")
        return self.names[reference[1:]]

    def at_table(self) -> None:
        """Fail unless the robot stands at the table."""
        if self.at != "table":
            raise StepNotPossible(f"the robot is at {self.at!r}, not at the table")

    def put(self, item: TrueObject) -> None:
        """Let go of what is held, at the place and support that `item` says."""
        self.objects[self.holding] = item
        self.holding = ""


def execute(policy: PolicyJson, truth: Truth) -> tuple[Truth, list[str]]:
    """Return the state after a policy, and the failure at which it stopped (an empty list when every step went well).

    Args:
        policy: plain data in the form of the language; it is not checked against a schema here.
        truth: the state before.
    """
    table = SymbolicTable.of(truth)
    for where, step in steps_of(policy):
        try:
            do_step(table, step)
        except StepNotPossible as failure:
            return table.truth, [f"{where} {step.get('do')}: {failure}"]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            return table.truth, [f"{where}: malformed step ({type(error).__name__}: {error})"]
    return table.truth, []


def steps_of(policy: PolicyJson) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (id such as "1.2", step) in order."""
    for i, subtask in enumerate(policy.get("subtasks") or [], 1):
        for j, step in enumerate(subtask["steps"], 1):
            yield f"{i}.{j}", step


def do_step(table: SymbolicTable, step: dict[str, Any]) -> None:
    """Carry out one step on the state; raises StepNotPossible, or KeyError and the like for malformed steps."""
    action = ACTIONS.get(step["do"])
    if action is None:
        raise StepNotPossible("no such primitive")
    action(table, step)


def is_right(policy: PolicyJson, truth: Truth, task: Task) -> tuple[bool, str]:
    """Return whether a policy is right for a task begun in a state, and why not.

    Any policy counts whose steps all succeed and whose end state passes the task's test; what cannot be done must be
    answered by `cannot`, and what is done already must not be touched.
    """
    motions = ("go_to", "grasp", "lift", "place", "release", "push", "home")
    moves = [step.get("do") for _, step in steps_of(policy) if step.get("do") in motions]
    if task.cannot:
        if not policy.get("cannot"):
            return False, f"did not say that it cannot be done ({task.cannot})"
        return (False, f"moves although it cannot be done: {moves[0]}") if moves else (True, "")
    if policy.get("cannot"):
        return False, f"says that it cannot be done: {policy['cannot']}"
    if task.satisfied:
        return (False, f"moves although all is done: {moves[0]}") if moves else (True, "")
    now, failures = execute(policy, truth)
    if failures:
        return False, failures[0]
    if not task.success(truth, now):
        missed = [f"{g.subject} {g.relation} {g.target}".strip() for g in task.goals if not g.holds(now)]
        return False, f"not reached: {', '.join(missed)}" if missed else "something else was moved or is still held"
    return True, ""


def _go_to(table: SymbolicTable, step: dict[str, Any]) -> None:
    if step["place"] not in ("table", "bin", "start"):
        raise StepNotPossible(f"no place {step['place']!r}")
    table.at = step["place"]


def _look_at(table: SymbolicTable, step: dict[str, Any]) -> None:
    if step["target"] not in ("table", "bin"):
        table.seen(step["target"])


def _locate(table: SymbolicTable, step: dict[str, Any]) -> None:
    table.at_table()
    phrase = step["object"]
    item = table.objects.get(phrase)
    if item is None or item.support in OUT_OF_SIGHT:
        raise StepNotPossible(f"no {phrase} in view")
    if "as" in step:
        table.names[step["as"]] = SymbolicThing(phrase, item)


def _find_all(table: SymbolicTable, step: dict[str, Any]) -> None:
    table.at_table()
    words = step["object"]
    if not any(fits_description(i, words) or words in (i.colour, i.kind, "thing") for i in table.objects.values()):
        raise StepNotPossible(f"no {words} in view")


def _grasp(table: SymbolicTable, step: dict[str, Any]) -> None:
    table.at_table()
    seen = table.seen(step["target"])
    if table.holding:
        raise StepNotPossible(f"the hand holds the {table.holding}")
    if is_container(seen.phrase):
        raise StepNotPossible(f"the {seen.phrase} cannot be grasped")
    item = table.objects[seen.phrase]
    if item.support in OUT_OF_SIGHT or _has_moved(item, seen.item):
        raise StepNotPossible(f"the {seen.phrase} is not where it was seen")
    if table.load(seen.phrase):
        raise StepNotPossible(f"the {table.load(seen.phrase)[0]} is on the {seen.phrase}")
    table.objects[seen.phrase] = replace(item, position_in_world=CARRY_M, support="hand", relation="in")
    table.holding = seen.phrase


def _lift(table: SymbolicTable, step: dict[str, Any]) -> None:
    _hand_full(table)
    if not 0.02 <= step["height_m"] <= 0.30:
        raise StepNotPossible("height out of bounds")


def _place(table: SymbolicTable, step: dict[str, Any]) -> None:
    _hand_full(table)
    target, relation = step["target"], step["relation"]
    item = table.objects[table.holding]
    if target == "bin":
        if relation != "in":
            raise StepNotPossible(f"cannot place {relation} the bin")
        table.put(replace(item, position_in_world=(0.45, -0.85, 0.1), support="bin", relation="in"))
        return
    table.at_table()
    if target == "table":
        if relation != "on":
            raise StepNotPossible(f"cannot place {relation} the table")
        table.put(_standing(item, *_free_spot(table, item)))
        return
    seen = table.seen(target)
    if relation == "at":
        _place_at(table, item, seen)
        return
    if seen.phrase == table.holding:
        raise StepNotPossible(f"the {seen.phrase} is in the hand")
    host = table.objects[seen.phrase]
    if host.support in OUT_OF_SIGHT or _has_moved(host, seen.item):
        raise StepNotPossible(f"the {seen.phrase} is not where it was seen")
    if relation in ("in", "on"):
        _place_upon(table, item, host, relation)
    else:
        _place_near(table, item, host, relation)


def _place_upon(table: SymbolicTable, item: TrueObject, host: TrueObject, relation: str) -> None:
    if PUT_RELATION.get(host.kind) != relation:
        raise StepNotPossible(f"nothing can be put {relation} the {host.phrase}")
    load = table.load(host.phrase)
    if host.kind in FLAT_TOPPED and load:
        raise StepNotPossible(f"the {load[0]} is on the {host.phrase}")
    table.put(rest_upon(item, host, len(load)))


def _place_at(table: SymbolicTable, item: TrueObject, seen: SymbolicThing) -> None:
    x, y, _ = seen.item.position_in_world
    if seen.item.support in table.objects:
        table.put(rest_upon(item, table.objects[seen.item.support], len(table.load(seen.item.support))))
        return
    if not _is_free(table, item, x, y, gap_m=-0.02):
        raise StepNotPossible(f"the place where the {seen.phrase} was is taken")
    table.put(_standing(item, x, y))


def _place_near(table: SymbolicTable, item: TrueObject, host: TrueObject, relation: str) -> None:
    """Put down beside the host: straight in the direction if that is free, else further or to the side."""
    hx, hy, _ = host.position_in_world
    gap_m = 0.05
    distance = (max(item.size_m[:2]) + max(host.size_m[:2])) / 2 + gap_m
    turns = [k * pi / 6 for k in ((0, 1, -1) if relation in DIRECTIONS else range(12))]
    main = {"left_of": pi / 2, "right_of": -pi / 2, "behind": 0.0, "in_front_of": pi}.get(relation, pi / 2)
    spots = [
        (hx + (distance + more) * cos(main + turn), hy + (distance + more) * sin(main + turn))
        for more in (0.0, 0.03, 0.06)
        for turn in turns
    ]
    fine = (spot for gap in (0.02, 0.0, -0.02) for spot in spots if _is_free(table, item, *spot, gap_m=gap))
    table.put(_standing(item, *next(fine, spots[0])))


def _release(table: SymbolicTable, step: dict[str, Any]) -> None:
    _hand_full(table)
    item = table.objects[table.holding]
    table.put(_standing(item, *_free_spot(table, item)))


def _push(table: SymbolicTable, step: dict[str, Any]) -> None:
    table.at_table()
    seen = table.seen(step["target"])
    if table.holding:
        raise StepNotPossible(f"the hand holds the {table.holding}")
    dx, dy = {"left": (0, 1), "right": (0, -1), "forward": (1, 0), "back": (-1, 0)}[step["direction"]]
    item = table.objects[seen.phrase]
    x, y, z = item.position_in_world
    d = step["distance_m"]
    table.objects[seen.phrase] = replace(item, position_in_world=(x + dx * d, y + dy * d, z))


def _home(table: SymbolicTable, step: dict[str, Any]) -> None:
    del table, step


def _check(table: SymbolicTable, step: dict[str, Any]) -> None:
    if not holds(table.truth, step["relation"], step["subject"], step.get("object", "")):
        words = (step["subject"], "is not", step["relation"], step.get("object", ""))
        raise StepNotPossible(" ".join(w for w in words if w))


def _ask(table: SymbolicTable, step: dict[str, Any]) -> None:
    del table
    if not step["question"]:
        raise StepNotPossible("an empty question")


ACTIONS: dict[str, Callable[[SymbolicTable, dict[str, Any]], None]] = {
    "go_to": _go_to,
    "look_at": _look_at,
    "locate": _locate,
    "find_all": _find_all,
    "grasp": _grasp,
    "lift": _lift,
    "place": _place,
    "release": _release,
    "push": _push,
    "home": _home,
    "check": _check,
    "ask": _ask,
}


def _hand_full(table: SymbolicTable) -> None:
    if not table.holding:
        raise StepNotPossible("the hand is empty")


def _has_moved(now: TrueObject, seen: TrueObject) -> bool:
    """Return whether a thing is no longer where the hand would close, since it was located."""
    (ax, ay, _), (bx, by, _) = now.position_in_world, seen.position_in_world
    return hypot(ax - bx, ay - by) > 0.03


def _standing(item: TrueObject, x: float, y: float) -> TrueObject:
    place = (x, y, TABLE_TOP_M + item.size_m[2] / 2)
    return replace(item, position_in_world=place, support="table", relation="on", upright=True)


def _is_free(table: SymbolicTable, item: TrueObject, x: float, y: float, gap_m: float) -> bool:
    (x0, x1), (y0, y1) = ZONE_M
    if not (x0 - 0.02 <= x <= x1 + 0.02 and y0 - 0.06 <= y <= y1 + 0.06):
        return False
    reach = max(item.size_m[:2]) / 2
    return all(
        hypot(x - o.position_in_world[0], y - o.position_in_world[1]) >= reach + max(o.size_m[:2]) / 2 + gap_m
        for o in table.objects.values()
        if o.support == "table" and o is not item
    )


def _free_spot(table: SymbolicTable, item: TrueObject) -> tuple[float, float]:
    """Return the first free place of a grid over the table, away from where things were seen; else the middle."""
    (x0, x1), (y0, y1) = ZONE_M
    columns = (5, 4, 6, 3, 7, 2, 8, 1, 9, 0, 10)
    grid = [(x0 + (x1 - x0) * i / 6, y0 + (y1 - y0) * j / 10) for j in columns for i in range(7)]
    left = [seen.item.position_in_world for seen in table.names.values() if seen.item.support == "table"]
    grid = [(x, y) for x, y in grid if all(hypot(x - lx, y - ly) > 0.12 for lx, ly, _ in left)] or grid
    fine = (spot for gap in (0.03, 0.0, -0.03) for spot in grid if _is_free(table, item, *spot, gap_m=gap))
    return next(fine, ((x0 + x1) / 2, 0.0))
