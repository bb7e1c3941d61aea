"""The checker passes a right robot and names what is wrong with each of many wrong ones."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vlp.core.observation import Observation
from vlp.primitives.manifest import Argument, Limits, Manifest, Place, Primitive
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.conformance import check_robot, untried
from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot
from vlp.sim.worlds.tabletop.places import PLACES


class Unstable(FakeRobot):
    def describe(self) -> Manifest:
        self.count = getattr(self, "count", 0) + 1
        return replace(self.manifest, version=str(self.count))


class Lists(FakeRobot):
    def describe(self) -> Manifest:
        return replace(self.manifest, places=["table"])  # type: ignore[arg-type]


class NoManifest(FakeRobot):
    def describe(self) -> Any:
        return {}


class MillimetreDepth(FakeRobot):
    def observe(self) -> Observation:
        observation = super().observe()
        return replace(observation, depth_m=(observation.depth_m * 1000).astype(np.uint16))  # type: ignore[arg-type]


class Holes(FakeRobot):
    def observe(self) -> Observation:
        observation = super().observe()
        assert observation.depth_m is not None
        return replace(observation, depth_m=np.where(observation.depth_m > 0.7, np.float32(np.nan), observation.depth_m))


class Skewed(FakeRobot):
    def observe(self) -> Observation:
        return replace(super().observe(), camera_in_base=np.ones((4, 4)))


class Backwards(FakeRobot):
    def observe(self) -> Observation:
        self.clock_s -= 1
        return super().observe()


class Blind(FakeRobot):
    def observe(self) -> Observation:
        raise OSError("camera unplugged")


class Raises(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        raise KeyError(step.do)


class Obliging(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        return StepResult(step.key, "succeeded")


class Forgetful(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        self.clock_s += 1
        return replace(self._act(step), done={"at": self.clock_s})


class NumpyResults(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        return replace(super().execute(step), done={"hand": np.zeros(3)})


class WrongKey(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        return replace(super().execute(step), key="other")


class NoLatch(FakeRobot):
    def stop(self) -> None:
        pass


class StopRaises(FakeRobot):
    def stop(self) -> None:
        raise RuntimeError("no brake")


class NeverResets(FakeRobot):
    def reset_stop(self) -> None:
        pass


WRONG: dict[type[FakeRobot], tuple[str, str]] = {
    Unstable: ("/describe", "unstable"),
    Lists: ("/describe", "round-trip"),
    NoManifest: ("/describe", "wrong-type"),
    MillimetreDepth: ("/observe", "depth"),
    Holes: ("/observe", "depth-values"),
    Skewed: ("/observe", "pose"),
    Backwards: ("/observe", "clock"),
    Blind: ("/observe", "raised"),
    Raises: ("/execute", "raised"),
    Obliging: ("/execute", "unknown-primitive"),
    Forgetful: ("/execute", "key"),
    NumpyResults: ("/execute", "plain-data"),
    WrongKey: ("/execute", "key"),
    NoLatch: ("/stop", "latch"),
    StopRaises: ("/stop", "raised"),
    NeverResets: ("/reset_stop", "latch"),
}


@pytest.mark.parametrize(
    ("method", "given", "line"),
    [
        ("execute", None, "/execute: told 'home', it gave back None; expected a StepResult."),
        ("observe", None, "/observe: it gave back None; expected an Observation."),
        ("observe", [1], "/observe: it gave back the list [1]; expected an Observation."),
        ("observe", replace(FakeRobot().observe(), state=None), "/observe: state is None; expected a RobotState."),  # type: ignore[arg-type]
        ("describe", replace(FakeRobot().manifest, primitives=[]), "/describe: primitives is []: "),  # type: ignore[arg-type]
    ],
)
def test_an_answer_of_the_wrong_type_is_one_line(monkeypatch: pytest.MonkeyPatch, method: str, given: Any, line: str) -> None:
    """The check said "ok" to None, and to a list it gave a traceback."""
    robot = FakeRobot()
    monkeypatch.setattr(robot, method, lambda *_: given)
    assert str(check_robot(robot)).count(line) == 1


@pytest.mark.parametrize("method", ["describe", "observe", "execute"])
def test_a_call_that_never_returns_is_named_and_the_robot_is_stopped(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Guards against a check that hung with the robot's driver, and said nothing."""
    robot, stops, never = FakeRobot(), [], threading.Event()
    monkeypatch.setattr(robot, method, lambda *_: never.wait())
    monkeypatch.setattr(robot, "stop", lambda: stops.append("stop"))
    report = check_robot(robot, limit_s=0.2)
    assert [str(issue) for issue in report.issues] == [f"/{method}: {method} had not returned after 0.2 s. [hangs]"]
    assert stops == ["stop"]
    never.set()


def test_the_fake_robot_is_a_robot_and_is_left_ready() -> None:
    robot = FakeRobot()
    assert str(check_robot(robot)) == "ok"
    assert robot.execute(Step("home", {}, "after")).status == "succeeded"


def test_a_robot_that_must_not_move_does_not() -> None:
    robot = FakeRobot()
    assert check_robot(robot, moves=False).ok
    assert robot.log == []


@pytest.mark.parametrize("robot", WRONG, ids=lambda robot: robot.__name__)
def test_each_broken_contract_is_named(robot: type[FakeRobot]) -> None:
    found = {(issue.path, issue.code) for issue in check_robot(robot()).issues}
    assert WRONG[robot] in found


RELAY = Argument("port", "integer", "Which.", minimum=1, maximum=4)


def declared(*primitives: Primitive, **more: Any) -> type[FakeRobot]:
    """Return a fake robot with other declarations; what it cannot do it refuses."""

    class Declared(FakeRobot):
        def __init__(self) -> None:
            own = [replace(STANDARD["home"], example={}), *primitives]
            super().__init__(manifest=make_manifest("declared", own, more.pop("places", PLACES), **more))

    return Declared


WRONG_DECLARATIONS: dict[str, tuple[type[FakeRobot], str, str]] = {
    "misspelt predicate": (
        declared(
            Primitive("open", "action", "Open.", makes=("open",)),
            Primitive("close", "action", "Close.", needs=("opne",)),
        ),
        "/describe/primitives/close", "condition",
    ),
    "a grip without a hand": (declared(limits=Limits(grip_force_n=20.0)), "/describe/limits/grip_force_n", "limit"),
    "a speed of nothing": (declared(limits=Limits(base_speed_m_s=1.0)), "/describe/limits/base_speed_m_s", "limit"),
    "half a workspace": (declared(limits=Limits(workspace_min_m=(0, 0, 0))), "/describe/limits", "workspace"),
    "an unknown limit": (
        declared(Primitive("run", "action", "Run.", (Argument("v_m_s", "number", "V.", limit="base_speed"),))),
        "/describe/primitives/run/v_m_s", "limit",
    ),
    "a default that does not fit": (
        declared(Primitive("switch", "action", "Switch.", (replace(RELAY, default=9),))),
        "/describe/primitives/switch/port", "default",
    ),
    "an example that is refused": (
        declared(Primitive("switch", "action", "Switch.", (RELAY,), example={"port": 9})),
        "/describe/primitives/switch/example", "example",
    ),
    "an unknown result": (
        declared(Primitive("weigh", "perception", "Weigh.", result="wieght"), results={"weight": {"kg": "number"}}),
        "/describe/primitives/weigh", "result",
    ),
    "an unknown field": (declared(results={"weight": {"kg": "float"}}), "/describe/results/weight", "type"),
    "clear but out of view": (declared(places=[Place("pit", ("in",), clearable=True)]), "/describe/places/pit", "clearable"),
    "an unknown relation": (declared(places=[Place("pit", ("inside",))]), "/describe/places/pit", "relation"),
    "no place to go to": (declared(STANDARD["go_to"], places=[]), "/describe", "schema"),
}  # fmt: skip


def act(*arguments: Argument, **more: Any) -> Primitive:
    return Primitive("act", "action", "Act.", arguments, **more)


WHICH = Argument("which", "choice", "Which.", choices=("a", "b"))
COUNT = Argument("count", "integer", "How many.")
SPOTS = Argument("spots", "list", "Where.", items="place")
USELESS: dict[str, tuple[type[FakeRobot], str]] = {
    "holding nothing": (declared(act(makes=("holding",))), "'holding' has 0 words behind 'holding'. Write holding THING."),
    "holding two things": (declared(act(makes=("holding a b",))), "has 2 words behind 'holding'"),
    "at nothing": (declared(act(makes=("at",))), "Write at PLACE or at THING OTHER."),
    "at too much": (declared(act(needs=("at a b c",))), "has 3 words behind 'at'"),
    "in one thing": (declared(act(makes=("in x",))), "has 1 words behind 'in'"),
    "moved nothing": (declared(act(makes=("moved",))), "has 0 words behind 'moved'"),
    "an empty hand of what": (declared(act(makes=("hand_empty x",))), "has 1 words behind 'hand_empty'"),
    "a relation of one thing": (
        declared(act(Argument("relation", "choice", "How.", choices=("in",)), makes=("relation x",))),
        "has 1 words behind 'in'",
    ),
    "both so and not so": (declared(act(makes=("open", "not open"))), "it makes both 'open' and 'not open'"),
    "needs both": (declared(act(needs=("open", "not open"), makes=("open",))), "it needs both 'open' and 'not open'"),
    "not not": (declared(act(makes=("not not open",))), "says 'not' twice"),
    "only ever made false": (
        declared(act(needs=("open",), makes=("not open",))), "it needs 'open', and no primitive makes 'open' true.",
    ),
    "a hand that nothing fills": (declared(act(needs=("holding",))), "it needs 'holding', and no primitive makes"),
    "a place that nothing drives to": (declared(act(needs=("at table",))), "it needs 'at table', and no primitive makes"),
    "no choices": (declared(act(replace(WHICH, choices=()))), "a choice without choices"),
    "a blank choice": (declared(act(replace(WHICH, choices=("", "b")))), "the choice '' is empty"),
    "a choice of two lines": (declared(act(replace(WHICH, choices=("a\nb",)))), "characters that cannot be seen"),
    "a choice like a reference": (declared(act(replace(WHICH, choices=("$x",)))), "begins with $"),
    "a choice twice": (declared(act(replace(WHICH, choices=("a", "a")))), "the choice 'a' stands there twice"),
    "an argument twice": (declared(act(COUNT, replace(COUNT, type="text"))), "it declares the argument 'count' twice"),
    "bounds the wrong way round": (declared(act(replace(COUNT, minimum=5, maximum=1))), "at least 5 and at most 1"),
    "no whole number": (declared(act(replace(COUNT, minimum=0.2, maximum=0.8))), "no whole number is at least 0.2"),
    "a list of nothing": (declared(act(replace(SPOTS, max_items=0))), "max_items is 0"),
    "a list of less": (declared(act(replace(SPOTS, max_items=-3))), "max_items is -3"),
    "a place without a name": (declared(places=["table", ""]), "the place '' is empty"),
    "a place of two lines": (declared(places=["a\nb"]), "characters that cannot be seen"),
    "a place without end": (declared(places=["D" * 5000]), "has 5,000 characters"),
    "places in another case": (declared(places=["dock", "Dock"]), "look the same"),
    "places in other letters": (declared(places=["dock", "d\u043eck"]), "'d\\u043eck' look the same"),
    "places in other widths": (declared(places=["dock", "\uff44ock"]), "look the same"),
    "a speed below nothing": (
        declared(STANDARD["go_to"], limits=Limits(base_speed_m_s=-1.0)), "it is -1; it must be above 0",
    ),
    "a speed of 0": (declared(STANDARD["go_to"], limits=Limits(base_speed_m_s=0.0)), "it is 0; it must be above 0"),
    "a limit that is a corner": (
        declared(act(replace(COUNT, limit="workspace_min_m"))), "which the robot does not declare as a number",
    ),
    "another meaning of object": (declared(results={"object": {"x": "number"}}), "that every robot has"),
    "a book for a sentence": (declared(replace(act(), doc="A" * 10_000_000)), "its doc has 10,000,000 characters"),
    "a doc that paints": (declared(replace(act(), doc="x \x1b[31m")), "its doc holds '\\x1b'"),
}  # fmt: skip


@pytest.mark.parametrize("case", USELESS)
def test_a_declaration_that_cannot_work_is_named(case: str) -> None:
    """The check said "ok", and the robot could not do it, or its run broke: 'holding' of nothing with an IndexError."""
    robot, said = USELESS[case]
    report = str(check_robot(robot(), moves=False))
    assert said in report and len(report) < 3000


@pytest.mark.parametrize("deep", [False, True])
def test_a_result_without_an_end_is_one_line(monkeypatch: pytest.MonkeyPatch, deep: bool) -> None:
    """The check ended with a RecursionError and a traceback of 250 KB."""
    done: dict[str, Any] = {}
    done["a"] = done
    for _ in range(100_000 if deep else 0):
        done = {"a": done}
    robot = FakeRobot()
    monkeypatch.setattr(robot, "execute", lambda step: StepResult(step.key, "succeeded", done))
    report = str(check_robot(robot))
    assert "nested too deep" in report and len(report) < 3000


@pytest.mark.parametrize("case", WRONG_DECLARATIONS)
def test_each_wrong_declaration_is_named(case: str) -> None:
    robot, path, code = WRONG_DECLARATIONS[case]
    assert (path, code) in {(issue.path, issue.code) for issue in check_robot(robot(), moves=True).issues}


def test_what_is_safe_to_try_is_tried_and_its_result_is_checked() -> None:
    weigh = Primitive("weigh", "perception", "Weigh.", (RELAY,), result="weight", example={"port": 1})
    lift = STANDARD["lift"]

    class Scales(FakeRobot):
        def __init__(self, value: object) -> None:
            own = [weigh, STANDARD["grasp"], lift]
            super().__init__(manifest=make_manifest("scales", own, PLACES, results={"weight": {"kg": "number"}}))
            self.value = value

        def _carry_out(self, do: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
            return arguments, self.value

    robot = Scales({"kg": 1.5})
    assert str(check_robot(robot)) == "ok" and {step.do for step in robot.log} == {"weigh"}
    assert list(untried(robot.manifest))[1] == "lift: it needs holding; try it there with `vlp robot do`."
    take = Primitive("take_item", "action", "Take it.", needs=("not loaded",))
    flush = Primitive("flush", "action", "Flush.", example={}, final=True)
    untold = list(untried(make_manifest("cart", [take, replace(take, name="bow", needs=()), flush])))
    assert untold == [
        "take_item: it needs not loaded; declare `example={}` if it is safe to try.",
        "bow: it acts; declare `example={}` if it is safe to try.",
        "flush: it cannot be undone.",
    ]
    assert ("/execute/weigh", "result") in {(i.path, i.code) for i in check_robot(Scales({"kg": "heavy"})).issues}
