"""Reasons to ask for a new policy: small functions with one stated property each.

They look at memory, at the robot's own state and at what a fresh look finds, never at a simulator.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import dist
from typing import Protocol

from vlp.core.observation import Located, RobotState
from vlp.policy.model import PlanStep, Situation
from vlp.primitives.facts import denied
from vlp.runtime.memory import SAME_SPOT_M, RunMemory
from vlp.understanding.several import said_of_all

CONTAINER_MARGIN_M = 0.01


class Eyes(Protocol):
    """How triggers look at the world; each answer is from a fresh observation."""

    def state(self) -> RobotState:
        """Return proprioception."""
        ...

    def locate(self, phrase: str) -> Located | None:
        """Return where a thing is now, None when it is not in view."""
        ...

    def things(self) -> list[Located]:
        """Return every thing in view."""
        ...


class Moment:
    """A step boundary: what is known, and fresh looks that are taken only when a trigger asks and then kept.

    Args:
        memory: what the run knows.
        eyes: fresh looks.
    """

    def __init__(self, memory: RunMemory, eyes: Eyes) -> None:
        self.memory = memory
        self.eyes = eyes
        self.seen: dict[str, Located | None] = {}

    @property
    def next_step(self) -> PlanStep | None:
        """The step about to be done."""
        remaining = self.memory.progress.remaining
        return remaining[0] if remaining else None

    @cached_property
    def state(self) -> RobotState:
        """Proprioception at this boundary."""
        return self.eyes.state()

    @cached_property
    def things(self) -> list[Located]:
        """Every thing in view at this boundary."""
        return self.eyes.things()

    def targets(self) -> dict[str, Located]:
        """Return what the next step acts on, by argument: things that were located and may have moved since.

        The spot that "at" means is no thing, and what is held moves with the hand.
        """
        step = self.next_step
        if step is None or self.memory.primitives[step.step.do].kind != "action":
            return {}
        if step.step.arguments.get("relation") == "at":
            return {}
        known = self.memory.references(step).items()
        return {name: at for name, at in known if at.phrase != self.memory.knowledge.holding}

    def look(self, believed: Located) -> Located | None:
        """Return where a thing is now; a surprise is looked at twice before it is believed."""
        if believed.phrase not in self.seen:
            now = self.eyes.locate(believed.phrase)
            if now is None or _moved(believed, now):
                now = self.eyes.locate(believed.phrase) or now
            self.seen[believed.phrase] = now
        return self.seen[believed.phrase]


@dataclass(frozen=True)
class Trigger:
    """One reason to ask for a new policy.

    Args:
        name: a stable word for it.
        why: returns why a new policy is needed, in one sentence, or None when this is no reason.
        looks: whether it needs a fresh observation.
    """

    name: str
    why: Callable[[Moment], str | None]
    looks: bool = False


def new_instruction(moment: Moment) -> str | None:
    """The instruction is another than the one the present plan was written for."""
    now = moment.memory.knowledge.instruction
    return f"new instruction: {now}" if now != moment.memory.progress.instruction else None


def step_failed(moment: Moment) -> str | None:
    """The last step of the present plan did not succeed."""
    if not moment.memory.progress.failed:
        return None
    last = moment.memory.knowledge.steps[-1]
    how = "was stopped" if last.status == "stopped" else "failed"
    return f"{last.do} {how}: {last.message or last.code or last.status}"


def target_lost(moment: Moment) -> str | None:
    """The hand is empty while memory says that it holds something, between a grasp and the end of its use."""
    held = moment.memory.knowledge.holding
    if not held or moment.next_step is None or moment.state.holding:
        return None
    return f"the {held} was lost from the gripper"


def not_done(moment: Moment) -> str | None:
    """The robot's own state denies what the step before makes so: its hand, its place, what else it senses."""
    done = moment.memory.progress.done
    if not done or moment.memory.progress.failed:
        return None
    step = done[-1].step
    primitive = moment.memory.primitives[step.do]
    effect = denied(primitive, moment.memory.situation.said(step), moment.state) if primitive.makes else None
    if effect is None:
        return None
    held, said = moment.state.holding, " ".join(effect.words)
    so = {"hand_empty": f"it holds {held if held == 'something' else f'the {held}'}", "at": f"it is at {moment.state.at!r}"}
    how = so.get(effect.words[0], f"{said!r} is not so" if effect.positive else f"{said!r} still is so")
    return f"{step.do} said that it succeeded, and the robot's own state denies it: {how}"


def target_vanished(moment: Moment) -> str | None:
    """What the next step acts on is no longer in view."""
    for believed in moment.targets().values():
        if moment.look(believed) is None:
            return f"the {believed.phrase} is no longer in view"
    return None


def target_moved(moment: Moment) -> str | None:
    """What the next step takes hold of or pushes is more than 5 cm from where it was located."""
    return None if moment.memory.knowledge.holding else _first_moved(moment)


def container_changed(moment: Moment) -> str | None:
    """The place for what is held is more than 5 cm away from where it was located, or newly occupied."""
    if not moment.memory.knowledge.holding:
        return None
    return _first_moved(moment) or _blocked(moment)


def thing_appeared(moment: Moment) -> str | None:
    """One more thing is there than was seen for the policy, and the instruction speaks of things like it without naming each.

    It is looked for with an empty hand alone, where the robot is about to look anyway, or believes that it is done.
    """
    memory, step = moment.memory, moment.next_step
    plan = memory.progress.plan
    acts = step is not None and memory.primitives[step.step.do].kind == "action"
    if plan is None or plan.policy.cannot or memory.knowledge.holding or acts:
        return None
    taken, named = _handled(moment)
    kind = said_of_all(memory.knowledge.instruction, taken, named - taken)
    if kind is None:
        return None
    beliefs, things = memory.knowledge.beliefs, moment.things
    bound = (value for value in memory.progress.bindings.values() if isinstance(value, Located))
    waiting = taken - memory.handled  # what was put somewhere says nothing of where others are wanted from
    like = [at for at in (*things, *beliefs.values()) if at.phrase in waiting] + [at for at in bound if at.phrase in taken]
    for thing in things:
        known = thing.phrase in beliefs.keys() | taken | named or any(_over(thing, at) for at in beliefs.values())
        if not known and kind <= {*thing.phrase.split()} and _beside(thing, like) and moment.look(thing) is not None:
            return f"the {thing.phrase} was not seen before"
    return None


TRIGGERS: tuple[Trigger, ...] = (
    Trigger("new-instruction", new_instruction),
    Trigger("step-failed", step_failed),
    Trigger("target-lost", target_lost, looks=True),
    Trigger("not-done", not_done, looks=True),
    Trigger("target-vanished", target_vanished, looks=True),
    Trigger("target-moved", target_moved, looks=True),
    Trigger("container-changed", container_changed, looks=True),
    Trigger("thing-appeared", thing_appeared, looks=True),
)
"""In the order they are asked: those without a look first."""


def fired(triggers: Sequence[Trigger], moment: Moment) -> list[tuple[str, str]]:
    """Return the name and reason of every trigger that fires at a boundary; once one has, nobody looks any more."""
    found: list[tuple[str, str]] = []
    for trigger in triggers:
        why = None if found and trigger.looks else trigger.why(moment)
        if why:
            found.append((trigger.name, why))
    return found


def _moved(believed: Located, now: Located) -> bool:
    return dist(believed.position_in_world[:2], now.position_in_world[:2]) > SAME_SPOT_M


def _first_moved(moment: Moment) -> str | None:
    for believed in moment.targets().values():
        now = moment.look(believed)
        if now is not None and _moved(believed, now):
            away_m = dist(believed.position_in_world[:2], now.position_in_world[:2])
            return f"the {believed.phrase} moved by {100 * away_m:.0f} cm"
    return None


def _handled(moment: Moment) -> tuple[set[str], set[str]]:
    """Return what has been, or will be, in the hand for the instruction, and all that the plan names."""
    memory, plan = moment.memory, moment.memory.progress.plan
    situation, taken, named = Situation(memory.state(), memory.primitives), set(memory.handled), set[str]()
    for step in plan.steps if plan else ():
        situation.apply(step.step)
        taken |= {situation.held} - {""}
        named |= {value for value in situation.said(step.step).values() if value and isinstance(value, str)}
    return taken, named


def _beside(thing: Located, others: Sequence[Located]) -> bool:
    """Whether a thing stands where one of some others stands or stood: as high, and no farther than across a table."""
    near_m, level_m = 1.0, 0.1
    foot = thing.position_in_world[2] - thing.size_m[2] / 2
    level = [at for at in others if abs(at.position_in_world[2] - at.size_m[2] / 2 - foot) < level_m]
    return any(dist(thing.position_in_world[:2], at.position_in_world[:2]) < near_m for at in level)


def _blocked(moment: Moment) -> str | None:
    step = moment.next_step
    if step is None or step.step.arguments.get("relation") not in ("in", "on"):
        return None
    beliefs = moment.memory.knowledge.beliefs
    for target in moment.targets().values():
        # What was never located may have been there from the start: only known things can block.
        aside = {p for p, at in beliefs.items() if p != target.phrase and not _over(at, target)}
        for thing in moment.things if aside else ():
            if thing.phrase in aside and _over(thing, target):
                return f"the {target.phrase} is blocked by the {thing.phrase}"
    return None


def _over(thing: Located, target: Located) -> bool:
    """Whether a thing stands within the outline of a target."""
    reach_m = min(target.size_m[:2]) / 2 + CONTAINER_MARGIN_M
    return dist(thing.position_in_world[:2], target.position_in_world[:2]) < reach_m
