"""The judge of a simulated world: what people were told counts, and only what was told since the instruction."""

from typing import Any, cast

from vlp.core.messages import Instruction
from vlp.episodes.verdict import Verdict
from vlp.journal import Event
from vlp.sim import open_world
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.true_state import truth_of


class StillSimulation:
    """A home without physics, in which nothing happens."""

    def __init__(self) -> None:
        self.world = open_world("home")
        self.state = truth_of(sample_home(1))

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
