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
from dataclasses import replace
from pathlib import Path

import pytest
from cli_kit import GOOD, as_in_a_terminal
from rich.console import Console

from vlp.cli.keyboard import Keyboard
from vlp.cli.run import _stoppable, launch
from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.journal import read_events
from vlp.models.protocol import Capabilities
from vlp.models.scripted import ScriptedModel
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.serving import running_server
from vlp.runtime.confirming import EditedText, Proposal
from vlp.runtime.loop import Change
from vlp.runtime.run import Spec
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


def test_a_directory_with_brackets_is_no_markup(vlp, tmp_path):
    """A run that had succeeded ended in a traceback of what prints its directory."""
    with running_server(FakeRobot()) as at:
        remote = ("--robot", at.url, "--token", at.token, "--model", _script(tmp_path, GOOD), "--no-recordings")
        told = vlp("run", SAY, *remote, "--out", "o[/b]")
    assert told.status == 0 and "written to o[/b]" in told.out, told.err


def test_an_argument_given_twice_is_refused(vlp):
    """`place=desk place=dock` drove to the dock without a word."""
    with running_server(FakeRobot()) as at:
        remote = ("--robot", at.url, "--token", at.token)
        vlp("robot", "do", "go_to", "place=bin", "place=table", *remote).refused(2, "'place' is given twice")


def test_what_a_robot_says_of_itself_moves_no_cursor(vlp):
    robot = FakeRobot()
    odd = Primitive("wipe", "action", "Wipe\x1b[2J\nthe table.")
    robot.describe = lambda: make_manifest("evil\x1b]0;x\x07", [odd])
    with running_server(robot) as at:
        told = vlp("robot", "manifest", "--robot", at.url, "--token", at.token)
    assert told.status == 0 and "wipe" in told.out
    assert all(c.isprintable() or c == "\n" for c in told.out) and len(told.out.splitlines()) == 3


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
        told = vlp("run", SAY, *remote, "--out", "r", "--force")
    assert told.status == 0 and f"moved what was in r to {tmp_path / 'r-before'}" in told.out
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_robot_and_run_in_order(tmp_path, number):
    """Against: status 1, a failed task's, for a run that Ctrl-C ended while the robot moved."""
    robot = FakeRobot()
    robot.script("grasp", Script(delay_s=30.0))
    with running_server(robot) as at:
        argv = ["run", SAY, "--robot", at.url, "--model", _script(tmp_path, GOOD), "--out", "r", "--no-recordings"]
        environment = {**os.environ, "VLP_ROBOT_TOKEN": at.token}
        with as_in_a_terminal(), subprocess.Popen(
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
        with as_in_a_terminal(), subprocess.Popen(
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


def test_what_a_robot_does_not_know_is_not_printed_or_asked_of_it(vlp, monkeypatch):
    """Against: "base x 0.00 m" of a robot that gave no pose, "unknown primitive 'locate'" for show weight='$w'."""
    show = Primitive(
        "show", "action", "Show.", (Argument("sentence", "text", "What."), Argument("weight", "number", "How much."))
    )
    robot = FakeRobot(manifest=make_manifest("shower", [show]))
    with running_server(robot) as at:
        monkeypatch.setenv("VLP_ROBOT_TOKEN", at.token)
        assert "base" not in vlp("robot", "look", "--robot", at.url).out
        seen = robot.observe()
        posed = replace(seen, state=replace(seen.state, base_in_world=(0.5, 0.0, 0.0)))
        monkeypatch.setattr(robot, "observe", lambda: posed)
        assert "base x 0.50 m" in vlp("robot", "look", "--robot", at.url).out
        told = vlp("robot", "do", "show", "sentence=hi", "weight=$w", "--robot", at.url)
        told.refused(2, "weight='$w'", "what locate finds", "no locate")


@pytest.fixture
def rover(tmp_path) -> str:
    """A robot of one's own in the present directory, by its name."""
    (tmp_path / "cli_rover.py").write_text((Path(__file__).parents[2] / "examples" / "rover.py").read_text())
    return "cli_rover:Rover"


GO = {"goal": "it is in the hall", "subtasks": [{"name": "go", "steps": [
    {"do": "go_to", "place": "hall"}, {"do": "report", "message": "here"}]}]}  # fmt: skip


def test_a_robot_of_ones_own_stands_in_no_world(vlp, tmp_path, rover, monkeypatch):
    """Against: "tabletop 0" and a grounder for a robot that is not simulated and has no depth camera."""
    told = vlp("run", "go to the hall", "--robot", rover, "--model", _script(tmp_path, GO), "--out", "r", "--no-recordings")
    assert told.status == 0 and "tabletop" not in told.out, told.out + told.err
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert (result["robot"], result["world"]) == (rover, "") and "grounder" not in result["options"]
    assert "tabletop" not in (tmp_path / "r" / "report.html").read_text()
    monkeypatch.setattr("vlp.robot.serving.serve", lambda *given: given[-1]())
    assert f"{rover} at http://" in vlp("robot", "serve", "--robot", rover).out
    assert "hsr in tabletop 0 at http://" in vlp("robot", "serve", "--grounder", "none").out


@pytest.mark.parametrize("option", [("--world", "tabletop"), ("--seed", "4"), ("--grounder", "oracle")])
@pytest.mark.parametrize(
    "words", [("run", "go to the hall", "--out", "r", "--model", "scripted:none.json"), ("robot", "serve")]
)
def test_what_is_of_a_simulated_scene_is_refused_for_another_robot(vlp, rover, words, option):
    """They passed, and did nothing."""
    vlp(*words, "--robot", rover, *option).refused(
        2, f"{' '.join(option)} is of a simulated scene", f"{rover!r} stands in none"
    )


def test_the_manifest_shows_types_bounds_defaults_needs_and_effects(vlp, rover):
    """It showed names alone: nobody could tell what `vlp robot do` wants, nor what cannot be undone."""
    out = vlp("robot", "manifest", "--robot", rover).out
    lines = [line.strip() for line in out.splitlines()]
    assert "place: a place" in lines and "needs open door, at hall; makes not open door" in lines
    assert any(line.startswith("door: ") for line in lines) and any("bounded by base_speed_m_s" in line for line in lines)


def test_a_server_without_a_port_prints_no_token(vlp, rover):
    """URL and token were printed, and then the port was refused."""
    told = vlp("robot", "serve", "--robot", rover, "--port", "99999")
    told.refused(2, "port 99999")
    assert not told.out


def test_files_of_a_robot_that_exist_are_told_in_the_plural(vlp):
    """Against: "house_bot.py, test_house_bot.py exists already"."""
    assert vlp("robot", "new", "house_bot").status == 0
    vlp("robot", "new", "house_bot").refused(2, "house_bot_replies.json exist already")
    vlp("robot", "check", "house_bot").refused(2, "house_bot:HouseBot", "module:Class")


UNREAD = ("--model", "scripted:none.json", "--out", "r")
"""A model that there is not: what is told before it is told before anything is opened."""


def test_a_misspelt_class_of_ones_own_is_told_before_the_model_is_opened(vlp, rover):
    """Against: the nearest class was offered once the model had been loaded."""
    told = vlp("run", "go to the hall", "--robot", f"{rover[:-1]}", *UNREAD)
    told.refused(2, "cli_rover has no class 'Rove'", "Did you mean 'Rover'?")


@pytest.mark.parametrize("robot", ["cli_rover:Rover", "http://127.0.0.1:9"])
def test_scripted_events_of_a_robot_that_is_not_simulated_are_refused_at_once(vlp, rover, robot: str):
    """Against: robot and model were opened first, and then "this robot's world takes no events"."""
    told = vlp("run", "go to the hall", "--robot", robot, "--event", "2: knock", *UNREAD)
    told.refused(2, "--event 'knock'", repr(robot), "Simulated robots: hsr", "--change")


@pytest.mark.parametrize("world", ["", "tabletop"])
def test_a_run_of_ones_own_robot_is_resumed(vlp, tmp_path, rover, world):
    """Also one whose journal says the world that older versions wrote."""
    model, stop = _script(tmp_path, GO), Change.parse("1: stop", instruction=True)
    told = {"grounder": "vision", "recordings": False}
    launch(tmp_path / "r", Spec(Instruction.of("go to the hall"), rover, world, model, changes=(stop,), options=told))
    assert json.loads((tmp_path / "r" / "result.json").read_text())["outcome"] == "stopped"
    told = vlp("resume", "r")
    assert told.status == 0, told.out + told.err


def test_a_model_made_for_another_robot_is_refused_before_anything_is_moved(vlp, tmp_path, rover, monkeypatch):
    """Against: film and recording made and the directory moved first, and a line of rerun's behind the message."""

    class Other(ScriptedModel):
        can = Capabilities(made_for={"primitives": ["wave"], "places": []})

    monkeypatch.setattr("vlp.cli.run.open_chosen", lambda *_, **__: Other([]))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "run.mp4").write_text("a film")
    vlp("run", SAY, "--robot", rover, "--out", "kept", "--force").refused(2, "another robot")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["run.mp4"]
    assert not (tmp_path / "kept-before").exists()


class _Run:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.stopped = threading.Event()
        self.proposal: Proposal | None = None
        self.answers: list[tuple[str | EditedText, str]] = []

    def answer(self, said: str | EditedText, by: str, revision: int | None = None) -> None:
        self.answers.append((said, by))
        self.proposal = None

    def instruct(self, text: str) -> str:
        if len(text) > 20:
            raise UsageError("too long.")
        self.said.append(text)
        return text

    def stop(self, reason: str = "") -> None:
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
