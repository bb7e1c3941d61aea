"""Any server that speaks the OpenAI chat protocol; vLLM is the one that is tested.

The server is not trusted: its replies are bounded in time and size, and what it calls a schema-valid reply is checked
again by the caller like any other.
"""

import base64
import json
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from vlp.core.errors import MissingComponent, UsageError, did_you_mean
from vlp.core.images import encode_png
from vlp.core.messages import Image, Message, Text, user
from vlp.models.protocol import Reply, Unreachable
from vlp.models.served_name import ServedName
from vlp.models.trace import TOP, Trace

CONNECT_S = 5.0
MAX_BYTES = 8 * 1024 * 1024
MAX_TEXT = 256 * 1024
MAX_WHITE = 200
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WHITE_HINT = "Serve the model with `vlp serve`, which asks vLLM for compact JSON."
GRAMMAR_HINT = "Serve the model with `vlp serve`, or with another server that keeps to response_format: json_schema."
PROBE_TOKENS, PROBE_S = 48, 30.0


class Refused(MissingComponent):
    """The server understood that something was asked of it, and would not."""


class OpenAIModel:
    """A model behind an HTTP server.

    Args:
        url: the server's base, e.g. "http://127.0.0.1:8000/v1".
        model: the name under which it is served; None takes the first with the marks of `vlp serve`, else the first listed.
        profile: the wording of prompts the served model was made for; None takes what its name says, else "full".
        key: bearer token; None for none.

    Attributes:
        name: under which it is served.
        profile: see above.
        sight: digest of the vision tower that is to read images for it; "" for none (see `vlp.models.served_name`).

    Raises:
        UsageError: not such a URL, or a model that the server does not list.
        MissingComponent: the server cannot be reached or does not speak the protocol.
    """

    def __init__(
        self, url: str, model: str | None = None, profile: str | None = None, key: str | None = None
    ) -> None:
        self.url = _checked(url)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        through_proxy = urlsplit(self.url).hostname not in LOOPBACK
        self._client = httpx.Client(headers=headers, trust_env=through_proxy, follow_redirects=False)
        self.name = self._served(model)
        told = ServedName.read(self.name) or ServedName(self.name)
        self.profile, self.sight = profile or told.profile, told.sight

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the server's reply (see `vlp.models.protocol.Model.generate`); the draft is not sent."""
        started = time.monotonic()
        body = self._body(messages, max_tokens) | {"stream": True, "stream_options": {"include_usage": True}}
        if grammar is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": grammar, "strict": True},
            }
        parts = _Parts(on_text)
        for event in self._events("/chat/completions", body, timeout_s):
            parts.add(event)
            if parts.first_s is None and parts.text:
                parts.first_s = time.monotonic() - started
        total = time.monotonic() - started
        first = parts.first_s if parts.first_s is not None else total
        timings = {"prefill": first, "decode": total - first, "total": total}
        return Reply(parts.whole(), timings, parts.tokens, parts.finish)

    def probe(self) -> None:
        """Ask for a reply that only a server that keeps to `response_format` gives: what it says of itself is not believed.

        Raises:
            MissingComponent: it wrote something else, or does not answer.
        """
        word = secrets.token_hex(4)
        properties = {"word": {"enum": [word]}}
        schema = {"type": "object", "properties": properties, "required": ["word"], "additionalProperties": False}
        try:
            said = self.generate(
                [user(Text("Say hello."))], grammar=schema, max_tokens=PROBE_TOKENS, timeout_s=PROBE_S
            ).text
        except Refused as error:
            raise MissingComponent(f"{error.message} It was asked for a reply under a JSON Schema.", GRAMMAR_HINT) from None
        try:
            kept = json.loads(said) == {"word": word}
        except (ValueError, RecursionError):
            kept = False
        if not kept:
            raise MissingComponent(
                f"the model server at {self.url} ignores response_format: asked for {json.dumps({'word': word})}, it wrote "
                f"{' '.join(said.split())[:80]!r}.",
                GRAMMAR_HINT,
            )

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply with log-probabilities (see `vlp.models.trace.Traceable.trace`).

        Raises:
            MissingComponent: the server does not tell token ids, as vLLM does.
        """
        asked = {"logprobs": True, "top_logprobs": TOP, "return_tokens_as_token_ids": True, "stream": False}
        for event in self._events("/chat/completions", self._body(messages, max_tokens) | asked, timeout_s):
            try:
                choice = event["choices"][0]
                steps = choice["logprobs"]["content"]
                tops = tuple({_token(top): float(top["logprob"]) for top in [*step["top_logprobs"], step]} for step in steps)
                tokens = tuple(_token(step) for step in steps)
                return Trace(int(event["usage"]["prompt_tokens"]), tokens, tops, choice["finish_reason"] == "stop")
            except (KeyError, IndexError, TypeError, ValueError):
                break
        raise MissingComponent(f"the model server at {self.url} does not tell tokens and log-probabilities.", "vLLM does.")

    def _body(self, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
        turns = [_turn(message) for message in messages]
        return {"model": self.name, "messages": turns, "max_tokens": max_tokens, "temperature": 0, "seed": 0}

    def _served(self, wanted: str | None) -> str:
        listing = b"".join(self._bytes("GET", "/models", None, 2 * CONNECT_S))
        try:
            names = [str(entry["id"])[:200] for entry in json.loads(listing)["data"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise MissingComponent(
                f"{self.url} does not list models as an OpenAI-compatible server does.", "Does the URL end in /v1?"
            ) from None
        if not names:
            raise MissingComponent(f"{self.url} serves no model.")
        if wanted is not None and wanted not in names:
            raise UsageError(f"{self.url} serves no model {wanted[:200]!r}.", did_you_mean(wanted, names))
        return wanted or next((name for name in names if ServedName.read(name)), names[0])

    def _events(self, path: str, body: dict[str, Any], timeout_s: float) -> Iterator[dict[str, Any]]:
        """Yield the server's events; a server that answers in one piece gives one."""
        buffer = b""
        for chunk in self._bytes("POST", path, body, timeout_s):
            buffer += chunk
            while b"\n" in buffer and not buffer.lstrip().startswith(b"{"):
                line, _, buffer = buffer.partition(b"\n")
                if line.startswith(b"data:"):
                    data = line[5:].strip()
                    if data == b"[DONE]":
                        return
                    yield self._event(data)
        if buffer.strip():
            yield self._event(buffer.strip().removeprefix(b"data:").strip())

    def _event(self, data: bytes) -> dict[str, Any]:
        try:
            event = json.loads(data) if data != b"[DONE]" else {"choices": []}
        except (ValueError, RecursionError):
            raise MissingComponent(f"the model server at {self.url} answered garbage: {data[:60]!r}.") from None
        if not isinstance(event, dict) or not isinstance(event.get("choices"), list):
            raise MissingComponent(f"the model server at {self.url} answered {str(event)[:120]!r} instead of a reply.")
        if isinstance(event.get("model"), str) and event["model"] != self.name:
            raise MissingComponent(
                f"the model server at {self.url} was asked for {self.name!r}, and {event['model'][:200]!r} answered.",
                "Does another server stand behind this URL, or a proxy that sends requests elsewhere?",
            )
        return event

    def _bytes(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Iterator[bytes]:
        """Yield the pieces of an answer, bounded in size and, whatever the server does, in time.

        The connection is read by a thread of its own: a server that sends a byte now and then would outlast every
        time limit on single reads.
        """
        deadline_s = time.monotonic() + timeout_s
        pieces: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=64)
        gone = threading.Event()
        reader = threading.Thread(target=self._read, args=(method, path, body, timeout_s, pieces, gone), daemon=True)
        reader.start()
        size = 0
        try:
            while True:
                piece = pieces.get(timeout=max(0.001, deadline_s - time.monotonic()))
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise self._plain(piece, started=size > 0)
                size += len(piece)
                if size > MAX_BYTES:
                    raise MissingComponent(f"the model server at {self.url} sent more than {MAX_BYTES:,} bytes.")
                yield piece
        except queue.Empty:
            raise MissingComponent(
                f"the model server at {self.url} did not finish within {timeout_s:.1f} s.",
                "Is it overloaded? Raise the time limit or restart it.",
            ) from None
        finally:
            gone.set()

    def _read(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        timeout_s: float,
        pieces: "queue.Queue[bytes | Exception | None]",
        gone: threading.Event,
    ) -> None:
        def put(piece: bytes | Exception | None) -> None:
            while not gone.is_set():
                try:
                    return pieces.put(piece, timeout=0.5)
                except queue.Full:
                    continue

        limits = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        try:
            with self._client.stream(method, self.url + path, json=body, timeout=limits) as response:
                if response.status_code != 200:
                    said = next(response.iter_bytes(400), b"")[:200].decode("utf-8", "replace")
                    put(_refused(self.url, response.status_code, said))
                    return
                for chunk in response.iter_bytes():
                    put(chunk)
                    if gone.is_set():
                        return
            put(None)
        except Exception as error:  # handed to the caller's thread, which names it
            put(error)

    def _plain(self, error: Exception, started: bool) -> Exception:
        if isinstance(error, MissingComponent | UsageError):
            return error
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.RemoteProtocolError | httpx.ReadError):
            what = "broke off in the middle of its answer" if started else "cannot be reached, or hung up"
            kind = MissingComponent if started else Unreachable
            return kind(f"the model server at {self.url} {what}.", "Is it running?")
        if isinstance(error, httpx.TimeoutException):
            return MissingComponent(f"the model server at {self.url} does not answer.", "Is it overloaded?")
        return MissingComponent(f"the model server at {self.url} failed: {str(error)[:120] or type(error).__name__}.")


class _Parts:
    """Gathers a reply from events and stops one that runs away."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self.text, self.finish, self.tokens = "", "", dict[str, int]()
        self.first_s: float | None = None
        self._on_text = on_text

    def add(self, event: dict[str, Any]) -> None:
        """Take one event in."""
        usage = event.get("usage")
        if isinstance(usage, dict):
            named = {"prompt": usage.get("prompt_tokens"), "reply": usage.get("completion_tokens")}
            self.tokens = {name: count for name, count in named.items() if type(count) is int}
        for choice in event["choices"][:1]:
            said = choice.get("delta") or choice.get("message") if isinstance(choice, dict) else None
            text = said.get("content") if isinstance(said, dict) else None
            if isinstance(text, str) and text:
                self._append(text)
            if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str):
                self.finish = choice["finish_reason"]

    def whole(self) -> str:
        """Return the reply; raises MissingComponent when the server ended without one."""
        if not self.finish:
            raise MissingComponent("the model server ended its answer before the reply was complete.", "Is it healthy?")
        self.finish = "length" if self.finish == "length" else "stop"
        return self.text

    def _append(self, text: str) -> None:
        self.text += text
        if len(self.text) > MAX_TEXT:
            raise MissingComponent(f"the model server wrote more than {MAX_TEXT:,} characters.")
        if len(self.text) > MAX_WHITE and not self.text[-MAX_WHITE:].strip():
            raise MissingComponent("the model server writes endless white space.", WHITE_HINT)
        if self._on_text:
            self._on_text(text)


def _turn(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Image):
            data = base64.b64encode(encode_png(part.rgb)).decode()
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
        else:  # the server's tokenizer would take these for its own tokens
            parts.append({"type": "text", "text": part.text.replace("<|", "< |")})
    if message.role == "user":
        return {"role": "user", "content": parts}
    return {"role": message.role, "content": "".join(p.get("text", "") for p in parts)}


def _token(step: dict[str, Any]) -> int:
    """Return the id in "token_id:17"; raises ValueError for a token told in another way."""
    word, _, number = str(step["token"]).partition(":")
    if word != "token_id":
        raise ValueError("no id")
    return int(number)


def _refused(url: str, status: int, said: str) -> Exception:
    line = " ".join(said.split())[:160]
    if status in (401, 403):
        return MissingComponent(f"the model server at {url} refuses the key (HTTP {status}).", "Give its key.")
    return Refused(f"the model server at {url} answered HTTP {status}: {line!r}.", "Is it the right URL?")


def _checked(url: str) -> str:
    parts = urlsplit(url[:2000])
    try:
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment or len(url) > 2000:
        raise UsageError(f"{url[:200]!r} is not the URL of a model server.", "Expected e.g. http://127.0.0.1:8000/v1.")
    return url.rstrip("/")
