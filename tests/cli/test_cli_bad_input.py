"""Bad input gets one clear line and its exit status, never a traceback, and nothing is lost."""

import json
import socket
import socketserver
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_kit import GOOD

LONG = "put the red cube in the green bowl and then " * 1200
RUN = ("run", "put the red cube in the green bowl", "--out", "kept", "--force")
SIMULATED = (*RUN, "--model", "expert", "--grounder", "oracle")


@pytest.fixture
def kept(tmp_path) -> Iterator[None]:
    """A directory that --force would move aside: a command that is refused must leave it as it is."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "precious.txt").write_text("precious")
    yield
    assert (tmp_path / "kept" / "precious.txt").read_text() == "precious"


NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "robot": ((*SIMULATED, "--robot", "hsrr"), ("unknown robot 'hsrr'", "Did you mean 'hsr'?")),
    "world": ((*SIMULATED, "--world", "tabletob"), ("unknown world", "Did you mean 'tabletop'?")),
    "model": ((*RUN, "--model", "nanno"), ("no model 'nanno'", "Did you mean 'nano'?")),
    "grounder": ((*SIMULATED, "--grounder", "orakel"), ("unknown grounder", "Did you mean 'oracle'?")),
    "event": ((*SIMULATED, "--event", "2: mvoe red cube"), ("unknown event", "Did you mean 'move'?")),
    "thing of an event": ((*SIMULATED, "--seed", "20014865", "--event", "2: move rad cube"), ("'red cube'",)),
    "event without step": ((*SIMULATED, "--event", "move red cube"), ("STEP: words",)),
    "change without words": ((*SIMULATED, "--change", "2:"), ("STEP: words",)),
    "negative seed": ((*SIMULATED, "--seed", "-4"), ("seed -4",)),
    "colour": (("ground", "image.png", "rad cube"), ("unknown colour 'rad'", "Did you mean 'red'?")),
    "kind": (("ground", "image.png", "red cub"), ("unknown kind", "Did you mean 'cube'?")),
    "suite": (("bench", "run", "sttic"), ("unknown suite", "Did you mean 'static'?")),
    "rate_share": (("train", "nano", "--rate-share", "0"), ("--rate-share 0", "more than 0")),
    "start": (("train", "nano", "--start", "nanobase"), ("no model 'nanobase'", "Did you mean 'nano-base'?")),
    "stage": (("train", "nano", "--stage", "visoin"), ("unknown stage", "Did you mean 'vision'?")),
    "target": (("policy", "convert", "good.json", "--to", "pyton"), ("unknown target", "Did you mean 'python'?")),
    "drawn world": (("world", "show", "--world", "tabeltop"), ("unknown world", "Did you mean 'tabletop'?")),
    "manifest's world": (("robot", "manifest", "--world", "home"), ("--world home", "of a simulated robot", "--robot hsr")),
    "manifest": (("robot", "manifest", "--robot", "hrs"), ("unknown robot", "Did you mean 'hsr'?")),
    "robot before the model": ((*RUN, "--model", "scripted:none.json", "--robot", "hsrr"), ("'hsr'?", "module:Class", "URL")),
    "world before the model": ((*RUN, "--model", "scripted:none.json", "--world", "tabletob"), ("unknown world",)),
    "event before the model": ((*RUN, "--model", "scripted:none.json", "--event", "2: mvoe red cube"), ("unknown event",)),
    "module before the model": ((*RUN, "--model", "scripted:none.json", "--robot", "rovr:Rover"), ("no module 'rovr'",)),
    "file of a robot": (("robot", "check", "own/house_bot.py"), ("house_bot:HouseBot", "module:Class")),
    "file of a robot, to run": ((*RUN, "--robot", "own/house_bot.py"), ("house_bot:HouseBot",)),
    "new robot of a module's name": (("robot", "new", "numpy"), ("module 'numpy' already",)),
    "new robot of a module's own name": (("robot", "new", "__init__"), ("cannot name a Python file",)),
    "new robot of a name that its file imports": (("robot", "new", "robot_state"), ("class RobotState, which its file",)),
    "new robot of a long name": (("robot", "new", "x" * 300), ("300 characters",)),
    "sentence without quotes": (("run", "put", "the", "red", "cube", "--seed", "4"), ('vlp run "put the red cube"',)),
    "folder of no model": ((*RUN, "--model", "."), ("is no model folder: it has no config.json",)),
    "kind of server": ((*RUN, "--model", "http://127.0.0.1:9/v1", "--server", "vlmm"), ("Did you mean 'vllm'?",)),
    "no time for the model": ((*RUN, "--model-timeout-s", "0"), ("--model-timeout-s 0 is no time greater",)),
    "early, and asked first": ((*RUN, "--early", "--confirm", "always"), ("--early begins a step before --confirm always",)),
    "robot's address": (("robot", "look", "--robot", "hsr"), ("not the URL",)),
}


@pytest.mark.parametrize("case", NAMES)
def test_unknown_names_offer_the_nearest(vlp, kept, policy_file, tmp_path, case):
    (tmp_path / "image.png").write_bytes(_png(64, 64))
    argv, words = NAMES[case]
    vlp(*argv).refused(2, *words)


def test_a_directory_that_no_file_system_takes(vlp):
    """Against: a traceback of `exists`, where the name is too long."""
    vlp("run", "put the red cube in the green bowl", "--model", "scripted:replies.json", "--out", "x" * 300).refused(
        3, "too long"
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (LONG, "at most"),
        ("we " * 201, "201 words"),
        ("put \udcff", "UTF-8"),
        ("a\x1b[2Jb", "control"),
    ],
)
def test_bad_instructions(vlp, kept, text, word):
    vlp("run", text, "--out", "kept", "--force", "--model", "expert", "--grounder", "oracle").refused(2, word)
    vlp(*SIMULATED, "--change", f"1: {text or ' '}").refused(2)


def test_a_directory_that_holds_something_is_refused_without_force(vlp, kept):
    vlp("run", "clear the table", "--out", "kept").refused(2, "not empty", "--force")


def test_a_file_in_the_place_of_the_directory(vlp, policy_file):
    vlp("run", "clear the table", "--out", policy_file, "--force").refused(2, "is a file")


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("replay", "rnus/first"), "runs/first"),
        (("data", "lint", "sampels"), "samples"),
        (("data", "import", "sampels", "--out", "new"), "samples"),
        (("policy", "check", "runs/polcy.json"), "runs/policy.json"),
        (("robot", "manifest", "--robot", "runs/polcy.json"), "runs/policy.json"),
    ],
)
def test_a_path_that_is_not_there_offers_the_nearest(vlp, tmp_path, words, near):
    """Against: "no samples at 'sampels'. Make some", beside a folder that is called samples."""
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "samples").mkdir()
    (tmp_path / "runs" / "policy.json").write_text("{}")
    vlp(*words).refused(2, f"Did you mean {near!r}?")


def test_a_path_that_is_like_no_other_has_the_usual_hint(vlp, tmp_path):
    (tmp_path / "runs").mkdir()
    vlp("data", "lint", "runs").refused(2, "`vlp data collect`")
    vlp("replay", "runs/xyz").refused(2, "`vlp run --out`")


@pytest.mark.parametrize("words", [("replay",), ("data", "lint"), ("policy", "check")])
def test_a_path_longer_than_any_is_told_in_a_line(vlp, words):
    """Against: a traceback of `stat`."""
    vlp(*words, "x" * 3000).refused(2, "no ")


# Images.


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * 3 * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


IMAGES: dict[str, tuple[Any, str]] = {
    "no image": (lambda p: p.write_text("hello"), "not an image"),
    "1 GB": (_sparse, "1,073,741,824 bytes"),
    "60,000 pixels wide": (lambda p: p.write_bytes(_png(60_000, 10)), "60000 x 10"),
    "cut off": (lambda p: p.write_bytes(_png(64, 64)[:70]), "cannot be decoded"),
    "empty": (lambda p: p.touch(), "not an image"),
    "not there": (lambda p: None, "no image file"),
    "a directory": (lambda p: p.mkdir(), "no image file"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_bad_images(vlp, tmp_path, case):
    make, word = IMAGES[case]
    file = tmp_path / "picture.png"
    make(file)
    vlp("ground", file, "red cube").refused(2, word)
    vlp("ask", file, "how many cubes are there?").refused(2, word)


# Policies.


def _changed(old: str, new: str) -> str:
    text = json.dumps(GOOD, separators=(",", ":"))
    assert old in text
    return text.replace(old, new, 1)


POLICIES: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("pick up the cube", "not-json"),
    "empty": ("", "not-json"),
    "not UTF-8": (b'{"goal":"\xff"}', "not-utf8"),
    "nested 100,000 deep": ("[" * 100_000, "too-large"),
    "nested 10,000 deep": ("[" * 10_000, "too-deep"),
    "duplicate keys": (_changed('{"goal":', '{"goal":"x","goal":'), "duplicate-key"),
    "NaN": (_changed("0.1", "NaN"), "not-finite"),
    "endless number": (_changed("0.1", "1e999"), "not-finite"),
    "unknown primitive": (_changed('"grasp"', '"graps"'), "Did you mean 'grasp'?"),
    "wrong type": (_changed("0.1", '"high"'), "wrong-type"),
    "out of bounds": (_changed("0.1", "9"), "out-of-bounds"),
    "dangling name": (_changed('"target":"$red_cube"', '"target":"$rad_cube"'), "Did you mean 'red_cube'?"),
    "place that is none": (_changed('"target":"$green_bowl"', '"target":"kitchen"'), "/target"),
    "box without an area": (_changed('"subtasks"', '"seen":[["red cube",[9,9,3,3]]],"subtasks"'), "bad-box"),
    "box outside every image": (
        _changed('"subtasks"', '"seen":[["red cube",[0,0,9e9,3]]],"subtasks"'),
        "out-of-bounds",
    ),
    "unknown key": (_changed('"lift",', '"lift","speed":9,'), "unknown-key"),
}


UNREADABLE = (
    "not JSON", "empty", "not UTF-8", "nested 100,000 deep", "nested 10,000 deep", "duplicate keys", "NaN", "endless number",
)  # fmt: skip
"""No document can be read from these: bad input. The others are policies that do not pass."""


@pytest.mark.parametrize("case", POLICIES)
def test_bad_policies(vlp, tmp_path, policy_file, case):
    content, word = POLICIES[case]
    file = tmp_path / "bad.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    status = 2 if case in UNREADABLE else 1  # against: 2 for every policy that did not pass
    vlp("policy", "check", file).refused(status, "'bad.json'", word)
    vlp("policy", "show", file).refused(status, word)
    vlp("policy", "diff", policy_file, file).refused(status, word)
    assert vlp("policy", "check", file, "--json").status == status
    report = json.loads(vlp("policy", "check", file, "--json").out)
    assert report["ok"] is False and report["issues"]


def test_a_policy_file_of_1_gb_is_not_read(vlp, tmp_path):
    file = tmp_path / "large.json"
    _sparse(file)
    vlp("policy", "check", file).refused(2, "too-large")
    vlp("policy", "check", tmp_path / "none.json").refused(2, "no policy file")


# Model folders.


def _folder(path: Path, architecture: str = "Qwen2_5_VLForConditionalGeneration") -> None:
    path.mkdir()
    config = {"architectures": [architecture], "model_type": "qwen2_5_vl"}
    for name, data in (("config.json", config), ("tokenizer.json", {}), ("preprocessor_config.json", {})):
        (path / name).write_text(json.dumps(data))


FOLDERS: dict[str, tuple[Any, str]] = {
    "empty": (lambda p: p.mkdir(), "config.json"),
    "without weights": (_folder, "safetensors"),
    "pickled weights": (lambda p: (_folder(p), (p / "pytorch_model.bin").write_bytes(b"\x80\x04.")), "pickle"),
    "another architecture": (lambda p: _folder(p, "LlamaForCausalLM"), "LlamaForCausalLM"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_bad_model_folders(vlp, tmp_path, kept, case):
    make, word = FOLDERS[case]
    make(tmp_path / "model")
    vlp(*RUN, "--model", tmp_path / "model").refused(2, word)


# Model servers.


def _listing() -> bytes:
    body = b'{"object":"list","data":[{"id":"m"}]}'
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _streaming(line: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + line


ANSWERS: dict[str, tuple[bytes, str]] = {
    "hangs": (b"", "127.0.0.1"),
    "garbage": (b"\x00\xff\x00 what\r\n\r\n", "127.0.0.1"),
    "garbage in the stream": (_streaming(b"data: {{{{\n\n"), "garbage"),
    "disconnects": (_streaming(b'data: {"choices":[{"delta":{"content":"th"}}]}\n\n'), "before the reply was complete"),
    "wrong status": (b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops", "HTTP 500"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_bad_model_servers(vlp, tmp_path, case):
    answer, word = ANSWERS[case]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked = self.request.recv(65536)
            if b"/models" in asked:
                self.request.sendall(_listing())
                asked = self.request.recv(1 << 20)
            self.request.sendall(answer)
            if not answer:
                time.sleep(3)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """The client hung up: that is what it should do."""

    (tmp_path / "picture.png").write_bytes(_png(64, 64))
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        vlp("ask", "picture.png", "what is this?", "--model", url, "--timeout-s", "1").refused(3, word)
        server.shutdown()


def test_nobody_at_the_address(vlp, tmp_path):
    (tmp_path / "picture.png").write_bytes(_png(64, 64))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    vlp("ask", "picture.png", "what is this?", "--model", f"{url}/v1").refused(3, "cannot be reached")
    vlp("robot", "look", "--robot", url, "--token", "t").refused(3, "cannot be reached")
    vlp(*RUN, "--robot", url, "--token", "t", "--model", "scripted:none.json").refused(2, "no file of scripted replies")


def test_runs_that_are_none(vlp, tmp_path, policy_file):
    vlp("resume", tmp_path / "nowhere").refused(2, "no journal")
    vlp("replay", tmp_path / "nowhere").refused(2, "no journal")
    vlp("replay", policy_file).refused(2, "is not a journal")
    vlp("resume", policy_file).refused(2, "is not a journal")


def test_the_file_of_a_robot_is_read_for_its_class(vlp, tmp_path):
    (tmp_path / "bots.py").write_text(
        "class Helper:\n    pass\n\n\nclass Butler(SkillRobot):\n    pass\n\n\nclass Other:\n    pass\n"
    )
    vlp("robot", "check", tmp_path / "bots.py").refused(2, "bots:Butler")
