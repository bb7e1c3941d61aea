"""A check moves a robot only as it may: nothing that was not called safe, nothing that is latched, and no latch but its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from vlp.cli.main import main
from vlp.primitives.manifest import Primitive
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.access import Access, Grant
from vlp.robot.conformance import check_robot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import running_server
from vlp.sim.fake.robot import FakeRobot
from vlp.sim.worlds.tabletop.places import PLACES

OPERATE, RESET = "token-to-operate", "token-to-reset"
HOME = replace(STANDARD["home"], example={})


class Counting(FakeRobot):
    """Counts how often it is stopped and reset."""

    stops = resets = 0

    def stop(self) -> None:
        self.stops += 1
        super().stop()

    def reset_stop(self) -> None:
        self.resets += 1
        super().reset_stop()


@contextmanager
def served(robot: FakeRobot, operate: str = OPERATE, **more: Path) -> Iterator[tuple[str, httpx.Client]]:
    """Serve a robot; return its address and who may reset it."""
    access = Access.of(operate, RESET)
    with running_server(robot, access=access, **more) as at:  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {RESET}"}
        with httpx.Client(base_url=at.url, headers=headers, trust_env=False) as http:
            yield at.url, http


@pytest.mark.parametrize("token", [OPERATE, RESET])
@pytest.mark.parametrize("moves", [True, False])
def test_a_check_opens_no_latch_that_a_person_closed(token: str, moves: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The check opened the latch that a person had closed, and moved the robot, with --no-moves too."""
    robot = Counting()
    with served(robot, token) as (url, http):
        http.post("/stop", json={"reason": "a hand in the way"})
        before = robot.stops, robot.resets
        status = main(["robot", "check", url, "--token", token, *(() if moves else ("--no-moves",))])
        assert http.get("/health").json()["stopped"] and (robot.stops, robot.resets) == before and robot.log == []
    told = capsys.readouterr()
    if moves:
        assert status == 1 and "is latched: a hand in the way. A person who has looked at it resets it first" in told.err
    else:
        assert status == 0 and "not tried: stop and reset" in told.out


def test_who_may_not_reset_does_not_try_the_stop(capsys: pytest.CaptureFixture[str]) -> None:
    """With the usual token a sound robot was said to break its contract, and was left latched."""
    robot = Counting()
    with served(robot) as (url, http):
        assert main(["robot", "check", url, "--token", OPERATE]) == 0
        health = http.get("/health").json()
        assert not health["stopped"] and health["roles"] == ["observe", "stop", "reset"]
        assert (robot.stops, {step.do for step in robot.log}) == (0, {"home"})
    assert "not tried: stop and reset: this token may not reset." in capsys.readouterr().out


def test_who_may_reset_tries_the_stop_once_and_leaves_the_robot_ready() -> None:
    robot = Counting()
    with served(robot, RESET) as (url, http):
        assert main(["robot", "check", url, "--token", RESET]) == 0
        assert (robot.stops, robot.resets, http.get("/health").json()["stopped"]) == (1, 1, False)


def test_a_robot_that_another_one_holds_or_that_the_token_may_not_move_is_not_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    robot = Counting()
    access = Access([Grant.of(OPERATE, ("operate",)), Grant.of("token-to-look", ("observe",))])
    with running_server(robot, access=access) as at:
        assert main(["robot", "check", at.url, "--token", "token-to-look"]) == 3
        assert "may observe, not operate" in capsys.readouterr().err
        assert main(["robot", "check", at.url, "--token", "token-to-look", "--no-moves"]) == 0
        headers = {"Authorization": f"Bearer {OPERATE}"}
        httpx.post(f"{at.url}/lease", json={"holder": "planner", "ttl_s": 60}, headers=headers, trust_env=False)
        assert main(["robot", "check", at.url, "--token", OPERATE]) == 3
        assert "planner holds the robot" in capsys.readouterr().err
    assert robot.log == []


def test_a_robot_that_is_stopped_meanwhile_is_not_ok_and_stays_stopped() -> None:
    """Steps that a latch refused were counted as tried: "ok" for nothing; and the check opened that latch."""

    class StoppedByHand(Counting):
        def execute(self, step: Step) -> StepResult:
            if step.do == "home":
                self._stop.set()
            return super().execute(step)

    robot = StoppedByHand()
    assert "/execute/home: not tried, nor what comes after it: " in str(check_robot(robot))
    assert (robot.stops, robot.resets) == (0, 0)


def test_only_what_is_called_safe_is_carried_out_and_never_what_cannot_be_undone() -> None:
    """An action without arguments was carried out unasked, even one that cannot be undone."""
    own = [
        HOME,
        Primitive("open_valve", "action", "Open it."),
        Primitive("flush", "action", "Flush.", example={}, final=True),
        Primitive("weigh", "perception", "Weigh."),
    ]

    class Plant(FakeRobot):
        def _carry_out(self, do: str, arguments: dict) -> tuple[dict, None]:
            return arguments, None

    robot = Plant(manifest=make_manifest("plant", own, PLACES))
    assert str(check_robot(robot)) == "ok"
    assert {step.do for step in robot.log} == {"home", "weigh"}


@pytest.mark.parametrize(
    "wrong", [Primitive("open", "action", "Open.", needs=("opne",)), replace(HOME, name="bow", example={"deep": 1})]
)
def test_a_robot_whose_manifest_is_refused_is_not_moved(wrong: Primitive) -> None:
    """The check moved a robot whose manifest it had refused already."""
    robot = Counting(manifest=make_manifest("wrong", [HOME, wrong], PLACES))
    assert not check_robot(robot).ok
    assert (robot.log, robot.stops) == ([], 0)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("method", ["describe", "observe", "execute", "stop"])
def test_what_ends_a_program_is_one_line_of_the_report(
    method: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that raised SystemExit passed the check; KeyboardInterrupt ended it as if a person had pressed Ctrl-C."""
    robot = FakeRobot()

    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr(robot, method, raises)
    assert f"/{method}: it raised {type(error).__name__}" in str(check_robot(robot))


def test_the_log_says_who_was_refused_and_no_look_that_came_too_early(tmp_path: Path) -> None:
    """The log did not say whose token lacked the role; a client that looked while a step ran wrote 19 lines a second."""
    robot = FakeRobot()
    with served(robot, record=tmp_path / "r.db") as (url, http):
        assert http.post("/lease", json={"holder": "x"}).status_code == 403
        headers = {"Authorization": f"Bearer {OPERATE}"}
        epoch = httpx.post(f"{url}/lease", json={"holder": "x"}, headers=headers, trust_env=False).json()["epoch"]
        free = threading.Event()
        monkey = robot.execute
        robot.execute = lambda step: (free.wait(5), monkey(step))[1]  # type: ignore[method-assign]
        step = {"primitive": "home", "key": "k", "epoch": epoch}
        assert httpx.post(f"{url}/executions", json=step, headers=headers, trust_env=False).status_code == 202
        assert {http.get("/observation").status_code for _ in range(5)} == {409}
        assert http.get("/executions/none").status_code == 404
        free.set()
    lines = [json.loads(line) for line in (tmp_path / "r.audit.jsonl").read_text().splitlines()]
    assert ("observe+reset+stop", "wrong-role") in {(line["by"], line.get("code")) for line in lines}
    assert {line["status"] for line in lines} == {403, 200, 202, 404}
