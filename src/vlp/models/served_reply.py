"""A server's reply: what is text in its answer and what is thinking, how it ended, and the JSON in the text.

JSON is asked for in one of these shapes, strictest first:

schema    response_format with the schema as it is: the server's grammar holds the reply
wrapped   the same inside an object's property, in the part of JSON Schema that strict servers take
free      no response_format: the JSON is looked for in free text, and whoever asked checks it
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from vlp.core.errors import MissingComponent
from vlp.models.endpoint import Deadline, read_json, unique_keys
from vlp.models.protocol import ModelUnreachable, NoReply, Reply

Schema = dict[str, Any]
Shape = Literal["schema", "wrapped", "free"]
SHAPES: tuple[Shape, ...] = ("schema", "wrapped", "free")
"""See above; strictest first."""

BLANK = b"\xef\xbb\xbf \t\r\n"
"""White space, and the mark of byte order that some put first."""

THINKING = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
}
"""Marks that a model puts around what it thinks before it replies, where its server does not take it out."""


def events(url: str, pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the events of an answer; one that came in one piece gives one.

    Args:
        url: of the server, for messages.
        pieces: of the answer.

    Raises:
        MissingComponent: it is not what an OpenAI-compatible server answers.
        ModelUnreachable: a stream ended in the middle of an event.
    """
    line, whole, begun, done = bytearray(), False, False, b"[DONE]"
    for piece in pieces:
        for part in [piece] if whole else piece.splitlines(keepends=True):
            if not line.strip(BLANK):
                line.clear()
                whole = whole or part.lstrip(BLANK)[:1] in (b"{", b"[", b"<")
            line += part
            if whole or not part.endswith(b"\n"):
                continue
            data = _data(url, bytes(line))
            line.clear()
            if data == done:
                return
            if data:
                begun = True
                yield read_json(url, data)
    rest = bytes(line).strip(BLANK)
    try:
        data = rest if whole else _data(url, rest)
        last = read_json(url, data) if data and data != done else None
    except MissingComponent:
        if not whole and (begun or rest.startswith(b"data:")):
            raise ModelUnreachable(
                f"the model server at {url} broke off in the middle of an event.", "Is it running?"
            ) from None
        raise
    if last is not None:
        yield last


def read_reply(
    url: str, told: Iterable[Any], deadline: Deadline, on_text: Callable[[str], None] | None = None, last: bool = True
) -> Reply | None:
    """Return the reply that events tell.

    Args:
        url: of the server, for messages.
        told: the events, as `events` yields them.
        deadline: of the answer; it is drawn closer at the reply's end, behind which some servers send counts of tokens.
        on_text: told each piece of the reply, without what the model thinks before it.
        last: whether a reply is taken as far as it came where its tokens were used up by thinking; else it is None.

    Raises:
        MissingComponent: there is no reply in them.
        NoReply: the server says that this is no reply.
        TimeoutError: the deadline passed.
    """
    started, first_s = time.monotonic(), None
    parts = _ReplyParts(url, on_text)
    try:
        for event in told:
            parts.add(event)
            if time.monotonic() >= deadline.at_s:  # one piece may hold thousands of events
                raise TimeoutError
            if first_s is None and parts.text:
                first_s = time.monotonic() - started
            if parts.finish:
                deadline.within(1.0)
    except TimeoutError:
        if not parts.finish:
            raise
    if parts.used_up and not last:
        return None
    text = parts.whole()
    total = time.monotonic() - started
    first = first_s if first_s is not None else total
    return Reply(text, {"prefill": first, "decode": total - first, "total": total}, parts.tokens, parts.finish)


class _ReplyParts:
    """Gathers a reply from events and stops one that runs away.

    Args:
        url: of the server, for messages.
        on_text: told each piece of the reply, without what the model thinks before it.

    Attributes:
        text: the reply so far.
        finish: "stop" or "length" or whatever the server calls its end; "" while it goes on.
        tokens: counts that the server gave.
        reasoned: whether it wrote reasoning, which counts towards the limit on tokens.
    """

    def __init__(self, url: str, on_text: Callable[[str], None] | None = None) -> None:
        self.url, self.text, self.finish, self.tokens, self.reasoned = url, "", "", dict[str, int](), False
        self._on_text = on_text
        self._size = 0
        self._held = ""  # what may still turn out to be thinking
        self._closing: str | None = ""  # the mark that ends thinking; "" while it may begin, None when it cannot any more
        self._refusal = self._strange = ""
        self._odd = "no content"

    @property
    def used_up(self) -> bool:
        """Whether its tokens ran out while, or after, it thought."""
        return self.finish == "length" and (self.reasoned or not self.text.strip())

    def add(self, event: Any) -> None:
        """Take one event in.

        Raises:
            MissingComponent: it is none, tells of an error, or the reply runs away.
        """
        if isinstance(event, dict) and event.get("error"):
            raise self._failed(event["error"])
        if not isinstance(event, dict) or not isinstance(event.get("choices"), list):
            self._strange = self._strange or str(event)[:120]  # some servers send signs of life of their own
            return
        usage = event.get("usage")
        if isinstance(usage, dict):
            named = {"prompt": usage.get("prompt_tokens"), "reply": usage.get("completion_tokens")}
            self.tokens = {name: count for name, count in named.items() if type(count) is int and 0 <= count < 10**9}
            details = usage.get("completion_tokens_details")
            self.reasoned = self.reasoned or bool(isinstance(details, dict) and details.get("reasoning_tokens"))
        for choice in event["choices"][:1]:
            if isinstance(choice, dict):
                self._choice(choice)

    def whole(self) -> str:
        """Return the reply.

        Raises:
            MissingComponent: the server ended without one.
            NoReply: it ended, and says that this is no reply.
        """
        server = f"the model server at {self.url}"
        if not self.finish and self._strange and not self._size:
            raise MissingComponent(f"{server} answered {self._strange!r} instead of a reply.", "Is it the right URL?")
        if not self.finish:
            raise ModelUnreachable(f"{server} ended its answer before the reply was complete.", "Is it healthy?")
        if not self._closing:
            held, self._held = self._held, ""
            self._take(held)
        if self._refusal:
            raise NoReply(f"the model at {self.url} refuses to reply: {self._refusal[:200]!r}.", "Ask in other words.")
        ending = _ending(self.finish)
        if ending is None:
            uncalled = "the model calls a tool instead of replying, and none was offered"
            odd_endings = {
                "content_filter": "the server's content filter cut the reply off",
                "tool_calls": uncalled,
                "function_call": uncalled,
                "abort": "the server gave the reply up",
                "error": "the reply broke off with an error",
            }
            why = odd_endings.get(self.finish, "the reply ended in a way that is not known")
            raise NoReply(f"{why} (finish_reason {self.finish[:40]!r}, {server}){self._so_far()}.")
        self.finish = ending
        if not self.text.strip() and (self.reasoned or ending == "length"):
            wrote = "only reasoning" if self.reasoned else "nothing"
            how = f"its tokens were used up (finish_reason {ending!r})" if ending == "length" else "ended"
            hint = "Let it think less, or look at the server's reasoning parser: the reply may be taken for reasoning."
            raise NoReply(f"the model at {self.url} wrote {wrote}, and {how} before it replied.", hint)
        if self._odd:
            why = f"{self._odd}, finish_reason {self.finish!r}"
            raise NoReply(f"{server} gave an empty reply ({why}).", "Its own log may say more.")
        return _behind_thinking(self.text)

    def _choice(self, choice: dict[str, Any]) -> None:
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, dict):
            self._said(said)
        if choice.get("error"):
            raise self._failed(choice["error"])
        if isinstance(choice.get("finish_reason"), str):
            self.finish = choice["finish_reason"]

    def _said(self, said: dict[str, Any]) -> None:
        if any(said.get(field) for field in ("reasoning_content", "reasoning", "thinking")):
            self.reasoned = True
        if isinstance(said.get("refusal"), str):
            self._refusal += said["refusal"][:200]
        if (said.get("tool_calls") or said.get("function_call")) and self._odd:
            self._odd = "a call of a tool, and none was offered"
        content = said.get("content")
        if "content" in said and content is None and self._odd == "no content":
            self._odd = "content null"
        for part in content if isinstance(content, list) else [content]:
            self._part(part)

    def _part(self, part: Any) -> None:
        """Take in a piece of content: text, or an object that says what it is."""
        if isinstance(part, dict):
            kind = str(part.get("type", "text"))
            self.reasoned = self.reasoned or kind in ("thinking", "reasoning")
            if kind == "refusal":
                self._refusal += str(part.get("refusal", ""))[:200]
            if "text" not in kind:
                self._odd = self._odd and f"content of the type {kind[:40]!r}"
                return
            part = part.get("text")
        if isinstance(part, str):
            self._odd = ""
            part = part.encode("utf-8", "replace").decode()  # JSON can spell halves of characters, which no file can hold
            self._size += len(part)
            if self._size > (most_chars := 256 * 1024):
                raise MissingComponent(f"the model server at {self.url} wrote more than {most_chars:,} characters.")
            self._sift(part)
        elif part is not None:
            self._odd = self._odd and f"content is a {type(part).__name__}"

    def _sift(self, text: str) -> None:
        """Tell thinking at the beginning from the reply behind it."""
        if self._closing is None:
            return self._take(text)
        self._held += text
        if not self._closing:
            begun = self._held.lstrip()
            self._closing = next((end for mark, end in THINKING.items() if begun.startswith(mark)), "")
            if not self._closing and not any(mark.startswith(begun) for mark in THINKING):
                self._closing = None
        if self._closing:
            self.reasoned = True
            _, closed, behind = self._held.partition(self._closing)
            if not closed:
                return
            self._closing, self._held = None, behind.lstrip()
        if self._closing is None:
            held, self._held = self._held, ""
            self._take(held)
        elif len(self._held) > 200:
            raise self._endless_white()

    def _take(self, text: str) -> None:
        self.text += text
        if len(self.text) > 200 and not self.text[-200:].strip():
            raise self._endless_white()
        if self._on_text and text:
            self._on_text(text)

    def _endless_white(self) -> MissingComponent:
        hint = "Serve the model with `vlp serve`, which asks vLLM for compact JSON."
        return MissingComponent(f"the model server at {self.url} writes endless white space.", hint)

    def _failed(self, told: Any) -> Exception:
        from vlp.models.server_errors import failure

        return failure(self.url, told, started=self._size > 0)

    def _so_far(self) -> str:
        return f"; so far it reads {' '.join(self.text.split())[:80]!r}" if self.text.strip() else ""


def _ending(finish: str) -> str | None:
    """Return "stop" or "length" for an end that leaves a reply, by what servers call it; None for any other."""
    match finish.lower():
        case "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "completed" | "done":
            return "stop"
        case "length" | "max_tokens" | "model_length" | "max_output_tokens":
            return "length"
    return None


def _behind_thinking(text: str) -> str:
    """Return a reply without thinking whose opening mark the prompt had written already."""
    for end in THINKING.values():
        before, mark, behind = text.rpartition(end)
        if mark and not before.lstrip().startswith(("{", "[")):
            return behind.lstrip()
    return text


def _data(url: str, line: bytes) -> bytes:
    """Return the data of a line of a stream of events, b"" for a line without."""
    line = line.strip(BLANK)
    if line and not line.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        raise MissingComponent(f"the model server at {url} answered garbage (no event of a stream): {line[:60]!r}.")
    return line[5:].strip() if line.startswith(b"data:") else b""


def shape_fields(shape: Shape, schema: Schema) -> dict[str, Any]:
    """Return what a request says so that its reply comes in a shape."""
    match shape:
        case "schema":
            return _format(schema)
        case "wrapped":
            return _format(_wrapped(schema))
        case "free":
            return {}


def read_shape(shape: Shape, text: str, schema: Schema) -> str:
    """Return the JSON in what was written when a shape was asked for; a text without any comes back as it is."""
    return _unwrap(text, schema) if shape == "wrapped" else json_in(text, schema)


def json_in(text: str, schema: Schema) -> str:
    """Return the JSON in a text: all of it where it is JSON, else the one value of a kind that the schema admits.

    Of several lists, the longest. Of several objects that are not the same, none: which one the model means is its to say, and
    the text comes back as it is.
    """
    if _parsed(text, nothing := object()) is not nothing:
        return text
    kinds, found, before = _kinds(schema), "", nothing
    decoder, at = json.JSONDecoder(), 0
    for _ in range(200):  # brackets tried as the beginning of the JSON
        at = min((place for place in (text.find("{", at), text.find("[", at)) if place >= 0), default=-1)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, kinds) and _entries_fit(value, schema):
            if isinstance(value, dict) and _meant(value, schema):
                if before not in (nothing, value):
                    return text
                before = value
            if end - at > len(found):
                found = text[at:end]
        at = end
    return found or text


def _meant(value: dict[str, Any], schema: Schema) -> bool:
    """Return whether an object could be what a schema describes: it has all that some way of writing it requires."""
    ways = [set(way.get("required", ())) for way in (schema, *schema.get("anyOf", ()))]
    return any(way and way <= value.keys() for way in ways)


def _entries_fit(value: Any, schema: Schema) -> bool:
    """Return whether a list could be one of the schema's: numbers out of a list of objects that was cut off are none."""
    return not isinstance(value, list) or schema.get("items", {}).get("type") != "object" or all(type(v) is dict for v in value)


def strict(schema: Schema) -> Schema:
    """Return a schema in the part of JSON Schema that strict servers take; it admits all that the schema does, and more.

    A property that may be left out may be null instead, as every property must be required.
    """
    if "properties" in schema:
        needed = schema.get("required", ())
        properties = {
            name: strict(each) if name in needed else {"anyOf": [strict(each), {"type": "null"}]}
            for name, each in schema["properties"].items()
        }
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    # What other keywords say is checked by whoever asked.
    taken = ("type", "description", "enum", "anyOf", "items", "minimum", "maximum", "minItems", "maxItems", "$ref")
    kept = {key: value for key, value in schema.items() if key in taken}
    if "const" in schema:
        kept["enum"] = [schema["const"]]
    if "enum" in kept:
        kept = _enumeration(kept)
    if "anyOf" in kept:
        kept["anyOf"] = [strict(each) for each in kept["anyOf"]]
    first, items = schema.get("prefixItems", []), schema.get("items")
    every = [strict(each) for each in (*first, *([items] if isinstance(items, dict) else []))]
    if every:
        kept["items"] = every[0] if len(every) == 1 else {"anyOf": every}
    return kept


def _wrapped(schema: Schema) -> Schema:
    definitions = {name: strict(each) for name, each in schema.get("$defs", {}).items() if isinstance(each, dict)}
    inside = strict({key: value for key, value in schema.items() if key != "$defs"})
    whole = {"type": "object", "properties": {"reply": inside}, "required": ["reply"], "additionalProperties": False}
    return {**whole, **({"$defs": definitions} if definitions else {})}


def _format(schema: Schema) -> dict[str, Any]:
    told = {"name": "reply", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": told}}


def _unwrap(text: str, schema: Schema) -> str:
    """Return what stands in the wrapper, without the nulls; a text without a wrapper as `json_in` finds it."""
    found = json_in(text, {"type": "object", "required": ["reply"]})
    data = _parsed(found)
    if not isinstance(data, dict) or list(data) != ["reply"]:
        return json_in(text, schema)
    return json.dumps(_without_nulls(data["reply"]), separators=(",", ":"), ensure_ascii=False)


def _enumeration(kept: Schema) -> Schema:
    values = kept["enum"]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers and len(values) > 20:  # told by its bounds: strict servers count every value of a list
        rest = {key: value for key, value in kept.items() if key != "enum"}
        return {**rest, "type": "number", "minimum": min(values), "maximum": max(values)}
    kind = "number" if numbers else "string" if all(isinstance(value, str) for value in values) else None
    return {**({"type": kind} if kind else {}), **kept}


def _kinds(schema: Schema) -> tuple[type, ...]:
    """Return the kinds of value that a schema admits at its root."""
    named = {each.get("type", "object" if "properties" in each else "") for each in (schema, *schema.get("anyOf", ()))}
    return tuple({"object": dict, "array": list}[name] for name in ("object", "array") if name in named) or (dict, list)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _parsed(text: str, other: Any = None) -> Any:
    """Return the value of JSON without a key twice, `other` for any other text."""
    try:
        return json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError):
        return other
