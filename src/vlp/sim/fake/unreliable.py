"""The fake robot with actions that fail at a stated rate, of three kinds of causes, and a planner for it.

A slip may be gone with the next try. A thing that was moved is found by a look. What is blocked stays so until arm and hand
have been `home`, which only a new policy does. Time is real, scaled by a thousand: steps take seconds, policies tens of them.
"""

import json
import random
import time
from collections.abc import Sequence
from typing import Any

from vlp.core.messages import Message
from vlp.models.scripted import ScriptedModel
from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot


class UnreliableRobot(FakeRobot):
    """The fake robot, whose actions fail with a probability.

    Args:
        things: how many lie on the table.
        share: of grasps and placements that fail.
        rng: decides which, and why.
    """

    def __init__(self, things: int, share: float, rng: random.Random) -> None:
        names = ("red cube", "blue ball", "green cube", "yellow ball")
        super().__init__({name: "table" for name in names[:things]})
        self._share, self._rng, self._blocked = share, rng, False
        self._causes = {"slipped": 0.5, "moved": 0.25, "blocked": 0.25}

    @property
    def done(self) -> bool:
        """Whether everything is in the bin."""
        return all(item.support == "bin" for item in self.world.objects.values())

    def execute(self, step: Step) -> StepResult:
        """Carry out a step, or fail of one of the causes."""
        time.sleep(0.004)
        if step.do == "home":
            self._blocked = False
        if step.do not in ("grasp", "place"):
            return super().execute(step)
        if not self._blocked and self._rng.random() < self._share:
            cause = self._rng.choices(list(self._causes), list(self._causes.values()))[0]
            if cause == "moved" and step.do == "grasp":
                self.world._shift(step.arguments["target"]["phrase"], self._rng.choice((-0.06, 0.06)), 0.0)
                return super().execute(step)  # which finds it gone
            self._blocked = cause == "blocked"
            return StepResult(step.key, "failed", {}, None, "slipped" if cause == "moved" else cause, f"{step.do}: {cause}.")
        if self._blocked:
            return StepResult(step.key, "failed", {}, None, "blocked", f"{step.do}: blocked.")
        return super().execute(step)


def clearing(robot: FakeRobot) -> ScriptedModel:
    """Return a model that puts everything that is left into the bin, after a new policy from the resting posture."""
    asked = 0

    def write(messages: Sequence[Message]) -> str:
        nonlocal asked
        del messages
        time.sleep(0.040)
        world = robot.world
        subtasks: list[dict[str, Any]] = [{"name": "rest", "steps": [{"do": "home"}]}] if asked else []
        asked += 1
        left = [name for name, item in world.objects.items() if item.support not in ("bin", "hand")]
        for name in [*([world.holding] if world.holding else []), *left]:
            take = [{"do": "locate", "object": name, "as": "thing"}, {"do": "grasp", "target": "$thing"}]
            put = [{"do": "place", "target": "bin", "relation": "in"}]
            subtasks.append({"name": f"bin the {name}", "steps": [*(take if name != world.holding else []), *put]})
        return json.dumps({"goal": "everything is in the bin", "subtasks": subtasks})

    return ScriptedModel(write)
