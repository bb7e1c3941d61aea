"""A run in a temporary directory with the fake robot and a scripted model."""

import json
import threading
from dataclasses import replace
from pathlib import Path

from vlp.core.messages import Instruction
from vlp.models.protocol import Capabilities, Reply
from vlp.models.scripted import ScriptedModel
from vlp.runtime import run as runtime
from vlp.runtime.loop import Change
from vlp.sim.fake.robot import FakeRobot


def put(thing: str, target: str, relation: str = "in", pick: bool = True) -> dict:
    """Return the canonical policy that puts a thing somewhere."""
    a, b = thing.replace(" ", "_"), target.replace(" ", "_")
    take = [
        {"do": "locate", "object": thing, "as": a},
        {"do": "grasp", "target": f"${a}"},
        {"do": "lift", "height_m": 0.1},
    ]
    give = [
        {"do": "locate", "object": target, "as": b},
        {"do": "place", "target": f"${b}", "relation": relation},
        {"do": "check", "relation": relation, "subject": thing, "object": target},
    ]
    parts = [(f"pick up the {thing}", take if pick else []), (f"put it {relation} the {target}", give)]
    subtasks = [{"name": name, "steps": steps} for name, steps in parts if steps]
    return {"goal": f"the {thing} is {relation} the {target}", "subtasks": subtasks}


def say(policy: dict) -> str:
    return json.dumps(policy, separators=(",", ":"))


def asked(sentence: str = "put the red cube in the green bowl", **more) -> runtime.Spec:
    """Return the spec of a run with a sentence."""
    return runtime.Spec(Instruction.of(sentence), **more)


def change(after_steps: int, sentence: str) -> Change:
    """Return a new instruction midway."""
    return Change(after_steps, Instruction.of(sentence))


def behind_first_step(text: str) -> int:
    """Return where it is known what the first step of a policy does: in its text, before the name of its result."""
    return min(text.index(end) + len(end) for end in ("}", ',"as":') if end in text)


class Streaming:
    """A fake model that writes its replies in two pieces, the first of which says what the first step does.

    Args:
        replies: policies or texts, one by one.
        between: called between the two pieces, with the number of the reply from 0 on.
    """

    name, profile, can = "streaming", "full", Capabilities(reads=False)

    def __init__(self, replies, between=lambda number: None) -> None:
        self.replies = [reply if isinstance(reply, str) else say(reply) for reply in replies]
        self.between, self.asked, self.written = between, 0, threading.Event()

    def generate(self, messages, *, on_text=None, **options) -> Reply:
        text = self.replies[self.asked]
        self.asked += 1
        end = behind_first_step(text) if "}" in text[:-1] else len(text)
        if on_text:
            on_text(text[:end])
        self.between(self.asked - 1)
        if on_text:
            on_text(text[end:])
        self.written.set()
        return Reply(text)


class FakeJudge:
    """Says what it is given, and lets scripted events happen through a function."""

    def __init__(self, verdict=lambda: None, apply=None) -> None:
        self._verdict, self._apply = verdict, apply

    def on_event(self, event) -> None:
        pass

    def apply(self, text: str):
        assert self._apply is not None
        return self._apply(text)

    def __call__(self) -> bool | None:
        return self._verdict()


class Run:
    """What a test holds of one run."""

    def __init__(self, out: Path, replies, robot: FakeRobot | None = None, spec: runtime.Spec | None = None, **parts) -> None:
        self.robot = robot or FakeRobot()
        self.model = replies if hasattr(replies, "generate") else ScriptedModel(replies)
        self.events = []
        listeners = [self, *parts.pop("subscribers", [])]
        what = spec or asked()
        if "budget" in parts:
            what = replace(what, budget=parts.pop("budget"))
        if "judge" in parts or "apply_event" in parts:
            parts["judge"] = FakeJudge(parts.pop("judge", lambda: None), parts.pop("apply_event", None))
        self.run = runtime.Run(out, what, self.robot, self.model, subscribers=listeners, **parts)

    def on_event(self, event) -> None:
        self.events.append(event)

    def go(self):
        self.outcome = self.run.go()
        return self.outcome

    def of(self, kind: str) -> list[dict]:
        return [event.data for event in self.events if event.kind == kind]

    @property
    def done(self) -> list[str]:
        """What the policy's steps did, without looks at boundaries."""
        return [step.do for step in self.robot.log if ".look." not in step.key]
