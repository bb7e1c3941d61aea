"""What went wrong with a model server, told by its cause: connections, certificates, HTTP statuses, what it says itself."""

import email.utils
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.protocol import Busy, ModelUnreachable, NotConnected, RequestRefused

BUSY = {429: "limits requests", 503: "is not ready", 529: "is overloaded", 408: "did not get the request in time"}
"""HTTP statuses of a server that may answer later."""


def refusal(url: str, status: int, headers: Mapping[str, str], data: bytes, key: str | None) -> Exception:
    """Return the error for an HTTP status that is none of success.

    Args:
        url: that was asked.
        status: of the answer.
        headers: of the answer.
        data: the beginning of its body.
        key: that was shown; it is not repeated, even where the server does.
    """
    said = complaint(data)
    if key:
        said = said.replace(key, "***")
    told = f"HTTP {status}: {said!r}" if said else f"HTTP {status}"
    server = f"the model server at {url}"
    if 300 <= status < 400:
        to = headers.get("location", "nowhere")[:200]
        return MissingComponent(
            f"{server} redirects to {to!r} (HTTP {status}), which is not followed.", "If you trust that URL, give its base."
        )
    if status in (401, 403):
        if key is None:
            return MissingComponent(
                f"{server} wants a key, and none was given ({told}).", "Set the server's key in VLP_MODEL_KEY."
            )
        return MissingComponent(f"{server} refuses the key in VLP_MODEL_KEY ({told}).", "Is it the right one?")
    if status == 407:
        return MissingComponent(f"the proxy on the way to {url} wants a key ({told}).", "Look at HTTP_PROXY and NO_PROXY.")
    if any(word in said.lower() for word in ("insufficient_quota", "quota_exceeded", "billing")):  # waiting mends none of it
        return MissingComponent(f"{server} will answer no more: {told}.", "Look at the account that the key belongs to.")
    if status in BUSY:
        hint = "Try again later." if status != 503 else "Wait until its model is loaded, and try again."
        return Busy(f"{server} {BUSY[status]} ({told}).", hint, retry_after_s(headers.get("retry-after", "")))
    if status in (502, 504):
        return ModelUnreachable(f"the model server behind {url} does not answer its gateway ({told}).", "Is it running?")
    if status in (404, 405):
        hint = "Is it the right URL? The base of an OpenAI-compatible server usually ends in /v1."
        return RequestRefused(f"{server} answered {told}.", hint, said, status)
    return RequestRefused(f"{server} answered {told}.", _hint(said), said, status)


def broken(url: str, error: Exception, started: bool) -> Exception:
    """Return the error for a connection that failed.

    Args:
        url: of the server.
        error: of the client.
        started: whether a part of the answer had come.
    """
    if isinstance(error, MissingComponent | UsageError):
        return error
    server = f"the model server at {url}"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(server, cause)
        if isinstance(cause, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(cause):
            return MissingComponent(f"{server} does not speak TLS.", "Does its URL begin with http:// instead of https://?")
    why = " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
    if "Receive buffer too long" in why:  # what h11 says of a line or header that has no end
        return MissingComponent(f"{server} sends headers without end.", "Is it a model server?")
    if isinstance(error, httpx.ProxyError):
        return MissingComponent(f"the proxy on the way to {url} refuses: {why}.", "Look at HTTP_PROXY and NO_PROXY.")
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in why and not started:
        return MissingComponent(f"{server} does not speak HTTP: {why}.", "Is it the right port, or does it want https://?")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.RemoteProtocolError | httpx.NetworkError):
        if started:
            return ModelUnreachable(f"{server} broke off in the middle of its answer.", "Is it running?")
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return NotConnected(f"{server} cannot be reached ({why}).", "Is it running?")
        hint = "Is it running?" if url.startswith("https:") else "Is it running, or does it want https://?"
        return ModelUnreachable(f"{server} hung up ({why}).", hint)
    if isinstance(error, httpx.TimeoutException):
        return MissingComponent(f"{server} does not answer.", "Is it overloaded?")
    return MissingComponent(f"{server} failed: {why}.")


def failure(url: str, told: Any, started: bool) -> Exception:
    """Return the error for an answer that holds an error instead of a reply, or behind the beginning of one."""
    said = _words(told) or str(told)[:200]
    code = told.get("code") if isinstance(told, dict) else None
    if code in BUSY and not started:
        return Busy(f"the model server at {url} {BUSY[code]} (it says {said!r}).", "Try again later.")
    hint = "Its own log may say more."
    if started:
        return ModelUnreachable(f"the model server at {url} broke off in the middle of its reply: {said!r}.", hint)
    return MissingComponent(f"the model server at {url} failed: {said!r}.", hint)


def complaint(data: bytes) -> str:
    """Return what the body of a refusal says, as one line: the message of a JSON error, the text of a web page."""
    text = data[:4096].decode("utf-8", "replace").strip()  # a megabyte of "<" would keep the expression busy for hours
    if text.startswith("<"):
        tags = r"<(script|style)\b.*?(</\1>|$)|<[^>]*>"
        return f"a web page, {' '.join(re.sub(tags, ' ', text, flags=re.DOTALL | re.IGNORECASE).split())[:80]}"
    try:
        return _words(json.loads(text))
    except (ValueError, RecursionError):
        return " ".join(text.split())[:200]


def retry_after_s(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as such or as a date; None when it says nothing."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(text)
            seconds = (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), 1e6) if seconds == seconds else None


def _words(found: Any) -> str:
    """Return the message in the shapes that servers give errors: OpenAI's, FastAPI's, and plain ones."""
    for key in ("error", "message", "detail", "msg", "error_description"):
        if isinstance(found, dict) and found.get(key):
            code = found.get("code")
            more = f" [{code}]" if key == "message" and isinstance(code, str) and code else ""
            return (_words(found[key]) + more)[:200]
    return " ".join((found if isinstance(found, str) else json.dumps(found)).split())[:200]


def _hint(said: str) -> str:
    """Return the next step for some refusals."""
    low = said.lower()
    if "image" in low or "vision" in low or "multimodal" in low:
        return "Does this model take images? Another of the server's is named with --model-name."
    if "support" in low and "chat" in low:
        return "Name a model that chats with --model-name."
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _untrusted(server: str, error: ssl.SSLCertVerificationError) -> MissingComponent:
    why = (error.verify_message or str(error)).rstrip(".")[:160]
    if ("self" in why and "signed" in why) or "unable to get local issuer" in why:
        hint = "Save its certificate, or that of who signed it, as PEM, and name the file in SSL_CERT_FILE."
    elif "expired" in why or "not yet valid" in why:
        hint = "Renew it, or look at this machine's clock."
    else:
        hint = "Give the URL by the name that the certificate is made for."
    return MissingComponent(f"the certificate of {server} is not trusted: {why}.", hint)
