"""A fake robot behind a real server on loopback."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from vlp.robot.access import Access
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import Address, new_token, running_server
from vlp.sim.fake.robot import FakeRobot


@dataclass
class Served:
    """A fake robot, its address and a plain HTTP client with the token."""

    fake: FakeRobot
    address: Address
    http: httpx.Client

    def lease(self, holder: str = "tester", ttl_s: float = 30.0, **more: Any) -> httpx.Response:
        return self.http.post("/lease", json={"holder": holder, "ttl_s": ttl_s, **more})

    def post(self, primitive: str, key: str, epoch: int, **arguments: Any) -> httpx.Response:
        body = {"primitive": primitive, "arguments": arguments, "key": key, "epoch": epoch}
        return self.http.post("/executions", json=body)

    def wait(self, id: str, seconds: float = 10.0) -> dict[str, Any]:
        return self.http.get(f"/executions/{id}", params={"wait_s": seconds}).json()

    def remote(self, **options: Any) -> RemoteRobot:
        return RemoteRobot(self.address.url, self.address.token, **options)


@contextmanager
def serving(**waits_s: float) -> Iterator[Served]:
    """Serve a fresh fake robot, with other bounds than by default where they are named.

    The plain client does not beat, so it may be silent for a minute, and it asks as often as it likes.
    """
    fake, token = FakeRobot(), new_token()
    access = Access.of(token, token, rate_hz=math.inf)
    with running_server(fake, token, access=access, **{"silence_s": 60.0, **waits_s}) as address:
        headers = {"Authorization": f"Bearer {address.token}"}
        with httpx.Client(base_url=address.url, headers=headers, timeout=30, trust_env=False) as http:
            yield Served(fake, address, http)


@pytest.fixture
def served() -> Iterator[Served]:
    """A server of the test's own."""
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """One server for all tests of a file, for those that move nothing."""
    with serving() as one:
        yield one


def run(robot: Any, do: str, key: str, **arguments: Any) -> StepResult:
    return robot.execute(Step(do, arguments, key))
