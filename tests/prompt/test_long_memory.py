"""A long task must not grow the prompt: what is finished is told by its name, and what is believed stays."""

from vlp.core.observation import Located
from vlp.prompt.full import memory_lines
from vlp.prompt.render import Memory, StepRecord, summed_up


def steps(subtasks: int) -> tuple[StepRecord, ...]:
    return tuple(
        StepRecord(do, {"target": "$thing"}, subtask=f"bring the thing number {number}")
        for number in range(subtasks)
        for do in ("locate", "grasp", "lift", "go_to", "place")
    )


def told(subtasks: int) -> list[str]:
    names = [f"thing {n}" for n in range(40)]
    seen = {n: Located(n, (0, 0, 1, 1), (1.0, 2.0, 0.5), (0.1, 0.1, 0.1), 0.0, 1.0, float(i)) for i, n in enumerate(names)}
    return memory_lines(Memory(("set the table for six",), steps(subtasks), seen), now_s=60.0)


def test_a_hundred_subtasks_take_no_more_room_than_twenty():
    """Steps beyond the last sixteen were forgotten: a model asked anew in a long task did finished subtasks again."""
    short, long = told(20), told(200)
    assert len(long) == len(short) and len("\n".join(long)) < 1.05 * len("\n".join(short))
    assert long[1] == '- earlier subtask: "bring the thing number 185: done"'
    assert long[0] == "- 185 subtasks before these"


def test_a_short_task_is_told_step_by_step():
    assert [line.split(":")[0] for line in memory_lines(Memory(("go",), steps(3)))] == ["- step"] * 15


def test_a_subtask_whose_last_step_failed_is_not_done():
    done, failed = steps(2)[4], StepRecord("place", {}, "failed", "it slipped", "bring the thing number 1")
    assert summed_up((done, failed)) == ("bring the thing number 0: done", "bring the thing number 1: not done")
