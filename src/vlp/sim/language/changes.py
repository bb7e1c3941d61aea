"""Corrections: short sentences that change the instruction before them, resolved against it and the present state."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from vlp.sim.language.families import sample_task
from vlp.sim.language.negative import absent
from vlp.sim.language.phrasings import phrasings
from vlp.sim.language.put import graspable, put_relation, takes
from vlp.sim.language.references import is_container, missing
from vlp.sim.language.relations import rests_on, visible
from vlp.sim.language.task import Goal, Split, Task
from vlp.sim.language.wording import pick, word
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import CONTAINERS, THINGS

Draw = Callable[[Truth, Task, Random, Split], Task | None]


def sample_change(truth: Truth, task: Task, rng: Random, split: Split = "train") -> Task | None:
    """Return the task after a change of mind, or None when the state allows none that is clear.

    Args:
        truth: the state now, midway in the earlier task.
        task: the earlier task; its instruction becomes `before` of the new one.
        rng: the source of chance.
        split: "train" or "test" (phrasings that are never trained on).
    """
    draws: list[Draw] = [_new_task]
    if _open_to_change(truth, task):
        draws += [_new_target, _new_target, _new_subject, _new_subject, _back]
    for _ in range(8):
        changed = rng.choice(draws)(truth, task, rng, split)
        if changed is not None and not changed.satisfied:
            return replace(changed, before=task.instruction)
    return None


def kind_of_change(change: Task, before: Task) -> str:
    """Return what kind of change of mind a task of `sample_change` is, as `vlp.sim.worlds.changes` names them."""
    if change.family != "change":
        return "new-task"
    if change.arguments.get("b") == "table" and set(change.subjects) <= set(before.subjects):
        return "put-back"
    return "other-place" if set(change.subjects) <= set(before.subjects) else "other-thing"


def _open_to_change(truth: Truth, task: Task) -> bool:
    """Return whether "it" and "there" are clear: a put of which the state still shows what was meant."""
    short = ("put", "pick", "throw", "unload", "group", "spatial", "relative", "size", "change")
    if task.family not in short or not task.goals or any(truth.objects[n].support == "bin" for n in task.subjects):
        return False
    if task.ranked:
        return truth.holding in task.subjects
    return len({(goal.relation, goal.target) for goal in task.goals}) == 1


def _new_task(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    new = sample_task(truth, rng, split)
    if new is None:
        return None
    opening = pick(phrasings("corrections", "around"), "opening", rng, split)
    text = new.instruction
    return replace(new, instruction=opening + (text[0].lower() + text[1:] if opening else text))


def _new_target(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    subjects = list(task.subjects)
    old = task.goals[0].target
    names = [n for n in visible(truth) if is_container(n) and n != old and takes(truth, n, subjects)]
    options = [n for n in names if not any(rests_on(truth, s, n) for s in subjects)]
    if rng.random() < 0.15:
        target = absent(truth, rng, CONTAINERS)
    elif rng.random() < 0.15 and old != "bin":
        target = "bin"
    else:
        target = rng.choice(options) if options else ""
    if not target:
        return None
    relation = "in" if target == "bin" else put_relation(target)
    short = (is_container(old) or old == "bin") and rng.random() < 0.5
    arguments = {"a": _who(task), "relation": relation, "b": target}
    text = _say("new_container" if short else "new_target", arguments, len(subjects), rng, split)
    if target != "bin" and target not in truth.objects:
        return Task("change", arguments, cannot=missing(target), instruction=text)
    return Task("change", arguments, tuple(Goal(relation, s, target) for s in subjects), instruction=text)


def _new_subject(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    if len(task.goals) != 1 or task.goals[0].holds(truth):
        return None
    goal = task.goals[0]
    if rng.random() < 0.15:
        subject = absent(truth, rng, THINGS)
    else:
        names = [n for n in graspable(truth) if n not in (goal.subject, goal.target) and _can_go(truth, n, goal)]
        subject = rng.choice(names) if names else ""
    if not subject:
        return None
    short = (is_container(goal.target) or goal.target == "bin" or goal.relation == "holding") and rng.random() < 0.5
    arguments = {"a": subject}
    if goal.relation != "holding":
        arguments |= {"relation": goal.relation, "b": goal.target}
    if goal.relation == "holding" and not short:
        return None
    text = _say("new_thing" if short else "new_subject", arguments, 1, rng, split)
    if subject not in truth.objects:
        return Task("change", arguments, cannot=missing(subject), instruction=text)
    return Task("change", arguments, (replace(goal, subject=subject),), instruction=text)


def _can_go(truth: Truth, name: str, goal: Goal) -> bool:
    """Return whether another thing could be put where the goal says, and is not there yet."""
    if replace(goal, subject=name).holds(truth):
        return False
    if goal.relation in ("in", "on") and goal.target in truth.objects:
        return takes(truth, goal.target, [name])
    return goal.target not in truth.objects or truth.objects[name].support != goal.target


def _back(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    subjects = [n for n in task.subjects if truth.objects[n].support != "table"]
    if not subjects or task.goals[0].target == "table":
        return None
    arguments = {"a": _who(task), "relation": "on", "b": "table"}
    text = _say("back", arguments, len(task.subjects), rng, split)
    return Task("change", arguments, tuple(Goal("on", n, "table") for n in subjects), instruction=text)


def _who(task: Task) -> str:
    """Return the reference to what was to be moved: the thing itself when it is one."""
    return task.subjects[0] if len(task.subjects) == 1 else task.arguments["a"]


def _say(kind: str, arguments: dict[str, str], count: int, rng: Random, split: Split) -> str:
    template = pick(phrasings("corrections", "kinds"), kind, rng, split).replace("{it}", "it" if count == 1 else "them")
    return word(template, arguments, rng, split)


def clear_midway(start: Truth, now: Truth, task: Task) -> bool:
    """Return whether state and instruction alone still tell what is to be done.

    The leftmost can is another one once the first is put away; a swap half done has lost a place; what is in the bin
    cannot be seen.
    """
    moved = [n for n in task.subjects if start.objects[n] != now.objects[n]]
    if moved and (task.ranked or task.family == "swap"):
        return task.family != "swap" and now.holding in task.subjects
    if any(goal.target == "bin" for goal in task.goals):
        return task.family == "clear" or not all(goal.holds(now) for goal in task.goals)
    return True
