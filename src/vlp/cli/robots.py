"""Robots by the words of the command line: their manifests, and clients of their servers."""

import json
import os
import re
from pathlib import Path

from pydantic import ValidationError

from vlp.cli.names import check_no_file
from vlp.cli.run import robot_token
from vlp.core.errors import UsageError, closest
from vlp.core.files import nearest
from vlp.perception.perceiving import with_perceptions
from vlp.primitives.manifest import Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.client import RemoteRobot
from vlp.robot.conformance import type_faults
from vlp.robot.declarations import check_declarations
from vlp.robot.protocol import is_own
from vlp.sim import EMBODIMENTS
from vlp.sim.open import check_robot_name, reads_text
from vlp.sim.open import manifest_of as simulated_manifest

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
STANDARD_ROBOT = "standard"


def manifest_of(robot: str, token: str = "", world: str = "") -> Manifest:
    """Return a robot's manifest, perceptions included.

    Args:
        robot: a row of `vlp.sim.EMBODIMENTS`, "standard", "module:Class" of one's own, the URL of a robot's
            server, or a file that `vlp robot manifest` wrote.
        token: of the server.
        world: in which a simulated robot stands; "" takes the first.
    """
    if robot.startswith(("http://", "https://")):
        with connect(robot, token) as remote:
            return remote.describe()
    if robot == STANDARD_ROBOT:
        return with_perceptions(standard_manifest())
    if is_own(robot):
        from vlp.robot.own import usable_robot

        return with_perceptions(usable_robot(robot).describe())
    if robot in EMBODIMENTS:
        return with_perceptions(simulated_manifest(robot, world), reads=reads_text(world))
    check_no_file(robot)
    if not (robot.endswith(".json") or Path(robot).is_file()):
        check_robot_name(robot, STANDARD_ROBOT)
    return _from_file(Path(robot))


def standard_manifest() -> Manifest:
    """Return a manifest with every standard primitive and no body: enough to read policies, without the simulator."""
    from vlp.sim.worlds.tabletop.places import PLACES

    return make_manifest(STANDARD_ROBOT, STANDARD, PLACES)


def connect(robot: str, token: str = "") -> RemoteRobot:
    """Return the client of a robot's server; raises UsageError for a name where a URL is needed."""
    check_no_file(robot)
    if is_own(robot):
        raise UsageError(
            f"{robot[:200]!r} is a robot of your own.", f"Start `vlp robot serve --robot {robot[:200]}`, and give its URL."
        )
    if not robot.startswith(("http://", "https://")):
        near = closest(robot, EMBODIMENTS)
        question = f"Did you mean {near!r}? " if near and near != robot else ""
        hint = f"{question}Start one with `vlp robot serve{f' --robot {near}' if near else ''}`, and give its URL."
        raise UsageError(f"{robot[:200]!r} is not the URL of a robot's server.", hint)
    return RemoteRobot(robot, robot_token(token))


def _from_file(file: Path) -> Manifest:
    if not os.path.isfile(file):
        raise UsageError(f"no manifest file at {str(file)[:300]!r}.", nearest(file))
    if file.stat().st_size > MAX_MANIFEST_BYTES:
        raise UsageError(f"{file.name!r} is larger than {MAX_MANIFEST_BYTES:,} bytes.")
    found = None
    try:
        found = Manifest.from_json(json.loads(file.read_bytes()))
        faults = [f"{fault}." for fault in type_faults(found)] or [str(issue) for issue in check_declarations(found).issues]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        faults = [f"{_fault(error)}."]
    if found is None or faults:
        hint = "`vlp robot manifest --robot URL --json` writes one."
        raise UsageError(f"{file.name!r} is not a robot's manifest: {faults[0][:300]}", hint)
    return found


def _fault(error: Exception) -> str:
    """Return what is wrong with data that is no manifest, in words of the data and not of Python."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))} is {repr(first['input'])[:60]}: {first['msg'][0].lower()}{first['msg'][1:]}"
    if isinstance(error, ValueError):
        return str(error)[:100].rstrip(".")
    odd = re.search(r"unexpected keyword argument ('\w+')|missing .*argument.*: ('.*)", str(error))
    return (
        "expected an object with other fields" if odd is None else f"{odd[1]} is unknown" if odd[1] else f"{odd[2]} is missing"
    )
