"""What a robot's own program raises, whatever it is, is told as the robot's fault, and its server goes on."""

import threading
from typing import Any

import httpx
import pytest

from vlp.core.errors import MissingComponent
from vlp.robot.serving import running_server
from vlp.sim.fake.robot import FakeRobot

from .conftest import Served, run
from .test_server import code
from .test_stop_line import raw, request, stop_port

RAISED = [RuntimeError("no brake"), SystemExit(3), KeyboardInterrupt()]


def raising(error: BaseException) -> Any:
    def call(*_: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_brake_that_fails_is_no_confirmed_stop(served: Served, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """The robot's own stop had raised, and both ways to stop said confirmed: true."""
    monkeypatch.setattr(served.fake, "stop", raising(error))
    said = f"the robot's own stop failed ({type(error).__name__}"
    for body in (served.http.post("/stop").json(), raw(stop_port(served.address), request(served.address))[1]):
        assert (body["stopped"], body["confirmed"]) == (True, False) and body["standing"].startswith(said)
    with (
        served.remote() as robot,
        pytest.raises(MissingComponent, match="the stop is not confirmed: the robot's own stop failed"),
    ):
        robot.stop()


def test_the_latch_stays_closed_until_a_stop_has_worked(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reset opened the latch while the robot's own stop still hung, or had failed."""
    free, brake = threading.Event(), served.fake.stop
    monkeypatch.setattr(served.fake, "stop", free.wait)
    assert not served.http.post("/stop").json()["confirmed"]
    assert code(served.http.post("/stop/reset")) == "busy"
    free.set()
    monkeypatch.setattr(served.fake, "stop", raising(RuntimeError("no brake")))
    assert not served.http.post("/stop").json()["confirmed"]
    assert code(served.http.post("/stop/reset")) == "stop-failed"
    assert served.http.get("/health").json()["stopped"]
    monkeypatch.setattr(served.fake, "stop", brake)
    assert served.http.post("/stop").json()["confirmed"]
    assert served.http.post("/stop/reset").json()["stopped"] is False


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_driver_that_ends_the_program_fails_its_step_and_the_next_one_is_done(
    served: Served, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SystemExit in a step ended the server's worker: that step never ended, and no later one began."""
    act = served.fake.execute
    monkeypatch.setattr(served.fake, "execute", raising(error))
    with served.remote() as robot:
        failed = run(robot, "home", "k1")
        assert (failed.status, failed.code) == ("failed", "robot-fault") and type(error).__name__ in failed.message
        monkeypatch.setattr(served.fake, "execute", act)
        assert run(robot, "home", "k2").status == "succeeded"


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_camera_that_ends_the_program_is_the_robots_fault(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """SystemExit in `observe` went through the server's loop, and the client was told that nobody answers."""
    fake = FakeRobot()
    monkeypatch.setattr(fake, "observe", raising(error))
    with running_server(fake) as at:
        headers = {"Authorization": f"Bearer {at.token}"}
        for _ in range(2):
            answer = httpx.get(f"{at.url}/observation", headers=headers, trust_env=False, timeout=10)
            assert (answer.status_code, code(answer)) == (503, "robot-fault")
            assert type(error).__name__ in answer.json()["error"]["message"]
