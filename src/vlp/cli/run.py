"""`vlp run` and `vlp resume`: a sentence, a robot, a model, and a directory with everything that happened."""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vlp.cli.launch import EXPERT, launch
from vlp.cli.options import IN_PROCESS, Eyes
from vlp.cli.out import check_out, default_out, held, take_out
from vlp.core.errors import UsageError, first
from vlp.core.files import check_writable
from vlp.core.instruction import Instruction
from vlp.journal import journal_path
from vlp.models.catalogue import DEFAULT_MODEL, with_name
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.runtime.limits import Budget
from vlp.runtime.run import Spec, read_run
from vlp.runtime.schedule import Change
from vlp.sim.embodiments import EMBODIMENTS
from vlp.sim.worlds import WORLDS

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
    world: str = first(WORLDS),
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
    confirm: Literal["ask", "yes", "always"] = "ask",
    token: str = "",
    timeout_s: float = 1800.0,
) -> int:
    """Carry out an instruction, and show live what happens and why.

    While it runs in a terminal, a line you type is a new instruction, and "stop" stops the robot.

    Args:
        instruction: what you want, in one sentence.
        robot: a simulated robot, module:Class of your own, or the URL of a robot's server.
        world: the simulated world that the robot stands in.
        seed: which of its scenes; `vlp world show` draws it.
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
        confirm: where a general model may have misunderstood, "ask" the person at the terminal (without one nothing moves), or
            go on: "yes". "always" waits before the first step of every policy for yes, no, an edit or another sentence.
        token: of a robot's server; by default the environment's VLP_ROBOT_TOKEN.
        timeout_s: limit on the whole run, in seconds of real time.
    """
    said, model = Instruction.of(instruction), with_name(model, model_name)
    changes = [Change.parse(text, instruction=True) for text in change]
    changes += [Change.parse(text, instruction=False) for text in event]
    folder = Path(out) if out else default_out(said.text)
    check_out(folder, force)
    if not timeout_s > 0:
        raise UsageError(f"--timeout-s {timeout_s:g} is not greater than 0.", "Give the longest time for the run, in seconds.")
    options = {"adapter": adapter, "grounder": grounder, "recordings": not no_recordings, "confirm": confirm}
    chosen = {"profile": profile, "server": server, "check": check if check == "model" else ""}
    options |= {name: value for name, value in chosen.items() if value}
    if model == EXPERT or grounder == "oracle":
        options["upper_bound"] = True
    spec = Spec(said, robot, world, model, seed, tuple(changes), Budget(run_s=timeout_s), options)
    with contextlib.ExitStack() as until:
        return launch(folder, spec, token, prepare=lambda: take_out(folder, force, until))


def resume(
    directory: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")],
    token: str = "",
) -> int:
    """Go on with a run whose process died or was stopped: no finished step is repeated.

    A simulated robot is restored from the journal; a real one is asked what became of the step in flight.

    Args:
        directory: the run's directory.
        token: of a robot's server; by default the environment's VLP_ROBOT_TOKEN.
    """
    folder = journal_path(directory).parent
    with held(folder):
        check_writable(folder)
        spec, past = read_run(directory)
        return launch(folder, spec, token, past)
