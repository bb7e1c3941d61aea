"""`vlp run` and `vlp resume`: a sentence, a robot, a model, displays, and a directory with everything that happened."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from vlp.cli.keyboard import Keyboard, Lines
from vlp.cli.names import IN_PROCESS, Eyes, LessonFile, check_run, is_simulated, lessons_at, of_worlds, scene, without_lost
from vlp.cli.out import check_out, default_out, held, keep_aside, surviving_output, take_out
from vlp.cli.skills import skills_by
from vlp.core.errors import MissingComponent, UsageError, VlpError, first, lookup
from vlp.core.files import check_writable
from vlp.core.messages import Instruction
from vlp.episodes.assemble import open_robot
from vlp.journal import Event, Subscriber, journal_path
from vlp.models.catalogue import DEFAULT_MODEL, OPEN_S, open_for_person, with_name
from vlp.models.protocol import Model
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.prompt.render import WORDINGS
from vlp.robot.protocol import Robot, innermost, is_own, offered
from vlp.runtime.body import Budget, ProgramFault, fault_of
from vlp.runtime.lessons.store import LessonStore
from vlp.runtime.loop import Change
from vlp.runtime.run import Run, Spec, Unsettled, read_run
from vlp.runtime.sequencer import open_sequencer
from vlp.runtime.story import Outcome
from vlp.runtime.subscribers.report import ReportFiles
from vlp.runtime.subscribers.terminal import Terminal, printable
from vlp.sim import EMBODIMENTS
from vlp.understanding.gate import Gate

if TYPE_CHECKING:
    from vlp.episodes.verdict import Verdict
    from vlp.sim.simulation import Simulation

EXPERT = "expert"
FILM_SPEED = 2.0
CLOSE_S = 10.0
"""How long the close of a robot may take."""
DEFAULTS: dict[str, Any] = {
    "adapter": "", "grounder": DEFAULT_GROUNDER, "recordings": True, "film": "small", "confirm": "ask", "check": "",
    "profile": "", "server": "", "early": False, "verify": False, "sequencer": "", "lessons": "", "skills": "",
}  # fmt: skip
"""Options of a run that its spec does not name."""
SHOW_CURSOR = b"\x1b[?25h"
WRITTEN = ("report.html", "run.mp4", "run.rrd", "result.json", "journal.db")


@contextlib.contextmanager
def _outlasting() -> Iterator[None]:
    """Let neither a reader that is gone nor a robot that ends the program end a run unseen."""
    try:
        with surviving_output():
            yield
    except SystemExit as end:  # the parser has had its say: it is the robot's
        raise ProgramFault(
            f"the robot ended the program (SystemExit: {end.code}).", "This is a fault in its program."
        ) from None


@_outlasting()
def launch(
    out: Path,
    spec: Spec,
    token: str = "",
    past: Sequence[Event] = (),
    prepare: Callable[[], Path | None] | None = None,
    looked: bool = False,
) -> int:
    """Run what a spec says and return the exit status.

    Args:
        out: the run's directory.
        spec: what to run.
        token: of a robot's server; "" takes the environment's.
        past: events of a run to be taken over.
        prepare: makes the directory once everything else has been found; returns where an older one was moved.
        looked: whether a person has looked at the robot of a run to be taken over.
    """
    shown = printable(os.path.relpath(out) if out.is_relative_to(Path.cwd()) else str(out))  # a robot may go elsewhere
    console, keyboard = Console(markup=False), Keyboard.of_terminal()
    options, lost = without_lost(DEFAULTS | spec.options) if past else (DEFAULTS | spec.options, [])
    sequencer = open_sequencer(options["sequencer"])
    always = options["confirm"] == "always"
    lines = Lines.of_input() if always and keyboard is None else None  # before anything is loaded: else nobody could answer
    check_run(spec.robot, spec.world, [change.what for change in spec.changes if isinstance(change.what, str)])
    lessons = LessonStore(Path(str(options["lessons"]))) if options["lessons"] else None
    model = None
    if spec.model != EXPERT:
        how = options["adapter"], options["profile"], options["server"]
        model = open_chosen(spec.model, *how, open_s=min(spec.budget.model_s, spec.budget.run_s))
        if spec.model.startswith("scripted:"):
            scripted: Any = model
            scripted.given = sum(event.kind == "reply" for event in past)
    robot, simulation = open_robot(
        spec.robot, world=spec.world, seed=spec.seed, grounder=options["grounder"], model=model,
        ask_person=keyboard.ask if keyboard else None, token=robot_token(token),
        ask_checks=options["check"] == "model", skills=skills_by(options["skills"]),
    )  # fmt: skip
    if simulation is not None:
        _draw_ahead(simulation)
    with _closing(robot) as faults, _held_here(spec.robot, robot):
        if model is not None:
            Gate.of(model, robot.describe())  # refuses before anything of an earlier run is moved
        if not _finds_things(robot, simulation):
            spec = replace(spec, options={k: v for k, v in spec.options.items() if k not in ("grounder", "upper_bound")})
        judge = _judge(spec, robot, simulation, bool(past))
        for text in (*_labels(spec), *map(printable, lost)):
            console.print(text, style="yellow", soft_wrap=True)
        moved = prepare() if prepare else None
        if moved:
            console.print(printable(f"moved what was in {shown} to {moved}"), style="yellow", soft_wrap=True)
        terminal = Terminal(console, keyboard.line if keyboard else None)
        watchers: list[Subscriber] = [terminal, ReportFiles(out), *filter(None, (lines, keyboard))]
        if keyboard:
            keyboard.aside = terminal.aside
        if options["recordings"]:
            watchers += _recordings(out, robot, simulation, console, options["film"])
        asker = {"always": "always", "yes": _confirmed}.get(options["confirm"], keyboard.confirm if keyboard else None)
        run = Run(
            out, spec, robot, model or _expert(simulation, judge, robot), judge=judge, subscribers=watchers,
            on_text=terminal.on_text, confirm=asker, past=past, looked=looked, early=options["early"], lessons=lessons,
            verify=options["verify"], sequencer=sequencer,
        )  # fmt: skip
        listener = keyboard or lines
        with (
            _stoppable(run, console, keyboard) as signals,
            listener.listening(run) if listener else contextlib.nullcontext(),
        ):
            outcome = run.go()
        served = spec.robot.startswith(("http://", "https://"))
        latched = served and outcome.outcome in ("stopped", "timeout") and _latched(robot)
    _tell(console, out, shown, outcome, spec.robot if latched else "")
    return status_of(outcome, signals) or int(bool(faults))


def _draw_ahead(simulation: Simulation) -> None:
    """Make the first drawing, which compiles shaders, while the run is put together; what fails fails again when it looks."""
    from vlp.sim.render import Camera

    def draw() -> None:
        with contextlib.suppress(Exception):
            Camera(simulation.model, simulation.embodiment.camera).rgb_and_depth(simulation.data)

    threading.Thread(target=draw, name="first-drawing", daemon=True).start()


def _latched(robot: Robot) -> bool:
    """Return whether a served robot holds its stop until a person resets it."""
    with contextlib.suppress(VlpError):
        return bool(getattr(call() if (call := offered(robot, "health")) else None, "stopped", False))
    return False


def _finds_things(robot: Any, simulation: Simulation | None) -> bool:
    """Return whether a grounder is used: without depth there is none, and some robots look for themselves."""
    return simulation is not None or (hasattr(robot, "robot") and robot.describe().sees_depth)


def open_chosen(
    name: str, adapter: str = "", profile: str = "", server: str = "", *, grammar: bool = True, open_s: float = OPEN_S
) -> Model:
    """Return the model of `--model` (see `vlp.models.catalogue.open_for_person`); notes about it go to standard error.

    Raises:
        UsageError: an unknown profile, or what opening refuses.
    """
    if profile:
        lookup(profile, WORDINGS, "prompt profile")
    return open_for_person(name, adapter, profile, server, grammar=grammar, open_s=open_s, tell=_note)


def _note(line: str) -> None:
    print(f"note: {' '.join(''.join(c if c.isprintable() else ' ' for c in line).split())}", file=sys.stderr, flush=True)


def _confirmed(question: str) -> bool:
    """Return yes to every question whether to go on: what `--confirm yes` says."""
    return True


def robot_token(token: str) -> str:
    """Return the token given, else the environment's."""
    return token or os.environ.get("VLP_ROBOT_TOKEN", "")


def status_of(outcome: Outcome, signals: Sequence[int] = ()) -> int:
    """Return the exit status: 0 when the task was done, as far as anybody knows; 128 + signal where one stopped the run."""
    if outcome.error is not None:
        return outcome.error.exit_status
    if signals and outcome.outcome == "stopped":
        return 128 + signals[0]
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


def _expert(simulation: Simulation | None, judge: Verdict | None, robot: Robot) -> Model:
    from vlp.episodes.expert_model import ExpertModel

    assert simulation is not None and judge is not None
    return ExpertModel(simulation.world.tasks, simulation.truth, lambda: judge.task, robot.describe())


def _labels(spec: Spec) -> list[str]:
    """Return what must be said before an upper bound, or a script, is taken for a result."""
    rows = {
        "the expert writes the policies from the simulator's true state": spec.model == EXPERT,
        "the oracle finds things by the simulator's true state": spec.options.get("grounder") == "oracle",
    }
    said = [f"upper bound: {text}" for text, given in rows.items() if given]
    if spec.model.startswith("scripted:"):
        said.append("scripted replies: of the sentence only words for stopping and prohibitions are heeded")
    return said


def _recordings(out: Path, robot: Robot, simulation: Simulation | None, console: Console, film: str) -> list[Subscriber]:
    """Return film and recording; where the extra is not installed, say so and go on without."""
    from vlp.runtime.subscribers.rerun_log import RerunLog

    keep_aside(out, ("run.mp4", "run.rrd"))
    found: list[Subscriber] = []
    makers: tuple[Callable[[], Subscriber], ...] = (lambda: _film(out, robot, simulation, film), lambda: RerunLog(out))
    for make in makers:
        try:
            found.append(make())
        except MissingComponent as error:
            console.print(f"not recorded: {error}", style="yellow", soft_wrap=True)
    return found


def _film(out: Path, robot: Robot, simulation: Simulation | None, layout: str) -> Subscriber:
    from vlp.runtime.subscribers.film_frames import LAYOUTS
    from vlp.runtime.subscribers.video import Video

    if simulation is None:
        return Video(out, layout=layout)
    from vlp.sim.filming import FilmCamera
    from vlp.sim.render import Camera

    cameras: list[Camera] = []

    def view() -> Any:
        if not cameras:
            size_px = LAYOUTS[layout].view_px
            follows = layout == "wide"
            cameras.append(FilmCamera(simulation, size_px) if follows else Camera(simulation.model, simulation.world.audience))
        return cameras[0].rgb(simulation.data)

    film = Video(out, view, layout=layout)
    innermost(robot).on_tick.append(film.recorder(FILM_SPEED))
    return film


def _held_here(name: str, robot: Robot) -> contextlib.AbstractContextManager[None]:
    """Return the hold of a robot of one's own, which somebody else may move or have latched; nothing of another robot."""
    if not is_own(name):
        return contextlib.nullcontext()
    from vlp.robot.record import held_here

    return held_here(name, robot)


@contextlib.contextmanager
def _closing(robot: Any) -> Iterator[list[str]]:
    """Close a robot and what it wraps; what cannot be closed is told on standard error, and given."""
    faults: list[str] = []
    try:
        yield faults
    finally:
        while robot is not None:
            if callable(close := getattr(robot, "close", None)) and (fault := fault_of(close, CLOSE_S)):
                faults.append(fault)
                print(f"vlp: the robot's close failed: {fault}; look at the robot.", file=sys.stderr, flush=True)
            robot = getattr(robot, "robot", None)


@contextlib.contextmanager
def _stoppable(run: Run, console: Console, keyboard: Keyboard | None) -> Iterator[list[int]]:
    """Let the first Ctrl-C (SIGTERM, SIGHUP) stop robot and run in order, the second end the program; gives those that came."""
    taken: list[int] = []

    def stop() -> None:
        try:
            run.stop()
        except VlpError as error:
            console.print(printable(str(error)), style="bold red", soft_wrap=True)

    terminal = _terminal()

    def on_signal(number: int, frame: Any) -> None:
        taken.append(number)
        if len(taken) > 1:  # whatever hangs
            terminal()
            os.write(2, b"vlp: ended at once; look at the robot, it may not have stopped.\n")
            os._exit(128 + number)
        threading.Thread(target=stop, name="stop", daemon=True).start()
        if keyboard and keyboard.confirming:  # the run waits for a line in this thread; it takes the interrupt for a stop
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield taken
        return
    ending = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else [])]
    before = {number: signal.signal(number, on_signal) for number in ending}  # under nohup, a terminal that closes ends nothing
    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal() -> Callable[[], None]:
    """Return what leaves the terminal as it is now, for an end without any clean-up."""
    try:
        before = termios.tcgetattr(0)
    except (termios.error, OSError):  # standard input is no terminal
        return lambda: None

    def restore() -> None:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(0, termios.TCSANOW, before)
            os.write(2, SHOW_CURSOR)

    return restore


def _tell(console: Console, out: Path, shown: str, outcome: Outcome, latched: str) -> None:
    """Print how it ended, where to look, and how to go on; `latched` is the address of a robot to be reset first."""
    console.print(printable(outcome.account), style="bold", highlight=False, markup=False, soft_wrap=True)
    if outcome.error is not None:
        print(f"vlp: {' '.join(printable(str(outcome.error)).split())}", file=sys.stderr)
    written = [name for name in WRITTEN if (out / name).exists()]
    console.print(f"written to {shown}: {', '.join(written)}", highlight=False, soft_wrap=True)
    if latched:
        console.print(f"the robot is stopped until a person resets it: vlp robot reset --robot {latched}", soft_wrap=True)
    if outcome.outcome == "stopped" and outcome.claim:  # without a policy there is nothing to go on with
        looked = " --looked" if isinstance(outcome.error, Unsettled) else ""
        then = "then " if latched else ""
        console.print(f"{then}go on with: vlp resume {shown}{looked}", highlight=False, soft_wrap=True)


Planner = Annotated[
    str,
    tyro.conf.arg(
        help=f"{IN_PROCESS}, a Hugging Face id, the URL of an OpenAI-compatible server, or scripted:FILE. "
        f'"{EXPERT}" sees the simulator\'s true state: an upper bound, not a model.'
    ),
]


def run(
    instruction: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="INSTRUCTION")],
    robot: str = first(EMBODIMENTS),
    world: Annotated[str, of_worlds] = "",
    seed: int = 0,
    model: Planner = DEFAULT_MODEL,
    model_name: str = "",
    adapter: str = "",
    profile: str = "",
    server: str = "",
    check: Literal["measure", "model"] = "measure",
    grounder: Eyes = DEFAULT_GROUNDER,
    change: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    event: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    out: str = "",
    force: bool = False,
    no_recordings: bool = False,
    film: Literal["small", "wide"] = "small",
    confirm: Literal["ask", "yes", "always"] = "ask",
    early: bool = False,
    verify: bool = False,
    sequencer: str = "",
    skills: str = "",
    lessons: LessonFile = "off",
    token: str = "",
    timeout_s: float = 1800.0,
    model_timeout_s: float = 120.0,
) -> int:
    """Carry out an instruction, and show live what happens and why.

    While it runs in a terminal, a line you type is a new instruction, and "stop" stops the robot.

    Args:
        instruction: what you want, in one sentence.
        robot: a simulated robot, module:Class of your own, or the URL of a robot's server.
        seed: which of the world's scenes; `vlp world show` draws it.
        model_name: which of a server's models, where it lists several.
        adapter: a LoRA adapter for a model in process.
        profile: the wording of the model's prompts, "full" for a general one; by default the one that it asks for.
        server: the kind of the model's server (vllm, llama.cpp, ollama, lmstudio, openai); by default what it says of itself.
        check: how a check of a relation between things is answered: measured in depth, or by asking the model.
        change: "STEP: new instruction", given once STEP steps have been done; may be repeated.
        event: "STEP: event", e.g. "2: move red cube", "3: knock"; may be repeated.
        out: the directory to write; by default runs/DATE-INSTRUCTION.
        force: when that directory is not empty, move it aside instead of refusing.
        no_recordings: do not write run.mp4 and run.rrd.
        film: run.mp4 in 640x480, or "wide" in 1280x720 with the plan beside the picture, which takes longer to draw.
        confirm: where a general model may have misunderstood, "ask" the person at the terminal (without one nothing moves), or
            go on: "yes", also with what cannot be undone. "always" waits before the first step of every policy for yes, no, an
            edit or another sentence.
        early: begin the first step of a policy while the rest is still being written, where it only looks.
        verify: after each action ask the world whether what it makes is so: what the robot senses, else a look. An action that
            says it succeeded and did not has failed.
        sequencer: try a step that failed again before a new policy is asked for: "retry" once after another look and once
            as it is, or the FILE of `vlp journal learn`, which knows what has helped.
        skills: the model that moves the hand for `skill` and `pick_up`, named as --model; "expert" sees the true state.
        token: of a robot's server; by default the environment's VLP_ROBOT_TOKEN.
        timeout_s: limit on the whole run, in seconds of real time.
        model_timeout_s: limit on opening a model's server, and on each reply.
    """
    said, model = Instruction.of(instruction), with_name(model, model_name)
    changes = [Change.parse(t, instruction=i) for texts, i in ((change, True), (event, False)) for t in texts]
    folder = Path(out) if out else default_out(said.text)
    check_out(folder, force)
    folder = folder.absolute()  # the robot may go elsewhere
    _check_times({"--timeout-s": timeout_s, "--model-timeout-s": model_timeout_s})
    options = {"adapter": adapter, "grounder": grounder, "recordings": not no_recordings, "confirm": confirm}
    chosen = {"profile": profile, "server": server, "check": check if check == "model" else "", "early": early}
    chosen |= {"verify": verify, "sequencer": sequencer if sequencer in ("", "retry") else str(Path(sequencer).absolute())}
    chosen |= {"film": film if film != "small" else "", "lessons": str(lessons_at(lessons) or ""), "skills": skills}
    _check_together(model, confirm, chosen)
    options |= {name: value for name, value in chosen.items() if value}
    if EXPERT in (model, skills) or grounder == "oracle":
        options["upper_bound"] = True
    world, seed = scene(robot, world, seed, grounder)
    grace_s = 300.0 if is_simulated(robot) else Budget.step_grace_s  # its own clock bounds steps, not the films
    budget = Budget(run_s=timeout_s, model_s=model_timeout_s, step_grace_s=grace_s)
    spec = Spec(said, robot, world, model, seed, tuple(changes), budget, options)
    with contextlib.ExitStack() as until:
        return launch(folder, spec, token, prepare=lambda: take_out(folder, force, until))


def _check_together(model: str, confirm: str, chosen: Mapping[str, Any]) -> None:
    """Raise UsageError for options that do not go together, before anything is written."""
    if chosen["early"] and confirm == "always":
        raise UsageError("--early begins a step before --confirm always has asked.", "Leave one of them out.")
    if model == EXPERT and chosen["lessons"]:
        raise UsageError("the expert reads no lessons, and teaches none.", "Leave out --lessons, or name another --model.")
    open_sequencer(str(chosen["sequencer"]))


def _check_times(given: Mapping[str, float]) -> None:
    for name, seconds in given.items():
        if not 0 < seconds < math.inf:
            raise UsageError(f"{name} {seconds:g} is no time greater than 0.", "Give the longest time, in seconds.")


def resume(
    directory: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")],
    token: str = "",
    looked: bool = False,
) -> int:
    """Go on with a run whose process died or was stopped.

    Without a new policy no finished step is repeated; a new one repeats none that cannot be undone. A simulated robot is
    restored from the journal; a real one is asked what became of the step in flight.

    Args:
        directory: the run's directory.
        token: of a robot's server; by default the environment's VLP_ROBOT_TOKEN.
        looked: you have looked at the robot: a step that nobody knows the end of failed, and a new policy is asked for.
    """
    folder = journal_path(directory).parent
    with held(folder):
        check_writable(folder)
        spec, past = read_run(directory)
        return launch(folder.absolute(), spec, token, past, looked=looked)
