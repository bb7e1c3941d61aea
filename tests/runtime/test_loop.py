"""What the loop promises: order, bounds, one clear end for everything."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from run_kit import Run, Streaming, asked, change, put, say

from vlp.core.errors import MissingComponent, UsageError
from vlp.journal import Event, JournalError, read_events
from vlp.models.protocol import GENERAL, Reply
from vlp.robot.protocol import Step
from vlp.runtime import body
from vlp.runtime.body import Budget, ProgramFault
from vlp.runtime.loop import Change
from vlp.sim.fake.robot import FakeRobot, Script, fake_manifest

CUBE_IN_BOWL = put("red cube", "green bowl")
BALL_IN_BOWL = put("blue ball", "green bowl")
CANONICAL = ["locate", "grasp", "lift", "locate", "place", "check"]


def test_a_task_is_done_and_written_down(make_run, tmp_path):
    run = make_run([CUBE_IN_BOWL], judge=lambda: True)
    outcome = run.go()
    assert (outcome.outcome, outcome.claim, outcome.verdict) == ("success", "done", True)
    assert run.done == CANONICAL
    assert run.robot.world.objects["red cube"].support == "green bowl"
    kinds = [e.kind for e in read_events(tmp_path / "run", blobs=False)]
    assert kinds[:3] == ["run-started", "instruction", "observation"] or kinds[2] == "snapshot"
    assert kinds[-1] == "run-finished"
    started = [e for e in read_events(tmp_path / "run") if e.kind in ("step-started", "step-finished")]
    assert [e.kind for e in started] == ["step-started", "step-finished"] * 6
    assert [e.data["id"] for e in started[::2]] == ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"]


def test_a_step_is_on_the_disk_before_it_is_sent(make_run, tmp_path):
    seen = []

    class Watching(FakeRobot):
        def execute(self, step):
            kinds = read_events(tmp_path / "run", kinds=["step-started", "step-finished"])
            if ".look." not in step.key:
                seen.append((kinds[-1].kind, kinds[-1].data["key"] == step.key))
            return super().execute(step)

    make_run([CUBE_IN_BOWL], robot=Watching()).go()
    assert seen == [("step-started", True)] * 6


def test_cannot_and_already_move_nothing(make_run):
    run = make_run([{"goal": "the red cube is in the pink bowl", "cannot": "there is no pink bowl in view"}])
    outcome = run.go()
    assert (outcome.outcome, outcome.claim, run.done) == ("failure", "cannot", [])
    assert outcome.account == "failure: it cannot be done: there is no pink bowl in view"


def test_an_empty_policy_is_no_success_where_nothing_was_looked_at(make_run):
    """An empty policy on a served robot was "success" with exit status 0: the model's word counted as a deed."""
    run = make_run([{"goal": "the red cube is on the table", "subtasks": []}])
    outcome = run.go()
    assert (outcome.outcome, outcome.claim, run.done) == ("failure", "already", [])
    assert "nothing was looked at" in outcome.account


def test_a_policy_of_perceptions_alone_is_done_when_they_are(make_run):
    """To measure the temperature here" ended as "the model says that it is so already, and nothing was looked at"."""
    steps = [{"do": "locate", "object": "red cube", "as": "cube"}]
    run = make_run(
        [{"goal": "the cube is found", "subtasks": [{"name": "find", "steps": steps}]}], spec=asked("find the red cube")
    )
    assert run.go().account == "success: every step succeeded and nothing was checked"


def test_an_empty_policy_counts_where_the_true_state_shows_it(make_run):
    run = make_run([{"goal": "the red cube is on the table", "subtasks": []}], judge=lambda: True)
    assert run.go().outcome == "success"


def test_a_claim_that_a_look_refutes_is_followed_by_another_policy(make_run):
    """Guards against "it holds already" ending a run while the cube stands beside the bowl."""
    look = {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"}
    claim = {"goal": "the red cube is in the green bowl", "subtasks": [{"name": "see that it is so", "steps": [look]}]}
    run = make_run([claim, claim, CUBE_IN_BOWL])  # the second of them is handed back
    outcome = run.go()
    assert (outcome.outcome, outcome.claim) == ("success", "done")
    assert run.done[:2] == ["check", "locate"] and run.robot.world.objects["red cube"].support == "green bowl"


def test_a_claim_that_a_look_confirms_moves_nothing(make_run):
    look = {"do": "check", "relation": "on", "subject": "red cube", "object": "table"}
    run = make_run([{"goal": "x", "subtasks": [{"name": "see that it is so", "steps": [look]}]}])
    assert (run.go().claim, run.done) == ("already", ["check"])


def test_giving_up_after_a_failure_is_no_success(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp", "unreachable")
    run = make_run([CUBE_IN_BOWL, {"goal": "x", "cannot": "the red cube is out of reach"}], robot=robot)
    outcome = run.go()
    assert (outcome.outcome, outcome.claim) == ("failure", "cannot")
    assert "out of reach" in outcome.reason


def test_an_invalid_reply_goes_back_with_its_report(make_run):
    bad = say(put("red cube", "green bowl")).replace("grasp", "grab")
    run = make_run([bad, CUBE_IN_BOWL])
    assert run.go().outcome == "success"
    assert run.of("report")[0]["issues"][0]["code"]
    again = run.model.calls[1]["messages"]
    assert [m.role for m in again][-2:] == ["assistant", "user"]
    assert "grab" in again[-2].text


def test_an_empty_reply_is_called_empty_and_a_refused_one_is_shown(make_run):
    """Three empty replies were told as "not JSON: Expecting value", and of refused ones nothing was to be seen."""
    assert "it is empty." in make_run([""] * 3).go().reason


def test_what_the_last_refused_reply_said_is_told(make_run):
    assert make_run(["I would rather not."] * 3).go().reason.endswith("; it begins 'I would rather not.'")


def test_a_reply_that_was_cut_off_is_told_as_cut_off(make_run):
    """Against: "not JSON: a string is not closed" told of a server that ended its replies at a limit."""
    half = Reply(say(CUBE_IN_BOWL)[:60], {"total": 0.1}, finish="length")
    outcome = make_run([half] * 3).go()
    assert outcome.outcome == "failure" and "cut off at" in outcome.reason


def test_what_a_person_must_know_of_a_reply_is_in_the_journal(make_run):
    """Against: policies of a server that keeps to no grammar looking like any others."""
    run = make_run([Reply(say(CUBE_IN_BOWL), {"total": 0.1}, notes=("no grammar",))])
    run.go()
    assert [reply.get("notes") for reply in run.of("reply")] == [["no grammar"]]


def test_three_invalid_replies_are_the_end(make_run):
    run = make_run(["not json", "{}", "[]", CUBE_IN_BOWL])
    outcome = run.go()
    assert outcome.outcome == "failure"
    assert "no valid policy in 3 replies" in outcome.reason
    assert len(run.model.calls) == 3
    assert run.done == []


def test_a_failed_step_brings_a_new_policy_and_its_diff(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    run = make_run([CUBE_IN_BOWL, CUBE_IN_BOWL], robot=robot)
    assert run.go().outcome == "success"
    assert [t["name"] for t in run.of("trigger")] == ["step-failed"]
    first, second = run.of("policy")
    assert first["diff"] is None
    assert second["triggers"] == ["step-failed"]
    assert len(second["diff"]["kept"]) == 6
    assert run.model.calls[1]["draft"] == say(CUBE_IN_BOWL)
    prompt = "".join(message.text for message in run.model.calls[1]["messages"])
    assert "slipped" in prompt


def test_new_policies_are_bounded(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped", times=100)
    run = make_run([CUBE_IN_BOWL] * 20, robot=robot, budget=Budget(replans=3))
    outcome = run.go()
    assert outcome.outcome == "failure"
    assert "3 new policies were not enough" in outcome.reason
    assert len(run.of("policy")) == 4


def test_a_long_task_may_have_a_new_policy_for_every_ten_of_its_steps_and_none_where_there_is_to_be_none():
    """Guards against a table for six that was given up after 68 steps, when seven of 15 grasps had failed."""
    assert [Budget().replans_after(steps) for steps in (0, 59, 68, 109, 5000)] == [6, 6, 6, 10, 18]
    assert Budget(replans=0).replans_after(5000) == 0


def test_a_new_instruction_takes_over_at_the_next_boundary(make_run):
    put_back = {
        "goal": "the blue ball is in the green bowl",
        "subtasks": [
            {"name": "put it back", "steps": [{"do": "place", "target": "table", "relation": "on"}]},
            *BALL_IN_BOWL["subtasks"],
        ],
    }
    changes = (change(2, "no, the blue ball"),)
    run = make_run([CUBE_IN_BOWL, put_back], spec=asked("put the red cube in the green bowl", changes=changes))
    assert run.go().outcome == "success"
    assert run.done[:3] == ["locate", "grasp", "place"]
    assert [i["text"] for i in run.of("instruction")] == ["put the red cube in the green bowl", "no, the blue ball"]
    assert run.of("policy")[1]["diff"]["undone"]
    world = run.robot.world.objects
    assert (world["red cube"].support, world["blue ball"].support) == ("table", "green bowl")


def test_a_sentence_typed_while_the_model_writes_is_heard(make_run):
    """A sentence that came between prompt and policy must not wait for the end of the first policy."""

    def replies(messages):
        text = messages[-1].text
        if "blue ball" not in text:
            run.run.instruct("the blue ball instead")
            return say(CUBE_IN_BOWL)
        return say(BALL_IN_BOWL)

    run = make_run(replies)
    assert run.go().outcome == "success"
    assert run.robot.world.objects["red cube"].support == "table"
    assert run.done == CANONICAL


def test_several_triggers_at_one_boundary_make_one_policy(make_run):
    robot = FakeRobot()
    run = make_run([CUBE_IN_BOWL, BALL_IN_BOWL], robot=robot)

    def meddle(world):
        run.run.instruct("first thought")
        run.run.instruct("put the blue ball in the green bowl")

    robot.script("grasp", Script(code="slipped", message="it slipped.", before=meddle))
    assert run.go().outcome == "success"
    assert len(run.of("policy")) == 2
    assert {t["name"] for t in run.of("trigger")} == {"new-instruction", "step-failed"}


def test_a_model_that_hangs_ends_the_run(make_run):
    class Hanging:
        name, profile, can = "hanging", "full", GENERAL

        def generate(self, messages, **options):
            time.sleep(30)

    run = make_run(Hanging(), budget=Budget(model_s=0.1))
    run.run.planner._worker.call(lambda: None, 1, "warm")
    from vlp.runtime import planner

    planner.HANG_GRACE_S, kept = 0.1, planner.HANG_GRACE_S
    try:
        outcome = run.go()
    finally:
        planner.HANG_GRACE_S = kept
    assert outcome.outcome == "timeout"
    assert "the model did not give a reply" in outcome.reason
    assert run.events[-1].kind == "run-finished"


def test_a_robot_that_hangs_is_stopped(make_run):
    known = fake_manifest()
    quick = replace(known.primitives["grasp"], timeout_s=0.1)
    robot = FakeRobot(manifest=replace(known, primitives={**known.primitives, "grasp": quick}))
    robot.script("grasp", Script(delay_s=20, deaf=True))
    run = make_run([CUBE_IN_BOWL], robot=robot, budget=Budget(step_grace_s=0.3))
    outcome = run.go()
    assert outcome.outcome == "timeout"
    assert "the robot did not give the end of 'grasp'" in outcome.reason
    assert robot._stop.is_set()


class Gazing(FakeRobot):
    """A fake robot whose looks, or observations for a policy, hear no stop and end only when the test does."""

    def __init__(self, hangs: str) -> None:
        super().__init__()
        self.hangs, self.begun, self.over = hangs, threading.Event(), threading.Event()

    def execute(self, step):
        self._hang(step.do)
        return super().execute(step)

    def observe(self):
        self._hang("observe")
        return super().observe()

    def _hang(self, do):
        if do == self.hangs:
            self.begun.set()
            assert not self.over.wait(100), "the run waited for a look that hung"


@pytest.mark.parametrize("hangs", ["locate", "observe", "find_all"])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("how", ["timeout", "stopped"])
def test_the_end_of_a_run_is_kept_by_a_look_that_hangs(tmp_path, monkeypatch, hangs, early, how):
    """Against: `--timeout-s 6` that ended after 94 s, in silence, for a perception that heard no stop."""
    monkeypatch.setattr(body, "STOP_S", 0.3)
    robot = Gazing(hangs)
    run = Run(tmp_path / "run", Streaming([CUBE_IN_BOWL]), robot, early=early)
    ends = {"timeout": run.run.loop._time_out, "stopped": run.run.stop}
    threading.Thread(target=lambda: robot.begun.wait(10) and ends[how](), daemon=True).start()
    outcome = run.go()
    assert not robot.over.is_set() and robot._stop.is_set()
    why = {"timeout": "the run took longer than 1800 s", "stopped": "stopped by the person"}[how]
    assert (outcome.outcome, outcome.reason.partition(";")[0].rstrip(".")) == (how, why)
    told = [data["text"] for data in run.of("note")]
    waits = "an observation" if hangs == "observe" else f"the end of {hangs!r}"
    assert f"the run has to end, and waits for {waits}, for 0.3 s at most" in told
    robot.over.set()


def test_a_robot_that_dies_leaves_the_step_in_flight(make_run):
    class Dying(FakeRobot):
        def execute(self, step):
            if step.do == "place":
                raise ConnectionResetError("connection reset by peer")
            return super().execute(step)

    run = make_run([CUBE_IN_BOWL], robot=Dying())
    outcome = run.go()
    assert outcome.outcome == "stopped"
    assert isinstance(outcome.error, MissingComponent)
    assert run.run.memory.progress.in_flight.data["do"] == "place"


def test_a_fault_in_a_component_is_one_clear_end(make_run):
    class Broken(FakeRobot):
        def execute(self, step):
            raise AttributeError("'Held' object has no attribute 'width'")

    outcome = make_run([CUBE_IN_BOWL], robot=Broken()).go()
    assert outcome.outcome == "stopped"
    assert "the robot failed to give" in outcome.reason
    assert isinstance(outcome.error.__cause__, AttributeError)


@pytest.mark.parametrize("raised", [SystemExit(0), KeyboardInterrupt()], ids=["exit", "interrupt"])
@pytest.mark.parametrize("method", ["execute", "observe"])
def test_a_driver_that_ends_the_program_ends_the_run_with_a_word(make_run, monkeypatch, method, raised):
    """A driver's SystemExit ended `vlp run` with exit status 0, midway, with no run-finished and no stop."""
    robot = FakeRobot()

    def driver(*_):
        raise raised

    monkeypatch.setattr(robot, method, driver)
    run = make_run([CUBE_IN_BOWL], robot=robot)
    outcome = run.go()
    assert isinstance(outcome.error, ProgramFault)
    assert type(raised).__name__ in outcome.reason
    assert robot._stop.is_set()
    assert run.of("run-finished")


def answering(monkeypatch, method: str, change) -> FakeRobot:
    """Return a robot whose answers are changed on their way out."""
    robot = FakeRobot()
    right = getattr(robot, method)
    monkeypatch.setattr(robot, method, lambda *given: change(right(*given)))
    return robot


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: replace(r, done={"force_n": np.float32("nan")}), "done.force_n is nan"),
        (lambda r: replace(r, value=[1.0, {"c": float("inf")}]), "value[1].c is inf"),
    ],
)
def test_a_number_that_is_not_finite_is_a_failed_step(make_run, monkeypatch, change, said):
    """NaN in a result ended the run with a traceback of the journal, after the robot had moved, without step-finished."""
    run = make_run([CUBE_IN_BOWL], robot=answering(monkeypatch, "execute", change), budget=Budget(replans=0))
    assert run.go().outcome == "failure"
    result = run.of("step-finished")[0]["result"]
    assert (result["status"], result["code"]) == ("failed", "bad-result")
    assert said in result["message"]


def test_a_step_whose_result_cannot_be_taken_is_tried_twice_and_no_more(make_run, monkeypatch):
    """It had acted, and was driven once for each new policy: seven times."""

    def odd(result):
        return replace(result, done={"force_n": float("inf")}) if "force_n" in result.done else result

    robot = answering(monkeypatch, "execute", odd)
    carry_out = robot._carry_out
    monkeypatch.setattr(robot, "_carry_out", lambda do, said: ({"force_n": 1.0}, None) if do == "home" else carry_out(do, said))
    home = {"goal": "home", "subtasks": [{"name": "home", "steps": [{"do": "home"}]}]}
    run = make_run([home] * 7, robot=robot)
    assert run.go().reason.startswith("twice, what home gave back could not be taken: the robot gave back a number")
    assert run.done == ["home", "home"]


def test_numbers_of_numpy_are_plain_in_the_journal(make_run, monkeypatch):
    """A driver's float32 ended the run with a traceback of the journal."""
    robot = answering(monkeypatch, "observe", lambda o: replace(o, state=replace(o.state, gripper_m=np.float32(0.5))))
    right = robot.execute
    monkeypatch.setattr(robot, "execute", lambda step: replace(right(step), done={"hand": np.zeros(2, np.float32)}))
    run = make_run([CUBE_IN_BOWL], robot=robot)
    assert run.go().outcome == "success"
    assert run.of("step-finished")[0]["result"]["done"] == {"hand": [0.0, 0.0]}
    assert run.of("observation")[0]["state"]["gripper_m"] == 0.5


@pytest.mark.parametrize(
    ("method", "change", "said"),
    [
        ("observe", lambda o: None, "it gave back None; expected an Observation"),
        ("observe", lambda o: [1], "it gave back the list [1]; expected an Observation"),
        ("observe", lambda o: replace(o, rgb=np.zeros((0, 0, 3), np.uint8)), "rgb is an array of (0, 0, 3) in uint8"),
        ("observe", lambda o: replace(o, rgb=np.zeros((4, 4, 3))), "rgb is an array of (4, 4, 3) in float64"),
        ("observe", lambda o: replace(o, scene_text=(1, 2)), "scene_text is the tuple (1, 2); expected a tuple of texts"),
        ("observe", lambda o: replace(o, state={"at": "table"}), "state is the dict"),
        ("observe", lambda o: replace(o, state=replace(o.state, at=7)), "state.at is the int 7"),
        ("observe", lambda o: replace(o, state=replace(o.state, gripper_m=float("nan"))), "state.gripper_m is nan"),
        ("observe", lambda o: replace(o, stamp_s=float("nan")), "stamp_s is the float nan"),
        ("execute", lambda r: None, "it gave back None; expected a StepResult"),
        ("execute", lambda r: replace(r, message=7), "message of its result is the int 7; expected text"),
        ("execute", lambda r: replace(r, done=None), "done of its result is None; expected a dict"),
        ("execute", lambda r: replace(r, status="ok"), "status of its result is 'ok'; expected one of succeeded"),
    ],
)
def test_what_is_no_answer_of_a_robot_is_told_in_a_sentence(make_run, monkeypatch, method, change, said):
    """An answer of the wrong type ended the run with a traceback from deep inside, and the robot was not stopped."""
    run = make_run([CUBE_IN_BOWL], robot=answering(monkeypatch, method, change))
    outcome = run.go()
    assert isinstance(outcome.error, ProgramFault)
    assert said in outcome.reason
    assert run.robot._stop.is_set()


def test_an_unreachable_model_stops_the_run(make_run):
    outcome = make_run([]).go()
    assert outcome.outcome == "stopped"
    assert isinstance(outcome.error, MissingComponent)


def test_stop_ends_a_moving_step_and_the_run(make_run):
    robot = FakeRobot()
    robot.script("grasp", Script(delay_s=20))
    run = make_run([CUBE_IN_BOWL], robot=robot)
    threading.Timer(0.3, run.run.stop).start()
    start = time.monotonic()
    outcome = run.go()
    assert (outcome.outcome, outcome.reason) == ("stopped", "stopped by the person")
    assert time.monotonic() - start < 5
    assert run.done == ["locate", "grasp"]


def test_stop_does_not_wait_for_the_model(make_run):
    class Slow:
        name, profile, can = "slow", "full", GENERAL

        def generate(self, messages, **options):
            time.sleep(8)
            return Reply("{}")

    run = make_run(Slow())
    threading.Timer(0.2, run.run.stop).start()
    start = time.monotonic()
    assert run.go().outcome == "stopped"
    assert time.monotonic() - start < 4


def test_the_whole_run_has_a_time_limit(make_run):
    assert make_run([CUBE_IN_BOWL], budget=Budget(run_s=0.0)).go().outcome == "timeout"


def test_a_step_that_is_under_way_when_the_time_of_the_run_ends_is_stopped(make_run):
    """A run of 3 s let the robot drive on to 26 s, and it was never told to stop."""
    robot = FakeRobot()
    robot.script("grasp", Script(delay_s=20))
    run = make_run([CUBE_IN_BOWL], robot=robot, budget=Budget(run_s=1.0))
    start = time.monotonic()
    outcome = run.go()
    assert (outcome.outcome, outcome.reason) == ("timeout", "the run took longer than 1 s.")
    assert time.monotonic() - start < 10 and robot._stop.is_set() and run.done == ["locate", "grasp"]


def test_a_run_whose_time_ends_while_the_model_writes_leaves_the_robot_unlatched(make_run):
    class Slow:
        name, profile, can = "slow", "full", GENERAL

        def generate(self, messages, **options):
            time.sleep(8)
            return Reply("{}")

    run = make_run(Slow(), budget=Budget(run_s=0.5))
    assert run.go().outcome == "timeout" and not run.robot._stop.is_set()


def test_an_action_in_process_overruns_its_time_limit_by_no_more_than_the_promised_5_s(make_run):
    """60 s were allowed, where the page about safety promises 5 s: it held for served robots only."""
    body = make_run([]).run.body
    limits_s = {do: body._limit_s(Step(do, {}, "k")) - body.manifest.primitives[do].timeout_s for do in ("grasp", "locate")}
    assert limits_s == {"grasp": 5.0, "locate": 60.0}


def test_a_full_disk_ends_the_run_before_the_step_is_sent(make_run, monkeypatch):
    run = make_run([CUBE_IN_BOWL])
    write = run.run.journal.append

    def append(*events):
        if any(e.kind == "step-started" and e.data["do"] == "grasp" for e in events) or full:
            full.append(True)
            raise JournalError("cannot write the journal: database or disk is full.")
        return write(*events)

    full: list[bool] = []
    monkeypatch.setattr(run.run.journal, "append", append)
    with pytest.raises(JournalError):
        run.go()
    assert run.done == ["locate"]


def test_a_last_look_that_fails_is_no_success(make_run):
    """The robot hung, was stopped and latched at the last look, and the run was a success with exit status 0."""

    class Blind(FakeRobot):
        def observe(self):
            if self.log and self.log[-1].do == "check":
                raise RuntimeError("the camera is gone")
            return super().observe()

    outcome = make_run([CUBE_IN_BOWL], robot=Blind()).go()
    assert outcome.outcome == "stopped" and isinstance(outcome.error, ProgramFault)
    assert outcome.reason.startswith("every step succeeded, and the last look failed: the robot failed to give an observation")


def test_a_broken_display_is_dropped_and_the_run_goes_on(make_run):
    class Broken:
        calls = 0

        def on_event(self, event: Event) -> None:
            self.calls += 1
            raise RuntimeError("no such terminal")

    broken = Broken()
    run = make_run([CUBE_IN_BOWL], subscribers=[broken])
    assert run.go().outcome == "success"
    assert broken.calls == 1
    assert "Broken failed and was dropped" in run.of("note")[0]["text"]


def test_bad_instructions_are_refused_and_lose_nothing(make_run, tmp_path):
    with pytest.raises(UsageError):
        make_run([CUBE_IN_BOWL], spec=asked(""))
    assert not (tmp_path / "run").exists()
    run = make_run([CUBE_IN_BOWL])
    for text in ("", " ", "word " * 10_000, "bad \ud800 text"):
        with pytest.raises(UsageError):
            run.run.instruct(text)
    assert run.go().outcome == "success"


def test_a_directory_with_a_run_is_not_written_over(make_run):
    make_run([CUBE_IN_BOWL]).go()
    with pytest.raises(UsageError, match="holds a run already"):
        make_run([CUBE_IN_BOWL])


def test_steps_are_checked_again_when_they_start(make_run):
    """A policy accepted while the cube was in reach must not move the hand out of the workspace afterwards."""
    robot = FakeRobot({"red cube": "table", "green bowl": "table"})

    def carry_off(world):
        _, y, z = world.objects["red cube"].position
        world.objects["red cube"].position = (2.5, y, z)

    robot.script("locate", Script(before=carry_off, times=2))
    run = make_run([CUBE_IN_BOWL, {"goal": "x", "cannot": "out of reach"}], robot=robot)
    run.go()
    assert run.done == ["locate"]
    assert run.of("step-finished")[1]["status"] == "rejected"
    assert run.of("step-finished")[1]["result"]["code"] == "out-of-workspace"


def test_an_event_about_what_is_gone_does_not_happen_and_ends_nothing(make_run):
    """Of a bowl that an earlier event had taken away, a later one ended the run as bad usage, and every resume of it."""

    def gone(text):
        raise UsageError("unknown object 'green bowl'.")

    spec = asked(changes=(Change(1, "move green bowl"),))
    run = make_run([CUBE_IN_BOWL], spec=spec, apply_event=gone)
    assert run.go().outcome == "success"
    assert [n["text"] for n in run.of("note")] == ["did not happen: 'move green bowl': unknown object 'green bowl'."]
