"""The site builds without a warning, and its reference of commands is the program's own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shown import ROOT

from vlp import __version__
from vlp.cli.main import COMMANDS, main

PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "write_reference.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_lists_the_options_that_the_parser_has(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The page reads signatures and docstrings, the parser is tyro's: they must not drift apart."""
    section = PAGE.split(f"## vlp {name}\n")[1].split("\n## ")[0]
    with pytest.raises(SystemExit):
        main([*name.split(), "--help"])
    parsed = set(re.findall(r"^[│| ] {1,3}(?:-h, )?(--[a-z][a-z0-9-]*)", capsys.readouterr().out, re.M)) - {"--help"}
    assert set(re.findall(r"^\| `(--[a-z][a-z0-9-]*)", section, re.M)) == parsed
    assert not re.search(r"\|  \|$", section, re.M), "an argument without a meaning"


def test_every_page_is_in_the_navigation() -> None:
    settings = (ROOT / "mkdocs.yml").read_text()
    assert [file.name for file in (ROOT / "docs").glob("*.md") if f"- {file.name}\n" not in settings] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    front = (tmp_path / "index.html").read_text()
    assert f"vlp {__version__}" in front
    away = re.findall(r'(?:src|href)="(https?://[^"]+)"', front)
    assert [address for address in away if not address.startswith("https://squidfunk.github.io/")] == [], (
        "the site loads nothing from elsewhere"
    )
    for page in ("reference/api/robot", "reference/cli", "examples/bring_your_robot", "log/spine"):
        assert (tmp_path / page / "index.html").is_file(), page
