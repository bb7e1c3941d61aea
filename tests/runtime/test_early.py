"""The first step begun while the policy is written: the same run in the end, and nothing of it where the rest is refused."""

import json
import multiprocessing
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import life
import pytest
from run_kit import Run, Streaming, asked, behind_first_step, change, put, say

from vlp.core.errors import UsageError
from vlp.journal import read_events
from vlp.models.openai_model import OpenAIModel
from vlp.models.protocol import Capabilities, ModelUnreachable, Reply
from vlp.primitives.manifest import Primitive
from vlp.primitives.standard import STANDARD
from vlp.robot.client import RemoteRobot
from vlp.robot.serving import running_server
from vlp.runtime.body import Budget
from vlp.runtime.early import FirstStep, harmless
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import read_run
from vlp.runtime.story import Story
from vlp.sim.fake.robot import FakeRobot, Script

CUBE_IN_BOWL = put("red cube", "green bowl")
BALL_IN_BOWL = put("blue ball", "green bowl")
CANONICAL = ["locate", "grasp", "lift", "locate", "place", "check"]
CANNOT = {"goal": "x", "cannot": "there is no pink bowl in view"}


def without_stamps(data):
    if isinstance(data, dict):
        return {name: without_stamps(one) for name, one in data.items() if name != "stamp_s"}
    return data


def events_of(out: Path) -> list[tuple]:
    """Return what is equal in two runs that did the same, whatever was begun early."""
    told = []
    for event in read_events(out, blobs=False):
        if event.kind == "step-finished":
            result = {name: without_stamps(event.data["result"][name]) for name in ("done", "value", "message")}
            told.append((event.kind, event.data["id"], event.data["status"], result))
        elif event.kind in ("policy", "instruction", "trigger", "run-finished"):
            told.append((event.kind, event.data.get("policy"), event.data.get("detail"), event.data.get("account")))
    return told


@pytest.mark.parametrize(
    ("replies", "spoil"),
    [
        ([CUBE_IN_BOWL], None),
        ([CUBE_IN_BOWL, put("red cube", "green bowl", pick=False)], ("place", "missed")),
        ([CUBE_IN_BOWL, CUBE_IN_BOWL], ("locate", "not-found")),
        ([CANNOT], None),
        ([{"goal": "it is so", "subtasks": []}], None),
    ],
)
def test_a_run_is_the_same_with_and_without(tmp_path, replies, spoil):
    done = {}
    for early in (False, True):
        robot = FakeRobot()
        if spoil:
            robot.fail_next(*spoil, times=1 + early * (spoil[0] == "locate"))  # a failed look is done once more
        run = Run(tmp_path / str(early), Streaming(replies), robot=robot, early=early)
        run.go()
        done[early] = run
    assert events_of(tmp_path / "True") == events_of(tmp_path / "False")
    assert done[True].robot.world.objects == done[False].robot.world.objects


def test_without_the_option_nothing_of_it_is_written(tmp_path):
    run = Run(tmp_path / "run", Streaming([CUBE_IN_BOWL]))
    run.go()
    assert not run.of("step-begun") and not any("early" in event.data for event in run.events)
    assert [data["key"] for data in run.of("step-started")] == [
        f"{run.run.run_id}.1.{n}" for n in ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3")
    ]


def test_a_look_is_under_way_before_the_rest_is_written(tmp_path):
    looked, written_before = threading.Event(), []

    class Watched(FakeRobot):
        def execute(self, step):
            if step.do == "locate" and ".look." not in step.key:
                written_before.append(model.written.is_set())
                looked.set()
            return super().execute(step)

    def between(number):
        assert looked.wait(10), "the rest waited for the first step in vain"

    model = Streaming([CUBE_IN_BOWL], between)
    run = Run(tmp_path / "run", model, robot=Watched(), early=True)
    assert run.go().outcome == "success"
    assert run.done == CANONICAL, "the look was done once"
    assert written_before == [False, True]
    kinds = [event.kind for event in run.events]
    assert kinds.index("step-begun") < kinds.index("reply") < kinds.index("policy") < kinds.index("step-started")
    (begun,), starts, ends = run.of("step-begun"), run.of("step-started"), run.of("step-finished")
    assert [data.get("early", False) for data in starts] == [data.get("early", False) for data in ends] == [True] + [False] * 5
    assert starts[0]["key"] == ends[0]["key"] == begun["key"] == run.of("policy")[0]["early"]
    assert any("begun while the policy is written: locate red cube" in text for *_, text in Story.of(run.events).moments)


class Slowly(BaseHTTPRequestHandler):
    """A model's server that sends a reply's last piece when it may."""

    policy, may = say(CUBE_IN_BOWL), threading.Event()

    def do_GET(self):
        self._answer(json.dumps({"object": "list", "data": [{"id": "m"}]}).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        end = behind_first_step(self.policy)
        for piece in [*self.policy[:end], self.policy[end:]]:
            if len(piece) > 1:
                assert self.may.wait(10), "the last piece waited for the first step in vain"
            self._send({"delta": {"content": piece}})
        self._send({"delta": {}, "finish_reason": "stop"})

    def _send(self, choice):
        self.wfile.write(b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\n")

    def _answer(self, data: bytes):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        pass


@contextmanager
def served_slowly():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slowly)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def test_a_look_is_under_way_before_the_last_byte_of_a_served_reply_is_sent(tmp_path):
    class Watched(FakeRobot):
        def execute(self, step):
            if step.do == "locate":
                Slowly.may.set()
            return super().execute(step)

    Slowly.may.clear()
    with served_slowly() as url:
        run = Run(tmp_path / "run", OpenAIModel(url), robot=Watched(), early=True)
        assert run.go().outcome == "success"
    assert run.done == CANONICAL and run.of("policy")[0]["early"]


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (say(CUBE_IN_BOWL).replace('"grasp"', '"grab"'), "the reply was refused"),
        (say(CUBE_IN_BOWL)[:-30], "the reply was refused"),
        (say(CUBE_IN_BOWL).replace('"goal"', '"gaol"', 1), ""),
        (say(CUBE_IN_BOWL).replace('"locate"', '"loctae"', 1), ""),
        (say(CUBE_IN_BOWL).replace('"red cube"', '"the table!"', 1), ""),
    ],
)
def test_of_a_reply_that_is_refused_nothing_counts(tmp_path, refused, why):
    run = Run(tmp_path / "run", Streaming([refused, BALL_IN_BOWL]), early=True)
    assert run.go().outcome == "success"
    begun = run.of("step-begun")
    assert [data["arguments"]["object"] for data in begun] == ["red cube", "blue ball"] * bool(why) or ["blue ball"]
    told = [data["text"] for data in run.of("note")]
    assert told == ([f"locate red cube, begun early, is not used: {why}"] if why else [])
    assert next(data["arguments"].get("object") for data in run.of("step-started")) == "blue ball"


def test_a_reply_that_is_asked_for_again_may_begin_otherwise(tmp_path):
    """A server hangs up behind the first step, and writes another policy when it is asked again."""

    class Breaking(Streaming):
        def generate(self, messages, *, on_text=None, **options):
            text, on_text = self.replies[self.asked], on_text or (lambda piece: None)
            on_text(text[: behind_first_step(text)])
            self.asked += 1
            if self.asked == 1:
                return self.generate(messages, on_text=on_text)  # as `patiently` does, in the same call
            on_text(text[behind_first_step(text) :])
            return Reply(text)

    run = Run(tmp_path / "run", Breaking([CUBE_IN_BOWL, BALL_IN_BOWL]), early=True)
    assert run.go().outcome == "success"
    assert [data["text"] for data in run.of("note")] == [
        "locate red cube, begun early, is not used: the policy does not begin with it"
    ]
    assert run.robot.world.objects["blue ball"].support == "green bowl"


def test_a_model_that_dies_behind_the_first_step_ends_the_run_as_ever(tmp_path):
    def gone(number):
        raise ModelUnreachable("the model is gone.")

    run = Run(tmp_path / "run", Streaming([CUBE_IN_BOWL], gone), early=True)
    assert (run.go().outcome, run.done) == ("stopped", ["locate"])
    assert not run.of("step-started") and "the run ended" in run.of("note")[-1]["text"]


@pytest.mark.parametrize("first", [{"do": "go_to", "place": "table"}, {"do": "ask", "question": "which one?", "as": "answer"}])
def test_what_moves_or_speaks_waits_for_the_whole_policy(tmp_path, first):
    steps = [first, {"do": "locate", "object": "red cube", "as": "cube"}]
    policy = {"goal": "x", "subtasks": [{"name": "x", "steps": steps}]}
    run = Run(tmp_path / "run", Streaming([policy, policy]), early=True)
    run.go()
    assert run.done[0] == first["do"] and not run.of("step-begun")


def test_which_primitives_are_harmless():
    assert [name for name, one in STANDARD.items() if harmless(one)] == ["locate", "find_all", "check"]
    assert not harmless(Primitive("say_hello", "perception", "Say it.")), "it speaks, whatever it was declared as"
    assert not harmless(Primitive("sample", "perception", "Take a drop.", final=True))
    assert not harmless(Primitive("scan", "perception", "Map the room.", makes=("mapped",)))


def test_a_person_is_asked_before_any_step_where_always_is_said(tmp_path):
    with pytest.raises(UsageError, match="no step begins before a person has said yes"):
        Run(tmp_path / "run", Streaming([CUBE_IN_BOWL]), early=True, confirm="always")


def test_what_was_seen_before_a_person_was_asked_is_looked_at_again(tmp_path):
    """A yes may come minutes later."""
    model = Streaming([put("blue ball", "green bowl")])
    model.can = Capabilities()
    spec = asked("put the red cube in the green bowl")
    run = Run(tmp_path / "run", model, spec=spec, early=True, confirm=lambda question: True)
    run.go()
    assert "is not used: a person is asked first" in run.of("note")[1]["text"]
    assert not run.of("step-finished")[0].get("early")


def test_a_sentence_that_moves_nothing_begins_nothing(tmp_path):
    model = Streaming([CUBE_IN_BOWL])
    model.can = Capabilities()
    run = Run(tmp_path / "run", model, spec=asked("where is the red cube?"), early=True)
    assert (run.go().outcome, model.asked, run.robot.log) == ("failure", 0, [])


def test_a_check_that_failed_is_not_begun_again(tmp_path):
    look = {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"}
    claim = {"goal": "x", "subtasks": [{"name": "see", "steps": [look]}]}
    run = Run(tmp_path / "run", Streaming([claim, claim, CUBE_IN_BOWL]), early=True)
    assert run.go().outcome == "success"
    assert [data["do"] for data in run.of("step-begun")] == ["check", "locate"], "the refuted claim was refused at its prefix"


def slow_to_look() -> tuple[FakeRobot, threading.Event]:
    robot, looks = FakeRobot(), threading.Event()
    robot.script("locate", Script(delay_s=20.0, before=lambda world: looks.set()))
    return robot, looks


def test_a_stop_ends_the_look_too(tmp_path):
    robot, looks = slow_to_look()
    run = Run(
        tmp_path / "run", Streaming([CUBE_IN_BOWL], lambda n: looks.wait(10) and run.run.stop("enough")), robot, early=True
    )
    outcome = run.go()
    assert (outcome.outcome, outcome.reason, run.done) == ("stopped", "enough", ["locate"])
    assert not run.of("step-started") and "is not used" in run.of("note")[-1]["text"]


def test_after_a_stop_nothing_begins(tmp_path):
    class Late(Streaming):
        def generate(self, messages, **options):
            time.sleep(0.1)  # the run waits for its words by then
            run.run.stop("enough")
            return super().generate(messages, **options)

    run = Run(tmp_path / "run", Late([CUBE_IN_BOWL]), early=True)
    assert (run.go().outcome, run.done, run.of("step-begun")) == ("stopped", [], [])


def test_the_end_of_the_runs_time_ends_the_look_too(tmp_path):
    waited, (robot, looks) = threading.Event(), slow_to_look()
    model = Streaming([CUBE_IN_BOWL], lambda number: waited.wait(10))
    run = Run(tmp_path / "run", model, robot, early=True, budget=Budget(run_s=0.5))
    assert run.go().outcome == "timeout"
    assert looks.is_set() and not run.run.body.busy and robot._stop.is_set()
    waited.set()


def test_a_new_instruction_takes_the_place_of_what_was_begun(tmp_path):
    said = asked("put the red cube in the green bowl")
    model = Streaming([CUBE_IN_BOWL, BALL_IN_BOWL], lambda number: number or run.run.instruct("no, the blue ball"))
    run = Run(tmp_path / "run", model, spec=said, early=True)
    assert run.go().outcome == "success"
    assert next(data["arguments"].get("object") for data in run.of("step-started")) == "blue ball"
    assert run.done == ["locate", *CANONICAL], "one look was for nothing"
    assert run.robot.world.objects["red cube"].support == "table"


def test_a_scripted_change_comes_as_without(tmp_path):
    changes = (change(1, "no, the blue ball"),)
    for early in (False, True):
        spec = asked("put the red cube in the green bowl", changes=changes)
        Run(tmp_path / str(early), Streaming([CUBE_IN_BOWL, BALL_IN_BOWL]), spec=spec, early=early).go()
    assert events_of(tmp_path / "True") == events_of(tmp_path / "False")


class Dead(FakeRobot):
    """Fails when it is to look, as a driver does."""

    def execute(self, step):
        raise OSError("no such device")


def test_a_dead_robot_is_told_as_ever(tmp_path):
    ends = {}
    for early in (False, True):
        run = Run(tmp_path / str(early), Streaming([CUBE_IN_BOWL]), Dead(), early=early)
        ends[early] = run.go()
    assert ends[True].reason == ends[False].reason and ends[True].outcome == ends[False].outcome == "stopped"


def test_a_robot_that_hangs_is_stopped_as_ever(tmp_path):
    robot = FakeRobot()
    robot.script("locate", Script(delay_s=3.0, deaf=True))
    robot.manifest.primitives["locate"] = Primitive(**{**vars(robot.manifest.primitives["locate"]), "timeout_s": 0.1})
    run = Run(tmp_path / "run", Streaming([CUBE_IN_BOWL]), robot, early=True, budget=Budget(step_grace_s=0.01))
    outcome = run.go()
    assert outcome.outcome == "timeout" and "did not give the end of 'locate'" in outcome.reason
    assert robot._stop.is_set()


def test_over_http_the_look_is_one_execution(tmp_path):
    served = FakeRobot()
    with running_server(served, "a-token-for-tests") as address, RemoteRobot(address.url, address.token) as robot:
        run = Run(tmp_path / "run", Streaming([CUBE_IN_BOWL]), robot, early=True)
        assert run.go().outcome == "success"
    assert [step.do for step in served.log if ".look." not in step.key] == CANONICAL


class Power(BaseException):
    """The power goes."""


def resumed(out: Path, robot) -> LiveRun:
    spec, events = read_run(out)
    run = LiveRun(out, spec, robot, Streaming([CUBE_IN_BOWL]), past=events, early=True)
    assert run.go().outcome == "success"
    return run


@pytest.mark.parametrize("kind", ["step-begun", "reply", "policy", "step-started", "step-finished"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("robot", [FakeRobot, type("Remote", (FakeRobot,), {"snapshot": None, "restore": None})])
def test_wherever_the_power_goes_no_finished_step_comes_again(tmp_path, kind, after, robot):
    first = robot()
    run = Run(tmp_path / "run", Streaming([CUBE_IN_BOWL]), first, early=True)
    write = run.run.journal.append

    def append(*events):
        hit = any(event.kind == kind for event in events)
        told = write(*events) if after or not hit else []
        if hit:
            raise Power
        return told

    run.run.journal.append = append  # type: ignore[method-assign]
    with pytest.raises(Power):
        run.go()
    outlives = robot is not FakeRobot
    again = resumed(tmp_path / "run", first if outlives else FakeRobot())
    ends = Counter(event.data["key"] for event in read_events(tmp_path / "run") if event.kind == "step-finished")
    assert len(ends) == 6 and set(ends.values()) == {1}
    done = Counter(step.key for step in first.log)
    assert set(done.values()) == {1}
    had_policy = any(event.kind == "policy" for event in again._past)
    assert again.planner.model.asked == (not had_policy), "a policy that stands is not asked for again"
    if had_policy:  # the look of before is the step's own
        assert len([do for do in first.log if do.do == "locate" and ".look." not in do.key]) == (2 if outlives else 1)


@pytest.mark.parametrize(("kind", "after"), [("simulated", False), ("remote", True)])
def test_a_process_killed_in_the_look_is_taken_over(tmp_path, kind, after):
    out = tmp_path / "run"
    ends, context = [], multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["life"])
    for _ in range(2):
        process = context.Process(target=life.die_looking, args=(out, kind, after))
        process.start()
        process.join(60)
        ends.append(process.exitcode)
    assert ends == [-signal.SIGKILL, 0]
    events = read_events(out, blobs=False)
    begun = [event.data["key"] for event in events if event.kind == "step-begun"]
    assert len(begun) == len(set(begun)) == 2, "the look of the dead process is nobody's"
    keys = Counter(event.data["key"] for event in events if event.kind == "step-finished")
    assert len(keys) == 6 and set(keys.values()) == {1} and begun[0] not in keys and begun[1] in keys


@pytest.mark.parametrize(
    ("text", "rest", "closed"),
    [
        ('{"goal":"a } in [","seen":[["cube",[1,2,3,4]]],"subtasks":[{"name":"say \\"}\\" }","steps":[{"do":"find"', "}", "}"),
        (' {\n "goal" : "x" , "subtasks" : [ { "name" : "y" , "steps" : [ { "do" : "locate" , "as" : "cube"', " }", " }"),
        ('{"goal":"x","subtasks":[{"name":"y","steps":[{"do":"find","n":["a",{"as":1}]', ',"as":"b"}', ',"as":"it"}'),
    ],
)
def test_the_first_step_closes_once_wherever_the_text_is_cut(text, rest, closed):
    whole = text + rest + ',{"do":"grasp","as":"c"}]}]}'
    for size in (1, 2, 7, len(whole)):
        heard = list[str]()
        first = FirstStep(heard.append)
        for start in range(0, len(whole), size):
            first.add(whole[start : start + size])
        assert first.closed.get_nowait() == text + closed + "]}]}" and first.closed.empty()
        assert "".join(heard) == whole and json.loads(text + closed + "]}]}")


def test_text_without_a_step_closes_nothing():
    for text in (say(CANNOT), '{"goal":"x","subtasks":[]}', "no JSON } at all", "[[[[[{}]]]]]"[3:], "}" * 100):
        first = FirstStep()
        first.add(text)
        assert first.closed.empty()
