"""Sentences that amend the task before them: one more thing, one thing less, all of a colour or kind left alone.

What was moved for that task and is not wanted any more goes back to the table.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from random import Random

from vlp.sim.language.families import PLAIN
from vlp.sim.language.phrasings import phrasings
from vlp.sim.language.recognise import MAX_CHARACTERS, parse_reference, plain_text, recognise, template_regex, without_names
from vlp.sim.language.references import Unclear, matching, resolve
from vlp.sim.language.task import Goal, Split, Task
from vlp.sim.language.wording import describe, pick, pieces
from vlp.sim.truth import Truth


def amendments() -> dict[str, Callable[[Truth, Task, Random, Split], Task | None]]:
    """Return what draws each kind of amendment."""
    return {"added": _draw_added, "cancelled": _draw_cancelled, "excluded": _draw_excluded}


def sample_amendment(kind: str, truth: Truth, task: Task, rng: Random, split: Split = "train") -> Task | None:
    """Return the task after an amendment, or None when the state allows none.

    Args:
        kind: a row of `amendments`.
        truth: the state now, midway in the earlier task.
        task: the earlier task; its instruction becomes `before` of the new one.
        rng: the source of chance.
        split: "train" or "test" (phrasings that are never trained on).
    """
    return amendments()[kind](truth, task, rng, split) if _open_to_amendment(task) else None


def recognise_amendment(text: str, before: Task, truth: Truth) -> Task | None:
    """Return the task that a sentence makes of the one before, or None when it amends nothing of it.

    Args:
        text: as a person typed it.
        before: the task that was in force.
        truth: the state when it was typed.
    """
    if len(text) > MAX_CHARACTERS or not _open_to_amendment(before):
        return None
    plain = plain_text(text)
    found = [_with(truth, before, recognise(inner, truth)) for inner in _added(plain)]
    for skeleton, names in without_names(plain):
        if len(names) == 1 and any(pattern.fullmatch(skeleton) for pattern in _leaving()):
            found.append(_without(truth, before, parse_reference(names[0][0])))
    task = next(filter(None, found), None)
    return None if task is None else replace(task, instruction=text)


def _open_to_amendment(task: Task) -> bool:
    """Return whether goals may be taken from a task and added to it: things that are brought, in no order."""
    brought = all(goal.relation != "holding" and goal.spot is None for goal in task.goals)
    return bool(task.goals) and brought and not task.ordered and not task.cannot


def _amended(truth: Truth, before: Task, goals: Sequence[Goal]) -> Task | None:
    """Return the task of some goals in the place of the one before; None where nothing of it can be seen to change."""
    kept = {goal.subject for goal in goals}
    left = [goal for goal in before.goals if goal.subject not in kept and goal.target not in ("bin", "table")]
    undo = [Goal("on", g.subject, "table") for g in left if g.holds(truth) or g.subject == truth.holding]
    every = (*undo, *goals)
    if not every:
        return None
    return Task("change", {}, every, satisfied=all(goal.holds(truth) for goal in every), before=before.instruction)


def _with(truth: Truth, before: Task, more: Task | None) -> Task | None:
    """Return a task with the goals of another one besides; None where that is no such task, or about the same things."""
    if more is None or not _open_to_amendment(more) or set(more.subjects) & set(before.subjects):
        return None
    return _amended(truth, before, (*before.goals, *more.goals))


def _without(truth: Truth, before: Task, reference: str) -> Task | None:
    """Return a task without what a reference stands for; None where the task is not about it, or it is not clear."""
    try:
        names = {reference, *(resolve(truth, reference) if reference else ())}
    except Unclear:
        return None
    rest = [goal for goal in before.goals if goal.subject not in names]
    return None if len(rest) == len(before.goals) else _amended(truth, before, rest)


def _draw_added(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    more = PLAIN["put"].sample(truth, rng, split)
    if more is None or more.cannot or more.satisfied or _involved(more.goals) & _involved(task.goals):
        return None
    said = more.instruction.rstrip(".!")
    text = pick(phrasings("corrections", "amending"), "added", rng, split).replace("{t}", said[0].lower() + said[1:])
    amended = _with(truth, task, more)
    return None if amended is None else replace(amended, instruction=text)


def _involved(goals: Iterable[Goal]) -> set[str]:
    return {name for goal in goals for name in (goal.subject, goal.target)}


def _draw_cancelled(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    return _draw_without(truth, task, sorted(task.subjects), rng, split)


def _draw_excluded(truth: Truth, task: Task, rng: Random, split: Split) -> Task | None:
    """Leave all things of one colour or kind alone, of several that the task is about."""
    items = [truth.objects[name] for name in task.subjects if name in truth.objects]
    groups = sorted({f"{item.colour} thing" for item in items} | {item.kind for item in items})
    some = [group for group in groups if 0 < len({*matching(truth, group)} & {*task.subjects}) < len(task.subjects)]
    return _draw_without(truth, task, [f"every {group}" for group in some], rng, split)


def _draw_without(truth: Truth, task: Task, references: Sequence[str], rng: Random, split: Split) -> Task | None:
    if not references:
        return None
    reference = rng.choice(references)
    amended = _without(truth, task, reference)
    if amended is None:
        return None
    template = pick(phrasings("corrections", "amending"), "leave", rng, split)
    parts = [rng.choice(choices) if choices else describe(reference, rng, split) for _, choices in pieces(template)]
    return replace(amended, instruction="".join(parts))


def _added(plain: str) -> list[str]:
    """Return what is asked for in a sentence such as "and put the can in the bowl too"."""
    rows = phrasings("corrections", "amending")["added"]
    around = [tuple(map(plain_text, row.split("{t}"))) for split in rows for row in split]
    fits = [(a, b) for a, b in around if plain.startswith(f"{a} ".lstrip()) and plain.endswith(f" {b}".rstrip())]
    return [plain[len(a) : len(plain) - len(b)].strip() for a, b in sorted(fits, key=lambda pair: -len("".join(pair)))]


@cache
def _leaving() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of sentences that leave something alone, with its name cut out."""
    return tuple(re.compile(template_regex(row)[0]) for rows in phrasings("corrections", "amending")["leave"] for row in rows)
