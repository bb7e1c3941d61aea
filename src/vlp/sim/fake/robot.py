"""A robot without a body, for tests: a tiny symbolic world, scripted failures and delays, a synthetic image."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vlp.core.observation import Array, Intrinsics, Observation, RobotState
from vlp.primitives.manifest import Limits, Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import Once
from vlp.robot.protocol import Status, Step, StepResult
from vlp.sim.fake.world import RELATIONS, TABLE_TOP_M, FakeWorld, Item, StepRefused
from vlp.sim.worlds.tabletop.places import PLACES

K = Intrinsics(640, 480, 554.38, 554.38, 320.0, 240.0)
CAMERA_IN_BASE: Array = np.array(  # 1 m up, looking forward and 45 degrees down
    [
        [0.0, -(0.5**0.5), 0.5**0.5, 0.05],
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, -(0.5**0.5), -(0.5**0.5), 1.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def fake_manifest() -> Manifest:
    """Return the manifest of the fake robot: every standard primitive, the limits of a small arm."""
    camera = {**K.to_json(), "depth": True}
    limits = Limits((0.2, -0.6, 0.0), (0.9, 0.6, 0.8), 0.4, 0.5, 20.0, 0.12, 1.2)
    tried = STANDARD | {"home": replace(STANDARD["home"], example={})}
    return make_manifest("fake", tried.values(), PLACES, limits, ("base", "world"), {"head": camera})


@dataclass
class Script:
    """What happens the next `times` times that a primitive is executed.

    Args:
        code: failure code; "" lets it succeed.
        message: one sentence.
        times: how often; each use counts down.
        delay_s: real seconds spent before the outcome; a stop interrupts them.
        deaf: the delay hears neither stop nor time limit, like a driver that hangs.
        before: called with the world first, to change the scene midway.
    """

    code: str = ""
    message: str = ""
    times: int = 1
    delay_s: float = 0.0
    deaf: bool = False
    before: Callable[[FakeWorld], None] | None = None


class FakeRobot:
    """A `Robot` over a `FakeWorld`; perceptions answer from the symbols, steps take one second of its own clock.

    Args:
        objects: support by phrase, e.g. {"red cube": "table", "green bowl": "table", "blue ball": "green bowl"}.
        answers: what the person says to a question; "yes" to any other.
        manifest: another manifest than `fake_manifest()`.
    """

    def __init__(
        self,
        objects: Mapping[str, str] | None = None,
        answers: Mapping[str, str] | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        self.manifest = manifest or fake_manifest()
        self.world = FakeWorld(self.manifest.limits, self.manifest.places, answers=dict(answers or {}))
        for phrase, support in (objects or {"red cube": "table", "green bowl": "table", "blue ball": "table"}).items():
            self.world.put(phrase, support)
        self.log: list[Step] = []
        """Every step that acted, in order."""
        self.clock_s = 0.0
        self._scripts: dict[str, Script] = {}
        self._once = Once()
        self._stop = threading.Event()
        self._cancel: set[str] = set()

    # The four methods.

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        return self.manifest

    def observe(self) -> Observation:
        """Return a flat image with a rectangle per object in view, and the depth of the bare table."""
        world = self.world
        pixels = {
            "red": (200, 40, 40),
            "green": (40, 170, 60),
            "blue": (40, 70, 200),
            "yellow": (230, 210, 40),
            "orange": (240, 140, 30),
            "purple": (140, 60, 170),
            "white": (245, 245, 245),
            "black": (25, 25, 25),
        }
        rgb = np.full((K.height, K.width, 3), 150, np.uint8)
        for phrase in world.matching("object"):
            x1, y1, x2, y2 = (int(v) for v in world.located(phrase, self.clock_s, K, CAMERA_IN_BASE).box)
            rgb[y1:y2, x1:x2] = pixels.get(phrase.split()[0], (90, 90, 90))
        rows = (np.arange(K.height) - K.cy) / K.fy
        down = (rows + 1) * 0.5**0.5  # metres downward per metre of depth, by row
        depth = np.repeat(((1.0 - TABLE_TOP_M) / down)[:, None], K.width, axis=1).astype(np.float32)
        state = RobotState(world.at, world.holding, {}, (0.0, 0.0, 0.0), 0.05 if world.holding else 0.0, (0.4, 0.0, 0.8))
        return Observation(rgb, depth, K, CAMERA_IN_BASE.copy(), state, self.clock_s)

    def execute(self, step: Step) -> StepResult:
        """Carry out one step once per key and return what was really done."""
        return self._once.run(step, self._act)

    def stop(self) -> None:
        """Stop and latch."""
        self._stop.set()

    # What a robot may offer beyond the four.

    def reset_stop(self) -> None:
        """Release the stop latch."""
        self._stop.clear()

    def cancel(self, key: str) -> None:
        """End the step that runs under this key; the latch stays open."""
        self._cancel.add(key)

    def result_of(self, key: str) -> StepResult | None:
        """Return the result of a finished key, None when nothing finished under it."""
        return self._once.result_of(key)

    def snapshot(self) -> bytes:
        """Return world, clock, latch and finished keys as JSON bytes."""
        world = self.world
        state = {
            "objects": {phrase: item.to_json() for phrase, item in world.objects.items()},
            "holding": world.holding,
            "at": world.at,
            "clock_s": self.clock_s,
            "stopped": self._stop.is_set(),
            "keys": self._once.to_json(),
        }
        return json.dumps(state, separators=(",", ":")).encode()

    def restore(self, data: bytes) -> None:
        """Take the state that `snapshot` returned."""
        state = json.loads(data)
        self.world.objects = {phrase: Item(tuple(xyz), support) for phrase, (xyz, support) in state["objects"].items()}
        self.world.holding, self.world.at, self.clock_s = state["holding"], state["at"], state["clock_s"]
        (self._stop.set if state["stopped"] else self._stop.clear)()
        self._once.load(state["keys"])

    # For tests.

    def script(self, do: str, script: Script) -> None:
        """Decide what the next executions of a primitive do."""
        self._scripts[do] = script

    def fail_next(self, do: str, code: str = "slipped", times: int = 1) -> None:
        """Let the next executions of a primitive fail."""
        self.script(do, Script(code=code, message=f"{do} failed: {code}.", times=times))

    def _act(self, step: Step) -> StepResult:
        if self._stop.is_set():
            return StepResult(step.key, "stopped", code="stopped", message="the robot is stopped.")
        report = check_arguments(step.do, step.arguments, self.manifest)
        if not report.ok:
            issue = report.issues[0]
            return StepResult(step.key, "rejected", code=issue.code, message=f"{issue.message} {issue.hint}".strip())
        self.log.append(step)
        script = self._next_script(step.do)
        if script.before:
            script.before(self.world)
        ended = self._wait(step, script)
        if ended:
            return StepResult(step.key, ended, code=ended, message=f"{step.do} ended early.", duration_s=script.delay_s)
        self.clock_s += 1.0
        try:
            if script.code:
                raise StepRefused(script.code, script.message)
            done, value = self._carry_out(step.do, step.arguments)
        except StepRefused as refused:
            value = False if refused.code == "check-failed" else None  # it saw that it is not so
            return StepResult(step.key, "failed", {}, value, refused.code, refused.message, 1.0)
        done, value = json.loads(json.dumps([done, value]))  # plain, so that a restored result equals the first
        return StepResult(step.key, "succeeded", done, value, duration_s=1.0)

    def _next_script(self, do: str) -> Script:
        script = self._scripts.get(do)
        if script is None or script.times < 1:
            return Script()
        script.times -= 1
        return script

    def _wait(self, step: Step, script: Script) -> Status | None:
        """Spend the script's delay; return why it ended early, None when it did not."""
        if script.deaf:
            time.sleep(script.delay_s)
            return "stopped" if self._stop.is_set() else None
        limit_s = step.timeout_s if step.timeout_s is not None else self.manifest.primitives[step.do].timeout_s
        end = time.monotonic() + min(script.delay_s, limit_s)
        while True:
            left_s = end - time.monotonic()
            if self._stop.wait(max(0.0, min(left_s, 0.01))) or step.key in self._cancel:
                return "stopped"
            if left_s <= 0:
                return "timeout" if script.delay_s > limit_s else None

    def _carry_out(self, do: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        if do in PERCEPTIONS:
            return dict(arguments), PERCEPTIONS[do](self, arguments)
        if do not in ACTIONS:
            raise StepRefused("not-implemented", f"the fake robot cannot {do}; it does {', '.join((*ACTIONS, *PERCEPTIONS))}.")
        return ACTIONS[do](self.world, arguments), None

    def _locate(self, a: dict[str, Any]) -> Any:
        seen = self.world.matching(a["object"])
        if not seen:
            raise StepRefused("not-found", f"there is no {a['object']} in view.")
        return self.world.located(seen[0], self.clock_s, K, CAMERA_IN_BASE).to_json()

    def _find_all(self, a: dict[str, Any]) -> Any:
        return [self.world.located(p, self.clock_s, K, CAMERA_IN_BASE).to_json() for p in self.world.matching(a["object"])]

    def _check(self, a: dict[str, Any]) -> Any:
        relation, subject, other = a["relation"], a["subject"], a.get("object", "")
        if relation not in RELATIONS or not self.world.holds(relation, subject, other):
            raise StepRefused("check-failed", f"it is not true that: {subject} {relation} {other}".strip() + ".")
        return True

    def _ask(self, a: dict[str, Any]) -> Any:
        return self.world.answers.get(a["question"], "yes")


ACTIONS: dict[str, Callable[[FakeWorld, dict[str, Any]], dict[str, Any]]] = {
    "go_to": FakeWorld.go_to,
    "look_at": FakeWorld.look_at,
    "home": FakeWorld.home,
    "grasp": FakeWorld.grasp,
    "lift": FakeWorld.lift,
    "place": FakeWorld.place,
    "release": FakeWorld.release,
    "push": FakeWorld.push,
}
PERCEPTIONS: dict[str, Callable[[FakeRobot, dict[str, Any]], Any]] = {
    "locate": FakeRobot._locate,
    "find_all": FakeRobot._find_all,
    "check": FakeRobot._check,
    "ask": FakeRobot._ask,
}
