"""A run that was killed goes on: no finished step again, the right final state or a clear hold."""

import json
import multiprocessing
import random
import signal
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import life
import pytest
from run_kit import Run, asked, change, put, say

from vlp.core.errors import MissingComponent, UsageError
from vlp.journal import Event, Journal, read_events
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import read_run
from vlp.runtime.story import Outcome
from vlp.sim.fake.robot import FakeRobot, fake_manifest

CUBE_IN_BOWL = put("red cube", "green bowl")


class Power(BaseException):
    """The power goes."""


def cut_before(run: Run, kind: str, do: str) -> None:
    """Let the process "die" just before an event would be written, or just after it was."""
    write = run.run.journal.append

    def append(*events):
        if any(e.kind == kind and e.data["do"] == do for e in events):
            raise Power
        return write(*events)

    run.run.journal.append = append  # type: ignore[method-assign]


def resume(out: Path, robot: FakeRobot, policy: dict = CUBE_IN_BOWL) -> tuple[LiveRun, Outcome]:
    spec, events = read_run(out)
    session = LiveRun(out, spec, robot, ScriptedModel([say(policy)]), past=events)
    return session, session.go()


def calls(session: LiveRun) -> list[dict[str, Any]]:
    """What the session's model was asked."""
    assert isinstance(session.planner.model, ScriptedModel)
    return session.planner.model.calls


@pytest.mark.parametrize("kind", ["step-started", "step-finished"])
@pytest.mark.parametrize("do", ["locate", "grasp", "lift", "place", "check"])
def test_every_boundary_can_be_taken_over(make_run, tmp_path, kind, do):
    run = make_run([CUBE_IN_BOWL])
    cut_before(run, kind, do)
    with pytest.raises(Power):
        run.go()
    fresh = FakeRobot()
    session, outcome = resume(tmp_path / "run", fresh)
    assert outcome.outcome == "success"
    assert fresh.world.objects["red cube"].support == "green bowl"
    assert not calls(session), "the policy stands; nobody has to be asked again"
    finished = Counter(e.data["key"] for e in read_events(tmp_path / "run", kinds=["step-finished"]))
    assert set(finished.values()) == {1}
    assert len(finished) == 6


class Remote(FakeRobot):
    """A robot without snapshots, as one over HTTP is."""

    snapshot = restore = None  # type: ignore[assignment]


def test_a_step_that_happened_is_not_done_again(make_run, tmp_path):
    """The robot placed the cube, the process died before it could write that down."""
    robot = Remote()
    run = make_run([CUBE_IN_BOWL], robot=robot)
    cut_before(run, "step-finished", "place")
    with pytest.raises(Power):
        run.go()
    _, outcome = resume(tmp_path / "run", robot)
    assert outcome.outcome == "success"
    assert [s.do for s in robot.log].count("place") == 1
    how = read_events(tmp_path / "run", kinds=["run-resumed"])[0].data["how"]
    assert how == "the robot had ended step 2.2: succeeded"


def test_a_step_that_never_arrived_is_sent_under_the_same_key(make_run, tmp_path):
    robot = Remote()
    run = make_run([CUBE_IN_BOWL], robot=robot)
    send = run.run.body.execute

    def cut(step):
        if step.do == "place":
            raise Power
        return send(step)

    run.run.body.execute = cut  # type: ignore[method-assign]
    with pytest.raises(Power):
        run.go()
    _, outcome = resume(tmp_path / "run", robot)
    assert outcome.outcome == "success"
    started = [e.data["key"] for e in read_events(tmp_path / "run", kinds=["step-started"]) if e.data["do"] == "place"]
    assert len(started) == 2
    assert len(set(started)) == 1


def test_a_robot_that_cannot_be_asked_is_a_hold(make_run, tmp_path):
    class Mute(Remote):
        result_of = None  # type: ignore[assignment]

    robot = Mute()
    run = make_run([CUBE_IN_BOWL], robot=robot)
    cut_before(run, "step-finished", "grasp")
    with pytest.raises(Power):
        run.go()
    done = list(robot.log)
    _, outcome = resume(tmp_path / "run", robot)
    assert outcome.outcome == "stopped"
    assert "step 1.2 was in flight" in outcome.reason
    assert robot.log == done


def test_a_robot_that_lived_in_the_dead_process_is_a_hold(make_run, tmp_path):
    """A step that cannot be undone was done twice: the keys that act once had died with the robot."""
    run = make_run([CUBE_IN_BOWL], robot=Remote())
    cut_before(run, "step-finished", "place")
    with pytest.raises(Power):
        run.go()
    anew = Remote()
    _, outcome = resume(tmp_path / "run", anew)
    assert outcome.outcome == "stopped" and "started anew while step 2.2 was in flight" in outcome.reason
    assert not anew.log


def test_a_server_that_forgot_its_keys_is_a_hold(make_run, tmp_path):
    class Server(Remote):
        boot = "first"

        def health(self):
            return type("Health", (), {"instance": self.boot})

    robot = Server()
    run = make_run([CUBE_IN_BOWL], robot=robot)
    cut_before(run, "step-finished", "grasp")
    with pytest.raises(Power):
        run.go()
    again = Server()
    again.boot = "second"
    _, outcome = resume(tmp_path / "run", again)
    assert outcome.outcome == "stopped"
    assert "started anew" in outcome.reason
    assert again.log == []


def test_what_was_said_and_planned_is_not_lost(make_run, tmp_path):
    """Killed between a failed step and the new policy: the trigger still stands after resuming."""
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    run = make_run([CUBE_IN_BOWL], robot=robot)
    ask = run.run.planner.plan

    def plan(seen):
        if run.of("policy"):
            raise Power
        return ask(seen)

    run.run.planner.plan = plan
    with pytest.raises(Power):
        run.go()
    session, outcome = resume(tmp_path / "run", FakeRobot())
    assert outcome.outcome == "success"
    assert [e.data["name"] for e in read_events(tmp_path / "run", kinds=["trigger"])] == ["step-failed"]
    assert len(calls(session)) == 1


def test_what_was_scripted_happens_once(make_run, tmp_path):
    """A change of mind that was said before the kill must not be said again after it."""
    changes = (change(1, "the red cube, please"), change(4, "yes, in the green bowl"))
    spec = asked("put the red cube in the green bowl", changes=changes)
    run = make_run([CUBE_IN_BOWL] * 2, spec=spec)
    cut_before(run, "step-started", "grasp")
    with pytest.raises(Power):
        run.go()
    _, outcome = resume(tmp_path / "run", FakeRobot(), put("red cube", "green bowl", pick=False))
    assert outcome.outcome == "success"
    said = [e.data["text"] for e in read_events(tmp_path / "run", kinds=["instruction"])]
    assert said == [spec.instruction.text, "the red cube, please", "yes, in the green bowl"]


def test_another_robot_than_before_is_a_hold(make_run, tmp_path):
    run = make_run([CUBE_IN_BOWL])
    cut_before(run, "step-finished", "grasp")
    with pytest.raises(Power):
        run.go()
    other = FakeRobot(manifest=replace(fake_manifest(), version="2"))
    _, outcome = resume(tmp_path / "run", other)
    assert outcome.outcome == "stopped"
    assert "manifest" in outcome.reason
    assert other.log == []


def test_a_robot_that_does_not_answer_leaves_no_run_behind(make_run):
    class Gone(FakeRobot):
        def describe(self):
            raise ConnectionRefusedError("connection refused")

    with pytest.raises(MissingComponent, match="cannot be reached"):
        make_run([CUBE_IN_BOWL], robot=Gone())
    assert make_run([CUBE_IN_BOWL]).go().outcome == "success"


def test_a_journal_killed_before_its_first_event_is_begun_anew(make_run, tmp_path):
    Journal(tmp_path / "run" / "journal.db").close()
    assert make_run([CUBE_IN_BOWL]).go().outcome == "success"


def test_ctrl_c_stops_the_robot_and_can_be_resumed(make_run, tmp_path):
    robot = FakeRobot()
    run = make_run([CUBE_IN_BOWL], robot=robot)
    carry_out = run.run.loop.carry_out

    def interrupted(step):
        if step.step.do == "lift":
            raise KeyboardInterrupt
        return carry_out(step)

    run.run.loop.carry_out = interrupted
    outcome = run.go()
    assert (outcome.outcome, outcome.reason) == ("stopped", "interrupted")
    assert robot._stop.is_set()
    _, outcome = resume(tmp_path / "run", FakeRobot())
    assert outcome.outcome == "success"


def test_a_finished_run_is_not_resumed(make_run, tmp_path):
    make_run([CUBE_IN_BOWL]).go()
    with pytest.raises(UsageError, match="has ended: success"):
        read_run(tmp_path / "run")


def test_a_note_after_the_end_does_not_make_it_unfinished(make_run, tmp_path):
    """Against: a finished run done again by `vlp resume` because a display failed, and was dropped with a note, at its end."""
    make_run([CUBE_IN_BOWL]).go()
    journal = Journal(tmp_path / "run" / "journal.db")
    journal.append(Event("note", {"text": "RerunLog failed and was dropped"}))
    journal.close()
    with pytest.raises(UsageError, match="has ended: success"):
        read_run(tmp_path / "run")


def test_a_stopped_run_can_go_on(make_run, tmp_path):
    run = make_run([])
    assert run.go().outcome == "stopped"
    _, outcome = resume(tmp_path / "run", FakeRobot())
    assert outcome.outcome == "success"


def test_an_empty_journal_holds_no_run(tmp_path):
    Journal(tmp_path / "journal.db").close()
    with pytest.raises(UsageError, match="holds no run"):
        read_run(tmp_path)


def run_lives(out: Path, kind: str, rng: random.Random, usual_s: float, kills: int) -> int:
    """Kill one run so often at random moments, then let it end; return how many kills fell into it."""
    out.parent.mkdir()
    for done in range(kills):
        if live(out, kind, rng.uniform(0.0, usual_s)) == 0:
            return done
        if has_ended(out):  # killed between its last event and the end of its process
            return done + 1
    assert live(out, kind, None) == 0
    return kills


def has_ended(out: Path) -> bool:
    """Return whether the journal's last event ends the run."""
    events = read_events(out, blobs=False) if (out / "journal.db").exists() else []
    return bool(events) and events[-1].kind == "run-finished"


def live(out: Path, kind: str, kill_s: float | None) -> int:
    """Run one life in a process of its own and return its exit status."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["life"])
    process = context.Process(target=life.main, args=(out, kind, kill_s))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode


@pytest.mark.parametrize("kind", ["simulated", "remote"])
def test_kills_at_random_moments(tmp_path, kind):
    """SIGKILL at 20 random moments of runs: no finished step again, and the right end."""
    rng = random.Random(kind)
    (tmp_path / "whole").mkdir()
    live(tmp_path / "whole" / "run", kind, None)
    whole = read_events(tmp_path / "whole" / "run", blobs=False)
    usual_s = whole[-1].wall_s - whole[0].wall_s
    killed, case = 0, 0
    while killed < 10:
        out = tmp_path / str(case) / "run"
        killed += run_lives(out, kind, rng, usual_s, kills=3)
        case += 1
        events = read_events(out, blobs=False)
        assert (events[-1].data["outcome"], events[-1].data["verdict"]) == ("success", True)
        ends = Counter(e.data["key"] for e in events if e.kind == "step-finished")
        assert len(ends) == 12
        assert set(ends.values()) == {1}
        log = out.parent / "world.log"
        acted = Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()
        assert set(acted.values()) <= {1}


NULLS = json.dumps(dict.fromkeys(("revision", "policy", "steps", "diff", "claim")))
CHANGES = ("DELETE FROM event WHERE kind = 'instruction'", f"UPDATE event SET data = '{NULLS}' WHERE kind = 'policy'")


@pytest.mark.parametrize("change", CHANGES)
def test_a_journal_changed_by_another_hand_is_told_in_one_sentence(make_run, tmp_path, change):
    """A traceback: what SQLite and JSON take is not yet what a run wrote."""
    run = make_run([CUBE_IN_BOWL], robot=FakeRobot())
    cut_before(run, "step-finished", "place")
    with pytest.raises(Power):
        run.go()
    with sqlite3.connect(tmp_path / "run" / "journal.db") as db:
        db.execute(change)
    with pytest.raises(UsageError, match=r"damaged at event \d+: .* `vlp journal repair"):
        resume(tmp_path / "run", FakeRobot())
    with sqlite3.connect(tmp_path / "run" / "journal.db") as db:  # as an older program wrote it, without a chain
        db.executescript("DROP TABLE link; PRAGMA user_version = 1")
    with pytest.raises(UsageError, match="holds what no run writes"):
        resume(tmp_path / "run", FakeRobot())
