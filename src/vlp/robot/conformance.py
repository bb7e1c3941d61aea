"""The public check that an object is a robot: run it over every robot before anything else uses it."""

import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import numpy as np

from vlp.core.errors import Issue, Report, did_you_mean
from vlp.core.observation import Observation, RobotState
from vlp.primitives.facts import Condition, denied, sensing_faults, told_by_state
from vlp.primitives.manifest import Manifest, Primitive, manifest_types
from vlp.robot.arguments import check_arguments
from vlp.robot.declarations import check_declarations
from vlp.robot.protocol import (
    Robot,
    Step,
    StepResult,
    in_words,
    not_finite,
    offered,
    plain_observation,
    plain_result,
    plain_state,
    raised,
    result_fault,
    state_now,
)

TOO_DEEP = "contains itself, or is nested too deep; expected JSON data"


def check_robot(robot: Robot, moves: bool = True, limit_s: float = 40.0, stops: bool = True) -> Report:
    """Return where a robot breaks its contract; empty when nowhere.

    Looks at `describe`, `observe`, `execute` and `stop`: types and units, a manifest that survives JSON, keys that act
    once, refusals of what the manifest does not allow, and a latch that holds. Leaves the robot reset when it offers
    `reset_stop`, else stopped. After a call that does not return, the robot is stopped and no further one is made. Nothing
    moves where the manifest has a fault, or where the robot turns out to be stopped.

    Args:
        robot: the robot; a real one will move.
        moves: whether steps may be carried out: what has an example of arguments that are safe to try
            (`Primitive.example`) and can be undone, and perceptions without arguments and needs. Without, it is only looked
            at: no step, no stop.
        limit_s: how long one call may take.
        stops: whether stop and reset are tried; not by one who may not reset.
    """
    with closing(_Timely(robot, limit_s)) as timely:
        report, manifest = check_describe(timely)
        harmless = [p for p in manifest.primitives.values() if _harmless(p)] if manifest and moves else []
        if manifest:
            for primitive in harmless:
                wrong = check_arguments(primitive.name, dict(primitive.example or {}), manifest)
                if not wrong.ok:
                    where = f"/describe/primitives/{primitive.name}/example"
                    report.add(where, "example", f"its own manifest refuses it: {wrong.issues[0]}")
        sound = report.ok
        if manifest is None:
            _observation(report, timely)
        else:
            _check_observation(report, timely, manifest)
        if manifest and sound and moves:
            _check_refusals(report, timely, manifest)
            if not all(_tried(report, timely, primitive, manifest) for primitive in harmless):
                return report
            if harmless:
                _check_keys(report, timely, harmless[0])
        if moves and stops and (sound or timely.hangs):
            _check_stop(report, timely, harmless[0] if harmless else None)
        return report


def check_describe(robot: Robot) -> tuple[Report, Manifest | None]:
    """Return where a robot's manifest breaks its contract, and the manifest; None for one that nothing can use."""
    report = Report()
    manifest = _guarded(report, "/describe", robot.describe)
    if not report.ok:
        return report, None
    if not isinstance(manifest, Manifest):
        report.add("/describe", "wrong-type", f"describe gave back {in_words(manifest)}; expected a Manifest.")
        return report, None
    faults = _guarded(report, "/describe", lambda: list(type_faults(manifest))) or []
    for fault in faults:
        hint = (
            "`make_manifest` takes lists of primitives and places." if fault.startswith(("primitives is", "places is")) else ""
        )
        report.add("/describe", "round-trip", f"{fault}.", hint)
    if not report.ok:
        return report, None
    _guarded(report, "/describe", lambda: _check_manifest(report, robot, manifest))
    return report, manifest


def type_faults(manifest: Manifest) -> Iterator[str]:
    """Yield what in a manifest has not the type that is declared, e.g. "limits.payload_kg is 'heavy': ..."."""
    from pydantic import ValidationError

    data = asdict(manifest)
    try:
        typed = manifest_types().validate_python(data)
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(map(str, fault["loc"]))
            yield f"{where} is {repr(fault['input'])[:60]}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
        return
    odd = not_finite(data, "")
    difference = f"{odd.removeprefix('.')}: expected a finite number" if odd else _difference(manifest, typed, "")
    if difference:
        yield difference


def _difference(given: Any, typed: Any, where: str) -> str:
    """Return where a value is not what its declared type makes of it, "" for nowhere."""
    parts: list[tuple[str, Any, Any]] = []
    if type(given) is type(typed) and is_dataclass(typed):
        parts = [(f.name, getattr(given, f.name), getattr(typed, f.name)) for f in fields(typed)]
    elif isinstance(given, dict) and isinstance(typed, dict) and set(given) == set(typed):
        parts = [(str(name), given[name], typed[name]) for name in typed]
    elif isinstance(given, tuple) and isinstance(typed, tuple) and len(given) == len(typed):
        parts = [(str(i), *pair) for i, pair in enumerate(zip(given, typed, strict=True))]
    elif given != typed or isinstance(given, str) != isinstance(typed, str):
        return f"{where.removeprefix('.')} is {repr(given)[:60]}: expected {repr(typed)[:60]}"
    return next((found for name, a, b in parts if (found := _difference(a, b, f"{where}.{name}"))), "")


def untried(manifest: Manifest, moves: bool = True, stops: bool = True) -> Iterator[str]:
    """Yield a line for each primitive that `check_robot` did not carry out, with the reason, and for the stop."""
    if not moves:
        yield "stop and reset: the robot was not to move."
    elif not stops:
        yield "stop and reset: this token may not reset."
    for primitive in manifest.primitives.values():
        if not moves:
            yield f"{primitive.name}: the robot was not to move."
        elif primitive.final:
            yield f"{primitive.name}: it cannot be undone."
        elif not _harmless(primitive):
            if any(condition.words != ("hand_empty",) for condition in told_by_state(primitive)):
                yield f"{primitive.name}: it needs {', '.join(primitive.needs)}; try it there with `vlp robot do`."
                continue
            need = "it takes arguments" if primitive.arguments else "it acts"
            need = f"it needs {', '.join(primitive.needs)}" if primitive.needs else need
            example = "an `example` of arguments that are" if primitive.arguments else "`example={}` if it is"
            then = "; after it the state's `holding` must name what is held" if _takes_hold(primitive) else ""
            yield f"{primitive.name}: {need}; declare {example} safe to try{then}."


def _harmless(primitive: Primitive) -> bool:
    looks = primitive.kind == "perception" and not (primitive.arguments or primitive.needs)
    return not primitive.final and (primitive.example is not None or looks)


def _tried(report: Report, robot: Robot, primitive: Primitive, manifest: Manifest) -> bool:
    """Carry out what is safe to try, which must be allowed, and give back what it declares; False when the robot is stopped."""
    result = _execute(report, robot, primitive.name, primitive.filled(primitive.example or {}))
    if result is None:
        return True
    if result.status == "stopped":
        said = f"not tried, nor what comes after it: {result.message.rstrip('.') or 'the robot is stopped'}."
        report.add(f"/execute/{primitive.name}", "stopped", said, "Look at the robot, reset it, and check it again.")
        return False
    if result.status == "rejected":
        where = f"/describe/primitives/{primitive.name}/example"
        report.add(where, "example", f"the robot refused it: {result.message} [{result.code}]")
    elif result.status == "succeeded":
        if fault := result_fault(primitive, result.value, manifest):
            report.add(f"/execute/{primitive.name}", "result", f"what it gave back is not what it declares: {fault}.")
        _check_effects(report, robot, primitive)
    return True


def _takes_hold(primitive: Primitive) -> bool:
    return any(effect.split()[:1] == ["holding"] for effect in primitive.makes)


def _check_effects(report: Report, robot: Robot, primitive: Primitive) -> None:
    """See that the robot's own state tells what a primitive that succeeded makes so: later steps are held against it."""
    state = _guarded(report, "/observe", lambda: state_now(robot)) if primitive.makes else None
    if state is None:
        return
    given = primitive.filled(primitive.example or {})
    said = {name: value.get("phrase", "") if isinstance(value, dict) else value for name, value in given.items()}
    path = f"/execute/{primitive.name}"
    for effect in (Condition.parse(text).grounded(said, "") for text in primitive.makes):
        held = effect.words[-1]
        if effect.words[0] == "holding" and effect.positive and state.holding not in (held, "something"):
            found = f"it succeeded, and the state's `holding` is {state.holding[:64]!r}; expected {held!r}."
            report.add(path, "holding", found, "Set it in `observe`: what needs something in the hand is refused without it.")
    if effect := denied(primitive, said, state):
        found = (
            f"it succeeded, which makes {str(effect)!r}, and the state denies it: at {state.at!r}, holding {state.holding!r}."
        )
        report.add(path, "effect", found, "Tell in `observe` what is so after the step.")


def _check_manifest(report: Report, robot: Robot, manifest: Manifest) -> None:
    path = "/describe"
    try:
        again = Manifest.from_json(json.loads(json.dumps(manifest.to_json(), allow_nan=False)))
        if again != manifest:
            report.add(path, "round-trip", "the manifest differs after a round trip through JSON.", "Use tuples and numbers.")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        hint = "Make it with `make_manifest`, which takes lists of primitives and places."
        report.add(path, "round-trip", f"the manifest does not survive JSON: {error}.", hint)
        return
    if _guarded(report, path, robot.describe) != manifest:
        report.add(path, "unstable", "describe gives another manifest the second time.")
    report.issues += check_declarations(manifest).issues


def _check_observation(report: Report, robot: "_Timely", manifest: Manifest) -> None:
    path = "/observe"
    first, second = _observation(report, robot), _observation(report, robot)
    if first is None or second is None:
        return
    k, depth = first.intrinsics, first.depth_m
    facts: dict[str, tuple[bool, str]] = {
        "clock": (second.stamp_s >= first.stamp_s, "stamp_s went back between two looks; expected a monotonic clock"),
        "own": (
            all(isinstance(v, str | int | float) for v in first.state.own.values()),
            "own of its state has other values than text, numbers and booleans",
        ),
        "facts": (
            all(isinstance(k, str) and isinstance(v, bool) for k, v in first.state.facts.items()),
            "facts of its state are not booleans by name",
        ),
    }
    if first.state.at not in ("", *manifest.places):
        hint = did_you_mean(first.state.at, manifest.places) if manifest.places else "The manifest has no places."
        report.add(path, "place", f"it stands at {first.state.at[:64]!r}, which is no place of the manifest.", hint)
    for message, hint in sensing_faults(first.state.facts, manifest) if facts["facts"][0] else ():
        report.add(path, "sensed-fact", message, hint)
    if k is not None:
        same = first.rgb.shape[:2] == (k.height, k.width)
        facts["size"] = same, "rgb has not the height and width of its intrinsics"
        facts["intrinsics"] = k.fx > 0 and k.fy > 0, "fx and fy of its intrinsics are not above 0"
    if first.camera_in_base is not None:
        pose = np.asarray(first.camera_in_base)
        right = pose.shape == (4, 4) and np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6)
        facts["pose"] = right, "camera_in_base is no 4x4 pose with a rotation in [:3, :3]"
    if depth is not None:
        right = depth.dtype == np.float32 and depth.shape == first.rgb.shape[:2]
        metres = bool(np.isfinite(depth).all() and (depth >= 0).all())
        calibrated = k is not None and first.camera_in_base is not None
        facts["depth"] = right, "depth_m is not float32 of the height and width of rgb"
        facts["depth-values"] = metres, "depth_m is not finite and at least 0 everywhere; expected 0 where there is no return"
        facts["calibrated"] = calibrated, "depth_m is there without intrinsics and camera_in_base"
    if robot.observe_state is not None:
        _check_state(report, robot.observe_state, (first.state, second.state))
    if manifest.sees_depth and depth is None:
        report.add(path, "no-depth", "a camera of the manifest measures depth, and the observation has none.")
    for fact, (holds, fault) in facts.items():
        if not holds:
            report.add(path, fact, f"{fault}.")


def _check_state(report: Report, state: Callable[[], Any], seen: Sequence[RobotState]) -> None:
    """See that the state that is told without an image is that of an observation, in what does not change between two looks."""
    given: list[Any] = []
    path = "/observe_state"
    _guarded(report, path, lambda: given.append(state()))
    try:
        kept = [(one.at, one.holding, dict(one.facts)) for one in (*seen, *map(plain_state, given))]
    except (ValueError, RecursionError) as error:
        report.add(path, "wrong-type", f"{error}.")
        return
    if given and kept[0] == kept[1] != kept[2]:
        report.add(path, "state", "where it is, what it holds or what it senses is not what `observe` says.")


def _observation(report: Report, robot: Robot) -> Observation | None:
    """Return what the robot sees, as it gave it; None, and a line of the report, when that is no observation."""
    seen: list[Any] = []
    _guarded(report, "/observe", lambda: seen.append(robot.observe()))
    try:
        for given in seen:
            plain_observation(given)
            return given
    except ValueError as error:
        _once(report, "/observe", "wrong-type", f"{error}.")
    except RecursionError:
        _once(report, "/observe", "plain-data", f"its state {TOO_DEEP}.")
    return None


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
    key, arguments = _key(), harmless.filled(harmless.example or {})
    results = [_execute(report, robot, harmless.name, arguments, key) for _ in range(2)]
    if None in results:
        return
    if results[0] != results[1]:
        report.add("/execute", "key", f"{harmless.name} gave another result when the key was repeated: did it act twice?")
    other = _execute(report, robot, harmless.name, {"no_such_argument": 1}, key)
    if other is not None and other.status != "rejected":
        report.add("/execute", "key-reused", f"a used key with other arguments gave {other.status!r}, not 'rejected'.")


def _check_stop(report: Report, robot: "_Timely", harmless: Primitive | None) -> None:
    """Stop the robot, see that the latch holds, and open it again; not where somebody else has closed it meanwhile."""
    asked = None if robot.hangs else offered(robot, "health")
    if getattr(_guarded(report, "/health", asked) if asked else None, "stopped", False):
        report.add(
            "/stop", "stopped", "not tried: somebody has stopped the robot.", "Look at it, reset it, and check it again."
        )
        return
    began = time.monotonic()
    thread = threading.Thread(target=_guarded, args=(report, "/stop", robot.stop), daemon=True)
    thread.start()
    thread.join(3.0)
    if thread.is_alive():
        report.add("/stop", "hangs", f"stop had not returned after {time.monotonic() - began:.1f} s.")
        return
    if robot.hangs:
        return
    do = harmless.name if harmless else "no_such_primitive"
    arguments = harmless.filled(harmless.example or {}) if harmless else {}
    for _ in range(2):
        result = _execute(report, robot, do, arguments)
        if result is not None and result.status not in ("stopped", "rejected"):
            report.add("/stop", "latch", f"{do} gave {result.status!r} while stopped; expected 'stopped'.")
    reset = offered(robot, "reset_stop")
    if reset is None:
        return
    _guarded(report, "/reset_stop", reset)
    result = _execute(report, robot, do, arguments) if harmless else None
    if result is not None and result.status == "stopped":
        report.add("/reset_stop", "latch", "the robot is still stopped after reset_stop.")


def _execute(report: Report, robot: Robot, do: str, arguments: dict[str, Any], key: str = "") -> StepResult | None:
    """Execute a step and check the form of its result."""
    step = Step(do, arguments, key or _key(), timeout_s=20.0)
    given: list[Any] = []
    _guarded(report, "/execute", lambda: given.append(robot.execute(step)))
    if not given:
        return None
    result = given[0]
    try:
        plain_result(result)
    except ValueError as error:
        _once(report, "/execute", "wrong-type", f"told {do!r}, {error}.")
        return None
    except RecursionError:
        _once(report, "/execute", "plain-data", f"told {do!r}, its result {TOO_DEEP}.")
        return None
    if result.key != step.key:
        report.add("/execute", "key", f"the result of key {step.key} carries the key {result.key}.")
    if (result.status == "succeeded") != (result.code == ""):
        report.add("/execute", "code", f"{result.status} with code {result.code!r}; a code is there exactly on failure.")
    try:
        json.dumps([result.done, result.value], allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        odd = not_finite(result.done, "done") or not_finite(result.value, "value") or error
        _once(report, "/execute", "plain-data", f"done and value must be JSON data: {odd}.")
        return None
    return result


def _guarded(report: Report, path: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except _Hung as hung:
        _once(report, f"/{hung.method}", "hangs", str(hung))
        return None
    except _Ends as ends:
        _once(report, path, "raised", f"it raised {ends}.")
        return None
    except (Exception, SystemExit) as error:
        _once(report, path, "raised", f"it raised {raised(error)}.")
        return None


def _once(report: Report, path: str, code: str, message: str) -> None:
    """Add an issue that the report has not yet: what is wrong with every answer is told once."""
    if Issue(path, code, message) not in report.issues:
        report.add(path, code, message)


def _key() -> str:
    return uuid.uuid4().hex


class _Hung(Exception):
    """A call of the robot did not return.

    Args:
        method: that was called.
        limit_s: how long it was waited for.
    """

    def __init__(self, method: str, limit_s: float) -> None:
        super().__init__(f"{method} had not returned after {limit_s:g} s.")
        self.method = method


class _Ends(Exception):
    """A call of the robot raised what ends a program, such as SystemExit."""


class _Timely:
    """A robot whose calls are made in one thread, as in a run, and given up when one of them does not return.

    Args:
        robot: the robot.
        limit_s: how long one call may take.

    Attributes:
        hangs: the method that did not return, "" while none was.
        observe_state: of a robot that has it.
    """

    def __init__(self, robot: Robot, limit_s: float) -> None:
        self.robot, self.hangs = robot, ""
        self._limit_s = limit_s
        state = getattr(robot, "observe_state", None)
        self.observe_state = (lambda: self._call("observe_state", state)) if callable(state) else None
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="robot", daemon=True).start()

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        return self._call("describe", self.robot.describe)

    def observe(self) -> Observation:
        """Return what the robot perceives now."""
        return self._call("observe", self.robot.observe)

    def execute(self, step: Step) -> StepResult:
        """Return what the robot gives back for a step."""
        return self._call("execute", lambda: self.robot.execute(step))

    def stop(self) -> None:
        """Stop the robot, in the caller's thread."""
        try:
            self.robot.stop()
        except BaseException as error:
            raise _passed_on(error) from None

    def close(self) -> None:
        """End the thread."""
        self._jobs.put(None)

    def _call(self, method: str, work: Callable[[], Any]) -> Any:
        if not self.hangs:
            future: Future[Any] = Future()
            self._jobs.put((work, future))
            if wait([future], self._limit_s).done:
                return future.result()
            self.hangs = method
        raise _Hung(self.hangs, self._limit_s)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future = job
            try:
                future.set_result(work())
            except BaseException as error:  # handed to the caller's thread
                future.set_exception(_passed_on(error))


def _passed_on(error: BaseException) -> Exception:
    """Return what a robot raised as something that ends nothing here."""
    return error if isinstance(error, Exception) else _Ends(raised(error))
