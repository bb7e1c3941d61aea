"""A fault of the simulator is an outcome of its own, and can be stepped into again."""

import json
from pathlib import Path

import pytest

pytest.importorskip("mujoco")

from vlp.cli.main import main
from vlp.core.errors import SimulationFault
from vlp.core.messages import Instruction
from vlp.evaluation.stress.journal import POLICY
from vlp.evaluation.stress.physics import PLANTS, episodes
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot
from vlp.sim.open import simulated
from vlp.sim.simulation import Simulation


def test_every_planted_break_is_named_and_comes_again() -> None:
    """Against: a control that is no number and things deep in each other passed over, and no dump of any fault."""
    told = episodes(30, 7, every=2, scenes=2)
    counts = told["counts"]
    assert told["faults"] == [] and counts["plain"] == 15
    assert {kind for kind in PLANTS if counts.get(f"named: {kind}")} == set(PLANTS)


def test_the_stress_finds_a_simulator_that_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulation, "check", lambda self: None)
    assert len(episodes(12, 7, every=2, scenes=1)["faults"]) >= 3


def test_a_dump_is_replayed_from_the_command_line_and_a_damaged_one_refused(tmp_path: Path, capsys) -> None:
    body, simulation = simulated(seed=3)
    thing = simulation.data.body(min(simulation.objects)).id
    simulation.data.xfrc_applied[thing, 2] = 1e7
    with pytest.raises(SimulationFault) as fault:
        body.execute(Step("home", {}, "k"))
    file = tmp_path / "simulation_fault.json"
    file.write_text(fault.value.dump)
    assert main(["world", "replay", str(file)]) == 0
    assert capsys.readouterr().out.count("something moves at") == 2
    said = json.loads(fault.value.dump)
    for spoiled in ({**said, "before": said["before"][:-8]}, {**said, "seed": "3"}, {**said, "found": "*"}, [said]):
        file.write_text(json.dumps(spoiled))
        assert main(["world", "replay", str(file)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


class Breaking(FakeRobot):
    """Its world breaks at the first grasp."""

    def execute(self, step: Step) -> StepResult:
        if step.do == "grasp":
            raise SimulationFault("the simulation diverged at 1.25 s.", dump="what steps into it")
        return super().execute(step)


class Judge:
    """Says that all is done, whatever the world is like."""

    def __call__(self) -> bool:
        return True

    def on_event(self, event: Event) -> None:
        pass


def test_a_fault_is_no_success_and_leaves_what_reproduces_it(tmp_path: Path) -> None:
    """Against: the judge was asked about a broken world, and its yes made a fault a success."""
    run = Run(tmp_path, Spec(Instruction.of(POLICY["goal"])), Breaking(), ScriptedModel([json.dumps(POLICY)]), judge=Judge())
    outcome = run.go()
    assert isinstance(outcome.error, SimulationFault) and (outcome.outcome, outcome.verdict) == ("stopped", None)
    assert read_events(tmp_path)[-1].data["error"] == "SimulationFault"
    assert (tmp_path / "simulation_fault.json").read_text() == "what steps into it"
