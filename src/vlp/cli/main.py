"""The command `vlp`: a table of commands, each in a module that is imported when it is called; signals end it with one line."""

import contextlib
import importlib
import io
import itertools
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, TextIO

from vlp import __version__
from vlp.core.errors import Note, UsageError, VlpError, did_you_mean

GRACE_S = 0.5
"""For threads that are about to end anyway."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPORTING = "<frozen importlib._bootstrap>"


@contextlib.contextmanager
def heeding_signals() -> Iterator[list[int]]:
    """Heed Ctrl-C, SIGTERM and the end of the terminal until a command takes over, as `vlp run` does; gives those that came.

    The first one interrupts the command, whose own clean-up still runs; the second one ends the process at once. So does the
    first while something is imported: many libraries take an interrupted import for a package that is not there.
    """
    came, process = list[int](), os.getpid()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a worker process, whose parent says what is to be said
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        came.append(number)
        if len(came) > 1 or _importing(frame):
            os.write(2, f"{stopped_line(number)}\n".encode())
            os._exit(128 + number)
        raise KeyboardInterrupt

    for number in SIGNALS:
        # A shell script starts `vlp run ... &` with SIGINT ignored; whoever sends it all the same wants the robot at rest.
        # Only a terminal that closes ends nothing, where nohup says so.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    try:
        yield came
    finally:
        for number in SIGNALS:
            if signal.getsignal(number) is on_signal:
                signal.signal(number, signal.SIG_DFL)


def program() -> int:
    """Carry out this process's own command line, and return its exit status; or end the process with it."""
    with heeding_signals() as came:
        _show_notes()
        try:
            status = main(sys.argv[1:], came)
        except SystemExit as end:  # the parser's own errors
            status = end.code if isinstance(end.code, int) else 1
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            status = 1
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


def _interrupted(came: Sequence[int]) -> int:
    """Print the one line for an interrupted command, and return its exit status."""
    number = came[-1] if came else signal.SIGINT
    print(stopped_line(number), file=sys.stderr, flush=True)
    return 128 + number


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


COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("vlp.cli.run:run", "carry out an instruction, and show live what happens and why"),
    "resume": ("vlp.cli.run:resume", "go on with a run whose process died or was stopped"),
    "replay": ("vlp.cli.replay:replay", "show a run again from its journal, and rebuild its report"),
    "journal verify": ("vlp.cli.journal:verify", "check that the record of a run is as it was written"),
    "journal repair": ("vlp.cli.journal:repair", "keep the good beginning of a damaged journal, to resume from"),
    "journal export": ("vlp.cli.journal:export", "print the events of a run as lines of JSON"),
    "journal learn": ("vlp.cli.journal:learn", "learn from runs when a failed step is worth another try"),
    "memory list": ("vlp.cli.memory:list_", "list the lessons of earlier runs"),
    "memory show": ("vlp.cli.memory:show", "show one lesson: what failed, what worked, what a model is told of it"),
    "memory forget": ("vlp.cli.memory:forget", "delete lessons"),
    "ground": ("vlp.cli.ground:ground", "find in an image what a phrase names"),
    "ask": ("vlp.cli.ask:ask", "ask a model a question about an image"),
    "policy check": ("vlp.cli.policy:check", "check a policy file against a robot"),
    "policy show": ("vlp.cli.policy:show", "print a policy as a tree"),
    "policy diff": ("vlp.cli.policy:diff", "print what a second policy changes about a first"),
    "policy convert": ("vlp.cli.policy:convert", "turn a policy into python, btxml, pytrees or mermaid"),
    "policy schema": ("vlp.cli.policy:schema", "print the JSON Schema of policies for a robot"),
    "robot serve": ("vlp.cli.robot:serve", "offer a robot, simulated or your own, over HTTP"),
    "robot manifest": ("vlp.cli.robot:manifest", "print what a robot says of itself"),
    "robot check": ("vlp.cli.robot:check", "tell where a robot breaks its contract"),
    "robot look": ("vlp.cli.robot:look", "save what a robot sees, and print its state"),
    "robot do": ("vlp.cli.robot:do", "let a robot carry out one primitive"),
    "robot stop": ("vlp.cli.robot_stop:stop", "stop a served robot"),
    "robot reset": ("vlp.cli.robot_stop:reset", "open the stop latch of a served robot"),
    "robot new": ("vlp.cli.robot_new:new", "write the beginning of a robot of your own"),
    "world show": ("vlp.cli.world:show", "draw a simulated world and list what it holds"),
    "world replay": ("vlp.cli.world:replay", "step again into a fault of the simulator, from the file that it left"),
    "data collect": ("vlp.cli.data:collect", "collect samples from the expert in simulation"),
    "data from-runs": ("vlp.cli.data:from_runs", "turn runs into samples"),
    "data import": ("vlp.cli.data:import_", "import a lab's images, instructions and policies, or a LeRobot dataset"),
    "data export": ("vlp.cli.data:export", "write samples as a LeRobotDataset v3"),
    "data record": ("vlp.cli.data:record", "record simulated episodes, frames and actions, as a LeRobotDataset v3"),
    "data relabel": ("vlp.cli.relabel:relabel", "turn the motion of recorded episodes into samples of motion as language"),
    "data lint": ("vlp.cli.data:lint", "find what is wrong with samples"),
    "data stats": ("vlp.cli.data:stats", "count what is in a folder of samples"),
    "data view": ("vlp.cli.data:view", "show samples on a page: image, instruction, policy"),
    "data merge": ("vlp.cli.data:merge", "copy the samples of several folders into one"),
    "data seal": ("vlp.cli.data:seal", "take samples that were changed by hand as they are now"),
    "train nano": ("vlp.nano.training.command:command", "train the embedded model from nothing"),
    "train sft": ("vlp.cli.sft:sft", "fine-tune a planner on samples"),
    "train tokens": ("vlp.cli.sft:tokens", "show a sample in tokens, and which of them count"),
    "train merge": ("vlp.cli.sft:merge", "add an adapter into the weights of its base"),
    "train mean": ("vlp.cli.sft:mean", "write the mean of models that come from one training"),
    "train export": ("vlp.cli.sft:export", "write what a run made as one model folder, with a card"),
    "gate parity": ("vlp.cli.gate:parity", "check that trained, merged and served model write the same tokens"),
    "gate keeps": ("vlp.cli.gate:keeps", "check that a tuned model still sees and answers"),
    "gate plans": ("vlp.cli.gate:plans", "compare the rate of right policies, base against tuned"),
    "serve": ("vlp.cli.serve:serve", "offer a model to programs, with vLLM"),
    "bench run": ("vlp.cli.bench:run", "measure: a row per case, a summary with intervals, a report"),
    "bench speed": ("vlp.cli.bench:speed", "measure speed as ratios against named baselines"),
    "bench step": ("vlp.cli.bench:step", "time a step of fine-tuning, and its memory, against TRL's own trainer"),
    "bench model": ("vlp.cli.bench:model", "step time, memory, tokens per second and a profile of a model"),
}
"""Commands by name: the function that is called with the arguments parsed, and one line of help."""

EXAMPLES = """\
  vlp world show --seed 20009802
  vlp run "put the red cube in the green bowl" --seed 20009802
  vlp run "put the red cube in the green bowl" --seed 20009802 --change "4: no, put it in the orange bowl"
  vlp policy check examples/policy.json --robot hsr
  vlp run --help"""

STATUSES = """\
Exit status: 0 done, 1 the task or check failed, 2 bad usage or input, 3 missing or unreachable; 130 or 143 ended by Ctrl-C or
SIGTERM."""


def main(argv: Sequence[str] | None = None, came: Sequence[int] = ()) -> int:
    """Carry out one command line and return its exit status.

    Args:
        argv: words after the program's name; None takes those of this process, and its signals.
        came: the signals that came so far; it is looked at when the command ends.
    """
    if argv is None:
        return program()
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a sign shows another instead
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    words = list(argv)
    name = next((name for name in (" ".join(words[:2]), " ".join(words[:1])) if name in COMMANDS), "")
    try:
        if not name:
            return _without_command(words)
        import tyro

        module, _, attribute = COMMANDS[name][0].partition(":")
        command: Callable[..., int | None] = getattr(importlib.import_module(module), attribute)
        rest = words[len(name.split(" ")) :]
        if name == "run" and len(rest) > 1 and not any(word.startswith("-") for word in rest[:2]):
            sentence = " ".join(itertools.takewhile(lambda word: not word.startswith("-"), rest))[:200]
            raise UsageError("the sentence is in several words.", f'Put it in quotes: vlp run "{sentence}".')
        status = tyro.cli(command, prog=f"vlp {name}", args=rest, config=(tyro.conf.FlagCreatePairsOff,)) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _interrupted(came)
    except VlpError as error:
        if came:  # what an interrupt was taken for on its way up
            return _interrupted(came)
        print(f"vlp: {_one_line(str(error))}", file=sys.stderr, flush=True)
        for more in getattr(error, "__notes__", ()):  # behind the error itself, for whoever wants to see all of it
            print(_one_line(more))
        return error.exit_status
    except OSError as error:
        if not _output_lost():
            raise
        if isinstance(error, BrokenPipeError):  # whoever read our output has seen enough
            return 0
        print(f"vlp: standard output cannot be written: {error.strerror}.", file=sys.stderr, flush=True)
        return 3


def _output_lost() -> bool:
    """Return whether standard output takes nothing any more; what it still holds is let go then."""
    try:
        sys.stdout.write("\n")  # without a buffer, nothing else tells
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _without_command(words: list[str]) -> int:
    """Print the version or what commands there are; raises UsageError for one that there is not."""
    if words[:1] == ["--version"]:
        print(f"vlp {__version__}")
        return 0
    group = words[0] if words else ""
    rows = {name: row for name, row in COMMANDS.items() if name.split(" ")[0] == group}
    rest = [word for word in words[bool(rows) :] if word not in ("-h", "--help")]
    if rest:
        known = [name.removeprefix(f"{group} ") for name in rows] if rows else [*_first_words(), "--help", "--version"]
        what = f"command 'vlp {group} {rest[0][:80]}'" if rows else f"command {rest[0][:80]!r}"
        raise UsageError(f"unknown {what}.", did_you_mean(rest[0], known))
    print(_help(rows or COMMANDS))
    return 0 if words[-1:] in (["-h"], ["--help"]) or not words else 2


def _first_words() -> list[str]:
    return list(dict.fromkeys(name.split(" ")[0] for name in COMMANDS))


def _help(rows: dict[str, tuple[str, str]]) -> str:
    width = max(len(name) for name in rows)
    lines = [f"  vlp {name:<{width}}  {text}" for name, (_, text) in rows.items()]
    if len(rows) < len(COMMANDS):
        return "\n".join([*lines, "", "`--help` after any of them lists its options."])
    head = "vlp: command a robot in plain language; read, check and change what it is about to do."
    foot = f"`vlp COMMAND --help` lists a command's options.\n\nExamples:\n{EXAMPLES}\n\n{STATUSES}"
    return "\n".join([head, "", *lines, "", foot])


def _one_line(text: str) -> str:
    """Return text that cannot forge a second line or move the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


if __name__ == "__main__":
    sys.exit(main())
