"""The judge of a simulated world: what people were told counts, and only what was told since the instruction."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from vlp.core.messages import Instruction
from vlp.episodes.verdict import Verdict
from vlp.journal import Event
from vlp.sim import open_world
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.tasks.household import HouseholdTask
from vlp.sim.worlds.home.true_state import truth_of


class StillSimulation:
    """A home without physics, in which nothing happens."""

    def __init__(self) -> None:
        self.world = open_world("home")
        self.state = truth_of(sample_home(1))
        self.embodiment, self.data = SimpleNamespace(base=lambda data: (0.0, 0.0, 0.0)), None

    def at(self):
        return self.state.at

    def truth(self):
        return self.state


def say(key: str, text: str, value: str, status: str = "succeeded") -> list[Event]:
    step: dict[str, Any] = {"revision": 1, "id": "1.1", "do": "say", "key": key}
    begun = Event("step-started", {**step, "epoch": 0, "arguments": {"text": text, "value": value}})
    result = {"done": {"said": f"{text} {value}"}, "value": None}
    return [begun, Event("step-finished", {**step, "status": status, "result": result})]


def test_what_people_were_told_since_the_instruction_counts() -> None:
    home = StillSimulation()
    shown = f"{home.state.gauges['digits']:g}"
    verdict = Verdict(cast(Simulation, home), Instruction.of("tell me what the display shows"))
    verdict.on_event(Event("instruction", {"source": "asked", "text": "tell me what the display shows"}))
    assert verdict() is False
    for event in say("1", "the display shows", shown, "failed"):
        verdict.on_event(event)
    assert verdict() is False
    for event in say("2", "the display shows", shown):
        verdict.on_event(event)
    assert verdict() is True
    verdict.on_event(Event("instruction", {"source": "typed", "text": "no, read the display"}))
    assert verdict() is False


def test_a_sentence_of_no_family_has_no_verdict() -> None:
    assert Verdict(cast(Simulation, StillSimulation()), Instruction.of("sing a song"))() is None


def test_the_account_of_a_run_taken_over_is_of_the_state_after_each_step() -> None:
    """A step's end stands in the journal before its state: the hand was still empty, and nothing was taken."""
    home = StillSimulation()
    thing, item = next((name, item) for name, item in home.state.objects.items() if item.support == "kitchen table")
    said = f"fetch the {thing} from the kitchen table and put it on the sofa"

    def restore(blob: bytes) -> None:
        assert blob == b"with it in the hand"
        home.state = replace(home.state, holding=thing)

    verdict = Verdict(cast(Simulation, home), Instruction.of(said), restore=restore)
    verdict.on_event(Event("instruction", {"source": "asked", "text": said}))
    target = {"phrase": thing, "position_in_world": list(item.position_in_world)}
    step: dict[str, Any] = {"revision": 1, "id": "1.1", "do": "grasp", "key": "1"}
    verdict.on_event(Event("step-started", {**step, "epoch": 0, "arguments": {"target": target}}))
    verdict.on_event(Event("step-finished", {**step, "status": "succeeded", "result": {"done": {}, "value": None}}))
    verdict.on_event(Event("snapshot", {"after": "1"}, blob=b"with it in the hand"))
    verdict.on_event(Event("run-resumed", {"how": "in a test", "in_flight": ""}))
    task = verdict.task
    assert isinstance(task, HouseholdTask) and [(entry.did, entry.what) for entry in task.account] == [("took", thing)]
