"""The connection to a robot's server: requests with a token, and a lease kept alive from a thread."""

import contextlib
import json
import math
import threading
import time
from typing import Any, NoReturn

import httpx
from pydantic import ValidationError

from vlp.core.errors import UsageError
from vlp.robot.wire import HealthBody, LeaseBody


def check_token(token: str) -> None:
    """Raise UsageError for a token that no server can have: none at all, or one with a character that no header takes."""
    if not token:
        raise UsageError(
            "no token for the robot's server was given.", "Set VLP_ROBOT_TOKEN to what the server printed when it started."
        )
    odd = next((place for place, letter in enumerate(token, 1) if not "!" <= letter <= "~"), 0)
    if odd:
        raise UsageError(
            f"the robot's token has {token[odd - 1]!r} at place {odd}; tokens are printable ASCII without spaces.",
            "The server prints it when it starts.",
        )


def check_server_token(token: str) -> None:
    """Raise UsageError for a token that a server may not have: as `check_token`, or one that could be guessed."""
    if len(token) < 8:
        said = f"a robot's token needs 8 characters or more; this one has {len(token)}."
        raise UsageError(said, "Leave it out (VLP_ROBOT_TOKEN) to get a new one.")
    check_token(token)


class RobotUnreachable(Exception):
    """No usable answer came.

    Args:
        message: what went wrong.
        sent: whether the request may have arrived.
    """

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class RobotRefused(Exception):
    """The server answered with an error.

    Args:
        status: HTTP status.
        code, message, hint: from the body; code "http-error" when it has none.
    """

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.hint = status, code, message, hint


class Http:
    """Connections to one server, with the token in every request.

    Args:
        url: the server's address.
        token: bearer token.
        timeout_s: limit for connecting, and for each wait on the answer.
    """

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,  # a robot is not reached through a proxy from the environment
        )

    def call(self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None) -> Any:
        """Return the parsed JSON of a 2xx answer.

        Raises:
            RobotUnreachable: no connection, no answer in time, or an answer that is too large or not JSON.
            RobotRefused: any other status.
        """
        try:
            with self._client.stream(method, path, json=body, params=params) as response:
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > 48 * 1024 * 1024:
                        raise RobotUnreachable("its answer is too large", sent=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise RobotUnreachable(_words(error), sent=False) from None
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
            raise RobotUnreachable(_words(error), sent=True) from None
        except (TypeError, ValueError, RecursionError) as error:  # the body itself is not JSON
            raise RobotRefused(422, "bad-json", f"the step is not plain JSON: {_words(error)}", "") from None
        value = _parse(bytes(data))
        if response.is_success:
            return value
        raise _refused(response.status_code, value)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _parse(data: bytes) -> Any:
    if not data:
        return None
    try:
        return json.loads(data, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise RobotUnreachable("its answer is not JSON", sent=True) from None


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _refused(status: int, value: Any) -> RobotRefused:
    fault = value.get("error") if isinstance(value, dict) else None
    fault = fault if isinstance(fault, dict) else {}
    message = str(fault.get("message", f"HTTP status {status}"))[:500]
    return RobotRefused(status, str(fault.get("code", "http-error"))[:50], message, str(fault.get("hint", ""))[:500])


def _words(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]


class Heartbeat:
    """One lease, kept alive at a third of its time to live, and of the silence after which a moving robot stops.

    Args:
        http: connections of its own, so that a slow answer to a step does not delay a beat.
        holder: the name under which the robot is held.
        ttl_s: silence after which the lease ends.
    """

    def __init__(self, http: Http, holder: str, ttl_s: float) -> None:
        self._http, self._holder, self._ttl_s = http, holder, ttl_s
        self._lock = threading.Lock()
        self._epoch: int | None = None
        self._gone = False
        self._silence_s = math.inf
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def epoch(self) -> int:
        """Return the epoch of the lease, acquiring one when there is none.

        The lease of a client that died runs out by itself; that is waited for.

        Raises:
            RobotRefused: somebody else holds the robot; or, once, the lease was lost since the last call: what is known of
                the robot may be out of date.
            RobotUnreachable: nobody answers.
        """
        with self._lock:
            if self._gone:
                self._gone = False
                raise RobotRefused(409, "no-lease", "the lease was lost between two steps.", "Look again before the next step.")
            if self._epoch is None:
                self._epoch = self._acquired()
                self._silence_s = self._health().silence_s or math.inf
                self._end = threading.Event()
                self._thread = threading.Thread(target=self._beat, args=(self._end,), name="lease", daemon=True)
                self._thread.start()
            return self._epoch

    def lost(self) -> None:
        """Forget the lease; the next `epoch` acquires a new one."""
        self.end()

    def end(self) -> None:
        """Stop renewing; the lease runs out by itself."""
        self._end.set()
        self._epoch = None

    def close(self) -> None:
        """Stop renewing and give the lease back."""
        epoch = self._epoch
        self.end()
        if epoch is not None:
            with contextlib.suppress(RobotRefused, RobotUnreachable):  # else it runs out by itself
                self._http.call("POST", "/lease/release", {"holder": self._holder, "epoch": epoch})
        self._http.close()

    def _acquired(self) -> int:
        left_s, end_s = self._ttl_s, time.monotonic() + self._ttl_s + 1.0
        while True:
            try:
                return self._post(None)
            except RobotRefused as refused:
                other_s = self._other_lease_s() if refused.code == "lease-held" else math.inf
                if other_s > left_s or time.monotonic() > end_s:  # a lease that grows is renewed: its holder lives
                    raise
            left_s = other_s
            time.sleep(0.25)

    def _other_lease_s(self) -> float:
        """Return how long somebody else's lease lasts, in seconds."""
        lease = self._health().lease
        return lease.expires_in_s if lease else 0.0

    def _health(self) -> HealthBody:
        try:
            return HealthBody.model_validate(self._http.call("GET", "/health"))
        except ValidationError:
            raise RobotUnreachable("its answer is not its health", sent=True) from None

    def _post(self, epoch: int | None) -> int:
        body = {"holder": self._holder, "ttl_s": self._ttl_s}
        reply = self._http.call("POST", "/lease", body if epoch is None else {**body, "epoch": epoch})
        try:
            lease = LeaseBody.model_validate(reply)
        except ValidationError:
            raise RobotUnreachable("its answer is not a lease", sent=True) from None
        return lease.epoch

    def _beat(self, end: threading.Event) -> None:
        epoch, alive = self._epoch, time.monotonic()
        while not end.wait(min(self._ttl_s, self._silence_s) / 3):
            try:
                self._post(epoch)
                alive = time.monotonic()
            except RobotRefused:
                break
            except RobotUnreachable:
                if time.monotonic() - alive > self._ttl_s:
                    break
        if not end.is_set() and self._epoch == epoch:
            self._epoch, self._gone = None, True
