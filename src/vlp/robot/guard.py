"""Looks at a request before anything parses it: token, size, time, depth, and JSON that means one thing only."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NoReturn

from vlp.robot.access import ROLES, Access, Grant, Role
from vlp.robot.audit import Audit
from vlp.robot.rates import Rates
from vlp.robot.wire import MAX_BODY_BYTES, Refusal, unique_names

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guard:
    """ASGI middleware that answers bad requests itself and hands on the checked body.

    Args:
        app: the application behind.
        access: who may ask what.
        audit: hears of every refusal, and of every request that changes something.
        open_paths: paths that need no token.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        access: Access,
        audit: Audit,
        open_paths: Iterable[str] = (),
    ) -> None:
        self._app, self._access, self._audit = app, access, audit
        self._open = frozenset(open_paths)
        self._told = Rates(1.0, burst_s=0.0)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"]
        said: dict[str, Any] = {"by": "", "method": method, "path": path[:200]}
        unread = True
        try:
            if grant := self._known(scope, headers):
                role = role_for(method, path)
                said["by"] = grant.name  # before its role is looked at: the log tells who was refused
                self._access.check_rate(grant.name, "lease" if path == "/lease" else role)
                grant.check(role)
                scope["by"], scope["roles"] = grant.name, [role for role in ROLES if grant.allows(role)]
            body = await _read(receive, headers.get(b"content-length", b"0"))
            unread = False
            if body and role_for(method, path) != "stop":  # a stop is never refused for what it says
                check_json(body, headers.get(b"content-type", b""))
        except Refusal as refusal:
            if refusal.code == "too-often":
                await self._hold_back(said)
            else:
                self._audit.note(**said, status=refusal.status, code=refusal.code)
            await _answer(send, refusal, unread)
            return

        async def noting(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and _worth_a_line(method, path, body, message["status"]):
                self._audit.note(**said, status=message["status"])
            await send(message)

        await self._app(scope, _replay(body, receive), noting)

    async def _hold_back(self, said: dict[str, Any]) -> None:
        """Let who asks too often wait a little, so that who asks again at once slows down; note it once a second."""
        if not self._told.wait_s(said["by"]):
            self._audit.note(**said, status=429, code="too-often")
        if self._held < 32:  # of the connections that there may be
            self._held += 1
            try:
                await asyncio.sleep(0.25 + 0.02 * self._held)  # one by one: else they come back together
            finally:
                self._held -= 1

    def _known(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Grant | None:
        """Return who asks, None where nobody needs to be known; raises Refusal, also for an address that asks so too often."""
        try:
            self._access.check_origin(headers)
            if scope["path"] not in self._open:
                return self._access.known(headers.get(b"authorization", b""))
        except Refusal:
            self._access.check_rate(_address(scope), "nobody")
            raise
        self._access.check_rate(_address(scope), "nobody")
        return None


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def role_for(method: str, path: str) -> Role:
    """Return the role that a request needs."""
    if method in ("GET", "HEAD"):
        return "observe"
    roles: dict[str, Role] = {"/stop": "stop", "/stop/reset": "reset"}
    return roles.get(path.rstrip("/"), "operate")


def _worth_a_line(method: str, path: str, body: bytes, status: int) -> bool:
    """Return whether a known token's request is logged: no look, nor one while a step runs (409), nor a beat of the heart."""
    looks = method in ("GET", "HEAD") or path == "/reachable"
    if status >= 400:
        return not (looks and status == 409)
    return not looks and not (path == "/lease" and b'"epoch"' in body)


def check_json(body: bytes, content_type: bytes) -> None:
    """Raise Refusal unless a body is JSON of bounded depth, without NaN, duplicate keys or half characters."""
    if content_type.split(b";")[0].strip().lower() != b"application/json":
        raise Refusal(415, "not-json", "the body must be application/json.", "Send 'Content-Type: application/json'.")
    try:
        text = body.decode("utf-8")
        if _depth(text) > 16:
            raise Refusal(400, "too-deep", "the body is nested deeper than 16.")
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=unique_names)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad-json", f"the body is not valid JSON: {str(error)[:200]}.") from None


def _depth(text: str) -> int:
    """Return how deep brackets nest, outside strings; linear, so that it can go before the parser."""
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


async def _read(receive: Receive, announced: bytes) -> bytes:
    too_large = Refusal(413, "too-large", f"the body is larger than {MAX_BODY_BYTES:,} bytes.")
    if not announced.isdigit() or len(announced) > 12 or int(announced) > MAX_BODY_BYTES:
        raise too_large
    chunks = bytearray()
    try:
        async with asyncio.timeout(0.8):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "disconnected", "the client went away.")
                chunks += message.get("body", b"")
                if len(chunks) > MAX_BODY_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(chunks)
    except TimeoutError:
        raise Refusal(408, "too-slow", "the body took longer than 0.8 s.") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, refusal: Refusal, unread: bool) -> None:
    body = json.dumps(refusal.to_json()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.retry_after_s:
        headers.append((b"retry-after", str(math.ceil(refusal.retry_after_s)).encode()))
    if unread:
        headers.append((b"connection", b"close"))  # what is left of the body is not read: it may have no end
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
