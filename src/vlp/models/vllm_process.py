"""A vLLM process: started, waited for until it answers, warmed up, ended."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import httpx
import numpy as np

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import user
from vlp.models.openai_model import OpenAIModel


class ServerProcess:
    """A server in a process of its own; a context manager that ends it.

    Args:
        words: its command line.
        environment: its variables.
        log: the file to which its command line and its output are added.

    Raises:
        UsageError: the log cannot be written.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            file = log.open("ab")
            file.write(f"vlp starts: {shlex.join(words)}\n".encode())
            file.flush()
        except OSError as error:
            raise UsageError(f"cannot write the log {str(log)[:300]!r}: {error.strerror}.", "Choose another --log.") from None
        with file:
            self._begins = file.tell()
            # A session of its own: Ctrl-C reaches us first, and we end it in order.
            self._process = subprocess.Popen(
                words, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def wait_until_healthy(self, url: str, timeout_s: float, tell: Callable[[float], None] = lambda waited_s: None) -> None:
        """Return once GET /health answers.

        Args:
            url: of its API, ending in /v1.
            timeout_s: limit on the wait.
            tell: told now and then how long it has been.

        Raises:
            MissingComponent: it ended, or did not come up in time; with the last line that it wrote.
        """
        began_s = time.monotonic()
        health = url.removesuffix("/v1") + "/health"
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while (waited_s := time.monotonic() - began_s) < timeout_s:
                if self._process.poll() is not None:
                    raise MissingComponent(
                        f"vLLM ended with status {self._process.returncode}: {self._last_words()}", self._hint()
                    )
                try:
                    if client.get(health).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                tell(waited_s)
                time.sleep(0.5)
        raise MissingComponent(f"vLLM did not come up within {timeout_s:.0f} s: {self._last_words()}", self._hint())

    def wait(self) -> NoReturn:
        """Wait until it ends by itself, which is an error.

        Raises:
            MissingComponent: with its exit status and the last error in its log.
        """
        raise MissingComponent(f"vLLM ended with status {self._process.wait()}: {self._last_words()}", self._hint())

    def stop(self) -> None:
        """End it and its children: first asked, then forced; a second Ctrl-C or signal forces at once."""
        try:
            if self._process.poll() is None:
                self._process.terminate()
                self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            pass
        finally:  # the children are in its session, and one that was killed has not ended them
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def complaint(self) -> str:
        """Return the last error in its log, as a sentence; "" when there is none."""
        found = (re.search(r"\b\w*(Error|Exception): .+", line) for line in self._lines())
        causes = [match[0] for match in found if match and not match[0].startswith("EngineDead")]
        return f"{causes[-1][:240].rstrip('.')}." if causes else ""

    def _last_words(self) -> str:
        return self.complaint() or f"{[line for line in self._lines() if line][-1:] or 'it wrote nothing'}."[:240]

    def _lines(self) -> list[str]:
        with self.log.open("rb") as file:
            file.seek(max(self._begins, self.log.stat().st_size - 100_000))
            text = file.read().decode("utf-8", "replace")
        # What tells a terminal of colours, titles and the place of the cursor (ECMA-48).
        text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])", "", text)
        return ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]

    def _hint(self) -> str:
        return f"The whole story is in {str(self.log)!r}."


def warm_up(url: str, key: str = "") -> float:
    """Ask a served model for what a planner asks: an image, and a reply under a grammar; return the seconds it took.

    Raises:
        MissingComponent: it ignores the grammar, another model answers, or it fails.
    """
    began_s = time.monotonic()
    model = OpenAIModel(url, key=key or None)
    model.probe()
    grey = np.full((480, 640, 3), 128, np.uint8)
    model.generate([user(grey, "What is there?")], max_tokens=8, timeout_s=600.0)
    return time.monotonic() - began_s
