"""Any server that speaks the OpenAI chat protocol; vLLM is the one that is tested.

The server is not trusted: its replies are bounded in time and size, and what it calls a schema-valid reply is checked
again by the caller like any other.
"""

import base64
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from vlp.core.errors import MissingComponent
from vlp.core.images import ImageView, encode_png
from vlp.core.messages import Message, user
from vlp.models.endpoint import Deadline, Endpoint
from vlp.models.protocol import (
    TOP,
    Busy,
    Capabilities,
    NotConnected,
    Reply,
    RequestRefused,
    Tell,
    Trace,
    patiently,
    say_nothing,
)
from vlp.models.served_reply import SHAPES, Shape, events, json_in, read_reply, read_shape, shape_fields
from vlp.models.server import find_model, find_server


class NoGrammar(MissingComponent):
    """The server does not hold replies to a JSON Schema."""


class OpenAIModel:
    """A model behind an HTTP server.

    Args:
        url: the server's base, e.g. "http://127.0.0.1:8000/v1"; a model's name may follow behind "#".
        model: the name under which it is served; "" takes the one with the marks of `vlp serve`, else the only one that can
            chat about images (see `vlp.models.server`).
        profile: the wording of prompts the served model was made for; None takes what its name says, else "full".
        key: bearer token; None for none.
        tell: told, in a line each, what a person should know: which model was taken of several, what the server does not take.
        timeout_s: limit on asking for the list of models, and what the server tells of this one.
        server: a row of `vlp.models.server.SERVERS`; "" goes by what the server says of itself.

    Attributes:
        name: under which it is served.
        profile: see above.
        can: what it can do.
        server: what kind of server it is.
        served: its names, and what they say that it wants of its clients.
        url: the base that was found to answer.

    Raises:
        UsageError: not such a URL, or no way to tell which of its models is meant.
        MissingComponent: the server cannot be reached or does not speak the protocol.
    """

    def __init__(
        self,
        url: str,
        model: str = "",
        profile: str | None = None,
        key: str | None = None,
        tell: Tell = say_nothing,
        timeout_s: float = 10.0,
        server: str = "",
    ) -> None:
        base, _, named = url.partition("#")
        self._tell = tell
        self._endpoint = Endpoint(base, key)
        deadline = Deadline(min(timeout_s, 10.0))
        self.served = find_model(self._endpoint, model or named, deadline, tell)
        self.name, self.url = self.served.name, self._endpoint.url
        self.profile = profile or self.served.profile or "full"
        self.server = find_server(server, self.served.owner)
        images = self.server.sees_images(self.url, self._endpoint.key, self.name, deadline)
        self.can = Capabilities(images=images, view=view_of(self.name))
        if not images:
            tell(f"{self.url} says that {self.name!r} sees no images. {self.server.note}".strip())
        self._shapes = SHAPES
        self._notes: tuple[str, ...] = ()
        self._limit, self._left_out, self._thinking_tokens = "max_tokens", set[str](), 0

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
        """Return the server's reply (see `vlp.models.protocol.Model.generate`); the draft is not sent.

        A server that is busy, or is started anew, is waited for; one that hangs up or breaks off is asked three times in
        all, as it may be the request that ends it. A reply or a time-out is never repeated. One that refuses the schema is
        asked in a looser shape (`vlp.models.served_reply`); that of free text is told.
        """

        def ask(left_s: float) -> Reply:
            try:
                return self._generated(messages, grammar, max_tokens, Deadline(left_s), on_text)
            except NotConnected as error:  # it was there when it listed its models
                raise Busy(error.message, error.hint) from None

        return patiently(ask, timeout_s, self._tell, attempts=3)

    def _generated(
        self,
        messages: Sequence[Message],
        grammar: dict[str, Any] | None,
        max_tokens: int,
        deadline: Deadline,
        on_text: Callable[[str], None] | None,
    ) -> Reply:
        if grammar is None:
            return self._reply(messages, {}, max_tokens, deadline, on_text)
        shape, reply, refusal = self._shaped(messages, grammar, max_tokens, deadline, on_text)
        if shape != self._shapes[0]:
            self._shapes = SHAPES[SHAPES.index(shape) :]
        if shape == "free" and not self._notes:
            self.loosen(f"{refusal.message if refusal else ''} It was asked for a reply under a JSON Schema.")
        text = read_shape(shape, reply.text, grammar)
        if on_text and shape != "schema":
            on_text(text)
        return Reply(text, reply.timings_s, reply.tokens, reply.finish, notes=self._notes)

    def probe(self, timeout_s: float = 30.0) -> None:
        """Ask for a reply that only a server that keeps to `response_format` gives: what it says of itself is not believed.

        Raises:
            NoGrammar: it wrote something else, or refuses.
            MissingComponent: it does not answer.
            NoReply: it answers, and gives no reply to anything.
        """
        word, deadline, tokens = secrets.token_hex(4), Deadline(timeout_s), 48
        serve = "Serve the model with `vlp serve`, or with another server that keeps to response_format: json_schema."
        properties = {"word": {"type": "string", "enum": [word]}}
        schema = {"type": "object", "properties": properties, "required": ["word"], "additionalProperties": False}
        hello = [user("Say hello.")]
        try:
            reply = self._reply(hello, shape_fields("schema", schema), tokens, deadline)
        except RequestRefused as error:
            self._reply(hello, {}, tokens, deadline)  # who refuses this, too, has another reason, and says it
            raise NoGrammar(f"{error.message} It was asked for a reply under a JSON Schema.", serve) from None
        try:
            kept = json.loads(json_in(reply.text, schema)) == {"word": word}
        except (ValueError, RecursionError):
            kept = False
        if not kept:
            cut = f", cut off at {tokens} tokens" if reply.finish == "length" else ""
            raise NoGrammar(
                f"the model server at {self.url} ignores response_format: it wrote {' '.join(reply.text.split())[:40]!r}{cut}.",
                serve,
            )

    def loosen(self, why: str) -> None:
        """Take replies as free text from now on, and say so: to the person, and with each reply.

        Args:
            why: what was seen.
        """
        self._shapes = ("free",)
        self.can = replace(self.can, grammar=False)
        self._notes = ("the server holds replies to no grammar: JSON is looked for in free text, and checked",)
        self._tell(f"{why.strip()} JSON is looked for in free text, and checked.")

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply with log-probabilities (see `vlp.models.protocol.Traceable.trace`).

        Raises:
            MissingComponent: the server does not tell token ids, as vLLM does.
        """
        asked = {"logprobs": True, "top_logprobs": TOP, "return_tokens_as_token_ids": True, "stream": False}
        deadline = Deadline(timeout_s)
        try:
            told = list(itertools.islice(self._events(self._body(messages, max_tokens) | asked, deadline), 1))
        except TimeoutError:
            raise self._endpoint.late(deadline) from None
        for event in told:
            try:
                choice = event["choices"][0]
                steps = choice["logprobs"]["content"]
                tops = tuple({_token(top): float(top["logprob"]) for top in [*step["top_logprobs"], step]} for step in steps)
                tokens = tuple(_token(step) for step in steps)
                return Trace(int(event["usage"]["prompt_tokens"]), tokens, tops, choice["finish_reason"] == "stop")
            except (KeyError, IndexError, TypeError, ValueError):
                break
        raise MissingComponent(f"the model server at {self.url} does not tell tokens and log-probabilities.", "vLLM does.")

    def _shaped(
        self,
        messages: Sequence[Message],
        grammar: dict[str, Any],
        max_tokens: int,
        deadline: Deadline,
        on_text: Callable[[str], None] | None,
    ) -> tuple[Shape, Reply, RequestRefused | None]:
        """Return the first shape that the server takes, its reply as written, and why it took none before."""
        refusal: RequestRefused | None = None
        for shape in self._shapes:
            heard = on_text if shape == "schema" else None
            try:
                return shape, self._reply(messages, shape_fields(shape, grammar), max_tokens, deadline, heard), refusal
            except RequestRefused as error:
                refusal = refusal or error
                if not error.of_shape:
                    break
        assert refusal is not None
        raise refusal

    def _reply(
        self,
        messages: Sequence[Message],
        fields: dict[str, Any],
        max_tokens: int,
        deadline: Deadline,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the reply to one request, asked again without what the server does not take, or with room for thinking.

        An error of the server itself (500) is asked about once more before it is believed: many pass.
        """
        stumbled = False
        while True:
            body = self._body(messages, max_tokens) | fields | {"stream": "stream" not in self._left_out}
            if body["stream"] and "stream_options" not in self._left_out:
                body["stream_options"] = {"include_usage": True}
            limit = Deadline(deadline.left_s)
            try:
                told = self._events(body, limit)
                reply = read_reply(self.url, told, limit, on_text, last=self._thinking_tokens > 0)
            except TimeoutError:
                raise self._endpoint.late(deadline) from None
            except RequestRefused as error:
                if self._yields(error.said):
                    continue
                if stumbled or error.status < 500 or error.of_shape:
                    raise
                stumbled = True
                time.sleep(min(0.5, deadline.left_s / 4))
                continue
            if reply is not None:
                return reply
            self._thinking_tokens = 4096

    def _yields(self, said: str) -> bool:
        """Leave out of later requests what the server says that it does not take, and return whether anything was."""
        if "max_completion_tokens" in said and self._limit == "max_tokens":
            self._limit = "max_completion_tokens"
            return True
        names = {name: rf"\b{name}\b" for name in ("temperature", "seed", "stream_options", "stream")}
        names["system"] = r"(?i)\bsystem\W+(role|message|prompt|instruction)"  # rules go to the user's turn then
        refused = [name for name, called in names.items() if re.search(called, said) and name not in self._left_out]
        not_taken = (
            "unsupported|not support|unknown|unrecogni|unexpected|extra|not permitted|not allowed|invalid|only the default"
        )
        if not refused or not re.search(not_taken, said.lower()):
            return False
        self._left_out.update(refused)
        if "temperature" in refused:
            self._tell(f"{self.url} takes no temperature: the same request may get another reply.")
        return True

    def _body(self, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
        if "system" in self._left_out:
            messages = _without_system(messages)
        turns = [_turn(message) for message in messages]
        greedy = {name: 0 for name in ("temperature", "seed") if name not in self._left_out}
        return {"model": self.name, "messages": turns, self._limit: max_tokens + self._thinking_tokens, **greedy} | dict(
            self.server.fields
        )

    def _events(self, body: dict[str, Any], deadline: Deadline) -> Iterator[dict[str, Any]]:
        """Yield the events of a reply, each of which the model that was asked for must have written.

        Raises:
            MissingComponent: another model did, or there is no answer.
            TimeoutError: the deadline passed.
        """
        for event in events(self.url, self._endpoint.answer("POST", "/chat/completions", body, deadline)):
            answered = event.get("model") if isinstance(event, dict) else None
            if isinstance(answered, str) and not self.served.is_called(answered):
                raise MissingComponent(
                    f"the model server at {self.url} was asked for {self.name!r}, and {answered[:200]!r} answered.",
                    "Does another server stand behind this URL, or a proxy that sends requests elsewhere? "
                    "What it lists is chosen with --model-name.",
                )
            yield event


def view_of(name: str) -> ImageView:
    """Return how a model of this name sees images and writes places: no server tells.

    A model of which nothing is known writes pixels of the image that it was sent.
    """
    plain = name.lower().replace("_", "-")
    views = {
        r"qwen-?2[.-]?5-?vl|qwen-?2[.-]?5-?omni": ImageView(),
        r"qwen-?3(\.\d)?-?(vl|omni)": ImageView(side_px=32, least_px=32 * 32 * 4, unit="thousandth"),
        r"qwen-?2-?vl|internvl|intern-?s1": ImageView(unit="thousandth"),
    }
    as_sent = ImageView(side_px=1, least_px=1, most_px=10**9)
    return next((view for pattern, view in views.items() if re.search(pattern, plain)), as_sent)


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """Return a conversation in which the user's first turn begins with what the system's said."""
    rules = [part for message in messages if message.role == "system" for part in message.parts]
    rest = [message for message in messages if message.role != "system"]
    return [Message(rest[0].role, (*rules, *rest[0].parts)), *rest[1:]] if rules and rest else list(messages)


def _turn(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, str):  # the server's tokenizer would take these for its own tokens
            parts.append({"type": "text", "text": part.replace("<|", "< |")})
        else:
            data = base64.b64encode(encode_png(part)).decode()
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
    if message.role == "user":
        return {"role": "user", "content": parts}
    return {"role": message.role, "content": "".join(p.get("text", "") for p in parts)}


def _token(step: dict[str, Any]) -> int:
    """Return the id in "token_id:17"; raises ValueError for a token told in another way."""
    word, _, number = str(step["token"]).partition(":")
    if word != "token_id":
        raise ValueError("no id")
    return int(number)
