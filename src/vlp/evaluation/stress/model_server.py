"""A model's server on loopback that answers as a stress wishes, and runs of a served robot that are commanded through it."""

import contextlib
import json
import select
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlp.core.messages import Instruction, Message
from vlp.models.openai_model import OpenAIModel
from vlp.models.protocol import Reply
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import running_server
from vlp.runtime.body import Budget
from vlp.runtime.loop import Change
from vlp.runtime.run import Run, Spec
from vlp.runtime.story import Outcome
from vlp.sim.fake.robot import FakeRobot


class Line:
    """One connection to the server, whose request has been read.

    Args:
        connection: its socket.
        number: how many requests for a reply came before this one.
    """

    def __init__(self, connection: socket.socket, number: int) -> None:
        self._connection, self.number = connection, number

    def send(self, data: bytes) -> None:
        """Send bytes; raises OSError when the client is gone."""
        self._connection.sendall(data)

    def wait(self, seconds: float) -> None:
        """Do nothing for a while; raises OSError when the client goes."""
        if select.select([self._connection], [], [], seconds)[0] and not self._connection.recv(4096):
            raise ConnectionResetError

    def drip(self, data: bytes, beat_s: float) -> None:
        """Send a byte at a time."""
        for byte in data:
            self.send(bytes([byte]))
            self.wait(beat_s)

    def hold(self) -> None:
        """Send no more, until the client goes."""
        self.wait(60.0)

    def reset(self) -> None:
        """Break the connection off, so that the client hears of it."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Answer = Callable[[Line], None]


class ModelServer:
    """Lists one model, and answers each request for a reply as it is told; a context manager.

    Args:
        answer: to requests for a reply; may be replaced at any time.
        port: where to listen; 0 takes a free one.

    Attributes:
        url: of its API.
        asked: the bodies of requests for a reply, and the monotonic time of each.
    """

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.answer = answer
        self.asked: list[tuple[float, dict[str, Any]]] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()

    def __enter__(self) -> "ModelServer":
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5.0)

    @property
    def busy(self) -> int:
        """How many connections are open."""
        return len(self._threads)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.add(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as file:
            method = file.readline().split(b" ")[0]
            length = 0
            while (line := file.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = file.read(length)
            if method == b"GET":
                connection.sendall(whole(b'{"data":[{"id":"m"}]}'))
            else:
                self.asked.append((time.monotonic(), json.loads(body)))
                self.answer(Line(connection, len(self.asked) - 1))
        self._open.discard(connection)
        self._threads.discard(threading.current_thread())


def head(*headers: str, status: str = "200 OK") -> bytes:
    """Return the beginning of an answer that ends with the connection."""
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]).encode()


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer in one piece."""
    return head(f"Content-Length: {len(body)}", *headers, status=status) + body


def event(text: str | None = None, finish: str | None = None) -> bytes:
    """Return one event of a stream."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\n"


def stream(text: str) -> bytes:
    """Return a good answer with a reply, ten letters an event."""
    pieces = [event(text[i : i + 10]) for i in range(0, len(text), 10)]
    return head("Content-Type: text/event-stream") + b"".join(pieces) + event(finish="stop") + b"data: [DONE]\n\n"


def task() -> tuple[str, list[str], str]:
    """Return a sentence, what the robot does for it, and the reply that says so."""
    thing, home = list(FakeRobot().world.objects)[:2]
    steps: list[dict[str, Any]] = [
        {"do": "locate", "object": thing, "as": "a"},
        {"do": "grasp", "target": "$a"},
        {"do": "lift", "height_m": 0.1},
        {"do": "locate", "object": home, "as": "b"},
        {"do": "place", "target": "$b", "relation": "in"},
        {"do": "check", "relation": "in", "subject": thing, "object": home},
    ]
    policy = {"goal": f"the {thing} is in the {home}", "subtasks": [{"name": f"bring the {thing}", "steps": steps}]}
    return f"put the {thing} in the {home}", [step["do"] for step in steps], json.dumps(policy, separators=(",", ":"))


class TimedRobot(FakeRobot):
    """Notes when each step began."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[tuple[float, str]] = []

    def execute(self, step: Step) -> StepResult:
        """Note a step of the policy, and carry it out."""
        if ".look." not in step.key:
            self.began.append((time.monotonic(), step.do))
        return super().execute(step)


class _TimedModel(OpenAIModel):
    """Notes how long each reply was waited for."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.took_s: list[float] = []

    def generate(self, messages: Sequence[Message], **more: Any) -> Reply:
        """Ask the server, and note how long it took."""
        began_s = time.monotonic()
        try:
            return super().generate(messages, **more)
        finally:
            self.took_s.append(time.monotonic() - began_s)


@dataclass
class Told:
    """What became of one run.

    Args:
        outcome: how it ended.
        steps: what the robot did, with the monotonic time at which each step began.
        took_s: how long each reply was waited for.
        stopped: whether the robot's stop was latched at the end.
        notes: what the journal noted.
    """

    outcome: Outcome
    steps: list[tuple[float, str]]
    took_s: list[float]
    stopped: bool
    notes: list[str] = field(default_factory=list)

    def on_event(self, event: Any) -> None:
        """Keep the notes."""
        if event.kind == "note":
            self.notes.append(event.data["text"])

    @property
    def done(self) -> list[str]:
        """What the robot did."""
        return [do for _, do in self.steps]


@contextlib.contextmanager
def fresh_robot() -> Iterator[tuple[TimedRobot, RemoteRobot]]:
    """Give a fake robot behind a real server, and the client that commands it."""
    robot = TimedRobot()
    with running_server(robot) as address, RemoteRobot(address.url, address.token) as remote:
        yield robot, remote


def command(url: str, limit_s: float, changes: Sequence[Change] = ()) -> Told:
    """Run the task on a fresh robot with the model at a URL, and return what became of it."""
    with fresh_robot() as (robot, remote), tempfile.TemporaryDirectory() as folder:
        told = Told(Outcome("failure"), robot.began, [], False)
        model = _TimedModel(url)
        spec = Spec(Instruction.of(task()[0]), changes=tuple(changes), budget=Budget(model_s=limit_s))
        told.outcome = Run(Path(folder) / "run", spec, remote, model, subscribers=[told]).go()
        told.took_s, told.stopped = model.took_s, remote.health().stopped
    return told
