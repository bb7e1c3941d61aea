"""Someone who does what pages show, command by command, in one scratch directory."""

import contextlib
import glob
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from shown import ROOT, Shown, commands

from vlp.cli.main import main

ROBOT_PORT = 8765
LIMIT_S = 240


@dataclass(frozen=True)
class InPlace:
    """What a test does where it cannot do a command as it stands.

    Args:
        reason: why not.
        command: run instead; None the command itself, once `first` has been done; "" nothing more.
        first: what is needed before.
    """

    reason: str
    command: str | None = ""
    first: "Callable[[Walk, str], Any] | None" = None


class Walk(contextlib.ExitStack):
    """A scratch directory with `examples/` in it, and everything that was begun there; leaving it ends all.

    Args:
        folder: the directory.
        patch: what is set of environment and program is put back by it.

    Attributes:
        ports: ports that pages name, and the free ones that stand for them where another program listens.
        token, reset_token: what the robot's server printed.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.folder, self.patch, self.token, self.reset_token = folder, patch, "", ""
        self.ports: dict[int, int] = {}

    def __enter__(self) -> Self:
        (self.folder / "examples").symlink_to(ROOT / "examples")
        (self.folder / ".curlrc").write_text("fail\nsilent\nshow-error\n")  # a refusal is an exit status, too
        self.patch.chdir(self.folder)
        for name in ("VLP_ROBOT_TOKEN", "VLP_ROBOT_RESET_TOKEN", "VLP_MODEL_KEY", "VLP_MODEL_SIGHT"):
            self.patch.delenv(name, raising=False)
        self.patch.setattr("vlp.cli.run.FILM_SPEED", 20.0)  # a tenth of a film's pictures: they are half of a run's time
        self.patch.setenv("XDG_STATE_HOME", str(self.folder / "state"))
        self.patch.setenv("CURL_HOME", str(self.folder))
        self.patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        return self

    def along(self, pages: Iterable[str], in_place: dict[str, InPlace]) -> None:
        """Do every command of pages in order; fails with all that ended in another way than its page says."""
        wrong = [fault for page in pages for shown in commands(page) if (fault := self.fault(shown, in_place))]
        assert not wrong, "\n\n".join(wrong)

    def fault(self, shown: Shown, in_place: dict[str, InPlace]) -> str:
        """Do one command; returns what is wrong with it, "" when it does what its page says."""
        if shown.script and not shutil.which("curl"):
            warnings.warn(f"curl is not installed: {shown.page}:{shown.line} was not run.", stacklevel=2)
            return ""
        other = in_place.get(shown.text, InPlace("", None))
        try:
            if other.first:
                other.first(self, shown.text)
            text = shown.text if other.command is None else other.command
            status, said = self.do(text, shown.script) if text else (shown.status, "")
        except Exception:
            return f"{shown}\n{traceback.format_exc()}"
        if status != shown.status or "Traceback" in said:
            return f"{shown}\n  expected exit status {shown.status}, got {status} of: {text}\n{said[-3000:]}"
        if not _told(shown.prints, said):
            return f"{shown}\n  the page says that it prints\n{shown.prints}\n  and it prints\n{said}"
        return ""

    def do(self, text: str, script: bool = False) -> tuple[int, str]:
        """Carry out a command; returns its exit status and what it said."""
        text = self.at_ports(text)
        piped = re.fullmatch(r"echo (\w+) \| (vlp [^|&;\n]+)", text)
        if piped:  # in this process, as any other command of vlp: a new one loads torch for 5 s
            (said := self.folder / ".said").write_text(f"{piped[1]}\n")
            self.patch.setattr("sys.stdin", self.enter_context(said.open()))
        words = shlex.split(piped[2] if piped else text) if piped or not script else []
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            self.patch.setenv(*words.pop(0).split("=", 1))
        if words[:1] == ["vlp"]:
            return self._vlp(words[1:])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def _vlp(self, words: list[str]) -> tuple[int, str]:
        into = Path(words.pop()) if words[-2:-1] == [">"] else None
        if into:
            words.pop()
        words = [found for word in words for found in (sorted(glob.glob(word)) if word.endswith("*") else [word])]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(words)
            except SystemExit as end:  # the parser's own errors
                status = end.code if isinstance(end.code, int) else 1
        if into:
            into.write_text(out.getvalue())
        return status, out.getvalue() + err.getvalue()

    def at_ports(self, text: str) -> str:
        """Return a command with the ports of this walk."""
        for port, here in self.ports.items():
            text = text.replace(f":{port}", f":{here}")
        robot = self.ports.get(ROBOT_PORT, ROBOT_PORT)
        if robot != ROBOT_PORT and re.match(r"vlp robot (look|do|stop|reset)\b", text):  # these have it by default
            text += f" --robot http://127.0.0.1:{robot}"
        return text


def _told(prints: str, said: str) -> bool:
    """Return whether the lines that a page shows are among those that were said, in their order; "..." stands for any text."""
    lines = iter(said.splitlines())
    expected = [re.escape(line).replace(re.escape("..."), ".*") for line in prints.splitlines()]
    return all(any(re.fullmatch(pattern, line.rstrip()) for line in lines) for pattern in expected)
