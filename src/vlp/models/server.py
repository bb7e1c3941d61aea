"""A model's server: how it is reached, what kind it is, and which of the models that it lists is asked."""

import ipaddress
import os
import queue
import re
import socket
import ssl
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import httpx

from vlp.core.errors import MissingComponent, UsageError, closest, lookup
from vlp.models.protocol import RequestRefused, ServedName
from vlp.models.served_reply import read_json

Piece = bytes | Exception | None


class Deadline:
    """A limit on time that can still be drawn closer.

    Args:
        timeout_s: from now on.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.at_s = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds left; a millisecond when it has passed."""
        return max(0.001, self.at_s - time.monotonic())

    def within(self, seconds: float) -> None:
        """Draw it closer, to so many seconds from now."""
        self.at_s = min(self.at_s, time.monotonic() + seconds)


class Endpoint:
    """A server's base URL, and the client that asks it.

    Args:
        url: the base, e.g. "http://127.0.0.1:8000/v1".
        key: bearer token; None for none.

    Raises:
        UsageError: not such a URL, a key that no header can hold, or variables of the environment that make no sense.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url, self.key = checked_url(url), checked_key(key)
        parts = urlsplit(self.url)
        # A compressed answer could be a thousand times larger than what was counted.
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        try:
            self._client = httpx.Client(
                headers=headers,
                trust_env=not on_loopback(parts.hostname or ""),  # a proxy would ask itself for what is on this machine
                follow_redirects=False,
                verify=_certificates() if parts.scheme == "https" else False,  # without TLS there is nothing to verify
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise UsageError(
                f"the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {str(error)[:120].rstrip('.')}.",
                "Mend the variable, or name the server in NO_PROXY.",
            ) from None

    def answer(self, method: str, path: str, body: dict[str, Any] | None, deadline: Deadline) -> Iterator[bytes]:
        """Yield the pieces of an answer, bounded in size and, whatever the server does, in time.

        The connection is read by a thread of its own: a server that sends a byte now and then would outlast every
        time limit on single reads.

        Raises:
            MissingComponent: there is no such answer, by its cause (see `vlp.models.server_errors`).
            TimeoutError: the deadline passed.
        """
        pieces: queue.Queue[Piece] = queue.Queue(maxsize=64)
        gone = threading.Event()
        reader = threading.Thread(target=self._read, args=(method, path, body, deadline.left_s, pieces, gone), daemon=True)
        reader.start()
        size, most_bytes = 0, 8 * 1024 * 1024
        try:
            while True:
                piece = pieces.get(timeout=deadline.left_s)
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    from vlp.models.server_errors import broken

                    raise broken(self.url, piece, started=size > 0)
                size += len(piece)
                if size > most_bytes:
                    raise MissingComponent(f"the model server at {self.url} sent more than {most_bytes:,} bytes.")
                yield piece
        except queue.Empty:
            raise TimeoutError from None
        finally:
            gone.set()

    def late(self, deadline: Deadline) -> MissingComponent:
        """Return the error for an answer that did not come in time."""
        return MissingComponent(
            f"the model server at {self.url} did not finish within {deadline.timeout_s:.1f} s.",
            "Is it overloaded? Raise the time limit or restart it.",
        )

    def _read(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        timeout_s: float,
        pieces: "queue.Queue[Piece]",
        gone: threading.Event,
    ) -> None:
        def put(piece: Piece) -> None:
            while not gone.is_set():
                try:
                    return pieces.put(piece, timeout=0.5)
                except queue.Full:
                    continue

        limits = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s))
        try:
            with self._client.stream(method, self.url + path, json=body, timeout=limits) as response:
                if not 200 <= response.status_code < 300:
                    from vlp.models.server_errors import refusal

                    put(refusal(self.url + path, response.status_code, response.headers, _beginning(response), self.key))
                    return
                packed = response.headers.get("content-encoding", "identity")
                if packed != "identity":
                    put(MissingComponent(f"the model server at {self.url} sends {packed[:40]!r}, and plain was asked for."))
                    return
                for chunk in response.iter_raw():
                    put(chunk)
                    if gone.is_set():
                        return
            put(None)
        except Exception as error:  # handed to the caller's thread, which names it
            put(error)


def checked_url(url: str) -> str:
    """Return the base of a URL, without what people paste behind it.

    Raises:
        UsageError: it is not the URL of a server.
    """
    most_chars = 2000
    parts = urlsplit(url[:most_chars])
    try:
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.username or parts.query or len(url) > most_chars or not url.isprintable() or " " in url:
        raise UsageError(f"{url[:200]!r} is not the URL of a model server.", "Expected e.g. http://127.0.0.1:8000/v1.")
    base = url.rstrip("/")
    for end in ("/chat/completions", "/completions", "/models"):
        base = base.removesuffix(end)
    return base.rstrip("/")


def checked_key(key: str | None) -> str | None:
    """Return a key as a header can hold it, None for an empty one; it is never shown.

    Raises:
        UsageError: a character that no key has.
    """
    bare = (key or "").strip()
    for place, letter in enumerate(bare):
        if not "!" <= letter <= "~":
            raise UsageError(
                f"the key in VLP_MODEL_KEY has {letter!r} at place {place + 1}; keys are printable ASCII without spaces.",
                "Copy it again.",
            )
    return bare or None


def on_loopback(host: str) -> bool:
    """Return whether a host is this machine: 127.0.0.0/8 in any spelling, ::1, "localhost", or an address that means all."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # "127.1"
        except OSError:
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def _certificates() -> ssl.SSLContext:
    """Return who is trusted: SSL_CERT_FILE or SSL_CERT_DIR where one is set, on loopback too, else the usual authorities."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    except OSError as error:  # an SSLError is one, too
        name, path = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
        why = error.strerror or str(error)
        raise UsageError(f"{name} names {str(path)[:200]!r}, which cannot be read as certificates: {why}.") from None


def _beginning(response: httpx.Response) -> bytes:
    """Return the first bytes of an answer that says why there is none."""
    data, most_bytes = b"", 4096
    try:
        for chunk in response.iter_raw():
            data += chunk
            if len(data) >= most_bytes:
                break
    except httpx.HTTPError:
        pass  # the status is known; a reason that breaks off is told as far as it came
    return data[:most_bytes]


@dataclass(frozen=True)
class ServerKind:
    """One kind of server.

    Args:
        owners: what it gives as `owned_by` in its list of models, by which it is told from others.
        fields: what is added to each request.
        sight: path beside /v1 that tells whether a model sees images; "" where the list of models tells, or nothing does.
        asked: from the model's name to the body with which that path is asked; None asks without one (GET).
        sees: from that answer and the model's name to whether it sees images; None when it does not say.
        note: what a person who runs it should know; "" for nothing.
    """

    owners: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    sight: str = ""
    asked: Callable[[str], dict[str, Any]] | None = None
    sees: Callable[[Any, str], bool | None] = lambda told, name: None
    note: str = ""

    def sees_images(self, base: str, key: str | None, name: str, deadline: Deadline) -> bool:
        """Return whether a model sees images, as the server tells; True where it tells nothing.

        Args:
            base: the URL of its API, with or without /v1 behind it.
            key: bearer token; None for none.
            name: of the model.
            deadline: limit on time.
        """
        if not self.sight:
            return True
        endpoint = Endpoint(base.removesuffix("/v1"), key)
        body = self.asked(name) if self.asked else None
        try:
            told = read_json(endpoint.url, b"".join(endpoint.answer("POST" if body else "GET", self.sight, body, deadline)))
        except (MissingComponent, RequestRefused, TimeoutError):
            return True  # an older version, or a proxy that lets only /v1 through
        return self.sees(told, name) is not False


def _modalities(told: Any, name: str) -> bool | None:
    found = told.get("modalities") if isinstance(told, dict) else None
    return bool(found.get("vision")) if isinstance(found, dict) and "vision" in found else None


def _capabilities(told: Any, name: str) -> bool | None:
    found = told.get("capabilities") if isinstance(told, dict) else None
    return "vision" in found if isinstance(found, list) and found else None


def _listed_type(told: Any, name: str) -> bool | None:
    listed = told.get("data") if isinstance(told, dict) else None
    types = [each.get("type") for each in listed or () if isinstance(each, dict) and each.get("id") == name]
    return types[0] == "vlm" if types and isinstance(types[0], str) else None


SERVERS: dict[str, ServerKind] = {
    "vllm": ServerKind(("vllm",)),
    "llama.cpp": ServerKind(
        ("llamacpp",), {"cache_prompt": True}, "/props", sees=_modalities,
        note="Images need the model's projector: `llama-server --mmproj`.",
    ),
    "ollama": ServerKind(
        ("library",), {}, "/api/show", lambda name: {"model": name}, _capabilities,
        note="A prompt longer than its context is cut without a word: set OLLAMA_CONTEXT_LENGTH to 8192 or more.",
    ),
    "lmstudio": ServerKind(
        ("organization_owner", "organization-owner"), {}, "/api/v0/models", sees=_listed_type
    ),
    "openai": ServerKind(),
}  # fmt: skip
"""Kinds of server by name; the last row is any other. A row says how a server is asked; what it answers is checked whatever
the row says."""


def find_server(name: str, owner: str) -> ServerKind:
    """Return the kind of a server.

    Args:
        name: a row of `SERVERS`; "" goes by the owner.
        owner: what its list of models gives as `owned_by`.

    Raises:
        UsageError: no such row.
    """
    if name:
        return lookup(name, SERVERS, "kind of server")
    return next((kind for kind in SERVERS.values() if owner in kind.owners), SERVERS["openai"])


@dataclass(frozen=True)
class Listed:
    """One model of a server's list.

    Args:
        name: under which it is asked for.
        others: further names of the same model: the path it was loaded from, aliases.
        chats: whether it can chat about images, as far as its name and the list tell.
        owner: what the list gives as `owned_by`; "" for nothing.
    """

    name: str
    others: tuple[str, ...] = ()
    chats: bool = True
    owner: str = ""

    def is_called(self, name: str) -> bool:
        """Return whether a name means this model."""
        return any(same_model(each, name) for each in (self.name, *self.others))


def read_list(found: Any) -> list[Listed] | None:
    """Return the models in what a server answered, None when it is no list: OpenAI's shape, a bare list, or Ollama's."""
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    if not isinstance(found, list):
        return None
    listed = [each for entry in found[:2000] if (each := _entry(entry)) is not None]
    return list({each.name: each for each in reversed(listed)}.values())[::-1] if listed or not found else None


def choose(url: str, listed: Sequence[Listed], wanted: str = "") -> tuple[Listed, str]:
    """Return the model that is asked, and what a person should be told about the choice ("" for nothing).

    Args:
        url: of the server.
        listed: its models.
        wanted: the name that was given; "" for none.

    Raises:
        MissingComponent: no model.
        UsageError: none by that name, or several that could be meant.
    """
    if not listed:
        raise MissingComponent(f"{url} serves no model.", "Load one there.")
    if wanted:
        return _named(url, listed, wanted), ""
    marked = [each for each in listed if ServedName.read(each.name)]
    able = marked or [each for each in listed if each.chats]
    if len(listed) == 1:
        return listed[0], ""
    if len(able) == 1:
        return able[0], f"{url} lists {len(listed)} models; {able[0].name!r} is asked. Another is named with --model-name."
    what = f"{len(listed)} models" if able else f"{len(listed)} models, none of which seems to chat about images"
    raise UsageError(f"{url} serves {what}: {_names(able or listed)}.", "Name one with --model-name.")


def _named(url: str, listed: Sequence[Listed], wanted: str) -> Listed:
    exact = [each for each in listed if each.name == wanted]
    meant = exact or [each for each in listed if wanted in each.others] or [each for each in listed if each.is_called(wanted)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(f"several models at {url} could be {wanted[:200]!r}: {_names(meant)}.", "Name one with --model-name.")
    near = closest(wanted, [each.name for each in listed])
    hint = f"Did you mean {near!r}? " if near else ""
    raise UsageError(f"{url} serves no model {wanted[:200]!r}.", f"{hint}It serves {_names(listed)}.")


def _names(listed: Sequence[Listed]) -> str:
    shown = listed[:8]
    more = f" and {len(listed) - len(shown)} more" if len(listed) > len(shown) else ""
    return ", ".join(repr(each.name) for each in shown) + more


def _entry(entry: Any) -> Listed | None:
    if isinstance(entry, str):
        entry = {"id": entry}
    if not isinstance(entry, dict):
        return None
    name = next((entry[key] for key in ("id", "name", "model") if isinstance(entry.get(key), str) and entry[key].strip()), None)
    if name is None:
        return None
    aliases = entry.get("aliases") if isinstance(entry.get("aliases"), list) else []
    others = [entry.get("root"), entry.get("canonical_slug"), entry.get("model"), entry.get("name"), *(aliases or [])[:20]]
    known = tuple(dict.fromkeys(each[:200] for each in others if isinstance(each, str) and each and each != name))
    return Listed(name[:200], known, _chats(name, entry), str(entry.get("owned_by", ""))[:200])


def _chats(name: str, entry: dict[str, Any]) -> bool:
    """Return whether a model can chat about images: what the list tells counts before what the name suggests."""
    told = entry.get("architecture") if isinstance(entry.get("architecture"), dict) else entry
    assert isinstance(told, dict)
    takes, gives = told.get("input_modalities"), told.get("output_modalities")
    if isinstance(takes, list) and takes:
        return "image" in takes and (not isinstance(gives, list) or "text" in gives)
    able = entry.get("capabilities")
    if isinstance(able, dict) and "vision" in able:
        return bool(able["vision"]) and able.get("completion_chat", True) is not False
    if isinstance(able, list) and able and all(isinstance(each, str) for each in able):
        return bool({"vision", "multimodal", "image"} & set(able))
    if str(entry.get("type", "")).lower() in _other_kinds()["types"]:
        return False
    return not set(_other_kinds()["names"]) & set(re.split(r"[^a-z0-9]+", name.lower()))


@cache
def _other_kinds() -> dict[str, list[str]]:
    """Return how models that do not chat are called (see `other_kinds.toml`)."""
    return tomllib.loads(files("vlp.models").joinpath("other_kinds.toml").read_text())


def same_model(asked: str, answered: str) -> bool:
    """Return whether two names mean the same model.

    An alias and its dated version do ("gpt-x", "gpt-x-2025-01-01"), and a short name and its path; two different dates do not.
    A name of nothing but white space is no other model.
    """
    a, b = _bare(asked), _bare(answered)
    return not b or a == b or _unversioned(a) == b or a == _unversioned(b)


def _bare(name: str) -> str:
    """Return a name without its folders, its owner and what says nothing."""
    bare = name.strip().lower().replace("\\", "/").rstrip("/")
    # A folder of the Hugging Face cache: models--ORG--NAME/snapshots/HASH.
    cached = re.search(r"models--(?:[^/]*--)?(?P<name>[^/]+?)(?:/snapshots/.*)?$", bare)
    bare = cached["name"] if cached else bare.rsplit("/", 1)[-1]
    while (shorter := re.sub(r"([-:]latest|:free|:nitro|\.(gguf|safetensors|bin))$", "", bare)) != bare:
        bare = shorter
    return bare


def _unversioned(bare: str) -> str:
    """Return a name without ends that say which version or precision it is: a date, a number, a kind of quantisation."""
    version = r"[-_@.](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3})"
    precision = r"[-_.](iq\d\w*|q\d(_\w+)?|bf16|fp?16|fp?32|fp8|awq|gptq)"
    while (shorter := re.sub(rf"({version}|{precision})$", "", bare)) not in (bare, ""):
        bare = shorter
    return bare
