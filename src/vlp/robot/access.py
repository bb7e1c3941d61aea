"""Who may ask what of a robot's server: tokens with roles, and the addresses that a request may name."""

import hashlib
import hmac
import ipaddress
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from vlp.core.errors import UsageError, did_you_mean
from vlp.robot.rates import Rates
from vlp.robot.wire import Refusal, check_server_token, unique_names

Role = Literal["observe", "operate", "stop", "reset"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Grant:
    """One token: what it allows, and until when.

    Args:
        name: who has it, for the audit log.
        sha256: of the token; the token itself is kept nowhere.
        roles: what it allows. Whoever may operate may observe and stop too; only "reset" opens the latch.
        expires_s: seconds since the epoch; None does not expire.
    """

    name: str
    sha256: bytes
    roles: frozenset[Role]
    expires_s: float | None = None

    @classmethod
    def of(cls, token: str, roles: Iterable[Role], name: str = "", expires_s: float | None = None) -> "Grant":
        """Return the grant for a token; raises UsageError for one that is too short or no header takes."""
        check_server_token(token)
        return cls(name or "+".join(sorted(roles)), _digest(token.encode()), frozenset(roles), expires_s)

    def allows(self, role: Role) -> bool:
        """Return whether it may be used so."""
        return role in self.roles or (role in ("observe", "stop") and "operate" in self.roles)

    def check(self, role: Role) -> None:
        """Raise Refusal 401 when it has expired, 403 when it may not be used so."""
        if self.expires_s is not None and time.time() >= self.expires_s:
            raise Refusal(401, "expired", "this token has expired.", "Ask for a new one where the robot is served.")
        if not self.allows(role):
            said = f"this token may {', '.join(sorted(self.roles))}, not {role}."
            raise Refusal(403, "wrong-role", said, f"Use a token with the role {role!r}.")


class Access:
    """Decides on a request by its headers alone, before anything of it is read.

    Args:
        grants: the tokens that open something.
        hosts: names that the Host header may have besides IP addresses. A web page that makes a name of its own point to this
            machine (DNS rebinding) sends that name.
        rate_hz: requests a second of one token in one role, and of one address without a token; those of 1 s at once.
    """

    def __init__(self, grants: Sequence[Grant], hosts: Iterable[str] = (), rate_hz: float = 50.0) -> None:
        self._grants = tuple(grants)
        self._rates = Rates(rate_hz)
        self._hosts = frozenset(("localhost", *(host.lower() for host in hosts)))

    @classmethod
    def of(cls, operate: str, reset: str, hosts: Iterable[str] = (), rate_hz: float = 50.0) -> "Access":
        """Return access by two tokens: one for who commands the robot, one for who stands beside it and opens the latch."""
        if operate == reset:
            return cls((Grant.of(operate, ("operate", "reset")),), hosts, rate_hz)
        return cls((Grant.of(operate, ("operate",)), Grant.of(reset, ("reset", "stop", "observe"))), hosts, rate_hz)

    def check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise Refusal for a request that a web page made, or that was sent to another name than this server's."""
        host = _host(headers.get(b"host", b"").decode("latin-1"))
        if host not in self._hosts and not _is_address(host):
            hint = f"Reach it by its IP address or as {', '.join(sorted(self._hosts))}, or serve it with --host-names."
            raise Refusal(403, "wrong-host", f"this server is not called {host[:100]!r}.", hint)
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") != b"none":
            raise Refusal(403, "from-a-page", "web pages may not command a robot.", "Send it from a program.")

    def known(self, authorization: bytes) -> Grant:
        """Return the grant of a bearer token, whatever it allows; raises Refusal 401."""
        scheme, _, token = authorization.partition(b" ")
        token = token.strip()
        digest = _digest(token)
        found = [grant for grant in self._grants if hmac.compare_digest(grant.sha256, digest)]  # all are compared: no timing
        if scheme.lower() != b"bearer" or not found or not token:
            raise Refusal(401, "unauthorized", "the token is missing or wrong.", "Send 'Authorization: Bearer TOKEN'.")
        return found[0]

    def check_rate(self, who: str, what: str) -> None:
        """Raise Refusal 429 for who asks too often for something: a role, or "lease"; a stop is never too often.

        Looks, steps, the lease and the latch have a bucket each, so that nothing delays the heartbeat of who moves the robot.
        """
        if what != "stop" and (wait_s := self._rates.wait_s(f"{what} {who}")):
            hint = f"Wait {wait_s:.2g} s; ask less often, or as another token."
            raise Refusal(429, "too-often", "too many requests a second.", hint, retry_after_s=wait_s)


def read_grants(path: Path) -> list[Grant]:
    """Return the grants of a file: a JSON list of {"token" or "sha256", "roles", "name", "expires"}.

    Args:
        path: the file; "expires" is an ISO date and time with its offset.

    Raises:
        UsageError: it cannot be read, others may read it, or an entry is wrong.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{str(path)!r} can be read by others.", f"chmod 600 {path}")
        entries = json.loads(path.read_text(encoding="utf-8")[:1_000_000], object_pairs_hook=unique_names)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"the tokens {str(path)!r} cannot be read: {error}.") from None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{str(path)!r} holds no list of tokens.", 'Expected [{"token": "...", "roles": ["observe"]}].')
    grants: list[Grant] = []
    for n, entry in enumerate(entries, 1):
        grant = _grant(entry, f"{path}, entry {n}")
        for m, other in enumerate(grants, 1):
            if other.sha256 == grant.sha256:
                raise UsageError(f"{path}: entries {m} and {n} are one token.", "Keep one, with all that it may do.")
            if other.name == grant.name:
                said = f"{path}: entries {m} and {n} are both called {grant.name!r}."
                raise UsageError(said, "Name each, so that the audit log tells them apart.")
        grants.append(grant)
    return grants


def _grant(entry: dict[str, object], where: str) -> Grant:
    known = ("name", "token", "sha256", "roles", "expires")
    for key in entry:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key[:50]!r}.", did_you_mean(key, known))
    roles = entry.get("roles")
    if not isinstance(roles, list) or not roles or not all(role in ROLES for role in roles):
        raise UsageError(f"{where}: roles are {roles!r}.", f"Expected some of {', '.join(ROLES)}.")
    expires_s = None
    if "expires" in entry:
        try:
            when = datetime.fromisoformat(str(entry["expires"]))
        except ValueError:
            when = None
        if when is None or when.tzinfo is None:
            raise UsageError(f"{where}: expires is {entry['expires']!r}.", "Expected e.g. 2027-01-31T18:00:00+01:00.")
        expires_s = when.timestamp()
    name = entry.get("name", where.rpartition(", ")[2])
    if not isinstance(name, str) or not 0 < len(name) <= 100 or not name.isprintable():
        raise UsageError(f"{where}: name is {repr(name)[:120]}.", "Expected up to 100 printable characters.")
    token, digest = entry.get("token"), entry.get("sha256")
    if isinstance(token, str) and digest is None:
        try:
            return Grant.of(token, roles, name, expires_s)
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}", "Write a longer one, printable and without spaces.") from None
    if token is None and isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest):
        if bytes.fromhex(digest) == _digest(b""):
            raise UsageError(f"{where}: sha256 is that of an empty token.", "Give that of the token itself.")
        return Grant(name, bytes.fromhex(digest), frozenset(roles), expires_s)
    raise UsageError(f"{where}: one of token and sha256 (64 hexadecimal digits) must be given.")


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _host(header: str) -> str:
    """Return the name of a Host header, without the port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
