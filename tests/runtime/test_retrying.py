"""A step that failed, tried again with sense: bounded, in another way each time, never what cannot be undone."""

import pytest
from run_kit import asked, change, put

from vlp.core.errors import UsageError
from vlp.journal import Event, Journal, read_events
from vlp.runtime.run import Run as Runtime
from vlp.runtime.run import read_run
from vlp.runtime.sequencer import FailedStep, Learned, Replan, Retry, open_sequencer, tries_of
from vlp.sim.fake.robot import FakeRobot, Script

CUBE_IN_BOWL = put("red cube", "green bowl")


def ways(run) -> list[str]:
    return [data["how"] for data in run.of("retry")]


def test_a_slip_costs_no_policy(make_run):
    """A finger that slipped once made the model write a whole new policy."""
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    run = make_run([CUBE_IN_BOWL], robot=robot, sequencer=Retry())
    assert run.go().outcome == "success"
    assert ways(run) == ["look"] and len(run.of("policy")) == 1
    assert [d["key"][-4:] for d in run.of("step-finished") if d["do"] == "grasp"] == [".1.2", ".2.1"]


def test_a_thing_that_was_moved_is_looked_for_again(make_run):
    robot = FakeRobot()

    def nudge(world) -> None:
        world._shift("red cube", 0.07, 0.0)

    robot.script("grasp", Script(before=nudge))
    run = make_run([CUBE_IN_BOWL], robot=robot, sequencer=Retry())
    assert run.go().outcome == "success"
    assert ways(run) == ["look"] and len(run.of("policy")) == 1


def test_no_step_is_tried_twice_more_in_the_same_way(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped", times=3)
    run = make_run([CUBE_IN_BOWL, CUBE_IN_BOWL], robot=robot, sequencer=Retry())
    assert run.go().outcome == "success"
    assert ways(run) == ["look", "retry"] and len(run.of("policy")) == 2


def test_a_new_instruction_ends_the_tries(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped", times=9)
    spec_changes = (change(2, "put the blue ball in the green bowl"),)
    run = make_run(
        [CUBE_IN_BOWL, {"goal": "the blue ball is in the green bowl", "cannot": "it is stuck"}], robot=robot,
        sequencer=Retry(), spec=asked(changes=spec_changes),
    )  # fmt: skip
    run.go()
    assert ways(run) == []


def test_a_step_whose_needs_no_longer_hold_is_not_tried_again(make_run):
    """`place` that failed after the hand had opened: the same step would act with an empty hand."""

    def drop(world) -> None:
        world.put(world.holding, "table")
        world.holding = ""

    robot = FakeRobot()
    robot.script("place", Script(code="slipped", message="it fell.", before=drop))
    run = make_run([CUBE_IN_BOWL, CUBE_IN_BOWL], robot=robot, sequencer=Retry())
    assert run.go().outcome == "success"
    assert ways(run) == []


def test_a_killed_run_goes_on_in_the_midst_of_its_tries(make_run, tmp_path):
    """Keys of tries must be the same in the process that takes over: else a try that was sent is sent again."""
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    whole = make_run([CUBE_IN_BOWL], robot=robot, sequencer=Retry())
    whole.go()
    at = next(i for i, e in enumerate(whole.events) if e.kind == "retry")
    keys = [e.data["key"] for e in whole.events[at:] if e.kind == "step-started"]
    folder = tmp_path / "killed"
    journal = Journal(folder / "journal.db", False, [], [])
    for event in whole.events[: at + 2]:  # the try has begun
        journal.emit(Event(event.kind, event.data, event.blob))
    journal.close()
    spec, past = read_run(folder)
    run = Runtime(folder, spec, whole.robot, whole.model, past=past, sequencer=Retry())
    assert run.go().outcome == "success"
    sent = [e.data["key"] for e in read_events(folder, blobs=False) if e.kind == "step-started"]
    assert sent[-len(keys) + 1 :] == keys[1:] and len(set(sent)) == len(sent)


def test_a_sequencer_that_raises_leads_to_a_new_policy(make_run):
    """A table with a number of 400 digits ended the run with a traceback; nothing of its end was written."""

    class Broken:
        def decide(self, failed):
            raise OverflowError("too large")

    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    run = make_run([CUBE_IN_BOWL, CUBE_IN_BOWL], robot=robot, sequencer=Broken())
    assert run.go().outcome == "success" and len(run.of("policy")) == 2
    assert any("the sequencer failed: OverflowError" in note["text"] for note in run.of("note"))


def test_learned_leaves_what_never_helps(tmp_path):
    table = Learned()
    for way, code, helped in (("retry", "slipped", True), ("retry", "moved", False), ("look", "moved", True)):
        for _ in range(20):
            tally = table.ways.setdefault((way, "grasp", code, 1), type(table.policies)())
            tally.add(helped, 1.0)
    for _ in range(5):
        table.policies.add(True, 6.0)
    table.save(tmp_path / "table.json")
    again = Learned.load(tmp_path / "table.json")
    assert again.decide(FailedStep("grasp", "slipped", seen=True)) == "retry"
    assert again.decide(FailedStep("grasp", "moved", seen=True)) == "look"
    assert again.decide(FailedStep("grasp", "moved", seen=False)) == "replan"
    assert again.decide(FailedStep("grasp", "slipped", ("retry", "look"), True)) == "replan"


def test_tries_are_read_from_a_journal(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped", times=2)
    run = make_run([CUBE_IN_BOWL], robot=robot, sequencer=Retry())
    run.go()
    told = [(way, failed.do, failed.code, failed.tries, helped) for way, failed, helped, _ in tries_of(run.events)]
    assert told == [("look", "grasp", "slipped", 1, False), ("retry", "grasp", "slipped", 2, True)]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": "vlp-sequencer-1", "policies": [0, 0], "ways": {}}',
             '{"format": "vlp-sequencer-1", "policies": [0, 0], "ways": [["retry", "grasp", "x", 1e999, 1, 1, 1]]}',
             f'{{"format": "vlp-sequencer-1", "policies": [{"9" * 401}, 1], "ways": []}}',
             f'{{"format": "vlp-sequencer-1", "policies": [1, {"9" * 401}], "ways": []}}',
             '{"format": "other"}', '{"format": "vlp-sequencer-1", "policies": [1, -1], "ways": []}',
             '{"format": "vlp-sequencer-1", "policies": [0, 0], "ways": [["run", "grasp", "x", 1, 1, 1, 1]]}',
             '{"format": "vlp-sequencer-1", "policies": [0, 0], "ways": [["retry", "grasp", "x", 1, 1, 2, 1]]}', "[" * 10_000],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path, text):
    file = tmp_path / "table.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="no table of a sequencer"):
        open_sequencer(str(file))


def test_names_of_sequencers(tmp_path):
    assert open_sequencer("") is None and open_sequencer("retry") == Retry()
    assert Replan().decide(FailedStep("grasp", "slipped")) == "replan"
    with pytest.raises(UsageError, match=r"there is no file .*Did you mean 'retry'"):
        open_sequencer(str(tmp_path / "retrry"))
