"""`vlp` alone: help that teaches, quickly, and names that are nearly right."""

import resource
import subprocess
import sys

import pytest

from vlp import __version__
from vlp.cli.main import COMMANDS


def test_help_names_every_command_and_ends_with_examples(vlp):
    told = vlp("--help")
    assert told.status == 0
    for name in COMMANDS:
        assert f"vlp {name}" in told.out
    assert told.out.index("Examples:") > told.out.index("bench run")


def test_help_takes_less_than_half_a_second_of_work():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "vlp.cli.main", "--help"], check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_each_of_its_options(vlp, name):
    told = vlp(*name.split(), "--help")
    assert told.status == 0 and "usage: vlp" in told.out
    assert "show this help message" in told.out


def test_version(vlp):
    assert vlp("--version").out == f"vlp {__version__}\n"


@pytest.mark.parametrize(
    ("words", "near"),
    [("rum", "'run'"), ("polcy check", "'policy'"), ("policy chek", "'check'"), ("robot srve", "'serve'")],
)
def test_an_unknown_command_offers_the_nearest(vlp, words, near):
    vlp(*words.split()).refused(2, "unknown command", near)


def test_a_group_alone_lists_its_commands_as_bad_usage(vlp):
    told = vlp("policy")
    assert told.status == 2 and "policy convert" in told.out
    assert vlp("policy", "--help").status == 0


def test_the_parsers_own_errors_are_bad_usage(vlp):
    for argv in (["run"], ["run", "x", "--seed", "soon"], ["run", "x", "--sed", "1"], ["policy", "show"]):
        told = vlp(*argv)
        assert told.status == 2 and "Traceback" not in told.err
