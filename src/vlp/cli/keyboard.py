"""A person's answers and instructions: typed while a run is shown, one line each from standard input, or in an editor."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shlex
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from vlp.core.errors import MissingComponent, UsageError, VlpError
from vlp.journal import Event
from vlp.understanding.stopping import after_stop, says_no, says_stop, says_yes


def _editor() -> list[str]:
    """Return the words that start the person's editor; raises UsageError where its variable holds none."""
    name = next((name for name in ("VISUAL", "EDITOR") if os.environ.get(name)), "")
    said = os.environ.get(name, "vi")
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise UsageError(
            f"{name} is {said!r}, which cannot be split into words: {error}.", f'Expected e.g. {name}="vi".'
        ) from None
    if not words:
        raise UsageError(f"{name} is {said!r}, which names no editor.", f'Expected e.g. {name}="vi".')
    return words


def edited(text: str, ended: threading.Event) -> str:
    """Return a text as a person left it in $VISUAL or $EDITOR, else in vi.

    Args:
        text: shown in the editor as a JSON file.
        ended: the editor is closed once this is set.

    Raises:
        UsageError: the editor failed or was closed, or left no file or the text as it was.
        MissingComponent: there is no such editor.
    """
    words = _editor()
    with tempfile.TemporaryDirectory(prefix="vlp-edit-") as folder:
        file = Path(folder) / "policy.json"
        file.write_text(text, encoding="utf-8")
        try:
            with subprocess.Popen([*words, str(file)]) as editor:
                while editor.poll() is None:
                    if ended.wait(0.1):
                        editor.terminate()
        except OSError as error:
            said = f"the editor {words[0]!r} cannot be started: {error.strerror}."
            raise MissingComponent(said, "Set EDITOR, or type the policy's JSON as the answer.") from None
        if editor.returncode:
            raise UsageError(f"the editor ended with status {editor.returncode}; the policy stays as it is.")
        try:
            after = file.read_text(encoding="utf-8-sig", errors="replace")  # some editors begin a file with a byte order mark
        except OSError as error:
            raise UsageError(f"the editor left no file to read: {error.strerror}; the policy stays as it is.") from None
    if after.strip() == text.strip():
        raise UsageError("the editor left the policy as it is.", "`yes` starts it.")
    return after


if TYPE_CHECKING:
    from vlp.runtime.confirming import EditedText, Proposal
    from vlp.runtime.run import Run


class Lines:
    """Reads one line whenever a run asks whether it may begin, and answers with it; the end of the input is a no.

    So is a line that cannot be taken: what follows it was written for another question.

    Args:
        stream: where the lines come from.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()  # revisions of policies; 0 ends it

    @classmethod
    def of_input(cls) -> Lines:
        """Return the lines of standard input.

        Raises:
            UsageError: nobody can answer there.
        """
        if sys.stdin is None or not _gives_lines(sys.stdin):
            raise UsageError(
                "--confirm always waits for an answer, and standard input is neither a terminal nor gives lines.",
                "Run it in a terminal, or pipe answers in: echo yes | vlp run ... From Python, `Run.answer` answers.",
            )
        return cls(sys.stdin)

    def on_event(self, event: Event) -> None:
        """Read on when something was asked."""
        if event.kind == "confirm-asked":
            self._asked.put(event.data["revision"])

    @contextlib.contextmanager
    def listening(self, run: Run) -> Iterator[None]:
        """Answer for a run while the context is open."""
        thread = threading.Thread(target=self._answer, args=(run,), name="answers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._asked.put(0)

    def _answer(self, run: Run) -> None:
        while revision := self._asked.get():
            if getattr(run.proposal, "revision", 0) != revision:  # asked before the run was taken over, or no longer asked
                continue
            try:
                line = self._line()
                while line and not line.strip() and run.proposal is not None:
                    line = self._line()
                said = (line.strip(), "standard input") if line else (False, "the end of standard input")
                run.answer(*said, revision)
            except Exception as error:
                print(f"vlp: not taken: {_in_a_line(error)}", file=sys.stderr, flush=True)
                with contextlib.suppress(VlpError):  # nobody asks any more
                    run.answer(False, "a line of standard input that was not taken")

    def _line(self) -> str:
        """Return the next line, "" at the end; raises UsageError for one that is not UTF-8.

        Bytes are read: a text stream that meets a wrong byte throws the lines after it away.
        """
        try:
            line = getattr(self._stream, "buffer", self._stream).readline()
        except (OSError, ValueError):  # what was closed, or cannot be read any more, is at its end
            return ""
        try:
            return line if isinstance(line, str) else line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"the line is not UTF-8: {error.reason} at byte {error.start + 1}.", "Type it again.") from None


def _gives_lines(stream: TextIO) -> bool:
    """Return whether something can come from a stream: /dev/null and the like give nothing, at once and for ever."""
    try:
        return stream.isatty() or not stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # closed, or no file at all
        return False


def _in_a_line(error: Exception) -> str:
    said = str(error) if isinstance(error, VlpError) else f"{type(error).__name__}: {str(error)[:300]}"
    return " ".join(said.split())


HINT = "a new instruction, or stop"
SLICE_S = 0.2


class Steered(Protocol):
    """What a keyboard steers."""

    @property
    def proposal(self) -> Proposal | None:
        """What a person is asked to agree to; None while nobody is asked."""
        ...

    def answer(self, said: str | EditedText, by: str, revision: int | None = None) -> object:
        """Take the answer to the question about a policy; raises VlpError for one that cannot be taken."""
        ...

    def instruct(self, text: str) -> object:
        """Take a new instruction and return what was understood; raises UsageError for one out of bounds."""
        ...

    def stop(self, reason: str) -> None:
        """Stop robot and run, for a reason that the journal keeps."""
        ...


class Keyboard:
    """Reads a terminal without echo, so that what is typed can be shown below a picture that redraws itself.

    Args:
        descriptor: of the terminal.

    Attributes:
        aside: leaves the screen to an editor; set by whoever draws on it.
        confirming: whether the run waits in `confirm`.
    """

    def __init__(self, descriptor: int) -> None:
        self.aside: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
        self.confirming = False
        self._run: Steered | None = None
        self._before: list[Any] = []
        self._drafts: dict[int, str] = {}
        self._descriptor = descriptor
        self._typed = ""
        self._said = ""
        self._shown: int | None = None  # revision of the policy that was drawn last
        self._unseen = False  # whether an answer was refused and nobody has been shown it yet
        self._question = ""
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ended = threading.Event()

    @classmethod
    def of_terminal(cls) -> Keyboard | None:
        """Return the keyboard of this process, None when input or output is not a terminal."""
        return cls(sys.stdin.fileno()) if sys.stdin and sys.stdin.isatty() and sys.stdout.isatty() else None

    def line(self) -> str:
        """Return the line to show: the robot's question or what was last said, and what is being typed."""
        self._unseen = False
        proposal = self._run.proposal if self._run else None
        if proposal is not None:
            self._shown = proposal.revision
            said = f"{self._said}  " if self._said else ""
            doubt = f"{proposal.doubt} " if proposal.doubt else ""
            age = f", {proposal.image_age}" if proposal.image_age else ""
            return f"{said}? {doubt}Carry this out{age}? yes, no, edit, or another sentence  > {self._typed}"
        asked = f"? {self._question}  " if self._question else f"{self._said}  " if self._said else ""
        return f"{asked}> {self._typed}" if self._typed else f"{asked}> ({'answer' if self._question else HINT})"

    def ask(self, question: str) -> str | None:
        """Return the next line typed as the answer to a question; None when a line stopped the run or listening ended."""
        before, answers = self._answers, queue.SimpleQueue[str | None]()
        self._answers, self._question = answers, question
        before.put(None)  # whoever still waits for an answer to an older question waits in vain
        try:
            return None if self._ended.is_set() else answers.get()
        finally:
            if self._answers is answers:
                self._question = ""

    def confirm(self, question: str) -> bool:
        """Return whether the next line typed says yes to a question."""
        self.confirming = True
        try:
            return says_yes(self.ask(question) or "")
        finally:
            self.confirming = False

    def on_event(self, event: Event) -> None:
        """Take back what was said of an instruction that waited, once it is in the journal."""
        if event.kind in ("instruction", "note") and self._said.startswith("after this step: "):
            self._said = ""

    @contextlib.contextmanager
    def listening(self, run: Steered) -> Iterator[None]:
        """Take lines for a run while the context is open; the terminal is put back as it was at its end."""
        import termios
        import tty

        self._run, self._before = run, termios.tcgetattr(self._descriptor)
        # Keys one by one, without echo; Ctrl-C still interrupts. What was typed while the model was loaded is kept: with the
        # default, TCSAFLUSH, a "stop" of the first seconds was thrown away.
        tty.setcbreak(self._descriptor, termios.TCSANOW)
        thread = threading.Thread(target=self._listen, args=(run,), name="keyboard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._answers.put(None)
            thread.join(2 * SLICE_S)
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            self._run = None

    def _listen(self, run: Steered) -> None:
        while not self._ended.is_set():
            try:
                ready, _, _ = select.select([self._descriptor], [], [], SLICE_S)
                data = os.read(self._descriptor, 4096) if ready else b""
            except Exception as error:
                self._said = _in_a_line(error)
                self._ended.wait(SLICE_S)
                continue
            if ready and not data:
                return
            for key in data.decode("utf-8", "ignore"):
                self._key(key, run)

    def _key(self, key: str, run: Steered) -> None:
        if key in "\r\n":
            line, self._typed = self._typed.strip(), ""
            if line:
                self._said = self._take(line, run)
        elif key in "\x7f\b":
            self._typed = self._typed[:-1]
        elif key == "\x15":  # Ctrl-U
            self._typed = ""
        elif key.isprintable():
            self._typed = (self._typed + key)[:2000]

    def _take(self, line: str, run: Steered) -> str:
        """Pass a line on and return what to show about it; whatever goes wrong, the next line is heard."""
        proposal = None
        try:
            proposal = run.proposal
            if proposal is not None:
                if self._unseen and not (says_no(line) or says_stop(line)):
                    return f"{self._said} Not taken either, typed before that was shown: {line[:40]!r}."
                if says_yes(line) and self._shown != proposal.revision:
                    return f"not taken, typed before policy {proposal.revision} was shown: {line[:40]!r}"
                run.answer(self._edited(proposal) if line.lower() == "edit" else line, "terminal", proposal.revision)
                return ""
            if self._question and (says_no(line) or not says_stop(line)):
                self._answers.put(line)
                return ""
            if says_yes(line):  # typed too early or too late; it agrees to nothing
                return "nobody is asked now"
            if says_stop(line):
                try:
                    run.stop(f"stopped by the person: {line[:200]!r}")
                finally:
                    self._answers.put(None)  # after the stop: a question that it ends has not been answered
                return f"stopping. {after_stop(line)}".rstrip(" .")
            return f"after this step: {run.instruct(line)}"
        except Exception as error:
            self._unseen = proposal is not None
            return _in_a_line(error)

    def _edited(self, proposal: Proposal) -> EditedText:
        """Return a policy as the person left it in an editor, which has the terminal to itself meanwhile.

        One that was refused is opened again as it was left.
        """
        import termios
        import tty

        from vlp.runtime.confirming import EditedText

        with self.aside():
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            try:
                text = edited(self._drafts.get(proposal.revision, proposal.policy), self._ended)
                self._drafts = {proposal.revision: text}
                return EditedText(text)
            finally:
                tty.setcbreak(self._descriptor, termios.TCSANOW)
