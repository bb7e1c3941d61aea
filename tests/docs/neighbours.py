"""What pages take for granted, on loopback: a robot's server, a server of models, a folder with a trained model."""

import json
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from shown import ROOT
from walk import ROBOT_PORT, Walk

from vlp.models.catalogue import find_folder

POLICY = json.loads((ROOT / "examples" / "policy.json").read_text())
PATIENT = """
import sys
from vlp.cli.main import main
from vlp.robot.executor import Waits
Waits.__init__.__defaults__ = tuple(vars(Waits(silence_s=10.0)).values())
sys.exit(main())
"""
"""`vlp` whose robot's server bears 10 s of silence: on a busy machine half a second passes between two beats of a client."""
PICK_UP = {"goal": "the red cube is held", "subtasks": POLICY["subtasks"][:1]}


class Models(BaseHTTPRequestHandler):
    """A stand-in for a server of models: every question is answered by "3", an instruction by one of two policies."""

    protocol_version = "HTTP/1.1"
    names: tuple[str, ...] = ("stand-in",)

    def do_GET(self) -> None:
        self._whole({"data": [{"id": name} for name in self.names]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
        word = schema.get("properties", {}).get("word", {}).get("enum")
        policy = POLICY if "put the red cube in the green bowl" in json.dumps(asked["messages"]) else PICK_UP
        text = json.dumps({"word": word[0]} if word else policy, separators=(",", ":")) if schema else "3"
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._whole({"model": asked["model"], "choices": [choice], "usage": {}})

    def _whole(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve_models(port: int, *names: str) -> Callable[[Walk, str], None]:
    """Return what serves models of these names on a port that pages name, until the walk ends."""

    def begin(walk: Walk, text: str) -> None:
        handler = type("Named", (Models,), {"names": names})
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError:  # another program listens there
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        walk.ports[port] = server.server_port
        walk.callback(server.server_close)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        walk.callback(server.shutdown)

    return begin


def serve_robot(walk: Walk, text: str) -> None:
    """Start the robot's server that a page shows, and keep the token that it prints."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", ROBOT_PORT))
        except OSError:  # another program listens there
            held.bind(("127.0.0.1", 0))
        port = walk.ports[ROBOT_PORT] = held.getsockname()[1]
    words = [sys.executable, "-c", PATIENT, *text.split()[1:], "--port", str(port)]
    server = walk.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
    walk.callback(server.terminate)
    assert server.stdout is not None
    walk.token = next(line.partition("=")[2].strip() for line in server.stdout if "VLP_ROBOT_TOKEN=" in line)
    walk.reset_token = next(line.partition("=")[2].split()[0] for line in server.stdout if "VLP_ROBOT_RESET_TOKEN=" in line)
    for _ in range(600):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the robot's server does not listen")


def take_token(walk: Walk, text: str) -> None:
    """Take the tokens that the robot's server printed."""
    walk.patch.setenv("VLP_ROBOT_TOKEN", walk.token)
    walk.patch.setenv("VLP_ROBOT_RESET_TOKEN", walk.reset_token)


def know_extras(walk: Walk, text: str) -> None:
    """Look whether a `pip install` line asks for extras that there are."""
    named = text.partition("[")[2].partition("]")[0].split(",")
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(named) <= set(known), f"{named} are not all among {sorted(known)}"
    assert text == f"pip install -e '.[{','.join(named)}]'"


def have_nano_as(folder: str) -> Callable[[Walk, str], None]:
    """Return what puts the shipped nano where a page expects a model."""

    def copy(walk: Walk, text: str) -> None:
        shutil.copytree(find_folder("nano"), walk.folder / folder, dirs_exist_ok=True)

    return copy
