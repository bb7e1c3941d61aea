"""The expert: sees the true state and writes the right policy, from any state a task may be in."""

from dataclasses import dataclass, field
from typing import Any

from vlp.primitives.manifest import Manifest, Primitive
from vlp.primitives.standard import STANDARD
from vlp.sim.language.references import is_place
from vlp.sim.language.task import Goal, Task
from vlp.sim.language.wording import listed
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import FLAT_TOPPED

Json = dict[str, Any]


def plan(truth: Truth, task: Task) -> Json:
    """Return the canonical policy for a task from the present state.

    Goals that hold already are skipped; what is held is put where it belongs first, or on the table when it is in the
    way; what covers a thing is moved away before the thing; several things go from left to right unless order matters.

    Args:
        truth: the state now, which may be one midway.
        task: what to do.

    Returns:
        plain data, keys in the order of the policy language.
    """
    if task.cannot:
        return {"goal": _wish(task), "cannot": task.cannot}
    gone = [name for goal in task.goals if (name := _lost(truth, goal))]
    pending = [goal for goal in pending_goals(truth, task) if not _lost(truth, goal)]
    if gone and not pending and (len(gone) == len(task.goals) or task.ordered):
        return {"goal": _wish(task), "cannot": f"there is no {gone[0]}"}
    if not pending:
        return {"goal": goal_text(truth, task, list(task.goals)), "subtasks": _proof(truth, task)}
    writer = _Writer(truth.holding, _supports(truth))
    if truth.at != "table":
        writer.add("go to the table", {"do": "go_to", "place": "table"})
    if task.family == "swap":
        _swap(writer, pending)
    else:
        _reach_all(writer, pending, task.ordered)
    if clears(task):
        writer.subtasks.append(_see_clear())
    return {"goal": goal_text(truth, task, pending), "subtasks": writer.subtasks}


def for_robot(policy: Json, manifest: Manifest) -> Json:
    """Return a policy of the expert's with its steps as a robot calls them, or what the robot cannot do of it.

    A robot's own primitive stands for a standard one of another name when it takes the same arguments, needs the same and
    makes the same true, if anything.

    Args:
        policy: as an expert writes it.
        manifest: the robot's.
    """
    subtasks = [{**subtask, "steps": [dict(step) for step in subtask["steps"]]} for subtask in policy.get("subtasks", ())]
    for step in (step for subtask in subtasks for step in subtask["steps"]):
        own = _counterpart(step["do"], manifest)
        if not own:
            return {"goal": policy["goal"], "cannot": f"this robot cannot {step['do'].replace('_', ' ')}"}
        step["do"] = own
    return {**policy, "subtasks": subtasks} if subtasks else policy


def _counterpart(name: str, manifest: Manifest) -> str:
    """Return what a robot calls a primitive of the expert's, "" when it has none like it."""
    if name in manifest.primitives:
        return name
    wanted = STANDARD.get(name)
    if wanted is None or not wanted.makes:
        return ""
    return next((own.name for own in manifest.primitives.values() if _alike(own, wanted)), "")


def _alike(own: Primitive, wanted: Primitive) -> bool:
    arguments = [{argument.name for argument in primitive.arguments} for primitive in (own, wanted)]
    return (own.needs, own.makes) == (wanted.needs, wanted.makes) and arguments[0] == arguments[1]


def clears(task: Task) -> bool:
    """Return whether a task is to clear the table."""
    return (task.arguments.get("a"), task.arguments.get("b")) == ("every thing", "bin")


def _proof(truth: Truth, task: Task) -> list[Json]:
    """Return the subtask that looks whether all is so already; nothing where that cannot be looked at from here."""
    shown = [g for g in task.goals if not is_place(g.target) and g.holds(truth)]
    if clears(task) and truth.at == "table":
        return [_see_clear()]
    goals = sorted(shown, key=lambda goal: _rank(truth, goal))
    steps = [_check(goal) for goal in goals]
    return [{"name": "see that it is so", "steps": steps}] if steps and truth.at == "table" else []


def _see_clear() -> Json:
    """Return the subtask that ends clearing: what was hidden behind another thing is seen when that is gone."""
    return {"name": "see that the table is clear", "steps": [{"do": "check", "relation": "clear", "subject": "table"}]}


def _supports(truth: Truth) -> dict[str, str]:
    """Return what rests on what; things wedged so that each carries the other count as lying on the table."""
    support = {name: item.support for name, item in truth.objects.items()}
    for name in support:
        below, steps = support[name], 0
        while below in support and below != name and steps < len(support):
            below, steps = support[below], steps + 1
        if below == name:
            support[name] = "table"
    return support


def _lost(truth: Truth, goal: Goal) -> str:
    """Return which thing of a goal that does not hold is out of sight for good, "" when none is."""
    if goal.holds(truth):
        return ""
    seen = {name for name, item in truth.objects.items() if item.support not in ("bin", "floor")}
    return next((n for n in (goal.subject, goal.target) if n and n not in seen and not is_place(n)), "")


def pending_goals(truth: Truth, task: Task) -> list[Goal]:
    """Return the goals still to be reached, in the order in which the expert reaches them."""
    if task.satisfied:
        return []
    if task.ordered:
        first = next((i for i, goal in enumerate(task.goals) if not goal.holds(truth)), len(task.goals))
        return list(task.goals[first:])
    todo = [goal for goal in task.goals if not goal.holds(truth)]
    return sorted(todo, key=lambda goal: _rank(truth, goal))


def _rank(truth: Truth, goal: Goal) -> tuple[bool, float]:
    """Return what goals are sorted by: the held thing first, then from left to right."""
    item = truth.objects.get(goal.subject)
    return goal.subject != truth.holding, -item.position_in_world[1] if item else 0.0


def goal_text(truth: Truth, task: Task, goals: list[Goal]) -> str:
    """Return the sentence that will be true, e.g. "the red cube and the red can are in the green bowl"."""
    if task.family == "sort":
        return "each thing is with the container of its colour"
    if task.family == "swap":
        return f"the {task.arguments['a']} and the {task.arguments['b']} have swapped places"
    if clears(task):
        return "the table is clear"
    if task.ordered:
        return ", ".join(f"the {g.subject} is on the {g.target}" for g in goals)
    order = sorted(goals, key=lambda goal: _rank(truth, goal))
    if len({(goal.relation, goal.target) for goal in goals}) > 1:
        return listed([f"the {g.subject} is {_said(g.relation)} the {g.target}" for g in order])
    names = listed([f"the {g.subject}" for g in order])
    verb = "is" if len(order) == 1 else "are"
    if order[0].relation == "holding":
        return f"{names} {verb} held"
    return f"{names} {verb} {_said(order[0].relation)} the {order[0].target}"


def _wish(task: Task) -> str:
    """Return the goal in the instruction's own terms, where there may be nothing that they stand for."""
    words = task.arguments
    if task.family == "sort" or "a" not in words:
        return "each thing is with the container of its colour"
    a = _the(words["a"])
    if "relation" in words:
        return f"{a} is {_said(words['relation'])} {_the(words['b'])}"
    if "b" not in words:
        return f"{a} is held"
    if "stack" in (task.family, words.get("like")):
        return f"{_the(words['b'])} is on {a}"
    return f"{a} and {_the(words['b'])} have swapped places"


def _said(relation: str) -> str:
    return relation.replace("_", " ")


def _the(reference: str) -> str:
    text = reference.replace("_", " ")
    words = reference.split()
    if len(words) == 4:
        text = f"{words[0]} {words[1].replace('_', ' ')} the {words[2]} {words[3]}"
    return text if text.startswith("every ") else f"the {text}"


@dataclass
class _Writer:
    """The policy so far, with the hand and the supports as they will be after it."""

    holding: str
    support: dict[str, str]
    subtasks: list[Json] = field(default_factory=list)

    def add(self, name: str, *steps: Json) -> None:
        self.subtasks.append({"name": name, "steps": list(steps)})

    def cover(self, name: str) -> str:
        """Return what rests directly on a thing, "" for nothing."""
        return next((n for n, below in self.support.items() if below == name), "")

    def pick(self, name: str) -> None:
        if self.holding != name:
            self.add(f"pick up the {name}", _locate(name), _grasp(name), _lift())
        self.holding, self.support[name] = name, "hand"

    def put_down(self, opening: str) -> None:
        self.add(f"put {opening} on the table", {"do": "place", "target": "table", "relation": "on"})
        self.support[self.holding], self.holding = "table", ""


def _reach_all(writer: _Writer, pending: list[Goal], ordered: bool) -> None:
    todo = list(pending)
    while todo:
        goal = _next_goal(writer, todo, ordered)
        todo.remove(goal)
        _reach(writer, goal)


def _next_goal(writer: _Writer, todo: list[Goal], ordered: bool) -> Goal:
    """Return the first goal; but what covers its subject and has a goal of its own goes before."""
    goal = todo[0]
    while not ordered:
        cover = writer.cover(goal.subject)
        above = next((other for other in todo if other.subject == cover), None)
        if above is None:
            return goal
        goal = above
    return goal


def _reach(writer: _Writer, goal: Goal) -> None:
    subject, target = goal.subject, goal.target
    kind = target.rpartition(" ")[2]
    blocked = goal.relation == "on" and kind in FLAT_TOPPED and writer.cover(target) not in ("", subject)
    if writer.holding and (writer.holding != subject or blocked):
        writer.put_down(f"the {writer.holding}")
    _uncover(writer, subject)
    if blocked:
        _uncover(writer, target)
    held_before = writer.holding == subject
    writer.pick(subject)
    if goal.relation == "holding":
        if held_before:
            return
        writer.subtasks[-1]["steps"].append(_check(goal))
        return
    opening = f"the {subject}" if held_before else "it"
    text = f"put {opening} {_said(goal.relation)} the {target}"
    if is_place(target):
        writer.add(text, {"do": "place", "target": target, "relation": goal.relation})
    else:
        place = {"do": "place", "target": _ref(target), "relation": goal.relation}
        writer.add(text, _locate(target), place, _check(goal))
    near = goal.relation not in ("in", "on")
    writer.holding, writer.support[subject] = "", "table" if near else target


def _uncover(writer: _Writer, name: str) -> None:
    """Put on the table whatever rests on a thing, the topmost first."""
    while cover := writer.cover(name):
        _uncover(writer, cover)
        writer.pick(cover)
        writer.put_down("it")


def _swap(writer: _Writer, goals: list[Goal]) -> None:
    """Move a aside, b to where a was, a to where b was; `at` is the spot where the reference was located."""
    if writer.holding:
        writer.put_down(f"the {writer.holding}")
    b, a = goals[0].subject, goals[0].target
    _uncover(writer, a)
    _uncover(writer, b)
    aside = {"do": "place", "target": "table", "relation": "on"}
    writer.add(f"move the {a} aside", _locate(a), _grasp(a), _lift(), aside)
    writer.pick(b)
    writer.add(f"put it where the {a} was", {"do": "place", "target": _ref(a), "relation": "at"})
    writer.holding = ""
    writer.pick(a)
    writer.add(f"put it where the {b} was", {"do": "place", "target": _ref(b), "relation": "at"})
    writer.holding = ""


def _check(goal: Goal) -> Json:
    step = {"do": "check", "relation": goal.relation, "subject": goal.subject}
    return {**step, "object": goal.target} if goal.target else step


def _ref(phrase: str) -> str:
    return "$" + phrase.replace(" ", "_")


def _locate(phrase: str) -> Json:
    return {"do": "locate", "object": phrase, "as": phrase.replace(" ", "_")}


def _grasp(phrase: str) -> Json:
    return {"do": "grasp", "target": _ref(phrase)}


def _lift() -> Json:
    return {"do": "lift", "height_m": 0.1}
