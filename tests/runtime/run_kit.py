"""A run in a temporary directory with the fake robot and a scripted model."""

import json
from pathlib import Path

from vlp.models.scripted import ScriptedModel
from vlp.runtime.session import Parts, Session, Spec
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


class Run:
    """What a test holds of one run."""

    def __init__(self, out: Path, replies, robot: FakeRobot | None = None, spec: Spec | None = None, **parts) -> None:
        self.robot = robot or FakeRobot()
        self.model = replies if hasattr(replies, "generate") else ScriptedModel(replies)
        self.events = []
        listeners = [self, *parts.pop("subscribers", [])]
        self.session = Session(
            out,
            spec or Spec("put the red cube in the green bowl"),
            self.robot,
            self.model,
            Parts(subscribers=listeners, **parts),
        )

    def on_event(self, event) -> None:
        self.events.append(event)

    def go(self):
        self.outcome = self.session.run()
        return self.outcome

    def of(self, kind: str) -> list[dict]:
        return [event.data for event in self.events if event.kind == kind]

    @property
    def done(self) -> list[str]:
        """What the policy's steps did, without looks at boundaries."""
        return [step.do for step in self.robot.log if ".look." not in step.key]
