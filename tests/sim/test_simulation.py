"""Physics, true state, snapshots and outside events."""

import numpy as np
import pytest

from vlp.core.errors import SimulationFault, UsageError
from vlp.sim.embodiments.hsr import body as hsr
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.tabletop.events import block, knock_out, move
from vlp.sim.worlds.tabletop.words import CONTAINERS
from vlp.sim.worlds.tabletop.world import sample_scene

SEEDS = range(500, 520)


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(sample_scene(4))


def _first(simulation: Simulation, *, container: bool) -> str:
    return next(n for n, o in simulation.objects.items() if (o.kind in CONTAINERS) == container and o.support == "table")


@pytest.mark.parametrize("seed", SEEDS)
def test_objects_stay_where_they_are_for_two_seconds(seed: int):
    """Overlapping shapes or too stiff contacts made objects jump or creep."""
    simulation = Simulation(sample_scene(seed))
    before = simulation.truth()
    simulation.step(1000)
    after = simulation.truth()
    for name, was in before.objects.items():
        drift = np.linalg.norm(np.subtract(after.objects[name].position_in_world, was.position_in_world))
        assert drift < 0.005, (name, drift)
        assert after.objects[name].upright


@pytest.mark.parametrize("seed", SEEDS)
def test_the_truth_says_what_the_scene_was_built_as(seed: int):
    scene = sample_scene(seed)
    truth = Simulation(scene).truth()
    assert truth.holding == "" and truth.at == "table"
    assert {n: (o.support, o.relation) for n, o in truth.objects.items()} == {
        o.phrase: (o.support, o.relation) for o in scene.objects
    }


def test_a_restored_snapshot_goes_on_exactly_as_the_original(simulation: Simulation):
    simulation.data.qvel[-5:] += 0.3
    simulation.step(20)
    saved = simulation.snapshot()
    simulation.step(100)
    other = Simulation(sample_scene(4))
    other.restore(saved)
    other.step(100)
    assert (other.data.qpos == simulation.data.qpos).all() and other.data.time == simulation.data.time


@pytest.mark.parametrize("spoil", [lambda b: b[:-8], lambda b: b"x" + b[1:], lambda b: b[:-1] + b"\x7f", lambda b: b""])
def test_a_damaged_snapshot_is_refused_and_changes_nothing(simulation: Simulation, spoil):
    qpos = simulation.data.qpos.copy()
    with pytest.raises(UsageError):
        simulation.restore(spoil(simulation.snapshot()))
    assert (simulation.data.qpos == qpos).all()


def test_a_snapshot_of_another_world_is_refused(simulation: Simulation):
    other = next(s for s in map(sample_scene, range(50)) if len(s.objects) != len(simulation.objects))
    with pytest.raises(UsageError):
        simulation.restore(Simulation(other).snapshot())


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_broken_state_is_an_outcome_of_its_own(simulation: Simulation, value: float, tmp_path, monkeypatch):
    """MuJoCo resets a broken state silently by default, and leaves a log file in the working folder."""
    monkeypatch.chdir(tmp_path)
    simulation.data.qvel[-1] = value
    with pytest.raises(SimulationFault):
        simulation.step(3)
    assert not list(tmp_path.iterdir())


def test_fingers_that_close_on_a_thing_hold_it(simulation: Simulation):
    name = next(n for n, o in simulation.objects.items() if o.kind in ("cube", "can", "block", "mug", "bottle"))
    size_m, rng = simulation.objects[name].size_m, np.random.default_rng(0)
    simulation.embodiment.put_in_hand(simulation.model, simulation.data, name, size_m, rng)
    simulation.data.actuator(hsr.GRIPPER).ctrl[0] = -0.7
    simulation.step(400)
    truth = simulation.truth()
    assert truth.holding == name
    assert truth.objects[name].support == "hand"

    assert knock_out(simulation, np.random.default_rng(1)) == name
    simulation.step(100)
    assert simulation.truth().holding == "" and simulation.truth().objects[name].support == "table"


def test_nothing_held_is_nothing_to_knock_out(simulation: Simulation):
    assert knock_out(simulation, np.random.default_rng(1)) == ""


def test_a_moved_object_rests_elsewhere_on_the_table(simulation: Simulation):
    name = _first(simulation, container=False)
    before = simulation.truth().objects[name].position_in_world
    assert move(simulation, name, np.random.default_rng(3))
    simulation.step(200)
    after = simulation.truth().objects[name]
    assert np.linalg.norm(np.subtract(after.position_in_world, before)) > 0.02
    assert after.support == "table" and after.upright


def test_a_removed_object_is_no_longer_in_the_world(simulation: Simulation):
    name = _first(simulation, container=False)
    simulation.remove(name)
    simulation.step(100)
    assert name not in simulation.truth().objects
    with pytest.raises(UsageError):
        move(simulation, name, np.random.default_rng(0))


def test_a_blocked_container_has_something_in_it():
    done = 0
    for seed in range(20):
        simulation = Simulation(sample_scene(seed))
        hosts = [n for n, o in simulation.objects.items() if o.kind in CONTAINERS]
        if not hosts:
            continue
        thing = block(simulation, hosts[0], np.random.default_rng(seed))
        if thing:
            simulation.step(300)
            assert simulation.truth().objects[thing].support == hosts[0]
            done += 1
    assert done > 8


def test_an_event_on_an_unknown_object_names_the_closest(simulation: Simulation):
    with pytest.raises(UsageError, match="unknown object"):
        simulation.remove("rde cube")
    with pytest.raises(UsageError, match="not a container"):
        block(simulation, _first(simulation, container=False), np.random.default_rng(0))
