"""However a robot, a reader or a person ends a run: it is told, the exit status is right, and nothing hangs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_kit import as_in_a_terminal

from vlp.cli import run as command

OWN = """
import os, sys, time
import numpy as np
from vlp.core.observation import Observation, RobotState
from vlp.primitives.manifest import Argument, Limits, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.protocol import StepResult

MANIFEST = make_manifest("own", [Primitive("say", "action", "Say.", (Argument("words", "text", "What."),))], (), Limits())

class Own:
    calls = 0
    def describe(self): return MANIFEST
    def observe(self):
        state = RobotState(own={"note": "a\\u202eb"})
        return Observation(np.zeros((48, 64, 3), np.uint8), None, None, None, state, time.monotonic())
    def execute(self, step): return StepResult(step.key, "succeeded", done={"said": "a\\u202eb\\u2066"})
    def stop(self): pass

class Slow(Own):
    def execute(self, step):
        print("moving", flush=True)
        time.sleep(0.5)
        return super().execute(step)

class Deaf(Own):
    def execute(self, step):
        open("moving", "w").close()
        time.sleep(600)
    def stop(self):
        open("stopping", "w").close()
        time.sleep(600)

class CloseFails(Own):
    def close(self): raise RuntimeError("no \\x1b[31m line")

class CloseExits(Own):
    def execute(self, step): return StepResult(step.key, "failed", code="broken", message="broken")
    def close(self): raise SystemExit(0)

class CloseHangs(Own):
    def close(self): time.sleep(600)

class DescribeExits(Own):
    def describe(self):
        Own.calls += 1
        if Own.calls > 4: raise SystemExit(0)
        return MANIFEST

class Elsewhere(Own):
    def execute(self, step):
        os.chdir("/")
        return super().execute(step)
"""
SAY = {"goal": "it is said", "subtasks": [{"name": "n", "steps": [{"do": "say", "words": w} for w in ("a", "b", "c")]}]}


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of a run with a scripted model in the present directory; a robot is to be named."""
    monkeypatch.chdir(tmp_path)
    name = f"ending_{os.urandom(4).hex()}"
    Path(f"{name}.py").write_text(OWN)
    Path("script.json").write_text(json.dumps([SAY]))
    return ["run", "say it", "--model", "scripted:script.json", "--out", "r", "--no-recordings", "--robot", f"{name}:"]


def of(words: list[str], robot: str) -> list[str]:
    return [*words[:-1], f"{words[-1]}{robot}"]


def result() -> dict:
    return json.loads(Path("r", "result.json").read_text())


def piped(words: list[str], **streams) -> subprocess.Popen:
    with as_in_a_terminal():
        return subprocess.Popen([sys.executable, "-m", "vlp.cli.main", *words], stdin=subprocess.DEVNULL, text=True, **streams)


def test_a_robot_that_ends_the_program_when_it_describes_itself_is_a_fault(vlp, words):
    """Exit status 0 and not a word: its SystemExit(0) was taken for the parser's."""
    vlp(*of(words, "DescribeExits")).refused(1, "the robot ended the program (SystemExit: 0)")


@pytest.mark.parametrize(
    ("robot", "why", "outcome"),
    [
        ("CloseFails", "RuntimeError: no [31m line", "success"),
        ("CloseExits", "SystemExit: 0", "stopped"),
        ("CloseHangs", "it did not return within 0.2 s", "success"),
    ],
)
def test_a_close_that_fails_is_told_and_is_no_success(vlp, words, monkeypatch, robot: str, why: str, outcome: str):
    """A traceback after a good run, exit status 0 after a bad one, or no end at all."""
    monkeypatch.setattr(command, "CLOSE_S", 0.2)
    told = vlp(*of(words, robot))
    assert told.status != 0 and f"vlp: the robot's close failed: {why}; look at the robot." in told.err
    assert result()["outcome"] == outcome and "Traceback" not in told.err


def test_a_reader_that_goes_away_does_not_end_the_run(words):
    """`vlp run ... | head -3` ended the run midway: the robot was not stopped, and there was no report."""
    with piped(of(words, "Slow"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        err = run.stderr.read()
    assert run.returncode == 0, err
    assert err == "vlp: note: nothing more is shown: Broken pipe; the run goes on.\n"
    assert result()["outcome"] == "success" and Path("r", "report.html").exists()


@pytest.mark.parametrize("argv", [["replay", "r"], ["robot", "manifest", "--robot", "hsr"], ["--help"]])
def test_a_full_disk_behind_the_output_is_one_line(vlp, words, argv: list[str]):
    """`>/dev/full` was a traceback."""
    assert vlp(*of(words, "Own")).status == 0
    with open("/dev/full", "w") as full, piped(argv, stdout=full, stderr=subprocess.PIPE) as process:
        _, err = process.communicate()
    assert (process.returncode, err) == (3, "vlp: standard output cannot be written: No space left on device.\n")


def test_a_full_disk_behind_the_output_does_not_end_a_run(words):
    with open("/dev/full", "w") as full, piped(of(words, "Own"), stdout=full, stderr=subprocess.PIPE) as run:
        _, err = run.communicate()
    assert run.returncode == 0 and err.count("\n") == 1 and "No space left on device; the run goes on" in err, err
    assert result()["outcome"] == "success"


def test_the_second_ctrl_c_ends_it_whatever_hangs(words):
    """A stop that hung kept the second Ctrl-C, which is meant to end the program, from ending it."""
    with piped(of(words, "Deaf"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        for seen in ("moving", "stopping"):
            while not Path(seen).exists() and run.poll() is None:
                time.sleep(0.02)
            run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and err == "vlp: ended at once; look at the robot, it may not have stopped.\n"


def test_a_robot_that_goes_to_another_directory_loses_no_report(vlp, words, tmp_path):
    """The report was looked for, and not found, in the directory that the robot had gone to."""
    told = vlp(*of(words, "Elsewhere"))
    os.chdir(tmp_path)
    assert told.status == 0 and "written to r: report.html, result.json, journal.db" in told.out, told.out + told.err


def test_what_turns_the_direction_of_text_stands_nowhere_raw(vlp, words):
    """U+202E and U+2066 of a robot stood in report.html and result.json, and an ESC of --out in the terminal."""
    words = [*of(words, "Own")]
    words[words.index("r")] = "r\x1b[31m"
    told = vlp(*words)
    assert told.status == 0 and "written to r [31m: report.html" in told.out and "\x1b" not in told.out
    for name in ("report.html", "result.json"):
        text = Path("r\x1b[31m", name).read_text()
        assert not set("\u202e\u2066\x1b") & set(text)
    step = json.loads(Path("r\x1b[31m", "result.json").read_text())["policies"][0]["steps"][0]
    assert step["result"]["done"] == {"said": "a\u202eb\u2066"}, "it is escaped, not lost"


def test_a_script_of_replies_goes_on_where_it_was(vlp, words):
    """`vlp resume` began the script again with its first reply, and did its finished steps again."""
    Path("script.json").write_text(json.dumps([SAY, {"goal": "it is said", "cannot": "enough"}]))
    assert vlp(*of(words, "Own"), "--change", "1: stop").status == 1
    told = vlp("resume", "r")
    assert told.status == 1 and result()["account"] == "failure: gave up: enough", told.out + told.err


def test_a_run_without_an_end_is_refused(vlp, words):
    """`--timeout-s inf` was a traceback: the journal holds no infinite numbers."""
    vlp(*of(words, "Own"), "--timeout-s", "inf").refused(2, "--timeout-s inf")
