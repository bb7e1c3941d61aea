"""A server's answer, piece by piece, to a reply: what is text in it, what is reasoning, and how it ended."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vlp.core.errors import MissingComponent
from vlp.models.protocol import NoReply
from vlp.models.server_errors import MAX_SAID, complaint, failure

MAX_TEXT = 256 * 1024
MAX_WHITE = 200
WHITE_HINT = "Serve the model with `vlp serve`, which asks vLLM for compact JSON."
SSE = (b"data:", b"event:", b"id:", b"retry:", b":")
DONE = b"[DONE]"
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

REASONING = ("reasoning_content", "reasoning", "thinking")
"""Fields in which servers put what a model thinks."""

ENDINGS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed", "done"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens"), "length"),
}
"""What servers call an end that leaves a reply."""

ODD_ENDINGS = {
    "content_filter": "the server's content filter cut the reply off",
    "tool_calls": "the model calls a tool instead of replying, and none was offered",
    "function_call": "the model calls a tool instead of replying, and none was offered",
    "abort": "the server gave the reply up",
    "error": "the reply broke off with an error",
}


def events(url: str, pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the events of an answer; one that came in one piece gives one.

    Args:
        url: of the server, for messages.
        pieces: of the answer.

    Raises:
        MissingComponent: it is not what an OpenAI-compatible server answers.
    """
    line, whole = bytearray(), False
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
            if data == DONE:
                return
            if data:
                yield read_json(url, data)
    rest = bytes(line).strip(BLANK)
    data = rest if whole else _data(url, rest)
    if data and data != DONE:
        yield read_json(url, data)


def read_json(url: str, data: bytes) -> Any:
    """Return what a server wrote as JSON: UTF-8, no key twice, finite numbers.

    Raises:
        MissingComponent: it is something else, by what it is.
    """
    if data.lstrip()[:1] == b"<":
        said = complaint(data)
        raise MissingComponent(f"the model server at {url} answered {said!r} instead of JSON.", "Is it the right URL?")
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_constant)
    except UnicodeDecodeError:
        why = "not UTF-8"
    except RecursionError:
        why = "nested too deep"
    except json.JSONDecodeError:
        why = "not JSON"
    except ValueError as error:
        why = str(error)[:80]
    raise MissingComponent(f"the model server at {url} answered garbage ({why}): {data[:60]!r}.")


class ReplyParts:
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
        self._odd = "content null"

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
            raise failure(self.url, event["error"], started=self._size > 0)
        if not isinstance(event, dict) or not isinstance(event.get("choices"), list):
            self._strange = self._strange or str(event)[:120]  # some servers send signs of life of their own
            return
        usage = event.get("usage")
        if isinstance(usage, dict):
            named = {"prompt": usage.get("prompt_tokens"), "reply": usage.get("completion_tokens")}
            self.tokens = {name: count for name, count in named.items() if type(count) is int}
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
            raise MissingComponent(f"{server} ended its answer before the reply was complete.", "Is it healthy?")
        if not self._closing:
            held, self._held = self._held, ""
            self._take(held)
        if self._refusal:
            raise NoReply(f"the model at {self.url} refuses to reply: {self._refusal[:MAX_SAID]!r}.", "Ask in other words.")
        ending = ENDINGS.get(self.finish.lower())
        if ending is None:
            why = ODD_ENDINGS.get(self.finish, "the reply ended in a way that is not known")
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
            raise failure(self.url, choice["error"], started=self._size > 0)
        if isinstance(choice.get("finish_reason"), str):
            self.finish = choice["finish_reason"]

    def _said(self, said: dict[str, Any]) -> None:
        if any(said.get(field) for field in REASONING):
            self.reasoned = True
        if isinstance(said.get("refusal"), str):
            self._refusal += said["refusal"][:MAX_SAID]
        if (said.get("tool_calls") or said.get("function_call")) and self._odd:
            self._odd = "a call of a tool, and none was offered"
        content = said.get("content")
        for part in content if isinstance(content, list) else [content]:
            self._part(part)

    def _part(self, part: Any) -> None:
        """Take in a piece of content: text, or an object that says what it is."""
        if isinstance(part, dict):
            kind = str(part.get("type", "text"))
            self.reasoned = self.reasoned or kind in ("thinking", "reasoning")
            if kind == "refusal":
                self._refusal += str(part.get("refusal", ""))[:MAX_SAID]
            if "text" not in kind:
                self._odd = self._odd and f"content of the type {kind[:40]!r}"
                return
            part = part.get("text")
        if isinstance(part, str):
            self._odd = ""
            self._size += len(part)
            if self._size > MAX_TEXT:
                raise MissingComponent(f"the model server at {self.url} wrote more than {MAX_TEXT:,} characters.")
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
        elif len(self._held) > MAX_WHITE:
            raise MissingComponent(f"the model server at {self.url} writes endless white space.", WHITE_HINT)

    def _take(self, text: str) -> None:
        self.text += text
        if len(self.text) > MAX_WHITE and not self.text[-MAX_WHITE:].strip():
            raise MissingComponent(f"the model server at {self.url} writes endless white space.", WHITE_HINT)
        if self._on_text and text:
            self._on_text(text)

    def _so_far(self) -> str:
        return f"; so far it reads {' '.join(self.text.split())[:80]!r}" if self.text.strip() else ""


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
    if line and not line.startswith(SSE):
        raise MissingComponent(f"the model server at {url} answered garbage (no event of a stream): {line[:60]!r}.")
    return line[5:].strip() if line.startswith(b"data:") else b""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)[:40]!r} twice in one object")
    return data


def _constant(word: str) -> float:
    raise ValueError(f"{word}, which JSON has not")
