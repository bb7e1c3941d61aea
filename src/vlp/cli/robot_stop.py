"""`vlp robot stop` and `vlp robot reset`: the latch of a served robot.

A stop imports the standard library only: with all that other commands need, it reached a robot seconds late on a busy machine.
"""

import contextlib
import http.client
import json
import os
import queue
import threading
from typing import Any
from urllib.parse import urlsplit

from vlp.core.errors import MissingComponent

ADDRESS = "http://127.0.0.1:8765"


def stop(robot: str = ADDRESS, token: str = "") -> int:
    """Stop a robot now, whoever commands it; it stays stopped until it is reset.

    Args:
        robot: the URL of its server, or of its stop line.
        token: by default the environment's VLP_ROBOT_TOKEN.
    """
    token = token or os.environ.get("VLP_ROBOT_TOKEN", "")
    if not token or not all("!" <= letter <= "~" for letter in token) or not robot.startswith(("http://", "https://")):
        from vlp.cli.robots import connect

        connect(robot, token)  # it says what is wrong with them
    button = "Use the robot's own stop button."
    try:
        status, told = _stopped(f"{robot.rstrip('/')}/stop", token)
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = f"{error}" or type(error).__name__
        raise MissingComponent(f"the robot at {robot[:200]} did not confirm the stop: {why[:200]}.", button) from None
    if status != 200:
        fault = told.get("error", {}) if isinstance(told.get("error"), dict) else {}
        why = fault.get("message", f"HTTP status {status}.")
        raise MissingComponent(f"the robot at {robot[:200]} did not confirm the stop: {str(why)[:500]}", button)
    if told.get("confirmed") is not True:
        standing = str(told.get("standing") or "it does not say why")[:500]
        raise MissingComponent(f"the robot latched, but the stop is not confirmed: {standing}.", button)
    print("stopped. Look at the robot, then open the latch with: vlp robot reset")
    return 0


def _stopped(url: str, token: str, within_s: float = 5.0) -> tuple[int, dict[str, Any]]:
    """Return status and body of a stop, asked for once more when there was no answer.

    In a thread, since time limits of sockets are for each wait: a server that sends a byte now and then outlasts them.

    Raises:
        OSError: among others TimeoutError, when there is no answer in time.
    """
    answers: queue.SimpleQueue[tuple[int, dict[str, Any]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        for left in (1, 0):
            try:
                answers.put(_post(url, token))
                return
            except Exception as error:  # told to whoever waits
                if not (left and isinstance(error, OSError)):
                    answers.put(error)
                    return

    threading.Thread(target=ask, name="robot-stop", daemon=True).start()
    try:
        answer = answers.get(timeout=within_s)
    except queue.Empty:
        raise TimeoutError(f"no answer within {within_s:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _post(url: str, token: str) -> tuple[int, dict[str, Any]]:
    where = urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Connection": "close"}
    with contextlib.closing(kind(where.hostname or "", where.port, timeout=3.0)) as line:
        line.request("POST", where.path, json.dumps({"reason": "vlp robot stop"}), headers)
        answer = line.getresponse()
        body = json.loads(answer.read(64 * 1024) or b"{}")
        return answer.status, body if isinstance(body, dict) else {}


def reset(robot: str = ADDRESS, token: str = "") -> int:
    """Open the stop latch of a robot; look at the robot before you do.

    Args:
        robot: the URL of its server.
        token: one with the role "reset"; by default the environment's VLP_ROBOT_RESET_TOKEN, else VLP_ROBOT_TOKEN.
    """
    from vlp.cli.robots import connect

    with connect(robot, token or os.environ.get("VLP_ROBOT_RESET_TOKEN", "")) as remote:
        remote.reset_stop()
    print("ready: the robot takes steps again.")
    return 0
