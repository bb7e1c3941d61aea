"""One question to a planner about a simulated world: at the beginning, the hand empty or full, after a change of mind, a failed
step or a disturbance."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from vlp.journal import Event
from vlp.policy.model import Plan, Policy
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory
from vlp.runtime.memory import RunMemory
from vlp.sim.expert import plan
from vlp.sim.language.changes import clear_midway, sample_change
from vlp.sim.language.families import FAMILIES, PLAIN
from vlp.sim.language.put import graspable
from vlp.sim.language.task import Split, Task
from vlp.sim.simulation import Simulation
from vlp.sim.symbolic import StepNotPossible, SymbolicTable, do_step, is_right, steps_of
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.midway import Midway, MidwayScene

Json = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What a model is shown at one moment, and the right answer.

    Args:
        kind: a row of `KINDS`.
        task: the instruction in force, with its meaning.
        world: posed as it is at that moment.
        memory: the run so far.
        policy: the expert's answer.
    """

    kind: str
    task: Task
    world: Midway
    memory: Memory
    policy: Json


class Asker:
    """Draws questions about one scene.

    Args:
        simulation: freshly built.
        manifest: what its robot can do.
        split: whose phrasings are used.
        seed: the source of chance.
    """

    def __init__(self, simulation: Simulation, manifest: Manifest, split: Split, seed: int) -> None:
        self.random = Random(f"{seed} question")
        self.rng = np.random.default_rng([seed, 43])
        self.world = MidwayScene(simulation, self.rng)
        self.manifest = manifest
        self.split: Split = split

    def ask(self, kind: str, family: str) -> Question | None:
        """Return a question of a kind about a task of a family, None when the scene allows none that is clear."""
        start = self._with_hand_full() if kind == "held" else self.world.at_start()
        task = FAMILIES[family].sample(start.truth, self.random, self.split) if start else None
        if start is None or task is None or not start.clear:
            return None
        asked = KINDS[kind](self, start, task)
        if asked is None or not asked.world.clear:
            return None
        right, _ = is_right(asked.policy, asked.world.truth, asked.task)
        return asked if right else None

    def _with_hand_full(self) -> Midway | None:
        """Return the world with any of its things in the hand, as an earlier task may have left it."""
        thing = self.random.choice(graspable(self.world.start))
        return self.world.after([{"do": "locate", "object": thing, "as": "thing"}, {"do": "grasp", "target": "$thing"}])

    def first(self, start: Midway, task: Task) -> Question | None:
        """Return the question at the beginning, whatever the hand holds."""
        story = _Story(self, start, task)
        kind = "held" if start.truth.holding else "first"
        return Question(kind, task, start, story.memory(start), plan(start.truth, task))

    def changed(self, start: Midway, task: Task) -> Question | None:
        """Return the question after a person changed their mind midway."""
        story = _Story(self, start, task)
        if not story.steps:
            return None
        done = self.random.randint(1, len(story.steps) - 1)
        now = self.world.after(story.steps[:done])
        change = sample_change(now.truth, task, self.random, self.split) if now else None
        if now is None or change is None:
            return None
        story.went_well(done)
        story.say(change.instruction)
        return Question("changed", change, now, story.memory(now), plan(now.truth, change))

    def failed(self, start: Midway, task: Task) -> Question | None:
        """Return the question after a step failed; a thing that is not found may have been taken away."""
        story = _Story(self, start, task)
        fails = [i for i, step in enumerate(story.steps) if _ways_to_fail(step["do"])]
        if not fails:
            return None
        at = self.random.choice(fails)
        step = story.steps[at]
        gone = ""
        if step["do"] == "locate" and step["object"] in task.subjects and task.family in ("put", "throw", "pick"):
            gone = step["object"] if self.random.random() < 0.5 else ""
        # By the symbolic state: settling moves everything by a hair.
        if not gone and not clear_midway(start.truth, _state_after(start.truth, story.steps[:at]), task):
            return None
        now = self.world.after(story.steps[:at], removed=gone)
        if now is None:
            return None
        story.went_well(at)
        code, message = self.random.choice(_ways_to_fail(step["do"]))
        story.went_wrong(at, code, message.format(thing=_thing(step)))
        return Question("failed", task, now, story.memory(now), plan(now.truth, task))

    def disturbed(self, start: Midway, task: Task) -> Question | None:
        """Return the question after a person moved what the next step acts on, or knocked it out of the hand."""
        story = _Story(self, start, task)
        options = [i for i, s in enumerate(story.steps) if s["do"] == "grasp" or s["do"] == "lift"]
        if not options:
            return None
        at = self.random.choice(options)
        thing = _thing(story.steps[at] if story.steps[at]["do"] == "grasp" else story.steps[at - 1])
        now = self.world.after(story.steps[:at], moved=thing)
        if now is None or not clear_midway(start.truth, now.truth, task):
            return None
        before, after = start.truth.objects[thing].position_in_world, now.truth.objects[thing].position_in_world
        moved_m = float(np.hypot(after[0] - before[0], after[1] - before[1]))
        if moved_m < 0.06:
            return None
        story.went_well(at)
        if story.steps[at]["do"] == "lift":
            story.trigger("target-lost", f"the {thing} was lost from the gripper")
        else:
            story.trigger("target-moved", f"the {thing} moved by {100 * moved_m:.0f} cm")
        return Question("disturbed", task, now, story.memory(now), plan(now.truth, task))


KINDS: dict[str, Callable[[Asker, Midway, Task], Question | None]] = {
    "first": Asker.first,
    "held": Asker.first,
    "changed": Asker.changed,
    "failed": Asker.failed,
    "disturbed": Asker.disturbed,
}
"""Kinds of question by name."""

FAMILIES_FOR: dict[str, tuple[str, ...]] = {
    "first": tuple(FAMILIES),
    "held": tuple(FAMILIES),
    "changed": tuple(PLAIN),
    "failed": tuple(PLAIN),
    "disturbed": tuple(name for name in PLAIN if name not in ("spatial", "relative", "size", "swap")),
}
"""Families that each kind of question can be asked about; once a thing is moved that was named by where it stands, nobody can
tell what was meant."""


class _Story:
    """A run as its journal would tell it, folded by the runtime's own memory: it reads as it does at run time."""

    def __init__(self, asker: Asker, start: Midway, task: Task) -> None:
        self._fold = RunMemory(asker.manifest.primitives)
        self._rng = asker.rng
        self._start = start
        policy = Policy.from_json(plan(start.truth, task))
        self._plan = Plan(policy, asker.manifest.version)
        self.steps: list[Json] = [step for _, step in steps_of(policy.to_json())]
        if task.before:
            self._tell("instruction", text=task.before, source="person")
        self._tell("instruction", text=task.instruction, source="person")
        self._tell("observation", purpose="plan", state=start.observation.state.to_json(), seconds=0.0)
        self._first = self._fold.memory()
        data = {"revision": 1, "policy": self._plan.to_json(), "steps": [], "diff": None, "claim": "done"}
        self._tell("policy", **data)
        self._wrote = False

    def went_well(self, count: int) -> None:
        """Tell of the first steps, each of which succeeded."""
        for number in range(count):
            self._finished(number, "succeeded", value=self._value(self.steps[number]))
        self._wrote = True

    def went_wrong(self, number: int, code: str, message: str) -> None:
        """Tell of a step that failed."""
        self._finished(number, "failed", code=code, message=message)
        step = self.steps[number]
        self.trigger("step-failed", f"{step['do']} failed: {message}")

    def say(self, text: str) -> None:
        """Tell of a new instruction."""
        self._tell("instruction", text=text, source="person")
        self.trigger("new-instruction", f"new instruction: {text}")

    def trigger(self, name: str, detail: str) -> None:
        """Tell why a new policy is needed."""
        self._tell("trigger", name=name, detail=detail)
        self._wrote = True

    def memory(self, now: Midway) -> Memory:
        """Return what the model may know at this moment."""
        if not self._wrote:
            return self._first
        self._tell("observation", purpose="plan", state=now.observation.state.to_json(), seconds=0.0)
        memory = self._fold.memory()
        return replace(memory, holding=now.truth.holding)

    def _value(self, step: Json) -> Json | None:
        if step["do"] != "locate":
            return None
        seen = self._start.located(step["object"], self._rng)
        assert seen is not None, "asked about a scene that is not clear"
        return seen.to_json()

    def _finished(self, number: int, status: str, value: Json | None = None, code: str = "", message: str = "") -> None:
        step = self._plan.steps[number]
        result = {"status": status, "value": value, "code": code, "message": message}
        self._tell("step-finished", revision=1, id=step.id, key=step.id, do=step.step.do, status=status, result=result)

    def _tell(self, kind: str, **data: Any) -> None:
        self._fold.on_event(Event(kind, data))


def _ways_to_fail(do: str) -> Sequence[tuple[str, str]]:
    """Return code and message of each way in which such a step fails, as robot and perception word them."""
    ways = {
        "grasp": (
            ("slipped", "the fingers closed on nothing where the {thing} should be."),
            ("slipped", "the {thing} slipped out of the fingers."),
            ("blocked", "the hand touches something above the {thing}."),
            ("unreachable", "the {thing} cannot be reached from here."),
        ),
        "place": (
            ("blocked", "the hand touches something before it is where it should let go."),
            ("no-room", "there is no room for it there."),
        ),
        "locate": (("not-found", "there is no {thing} in view."),),
        "check": (("check-failed", "the {thing} is not there."),),
    }
    return ways.get(do, ())


def _state_after(truth: Truth, steps: list[Json]) -> Truth:
    table = SymbolicTable.of(truth)
    with suppress(StepNotPossible):
        for step in steps:
            do_step(table, step)
    return table.truth


def _thing(step: Json) -> str:
    name = next((str(step[key]) for key in ("target", "object", "subject") if step.get(key)), "it")
    return name.removeprefix("$").replace("_", " ")
