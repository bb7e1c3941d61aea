"""What a new plan changes: steps kept, dropped and added, and finished steps that it takes back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vlp.policy.checks import Situation, State
from vlp.policy.model import Plan, PlanStep
from vlp.primitives.facts import Fact, measured, spatial
from vlp.primitives.manifest import Manifest


@dataclass(frozen=True)
class PolicyDiff:
    """The difference of two plans. Kept and dropped steps together are the old plan, kept and added ones the new.

    Args:
        old_goal, new_goal: the two goals.
        kept: pairs of the same step in the old and in the new plan, in order.
        dropped: steps of the old plan only, in order; those among `done` were finished and are not repeated.
        added: steps of the new plan only, in order.
        undone: finished steps of the old plan whose effect the new plan takes back.
        done: ids of the finished steps of the old plan.
    """

    old_goal: str
    new_goal: str
    kept: tuple[tuple[PlanStep, PlanStep], ...]
    dropped: tuple[PlanStep, ...]
    added: tuple[PlanStep, ...]
    undone: tuple[PlanStep, ...]
    done: frozenset[str]

    @property
    def empty(self) -> bool:
        """True when goal and steps are the same."""
        return self.old_goal == self.new_goal and not self.dropped and not self.added

    def to_json(self) -> dict[str, Any]:
        """Return the diff as plain data, steps by id and text."""
        return {
            "old_goal": self.old_goal,
            "new_goal": self.new_goal,
            "kept": [[old.id, new.id] for old, new in self.kept],
            "dropped": [str(step) for step in self.dropped],
            "added": [str(step) for step in self.added],
            "undone": [str(step) for step in self.undone],
            "done": sorted(self.done),
        }

    def __str__(self) -> str:
        if self.empty:
            return "no change"
        lines = [f"goal: {self.old_goal}"]
        if self.new_goal != self.old_goal:
            lines.append(f"  ->  {self.new_goal}")
        lines += [f"undo  {step}" for step in self.undone]
        lines += [f"done  {step}" for step in self.dropped if step.id in self.done and step not in self.undone]
        lines += [f"-     {step}" for step in self.dropped if step.id not in self.done]
        lines += [f"=     {new}" + ("" if old.id == new.id else f" (was {old.id})") for old, new in self.kept]
        lines += [f"+     {step}" for step in self.added]
        return "\n".join(lines)


def diff(old: Plan, new: Plan, manifest: Manifest, done: Iterable[str] = ()) -> PolicyDiff:
    """Return what the new plan changes about the old one.

    Args:
        old: the plan that was being executed.
        new: the plan that takes over.
        manifest: its primitives' effects tell what finished steps made true.
        done: ids of the old plan's steps that have succeeded.
    """
    finished = frozenset(done)
    pairs = _common(old.steps, new.steps)
    kept_old, kept_new = {a.id for a, _ in pairs}, {b.id for _, b in pairs}
    return PolicyDiff(
        old_goal=old.policy.cannot or old.policy.goal,
        new_goal=new.policy.cannot or new.policy.goal,
        kept=tuple(pairs),
        dropped=tuple(step for step in old.steps if step.id not in kept_old),
        added=tuple(step for step in new.steps if step.id not in kept_new),
        undone=_undone(old, new, finished, manifest),
        done=finished,
    )


def _common(old: tuple[PlanStep, ...], new: tuple[PlanStep, ...]) -> list[tuple[PlanStep, PlanStep]]:
    """Return the longest common subsequence of two lists of steps, the earliest one in the old list."""
    length = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            same = old[i].step.key == new[j].step.key
            length[i][j] = length[i + 1][j + 1] + 1 if same else max(length[i + 1][j], length[i][j + 1])
    pairs: list[tuple[PlanStep, PlanStep]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i].step.key == new[j].step.key:
            pairs.append((old[i], new[j]))
            i, j = i + 1, j + 1
        elif length[i + 1][j] >= length[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _undone(old: Plan, new: Plan, done: frozenset[str], manifest: Manifest) -> tuple[PlanStep, ...]:
    """Return the finished steps that made something true which no longer holds after the new plan."""
    situation = Situation(State(), manifest.primitives)
    made_by: dict[Fact, PlanStep] = {}
    for step in old.steps:
        if step.id in done and step.step.do in manifest.primitives:
            made_by |= {fact: step for fact in situation.apply(step.step)}
    standing = {fact: step for fact, step in made_by.items() if fact in situation.facts.known}
    held = situation.held
    situation.names.clear()
    for step in new.steps:
        if step.step.do in manifest.primitives:
            situation.apply(step.step)
    known = situation.facts.known
    lost = {step.id for fact, step in standing.items() if not measured(fact) and fact not in known}
    if held and held not in new.policy.goal and _put_back(held, known, manifest):
        lost |= {step.id for fact, step in standing.items() if fact == ("holding", held)}
    return tuple(step for step in old.steps if step.id in lost)


def _put_back(held: str, known: set[Fact], manifest: Manifest) -> bool:
    """Return whether what was held has been put down where no goal asked for it: in view, or back at its old spot."""
    where = [fact for fact in known if spatial(fact) and fact[1] == held]
    in_view = {place.name for place in manifest.places.values() if place.visible}
    return ("holding", held) not in known and all(fact[2] in in_view or fact[0] == "at" for fact in where)
