"""A server for tests that speaks the OpenAI chat protocol badly, in one way at a time.

`MODES` names the ways. Each is a pair of functions: what it answers to GET .../models and to POST .../chat/completions; both
are given the handler. What is not said in a mode is done as a good server does it, which keeps to `response_format`.
"""

import email.utils
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BOX = '[{"bbox_2d":[10,20,110,220],"label":"red cube"}]'
ANSWER = "two"


class Handler(BaseHTTPRequestHandler):
    """One request, with the ways of answering that the modes are made of."""

    protocol_version = "HTTP/1.1"
    server: "MisbehavingServer"  # type: ignore[assignment]
    body: dict[str, Any]

    def do_GET(self) -> None:
        self.server.lists += 1
        self.server.mode.lists(self)

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(self.body)
        self.server.mode.chats(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def schema(self) -> dict[str, Any] | None:
        """The schema of the request, None for a request of free text."""
        return self.body.get("response_format", {}).get("json_schema", {}).get("schema")

    @property
    def reply(self) -> str:
        """What a good model replies: the word of the probe, the box of a grounding, else the answer."""
        schema = self.schema
        if schema and "word" in schema.get("properties", {}):
            return json.dumps({"word": schema["properties"]["word"]["enum"][0]})
        if schema and list(schema.get("properties", {})) == ["reply"]:
            return f'{{"reply":{BOX}}}'
        return BOX if "Locate" in str(self.body["messages"][-1]) else ANSWER

    @property
    def probed(self) -> bool:
        """Whether this is the probe's request."""
        return "word" in (self.schema or {}).get("properties", {})

    def whole(self, what: Any, status: int = 200, **headers: str) -> None:
        """Answer in one piece, JSON or bytes."""
        data = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def stream(self, *events: Any, done: bool = True) -> None:
        """Answer with events, and hang up."""
        self.begin()
        for event in events:
            self.wfile.write(event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n")
        if done:
            self.wfile.write(b"data: [DONE]\n\n")

    def begin(self) -> None:
        """Begin a stream of events."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def good(self) -> None:
        """Answer as a good server does."""
        self.stream(chunk(self.reply), chunk(finish="stop"))


Act = Callable[[Handler], object]


class Mode:
    """One way of answering.

    Args:
        chats: to a request for a reply.
        lists: to a request for the list of models.
    """

    def __init__(self, chats: Act | None = None, lists: Act | None = None) -> None:
        self.chats: Act = chats or Handler.good
        self.lists: Act = lists or (lambda h: h.whole({"object": "list", "data": [{"id": "m"}]}))


class MisbehavingServer(ThreadingHTTPServer):
    """The server of one mode.

    Args:
        mode: a name in `MODES`.
        host: where it listens.
    """

    daemon_threads = True

    def __init__(self, mode: str, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.mode = MODES[mode]
        self.asked: list[dict[str, Any]] = []
        self.lists = 0
        self.origin = f"http://{host}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients hang up on purpose here


@contextmanager
def serving(mode: str, host: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[MisbehavingServer]:
    """Run a server for the while; with a certificate (key and certificate in one file) over TLS."""
    server = MisbehavingServer(mode, host)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.origin = server.origin.replace("http:", "https:")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def chunk(content: Any = None, finish: str | None = None, model: Any = "m", **delta: Any) -> dict[str, Any]:
    """Return an event of a stream."""
    said = ({"content": content} if content is not None else {}) | delta
    return {"model": model, "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def message(content: Any, finish: Any = "stop", **more: Any) -> Act:
    """Answer in one piece with a message."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}
    return lambda h: h.whole({"model": "m", "choices": [choice]})


def said_by(model: Any) -> Act:
    """Answer well, under another name."""
    return lambda h: h.stream(chunk(h.reply, model=model), chunk(finish="stop", model=model))


def listing(*entries: Any) -> Act:
    """List models, by name or as the entries of a list."""
    return lambda h: h.whole({"data": [{"id": each} if isinstance(each, str) else each for each in entries]})


def error(text: str, status: int, **headers: str) -> Act:
    """Refuse, in the shape of OpenAI's errors."""
    return lambda h: h.whole({"error": {"message": text}}, status, **headers)


def ended(*texts: str, finish: str) -> Act:
    """Write some text, and end in some way."""
    return lambda h: h.stream(*map(chunk, texts), chunk(finish=finish))


def once(first: Act, lists: bool = False) -> Act:
    """Act in one way the first time and as a good server later."""

    def act(h: Handler) -> object:
        count = h.server.lists if lists else len(h.server.asked)
        (first if count == 1 else Mode().lists if lists else Handler.good)(h)

    return act


def only_at(path: str) -> Act:
    """List models at one path."""
    return lambda h: listing("m")(h) if h.path == path else h.whole(b"404 page not found", 404)


def unless(refused: Callable[[Handler], bool], text: str, status: int = 400) -> Act:
    """Refuse some requests, and answer the others well."""
    return lambda h: error(text, status)(h) if refused(h) else h.good()


def thinking_first(tokens: int) -> Act:
    """Spend tokens on reasoning before the reply."""

    def act(h: Handler) -> None:
        thought = chunk(reasoning_content="Hmm, let me see.")
        enough = h.body["max_tokens"] > tokens
        h.stream(thought, *([chunk(h.reply), chunk(finish="stop")] if enough else [chunk(finish="length")]))

    return act


def in_spite(text: Callable[[Handler], str]) -> Act:
    """Write a text, whatever schema there is."""
    return lambda h: h.stream(chunk(text(h)), chunk(finish="stop"))


def with_key(h: Handler) -> object:
    if h.headers.get("Authorization") != "Bearer secret":
        return error(f"Incorrect API key provided: {h.headers.get('Authorization')}", 401)(h)
    return listing("m")(h)


def never_closing(h: Handler) -> None:
    """Give the whole reply, and stay."""
    h.begin()
    for event in (chunk(h.reply), chunk(finish="stop")):
        h.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
    h.wfile.flush()
    for _ in range(40):
        time.sleep(0.2)
        h.wfile.write(b": still here\n\n")


def drip(h: Handler) -> None:
    """Write a little now and then, for ever."""
    h.begin()
    for _ in range(400):
        time.sleep(0.02)
        h.wfile.write(b"data: " + json.dumps(chunk("a")).encode() + b"\n\n")


def endless(h: Handler) -> None:
    """Write events without text as fast as it goes."""
    h.begin()
    for _ in range(4000):
        h.wfile.write((b"data: " + json.dumps(chunk()).encode() + b"\n\n") * 100)


def header_flood(h: Handler) -> None:
    h.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(9000)))


def slow_headers(h: Handler) -> None:
    h.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for i in range(400):
        time.sleep(0.02)
        h.wfile.write(b"X-%d: y\r\n" % i)


def hang_up(h: Handler) -> None:
    h.close_connection = True
    h.connection.shutdown(socket.SHUT_RDWR)


def reset(h: Handler) -> None:
    """Hang up so that the connection is reset."""
    h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    h.close_connection = True
    h.rfile.close()
    h.wfile.close()
    h.connection.close()


def no_http(h: Handler) -> None:
    h.wfile.write(b"+OK POP3 ready\r\n\r\n")
    h.close_connection = True


def lenient(h: Handler) -> object:
    """Refuse a root that is no object, and reply without the wrapper all the same."""
    if h.schema and h.schema.get("type") != "object":
        return error("schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'", 400)(h)
    return h.stream(chunk(h.reply if h.probed else BOX), chunk(finish="stop"))


def no_stream(h: Handler) -> object:
    """Answer in one piece alone."""
    if h.body["stream"]:
        return error("'stream' is not supported", 400)(h)
    return message(h.reply)(h)


def strict(h: Handler) -> object:
    """Take what OpenAI's strict mode takes: an object at the root, every property required, few keywords."""
    faults = list(_faults(h.schema, root=True)) if h.schema else []
    return error(f"Invalid schema for response_format 'reply': {faults[0]}", 400)(h) if faults else h.good()


def _faults(schema: Any, root: bool = False) -> Iterator[str]:
    if root and schema.get("type") != "object":
        yield "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."
    known = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "description"}
    known |= {"minimum", "maximum", "minItems", "maxItems", "$defs", "$ref"}
    yield from (f"{key!r} is not permitted." for key in schema if key not in known)
    if not {"type", "anyOf", "$ref"} & set(schema):
        yield "schema must have a 'type' key."
    properties = schema.get("properties", {})
    if set(schema.get("required", ())) != set(properties):
        yield "'required' must name every key in properties."
    for each in (*properties.values(), *schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])):
        yield from _faults(each)


def far_date() -> str:
    return email.utils.formatdate(time.time() + 7200, usegmt=True)


def raw(data: bytes) -> Act:
    """Write bytes as a stream of events."""
    return lambda h: h.stream(data)


EVENT = json.dumps(chunk("two", "stop"))
TURNED_AWAY = "Rate limit reached for requests"

MODES: dict[str, Mode] = {
    "good": Mode(),
    # the list of models
    "several": Mode(lists=listing("alpha-7b", "beta-12b", "text-embedding-3")),
    "twins": Mode(said_by("gamma"), listing("gamma", "text-embedding-3")),
    "embedder-first": Mode(lists=listing("nomic-embed-text:latest", "m")),
    "painter-first": Mode(lists=listing("FLUX.1-schnell", "whisper-1", "m")),
    "modalities": Mode(
        lists=listing(
            {"id": "blind", "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}},
            {"id": "m", "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]}},
            {"id": "painter", "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["image"]}},
        )
    ),
    "only-embedders": Mode(lists=listing("bge-m3", "e5-large")),
    "bare-list": Mode(lists=lambda h: h.whole([{"id": "m"}])),
    "lists-nothing": Mode(lists=listing()),
    "no-list": Mode(lists=lambda h: h.whole(b"404 page not found", 404)),
    "root-only": Mode(lists=only_at("/models")),
    "v1-only": Mode(lists=only_at("/v1/models")),
    "page-for-a-list": Mode(lists=lambda h: h.whole(b"<html><title>Welcome</title></html>", Content_Type="text/html")),
    "loading": Mode(lists=error("Loading model", 503)),
    "loading-once": Mode(lists=once(error("Loading model", 503, Retry_After="0"), lists=True)),
    "with-key": Mode(lists=with_key),
    "forbidden": Mode(lists=error("your country is not served", 403)),
    # the name that answers
    "dated": Mode(said_by("m-2025-01-01")),
    "dated-otherwise": Mode(said_by("m-2025-01-01"), listing("m-2024-05-13")),
    "nameless": Mode(said_by("")),
    "null-name": Mode(said_by(None)),
    "by-path": Mode(said_by("/models/org/M.gguf")),
    "by-root": Mode(said_by("/srv/weights/7b"), listing({"id": "m", "root": "/srv/weights/7b"})),
    "full-name": Mode(said_by("qwen2.5-vl-3b-instruct"), listing("Qwen/Qwen2.5-VL-3B-Instruct")),
    "another": Mode(said_by("tiny-llama")),
    # what is, and is not, a reply
    "null": Mode(message(None)),
    "refusal": Mode(message(None, refusal="I cannot help with that")),
    "refusal-streamed": Mode(lambda h: h.stream(chunk(refusal="I cannot "), chunk(refusal="help"), chunk(finish="stop"))),
    "parts": Mode(lambda h: message([{"type": "text", "text": h.reply}])(h)),
    "parts-streamed": Mode(lambda h: h.stream(chunk([{"type": "text", "text": h.reply}]), chunk(finish="stop"))),
    "parts-with-thinking": Mode(
        lambda h: message([{"type": "thinking", "thinking": []}, {"type": "text", "text": h.reply}])(h)
    ),
    "picture-for-a-reply": Mode(message([{"type": "image_url", "image_url": {"url": "data:"}}])),
    "number-for-a-reply": Mode(message(17)),
    "wordless": Mode(lambda h: h.stream(chunk(finish="stop"))),
    "empty": Mode(ended("", finish="stop")),
    "reasons": Mode(thinking_first(300)),
    "reasons-for-ever": Mode(thinking_first(10**9)),
    "reasoning-only": Mode(lambda h: h.stream(chunk(reasoning="two"), chunk(finish="stop"))),
    "thinks-aloud": Mode(in_spite(lambda h: f"<think>They ask for {{}}.</think>\n{h.reply}")),
    "thinks-half-aloud": Mode(in_spite(lambda h: f"They ask. </think>\n\n{h.reply}")),
    "thinks-to-the-limit": Mode(ended("<think>So many ", "cubes", finish="length")),
    "cut-off": Mode(ended("There are tw", finish="length")),
    "filtered": Mode(ended("There are tw", finish="content_filter")),
    "calls-a-tool": Mode(message(None, "tool_calls", tool_calls=[{"function": {"name": "count"}}])),
    "ends-oddly": Mode(ended("There are tw", finish="recitation")),
    "error-at-once": Mode(lambda h: h.whole({"error": {"message": "CUDA out of memory", "code": 500}})),
    "error-midway": Mode(lambda h: h.stream(chunk("There"), {"error": {"message": "engine died"}})),
    "error-in-a-choice": Mode(
        lambda h: h.stream(
            chunk("There"), {"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "provider left"}}]}
        )
    ),
    "breaks-off-once": Mode(once(lambda h: h.stream(chunk("There are tw"), done=False))),
    "breaks-off": Mode(lambda h: h.stream(chunk("There are tw"), done=False)),
    "done-too-soon": Mode(lambda h: h.stream(chunk("There are tw"))),
    "no-done": Mode(lambda h: h.stream(chunk(h.reply), chunk(finish="stop"), done=False)),
    "signs-of-life": Mode(lambda h: h.stream({"type": "ping"}, chunk(h.reply), {"usage": None}, chunk(finish="stop"))),
    "keeps-alive": Mode(lambda h: h.stream(b": ping\r\n\r\n", chunk(h.reply), b"event: x\r\nid: 1\r\n", chunk(finish="stop"))),
    "never-closes": Mode(never_closing),
    # statuses
    "limited-once": Mode(once(error(TURNED_AWAY, 429, Retry_After="0"))),
    "limited": Mode(error(TURNED_AWAY, 429, Retry_After="0.2")),
    "limited-for-hours": Mode(lambda h: error(TURNED_AWAY, 429, Retry_After=far_date())(h)),
    "spent": Mode(lambda h: h.whole({"error": {"message": "You exceeded it", "code": "insufficient_quota"}}, 429)),
    "busy-once": Mode(once(error("no slot available", 503))),
    "unknown-model": Mode(error("The model `m` does not exist", 404)),
    "too-large": Mode(error("Request Entity Too Large", 413)),
    "no-images": Mode(error("image input is not supported by this model", 400)),
    "no-chat": Mode(error("model does not support chat", 400)),
    "crashes": Mode(error("internal server error", 500)),
    "crashes-once": Mode(once(error("internal server error", 500))),
    "gateway": Mode(lambda h: h.whole(b"<html><h1>502 Bad Gateway</h1></html>", 502)),
    "redirects": Mode(lambda h: h.whole(b"", 307, Location="https://elsewhere.invalid/v1/chat/completions")),
    # parameters
    "new-limit": Mode(unless(lambda h: "max_tokens" in h.body, "'max_tokens' is not supported; use 'max_completion_tokens'.")),
    "no-temperature": Mode(unless(lambda h: "temperature" in h.body, "Unsupported value: 'temperature' does not support 0.")),
    "no-stream-options": Mode(unless(lambda h: "stream_options" in h.body, "Extra input: stream_options", 422)),
    "no-stream": Mode(no_stream),
    # JSON under a schema
    "strict-schemas": Mode(strict),
    "wraps-nothing": Mode(lenient),
    "no-schemas": Mode(unless(lambda h: "response_format" in h.body, "'response_format.type' must be 'text'")),
    "schema-breaks-it": Mode(unless(lambda h: "response_format" in h.body, "grammar compilation failed", 500)),
    "ignores-schemas": Mode(in_spite(lambda h: "Hello there!" if h.probed else f"It is at {BOX}, I think.")),
    "fences": Mode(in_spite(lambda h: f"```json\n{h.reply}\n```")),
    "fences-later": Mode(in_spite(lambda h: h.reply if h.probed else f"Here:\n```json\n{h.reply}\n```\nAnything else?")),
    "cut-off-later": Mode(lambda h: h.good() if h.probed else ended('[{"bbox_2d":[10,20', finish="length")(h)),
    "chats-later": Mode(in_spite(lambda h: h.reply if h.probed else "I see no box that I could name.")),
    "nothing-later": Mode(in_spite(lambda h: h.reply if h.probed else "[]")),
    # the wire
    "page-for-a-reply": Mode(lambda h: h.whole(b"<html><body>Please log in</body></html>", Content_Type="text/html")),
    "no-utf8": Mode(raw(b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n')),
    "a-key-twice": Mode(raw(b'data: {"choices":[],"choices":[{"delta":{"content":"two"},"finish_reason":"stop"}]}\n\n')),
    "not-a-number": Mode(raw(b'data: {"choices":[{"delta":{"content":"two"},"logprobs":NaN,"finish_reason":"stop"}]}\n\n')),
    "less-than": Mode(lambda h: h.whole(b"<" * 2**18)),
    "keys-without-end": Mode(lambda h: h.whole(b"{" + b",".join(b'"k%d":0' % i for i in (*range(20_000), 19_999)) + b"}")),
    "name-without-end": Mode(said_by("-latest" * 20_000)),
    "lists": Mode(lambda h: h.whole(b"[" + b",".join([b"[]"] * 2**20) + b"]")),
    "deep": Mode(raw(b"data: " + b'{"a":' * 50_000 + b"\n\n")),
    "plain-lines": Mode(raw(b"two cubes\n\n")),
    "half-a-line": Mode(lambda h: h.stream(b"data: " + EVENT[:40].encode(), done=False)),
    "split-everywhere": Mode(lambda h: [h.begin(), *(h.wfile.write(bytes([b])) for b in b"data: " + EVENT.encode() + b"\n\n")]),
    "huge": Mode(lambda h: h.whole(b'{"choices":"' + b"x" * 9_000_000)),
    "endless-text": Mode(lambda h: h.stream(*[chunk("x" * 9000)] * 40)),
    "endless-white": Mode(lambda h: h.stream(*[chunk(" \n" * 40)] * 40)),
    "endless-events": Mode(endless),
    "packed": Mode(lambda h: h.whole(gzip.compress(b" " * 100_000), Content_Encoding="gzip")),
    "header-flood": Mode(header_flood),
    "slow-headers": Mode(slow_headers),
    "drips": Mode(drip),
    "hangs": Mode(lambda h: time.sleep(3)),
    "hangs-up": Mode(hang_up),
    "resets": Mode(reset),
    "no-http": Mode(no_http),
}  # fmt: skip
