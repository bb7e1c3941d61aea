"""`confirm="always"`: nothing moves before a person has said yes to what was understood."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from run_kit import asked, change, put, say

from vlp.cli.keyboard import Keyboard
from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.policy.model import Policy
from vlp.robot.client import RemoteRobot
from vlp.robot.serving import running_server
from vlp.runtime.body import Budget
from vlp.runtime.confirming import EditedText, Proposal
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import read_run
from vlp.runtime.subscribers.report import replay
from vlp.sim.fake.robot import FakeRobot
from vlp.understanding.gate import Gate, NotUnderstood

CUBE = put("red cube", "green bowl")
BALL = put("blue ball", "green bowl")
LINE = "the red cube is in the green bowl (pick up the red cube, put it in the green bowl)"


class Person:
    """Gives one answer to each question, from a thread of its own, and keeps what was refused."""

    def __init__(self, *answers, by: str = "api") -> None:
        self.answers, self.by = list(answers), by
        self.run: LiveRun | None = None
        self.asked: list[dict] = []
        self.refused: list[str] = []
        self.moved_before = 0

    def on_event(self, event: Event) -> None:
        if event.kind != "confirm-asked":
            return
        self.asked.append(event.data)
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        assert self.run is not None
        while self.answers and self.run.proposal is not None:
            said = self.answers.pop(0)
            try:
                said(self.run) if callable(said) else self.run.answer(said, self.by, self.asked[-1]["revision"])
                return
            except Exception as error:
                self.refused.append(str(error))


@pytest.fixture
def talk(make_run):
    """Run with a person who gives these answers, and return both."""

    def go(person: Person, replies, **more):
        run = make_run(replies, confirm="always", subscribers=[person], **{"budget": Budget(run_s=60.0), **more})
        person.run = run.run
        run.go()
        return run

    return go


def until(holds, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("yes", [True, "yes", "OK.", " y ", "Yes, please!", "sure, go ahead"])
def test_a_yes_starts_what_was_shown(talk, yes):
    person = Person(yes)
    run = talk(person, [CUBE])
    assert run.outcome.outcome == "success" and "place" in run.done
    kinds = [event.kind for event in run.events]
    asked_at, said_at, moved_at = (kinds.index(k) for k in ("confirm-asked", "confirm-answered", "step-started"))
    assert kinds.index("understood") < asked_at < said_at < moved_at
    (shown,), (said,) = person.asked, run.of("confirm-answered")
    assert (shown["text"], len(shown["steps"]), shown["final"], shown["revision"]) == (LINE, 6, [], 1)
    assert shown["steps"][1] == "1.2 grasp $red_cube" and 0 <= shown["image_age_s"] < 30
    assert (said["answer"], said["by"], said["revision"]) == ("yes", "api", 1) and 0 <= said["waited_s"] < 30


@pytest.mark.parametrize("no", [False, "no", "No!", "nope"])
def test_a_no_ends_the_run_without_a_step_and_without_a_latch(talk, no):
    run = talk(Person(no), [CUBE])
    assert (run.outcome.outcome, run.done) == ("stopped", [])
    assert run.outcome.account == f"stopped: not confirmed, no (api): {LINE}"
    assert not run.robot._stop.is_set(), "a robot that stands still needs no reset after a no"


@pytest.mark.parametrize(
    "text", ["yes", "stop", "put the blue ball in the green bowl", f"[{say(BALL)}]", f"// mine\n{say(BALL)}", ""]
)
def test_what_an_editor_left_is_a_policy_or_refused(talk, text: str):
    """Against: a yes in the file started the robot, a list became an instruction, a comment was a control character in one."""
    person = Person(EditedText(text), EditedText(say(BALL)), "yes")
    run = talk(person, [CUBE])
    assert len(person.refused) == 1 and person.refused[0].startswith("the policy is refused: ")
    assert run.outcome.outcome == "success" and run.robot.world.objects["blue ball"].support == "green bowl"
    assert len(run.of("instruction")) == 1 and not run.robot._stop.is_set()


def test_another_sentence_is_planned_and_asked_about_in_its_turn(talk):
    person = Person("put the blue ball in the green bowl", "yes", by="terminal")
    run = talk(person, [CUBE, BALL])
    assert run.outcome.outcome == "success"
    assert [e["text"] for e in run.of("instruction")][1:] == ["put the blue ball in the green bowl"]
    assert [(e["answer"], e["by"]) for e in run.of("confirm-answered")] == [("instruction", "terminal"), ("yes", "terminal")]
    assert [e["name"] for e in run.of("trigger")] == ["new-instruction"]
    assert run.robot.world.objects["blue ball"].support == "green bowl"
    assert run.robot.world.objects["red cube"].support != "green bowl"


def test_the_same_sentence_again_asks_the_model_again(talk):
    """Against: nothing told the loop that a sentence was new, and it asked about the same policy for ever."""
    run = talk(Person(Instruction.of("put the red cube in the green bowl"), True), [BALL, CUBE])
    assert run.outcome.outcome == "success" and run.robot.world.objects["red cube"].support == "green bowl"


@pytest.mark.parametrize("form", [say, dict, Policy.from_json], ids=["text", "document", "object"])
def test_an_edited_policy_is_checked_shown_again_and_done(talk, form):
    person = Person(form(BALL), "yes")
    run = talk(person, [CUBE])
    assert run.outcome.outcome == "success" and len(run.model.calls) == 1
    assert run.robot.world.objects["blue ball"].support == "green bowl"
    assert [shown["revision"] for shown in person.asked] == [1, 2] and "blue ball" in person.asked[1]["text"]
    policies = run.of("policy")
    assert [p.get("by", "") for p in policies] == ["", "api"] and "blue ball" in policies[1]["diff"]["text"]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("{not JSON", "JSON"),
        ("edit", "JSON"),
        (say(put("red cube", "green bowl")).replace("grasp", "gras"), "grasp"),
        (say(put("red cube", "green bowl")).replace("0.1", "9"), "0.3"),
        (say(put("red cube", "green bowl", pick=False)), "hand"),
    ],
)
def test_an_edit_that_fails_the_checks_says_why_and_the_question_stays(talk, edit: str, why: str):
    person = Person(edit, "yes")
    run = talk(person, [CUBE])
    assert why in person.refused[0]
    assert run.outcome.outcome == "success" and len(person.asked) == 1, "the policy that was shown was done"
    assert run.of("note")[0]["text"] == f"answer not taken: {person.refused[0]}"


def test_an_edit_keeps_to_the_instruction_as_a_models_policy_must(make_run):
    """The checks of the model's own policies: the gate refuses what was not asked for, whoever wrote it."""
    from test_understanding import reading

    person = Person(say(BALL), "no")
    run = make_run(reading(CUBE), confirm="always", subscribers=[person])
    person.run = run.run
    run.go()
    assert "blue ball" in person.refused[0] and run.done == []


def test_a_sentence_that_is_not_understood_is_refused_and_the_question_stays(make_run):
    from test_understanding import reading

    person = Person("put the banana in the fridge", "what is that?", "yes")
    run = make_run(reading(CUBE), confirm="always", subscribers=[person])
    person.run = run.run
    assert run.go().outcome == "success"
    assert "'banana'" in person.refused[0] and len(person.refused) == 2


def test_a_doubt_is_told_with_the_question_and_not_asked_twice(make_run):
    from test_understanding import reading

    person = Person("yes")
    said = asked("put the quixotic red cube in the green bowl")
    run = make_run(reading(CUBE, names=None), spec=said, confirm="always", subscribers=[person])
    person.run = run.run
    assert run.go().outcome == "success"
    assert "'quixotic'" in person.asked[0]["doubt"] and len(person.asked) == 1


def test_what_is_no_answer_at_all_is_refused_by_name(talk):
    person = Person(None, 3, {"goal": object()}, "yes")
    run = talk(person, [CUBE])
    assert run.outcome.outcome == "success"
    assert [why.split(" ")[0] for why in person.refused] == ["NoneType", "int", "dict"]


@pytest.mark.parametrize("words", ["stop", "please wait", "don't"])
def test_words_for_stopping_stop_robot_and_run(talk, words: str):
    run = talk(Person(words), [CUBE])
    assert (run.outcome.outcome, run.done) == ("stopped", []) and run.robot._stop.is_set()
    assert not run.of("confirm-answered")


def test_a_no_after_the_yes_is_a_word_for_stopping_again(make_run):
    class Regrets(FakeRobot):
        def execute(self, step):
            if step.do == "grasp":
                run.run.answer("no")
            return super().execute(step)

    person = Person("yes")
    run = make_run([CUBE], robot=Regrets(), confirm="always", subscribers=[person])
    person.run = run.run
    assert (run.go().outcome, "place" in run.done) == ("stopped", False)


@pytest.mark.parametrize("how", ["stop", "instruct"])
def test_a_stop_from_elsewhere_ends_the_wait_at_once(talk, how: str):
    run = talk(Person(lambda run: run.stop() if how == "stop" else run.instruct("stop")), [CUBE])
    assert (run.outcome.outcome, run.done) == ("stopped", [])


def test_an_instruction_from_elsewhere_takes_the_question_back(talk):
    person = Person(lambda run: run.instruct("put the blue ball in the green bowl"), "yes")
    run = talk(person, [CUBE, BALL])
    assert run.outcome.outcome == "success" and [shown["revision"] for shown in person.asked] == [1, 2]
    assert [e["answer"] for e in run.of("confirm-answered")] == ["yes"]


def test_a_wait_is_part_of_the_runs_time(talk):
    run = talk(Person(), [CUBE], budget=Budget(run_s=0.5))
    assert (run.outcome.outcome, run.done) == ("timeout", [])


def test_what_nobody_asks_or_what_was_answered_is_refused(talk, make_run):
    """An answer is never lost silently: the second of two, one before the question, one after the end."""
    said = []

    class Twice(Person):
        def on_event(self, event: Event) -> None:  # in the thread of the loop: the first answer cannot have been taken up yet
            if event.kind == "observation" and not self.asked:
                said.append(_why(self.run, "yes"))
            if event.kind == "confirm-asked":
                self.asked.append(event.data)
                said.extend([_why(self.run, "yes"), _why(self.run, False)])

    run = talk(Twice(), [CUBE])
    assert run.outcome.outcome == "success"
    assert [word in why for word, why in zip(["nobody", "", "answered already: yes"], said, strict=True)] == [True] * 3
    assert said[1] == "" and "nobody is asked" in _why(run.run, "yes")


def test_a_yes_is_to_the_policy_that_was_shown(talk):
    """A program that said yes as soon as it was asked agreed to a policy that nobody had been shown."""
    person = Person(lambda run: run.answer(True), lambda run: run.answer("yes", revision=7), lambda run: run.answer(False))
    run = talk(person, [CUBE])
    assert run.outcome.outcome == "stopped" and not run.done
    assert [why.partition(".")[0] for why in person.refused] == [
        "a yes is to one policy", "policy 7 is no longer asked about; now it is policy 1",
    ]  # fmt: skip


def test_of_many_threads_one_answer_counts(make_run):
    gate, said = threading.Barrier(8), []
    run = make_run([CUBE], confirm="always")

    def answer() -> None:
        until(lambda: run.run.proposal is not None)
        gate.wait(10)
        said.append(_why(run.run, "yes"))

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    outcome = run.go()
    for thread in threads:
        thread.join(10)
    assert outcome.outcome == "success" and len(run.of("confirm-answered")) == 1
    assert sorted(bool(why) for why in said) == [False] + [True] * 7


def _why(run: LiveRun | None, said) -> str:
    assert run is not None
    try:
        run.answer(said, revision=1)
    except (UsageError, NotUnderstood) as error:
        return str(error)
    return ""


def test_a_run_that_asks_nobody_takes_no_answer(make_run):
    with pytest.raises(UsageError, match='confirm="always"'):
        make_run([CUBE]).run.answer("yes")


def test_every_new_policy_with_an_action_is_asked_about_and_no_other(talk):
    """After a failed step the new policy only goes on with what was agreed, and is asked about all the same."""
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    person = Person("yes", "yes")
    look = {"goal": "it is known", "subtasks": [{"name": "look", "steps": [{"do": "locate", "object": "red cube", "as": "c"}]}]}
    spec = asked(changes=(change(8, "where is the cube"),))
    run = talk(person, [CUBE, CUBE, look], robot=robot, spec=spec)
    assert [shown["revision"] for shown in person.asked] == [1, 2]
    assert [p["revision"] for p in run.of("policy")] == [1, 2, 3]


def test_what_cannot_be_undone_is_marked_in_what_is_shown(talk):
    policy = put("red cube", "bin")
    policy["subtasks"][1]["steps"] = [{"do": "go_to", "place": "bin"}, {"do": "place", "target": "bin", "relation": "in"}]
    person = Person("no")
    run = talk(person, [policy], spec=asked("throw the red cube away"))
    assert person.asked[0]["final"] == ["2.2"] and "cannot be undone: 2.2" in person.asked[0]["text"] and run.done == []


def test_the_question_at_a_terminal_tells_how_old_the_image_is(talk):
    """Against: the line of the live terminal left out the age that the pipe's question tells."""
    keyboard, lines = Keyboard(0), []

    def read(run: LiveRun) -> None:
        keyboard._run = run
        lines.append(keyboard.line())
        run.answer("no")

    talk(Person(read), [CUBE])
    assert lines[0].startswith("? Carry this out, planned from an image taken 0 s ago? yes, no, edit, or another sentence")
    aged = Proposal(1, "", (), (), "", image_at_s=time.time() - 61)
    assert aged.image_age == "planned from an image taken 61 s ago"


@pytest.mark.parametrize("line", ["yes", "no", "stop", "wait", "Ctrl-C", "nothing"])
def test_a_doubt_takes_its_answer_and_a_stop_or_the_time_limit_ends_the_wait(make_run, monkeypatch, line: str):
    """Against: a yes at "Go on?" was "nobody is asked now", and no, stop, Ctrl-C and the time limit left the run waiting."""
    ours, theirs = os.openpty()
    keyboard = Keyboard(theirs)
    model = ScriptedModel([say(CUBE)])
    spec = asked("put the quixotic red cube in the green bowl", budget=Budget(run_s=2.0 if line == "nothing" else 60.0))
    run = make_run(model, spec=spec, confirm=keyboard.confirm)
    monkeypatch.setattr(Gate, "doubts", lambda gate, said, *_: {said[-1]: "'quixotic' is not known."})

    def type_it() -> None:
        until(lambda: "Go on?" in keyboard.line())
        if line == "Ctrl-C":
            run.run.stop()
        elif line != "nothing":
            os.write(ours, f"{line}\r".encode())

    threading.Thread(target=type_it, daemon=True).start()
    with keyboard.listening(run.run):
        outcome = run.go()
    os.close(ours)
    os.close(theirs)
    assert outcome.outcome == {"yes": "success", "no": "failure", "nothing": "timeout"}.get(line, "stopped")
    assert bool(run.done) == (line == "yes")
    assert outcome.reason.startswith("stopped by the person") == (line in ("stop", "wait", "Ctrl-C"))
    assert run.robot._stop.is_set() == (line in ("stop", "wait", "Ctrl-C"))


def test_report_result_and_story_tell_it_in_a_line(talk, tmp_path):
    talk(Person("yes"), [CUBE])
    story = replay(tmp_path / "run")
    told = [text for _, kind, text in story.moments if kind == "confirm"]
    assert told[0].startswith("carry out policy 1, planned from an image taken 0 s ago?") and told[1] == "yes (api, after 0 s)"
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["policies"][0]["confirmed"] == "yes (api, after 0 s)"
    assert "asked before it moved: yes (api, after 0 s)" in (tmp_path / "run" / "report.html").read_text()


# Killed and resumed.


class Power(BaseException):
    """The power goes."""


def resume(out: Path, robot: FakeRobot, person: Person, replies=()) -> LiveRun:
    spec, events = read_run(out)
    run = LiveRun(out, spec, robot, ScriptedModel(list(replies)), past=events, confirm="always", subscribers=[person])
    person.run = run
    run.go()
    return run


def cut(run, kind: str) -> None:
    """Let the process "die" before an event is written."""
    write = run.run.journal.append

    def append(*events):
        if any(event.kind == kind for event in events):
            raise Power
        return write(*events)

    run.run.journal.append = append  # type: ignore[method-assign]


@pytest.mark.parametrize(("cut_at", "asks"), [("confirm-asked", 1), ("confirm-answered", 1), ("step-started", 0)])
def test_a_run_killed_while_waiting_asks_again_and_after_a_yes_it_does_not(make_run, tmp_path, cut_at: str, asks: int):
    first, again = Person("yes"), Person("yes")
    run = make_run([CUBE], confirm="always", subscribers=[first])
    first.run = run.run
    cut(run, cut_at)
    with pytest.raises(Power):
        run.go()
    robot = FakeRobot()
    resume(tmp_path / "run", robot, again)
    events = read_events(tmp_path / "run", blobs=False)
    assert events[-1].data["outcome"] == "success" and robot.world.objects["red cube"].support == "green bowl"
    # What is shown again from the past is not asked again.
    fresh = [e for e in events if e.kind == "confirm-asked" and e.seq > next(r.seq for r in events if r.kind == "run-resumed")]
    assert len(fresh) == asks


def test_a_resumed_run_asks_again_after_a_no(talk, tmp_path):
    talk(Person("no"), [CUBE])
    robot, person = FakeRobot(), Person("yes")
    resume(tmp_path / "run", robot, person)
    assert robot.world.objects["red cube"].support == "green bowl"


@pytest.mark.parametrize("answer", ["put the blue ball in the green bowl", say(BALL)], ids=["sentence", "edit"])
def test_a_run_killed_after_an_answer_has_kept_it(make_run, tmp_path, answer: str):
    """Killed once the answer is written down, before anything follows from it: it is not asked for a second time."""
    first = Person(answer)
    run = make_run([CUBE], confirm="always", subscribers=[first])
    first.run = run.run
    write = run.run.journal.append
    run.run.journal.append = lambda *events: _then_die(write(*events), "confirm-answered")  # type: ignore[method-assign]
    with pytest.raises(Power):
        run.go()
    robot, person = FakeRobot(), Person("yes")
    resume(tmp_path / "run", robot, person, [say(BALL)])
    assert robot.world.objects["blue ball"].support == "green bowl"


def _then_die(written, kind: str):
    if any(event.kind == kind for event in written):
        raise Power
    return written


WAITING = """
import sys
sys.path.insert(0, sys.argv[2])
from run_kit import asked, put, say
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run
from vlp.sim.fake.robot import FakeRobot
Run(sys.argv[1], asked(), FakeRobot(), ScriptedModel([say(put("red cube", "green bowl"))]), confirm="always").go()
"""


def waits(out: Path) -> bool:
    """Whether the run of a directory has asked; its journal may be about to be made."""
    with contextlib.suppress(UsageError):
        return bool(read_events(out, ["confirm-asked"], blobs=False))
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_process_that_waits_can_be_ended_and_resumed(tmp_path, number):
    out = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", WAITING, str(out), str(Path(__file__).parent)]) as process:
        try:
            until(lambda: waits(out))
            process.send_signal(number)
            process.wait(20)
        finally:
            process.kill()
    assert not read_events(out, ["step-started"], blobs=False)
    robot, person = FakeRobot(), Person("yes")
    resume(out, robot, person)
    assert robot.world.objects["red cube"].support == "green bowl" and person.asked


# A served robot.


def test_a_waiting_run_holds_the_robot_and_its_stop_ends_the_wait(make_run):
    robot = FakeRobot()
    with (
        running_server(robot) as at,
        RemoteRobot(at.url, at.token, ttl_s=0.6) as remote,
        RemoteRobot(at.url, at.token) as other,
    ):
        holders = []

        def think(run) -> None:
            time.sleep(1.5)  # longer than the lease lasts by itself
            holders.append(other.health().lease)
            other.stop()

        person = Person(think)
        run = make_run([CUBE], robot=remote, confirm="always", subscribers=[person])
        person.run = run.run
        outcome = run.go()
    assert holders[0] is not None
    assert outcome.outcome == "stopped" and "the robot was stopped" in outcome.reason and run.of("step-started") == []


def test_a_robot_that_somebody_else_holds_asks_nobody(make_run):
    with running_server(FakeRobot()) as at, RemoteRobot(at.url, at.token, holder="ann") as ann:
        ann.take_lease()
        with RemoteRobot(at.url, at.token, holder="bob") as bob:
            person = Person("yes")
            run = make_run([CUBE], robot=bob, confirm="always", subscribers=[person])
            person.run = run.run
            outcome = run.go()
    assert outcome.outcome == "stopped" and "ann" in outcome.reason and not person.asked
