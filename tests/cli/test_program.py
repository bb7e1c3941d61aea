"""A process ends as a shell expects it to, whenever and however it is interrupted."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import as_in_a_terminal


def command(tmp_path: Path, body: str, inherits: bool = False) -> subprocess.Popen[str]:
    """Start a program with one command of the test's own, which prints "ready" when it may be interrupted."""
    (tmp_path / "own.py").write_text(body)
    code = "import sys; from vlp.cli import main; main.COMMANDS['own'] = ('own:own', ''); sys.exit(main.main())"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with contextlib.nullcontext() if inherits else as_in_a_terminal():
        return subprocess.Popen([sys.executable, "-c", code, "own"], env=env, cwd=tmp_path, **pipes)


def interrupted(process: subprocess.Popen[str], *numbers: int) -> tuple[int, str]:
    """Send signals once the process is ready, and return its status and what it said on standard error."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
        process.stdout.readline()  # until it took it, or has ended
    _, err = process.communicate(timeout=60)
    return process.returncode, err


WAITS = """
import time
def own():
    print("ready", flush=True)
    time.sleep(60)
"""

COMPUTES = """
import threading, time, torch
def own():
    def work():
        a = torch.ones(500, 500)
        while True:
            a @ a
    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.3)
    print("ready", flush=True)
    time.sleep(60)
"""

IMPORTS = """
def own():
    try:
        import slow
    except ImportError as error:
        print("taken for a package that is not there")
"""

CLEANS_UP = """
import time
def own():
    try:
        print("ready", flush=True)  # inside: a signal between this line and `try` would find nothing to clean up
        time.sleep(60)
    finally:
        print("cleaning up", flush=True)
        time.sleep(60)
"""


LINES = {
    signal.SIGINT: "vlp: stopped.\n",
    signal.SIGTERM: "vlp: stopped by SIGTERM.\n",
}


@pytest.mark.parametrize("number", LINES)
def test_a_signal_is_one_line_and_the_status_of_a_shell(tmp_path: Path, number: signal.Signals) -> None:
    """Against: exit status 1, or death without a word, for a command that a person or a supervisor ended."""
    assert interrupted(command(tmp_path, WAITS), number) == (128 + number, LINES[number])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_the_parent_ignores_counts_from_the_start(tmp_path: Path, number: signal.Signals) -> None:
    """Against: `vlp run ... &` in a script: Ctrl-C while the model was opened was swallowed, and then the robot moved."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        process = command(tmp_path, WAITS, inherits=True)
    finally:
        signal.signal(number, before)
    assert interrupted(process, number) == (128 + number, LINES[number])


def test_a_terminal_that_closes_ends_nothing_under_nohup(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = command(tmp_path, WAITS, inherits=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    assert interrupted(process, signal.SIGINT) == (130, LINES[signal.SIGINT])


def test_a_thread_that_computes_does_not_bring_the_end_down(tmp_path: Path) -> None:
    """Against: "terminate called without an active exception" and status 134 after Ctrl-C while a model wrote."""
    assert interrupted(command(tmp_path, COMPUTES), signal.SIGINT) == (130, "vlp: stopped.\n")


def test_an_import_that_is_interrupted_is_no_missing_package(tmp_path: Path) -> None:
    """Against: "simulation needs None. Install it with: pip install 'vlp[sim]'." after Ctrl-C."""
    (tmp_path / "slow.py").write_text(
        "import time\nprint('ready', flush=True)\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise ImportError\n"
    )
    assert interrupted(command(tmp_path, IMPORTS), signal.SIGINT) == (130, "vlp: stopped.\n")


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    process = command(tmp_path, CLEANS_UP)
    assert interrupted(process, signal.SIGINT, signal.SIGTERM) == (143, "vlp: stopped by SIGTERM.\n")


@pytest.mark.parametrize("body", ["raise SystemExit(2)", "return 3", "raise KeyboardInterrupt", "raise RuntimeError"])
def test_the_status_is_kept_with_and_without_such_a_thread(tmp_path: Path, body: str) -> None:
    start = "import threading, time\ndef own():\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    "
    with_thread, without = (command(tmp_path, head + body) for head in (start, "def own():\n    "))
    first, second = with_thread.communicate(timeout=60), without.communicate(timeout=60)
    assert with_thread.returncode == without.returncode
    assert first[1].splitlines()[-1:] == second[1].splitlines()[-1:]


def test_what_a_person_should_know_is_one_line(tmp_path: Path) -> None:
    body = "import warnings\nfrom vlp.core.errors import Note\ndef own():\n    warnings.warn(Note('another\\nbase.'))\n"
    process = command(tmp_path, body)
    assert process.communicate(timeout=60)[1] == "vlp: note: another base.\n" and process.returncode == 0
