"""One row adds a world, one row adds a body, and nothing else: shown with a cart in a room that the package does not know."""

import json

import numpy as np
import pytest
from cart_in_room import Cart, Room

from vlp.cli.main import main
from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.verdict import Verdict
from vlp.episodes.world_events import check_event, happen
from vlp.robot.conformance import check_robot
from vlp.sim import EMBODIMENTS, WORLDS, open_embodiment, open_world, sample
from vlp.sim.language.task import Task
from vlp.sim.open import manifest_of, simulated
from vlp.sim.simulation import Simulation
from vlp.sim.truth import Truth
from vlp.sim.worlds.conformance import check_world


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(EMBODIMENTS, "cart", "cart_in_room:Cart")
    monkeypatch.setitem(WORLDS, "room", "cart_in_room:Room")


def test_any_body_stands_in_any_world():
    for body in ("hsr", "anymal", "cart"):
        for world in ("tabletop", "room"):
            robot, simulation = simulated(body, world, 3)
            places = open_world(world).places
            assert robot.describe().robot == body and set(robot.describe().places) == {place.name for place in places}
            assert simulation.at() == robot.observe().state.at == places[0].name
            assert set(simulation.truth().objects) == {o.phrase for o in simulation.scene.objects}


@pytest.mark.parametrize("world", ["tabletop", "room"])
@pytest.mark.parametrize("body", ["hsr", "anymal", "cart"])
def test_both_worlds_pass_the_public_check_with_every_body(world: str, body: str):
    report = check_world(open_world(world), body, seeds=(1,))
    assert report.ok, [str(issue) for issue in report.issues]


def test_every_body_passes_the_public_check():
    for body, world in (("cart", "room"), ("hsr", "room"), ("anymal", "room"), ("cart", "tabletop")):
        report = check_robot(simulated(body, world)[0])
        assert report.ok, [str(issue) for issue in report.issues]


def test_a_policy_runs_in_the_new_world_on_the_new_body(tmp_path):
    steps = [{"do": "go_to", "place": "window"}]
    policy = {"goal": "the cart is at the window", "subtasks": [{"name": "drive", "steps": steps}]}
    (tmp_path / "replies.json").write_text(json.dumps([policy]))
    words = ["run", "drive to the window", "--robot", "cart", "--world", "room", "--grounder", "oracle", "--confirm", "yes"]
    status = main([*words, "--model", f"scripted:{tmp_path}/replies.json", "--no-recordings", "--out", f"{tmp_path}/run"])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (status, result["outcome"], result["robot"], result["world"]) == (0, "success", "cart", "room"), result


def test_events_are_the_worlds_own():
    simulation = Simulation(sample("room", 3), Cart(), Room())
    before = simulation.truth().objects["red crate"].position_in_world
    assert happen(simulation, "shove the red crate", np.random.default_rng(0)) == ("red crate",)
    assert simulation.truth().objects["red crate"].position_in_world[0] == pytest.approx(before[0] + 0.5, abs=0.02)
    with pytest.raises(UsageError, match=r"e\.g\. \"shove red crate\""):
        check_event(simulation, "block the red crate")
    with pytest.raises(UsageError, match="unknown object"):
        check_event(simulation, "shove the rde crate")


def test_unknown_names_are_answered_with_the_closest_and_nothing_is_imported():
    for robot, world, near in (("crat", "", "cart"), ("", "romo", "room")):
        with pytest.raises(UsageError, match=near):
            simulated(robot, world)
        with pytest.raises(UsageError, match=near):
            manifest_of(robot, world)


def test_the_first_rows_are_the_defaults():
    assert open_embodiment().name == next(iter(EMBODIMENTS)) and open_world().name == next(iter(WORLDS))


class Drifting(Room):
    """Breaks its contract: its scenes follow from chance, one thing falls, and it forgets a place."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def sample(self, seed):
        return super().sample(int(self.rng.integers(1000)))

    def build(self, scene, robot):
        model = super().build(scene, robot)
        model.qpos0[model.joint("red crate").qposadr[0] + 2] = 1.0
        return model

    def stations(self, scene):
        return {name: place for name, place in super().stations(scene).items() if name == "door"}


def test_a_world_that_breaks_its_contract_is_told_where():
    codes = {issue.code for issue in check_world(Drifting(), Cart(), seeds=(5,)).issues}
    assert {"chance", "seed", "places", "rest"} <= codes


def test_a_world_without_tasks_has_no_expert_and_no_verdict(tmp_path):
    words = ["run", "drive to the window", "--robot", "cart", "--world", "room", "--grounder", "oracle", "--confirm", "yes"]
    with pytest.raises(UsageError, match="no tasks, and so no expert"):
        ExpertModel(Room().tasks, Truth, lambda: None)
    assert main([*words, "--model", "expert", "--no-recordings", "--out", f"{tmp_path}/run"]) != 0
    assert Verdict(Simulation(sample("room", 3), Cart(), Room()), Instruction.of("shove the red crate"))() is None


class WrongTasks:
    """Breaks the contract of tasks: what it draws is done already, is read as nothing, and is planned with what nobody can."""

    def draw(self, truth, rng, split="train"):
        del truth, rng, split
        return Task("nothing", {}, satisfied=True, instruction="do nothing")

    def read(self, sentence, truth, before=None):
        del sentence, truth, before

    def policy(self, truth, task, manifest=None, doubted=(), put_off=()):
        del truth, task, manifest, doubted, put_off
        return {"goal": "the cart flies", "subtasks": [{"name": "fly", "steps": [{"do": "fly"}]}]}


class Restless(Room):
    tasks = WrongTasks()


def test_a_world_whose_tasks_break_their_contract_is_told_where():
    codes = {issue.code for issue in check_world(Restless(), Cart(), seeds=(5,)).issues}
    assert codes == {"unread", "done", "primitive"}
