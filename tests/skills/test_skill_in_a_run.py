"""A skill in a run: its words are written down while the hand moves, and a person corrects it without a new policy."""

import json
import time
from pathlib import Path

from moving import Pen, mover

from vlp.core.messages import Instruction
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run, Spec
from vlp.skills.skilled import SkilledRobot

POLICY = {
    "goal": "there",
    "subtasks": [{"name": "go", "steps": [{"do": "skill", "text": "go there"}, {"do": "paint", "size_m": 0.1}]}],
}


class Seen:
    """Keeps what it is told, and when."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_event(self, event: Event) -> None:
        if event.kind == "note":
            self.notes.append(event.data["text"])


def test_words_are_journalled_while_the_hand_moves_and_a_correction_is_no_new_instruction(tmp_path: Path) -> None:
    robot, seen = Pen(seconds=0.1), Seen()
    runs: list[Run] = []
    live: list[list[str]] = []

    def done() -> bool:
        if len(robot.moves) == 4:
            live.append(list(seen.notes))
            assert runs[0].instruct("a bit more left").text == "a bit more left"
        return robot.at[0] > 0.085

    skilled = SkilledRobot(robot, mover(lambda: "[[15,0,0,0,0],[15,0,0,0,0]]", done))
    planner = ScriptedModel([json.dumps(POLICY)])
    runs.append(Run(tmp_path, Spec(Instruction.of("go there")), skilled, planner, subscribers=[seen]))
    outcome = runs[0].go()
    assert outcome.outcome == "success", outcome
    events = read_events(tmp_path)
    notes = [event.data["text"] for event in events if event.kind == "note"]
    assert notes.count("move forward: move forward 1.5 cm; move forward 1.5 cm") == 3
    assert "a person says: a bit more left: move left 1 cm" in notes
    assert notes == seen.notes
    assert live and live[0], "a note must come before the step ends"
    assert robot.at[1] == 0.01
    assert sum(event.kind == "instruction" for event in events) == 1
    assert sum(event.kind == "policy" for event in events) == 1


def test_a_run_stopped_midway_stops_the_skill(tmp_path: Path) -> None:
    robot = Pen()
    runs: list[Run] = []

    def done() -> bool:
        if len(robot.moves) >= 3:
            runs[0].instruct("stop")
            time.sleep(5.0)
        return False

    skilled = SkilledRobot(robot, mover(lambda: "[[5,0,0,0,0]]", done))
    runs.append(Run(tmp_path, Spec(Instruction.of("go there")), skilled, ScriptedModel([json.dumps(POLICY)])))
    began = time.monotonic()
    assert runs[0].go().outcome == "stopped"
    assert time.monotonic() - began < 4.0
    assert len(robot.moves) == 3
