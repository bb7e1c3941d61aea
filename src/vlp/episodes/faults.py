"""A robot that gets something wrong: an action without effect, a thing that slips, a look that finds a look-alike."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from vlp.core.errors import lookup
from vlp.primitives.manifest import Manifest
from vlp.robot.protocol import Robot, Step, StepResult, offered
from vlp.sim.truth import Truth


class FaultyRobot:
    """A robot of which some steps go wrong in one way.

    Args:
        robot: the one that does right; a robot that looks for itself, or one that perception is wrapped around.
        fault: "no-effect", an action does nothing and says that it succeeded; "slipped", what is held is lost at the end of a
            step that carries it; "misplaced", what was put down is elsewhere at the end of the step; "look-alike", a `locate`
            finds another thing in the place of the one asked for.
        rng: draws which steps.
        share: of the steps that can go wrong so.
        most: how many steps go wrong.
        slip: takes what is held out of the hand, or what was put down from its place, and returns what was lost; for "slipped"
            and "misplaced".
        look_alike: from a phrase to that of what is taken for it, "" for nothing; for "look-alike".

    Attributes:
        met: how many steps could go wrong.
        wrong: the keys of those that did.

    Raises:
        UsageError: no such fault.
    """

    def __init__(
        self,
        robot: Robot,
        fault: str,
        rng: Random,
        share: float = 0.5,
        most: float = math.inf,
        slip: Callable[[], list[str]] = list,
        look_alike: Callable[[str], str] = lambda phrase: "",
    ) -> None:
        ways: dict[str, Callable[[Step], StepResult]] = {
            "no-effect": self._lie,
            "slipped": partial(self._lose, put_down=False),
            "misplaced": partial(self._lose, put_down=True),
            "look-alike": self._mistake,
        }
        self._do_wrong = lookup(fault, ways, "fault of a robot")
        self.robot, self._rng, self._share, self._most = robot, rng, share, most
        self._slip, self._look_alike = slip, look_alike
        self._primitives = robot.describe().primitives
        self._held = False
        self.met = 0
        self.wrong: list[str] = []

    @property
    def names(self) -> Any:
        """What the robot inside knows by name."""
        return getattr(self.robot, "names", None)

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        return self.robot.describe()

    def observe(self) -> Any:
        """Return what the robot perceives now."""
        return self.robot.observe()

    def stop(self) -> None:
        """Stop the robot."""
        self.robot.stop()

    def execute(self, step: Step) -> StepResult:
        """Carry out a step, or get it wrong."""
        return self._do_wrong(step)

    def _now(self) -> bool:
        """Return whether a step that can go wrong does."""
        self.met += 1
        return len(self.wrong) < self._most and self._rng.random() < self._share

    def _lie(self, step: Step) -> StepResult:
        if self._primitives[step.do].kind != "action" or not self._now():
            return self.robot.execute(step)
        self.wrong.append(step.key)
        result = StepResult(step.key, "succeeded", dict(step.arguments), duration_s=1.0)
        if recall := offered(self.robot, "recall"):  # perception believes it like everybody else
            recall(step, result)
        return result

    def _lose(self, step: Step, put_down: bool) -> StepResult:
        """Carry out a step, and let what it has carried, or has put down, be elsewhere at its end."""
        result = self.robot.execute(step)
        if self._primitives[step.do].kind != "action":
            return result
        carried, self._held = self._held, bool(self.robot.observe().state.holding)
        able = carried and (not self._held and result.status == "succeeded" if put_down else self._held)
        if able and self._now() and self._slip():
            self.wrong.append(step.key)
        return result

    def _mistake(self, step: Step) -> StepResult:
        other = self._look_alike(str(step.arguments["object"])) if step.do == "locate" else ""
        if not other or not self._now():
            return self.robot.execute(step)
        self.wrong.append(step.key)
        result = self.robot.execute(replace(step, arguments={**step.arguments, "object": other}))
        asked = {"object": step.arguments["object"]}
        if result.value is None:
            return replace(result, done={**result.done, **asked})
        return replace(result, done={**result.done, **asked}, value={**result.value, "phrase": asked["object"]})


def look_alike(truth: Truth, phrase: str) -> str:
    """Return what could be taken for a thing: one of the same noun, else of the nearest size, beside it; "" for nothing."""
    item = truth.objects.get(phrase)
    if item is None:
        return ""

    def apart_m(name: str) -> float:
        return math.dist(truth.objects[name].size_m, item.size_m)

    near_m = 0.05
    beside = [name for name, other in truth.objects.items() if other.support == item.support and name != phrase]
    able = [name for name in beside if truth.objects[name].kind == item.kind or apart_m(name) < near_m]
    return min(able, key=lambda name: (truth.objects[name].kind != item.kind, apart_m(name)), default="")
