"""`vlp run` from end to end over HTTP, with a robot without a body and a scripted model."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cli_kit import GOOD
from rich.console import Console

from vlp.cli.keyboard import Keyboard
from vlp.cli.run import _stoppable
from vlp.core.errors import UsageError
from vlp.journal import read_events
from vlp.robot.serving import running_server
from vlp.runtime.confirming import Proposal
from vlp.sim.fake.robot import FakeRobot, Script

BALL = json.loads(json.dumps(GOOD).replace("red cube", "blue ball").replace("red_cube", "blue_ball"))
SAY = "put the red cube in the green bowl"


def _script(tmp_path: Path, *policies: dict) -> str:
    (tmp_path / "replies.json").write_text(json.dumps(policies))
    return f"scripted:{tmp_path / 'replies.json'}"


def test_a_run_over_http_ends_well_and_leaves_its_record(vlp, tmp_path):
    robot = FakeRobot()
    with running_server(robot) as at:
        told = vlp("run", SAY, "--robot", at.url, "--token", at.token, "--model", _script(tmp_path, GOOD), "--out", "r")
    assert told.status == 0, told.out + told.err
    assert robot.world.objects["red cube"].support == "green bowl"
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert (result["outcome"], result["verdict"]) == ("success", None)
    for name in ("report.html", "journal.db", "run.mp4", "run.rrd"):
        assert (tmp_path / "r" / name).stat().st_size > 0, name
    assert "written to r" in told.out and "\x1b" not in told.out, "a pipe gets plain lines"
    assert vlp("replay", "r").status == 0
    vlp("resume", "r").refused(2, "has ended")


def test_a_change_midway_becomes_a_second_policy(vlp, tmp_path):
    back = {"goal": "nothing is held", "subtasks": [{"name": "put it down", "steps": [{"do": "release"}]}]}
    model = _script(tmp_path, GOOD, back)
    with running_server(FakeRobot()) as at:
        remote = ("--robot", at.url, "--token", at.token, "--model", model)
        told = vlp("run", SAY, *remote, "--change", "2: no, put it down", "--out", "r", "--no-recordings")
    assert told.status == 0, told.out + told.err
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert [p["revision"] for p in result["policies"]] == [1, 2]
    assert result["instructions"] == [SAY, "no, put it down"] and result["triggers"][0]["name"] == "new-instruction"
    assert not (tmp_path / "r" / "run.mp4").exists()


def test_force_moves_what_was_there_aside(vlp, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "old.txt").write_text("old")
    with running_server(FakeRobot()) as at:
        remote = ("--robot", at.url, "--token", at.token, "--model", _script(tmp_path, GOOD), "--no-recordings")
        assert vlp("run", SAY, *remote, "--out", "r", "--force").status == 0
    assert (tmp_path / "r-before" / "old.txt").read_text() == "old"
    assert not (tmp_path / "r" / "old.txt").exists() and (tmp_path / "r" / "result.json").exists()


def test_what_cannot_be_done_and_what_fails_is_status_1(vlp, tmp_path):
    cannot = {"goal": "the pink cube is in the bowl", "cannot": "there is no pink cube"}
    with running_server(FakeRobot()) as at:
        remote = ("--robot", at.url, "--token", at.token, "--no-recordings")
        assert vlp("run", SAY, *remote, "--model", _script(tmp_path, cannot), "--out", "a").status == 1
        bad = ({"goal": 7}, {"goal": 7}, {"goal": 7})
        told = vlp("run", SAY, *remote, "--model", _script(tmp_path, *bad), "--out", "b")
    assert told.status == 1 and "Traceback" not in told.err
    assert json.loads((tmp_path / "b" / "result.json").read_text())["outcome"] == "failure"


def test_a_robot_server_that_dies_ends_in_one_line_and_keeps_the_journal(vlp, tmp_path):
    """A dead server must not be taken for a failed step: what the robot did is not known."""
    served = Path(__file__).with_name("robot_process.py")
    with subprocess.Popen([sys.executable, served, "secret-token", "mortal"], stdout=subprocess.PIPE, text=True) as robot:
        assert robot.stdout is not None
        url = robot.stdout.readline().strip()
        remote = ("--robot", url, "--token", "secret-token", "--model", _script(tmp_path, GOOD), "--no-recordings")
        told = vlp("run", SAY, *remote, "--out", "r")
        robot.kill()
    assert told.status == 3, told.out + told.err
    assert len(told.err.strip().splitlines()) == 1 and "cannot be reached" in told.err
    assert json.loads((tmp_path / "r" / "result.json").read_text())["outcome"] == "stopped"
    assert "vlp resume r" in told.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_robot_and_run_in_order(tmp_path, number):
    """Against: status 1, a failed task's, for a run that Ctrl-C ended while the robot moved."""
    robot = FakeRobot()
    robot.script("grasp", Script(delay_s=30.0))
    with running_server(robot) as at:
        argv = ["run", SAY, "--robot", at.url, "--model", _script(tmp_path, GOOD), "--out", "r", "--no-recordings"]
        environment = {**os.environ, "VLP_ROBOT_TOKEN": at.token}
        with subprocess.Popen(
            [sys.executable, "-m", "vlp.cli.main", *argv], cwd=tmp_path, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as run:  # fmt: skip
            _until(lambda: any(step.do == "grasp" for step in robot.log))
            run.send_signal(number)
            out, err = run.communicate(timeout=30)
    assert run.returncode == 128 + number and "Traceback" not in err, err
    assert "stopped" in out and "go on with: vlp resume r" in out and robot._stop.is_set()


def test_ctrl_c_at_the_question_whether_to_begin_is_a_stop_too(tmp_path):
    """Against: status 1 for Ctrl-C at the question of `--confirm always`."""
    with running_server(FakeRobot()) as at:
        argv = ["run", SAY, "--robot", at.url, "--model", _script(tmp_path, GOOD), "--out", "r", "--no-recordings"]
        with subprocess.Popen(
            [sys.executable, "-m", "vlp.cli.main", *argv, "--confirm", "always"], cwd=tmp_path, text=True,
            env={**os.environ, "VLP_ROBOT_TOKEN": at.token}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as run:  # fmt: skip
            _until(lambda: (tmp_path / "r" / "journal.db").exists() and _asked(tmp_path / "r"))
            run.send_signal(signal.SIGINT)
            assert run.wait(30) == 130
            assert run.stdout is not None and "go on with: vlp resume r" in run.stdout.read()


def _asked(out: Path) -> bool:
    with contextlib.suppress(UsageError):
        return bool(read_events(out, ["confirm-asked"], blobs=False))
    return False


def test_ctrl_c_at_a_doubt_ends_the_wait_for_a_line(typed, tmp_path):
    """Against: the first Ctrl-C at "Go on? (yes or no)" left the run waiting for a line."""
    _, keyboard = typed
    console, run = Console(file=io.StringIO()), _Run()
    with _stoppable(run, console, keyboard) as signals:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            keyboard.confirm("Go on?")
    assert signals == [signal.SIGINT] and run.stopped.wait(5) and not keyboard.confirming


def test_robot_commands_reach_a_served_robot(vlp, tmp_path, monkeypatch):
    robot = FakeRobot()
    with running_server(robot) as at:
        monkeypatch.setenv("VLP_ROBOT_TOKEN", at.token)
        assert "grasp(target)" in vlp("robot", "manifest", "--robot", at.url).out
        told = vlp("robot", "look", "--robot", at.url, "--out", "seen.png")
        assert told.status == 0 and "hand empty" in told.out and (tmp_path / "seen.png").stat().st_size > 0
        assert vlp("robot", "do", "grasp", "target=$red_cube", "--robot", at.url).status == 0
        assert robot.world.holding == "red cube"
        vlp("robot", "do", "gras", "--robot", at.url).refused(2, "Did you mean 'grasp'?")
        vlp("robot", "do", "lift", "height_m=9", "--robot", at.url).refused(2, "0.02, 0.3")
        vlp("robot", "do", "locate", "object=pink cube", "--robot", at.url).refused(1, "pink cube")
        vlp("robot", "do", "lift", "height_m", "--robot", at.url).refused(2, "NAME=VALUE")
        monkeypatch.setenv("VLP_ROBOT_TOKEN", "wrong")
        vlp("robot", "look", "--robot", at.url).refused(3, "refused")


class _Run:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.stopped = threading.Event()
        self.proposal: Proposal | None = None
        self.answers: list[tuple[str, str]] = []

    def answer(self, said: str, by: str) -> None:
        self.answers.append((said, by))
        self.proposal = None

    def instruct(self, text: str) -> str:
        if len(text) > 20:
            raise UsageError("too long.")
        self.said.append(text)
        return text

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def typed():
    """A terminal whose other end the test types at."""
    ours, theirs = os.openpty()
    yield ours, Keyboard(theirs)
    os.close(ours)
    os.close(theirs)


def test_typed_lines_are_instructions_answers_or_stop(typed):
    ours, keyboard = typed
    run, answers = _Run(), []
    with keyboard.listening(run):
        os.write(ours, b"put the ball\x7fll away\r")
        _until(lambda: run.said == ["put the balll away"])
        os.write(ours, b"x" * 30)
        _until(lambda: "xxx" in keyboard.line())
        os.write(ours, b"\r")
        _until(lambda: "too long" in keyboard.line())
        asked = threading.Thread(target=lambda: answers.append(keyboard.ask("which one?")))
        asked.start()
        _until(lambda: "which one?" in keyboard.line())
        os.write(ours, b"das rote\r")
        asked.join(5)
        os.write(ours, b"stop\r")
        assert run.stopped.wait(5)
    assert answers == ["das rote"] and run.said == ["put the balll away"]


def test_what_was_typed_before_listening_began_is_heard(typed):
    """A "stop" typed while the model was loaded was thrown away: every step ran, success, exit status 0."""
    ours, keyboard = typed
    run = _Run()
    os.write(ours, b"stop\r")
    with keyboard.listening(run):
        assert run.stopped.wait(5)


def test_a_question_ends_when_listening_ends(typed):
    _, keyboard = typed
    answers: list[str | None] = []
    with keyboard.listening(_Run()):
        asked = threading.Thread(target=lambda: answers.append(keyboard.ask("which one?")))
        asked.start()
    asked.join(5)
    assert answers == [None]


def _until(holds, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
