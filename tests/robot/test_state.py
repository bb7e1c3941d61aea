"""The robot's state without its images: what goes over the wire for it, and who may leave it out."""

import logging
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from vlp.core.observation import Observation, RobotState
from vlp.perception.perceiving import PerceivingRobot
from vlp.robot import client
from vlp.robot.conformance import check_robot
from vlp.robot.protocol import state_now
from vlp.robot.server import routes
from vlp.runtime.body import Body, Budget
from vlp.sim.fake.robot import FakeRobot

from .conftest import Served


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], Counter[str]]:
    """Requests and bytes of answers by path."""
    requests, sizes = Counter[str](), Counter[str]()

    class Counting(client.Http):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self._client.event_hooks = {"response": [self.count]}

        def count(self, response: Any) -> None:
            path = response.url.path
            requests[path] += 1
            sizes[path] += int(response.headers["content-length"])

    monkeypatch.setattr(client, "Http", Counting)
    return requests, sizes


def test_a_look_at_the_state_brings_no_image(served: Served, sent: tuple[Counter[str], Counter[str]]) -> None:
    """Against: 10 kB and more of PNG for each look of a trigger at where the robot is."""
    requests, sizes = sent
    with served.remote() as robot:
        body = Body(PerceivingRobot(robot, None), Budget(), "t")
        before = requests.copy()
        states = [body.state() for _ in range(3)]
        assert requests - before == {"/state": 3} and sizes["/state"] < 3 * 1000
        seen, _ = body.observe("plan")
        assert requests["/observation"] == 1 and sizes["/observation"] > 5 * sizes["/state"] / 3
        assert states == [seen.state] * 3 == [served.fake.observe().state] * 3
        body.close()


def test_a_server_from_before_there_was_the_route_is_asked_for_observations_which_is_said_once(
    served: Served,
    sent: tuple[Counter[str], Counter[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Against: a run that ends at its first trigger, since its robot's server is older than it."""
    requests, _ = sent
    router = routes().router
    monkeypatch.setattr(router, "routes", [route for route in router.routes if getattr(route, "path", "") != "/state"])
    with served.remote() as robot, caplog.at_level(logging.WARNING, "vlp.robot.client"):
        assert [robot.observe_state() for _ in range(3)] == [served.fake.observe().state] * 3
    assert requests == {"/state": 1, "/observation": 3}
    [told] = [record.getMessage() for record in caplog.records]
    assert "has no GET /state" in told and "images come with every look" in told


def test_what_the_robot_raises_or_gives_back_instead_of_its_state_is_told(served: Served) -> None:
    def broken() -> Any:
        raise OSError("encoder unplugged")

    served.fake.observe = broken  # type: ignore[method-assign]
    reply = served.http.get("/state")
    assert reply.status_code == 503 and "encoder unplugged" in reply.json()["error"]["message"]
    served.fake.observe = lambda: None  # type: ignore[method-assign]
    assert "expected an Observation" in served.http.get("/state").json()["error"]["message"]


class Corrected:
    """A wrapper that knows better where the robot stands."""

    def __init__(self, robot: Any) -> None:
        self.robot = robot
        self.describe, self.execute, self.stop = robot.describe, robot.execute, robot.stop

    def observe(self) -> Observation:
        seen = self.robot.observe()
        return replace(seen, state=replace(seen.state, at="shelf"))


class TellsState(FakeRobot):
    def observe_state(self) -> RobotState:
        return self.observe().state


class TellsAnother(FakeRobot):
    def observe_state(self) -> RobotState:
        return replace(self.observe().state, holding="a cube that it has not")


class TellsNone(FakeRobot):
    def observe_state(self) -> Any:
        return {"at": "table"}


def test_a_wrapper_that_changes_the_state_is_not_passed_by() -> None:
    """Against: the state of the robot inside, which its wrapper corrects."""
    assert state_now(Corrected(TellsState())).at == "shelf"


@pytest.mark.parametrize(
    ("kind", "fault"), [(TellsState, ""), (TellsAnother, "is not what `observe` says"), (TellsNone, "expected a RobotState")]
)
def test_the_check_compares_the_state_with_that_of_an_observation(kind: type[FakeRobot], fault: str) -> None:
    issues = [issue for issue in check_robot(kind(), moves=False).issues if issue.path == "/observe_state"]
    assert [fault in issue.message for issue in issues] == [True] * bool(fault)


def test_the_check_of_a_served_robot_asks_for_its_state(served: Served, sent: tuple[Counter[str], Counter[str]]) -> None:
    with served.remote() as robot:
        assert check_robot(robot, moves=False).ok and sent[0]["/state"] == 1
