"""A stand-in for a general model that heeds no constraint, and the sentences with which that is tried."""

import json
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from vlp.core.messages import Message
from vlp.models.protocol import GENERAL
from vlp.models.scripted import ScriptedModel
from vlp.sim.fake.robot import FakeRobot


@cache
def sentences() -> dict[str, Any]:
    """Return the rows of `heedless.toml`."""
    return tomllib.loads(resources.files("vlp.sim.fake").joinpath("heedless.toml").read_text("utf-8"))


def crowded() -> FakeRobot:
    """Return the fake robot before all these things and a bowl."""
    return FakeRobot({name: "table" for name in (*sentences()["things"], "green bowl")})


def is_binned(robot: FakeRobot, thing: str) -> bool:
    """Return whether a thing is in the bin."""
    return robot.world.objects[thing].support == "bin"


class Heedless(ScriptedModel):
    """A stand-in for a general model that reads sentences and heeds no constraint.

    Args:
        robot: whose world it moves everything of.
        spared: what the constraint spares.
        rng: decides whether a reply moves that, too.

    Attributes:
        heeds: whether its last reply moves nothing that is spared.
    """

    can = GENERAL

    def __init__(self, robot: FakeRobot, spared: Sequence[str], rng: Random) -> None:
        super().__init__(self._write)
        self._robot, self._spared, self._rng = robot, spared, rng
        self.heeds = True

    def _write(self, messages: Sequence[Message]) -> str:
        del messages
        world = self._robot.world
        spare = () if self._rng.random() < 0.5 else self._spared
        there = [name for name in sentences()["things"] if name in world.objects and world.objects[name].support == "table"]
        subtasks = []
        for name in there:
            if name in spare:
                continue
            take = [{"do": "locate", "object": name, "as": "thing"}, {"do": "grasp", "target": "$thing"}]
            steps = [*take, {"do": "place", "target": "bin", "relation": "in"}]
            subtasks.append({"name": f"put the {name} into the bin", "steps": steps})
        self.heeds = bool(spare) or not {*self._spared} & {*there}
        held = world.holding
        if held:
            subtasks.insert(0, {"name": "put it down", "steps": [{"do": "place", "target": "table", "relation": "on"}]})
        return json.dumps({"goal": "everything is in the bin", "subtasks": subtasks})
