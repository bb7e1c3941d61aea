"""`vlp policy ...`: policy files checked, shown, compared and converted."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import tyro

from vlp.cli.robots import STANDARD_ROBOT, manifest_of
from vlp.core.errors import Report, TaskFailed, UsageError, VlpError, first, lookup
from vlp.core.files import nearest
from vlp.core.messages import counted
from vlp.policy.checks import check_policy
from vlp.policy.convert import TARGETS
from vlp.policy.convert import convert as convert_to
from vlp.policy.model import Plan, tree_lines
from vlp.policy.model import diff as compare
from vlp.policy.parse import MAX_BYTES, parse_json
from vlp.primitives.schema import policy_schema
from vlp.sim import EMBODIMENTS

PolicyFile = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]


def check(file: PolicyFile, robot: str = first(EMBODIMENTS), json_: Annotated[bool, tyro.conf.arg(name="json")] = False) -> int:
    """Check a policy file as it would be checked before anything moves.

    Exit status 1 when it does not pass, 2 when the file cannot be read as one JSON document.

    Args:
        file: the policy; "-" reads standard input.
        robot: whose primitives and limits: hsr, module:Class of your own, a server's URL, or a file with a manifest.
        json_: print the whole report as JSON.
    """
    text = _read(file)
    plan, report = check_policy(text, manifest_of(robot))
    if json_:
        print(json.dumps({"file": file, **report.to_json()}))
        return 0 if report.ok else _fault(file, text, report).exit_status
    if plan is None:
        fault = _fault(file, text, report)
        for issue in report.issues[1:]:
            fault.add_note(f"also {issue}")
        raise fault
    print(f"{file}: ok, {counted(len(plan.policy.subtasks), 'subtask')}, {counted(len(plan.steps), 'step')}")
    return 0


def show(file: PolicyFile, robot: str = STANDARD_ROBOT) -> int:
    """Print a policy as a tree.

    Args:
        file: the policy; "-" reads standard input.
        robot: whose policy it is: standard (every standard primitive), or what `policy check` takes.
    """
    print("\n".join(tree_lines(_plan(file, robot))))
    return 0


def diff(
    old: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OLD")],
    new: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NEW")],
    robot: str = STANDARD_ROBOT,
    done: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ID ...")] = (),
) -> int:
    """Print what a second policy changes about a first.

    Args:
        old: the first policy file.
        new: the second policy file.
        robot: whose policies they are: standard (every standard primitive), or what `policy check` takes.
        done: ids of the first one's steps that are done already, e.g. 1.1 1.2.
    """
    manifest = manifest_of(robot)
    first, second = _plan(old, robot), _plan(new, robot)
    for step_id in done:
        first.step(step_id)
    print(compare(first, second, manifest, done))
    return 0


def convert(file: PolicyFile, to: str, robot: str = STANDARD_ROBOT) -> int:
    """Turn a policy into a readable script, a BehaviorTree.CPP v4 tree, a py_trees module or a Mermaid chart.

    Args:
        file: the policy; "-" reads standard input.
        to: python, btxml, pytrees or mermaid.
        robot: whose policy it is: standard (every standard primitive), or what `policy check` takes.
    """
    lookup(to, TARGETS, "target")
    print(convert_to(_plan(file, robot), to).rstrip("\n"))
    return 0


def schema(robot: str = first(EMBODIMENTS)) -> int:
    """Print the JSON Schema of policies for a robot: grammar, validator and documentation in one.

    Args:
        robot: hsr, module:Class of your own, the URL of a robot's server, or a file with a manifest.
    """
    print(json.dumps(policy_schema(manifest_of(robot)), indent=2))
    return 0


def _read(file: str) -> bytes:
    """Return at most one byte more than a policy may have, however large the file is."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    if not os.path.isfile(file):
        raise UsageError(f"no policy file at {file[:300]!r}.", nearest(file))
    try:
        with open(file, "rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file[:300]!r} cannot be read: {error.strerror}.") from None


def _plan(file: str, robot: str) -> Plan:
    text = _read(file)
    plan, report = check_policy(text, manifest_of(robot))
    if plan is None:
        raise _fault(file, text, report)
    return plan


def _fault(file: str, text: bytes, report: Report) -> VlpError:
    """Return the error for a report: its first fault, and how many more there are.

    A file that no document can be read from is bad input; one with a policy that does not pass has failed the check.
    """
    more = f" ({len(report.issues) - 1} more)" if len(report.issues) > 1 else ""
    _, read = parse_json(text)
    kind = TaskFailed if read.ok else UsageError
    return kind(f"{Path(file).name!r} does not pass: {report.issues[0]}{more}")
