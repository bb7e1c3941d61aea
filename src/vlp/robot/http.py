"""One bounded HTTP exchange with JSON on both sides."""

import json
from typing import Any, NoReturn

import httpx

MAX_REPLY_BYTES = 48 * 1024 * 1024


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
                    if len(data) > MAX_REPLY_BYTES:
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
