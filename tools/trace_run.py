"""What a reader of one `vlp run` meets: files, public classes, and the hops of the instruction from command line to model.

    python tools/trace_run.py                                # prints them
    python tools/trace_run.py --out docs/results/house.md    # writes them as a page

A robot without a body and a stand-in for a model's server run in a process of their own and are reached over HTTP on
loopback. `vlp run` runs in this process under a profiler, so that only what its client meets is counted:

- a file counts when it was imported and holds a statement beside its docstring;
- a public class counts when it was instantiated, or a method of it was called;
- a hop is a function that is handed the instruction, by itself or inside a value, on its way to the run's memory or from there
  to the model: it is still waiting when the sentence gets there, or it returned it to one that is. Who only looks is none.
"""

import argparse
import ast
import contextlib
import dataclasses
import inspect
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

SAY = "put the red cube in the green bowl"
FIND = {"do": "locate", "object": "red cube", "as": "cube"}
TAKE = [FIND, {"do": "grasp", "target": "$cube"}, {"do": "lift", "height_m": 0.1}]
PUT = [{"do": "locate", "object": "green bowl", "as": "bowl"}, {"do": "place", "target": "$bowl", "relation": "in"}]
CHECK = {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"}
POLICY = {
    "goal": "the red cube is in the green bowl",
    "subtasks": [{"name": "take it", "steps": TAKE}, {"name": "put it", "steps": [*PUT, CHECK]}],
}
SOURCE = Path(__file__).resolve().parents[1] / "src" / "vlp"
DEPTH = 4
"""How deep a value is searched for the sentence: messages > message > parts > text."""


class StandIn(BaseHTTPRequestHandler):
    """A server of one model, which keeps to a JSON Schema that fixes a word and writes `POLICY` otherwise."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """List the model."""
        self._send("application/json", json.dumps({"data": [{"id": "stand-in"}]}))

    def do_POST(self) -> None:
        """Write the word that a schema asks for, or the policy."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
        word = schema.get("properties", {}).get("word")
        text = json.dumps({"word": word["enum"][0]} if word else POLICY, separators=(",", ":"))
        whole = {"model": asked["model"], "usage": {}}
        if not asked.get("stream"):
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            self._send("application/json", json.dumps({**whole, "choices": [choice]}))
            return
        deltas = [{"delta": {"content": text}}, {"delta": {}, "finish_reason": "stop"}]
        lines = [f"data: {json.dumps({**whole, 'choices': [delta]})}\n\n" for delta in deltas]
        self._send("text/event-stream", "".join([*lines, "data: [DONE]\n\n"]))

    def _send(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serve() -> None:
    """Serve robot and model until the parent has closed our standard input; print both addresses."""
    from vlp.robot.serving import running_server
    from vlp.sim.fake.robot import FakeRobot

    model = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    with running_server(FakeRobot()) as at:
        print(json.dumps([at.url, at.token, f"http://127.0.0.1:{model.server_port}/v1"]), flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def served() -> Iterator[tuple[str, str, str]]:
    """Give the robot's address and token and the model's address while the context is open."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield tuple(json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


class Tracer:
    """A profiler of our own functions, in all threads.

    Attributes:
        classes: public classes met, as "module.Class".
    """

    def __init__(self) -> None:
        self.classes: set[str] = set()
        self._given: dict[str, str] = {}
        self._returned: set[str] = set()
        self._waiting: set[str] = set()
        self._arrived = False
        self._lock = threading.Lock()

    @property
    def hops(self) -> list[str]:
        """Functions that pass the sentence on, in the order in which they first got it."""
        found: list[str] = []
        for name in self._given:
            link = name
            while link in self._returned and link not in self._waiting:
                link = self._given.get(link, "") if self._given.get(link) != link else ""
            if link in self._waiting:
                found.append(name)
        return found

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        """Take note of a call or a return; the signature is that of `sys.setprofile`."""
        if event not in ("call", "return") or not _ours(frame):
            return
        with self._lock:
            if event == "call":
                self._called(frame)
            elif not self._arrived and _name(frame) in self._given and holds(value):
                self._returned.add(_name(frame))

    def _called(self, frame: FrameType) -> None:
        code = frame.f_code
        starred = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred]
        if names and names[0] in ("self", "cls") and code.co_name != "__create_fn__":
            first = frame.f_locals.get(names[0])
            kind = first if isinstance(first, type) else type(first)
            self.classes |= {f"{kind.__module__}.{kind.__qualname__}"} if _public(kind) else set()
        if self._arrived or code.co_name.startswith("<"):
            return
        given = [frame.f_locals[name] for name in names if name in frame.f_locals and name not in ("self", "cls")]
        if any(map(holds, given)):
            self._given.setdefault(_name(frame), _name(frame.f_back) if frame.f_back else "")
            self._arrived = code.co_name == "generate"
            if self._arrived:
                for top in sys._current_frames().values():
                    self._wait(top)
            if self._arrived or code.co_qualname == "RunMemory._instruction":
                self._wait(frame)

    def _wait(self, frame: FrameType | None) -> None:
        while frame is not None:
            self._waiting |= {_name(frame)} if _ours(frame) else set()
            frame = frame.f_back


def _ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("vlp.")


def _name(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"


def holds(value: Any, depth: int = DEPTH) -> bool:
    """Return whether a value is the sentence, or holds it."""
    if isinstance(value, str):
        return SAY in value
    if depth == 0:
        return False
    if isinstance(value, Mapping):
        return any(holds(item, depth - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds(item, depth - 1) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(holds(getattr(value, field.name, None), depth - 1) for field in dataclasses.fields(value))
    return False


def _public(kind: type) -> bool:
    return kind.__module__.startswith("vlp.") and not any(part.startswith("_") for part in kind.__qualname__.split("."))


def files() -> list[str]:
    """Return our files that were imported and say something, relative to the package."""
    found = [Path(str(module.__file__)) for name, module in list(sys.modules.items()) if name.split(".")[0] == "vlp"]
    return sorted(str(file.relative_to(SOURCE)) for file in found if _says_something(file))


def _says_something(file: Path) -> bool:
    body = ast.parse(file.read_text()).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def traced(words: list[str]) -> tuple[Tracer, int, str]:
    """Return what a command line met, its exit status and what it printed."""
    from vlp.cli.main import main

    tracer, printed = Tracer(), io.StringIO()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = main(words)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return tracer, status, printed.getvalue()


def page(tracer: Tracer) -> str:
    """Return the measured figures and lists as Markdown."""
    met, classes, hops = files(), sorted(tracer.classes), tracer.hops
    rows = (
        ("files of vlp imported", len(met), 40),
        ("public classes met", len(classes), 60),
        ("hops of the instruction", len(hops), 15),
    )
    lines = [
        "# The house, as one `vlp run` meets it",
        "",
        "`python tools/trace_run.py --out docs/results/house.md` runs `vlp run` against a served robot with a served model,",
        "and counts what the client process meets.",
        "",
        "| what | measured | aim |",
        "| --- | --- | --- |",
        *(f"| {what} | {n} | at most {most} |" for what, n, most in rows),
        *("", "## Hops of the instruction", ""),
        *(f"{i}. `{name.removeprefix('vlp.')}`" for i, name in enumerate(hops, 1)),
        *("", "## Files", ""),
        *(f"- `{file}`" for file in met),
        *("", "## Public classes", ""),
        *(f"- `{name.removeprefix('vlp.')}`" for name in classes),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Trace one run and print or write what it met."""
    reader = argparse.ArgumentParser(description="Count what a reader of one `vlp run` meets.")
    reader.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    reader.add_argument("--out", type=Path, help="the page to write; by default it is printed")
    given = reader.parse_args()
    if given.serve:
        serve()
        return 0
    with served() as (robot, token, model), tempfile.TemporaryDirectory() as folder:
        os.environ["VLP_ROBOT_TOKEN"] = token
        words = ["run", SAY, "--robot", robot, "--model", model, "--out", f"{folder}/run", "--no-recordings"]
        tracer, status, printed = traced(words)
    if status != 0:
        print(printed, file=sys.stderr)
        return status
    text = page(tracer)
    if given.out:
        given.out.write_text(text)
    print(text if not given.out else "\n".join(text.splitlines()[5:11]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
