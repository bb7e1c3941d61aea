"""Names on the command line: options that several commands have, and what is looked up before anything heavy is opened."""

import importlib
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from vlp.core.errors import UsageError, closest, first
from vlp.models.catalogue import FOLDERS
from vlp.perception.grounder import GROUNDERS
from vlp.robot.protocol import is_own
from vlp.runtime.lessons.store import own_lessons
from vlp.sim import EMBODIMENTS, WORLDS

IN_PROCESS = f"{', '.join(FOLDERS)}, a model folder"
"""What a model that runs in this process is called by."""

BaseModel = Annotated[str, tyro.conf.arg(help=f"{IN_PROCESS}, or a Hugging Face id such as Qwen/Qwen2.5-VL-3B-Instruct.")]
AskedModel = Annotated[str, tyro.conf.arg(help=f"{IN_PROCESS}, a Hugging Face id, or the URL of an OpenAI-compatible server.")]
RecordedBase = Annotated[
    str, tyro.conf.arg(help=f"{IN_PROCESS}, or a Hugging Face id; by default what the record of the tuned model says.")
]
of_worlds = tyro.conf.arg(
    help=f"the world that a simulated robot stands in: {', '.join(WORLDS)}; by default the first of them."
)
Eyes = Annotated[
    str,
    tyro.conf.arg(help=f"what finds things in images: {', '.join(GROUNDERS)}; the oracle reads the simulator: an upper bound."),
]

LessonFile = Annotated[
    str,
    tyro.conf.arg(metavar="FILE", help='lessons of earlier runs: "on" for your own, a file for others, "off" for none.'),
]

Cluster = Annotated[
    str,
    tyro.conf.arg(
        metavar="ADDRESS",
        help="a Ray cluster: HOST:PORT, auto for the one on this machine, local for one that ends with the command.",
    ),
]


def lessons_at(given: str) -> Path | None:
    """Return the file of lessons that an option names: the person's own for "on", None for "off".

    Raises:
        UsageError: another word, which is no path, or a folder.
    """
    words = {"on": own_lessons(), "off": None}
    if given in words:
        return words[given]
    if Path(given).is_dir():
        raise UsageError(f"--lessons {given[:300]!r} is a folder.", "Name a file in it, such as lessons.db.")
    if not Path(given).suffix and "/" not in given:
        near = f"Did you mean {near!r}? " if (near := closest(given, words)) else ""
        raise UsageError(
            f"--lessons {given[:100]!r} is neither on nor off.", f"{near}A file has an ending, such as lessons.db."
        )
    return Path(given).absolute()


def is_simulated(robot: str) -> bool:
    """Return whether a robot is named as a simulated one: neither by module:Class nor by a URL."""
    return not robot.startswith(("http://", "https://")) and not is_own(robot)


def scene(robot: str, world: str, seed: int, grounder: str) -> tuple[str, int]:
    """Return the world and the seed of a simulated robot, the first world where none is named; of another ("", 0).

    Raises:
        UsageError: what only a simulated robot has, asked for another.
    """
    if is_simulated(robot):
        return world or first(WORLDS), seed
    asked = {f"--world {world[:100]}": bool(world), f"--seed {seed}": seed != 0, "--grounder oracle": grounder == "oracle"}
    for option, given in asked.items():
        if given:
            hint = f"Leave it out, or name a simulated robot: {', '.join(EMBODIMENTS)}."
            raise UsageError(f"{option} is of a simulated scene, and {robot[:200]!r} stands in none.", hint)
    return "", 0


def check_run(robot: str, world: str, events: Iterable[str]) -> None:
    """Refuse names that nothing is called by.

    Args:
        robot: a simulated robot, module:Class, whose module is imported, or a URL, which is not looked at.
        world, events: for a simulated robot.

    Raises:
        UsageError: an unknown name, or events for a robot that is not simulated.
        MissingComponent: a module that does not load, or the simulator, which knows the events, is not installed.
    """
    check_no_file(robot)
    if is_own(robot) and not _is_there(robot):
        from vlp.robot.own import own_robot

        own_robot(robot)  # raises what there is to say about it
    events = tuple(events)
    if not is_simulated(robot):
        if events:
            hint = f"Simulated robots: {', '.join(EMBODIMENTS)}. --change gives a new instruction midway, to any robot."
            raise UsageError(
                f"--event {events[0][:100]!r} changes a simulated scene, and {robot[:200]!r} stands in none.", hint
            )
        return
    from vlp.sim.open import check_names, happenings

    check_names(robot, world)
    if events:
        from vlp.episodes.world_events import parse_event

        known = happenings(world)
        for text in events:
            parse_event(text, known)


def without_lost(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of a run that is taken over, without the files that are gone by now, and a line about each."""
    left, lost = dict(options), list[str]()
    goes_on = {
        "sequencer": "a step that failed is not tried again before a new policy is asked for",
        "lessons": "the model is told of no earlier runs, and this run teaches none",
    }
    for option, without in goes_on.items():
        file = str(options[option])
        if file not in ("", "retry") and not Path(file).exists():
            left[option] = ""
            lost.append(f"--{option} {file[:300]} is gone, and the run goes on without it: {without}.")
    return left, lost


def check_no_file(robot: str) -> None:
    """Refuse a Python file, or its module alone, in the place of a robot, with the name that it goes by."""
    if "://" in robot or robot in EMBODIMENTS:
        return
    file = Path(robot if robot.endswith(".py") else f"{robot.replace('.', '/')}.py"[:200])
    if not robot.endswith(".py") and not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    robots = re.findall(r"^class (\w+)\(.*Robot\b.*\):", text, re.MULTILINE) or re.findall(r"^class (\w+)", text, re.MULTILINE)
    kind = robots[-1] if robots else "".join(word.capitalize() for word in file.stem.split("_"))
    hint = f"Go to where it lies and name its robot {file.stem}:{kind} (module:Class)."
    raise UsageError(f"{robot[:200]!r} names a Python file, not a robot in it.", hint)


def _is_there(robot: str) -> bool:
    """Return whether a class or function can be found, in the present directory too, without calling it."""
    module, _, attribute = robot.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return callable(getattr(importlib.import_module(module), attribute, None))
    except (Exception, SystemExit):  # whatever the module raises when it is imported: `own_robot` says it
        return False
