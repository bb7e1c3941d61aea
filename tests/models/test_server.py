"""Each kind of server is told by its own answers and asked in its own way; stand-ins behave as those servers do."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import user
from vlp.models.endpoint import on_loopback
from vlp.models.openai_model import OpenAIModel
from vlp.models.server import SERVERS, same_model

SCHEMA = {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"], "additionalProperties": False}
HELLO = [user("hello")]


class FakeServer(ThreadingHTTPServer):
    """Answers paths from a table; chats by saying what fits the schema."""

    daemon_threads = True

    def __init__(self, name: str, owner: str, told: dict[str, Any], error: Any = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.told = {"/v1/models": {"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner}]}} | told
        self.error, self.bodies, self.paths = error, list[dict[str, Any]](), list[str]()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: FakeServer  # type: ignore[assignment]

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        found = self.server.told.get(self.path)
        self.answer(found if found is not None else {"error": "not found"}, 404 if found is None else 200)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            return self.do_GET()
        self.server.bodies.append(body)
        if self.server.error is not None:
            return self.answer(self.server.error, 400)
        said = '{"a":1}' if "response_format" in body else "hi"
        event = {"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]}
        data = b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(data)

    def answer(self, what: Any, status: int = 200) -> None:
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(*args: Any, **options: Any) -> Iterator[FakeServer]:
    server = FakeServer(*args, **options)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def props(vision: bool) -> dict[str, Any]:
    return {"/props": {"modalities": {"vision": vision, "audio": False}, "model_path": "x.gguf"}}


def shown(*capabilities: str) -> dict[str, Any]:
    return {"/api/show": {"capabilities": list(capabilities)}}


def typed(kind: str) -> dict[str, Any]:
    return {"/api/v0/models": {"data": [{"id": "other", "type": "embeddings"}, {"id": "qwen2.5-vl-3b", "type": kind}]}}


CASES = [
    ("vllm", "qwen2.5-vl-3b", "vllm", {}, True),
    ("llama.cpp", "qwen2.5-vl-3b", "llamacpp", props(True), True),
    ("llama.cpp", "qwen2.5-vl-3b", "llamacpp", props(False), False),
    ("llama.cpp", "qwen2.5-vl-3b", "llamacpp", {"/props": {"total_slots": 1}}, True),
    ("ollama", "qwen2.5vl:3b", "library", shown("completion", "vision"), True),
    ("ollama", "llama3.2:3b", "library", shown("completion", "tools"), False),
    ("ollama", "qwen2.5vl:3b", "library", {}, True),
    ("lmstudio", "qwen2.5-vl-3b", "organization_owner", typed("vlm"), True),
    ("lmstudio", "qwen2.5-vl-3b", "organization_owner", typed("llm"), False),
    ("openai", "some-model", "somebody", {}, True),
]


@pytest.mark.parametrize(("kind", "name", "owner", "told", "sees"), CASES)
def test_a_server_is_known_by_its_answers_and_says_whether_its_model_sees(
    kind: str, name: str, owner: str, told: dict[str, Any], sees: bool
) -> None:
    notes: list[str] = []
    with serving(name, owner, told) as server:
        model = OpenAIModel(server.url, tell=notes.append)
        assert model.server is SERVERS[kind] and model.can.images is sees
        assert bool(notes) is not sees and all("sees no images" in note for note in notes)
        assert model.generate(HELLO, grammar=SCHEMA).text == '{"a":1}'
    body = server.bodies[0]
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body.get("cache_prompt") == (True if kind == "llama.cpp" else None)
    assert (model.can.view.side_px == 28) == ("qwen2.5" in name)


def test_an_unknown_server_is_asked_nothing_that_it_may_not_know() -> None:
    with serving("some-model", "somebody", {}) as server:
        OpenAIModel(server.url)
        assert server.paths == ["/v1/models"]


def test_the_kind_that_is_named_counts() -> None:
    with serving("m", "somebody", props(False)) as server:
        assert not OpenAIModel(server.url, server="llama.cpp").can.images
        with pytest.raises(UsageError, match=r"Did you mean 'llama.cpp'"):
            OpenAIModel(server.url, server="llama-cpp")


ERRORS = {
    "llama.cpp": {"error": {"code": 400, "message": "the request exceeds the context", "type": "invalid_request_error"}},
    "ollama": {"error": {"message": "the request exceeds the context", "type": "api_error", "param": None, "code": None}},
    "lmstudio": {"error": "the request exceeds the context"},
    "vllm": {"object": "error", "message": "the request exceeds the context", "type": "BadRequestError", "code": 400},
}


@pytest.mark.parametrize("kind", ERRORS)
def test_what_a_server_refuses_is_told_in_its_own_words(kind: str) -> None:
    with serving("m", SERVERS[kind].owners[0], {}, error=ERRORS[kind]) as server:
        model = OpenAIModel(server.url)
        with pytest.raises(MissingComponent, match="the request exceeds the context"):
            model.generate(HELLO)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-x", "gpt-x-2025-01-01"),
        ("gpt-x-2025-01-01", "gpt-x"),
        ("gpt-x-latest", "gpt-x-2025-01-01"),
        ("claude-x", "anthropic/claude-x-20250101"),
        ("gemini-x", "models/gemini-x-001"),
        ("llava", "llava:latest"),
        ("Qwen/Qwen2.5-VL-3B-Instruct", "/data/hub/models--Qwen--Qwen2.5-VL-3B-Instruct/snapshots/0a1b"),
        ("Qwen2.5-VL-3B-Instruct", "qwen/qwen2.5-vl-3b-instruct:free"),
        ("m", "C:\\models\\M.gguf"),
        ("qwen2.5-vl-7b", "/models/qwen2.5-vl-7b-Q4_K_M.gguf"),
        ("m", ""),
        ("m", "  "),
        ("/models/m/", "m"),
    ],
)
def test_names_of_one_model(asked: str, answered: str) -> None:
    """Against: "asked for 'gpt-x', and 'gpt-x-2025-01-01' answered" ending a run."""
    assert same_model(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("m", "tiny-llama"),
        ("gpt-x", "gpt-x-mini"),
        ("gpt-x-2024-05-13", "gpt-x-2025-01-01"),
        ("llava:7b", "llava:13b"),
        ("qwen2.5-vl-3b", "qwen2.5-vl-7b"),
        ("m-q4_k_m", "m-q8_0"),
        ("-2025-01-01", "x"),
    ],
)
def test_names_of_two_models(asked: str, answered: str) -> None:
    assert not same_model(asked, answered)


THIS = ("127.0.0.1", "127.0.1.1", "127.1", "localhost", "LOCALHOST.", "a.localhost", "::1", "0.0.0.0", "::", "::ffff:127.0.0.9")
OTHERS = ("example.org", "127.0.0.1.example.org", "10.0.0.1", "128.0.0.1", "localhost.example.org", "fe80::1%eth0")


@pytest.mark.parametrize("host", THIS)
def test_this_machine_is_known_by_all_its_names(host: str) -> None:
    assert on_loopback(host)


@pytest.mark.parametrize("host", OTHERS)
def test_another_machine_is_not_this_one(host: str) -> None:
    assert not on_loopback(host)
