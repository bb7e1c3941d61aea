"""Scripted events of the table: what a person does to the scene or says while the robot works.

"move" puts a thing on another free place, "remove" takes it away, "bring" brings one that is not there, "knock" strikes what is
held out of the hand, "swap" exchanges two things, "block" puts another thing in or on a container, "instruct" says another
sentence, also a plain "stop".
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from vlp.sim.expert import plan
from vlp.sim.language.amending import amendments, sample_amendment
from vlp.sim.language.changes import kind_of_change, sample_change
from vlp.sim.language.fitting import has_room
from vlp.sim.language.references import is_container
from vlp.sim.language.relations import loose
from vlp.sim.language.task import Split, Task
from vlp.sim.symbolic import StepNotPossible, SymbolicTable, do_step, steps_of
from vlp.sim.truth import Truth, alike
from vlp.sim.worlds.tabletop.words import THINGS
from vlp.sim.worlds.tasks import ScriptedEvent


@dataclass(frozen=True)
class Expected:
    """A state that the expert would reach after so many steps of a task."""

    step: int
    truth: Truth
    task: Task


def changes() -> dict[str, str]:
    """Return the kinds of change that the table offers, each with the kind of event that brings it about."""
    return {
        "new-task": "instruct", "other-thing": "instruct", "other-place": "instruct", "put-back": "instruct",
        "moved": "move", "container-moved": "move", "vanished": "remove", "appeared": "bring", "dropped": "knock",
        "filled": "block", "swapped": "swap", "stopped": "stop", **{name: name for name in amendments()},
    }  # fmt: skip


def sample_event(
    truth: Truth, task: Task, rng: Random, split: Split = "train", kind: str = "", change: str = ""
) -> ScriptedEvent | None:
    """Return an event that keeps the task feasible and its instruction clear, or None when 20 draws gave none.

    Args:
        truth: the state when the task begins.
        task: what is being done.
        rng: the source of chance.
        split: whose phrasings a new instruction takes.
        kind: one kind of event; "" draws one.
        change: one kind of change, a row of `changes`; "" takes whatever comes.
    """
    kind = changes()[change] if change else kind
    moments = list(expected(truth, task))
    if len(moments) < 3:
        return None
    draws: dict[str, Callable[[Expected, Random, Split], ScriptedEvent | None]] = {
        "move": _move, "remove": _remove, "bring": _bring, "knock": _knock, "swap": _swap, "block": _block,
        "instruct": _instruct, "stop": _stop,
        **{name: partial(_amend, name) for name in amendments()},
    }  # fmt: skip
    # As often as they are tried: a new instruction always works, a thing to be blocked is rare.
    often = ("instruct", "move", "move", "knock", "knock", "remove", "block", "block")
    for _ in range(20):
        moment = moments[rng.randrange(1, len(moments) - 1)]
        event = draws[kind or rng.choice(often)](moment, rng, split)
        if event is not None and change in ("", event.change):
            return event
    return None


def expected(truth: Truth, task: Task) -> list[Expected]:
    """Return the states before the first step of the expert's policy, after it, and so on to the end."""
    table = SymbolicTable.of(truth)
    moments = [Expected(0, truth, task)]
    for i, (_, step) in enumerate(steps_of(plan(truth, task)), 1):
        try:
            do_step(table, step)
        except StepNotPossible:
            break
        moments.append(Expected(i, table.truth, task))
    return moments


def _open(moment: Expected) -> list[str]:
    """Return the subjects that stand on the table and still have to go somewhere."""
    truth = moment.truth
    todo = [goal.subject for goal in moment.task.goals if not goal.holds(truth)]
    return [name for name in todo if loose(truth, name)]


def _move(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Move a thing still to be fetched, or the container it goes to; not what an instruction names by its place."""
    del split
    task, truth = moment.task, moment.truth
    if task.family == "swap":
        return None
    targets = [g.target for g in task.goals if is_container(g.target) and not g.holds(truth)]
    named_by_place = task.ranked or task.arguments.get("b", "").count(" ") != 1
    names = [*([] if task.ranked else _open(moment)), *([] if named_by_place else targets)]
    mark = task.arguments.get("a", "").partition("_of ")[2]
    names = [n for n in names if n not in (mark, truth.holding) and n in truth.objects]
    if not names:
        return None
    name = rng.choice(names)
    return ScriptedEvent(moment.step, "move", {"object": name}, change="container-moved" if name in targets else "moved")


def _remove(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Take away one of several things still to be fetched."""
    del split
    names = _open(moment)
    if len(names) < 2 or moment.task.ordered or moment.task.family not in ("group", "clear", "sort"):
        return None
    return ScriptedEvent(moment.step, "remove", {"object": rng.choice(names)}, change="vanished")


def _bring(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Bring one of three things or more, while another one is still to be fetched."""
    event = _remove(moment, rng, split)
    if event is None or len(moment.task.subjects) < 3:
        return None
    return ScriptedEvent(moment.step, "bring", event.args, change="appeared")


def _knock(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    del rng, split
    wanted = moment.truth.holding in moment.task.subjects
    fits = not moment.task.ranked and moment.task.family not in ("swap", "pick")
    return ScriptedEvent(moment.step, "knock", change="dropped") if wanted and fits else None


def _swap(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Exchange a thing to be fetched and a look-alike that nobody speaks of, where nothing is named by its place or size."""
    del split
    truth, task = moment.truth, moment.task
    if task.ranked or task.family == "swap" or any(count > 1 for count in (a.count(" ") for a in task.arguments.values())):
        return None
    loose_ones = [n for n in truth.objects if loose(truth, n) and n not in task.subjects and truth.objects[n].kind in THINGS]
    pairs = [(n, other) for n in _open(moment) for other in loose_ones if alike(truth.objects[n], truth.objects[other])]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    return ScriptedEvent(moment.step, "swap", {"object": one, "other": other}, change="swapped")


def _stop(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    del rng, split
    return ScriptedEvent(moment.step, "instruct", {"instruction": "stop"}, change="stopped")


def _block(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Put another thing into the container, such that what belongs there still has room."""
    del split
    truth, task = moment.truth, moment.task
    hosts = sorted({g.target for g in task.goals if is_container(g.target) and not g.holds(truth)})
    if not hosts or task.ranked or task.family in ("clear", "sort"):
        return None
    host = rng.choice(hosts)
    todo = [truth.objects[g.subject] for g in task.goals if g.target == host and not g.holds(truth)]
    load = [truth.objects[n] for n in truth.inside(host)]
    others = [
        name
        for name, item in truth.objects.items()
        if item.kind in THINGS
        and loose(truth, name)
        and name not in task.subjects
        and has_room(truth.objects[host], [*load, item], todo)
    ]
    if not others:
        return None
    return ScriptedEvent(moment.step, "block", {"container": host, "by": rng.choice(others)}, change="filled")


def _instruct(moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Say something that the earlier task's own end would not do as well: else nobody sees whether it was heard."""
    change = sample_change(moment.truth, moment.task, rng, split)
    if change is None or change.cannot or change.satisfied:
        return None
    if change.success(moment.truth, expected(moment.truth, moment.task)[-1].truth):
        return None
    said = {"instruction": change.instruction}
    return ScriptedEvent(moment.step, "instruct", said, change, kind_of_change(change, moment.task))


def _amend(name: str, moment: Expected, rng: Random, split: Split) -> ScriptedEvent | None:
    """Say what is to be done besides, or not, such that it can be done and the earlier task's own end would not do as well."""
    truth = moment.truth
    change = sample_amendment(name, truth, moment.task, rng, split)
    if change is None or change.satisfied or change.success(truth, expected(truth, moment.task)[-1].truth):
        return None
    if not change.success(truth, expected(truth, change)[-1].truth):
        return None
    return ScriptedEvent(moment.step, "instruct", {"instruction": change.instruction}, change, name)
