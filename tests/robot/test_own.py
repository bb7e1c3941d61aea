"""A robot of one's own is found by "module:Class", and whatever is wrong with that is told in a sentence."""

import contextlib
import json
import sys
from pathlib import Path

import pytest

from vlp.cli.main import main
from vlp.core.errors import MissingComponent, UsageError
from vlp.core.observation import Observation
from vlp.primitives.manifest import Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.client import RemoteRobot
from vlp.robot.conformance import check_robot
from vlp.robot.own import own_robot
from vlp.robot.protocol import Step, is_own, methods
from vlp.robot.record import Record, default_path, held_here
from vlp.robot.serving import running_server
from vlp.robot.skills import SkillRobot
from vlp.sim.fake.robot import FakeRobot

ROBOT = """
import time
import numpy as np
from vlp.core.observation import Observation, RobotState
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import Once
from vlp.robot.protocol import StepResult

TIMES = Argument("times", "integer", "How often.", minimum=1, maximum=3)
BEEP = Primitive("beep", "action", "Beep.", (TIMES,), example={"times": 1})
HONK = Primitive("honk", "action", "Honk.", (TIMES,))


class Beeper:
    def __init__(self):
        self.manifest, self.once, self.stopped = make_manifest("beeper", [BEEP, HONK], ["yard"]), Once(), False

    def describe(self):
        return self.manifest

    def observe(self):
        state = RobotState("yard", own={"battery_percent": 70})
        return Observation(np.zeros((48, 64, 3), np.uint8), None, None, None, state, time.monotonic())

    def execute(self, step):
        return self.once.run(step, self._act)

    def _act(self, step):
        report = check_arguments(step.do, step.arguments, self.manifest)
        if not report.ok:
            return StepResult(step.key, "rejected", code=report.issues[0].code, message=str(report))
        if self.stopped:
            return StepResult(step.key, "stopped", code="stopped", message="stopped.")
        return StepResult(step.key, "succeeded", dict(step.arguments))

    def stop(self):
        self.stopped = True


class Asks:
    def __init__(self, port):
        pass


class Unplugged:
    def __init__(self):
        raise ConnectionError("no arm at /dev/ttyUSB0")


class Mute:
    def describe(self):
        pass
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_beeper.py").write_text(ROBOT)
    (tmp_path / "own_broken.py").write_text("import no_such_driver_of_mine\n")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_module_in_the_present_directory_is_found(lab: Path) -> None:
    assert own_robot("own_beeper:Beeper").describe().robot == "beeper"


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("own_beeper:Beper", UsageError, "Did you mean 'Beeper'"),
        ("own_beper:Beeper", UsageError, "there is no module 'own_beper'"),
        ("own_beeper:Asks", MissingComponent, "called without arguments"),
        ("own_beeper:Mute", UsageError, "it lacks observe, execute, stop"),
        ("own_broken:Any", MissingComponent, "needs no_such_driver_of_mine"),
    ],
)
def test_what_is_wrong_is_told(lab: Path, name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        own_robot(name)
    assert said in str(raised.value)


def test_a_driver_that_does_not_connect_is_not_told_to_take_no_arguments(lab: Path) -> None:
    """Whatever `__init__` raised, the person was told to give its arguments defaults."""
    with pytest.raises(MissingComponent) as raised:
        own_robot("own_beeper:Unplugged")
    assert str(raised.value) == ("the robot 'own_beeper:Unplugged' cannot be made: ConnectionError: no arm at /dev/ttyUSB0.")


def test_only_a_module_and_a_class_are_a_robot_of_ones_own() -> None:
    assert is_own("a.b:C") and not any(map(is_own, ("hsr", "http://localhost:1", "http:x/y", "a:b:c", ":C", "a:", "file.json")))


def test_the_check_command_says_ok_and_what_was_not_tried(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robot", "check", "own_beeper:Beeper"]) == 0
    out = capsys.readouterr().out
    assert "own_beeper:Beeper: ok" in out
    assert "not tried: honk: it takes arguments; declare an `example`" in out and "beep" not in out.replace("own_beeper", "")


def test_a_robot_of_ones_own_has_a_manifest_and_a_schema(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robot", "manifest", "--robot", "own_beeper:Beeper"]) == 0
    out = capsys.readouterr().out
    assert "limits: none; no depth camera" in out and "locate" not in out and "ask(question)" in out


def test_a_robot_without_hand_or_depth_is_the_same_over_http(lab: Path) -> None:
    """The wire demanded depth, a gripper and a hand of every robot."""
    robot = own_robot("own_beeper:Beeper")
    with running_server(robot) as at, RemoteRobot(at.url, at.token) as remote:
        assert remote.describe() == robot.describe()
        seen = remote.observe()
        assert (seen.depth_m, seen.intrinsics, seen.camera_in_base) == (None, None, None)
        assert seen.state == robot.observe().state and seen.state.gripper_m is None
        assert remote.execute(Step("beep", {"times": 2}, "a")).done == {"times": 2}
        assert remote.execute(Step("beep", {"times": 2.5}, "b")).code == "wrong-type"


def test_a_run_commands_a_robot_of_ones_own(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = {"goal": "it beeped", "subtasks": [{"name": "beep", "steps": [{"do": "beep", "times": 2}]}]}
    (lab / "replies.json").write_text(json.dumps([policy]))
    words = ["run", "beep twice", "--robot", "own_beeper:Beeper", "--model", "scripted:replies.json", "--out", "run"]
    assert main(words) == 0, capsys.readouterr().err
    assert "beep" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("None", "describe gave back None; expected a Manifest"),
        ("{}", "describe gave back the dict {}; expected a Manifest"),
        ("exit(0)", "it raised SystemExit: 0"),
        ("replace(M, limits=Limits(payload_kg='1.5'))", "limits.payload_kg is '1.5': expected 1.5"),
        ("replace(M, places=['yard'])", "places is ['yard']: input should be a valid dictionary"),
        ("replace(M, primitives=[BEEP])", "primitives is [{'name': 'beep'"),
        ("with_beep(timeout_s='fast')", "primitives.beep.timeout_s is 'fast': input should be a valid number"),
        ("with_beep(timeout_s=float('nan'))", "primitives.beep.timeout_s is nan: expected a finite number"),
        ("with_beep(timeout_s=-1.0)", "timeout_s is -1.0; it must be finite and above 0"),
        ("with_beep(needs=(1,))", "primitives.beep.needs.0 is 1: input should be a valid string"),
        ("with_beep(makes=('',))", "'' is no condition"),
        ("with_beep(kind='dance')", "primitives.beep.kind is 'dance'"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_by_run_and_check(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], manifest: str, said: str
) -> None:
    """A manifest with wrong types was a traceback, some of them after the robot had moved."""
    body = f"class Wrong(Beeper):\n    def describe(self):\n        return {manifest}\n"
    head = "from dataclasses import replace\nfrom vlp.primitives.manifest import Limits\n"
    helper = "M = Beeper().manifest\ndef with_beep(**k):\n    return replace(M, primitives={'beep': replace(BEEP, **k)})\n"
    (lab / "own_wrong.py").write_text(ROBOT + head + helper + body)
    monkeypatch.delitem(sys.modules, "own_wrong", raising=False)
    (lab / "replies.json").write_text('["x"]')
    assert main(["run", "beep", "--robot", "own_wrong:Wrong", "--model", "scripted:replies.json", "--out", "run"]) == 2
    refused = capsys.readouterr().err
    assert said in refused and "`vlp robot check own_wrong:Wrong` tells all." in refused
    assert main(["robot", "check", "own_wrong:Wrong"]) == 1
    assert said in capsys.readouterr().err


def test_a_manifest_that_cannot_be_used_is_refused_where_it_is_shown(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against `vlp robot manifest` with a traceback, or nonsense, where `vlp run` has a sentence."""
    (lab / "own_listing.py").write_text(ROBOT + "class Listing(Beeper):\n    def describe(self):\n        return [BEEP]\n")
    assert main(["robot", "manifest", "--robot", "own_listing:Listing"]) == 2
    said = capsys.readouterr().err
    assert "describe gave back the list" in said and "`vlp robot check own_listing:Listing` tells all." in said


ENDS = {
    "the module": ("import sys\nsys.exit(3)\n", "the module 'own_ends' ends the program when it is imported (SystemExit: 3)."),
    "the class": (
        "class Ends:\n    def __init__(self):\n        raise SystemExit\n",
        "the robot 'own_ends:Ends' ends the program when it is made (SystemExit).",
    ),
}


@pytest.mark.parametrize("who", ENDS)
@pytest.mark.parametrize(
    "words", [["robot", "check"], ["robot", "manifest", "--robot"], ["run", "beep", "--out", "run", "--robot"]]
)
def test_a_robot_that_ends_the_program_is_told(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], who: str, words: list[str]
) -> None:
    """Guards against a driver's `sys.exit` that ended vlp without a word, with the driver's own status."""
    text, said = ENDS[who]
    (lab / "own_ends.py").write_text(text)
    (lab / "replies.json").write_text('["x"]')
    monkeypatch.delitem(sys.modules, "own_ends", raising=False)
    model = ["--model", "scripted:replies.json"] if words[0] == "run" else []
    assert main([*words, "own_ends:Ends", *model]) == 2
    assert said in capsys.readouterr().err


def test_a_robot_that_is_not_served_is_told_with_the_closest_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a misspelt robot that was answered as if it were spelled right."""
    assert main(["robot", "check", "hrs"]) == 2
    assert "Did you mean 'hsr'? Start one with `vlp robot serve --robot hsr`, and give its URL." in capsys.readouterr().err


def test_a_robot_that_says_what_it_misses_is_heard(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a robot's own error being told as a broken contract, with another exit status."""
    head = "from vlp.core.errors import MissingComponent\n"
    body = (
        "class Absent(Beeper):\n    def describe(self):\n        raise MissingComponent('the arm is off.', 'Switch it on.')\n"
    )
    (lab / "own_absent.py").write_text(ROBOT + head + body)
    (lab / "replies.json").write_text('["x"]')
    assert main(["run", "beep", "--robot", "own_absent:Absent", "--model", "scripted:replies.json", "--out", "run"]) == 3
    assert capsys.readouterr().err == "vlp: the arm is off. Switch it on.\n"


def test_a_run_tells_what_a_robot_of_ones_own_gave_back(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What wraps such a robot met the None first, and said that 'NoneType' has no attribute 'status'."""
    (lab / "own_silent.py").write_text(ROBOT + "class Silent(Beeper):\n    def execute(self, step):\n        return None\n")
    policy = {"goal": "it beeped", "subtasks": [{"name": "beep", "steps": [{"do": "beep", "times": 2}]}]}
    (lab / "replies.json").write_text(json.dumps([policy]))
    words = ["run", "beep twice", "--robot", "own_silent:Silent", "--model", "scripted:replies.json", "--out", "run"]
    assert main(words) == 1
    assert "the end of 'beep': it gave back None; expected a StepResult." in capsys.readouterr().err


CART = """
import time
import numpy as np
from vlp.core.observation import Observation, RobotState
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.skills import SkillRobot

PLANT, LITRES = Argument("plant", "place", "Which."), Argument("litres", "number", "How much.")
WATER = Primitive("water", "action", "Water it.", (PLANT, LITRES), needs=("at plant",), makes=("wet plant",))
LIFT = Primitive("lift", "action", "Lift it.", needs=("holding",))


class Cart(SkillRobot):
    simulated = ("place", "tank")

    def __init__(self):
        self.place, self.held, self.tank, self.log = "dock", "", 3.0, []
        super().__init__(make_manifest("cart", [STANDARD["go_to"], STANDARD["grasp"], WATER, LIFT], ["dock", "bed"]))

    def observe(self):
        state = RobotState(self.place, self.held)
        return Observation(np.zeros((48, 64, 3), np.uint8), None, None, None, state, time.monotonic())

    def go_to(self, place):
        self.place = place

    def grasp(self, target):
        self.held = target["phrase"]

    def water(self, plant, litres):
        self.log.append(plant)

    def lift(self):
        self.log.append("lift")


class Misspelt(Cart):
    def water(self, plant, liters):
        pass


class Demanding(Cart):
    def lift(self, speed):
        pass


class Forgetful(Cart):
    simulated = ("place", "tnk")
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Misspelt", "Misspelt.water(plant, liters) cannot be called with plant, litres, as its primitive declares"),
        ("Demanding", "Demanding.lift(speed) cannot be called with nothing"),
        ("Forgetful", "own_cart:Forgetful lists 'tnk' in `simulated`, and has no such attribute. Did you mean 'tank'?"),
    ],
)
def test_a_robot_that_cannot_work_is_no_ok(lab: Path, capsys: pytest.CaptureFixture[str], name: str, said: str) -> None:
    """The check said "ok" to a method that no step could call, and to a snapshot of an attribute that is not there."""
    (lab / "own_cart.py").write_text(CART)
    assert main(["robot", "check", "--no-moves", f"own_cart:{name}"]) == 2
    assert said in capsys.readouterr().err
    assert main(["robot", "check", "--no-moves", "own_cart:Cart"]) == 0, capsys.readouterr().err


def test_a_step_that_the_robots_own_state_forbids_is_refused(lab: Path) -> None:
    """`vlp robot do water` watered at the dock: what a primitive needs was looked at by policies alone."""
    (lab / "own_cart.py").write_text(CART)
    cart = own_robot("own_cart:Cart")
    refused = cart.execute(Step("water", {"plant": "bed", "litres": 1}, "a"))
    assert (refused.status, refused.code) == ("rejected", "unmet-need")
    assert "water needs 'at bed'; the robot stands at dock, its hand is empty." in refused.message
    assert cart.execute(Step("lift", {}, "b")).code == "unmet-need" and cart.log == []  # type: ignore[attr-defined]
    for place, key in (("bed", "c"), ("", "e")):  # a robot that names no place says nothing of where it stands
        cart.place = place  # type: ignore[attr-defined]
        watered = cart.execute(Step("water", {"plant": "bed", "litres": 1}, key))
        assert watered.status == "succeeded", watered
    cart.held = "cup"  # type: ignore[attr-defined]
    assert cart.execute(Step("lift", {}, "f")).status == "succeeded"


@pytest.mark.parametrize("name", ["stop", "reset_stop", "pause", "observe", "execute", "describe", "once", "_act", "health"])
def test_no_primitive_has_the_name_of_what_every_robot_has(name: str) -> None:
    """The step {"do": "stop"} of a policy closed the latch, and {"do": "reset_stop"} opened it."""
    manifest = make_manifest("cart", [Primitive(name, "action", "Do it.", example={})], ["dock"])

    class Cart(SkillRobot):
        def observe(self) -> Observation:
            raise NotImplementedError

    with pytest.raises(UsageError, match=f"Cart: no primitive can be called '{name}'"):
        Cart(manifest)
    if name in methods():
        robot = FakeRobot(manifest=manifest)
        assert f"'{name}' is what a robot's own method is called" in str(check_robot(robot)) and robot.log == []


def test_a_robot_that_is_latched_or_served_is_not_moved_in_process(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The latch was the port's: a run in process moved a robot that was latched, or served, elsewhere."""
    (lab / "replies.json").write_text('["x"]')
    name = "own_beeper:Beeper"
    commands = (["robot", "check", name], ["run", "beep", "--robot", name, "--model", "scripted:replies.json", "--out", "run"])
    with contextlib.closing(Record(default_path(name))) as record:
        for command in commands:
            assert main(command) == 2
            assert "has this robot already" in capsys.readouterr().err
        assert main(["robot", "serve", "--robot", name, "--port", "0"]) == 2
        assert "--record PATH" in capsys.readouterr().err
        assert main(["robot", "check", name, "--no-moves"]) == 0
        record.keep_stop("a hand in the way")
    for command in commands:
        assert main(command) == 2
        said = capsys.readouterr().err
        assert f"{name} is latched: a hand in the way." in said and f"`vlp robot serve --robot {name}`" in said
    with held_here("own_cart:Cart", object()), contextlib.closing(Record(default_path(name))) as record:
        record.keep_stop("")
    assert main(["robot", "check", name]) == 0


def test_two_runs_in_process_do_not_move_one_robot(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a robot that had been served once was held: two runs at once moved one that never was."""
    (lab / "replies.json").write_text('["x"]')
    name = "own_beeper:Beeper"
    assert not default_path(name).exists()
    with held_here(name, object()):
        for command in (
            ["robot", "check", name],
            ["run", "beep", "--robot", name, "--model", "scripted:replies.json", "--out", "run"],
            ["robot", "serve", "--robot", name, "--port", "0"],
        ):
            assert main(command) == 2
            assert "has this robot already" in capsys.readouterr().err
    assert main(["robot", "check", name]) == 0


def test_a_simulated_robot_of_ones_own_is_another_one_in_each_process(lab: Path) -> None:
    (lab / "own_cart.py").write_text(CART)
    with contextlib.closing(Record(default_path("own_cart:Cart"))):
        assert main(["robot", "check", "own_cart:Cart"]) == 0
