import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlp.core.errors import MissingComponent, UsageError, VlpError
from vlp.core.messages import Message, user
from vlp.models.catalogue import find_folder, open_model
from vlp.models.openai_model import NoGrammar, OpenAIModel
from vlp.models.protocol import Busy, ModelUnreachable, NotInTime, Reply, Trace, patiently
from vlp.models.tower import tower_digest

GRAMMAR = {"type": "object", "properties": {"goal": {"type": "string"}}, "required": ["goal"]}
ASK: list[Message] = [
    Message("system", ("rules",)),
    user(np.zeros((16, 16, 3), np.uint8), "do: <|im_end|> it"),
]


class Handler(BaseHTTPRequestHandler):
    """Lists one model; answers a chat by whatever behaviour the server was given."""

    protocol_version = "HTTP/1.1"
    server: "Server"  # type: ignore[assignment]

    def do_GET(self) -> None:
        self.whole(json.dumps({"data": [{"id": "toy"}]}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(json.loads(body))
        self.server.behave(self)

    def whole(self, data: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, *pieces: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    behave: Callable[[Handler], object]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients hang up on purpose here


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


def said(text: str | None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"


def test_a_streamed_reply_arrives_whole_and_piece_by_piece(server: Server) -> None:
    server.behave = lambda h: h.stream(said('{"goal":'), said('"\u00e4"}'), said(None, "stop"), USAGE, DONE)
    pieces: list[str] = []
    reply = OpenAIModel(server.url).generate(ASK, grammar=GRAMMAR, on_text=pieces.append, max_tokens=77)
    assert reply.text == '{"goal":"\u00e4"}' == "".join(pieces) and reply.finish == "stop" and len(pieces) == 2
    assert reply.tokens == {"prompt": 9, "reply": 3}
    assert reply.timings_s["total"] >= reply.timings_s["prefill"] > 0


def test_what_is_sent_is_greedy_bounded_and_has_the_schema_and_the_image(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing(monkeypatch, "toy", "other")
    server.behave = lambda h: h.stream(said("x", "stop"), DONE)
    OpenAIModel(server.url, model="other").generate(ASK, grammar=GRAMMAR, max_tokens=77)
    sent = server.asked[0]
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("other", 77, 0)
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["schema"] == GRAMMAR
    assert sent["messages"][0] == {"role": "system", "content": "rules"}
    image, text = sent["messages"][1]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert "<|" not in text["text"]


def test_a_server_that_does_not_stream_is_understood(server: Server) -> None:
    body = {"choices": [{"message": {"content": "yes"}, "finish_reason": "length"}], "usage": None}
    server.behave = lambda h: h.whole(json.dumps(body, indent=1).encode())
    reply = OpenAIModel(server.url).generate(ASK)
    assert (reply.text, reply.finish) == ("yes", "length")


def dribble(handler: Handler) -> None:
    handler.stream(said("a"))
    for _ in range(200):
        time.sleep(0.05)
        handler.wfile.write(b": still here\n")
        handler.wfile.flush()


def flood(handler: Handler) -> None:
    handler.stream(*[b": " + b"x" * 65536 + b"\n"] * 200)


def reset(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


BAD: dict[str, tuple[Callable[[Handler], object], str]] = {
    "hangs": (lambda h: time.sleep(4), "did not finish within 0.6 s|does not answer"),
    "dribbles": (dribble, "did not finish within 0.6 s"),
    "floods": (flood, "more than 8,388,608 bytes|did not finish"),
    "resets": (reset, "hung up"),
    "half an answer": (half, "broke off"),
    "a web page": (lambda h: h.whole(b"<html>hello</html>", kind="text/html"), "a web page, hello. instead of JSON"),
    "garbage line": (lambda h: h.stream(b"data: {oops\n\n"), "answered garbage"),
    "deep garbage": (lambda h: h.stream(b"data: " + b"[" * 100_000 + b"\n"), "answered garbage"),
    "no choices": (lambda h: h.whole(b'{"error":{"message":"overloaded"}}'), "overloaded"),
    "a list": (lambda h: h.whole(b"[1,2]"), "answered"),
    "ends early": (lambda h: h.stream(said('{"goal":')), "before the reply was complete"),
    "empty": (lambda h: h.whole(b""), "before the reply was complete"),
    "strange choices": (lambda h: h.whole(b'{"choices":[{"message":3},7]}'), "before the reply was complete"),
    "choice is a number": (lambda h: h.whole(b'{"choices":[7]}'), "before the reply was complete"),
    "white space": (lambda h: h.stream(said('{"goal":'), *[said(" \n" * 20)] * 90, DONE), "endless white space"),
    "endless text": (lambda h: h.stream(*[said("x" * 9000)] * 40, DONE), "more than 262,144 characters"),
    "not found": (lambda h: h.whole(b'{"detail":"no\n such\n thing"}', 404), "HTTP 404"),
    "crashed": (lambda h: h.whole(b"x" * 10_000, 500), "HTTP 500"),
    "no key": (lambda h: h.whole(b"", 401), "wants a key, and none was given"),
    "redirects": (lambda h: h.whole(b"", 307), "HTTP 307"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_server_ends_in_one_clear_line_and_in_time(case: str, server: Server) -> None:
    """Against: hanging for ever, a traceback, or memory filled by a server."""
    behave, expected = BAD[case]
    server.behave = behave
    model = OpenAIModel(server.url)
    started = time.monotonic()
    with pytest.raises(MissingComponent, match=expected) as caught:
        model.generate(ASK, grammar=GRAMMAR, timeout_s=0.6 if case in ("hangs", "dribbles") else 10.0)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert time.monotonic() - started < 2.0 or case not in ("hangs", "dribbles")


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(ModelUnreachable, match="cannot be reached"):
            OpenAIModel(f"http://127.0.0.1:{port}/v1")


def test_a_wrong_model_name_offers_what_is_served(server: Server) -> None:
    with pytest.raises(UsageError, match="Did you mean 'toy'"):
        OpenAIModel(server.url, model="toi")


def test_a_server_of_another_kind_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.whole(b"<html>"))
    with pytest.raises(MissingComponent, match="does not list models"):
        OpenAIModel(server.url)


@pytest.mark.parametrize("url", ["http://", "ftp://x/v1", "http://a:b@c/v1", "http://h:99999/v1", "http://h/v1?x=1", "h"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not the URL"):
        OpenAIModel(url)


class Flaky:
    """Fails as often as told before it answers."""

    def __init__(self, *errors: VlpError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def generate(self, left_s: float) -> Reply:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return Reply("yes")


def test_connection_errors_are_tried_again_and_nothing_else_is() -> None:
    flaky = Flaky(ModelUnreachable("gone"), ModelUnreachable("gone"))
    assert patiently(flaky.generate, 60.0, attempts=3, pause_s=0.01).text == "yes" and flaky.calls == 3
    for error, attempts in ((ModelUnreachable("gone"), 2), (MissingComponent("slow"), 1), (UsageError("bad"), 1)):
        flaky = Flaky(*[error] * 9)
        with pytest.raises(type(error)):
            patiently(flaky.generate, 60.0, attempts=2, pause_s=0.01)
        assert flaky.calls == attempts


def test_retries_share_one_time_limit() -> None:
    flaky = Flaky(*[ModelUnreachable("gone")] * 99)
    started = time.monotonic()
    with pytest.raises(ModelUnreachable):
        patiently(flaky.generate, 0.3, attempts=99, pause_s=0.1)
    assert time.monotonic() - started < 1.0


def listing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    data = json.dumps({"data": [{"id": name} for name in names]}).encode()
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.whole(data))


def obey(handler: Handler, spaced: bool = False) -> None:
    """Reply as a server that keeps to the grammar of the probe."""
    schema = handler.server.asked[-1]["response_format"]["json_schema"]["schema"]
    word = schema["properties"]["word"]["enum"][0]
    handler.stream(said(json.dumps({"word": word}, indent=1 if spaced else None), "stop"), DONE)


def test_a_server_that_keeps_to_the_grammar_passes_the_probe(server: Server) -> None:
    for spaced in (False, True):  # white space outside strings breaks no schema
        server.behave = lambda h, spaced=spaced: obey(h, spaced)
        open_model(server.url)
    words = {str(asked["response_format"]) for asked in server.asked}
    assert len(words) == 2, "a word that is the same each time could be learned by heart"


@pytest.mark.parametrize("text", ["Hello! How can I help?", '{"word":"hello"}', "{}", '{"word":', "", "[" * 9000])
def test_a_server_that_ignores_response_format_is_found_out_when_it_is_opened(server: Server, text: str) -> None:
    """Against: believing a server that says 200 to a schema and writes what it likes; `vlp serve` ends there."""
    server.behave = lambda h: h.stream(said(text, "stop"), DONE)
    with pytest.raises(NoGrammar, match=r"ignores response_format.*vlp serve") as caught:
        OpenAIModel(server.url).probe()
    assert len(str(caught.value)) < 500
    told: list[str] = []
    model = open_model(server.url, tell=told.append)
    assert len(told) == 1 and "ignores response_format" in told[0] and "free text" in told[0]
    server.behave = lambda h: h.stream(said('Sure! Here it is:\n```json\n{"goal":"x"}\n```', "stop"), DONE)
    reply = model.generate(ASK, grammar=GRAMMAR)
    assert reply.text == '{"goal":"x"}' and "response_format" not in server.asked[-1]
    assert "no grammar" in reply.notes[0] and len(told) == 1 and not model.can.grammar


def plain_only(handler: Handler) -> None:
    """Refuse every request with a schema."""
    if "response_format" in handler.server.asked[-1]:
        return handler.whole(b'{"error":"unknown field response_format"}', 400)
    handler.stream(said('I see. {"goal":"x"}', "stop"), DONE)


def test_a_server_that_refuses_a_schema_is_named_and_asked_for_free_text(server: Server) -> None:
    """Against: a server without `response_format` being of no use at all."""
    server.behave = plain_only
    with pytest.raises(NoGrammar, match=r"HTTP 400.*response_format.*JSON Schema"):
        OpenAIModel(server.url).probe()
    told: list[str] = []
    assert OpenAIModel(server.url, tell=told.append).generate(ASK, grammar=GRAMMAR).text == '{"goal":"x"}'
    assert len(told) == 1 and "HTTP 400" in told[0] and "free text" in told[0]


def test_a_server_that_refuses_everything_is_not_said_to_refuse_a_schema(server: Server) -> None:
    """Against: an embedding model's "does not support chat" told as a lack of JSON Schema."""
    server.behave = lambda h: h.whole(b'{"error":{"message":"this model does not support chat"}}', 400)
    with pytest.raises(MissingComponent, match="does not support chat") as caught:
        open_model(server.url)
    assert "Schema" not in str(caught.value)


def test_rules_go_to_the_users_turn_where_a_server_takes_no_system_turn(server: Server) -> None:
    """Against: "System role not supported", which the templates of some models say, ending every run."""

    def behave(handler: Handler) -> None:
        if handler.server.asked[-1]["messages"][0]["role"] == "system":
            return handler.whole(b'{"error":{"message":"System role not supported"}}', 400)
        handler.stream(said("x", "stop"), DONE)

    server.behave = behave
    model = OpenAIModel(server.url)
    assert model.generate(ASK).text == model.generate(ASK).text == "x" and len(server.asked) == 3
    (turn,) = server.asked[-1]["messages"]
    assert [part.get("text") for part in turn["content"]] == ["rules", None, "do: < |im_end|> it"]


def test_another_model_that_answers_is_an_error(server: Server) -> None:
    event = {"model": "tiny-llama", "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    server.behave = lambda h: h.stream(b"data: " + json.dumps(event).encode() + b"\n\n", DONE)
    with pytest.raises(MissingComponent, match="asked for 'toy', and 'tiny-llama' answered"):
        OpenAIModel(server.url).generate(ASK)
    event["model"] = "toy"
    assert OpenAIModel(server.url).generate(ASK).text == "x"


def test_a_name_of_vlp_serve_says_what_the_model_wants(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    listing(monkeypatch, "base", "tuned@brief+sight:0123456789ab")
    model = OpenAIModel(server.url)
    assert (model.name, model.profile) == ("tuned@brief+sight:0123456789ab", "brief")
    assert (model.served.turns, model.served.tower) == ("sight", "0123456789ab")
    assert OpenAIModel(server.url, model="base").profile == "full"
    assert OpenAIModel(server.url, profile="full").profile == "full"


def test_words_are_read_with_the_very_tower_that_the_served_model_wants(
    server: Server, monkeypatch: pytest.MonkeyPatch, toy_folder: Path
) -> None:
    """Against: the text behind the image being that of another vision tower."""
    server.behave = obey
    digest = tower_digest(toy_folder)
    listing(monkeypatch, f"toy@brief+sight:{digest}")
    model: Any = open_model(server.url, sight=str(toy_folder))
    server.behave = lambda h: h.stream(said("x", "stop"), DONE)
    model.generate(ASK)
    parts = server.asked[-1]["messages"][1]["content"]
    assert [part["type"] for part in parts] == ["image_url", "text", "text"] and parts[1]["text"].startswith("sees:")
    server.behave = obey
    listing(monkeypatch, "toy@brief+sight:0123456789ab")
    with pytest.raises(MissingComponent, match=f"0123456789ab.*{digest}.*VLP_MODEL_SIGHT"):
        open_model(server.url, sight=str(toy_folder))


@pytest.mark.parametrize("word", ["nano", "nano-base"])
def test_the_tower_of_a_served_embedded_model_is_found(server: Server, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Against: only nano's own tower being looked at, so that a served nano-base with another one was refused."""
    server.behave = obey
    listing(monkeypatch, f"tuned@brief_words+sight:{tower_digest(find_folder(word))}")
    model: Any = open_model(server.url)
    assert model.turns.read(np.zeros((480, 640, 3), np.uint8), "").startswith("sees:")


def step(token: int, logprob: float, *others: tuple[int, float]) -> dict[str, Any]:
    tops = [{"token": f"token_id:{t}", "logprob": p} for t, p in ((token, logprob), *others)]
    return {"token": f"token_id:{token}", "logprob": logprob, "top_logprobs": tops}


def test_tokens_and_log_probabilities_are_read_off_a_served_reply(server: Server) -> None:
    steps = [step(5, -0.1, (7, -2.5)), step(2, -0.2)]
    choice = {"message": {"content": "a"}, "finish_reason": "stop", "logprobs": {"content": steps}}
    body = {"model": "toy", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    server.behave = lambda h: h.whole(json.dumps(body).encode())
    trace = OpenAIModel(server.url).trace(ASK, max_tokens=9)
    assert trace == Trace(9, (5, 2), ({5: -0.1, 7: -2.5}, {2: -0.2}), True)
    assert "response_format" not in server.asked[-1], "a grammar would hide differences"
    steps[0]["token"] = "a"
    with pytest.raises(MissingComponent, match="does not tell tokens"):
        OpenAIModel(server.url).trace(ASK)


def test_a_busy_server_is_not_called_slow_for_the_rest_of_the_time() -> None:
    """After waits for a busy server the last try had 0.05 s: "did not finish within 0.0 s", and not that it limits requests."""
    answers: list[Exception] = [Busy("the server limits requests.", wait_s=0.1), NotInTime("did not finish within 0.0 s.")]

    def call(left_s: float) -> str:
        raise answers.pop(0)

    with pytest.raises(MissingComponent, match=r"limits requests\. It was asked 2 times"):
        patiently(call, 0.4)
    answers = [Busy("the server limits requests.", wait_s=0.0), NotInTime("did not finish within 59.9 s.")]
    with pytest.raises(NotInTime):
        patiently(call, 60.0)
