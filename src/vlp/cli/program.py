"""The process around a command line: signals end it with one line and the status of a shell, and so does its own end.

A thread that computes in torch or MuJoCo while Python shuts down brings the whole process down ("terminate called without an
active exception"): Python ends such a thread at its next breath, inside code that may not be left so. A model that writes, or
a robot that moves, when a person presses Ctrl-C is such a thread; the process then ends without that part of a shutdown.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

from vlp.core.errors import Note

GRACE_S = 0.5
"""For threads that are about to end anyway."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPORTING = "<frozen importlib._bootstrap>"


class Signals:
    """What Ctrl-C, SIGTERM and the end of the terminal do to this process, until a command takes them over (as `vlp run` does).

    The first one interrupts the command, whose own clean-up still runs; the second one ends the process at once. So does the
    first while something is imported: many libraries take an interrupted import for a package that is not there.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self.number = 0

    def install(self) -> None:
        """Take the signals that nobody has told to be ignored, as nohup does."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def say(self) -> int:
        """Print the one line for an interrupted command, and return its exit status."""
        number = self.number or signal.SIGINT
        print(stopped_line(number), file=sys.stderr, flush=True)
        return 128 + number

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker process, whose parent says what is to be said
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        again, self.number = bool(self.number), number
        if again or _importing(frame):
            os.write(2, f"{stopped_line(number)}\n".encode())
            os._exit(128 + number)
        raise KeyboardInterrupt


def run_as_program(command: Callable[[Signals], int]) -> int:
    """Carry out a command as the whole of a process, and return its exit status; or end the process with it.

    Args:
        command: what to do; told of the signals, so that an interrupt gets the right line and status.
    """
    signals = Signals()
    signals.install()
    _show_notes()
    try:
        status = command(signals)
    except SystemExit as end:  # the parser's own errors
        status = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    for number in SIGNALS:
        if signal.getsignal(number) == signals._on_signal:
            signal.signal(number, signal.SIG_DFL)
    _leave(status)
    return status


def _show_notes() -> None:
    """Print notes as one line on standard error; other warnings stay as they are."""
    show = warnings.showwarning

    def shown(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
        line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, Note):
            print(f"vlp: note: {' '.join(str(message).split())}", file=sys.stderr)
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = shown
    warnings.simplefilter("always", Note)


def stopped_line(number: int) -> str:
    """Return what is printed when a signal ended a command."""
    return "vlp: stopped." if number == signal.SIGINT else f"vlp: stopped by {signal.Signals(number).name}."


def _importing(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False


def _leave(status: int) -> None:
    """End the process here when a thread still computes that Python's shutdown would not survive."""
    others = [thread for thread in threading.enumerate() if thread.daemon]
    for thread in others:
        thread.join(GRACE_S / len(others))
    if not any(thread.is_alive() for thread in others):
        return
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # whoever read it is gone
            continue
    os._exit(status)
