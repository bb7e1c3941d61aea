"""The public check that an object is a robot: run it over every robot before anything else uses it."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from vlp.core.report import Report
from vlp.primitives.declare import Primitive
from vlp.primitives.facts import faults as condition_faults
from vlp.primitives.manifest import Manifest
from vlp.robot.arguments import CHECKERS
from vlp.robot.offers import offered
from vlp.robot.protocol import Robot, Step, StepResult

STATUSES = ("succeeded", "failed", "stopped", "timeout", "rejected")
STOP_RETURNS_S = 3.0


def check_robot(robot: Robot, moves: bool = True) -> Report:
    """Return where a robot breaks its contract; empty when nowhere.

    Looks at `describe`, `observe`, `execute` and `stop`: types and units, a manifest that survives JSON, keys that act
    once, refusals of what the manifest does not allow, and a latch that holds. Leaves the robot reset when it offers
    `reset_stop`, else stopped.

    Args:
        robot: the robot; a real one will move.
        moves: whether one harmless step (a primitive without arguments and needs, such as home) may be carried out.
    """
    report = Report()
    manifest = _guarded(report, "/describe", robot.describe)
    if not isinstance(manifest, Manifest):
        report.add("/describe", "wrong-type", f"describe returned a {type(manifest).__name__}, not a Manifest.")
        return report
    _check_manifest(report, robot, manifest)
    _check_observation(report, robot)
    _check_refusals(report, robot, manifest)
    simple = (p for p in manifest.primitives.values() if not p.arguments and not p.needs)
    harmless = next(simple, None) if moves else None
    if harmless is not None:
        _check_keys(report, robot, harmless)
    _check_stop(report, robot, harmless)
    return report


def _check_manifest(report: Report, robot: Robot, manifest: Manifest) -> None:
    path = "/describe"
    try:
        again = Manifest.from_json(json.loads(json.dumps(manifest.to_json(), allow_nan=False)))
        if again != manifest:
            report.add(path, "round-trip", "the manifest differs after a round trip through JSON.", "Use tuples and numbers.")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        report.add(path, "round-trip", f"the manifest does not survive JSON: {error}.")
    if robot.describe() != manifest:
        report.add(path, "unstable", "describe gives another manifest the second time.")
    if not manifest.robot or not manifest.version:
        report.add(path, "unnamed", "robot and version must not be empty.")
    if not manifest.primitives:
        report.add(path, "empty", "the manifest has no primitive.")
    for name, primitive in manifest.primitives.items():
        where = f"{path}/primitives/{name}"
        if primitive.name != name:
            report.add(where, "name", f"it is filed as {name!r} but named {primitive.name!r}.")
        if primitive.timeout_s <= 0:
            report.add(where, "timeout", f"timeout_s is {primitive.timeout_s}; it must be above 0.")
        for argument in primitive.arguments:
            if argument.type not in CHECKERS:
                report.add(
                    f"{where}/{argument.name}",
                    "type",
                    f"unknown type {argument.type!r}.",
                    f"Known: {sorted(CHECKERS)}.",
                )
    for name, message, hint in condition_faults(manifest):
        report.add(f"{path}/primitives/{name}", "condition", message, hint)
    box = manifest.limits.workspace
    if box is not None and not all(low < high for low, high in zip(*box, strict=True)):
        report.add(f"{path}/limits", "workspace", "workspace_min_m must be below workspace_max_m.")


def _check_observation(report: Report, robot: Robot) -> None:
    path = "/observe"
    first, second = _guarded(report, path, robot.observe), _guarded(report, path, robot.observe)
    if first is None or second is None:
        return
    k, pose = first.intrinsics, np.asarray(first.camera_in_base)
    facts = {
        "rgb": first.rgb.dtype == np.uint8 and first.rgb.shape == (k.height, k.width, 3),
        "depth": first.depth_m.dtype == np.float32 and first.depth_m.shape == (k.height, k.width),
        "depth-values": bool(np.isfinite(first.depth_m).all() and (first.depth_m >= 0).all()),
        "intrinsics": k.fx > 0 and k.fy > 0,
        "pose": pose.shape == (4, 4) and np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6),
        "clock": second.stamp_s >= first.stamp_s,
        "state": isinstance(first.state.at, str) and isinstance(first.state.holding, str),
    }
    for fact, holds in facts.items():
        if not holds:
            report.add(path, fact, f"{fact} is not as `Observation` says.")


def _check_refusals(report: Report, robot: Robot, manifest: Manifest) -> None:
    strict = next((p for p in manifest.primitives.values() if any(a.required for a in p.arguments)), None)
    cases: dict[str, tuple[str, dict[str, Any]]] = {"unknown-primitive": ("no_such_primitive", {})}
    if strict is not None:
        cases["missing-argument"] = (strict.name, {})
        cases["unknown-argument"] = (strict.name, {"no_such_argument": 1})
    for name, (do, arguments) in cases.items():
        result = _execute(report, robot, do, arguments)
        if result is not None and result.status != "rejected":
            report.add("/execute", name, f"expected status 'rejected', found {result.status!r}.", "Use check_arguments first.")


def _check_keys(report: Report, robot: Robot, harmless: Primitive) -> None:
    key = _key()
    results = [_execute(report, robot, harmless.name, {}, key) for _ in range(2)]
    if None in results:
        return
    if results[0] != results[1]:
        report.add("/execute", "key", f"{harmless.name} gave another result when the key was repeated: did it act twice?")
    other = _execute(report, robot, harmless.name, {"no_such_argument": 1}, key)
    if other is not None and other.status != "rejected":
        report.add("/execute", "key-reused", f"a used key with other arguments gave {other.status!r}, not 'rejected'.")


def _check_stop(report: Report, robot: Robot, harmless: Primitive | None) -> None:
    began = time.monotonic()
    thread = threading.Thread(target=_guarded, args=(report, "/stop", robot.stop), daemon=True)
    thread.start()
    thread.join(STOP_RETURNS_S)
    if thread.is_alive():
        report.add("/stop", "hangs", f"stop had not returned after {time.monotonic() - began:.1f} s.")
        return
    do = harmless.name if harmless else next(iter(robot.describe().primitives))
    for _ in range(2):
        result = _execute(report, robot, do, {})
        if result is not None and result.status not in ("stopped", "rejected"):
            report.add("/stop", "latch", f"{do} gave {result.status!r} while stopped; expected 'stopped'.")
    reset = offered(robot, "reset_stop")
    if reset is None:
        return
    _guarded(report, "/reset_stop", reset)
    result = _execute(report, robot, do, {}) if harmless else None
    if result is not None and result.status == "stopped":
        report.add("/reset_stop", "latch", "the robot is still stopped after reset_stop.")


def _execute(report: Report, robot: Robot, do: str, arguments: dict[str, Any], key: str = "") -> StepResult | None:
    """Execute a step and check the form of its result."""
    step = Step(do, arguments, key or _key(), timeout_s=20.0)
    result = _guarded(report, "/execute", lambda: robot.execute(step))
    if result is None:
        return None
    if not isinstance(result, StepResult):
        report.add("/execute", "wrong-type", f"execute returned a {type(result).__name__}, not a StepResult.")
        return None
    if result.key != step.key:
        report.add("/execute", "key", f"the result of key {step.key} carries the key {result.key}.")
    if result.status not in STATUSES:
        report.add("/execute", "status", f"unknown status {result.status!r}.", f"Known: {', '.join(STATUSES)}.")
    if (result.status == "succeeded") != (result.code == ""):
        report.add("/execute", "code", f"{result.status} with code {result.code!r}; a code is there exactly on failure.")
    try:
        json.dumps([result.done, result.value], allow_nan=False)
    except (TypeError, ValueError) as error:
        report.add("/execute", "plain-data", f"done and value must be JSON data: {error}.")
        return None
    return result


def _guarded(report: Report, path: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        report.add(path, "raised", f"it raised {type(error).__name__}: {str(error)[:200]}.")
        return None


def _key() -> str:
    return uuid.uuid4().hex
