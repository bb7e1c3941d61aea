"""A robot of one's own, by "module:Class"."""

import importlib
import sys
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError, VlpError, closest, did_you_mean
from vlp.robot.conformance import check_describe
from vlp.robot.protocol import Robot, raised


def own_robot(name: str) -> Robot:
    """Return the robot that a class or a function makes when it is called without arguments.

    Args:
        name: "module:Class"; modules in the present directory are found too.

    Raises:
        UsageError: no such module or class, or what it makes is no robot.
        MissingComponent: the module or the class does not load.
    """
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise MissingComponent(f"the robot {name!r} needs {error.name}.", "Install it.") from None
        raise UsageError(f"there is no module {error.name!r}.", "Run the command where it lies, or install it.") from None
    except SystemExit as end:
        hint = "Put what runs it as a program behind `if __name__ == '__main__':`."
        raise UsageError(f"the module {module_name!r} ends the program when it is imported ({raised(end)}).", hint) from None
    except Exception as error:
        raise MissingComponent(f"the module {module_name!r} does not load: {raised(error)}.") from None
    maker = getattr(module, attribute, None)
    if not callable(maker):
        known = [n for n, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]
        raise UsageError(f"{module_name} has no class {attribute!r}.", did_you_mean(attribute, known) if known else "")
    try:
        robot: Any = maker()
    except VlpError:
        raise
    except SystemExit as end:
        hint = "Let it raise an error that says why instead."
        raise UsageError(f"the robot {name!r} ends the program when it is made ({raised(end)}).", hint) from None
    except Exception as error:
        trace = error.__traceback__
        called = isinstance(error, TypeError) and (trace is None or trace.tb_next is None)  # nothing inside was reached
        hint = "It is called without arguments: give them defaults." if called else ""
        raise MissingComponent(f"the robot {name!r} cannot be made: {raised(error)}.", hint) from None
    for attribute in getattr(robot, "simulated", ()):
        if not hasattr(robot, attribute):
            near = closest(str(attribute), vars(robot))
            hint = f"Did you mean {near!r}?" if near else "Set it in `__init__`."
            raise UsageError(f"{name} lists {attribute!r} in `simulated`, and has no such attribute.", hint)
    lacks = [method for method in ("describe", "observe", "execute", "stop") if not callable(getattr(robot, method, None))]
    if lacks:
        raise UsageError(
            f"{name} is no robot: it lacks {', '.join(lacks)}.", "A robot has describe, observe, execute and stop."
        )
    return robot


def usable_robot(name: str) -> Robot:
    """Return a robot of one's own, "module:Class", whose manifest can be used.

    Raises:
        UsageError: there is none by that name, or its manifest breaks its contract.
        MissingComponent: it does not load.
    """
    robot = own_robot(name)
    try:
        robot.describe()
    except VlpError:  # it says itself what it misses
        raise
    except (Exception, SystemExit):
        pass  # told below
    report, _ = check_describe(robot)
    if not report.ok:
        fault = report.issues[0]
        text = f"{fault.message} {fault.hint}".strip()
        raise UsageError(f"{name}, at {fault.path}: {text}", f"`vlp robot check {name}` tells all.")
    return robot
