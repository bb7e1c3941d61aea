"""Episodes without a part of re-planning: what the robot is told, what the expert goes by, what may lead to a new policy."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")

import json
from pathlib import Path
from typing import Any

import pytest

from vlp.core.errors import UsageError
from vlp.episodes.cases import sample_episode
from vlp.episodes.episode import System, set_up
from vlp.journal import Event
from vlp.runtime.loop import Loop
from vlp.sim.worlds.seeds import seed_of

FIRST = seed_of("validation", 500)


def prepared(without: str, change: str, out: Path) -> tuple[Any, Loop]:
    """Return what writes the policies of an episode, and its loop before the first step."""
    episode = sample_episode(FIRST, "dynamic", change=change)
    run, *_ = set_up(episode, System(None, "oracle", without=without), out / (without or "whole"))
    return run.planner.model, run.loop


def names(loop: Loop) -> list[str]:
    return [trigger.name for trigger in loop.triggers]


def test_each_part_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    found = {w: prepared(w, "other-place", tmp_path)[1] for w in ("", "replan", "memory", "instructions", "state")}
    every = names(found[""])
    assert "new-instruction" in every and len(every) > 5
    assert names(found["memory"]) == every
    assert names(found["instructions"]) == [name for name in every if name != "new-instruction"]
    assert names(found["state"]) == ["new-instruction"] and names(found["replan"]) == ["step-failed"]
    assert [System(None, without=w).left.goes_on for w in found] == [True, False, True, False, True], "after a stop"
    assert [found[w].budget.replans > 0 for w in found] == [True, False, True, True, True]
    said = [bool(loop._changes) for loop in found.values()]
    assert said == [True, False, True, True, True], "without re-planning nobody hears a new sentence"


@pytest.mark.parametrize("change", ["other-place", "new-task"])
@pytest.mark.parametrize("without", ["", "memory"])
def test_without_memory_the_expert_knows_the_last_sentence_alone(without: str, change: str, tmp_path: Path) -> None:
    """Guards against an expert that remembers in the model's place: it reads no prompt, so it lost nothing with it."""
    expert, loop = prepared(without, change, tmp_path)
    first = json.loads(expert.generate([]).text)
    assert first["subtasks"], "the first sentence means by itself what it was drawn for"
    (coming,) = loop._changes.values()
    for said in (str(loop.memory.knowledge.instruction), str(coming.what)):
        loop.journal.emit(Event("instruction", {"text": said, "source": "scheduled 0"}))
    then = json.loads(expert.generate([]).text)
    known = without == "" or change == "new-task"  # "no, on the tray" means something only after another sentence
    assert bool(then.get("subtasks")) is known and ("cannot" in then) is not known


def test_a_part_that_there_is_not_is_refused_with_the_closest() -> None:
    with pytest.raises(UsageError, match=r"unknown part of re-planning 'memry'.*memory"):
        System(None, without="memry").left  # noqa: B018
