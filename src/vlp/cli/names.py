"""Names on the command line: a robot, a world and events are looked up before anything heavy is opened."""

import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path

from vlp.core.errors import UsageError
from vlp.robot.protocol import is_own


def is_simulated(robot: str) -> bool:
    """Return whether a robot is named as a simulated one: neither by module:Class nor by a URL."""
    return not robot.startswith(("http://", "https://")) and not is_own(robot)


def check_run(robot: str, world: str, events: Iterable[str]) -> None:
    """Refuse names that nothing is called by.

    Args:
        robot: a simulated robot, module:Class, or a URL, which is not looked at.
        world, events: for a simulated robot.

    Raises:
        UsageError: an unknown name.
        MissingComponent: the simulator, which knows the events, is not installed.
    """
    check_no_file(robot)
    if is_own(robot) and not _is_there(robot.partition(":")[0]):
        from vlp.robot.own import own_robot

        own_robot(robot)  # raises what there is to say about it
    if not is_simulated(robot):
        return
    from vlp.sim.open import check_names, happenings

    check_names(robot, world)
    if events := tuple(events):
        from vlp.episodes.world_events import parse_event

        known = happenings(world)
        for text in events:
            parse_event(text, known)


def check_no_file(robot: str) -> None:
    """Refuse a Python file in the place of a robot, with the name that it goes by."""
    if not robot.endswith(".py") or "://" in robot:
        return
    file = Path(robot)
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    robots = re.findall(r"^class (\w+)\(.*Robot\b.*\):", text, re.MULTILINE) or re.findall(r"^class (\w+)", text, re.MULTILINE)
    kind = robots[-1] if robots else "".join(word.capitalize() for word in file.stem.split("_"))
    hint = f"Go to where it lies and name its robot {file.stem}:{kind} (module:Class)."
    raise UsageError(f"{robot[:200]!r} names a Python file, not a robot.", hint)


def _is_there(module: str) -> bool:
    """Return whether a module can be found, in the present directory too, without importing it."""
    here = Path(*module.split("."))
    try:
        return here.is_dir() or here.with_suffix(".py").is_file() or importlib.util.find_spec(module) is not None
    except (Exception, SystemExit):  # whatever the package around it raises when it is imported: `own_robot` says it
        return False
