"""The loop over HTTP: the robot outlives the process that commands it."""

import contextlib
import sqlite3

import pytest
from run_kit import Run, put, say

from vlp.core.errors import MissingComponent
from vlp.journal import read_events
from vlp.models.scripted import ScriptedModel
from vlp.robot.access import Access, Grant
from vlp.robot.client import RemoteRobot
from vlp.robot.serving import running_server
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import read_run
from vlp.sim.fake.robot import FakeRobot, Script

CUBE_IN_BOWL = put("red cube", "green bowl")


class Power(BaseException):
    """The power goes."""


def cut(run: Run, kind: str, do: str) -> None:
    """Let the process "die" just before an event is written."""
    write = run.run.journal.append

    def append(*events):
        if any(e.kind == kind and e.data["do"] == do for e in events):
            raise Power
        return write(*events)

    run.run.journal.append = append  # type: ignore[method-assign]


def again(out, robot):
    spec, events = read_run(out)
    return LiveRun(out, spec, robot, ScriptedModel([say(CUBE_IN_BOWL)]), past=events).go()


def test_a_task_over_http(make_run):
    fake = FakeRobot()
    with running_server(fake) as address, RemoteRobot(address.url, address.token) as robot:
        assert make_run([CUBE_IN_BOWL], robot=robot).go().outcome == "success"
    assert fake.world.objects["red cube"].support == "green bowl"


@pytest.mark.parametrize("kind", ["step-started", "step-finished"])
def test_a_killed_client_is_replaced_and_nothing_is_done_twice(make_run, tmp_path, kind):
    fake = FakeRobot()
    with running_server(fake) as address:
        with RemoteRobot(address.url, address.token, holder="first") as robot:
            run = make_run([CUBE_IN_BOWL], robot=robot)
            cut(run, kind, "place")
            with pytest.raises(Power):
                run.go()
        with RemoteRobot(address.url, address.token, holder="second") as robot:
            assert again(tmp_path / "run", robot).outcome == "success"
    acted = [step.do for step in fake.log if ".look." not in step.key]
    assert acted == ["locate", "grasp", "lift", "locate", "place", "check"]


def test_a_latched_robot_is_refused_before_the_model_is_asked_and_costs_the_run_nothing(make_run, tmp_path):
    """Each `vlp resume` asked the model and sent a step, and after seven the run was over for good."""
    fake = FakeRobot()
    with running_server(fake) as address, RemoteRobot(address.url, address.token) as robot:
        run = make_run([CUBE_IN_BOWL], robot=robot)
        fake.script("grasp", Script(before=lambda world: run.run.stop()))
        assert run.go().outcome == "stopped"
        before = read_events(tmp_path / "run", blobs=False)
        for _ in range(8):
            with pytest.raises(MissingComponent, match=r"the robot is stopped: .* opens its latch"):
                again(tmp_path / "run", robot)
        assert len(read_events(tmp_path / "run", blobs=False)) == len(before)
        robot.reset_stop()
        assert again(tmp_path / "run", robot).outcome == "success"
        robot.stop()
        fresh = Run(tmp_path / "fresh", [say(CUBE_IN_BOWL)], robot=robot)
        assert fresh.go().reason.startswith("the robot is stopped") and not fresh.model.calls


def test_a_token_that_may_not_operate_is_refused_before_the_model_is_asked(make_run):
    """Six policies were written for a robot that refused every step."""
    access = Access((Grant.of("only-to-look", ("observe", "stop")),))
    with running_server(FakeRobot(), access=access) as address, RemoteRobot(address.url, "only-to-look") as robot:
        run = make_run([CUBE_IN_BOWL], robot=robot)
        outcome = run.go()
    assert outcome.outcome == "stopped" and "not operate" in outcome.reason and not run.model.calls
    assert isinstance(outcome.error, MissingComponent)


def test_a_server_that_was_started_anew_is_a_hold(make_run, tmp_path):
    fake = FakeRobot()
    with running_server(fake) as address, RemoteRobot(address.url, address.token) as robot:
        run = make_run([CUBE_IN_BOWL], robot=robot)
        cut(run, "step-finished", "place")
        with pytest.raises(Power):
            run.go()
    new = FakeRobot()
    with running_server(new) as address, RemoteRobot(address.url, address.token) as robot:
        outcome = again(tmp_path / "run", robot)
    assert outcome.outcome == "stopped"
    assert "started anew" in outcome.reason
    assert new.log == []


def test_a_server_that_dies_leaves_the_step_in_flight(make_run, tmp_path):
    """A lost connection must not be taken for a failed step, for which a new policy would be asked."""
    fake = FakeRobot()
    fake.script("place", Script(delay_s=1))
    with running_server(fake) as address:
        robot = RemoteRobot(address.url, address.token, timeout_s=1.0, give_up_s=0.5)
        run = make_run([CUBE_IN_BOWL], robot=robot)
        carry_out = run.run.body.execute

        def dying(step):
            if step.do == "place":
                robot._http.close()
                robot._http.call = _refuse  # type: ignore[method-assign]
            return carry_out(step)

        run.run.body.execute = dying
        outcome = run.go()
    assert outcome.outcome == "stopped"
    assert run.of("trigger") == []
    last = read_events(tmp_path / "run", kinds=["step-started", "step-finished"])[-1]
    assert (last.kind, last.data["do"]) == ("step-started", "place")


def _refuse(*arguments, **options):
    from vlp.robot.wire import RobotUnreachable

    raise RobotUnreachable("http://gone", "connection refused", sent=False)


def test_a_step_under_which_the_server_died_is_a_hold_until_a_person_has_looked(make_run, tmp_path):
    """A server with a record answered "outcome-unknown"; that was taken for a failed step, and a new policy moved the robot."""
    fake, record = FakeRobot(), tmp_path / "record.db"
    with running_server(fake, record=record) as address, RemoteRobot(address.url, address.token) as robot:
        run = make_run([CUBE_IN_BOWL], robot=robot)
        cut(run, "step-finished", "place")
        with pytest.raises(Power):
            run.go()
    with contextlib.closing(sqlite3.connect(record)) as db:  # as a server leaves it that dies before the end is recorded
        db.execute("UPDATE taken SET result = NULL WHERE n = (SELECT max(n) FROM taken)")
        db.commit()
    new = FakeRobot()
    with running_server(new, record=record) as address:
        with RemoteRobot(address.url, address.token) as robot:
            outcome = again(tmp_path / "run", robot)
        assert outcome.outcome == "stopped" and "started anew while step 2.2 was in flight" in outcome.reason
        assert new.log == []
        with RemoteRobot(address.url, address.token) as robot:
            spec, events = read_run(tmp_path / "run")
            model = ScriptedModel([say(CUBE_IN_BOWL)])
            assert LiveRun(tmp_path / "run", spec, robot, model, past=events, looked=True).go().outcome == "success"


def test_a_run_that_is_taken_over_need_not_wait_for_its_own_lease(make_run, tmp_path):
    """A run that was killed between two steps held the robot for 5 s more, against itself."""
    with running_server(FakeRobot(), silence_s=60.0) as address:
        dead = RemoteRobot(address.url, address.token)
        run = make_run([CUBE_IN_BOWL], robot=dead)
        cut(run, "step-started", "place")
        with pytest.raises(Power):
            run.go()
        dead._beat.end()  # its process is gone, and the lease is not given back
        waited: list[str] = []
        with RemoteRobot(address.url, address.token) as robot:
            robot._beat._other_lease_s = lambda: waited.append("for a lease") or 0.0  # type: ignore[method-assign]
            assert again(tmp_path / "run", robot).outcome == "success"
    assert not waited
