"""A robot's server goes before others: beside busy programs of the same weight stops came up to 36 ms late."""

import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
from vlp.robot.serving import precedence
with precedence() as given:
    print(given, os.getpriority(os.PRIO_PROCESS, 0))
"""


def asked(before: str = "pass", then: str = "pass") -> list[str]:
    code = f"import os\n{before}\n{ASK}\n{then}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout.split()


def test_precedence_is_taken_or_said_to_be_refused() -> None:
    told, niceness = asked()
    assert (told == "True") == (int(niceness) <= -10)


def test_more_weight_than_that_is_kept() -> None:
    if asked()[0] == "True":
        assert asked("os.setpriority(os.PRIO_PROCESS, 0, -15)") == ["True", "-15"]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group programs by session")
def test_the_session_gets_the_weight_for_as_long_where_the_kernel_goes_by_sessions() -> None:
    """With niceness -10 and eight programs at 19 in other terminals, a server got a ninth of the processor."""
    show = "open('/proc/self/autogroup').read().split()[-1]"
    told, _, *groups = asked(f"print({show})", f"with precedence(): print({show})\nprint({show})")[1:]
    assert told == "False" or groups == ["-10", "0"]
