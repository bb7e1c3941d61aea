"""`vlp robot new`: the beginning of a robot of one's own."""

import keyword
import re
import sys
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import tyro

from vlp.core.errors import UsageError
from vlp.core.files import write_whole


def new(name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]) -> int:
    """Write a robot of your own into the present directory: one file, its test, and replies to try it with.

    Args:
        name: of the robot and of its file, e.g. lawn_mower.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name != name.lower() or name.startswith("_"):
        raise UsageError(f"{name[:100]!r} cannot name a Python file.", "Use small letters, digits and _, e.g. lawn_mower.")
    if len(name) > 60:
        raise UsageError(f"{name[:60]!r}... has {len(name):,} characters.", "Choose a name of at most 60.")
    if name in {"vlp", "conftest", *sys.stdlib_module_names, *packages_distributions()}:  # its file would stand before that one
        raise UsageError(f"there is a module {name!r} already.", "Choose another name.")
    kind = "".join(word.capitalize() for word in name.split("_"))
    robot = files("vlp.robot").joinpath("new_robot.txt").read_text(encoding="utf-8")
    if re.search(rf"^from .*\b{kind}\b", robot, re.MULTILINE):
        raise UsageError(f"a robot {name!r} would be the class {kind}, which its file imports.", "Choose another name.")
    names = (f"{name}.py", f"test_{name}.py", f"{name}_replies.json")
    written = dict(zip(map(Path, names), ("new_robot.txt", "new_robot_test.txt", "new_robot_replies.txt"), strict=True))
    if taken := [str(file) for file in written if file.exists()]:
        raise UsageError(
            f"{', '.join(taken)} {'exist' if len(taken) > 1 else 'exists'} already.",
            "Choose another name, or another directory.",
        )
    for file, template in written.items():
        text = files("vlp.robot").joinpath(template).read_text(encoding="utf-8")
        write_whole(file, text.format(name=name, kind=kind).encode())
    print(f"written: {', '.join(map(str, written))}. Try:")
    print(f"  vlp robot check {name}:{kind}")
    print(f"  python -m pytest test_{name}.py          # pip install pytest")
    print(f'  vlp run "measure the temperature at the desk" --robot {name}:{kind} --model scripted:{name}_replies.json')
    return 0
