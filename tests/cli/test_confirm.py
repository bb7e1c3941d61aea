"""`--confirm always`: a person at a terminal or lines on standard input say yes before anything moves."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_kit import GOOD

from vlp.cli.keyboard import Keyboard, Lines
from vlp.core.errors import UsageError
from vlp.journal import Event, read_events
from vlp.robot.serving import running_server
from vlp.runtime.confirming import EditedText, Proposal
from vlp.sim.fake.robot import FakeRobot

SAY = "put the red cube in the green bowl"
BALL = json.dumps(GOOD).replace("red cube", "blue ball").replace("red_cube", "blue_ball")
PROPOSAL = Proposal(1, "the red cube is in the green bowl", ("1.1 locate red cube",), (), json.dumps(GOOD, indent=1))


def _until(holds, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def _vlp(tmp_path: Path, robot: FakeRobot, said: str | None) -> subprocess.CompletedProcess[str]:
    """Run `vlp` against a served robot, with `said` piped in; None for /dev/null."""
    (tmp_path / "replies.json").write_text(json.dumps([GOOD]))
    words = ["run", SAY, "--model", f"scripted:{tmp_path / 'replies.json'}", "--out", "r", "--confirm", "always"]
    with running_server(robot) as at:
        return _called([*words, "--robot", at.url, "--no-recordings"], tmp_path, at.token, said)


def _called(words: list[str], tmp_path: Path, token: str, said: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vlp.cli.main", *words], cwd=tmp_path, env={**os.environ, "VLP_ROBOT_TOKEN": token}, text=True,
        timeout=60, capture_output=True, check=False, input=said, stdin=subprocess.DEVNULL if said is None else None,
    )  # fmt: skip


def test_a_piped_yes_starts_the_run_and_the_steps_were_shown_before(tmp_path):
    robot = FakeRobot()
    told = _vlp(tmp_path, robot, "\nyes\n")
    assert told.returncode == 0, told.stdout + told.stderr
    assert robot.world.objects["red cube"].support == "green bowl"
    shown, asked, said = (told.stdout.find(words) for words in ("· 1.2 grasp $red_cube", "carry out policy 1", "yes (standard"))
    assert -1 < told.stdout.find("understood") < shown < asked < said < told.stdout.find("step ")


def test_a_piped_policy_takes_the_place_of_the_one_shown(tmp_path):
    robot = FakeRobot()
    told = _vlp(tmp_path, robot, f"{BALL}\nyes\n")
    assert told.returncode == 0, told.stdout + told.stderr
    assert robot.world.objects["blue ball"].support == "green bowl"


def test_a_piped_yes_behind_a_refused_edit_agrees_to_nothing(tmp_path):
    """Against: the edit was refused, the question stayed, and the yes that was meant for it started the unedited policy."""
    robot = FakeRobot()
    told = _vlp(tmp_path, robot, f"{BALL.replace('grasp', 'gras')}\nyes\n")
    assert told.returncode == 1 and "not confirmed, no (a line of standard input that was not taken)" in told.stdout
    assert "Did you mean 'grasp'?" in told.stderr and len(told.stderr.splitlines()) == 1
    assert not read_events(tmp_path / "r", ["step-started"], blobs=False)


def test_a_piped_stop_is_a_stop_and_not_the_end_of_the_input(tmp_path):
    """Against: the end of the input overtook the line, and the run ended as one that was not confirmed."""
    robot = FakeRobot()
    told = _vlp(tmp_path, robot, "stop\n")
    assert told.returncode == 1 and "tells the robot to stop" in told.stdout, told.stdout + told.stderr
    assert "not confirmed" not in told.stdout and robot._stop.is_set()


def test_a_piped_line_that_is_not_utf_8_is_a_no():
    """Against: a wrong byte ended the thread that answers, the lines after it were lost, and the run waited for ever."""
    run = _Asked()
    lines = Lines(io.TextIOWrapper(io.BytesIO(b"y\xffs\nyes\n"), encoding="utf-8", errors="strict"))
    with contextlib.redirect_stderr(io.StringIO()) as told, lines.listening(run):  # type: ignore[arg-type]
        lines.on_event(Event("confirm-asked", {"revision": 1, "text": "", "steps": [], "final": []}))
        _until(lambda: run.answers)
    assert run.answers == [(False, "a line of standard input that was not taken")]
    assert "the line is not UTF-8" in told.getvalue() and len(told.getvalue().splitlines()) == 1


@pytest.mark.parametrize("said", ["no\n", ""])
def test_a_no_or_the_end_of_the_input_moves_nothing(tmp_path, said: str):
    robot = FakeRobot()
    told = _vlp(tmp_path, robot, said)
    by = "standard input" if said else "the end of standard input"
    assert told.returncode == 1 and f"stopped: not confirmed, no ({by})" in told.stdout, told.stdout + told.stderr
    assert not read_events(tmp_path / "r", ["step-started"], blobs=False) and not robot._stop.is_set()


def test_a_piped_yes_to_a_resumed_run_answers_its_question_and_no_older_one(tmp_path):
    """Against: the line was read for the question of the past, "nobody is asked anything now", and the live one got a no."""
    robot = FakeRobot()
    (tmp_path / "replies.json").write_text(json.dumps([GOOD]))
    with running_server(robot) as at:
        first = ["run", SAY, "--model", f"scripted:{tmp_path / 'replies.json'}", "--out", "r", "--confirm", "always"]
        assert _called([*first, "--robot", at.url, "--no-recordings"], tmp_path, at.token, "no\n").returncode == 1
        for said, status in (("no\n", 1), ("yes\n", 0)):  # asked twice before it is asked the third time
            told = _called(["resume", "r"], tmp_path, at.token, said)
            assert told.returncode == status and not told.stderr, told.stdout + told.stderr
    assert robot.world.objects["red cube"].support == "green bowl"


def test_a_line_is_read_only_while_its_question_is_open():
    """Against: a line that was read for a question of the past, shown again when a run was taken over."""
    run = _Asked(None)
    lines = Lines(io.StringIO("yes\n"))
    with contextlib.redirect_stderr(io.StringIO()) as told, lines.listening(run):  # type: ignore[arg-type]
        for _ in range(3):
            lines.on_event(Event("confirm-asked", {"revision": 1, "text": "", "steps": [], "final": []}))
        time.sleep(0.2)
        run.proposal = PROPOSAL
        lines.on_event(Event("confirm-asked", {"revision": 1, "text": "", "steps": [], "final": []}))
        _until(lambda: run.answers)
    assert run.answers == [("yes", "standard input")] and not told.getvalue()


def test_where_nobody_can_answer_nothing_is_begun(tmp_path):
    """A run under cron or in a container without a terminal must not wait for ever, nor go on unasked."""
    robot = FakeRobot()
    told = _vlp(tmp_path, robot, None)
    assert told.returncode == 2 and "echo yes | vlp run" in told.stderr and len(told.stderr.splitlines()) == 1
    assert not (tmp_path / "r").exists() and not robot.log


class _Asked:
    """A run that asks, and refuses what holds "bad"."""

    def __init__(self, proposal: Proposal | None = PROPOSAL) -> None:
        self.proposal, self.answers, self.said = proposal, list[tuple[str | EditedText, str]](), list[str]()

    def answer(self, said: str | EditedText, by: str, revision: int | None = None) -> None:
        assert revision == PROPOSAL.revision or not said
        if "bad" in str(said):
            raise UsageError("bad.")
        self.answers.append((said, by))
        self.proposal = None

    def instruct(self, text: str) -> str:
        self.said.append(text)
        return text

    def stop(self, reason: str) -> None:
        raise AssertionError("nobody said so")


@pytest.fixture
def typed():
    """A terminal whose other end the test types at."""
    ours, theirs = os.openpty()
    yield ours, Keyboard(theirs)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("line", ["yes", "no", "stop", "put the blue ball there"])
def test_a_line_typed_while_asked_is_the_answer(typed, line: str):
    ours, keyboard = typed
    run = _Asked()
    with keyboard.listening(run):
        assert "Carry this out?" in keyboard.line()
        os.write(ours, f"{line}\r".encode())
        _until(lambda: run.answers)
        assert "Carry this out?" not in keyboard.line()
    assert run.answers == [(line, "terminal")]


def test_a_line_that_waited_for_a_step_is_taken_back_once_it_is_taken(typed):
    """The line "after this step: ..." stood there for 20 s and more after the instruction was under way."""
    ours, keyboard = typed
    with keyboard.listening(_Asked(None)):
        os.write(ours, b"put the blue ball there\r")
        _until(lambda: "after this step: put the blue ball there" in keyboard.line())
        keyboard.on_event(Event("instruction", {"text": "put the blue ball there", "source": "person"}))
        assert "after this step" not in keyboard.line()


def test_a_yes_typed_before_the_question_agrees_to_nothing(typed):
    """Typed while the model still wrote, "yes" was a new instruction that nobody understood, and ended the run."""
    ours, keyboard = typed
    run = _Asked(None)
    with keyboard.listening(run):
        os.write(ours, b"yes\r")
        _until(lambda: "nobody is asked now" in keyboard.line())
    assert not run.answers and not run.said


def test_a_yes_typed_before_the_policy_was_shown_does_not_count(typed):
    ours, keyboard = typed
    run = _Asked()
    with keyboard.listening(run):
        os.write(ours, b"yes\r")
        _until(lambda: keyboard._said)
        assert "typed before policy 1 was shown" in keyboard.line() and not run.answers


def test_lines_typed_before_a_refusal_was_shown_do_not_count(typed):
    """Against: a pasted policy was refused, and the yes behind it in the same paste started the one that was shown."""
    ours, keyboard = typed
    run = _Asked()
    with keyboard.listening(run):
        os.write(ours, b'{"bad": 1}\ryes\r')
        _until(lambda: "Not taken either" in keyboard._said)
        assert run.proposal is not None and "bad." in keyboard.line()
        os.write(ours, b"yes\r")
        _until(lambda: run.answers)
    assert run.answers == [("yes", "terminal")]


def test_edit_opens_the_persons_editor_and_a_refused_edit_is_opened_again_as_it_was_left(typed, tmp_path, monkeypatch):
    ours, keyboard = typed
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n"
        "file.write_text(text.replace('bad', 'blue') if 'bad' in text else text.replace('red', 'bad'), encoding='utf-8-sig')\n"
    )
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    run = _Asked()
    with keyboard.listening(run):
        os.write(ours, b"edit\r")
        _until(lambda: "bad." in keyboard.line())
        assert run.proposal is not None and not run.answers
        os.write(ours, b"edit\r")
        _until(lambda: run.answers)
    assert run.answers == [(EditedText(PROPOSAL.policy.replace("red", "blue")), "terminal")]


@pytest.mark.parametrize(
    ("editor", "why"), [("true", "left the policy as it is"), ("false", "status 1"), ("no-such-editor", "cannot be started")]
)
def test_an_editor_that_changes_nothing_or_fails_says_so(typed, monkeypatch, editor: str, why: str):
    ours, keyboard = typed
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    run = _Asked()
    with keyboard.listening(run):
        os.write(ours, b"edit\r")
        _until(lambda: why in keyboard.line())
    assert run.proposal is not None and not run.answers


@pytest.mark.parametrize(
    ("editor", "why"),
    [
        ("vi 'x", "cannot be split into words"),
        ("   ", "names no editor"),
        ("rm", "left no file"),
        ("sh -c 'rm $0; mkdir $0'", "left no file"),
        (None, "RuntimeError: a fault in a line"),
    ],
)
def test_after_a_bad_editor_or_a_fault_a_no_is_heard(typed, monkeypatch, editor: str | None, why: str):
    """Against: each of them ended the thread that reads the keyboard, and "no" and "stop" were dead."""
    ours, keyboard = typed
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor or "true")
    if editor is None:
        monkeypatch.setattr("vlp.cli.keyboard.edited", _faulty)
    run = _Asked()
    with keyboard.listening(run):
        os.write(ours, b"edit\r")
        _until(lambda: why in keyboard.line())
        assert run.proposal is not None and not run.answers
        os.write(ours, b"no\r")
        _until(lambda: run.answers)
    assert run.answers == [("no", "terminal")]


def _faulty(*_: object) -> str:
    raise RuntimeError("a fault\nin a line")


def test_the_end_of_the_run_closes_the_editor(typed, monkeypatch):
    ours, keyboard = typed
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} -c 'import time; time.sleep(60)'")
    begin_s = time.monotonic()
    with keyboard.listening(_Asked()):
        os.write(ours, b"edit\r")
        time.sleep(0.5)
    assert time.monotonic() - begin_s < 5
