"""From a spec to a run that people watch: model, robot, displays and recordings put together, and the exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from vlp.cli.keyboard import Keyboard
from vlp.cli.lines import Lines
from vlp.cli.out import keep_aside
from vlp.core.errors import MissingComponent, UsageError, VlpError, lookup
from vlp.episodes.assemble import open_robot
from vlp.journal import Event
from vlp.models.catalogue import OPEN_S, open_for_person
from vlp.models.protocol import Model
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.prompt.render import WORDINGS
from vlp.robot.protocol import Robot, offered
from vlp.runtime.bus import Subscriber
from vlp.runtime.outcome import Outcome
from vlp.runtime.run import Run, Spec
from vlp.runtime.subscribers.report_html import ReportFile
from vlp.runtime.subscribers.result import ResultFile
from vlp.runtime.subscribers.terminal import Terminal

if TYPE_CHECKING:
    from vlp.episodes.verdict import Verdict
    from vlp.sim.simulation import Simulation

EXPERT = "expert"
FILM_SPEED = 2.0
WRITTEN = ("report.html", "run.mp4", "run.rrd", "result.json", "journal.db")


def launch(
    out: Path,
    spec: Spec,
    token: str = "",
    past: Sequence[Event] = (),
    prepare: Callable[[], Path | None] | None = None,
) -> int:
    """Run what a spec says and return the exit status.

    Args:
        out: the run's directory.
        spec: what to run.
        token: of a robot's server; "" takes the environment's.
        past: events of a run to be taken over.
        prepare: makes the directory once everything else has been found; returns where an older one was moved.
    """
    console, keyboard = Console(), Keyboard.of_terminal()
    options = {
        "adapter": "",
        "grounder": DEFAULT_GROUNDER,
        "recordings": True,
        "confirm": "ask",
        "check": "",
        "profile": "",
        "server": "",
        **spec.options,
    }
    always = options["confirm"] == "always"
    lines = Lines.of_input() if always and keyboard is None else None  # before anything is loaded: else nobody could answer
    model = None
    if spec.model != EXPERT:
        model = open_chosen(spec.model, options["adapter"], options["profile"], options["server"], open_s=spec.budget.run_s)
    robot, simulation = open_robot(
        spec.robot, world=spec.world, seed=spec.seed, grounder=options["grounder"], model=model,
        ask_person=keyboard.ask if keyboard else None, token=robot_token(token),
        ask_checks=options["check"] == "model",
    )  # fmt: skip
    with _closing(robot):
        judge = _judge(spec, robot, simulation, bool(past))
        for text in _labels(spec):
            console.print(text, style="yellow", soft_wrap=True)
        moved = prepare() if prepare else None
        if moved:
            console.print(f"moved what was in {out} to {moved}", style="yellow", soft_wrap=True)
        terminal = Terminal(console, keyboard.line if keyboard else None)
        watchers: list[Subscriber] = [terminal, ResultFile(out), ReportFile(out), *([lines] if lines else [])]
        if keyboard:
            keyboard.aside = terminal.aside
        if options["recordings"]:
            watchers += _recordings(out, robot, simulation, console)
        asker = {"always": "always", "yes": _confirmed}.get(options["confirm"], keyboard.confirm if keyboard else None)
        run = Run(
            out, spec, robot, model or _expert(simulation, judge), judge=judge, subscribers=watchers, on_text=terminal.on_text,
            confirm=asker, past=past,
        )  # fmt: skip
        listener = keyboard or lines
        with _stoppable(run, console), listener.listening(run) if listener else contextlib.nullcontext():
            outcome = run.go()
    _tell(console, out, outcome)
    return status_of(outcome)


def open_chosen(
    name: str, adapter: str = "", profile: str = "", server: str = "", *, grammar: bool = True, open_s: float = OPEN_S
) -> Model:
    """Return the model of `--model` (see `vlp.models.catalogue.open_for_person`); notes about it go to standard error.

    Raises:
        UsageError: an unknown profile, or what opening refuses.
    """
    if profile:
        lookup(profile, WORDINGS, "prompt profile")
    return open_for_person(name, adapter, profile, server, grammar=grammar, open_s=min(open_s, OPEN_S), tell=_note)


def _note(line: str) -> None:
    print(f"note: {' '.join(''.join(c if c.isprintable() else ' ' for c in line).split())}", file=sys.stderr, flush=True)


def _confirmed(question: str) -> bool:
    """Return yes to every question whether to go on: what `--confirm yes` says."""
    return True


def robot_token(token: str) -> str:
    """Return the token given, else the environment's."""
    return token or os.environ.get("VLP_ROBOT_TOKEN", "")


def innermost(robot: Any) -> Any:
    """Return the robot inside all that wraps it."""
    while (inner := getattr(robot, "robot", None)) is not None:
        robot = inner
    return robot


def status_of(outcome: Outcome) -> int:
    """Return the exit status: 0 only when the task was done, as far as anybody knows."""
    if outcome.error is not None:
        return outcome.error.exit_status
    done = outcome.outcome == "success" and outcome.verdict is not False
    return 0 if done else 1


def _judge(spec: Spec, robot: Robot, simulation: Simulation | None, resumed: bool) -> Verdict | None:
    """Return the judge of a simulated world, after a look whether the scripted events are possible in it."""
    if simulation is None:
        if spec.model == EXPERT:
            raise UsageError("the expert reads a simulator's true state; this robot has none.", "Name another --model.")
        return None
    from vlp.episodes.verdict import Verdict
    from vlp.episodes.world_events import check_event

    for change in spec.changes:
        if isinstance(change.what, str):
            check_event(simulation, change.what)
    return Verdict(simulation, spec.instruction, seed=spec.seed, restore=offered(robot, "restore") if resumed else None)


def _expert(simulation: Simulation | None, judge: Verdict | None) -> Model:
    from vlp.episodes.expert_model import ExpertModel

    assert simulation is not None and judge is not None
    return ExpertModel(simulation.truth, lambda: judge.task)


def _labels(spec: Spec) -> list[str]:
    """Return what must be said before an upper bound is taken for a result."""
    rows = {
        "the expert writes the policies from the simulator's true state": spec.model == EXPERT,
        "the oracle finds things by the simulator's true state": spec.options.get("grounder") == "oracle",
    }
    return [f"upper bound: {text}" for text, given in rows.items() if given]


def _recordings(out: Path, robot: Robot, simulation: Simulation | None, console: Console) -> list[Subscriber]:
    """Return film and recording; where the extra is not installed, say so and go on without."""
    from vlp.runtime.subscribers.rerun_log import RerunLog

    keep_aside(out, ("run.mp4", "run.rrd"))
    found: list[Subscriber] = []
    makers: tuple[Callable[[], Subscriber], ...] = (lambda: _film(out, robot, simulation), lambda: RerunLog(out))
    for make in makers:
        try:
            found.append(make())
        except MissingComponent as error:
            console.print(f"not recorded: {error}", style="yellow", soft_wrap=True)
    return found


def _film(out: Path, robot: Robot, simulation: Simulation | None) -> Subscriber:
    from vlp.runtime.subscribers.video import Video

    if simulation is None:
        return Video(out)
    from vlp.sim.render import Camera

    cameras: list[Camera] = []

    def view() -> Any:
        if not cameras:
            cameras.append(Camera(simulation.model, simulation.world.audience))
        return cameras[0].rgb(simulation.data)

    film = Video(out, view)
    innermost(robot).on_tick.append(film.recorder(FILM_SPEED))
    return film


@contextlib.contextmanager
def _closing(robot: Any) -> Iterator[None]:
    try:
        yield
    finally:
        while robot is not None:
            if callable(close := getattr(robot, "close", None)):
                close()
            robot = getattr(robot, "robot", None)


@contextlib.contextmanager
def _stoppable(run: Run, console: Console) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) stop robot and run in order; the second one ends the program."""

    def stop() -> None:
        try:
            run.stop()
        except VlpError as error:
            console.print(f"stop: {error}", style="bold red")

    def on_signal(number: int, frame: Any) -> None:
        signal.signal(number, signal.default_int_handler)
        threading.Thread(target=stop, name="stop", daemon=True).start()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(console: Console, out: Path, outcome: Outcome) -> None:
    """Print how it ended and where to look."""
    console.print(outcome.account, style="bold", highlight=False, markup=False, soft_wrap=True)
    if outcome.error is not None:
        print(f"vlp: {' '.join(str(outcome.error).split())}", file=sys.stderr)
    written = [name for name in WRITTEN if (out / name).exists()]
    console.print(f"written to {out}: {', '.join(written)}", highlight=False, soft_wrap=True)
    if outcome.outcome == "stopped" and outcome.claim:  # without a policy there is nothing to go on with
        console.print(f"go on with: vlp resume {out}", highlight=False, soft_wrap=True)
