"""`vlp robot ...`: a robot served over HTTP, and looked at or moved by hand."""

import contextlib
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import tyro

from vlp.cli.names import check_run, is_simulated, of_worlds, scene
from vlp.cli.robot_stop import ADDRESS
from vlp.cli.robots import connect, manifest_of
from vlp.core.errors import TaskFailed, UsageError, first
from vlp.core.files import write_whole
from vlp.core.images import encode_png
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.primitives.describe import takes
from vlp.primitives.manifest import Manifest, Primitive
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step, StepResult, is_own
from vlp.sim import EMBODIMENTS


def serve(
    robot: str = first(EMBODIMENTS),
    world: Annotated[str, of_worlds] = "",
    seed: int = 0,
    grounder: str = DEFAULT_GROUNDER,
    host: str = "127.0.0.1",
    port: int = 8765,
    stop_port: int = 0,
    allow_remote: bool = False,
    host_names: tuple[str, ...] = (),
    tokens: str = "",
    record: str = "",
    hand: bool = False,
) -> int:
    """Offer a robot, simulated or your own, over HTTP until you press Ctrl-C.

    Who has VLP_ROBOT_TOKEN may operate the robot, who has VLP_ROBOT_RESET_TOKEN may open its latch after a stop: from the
    environment, or new ones that are printed. Of your own robot, latch and keys outlive the server, below XDG_STATE_HOME.

    Args:
        robot: the simulated robot, or module:Class of your own.
        seed: which of the world's scenes.
        grounder: what finds things in its images (see `vlp run --help`); "none" offers actions only.
        host: the address to listen on; others than loopback need --allow-remote.
        port: the TCP port.
        stop_port: the TCP port of the line that only stops; 0 takes a free one, which clients are told.
        allow_remote: listen to other machines too; tokens and images then travel unencrypted.
        host_names: names that clients reach this machine by, besides its addresses.
        tokens: file of tokens with roles instead of the two, as docs/safety.md shows.
        record: file that keeps latch and keys of this very robot, where you have several of one class.
        hand: let the hand of a simulated robot be moved a little at a time, which skills need (docs/language_actions.md).
    """
    from vlp.episodes.assemble import open_robot
    from vlp.robot.access import Access, read_grants
    from vlp.robot.record import Record, default_path
    from vlp.robot.serving import new_token, precedence
    from vlp.robot.serving import serve as run_server

    if robot.startswith(("http://", "https://")):
        raise UsageError("that robot is served already.", f"Name a simulated robot, e.g. {first(EMBODIMENTS)}.")
    world, seed = scene(robot, world, seed, grounder)
    check_run(robot, world, ())
    token = os.environ.get("VLP_ROBOT_TOKEN") or new_token()
    reset_token = os.environ.get("VLP_ROBOT_RESET_TOKEN") or new_token()
    access = Access(read_grants(Path(tokens)), host_names) if tokens else Access.of(token, reset_token, host_names)
    kept = Path(record) if record else None if is_simulated(robot) else default_path(robot)  # simulated: anew with its scene
    if kept:
        Record(kept).close()  # refuses what another process has, before its driver is touched
    bare = grounder == "none"
    where = f" in {world} {seed}" if is_simulated(robot) else ""

    def tell() -> None:
        print(f"{robot}{where} at http://{host}:{port}, Ctrl-C ends it.", flush=True)
        if not tokens:
            print("In another terminal:", flush=True)
            print(f"  export VLP_ROBOT_TOKEN={token}", flush=True)
            print(f"  vlp robot stop --robot http://{host}:{port}", flush=True)
            print(f"  vlp robot manifest --robot http://{host}:{port}", flush=True)
            print("After a stop, who stands beside the robot opens its latch:", flush=True)
            print(f"  VLP_ROBOT_RESET_TOKEN={reset_token} vlp robot reset --robot http://{host}:{port}", flush=True)
        if lacks:
            note = f"note: this server has no more weight than other programs here: {lacks}."
            print(f"{note} docs/safety.md has how it gets it.", file=sys.stderr, flush=True)

    with contextlib.nullcontext("") if is_simulated(robot) else precedence() as lacks:
        body: Any = open_robot(robot, world=world, seed=seed, grounder="oracle" if bare else grounder, hand=hand)[0]
        run_server(body.robot if bare else body, access, host, port, stop_port, allow_remote, kept, tell)
    return 0


def manifest(
    robot: str = ADDRESS,
    world: Annotated[str, of_worlds] = "",
    token: str = "",
    json_: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> int:
    """Print what a robot says of itself.

    Args:
        robot: the URL of its server, or the name of a simulated robot.
        token: by default the environment's VLP_ROBOT_TOKEN.
        json_: print it whole, as JSON.
    """
    if world and robot not in EMBODIMENTS:
        hint = f"Leave it out, or name a simulated robot: --robot {' or '.join(EMBODIMENTS)}."
        raise UsageError(f"--world {world[:100]} is of a simulated robot, and {robot[:200]!r} is none.", hint)
    found = manifest_of(robot, token, world)
    if json_:
        print(json.dumps(found.to_json(), indent=2))
        return 0
    _say(f"{found.robot} {found.version}; places: {', '.join(found.places) or 'none'}")
    declared = found.limits.declared().items()
    limits = ", ".join(
        f"{n} {tuple(round(v, 3) for v in value) if isinstance(value, tuple) else value}" for n, value in declared
    )
    _say(f"limits: {limits or 'none'}; {'sees depth' if found.sees_depth else 'no depth camera'}")
    for p in found.primitives.values():
        arguments = ", ".join(f"[{a.name}]" if a.optional else a.name for a in p.arguments)
        _say(f"  {p.kind:<10}  {f'{p.name}({arguments})':<38}  {p.doc}")
        for line in _details(p, found):
            _say(f"              {line}")
    return 0


def _details(p: Primitive, found: Manifest) -> Iterator[str]:
    """Yield what a primitive's arguments take, and a line of what it needs, makes and gives back."""
    for a in p.arguments:
        limit = f"; bounded by {a.limit}" if a.limit else ""
        yield f"{a.name}: {takes(a).replace('`', '')}{limit}"
    fields = ", ".join(f"{name}: {kind}" for name, kind in found.results.get(p.result, {}).items())
    said = {
        "needs": ", ".join(p.needs),
        "makes": ", ".join(p.makes),
        "gives": f"{p.result} ({fields})" if fields else p.result,
        "cannot be": "undone" if p.final else "",
    }
    if line := "; ".join(f"{word} {what}" for word, what in said.items() if what):
        yield line


def check(
    robot: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ROBOT")] = ADDRESS, token: str = "", moves: bool = True
) -> int:
    """Tell where a robot breaks its contract, and what was not tried; exit status 1 when it does.

    Args:
        robot: module:Class of your own robot, or the URL of a robot's server.
        token: of the server; by default the environment's VLP_ROBOT_TOKEN. The stop is tried only when it may reset too.
        moves: whether what the robot says is safe to try is carried out, so that it moves; --no-moves only looks.
    """
    from vlp.robot.conformance import check_robot, untried
    from vlp.robot.own import own_robot
    from vlp.robot.record import held_here

    with contextlib.ExitStack() as until:
        if is_own(robot):
            body, stops = own_robot(robot), True
            until.enter_context(held_here(robot, body) if moves else contextlib.nullcontext())
        else:
            body = until.enter_context(connect(robot, token))
            stops = not moves or _made_ready(body)
        report = check_robot(body, moves, stops=stops)
        lines = list(untried(body.describe(), moves, stops)) if report.ok else []
    for line in lines:
        _say(f"not tried: {line}")
    if not report.ok:
        fault = TaskFailed(f"{robot}: {report.issues[0]}")
        for issue in report.issues[1:]:
            fault.add_note(f"also {issue}")
        raise fault
    print(f"{robot}: ok")
    return 0


def _made_ready(remote: RemoteRobot) -> bool:
    """Hold a served robot, so that it can be moved; return whether the token may open the latch again after a stop.

    Raises:
        TaskFailed: somebody has stopped it: a check opens no latch that it did not close.
        MissingComponent: somebody else holds it, or the token may not operate it.
    """
    health = remote.health()
    if health.stopped:
        hint = "A person who has looked at it resets it first: `vlp robot reset`."
        raise TaskFailed(f"the robot at {remote.url} is latched: {health.stop_reason}.", hint)
    remote.take_lease()
    return health.roles is None or "reset" in health.roles


def look(robot: str = ADDRESS, token: str = "", out: str = "look.png") -> int:
    """Save what a robot sees, and print its state.

    Args:
        robot: the URL of its server.
        token: by default the environment's VLP_ROBOT_TOKEN.
        out: the picture's file.
    """
    with connect(robot, token) as remote:
        seen = remote.observe()
    write_whole(Path(out), encode_png(seen.rgb))
    state = seen.state
    x, y, yaw = state.base_in_world
    base = f", base x {x:.2f} m, y {y:.2f} m, yaw {yaw:.2f} rad" if any(state.base_in_world) else ""  # else it gave no pose
    _say(f"at {state.at or 'no named place'}{base}")
    if state.gripper_m is not None:
        _say(f"hand {'holds ' + state.holding if state.holding else 'empty'}, opening {state.gripper_m:.3f} m")
    for name, value in state.own.items():
        _say(f"{name}: {value}")
    for fact, so in state.facts.items():
        _say(f"{fact}: {'so' if so else 'not so'}")
    print(f"camera image saved as {out}")
    return 0


def do(
    primitive: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PRIMITIVE")],
    arguments: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME=VALUE ...")] = (),
    robot: str = ADDRESS,
    token: str = "",
) -> int:
    """Let a robot carry out one primitive: vlp robot do grasp target='$red_cube'.

    $red_cube stands for the thing itself: it is located first.

    Args:
        primitive: its name; `vlp robot manifest` lists them.
        arguments: e.g. place=bin or height_m=0.1.
        robot: the URL of its server.
        token: by default the environment's VLP_ROBOT_TOKEN.
    """
    with connect(robot, token) as remote:
        known = remote.describe().primitives
        if primitive not in known:
            from vlp.core.errors import lookup

            lookup(primitive, known, "primitive")
        given: dict[str, Any] = {}
        for name, value in map(_argument, arguments):
            if name in given:
                raise UsageError(f"{name[:100]!r} is given twice.", "Give each argument once.")
            given[name] = value
        for name, value in given.items():
            if isinstance(value, str) and value.startswith("$"):
                if "locate" not in known:
                    said = f"{name}={value[:100]!r}: $names stand for what locate finds, and this robot has no locate."
                    raise UsageError(said, "Give a plain value.")
                seen = remote.execute(_step("locate", {"object": value[1:].replace("_", " ")}))
                given[name] = _succeeded(seen).value
        result = _succeeded(remote.execute(_step(primitive, given)))
    print(json.dumps({"status": result.status, "done": result.done, "value": result.value}, indent=2))
    return 0


def _say(text: str) -> None:
    """Print what a robot says of itself, on one line, without anything that could move the cursor."""
    print("".join(c if c.isprintable() else "?" for c in text))


def _step(do: str, arguments: dict[str, Any]) -> Step:
    return Step(do, arguments, key=f"cli-{uuid.uuid4().hex}")


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text[:100]!r} is not an argument.", "Expected NAME=VALUE, e.g. place=bin.")
    try:
        number = json.loads(value[:1000])
    except (ValueError, RecursionError):
        return name, value
    return name, number if type(number) in (int, float) else value


def _succeeded(result: StepResult) -> StepResult:
    """Return a result that is a success; raises by what went wrong otherwise."""
    if result.status == "succeeded":
        return result
    message = f"{result.status}: {result.message} [{result.code}]"
    raise UsageError(message) if result.status == "rejected" else TaskFailed(message)
