"""A robot's server goes before others: beside busy programs of the same weight stops came up to 36 ms late."""

import subprocess
import sys

import pytest

from vlp.robot.serving import _by_session

ASK = """
from vlp.robot.serving import precedence
with precedence() as lacks:
    print(lacks or "all", os.getpriority(os.PRIO_PROCESS, 0), sep=";")
"""
SHOW = "print(open('/proc/self/autogroup').read().split()[-1])"
by_session = pytest.mark.skipif(not _by_session(), reason="this kernel does not group programs by session")


def asked(before: str = "pass", then: str = "pass", leads: bool = True) -> list[str]:
    """Return the lines that a process prints which asks for precedence, as the first of its session or as another one."""
    command = [sys.executable, "-c", f"import os\n{before}\n{ASK}\n{then}"]
    if not leads:
        command = [sys.executable, "-c", f"import subprocess; subprocess.run({command!r}, check=True)\n{SHOW}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout.splitlines()


def test_precedence_is_taken_or_said_to_be_refused() -> None:
    told, niceness = asked()[0].split(";")
    assert (told == "all") == (int(niceness) <= -10)


def test_more_weight_than_that_is_kept() -> None:
    if asked()[0].startswith("all"):
        assert asked("os.setpriority(os.PRIO_PROCESS, 0, -15)") == ["all;-15"]


@by_session
def test_a_session_of_its_own_gets_the_weight_for_as_long() -> None:
    """With niceness -10 and eight programs at 19 in other terminals, a server got a ninth of the processor."""
    before, told, *after = asked(SHOW, f"with precedence(): {SHOW}\n{SHOW}")
    assert not told.startswith("all") or (before, after) == ("0", ["-10", "0"])


@by_session
def test_the_session_of_a_shell_keeps_its_weight_and_that_is_said() -> None:
    """Of two servers in a terminal the one lost its weight when the other ended, and the terminal kept it after a kill."""
    told, during, after = asked(then=f"with precedence(): {SHOW}", leads=False)
    assert (during, after) == ("0", "0")
    assert "permitted" in told or "a shell has begun this one" in told
