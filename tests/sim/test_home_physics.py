"""The home as physics: things rest, drawer and door stay, the button switches the lamp, people hold and are felt."""

from dataclasses import replace

import numpy as np
import pytest

from vlp.core.errors import UsageError
from vlp.episodes.world_events import happen
from vlp.sim import open_world
from vlp.sim.render import Camera, outline_points
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.conformance import check_world
from vlp.sim.worlds.home.events import hold_out_hand, move, switch_lamp
from vlp.sim.worlds.home.mannequins import force_on_n, hand_of
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.textures import digits_picture, needle_rad
from vlp.sim.worlds.home.true_state import truth_of


def home(seed: int, **fixtures: object) -> Simulation:
    scene = sample_home(seed)
    return Simulation(replace(scene, fixtures=replace(scene.fixtures, **fixtures)), world="home")


def _seed_with(support: str) -> int:
    homes = ((s, sample_home(s)) for s in range(200))
    return next(s for s, scene in homes if scene.fixtures.balls and any(support in o.support for o in scene.objects))


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """With a thing in the drawer; every test leaves it as it finds it, up to the time."""
    return home(_seed_with("drawer"), drawer=0.0, lamp_on=False)


@pytest.fixture(autouse=True)
def _put_back(simulation: Simulation):
    before = simulation.snapshot()
    yield
    simulation.restore(before)


def test_the_world_passes_the_public_check():
    report = check_world(open_world("home"), seeds=(1,))
    assert report.ok, [str(issue) for issue in report.issues]


@pytest.mark.parametrize("seed", range(600, 603))
def test_things_stay_where_they_are_and_the_truth_says_what_the_scene_was_built_as(seed: int):
    simulation = home(seed)
    before = simulation.truth()
    simulation.step(750)
    after = simulation.truth()
    assert before.at == after.at == "start" and not before.holding
    for thing in simulation.scene.objects:
        was, now = before.objects[thing.name], after.objects[thing.name]
        assert (was.support, was.relation) == (now.support, now.relation) == (thing.support, thing.relation), thing.name
        assert np.linalg.norm(np.subtract(now.position_in_world, was.position_in_world)) < 0.005, thing.name
    f = simulation.scene.fixtures
    assert after.balls.get(f.ball_cup, 0) == f.balls == sum(after.balls.values())  # not every home has balls
    assert after.opened == pytest.approx({"drawer": f.drawer, "cabinet door": f.door}, abs=0.02)
    assert after.lamp_on == f.lamp_on and after.gauges == {"needle": f.needle, "digits": f.digits} and after.sign == f.sign
    for person in simulation.scene.persons:
        now = after.persons[person.name]
        assert (now.pose, now.gesture, now.shirt, now.holds) == (person.pose, person.gesture, person.shirt, person.holds)


def test_a_home_at_rest_is_lean(simulation: Simulation):
    """What steps and pictures cost follows from these counts: a shape that takes too many contacts shows here."""
    busy = max(range(60), key=lambda seed: len(sample_home(seed).objects) + 4 * len(sample_home(seed).persons))
    for each in (simulation, home(busy)):
        each.step(50)
        assert each.data.ncon < 110 and each.model.nv < 200
        assert (each.model.geom_group < 3).sum() < 420


def test_what_rests_sleeps_until_it_is_moved_or_touched(simulation: Simulation):
    """Asleep, things have no contacts and do not move: what is put into the air must fall, and fall onto what sleeps."""
    simulation.step(400)
    data, things = simulation.data, [thing.phrase for thing in simulation.scene.objects]
    trees = {name: int(simulation.model.body_treeid[simulation.model.body(name).id]) for name in things}
    asleep = [name for name in things if data.tree_asleep[trees[name]] >= 0]
    assert len(asleep) > 0.8 * len(things)
    lower = next(name for name in asleep if simulation.truth().objects[name].relation == "on")
    upper = next(name for name in asleep if name != lower)
    x, y, z = simulation.truth().objects[lower].position_in_world
    height_m = (simulation.truth().objects[lower].size_m[2] + simulation.truth().objects[upper].size_m[2]) / 2
    simulation.put(upper, (x, y, z + height_m + 0.05))
    simulation.step(100)
    assert simulation.truth().objects[upper].position_in_world[2] < z + height_m + 0.03
    assert data.tree_asleep[trees[lower]] < 0


def test_a_wall_stops_a_robot(simulation: Simulation):
    simulation.embodiment.set_home(simulation.model, simulation.data, (1.8, 1.8, 0.0))
    for x in np.arange(1.8, 2.4, 0.006):
        simulation.data.actuator("base_x").ctrl[0] = x
        simulation.step(10)
    assert simulation.embodiment.base(simulation.data)[0] < simulation.world.floor(simulation.scene).obstacles[0][0][0] - 0.2


def _push(simulation: Simulation, joint: str, force: float, steps: int) -> None:
    dof = int(simulation.model.joint(joint).dofadr[0])
    simulation.data.qfrc_applied[dof] = force
    simulation.step(steps)
    simulation.data.qfrc_applied[dof] = 0.0
    simulation.step(250)


def test_a_drawer_opens_with_what_lies_in_it_and_stays(simulation: Simulation):
    inside = simulation.truth().inside("drawer")
    _push(simulation, "drawer", 12.0, 400)
    truth = simulation.truth()
    assert truth.opened["drawer"] > 0.5 and truth.inside("drawer") == inside and inside
    simulation.step(250)
    assert simulation.truth().opened["drawer"] == pytest.approx(truth.opened["drawer"], abs=0.002)


def test_a_drawer_keeps_shut_against_a_touch(simulation: Simulation):
    _push(simulation, "drawer", 2.0, 200)
    assert simulation.truth().opened["drawer"] < 0.01


def test_a_door_opens_and_stays(simulation: Simulation):
    began = simulation.truth().opened["cabinet door"]
    _push(simulation, "cabinet door", 0.8 if began < 0.5 else -0.8, 400)
    truth = simulation.truth()
    assert abs(truth.opened["cabinet door"] - began) > 0.2
    simulation.step(250)
    assert simulation.truth().opened["cabinet door"] == pytest.approx(truth.opened["cabinet door"], abs=0.002)


def test_the_button_switches_the_lamp_once_for_each_push(simulation: Simulation):
    _push(simulation, "button", 1.0, 100)
    assert not simulation.truth().lamp_on  # too weak
    for on in (True, False, True):
        _push(simulation, "button", 6.0, 150)
        assert simulation.truth().lamp_on == on


def test_a_shining_lamp_is_seen_and_outlives_a_snapshot(simulation: Simulation):
    """A lamp whose look is no function of the state would shine on after a restore."""
    camera = Camera(simulation.model, "audience", 320, 180)
    dark, before = camera.rgb(simulation.data), simulation.snapshot()
    looks = camera.shot(simulation.data).looks
    switch_lamp(simulation)
    simulation.step(200)
    bright, after = camera.rgb(simulation.data), simulation.snapshot()
    living = np.s_[:, :160]
    assert bright[living].mean() > dark[living].mean() + 3 and camera.shot(simulation.data).looks != looks
    simulation.restore(before)
    assert not simulation.truth().lamp_on and (camera.rgb(simulation.data) == dark).all()
    other = Simulation(simulation.scene, world="home")
    other.restore(after)
    assert other.truth().lamp_on and (Camera(other.model, "audience", 320, 180).rgb(other.data) == bright).all()


def test_small_balls_are_counted_where_they_are(simulation: Simulation):
    truth = simulation.truth()
    bowl = next(name for name, item in truth.objects.items() if item.kind == "bowl")
    x, y, z = truth.objects[bowl].position_in_world
    for i in range(2):
        simulation.data.joint(f"small ball {i}").qpos[:3] = x + 0.02 * (2 * i - 1), y, z
    x, y, _ = simulation.places["kitchen"].stand
    simulation.data.joint("small ball 2").qpos[:3] = x, y, 0.012
    simulation.step(250)
    balls, fixtures = simulation.truth().balls, simulation.scene.fixtures
    assert balls[bowl] == 2 and balls["floor"] == 1 and balls[fixtures.ball_cup] == fixtures.balls - 3


def test_a_hand_that_is_held_out_holds_and_is_felt():
    simulation = home(_seed_with("'s hand"))
    giver = next(p for p in simulation.scene.persons if p.holds)
    truth = simulation.truth()
    thing = truth.objects[giver.holds]
    assert truth.persons[giver.name].holds == thing.name and thing.support == hand_of(giver.name)
    palm = truth.persons[giver.name].hand_in_world
    assert np.linalg.norm(np.subtract(palm[:2], thing.position_in_world[:2])) < 0.02 and 0.6 < palm[2] < 1.15
    weight_n = 9.81 * thing_mass(simulation, thing.name)
    assert force_on_n(simulation.model, simulation.data, giver.name) == pytest.approx(weight_n, rel=0.05)
    assert force_on_n(simulation.model, simulation.data, giver.name, but=(thing.name,)) == 0.0


def thing_mass(simulation: Simulation, name: str) -> float:
    return float(simulation.model.body(name).mass[0])


def test_a_person_holds_out_a_hand_when_asked():
    seed = next(s for s in range(50) if sample_home(s).persons[0].gesture == "")
    simulation = home(seed)
    name = simulation.scene.persons[0].name
    below = simulation.truth().persons[name].hand_in_world
    hold_out_hand(simulation, name)
    simulation.step(750)
    person = simulation.truth().persons[name]
    assert person.gesture == "offering" and person.hand_in_world[2] > below[2] + 0.2
    with pytest.raises(UsageError, match="person"):
        hold_out_hand(simulation, "Nobody")


def test_people_move_and_take_away_things_by_their_free_names(simulation: Simulation):
    name = next(o.name for o in simulation.scene.objects if o.support == "kitchen table" and not o.product.holds)
    assert move(simulation, name, np.random.default_rng(1), "coffee table")
    simulation.step(200)
    assert simulation.truth().objects[name].support == "coffee table"
    assert happen(simulation, f"remove the {name}", np.random.default_rng(1)) == (name,)
    assert name not in simulation.truth().objects
    assert happen(simulation, "switch the lamp", np.random.default_rng(1)) and simulation.truth().lamp_on


def test_what_the_gauges_show_is_what_the_truth_says():
    """The needle goes from lower left over the top to lower right; digits light as many segments as they have."""
    assert np.degrees([needle_rad(v) for v in (0, 5, 10)]) == pytest.approx([225, 90, -45])
    simulation = home(3, needle=7.5)
    painted = simulation.model.geom_matid == simulation.model.material("needle").id
    direction = simulation.data.geom_xmat[painted][0].reshape(3, 3)[:, 2]
    assert direction[2] == pytest.approx(np.sin(needle_rad(7.5)), abs=1e-3)
    assert -direction[1] == pytest.approx(np.cos(needle_rad(7.5)), abs=1e-3)
    lit = [(digits_picture(v)[..., 1] > 200).sum() for v in (11.1, 88.8)]
    assert lit[1] > 2.5 * lit[0]


def test_a_things_outline_encloses_its_visible_shapes(simulation: Simulation):
    for thing in simulation.scene.objects:
        points = outline_points(simulation.model, simulation.data, simulation.model.body(thing.name).id)
        assert np.ptp(points, axis=0)[2] == pytest.approx(thing.size_m[2], abs=0.012), thing.name


def test_a_smooth_picture_is_the_mean_of_a_larger_one(simulation: Simulation):
    small, large = (Camera(simulation.model, "audience", w, w // 2) for w in (160, 320))
    smooth = small.rgb(simulation.data, oversample=2)
    mean = large.rgb(simulation.data).reshape(80, 2, 160, 2, 3).mean(axis=(1, 3))
    assert np.abs(smooth - mean).max() <= 0.5


def test_the_true_state_is_told_without_physics_as_physics_tells_it():
    """Tasks are drawn and planned in thousands of homes, none of which is built."""
    for seed in (83, 601):
        simulation = home(seed)
        told, real = truth_of(simulation.scene), simulation.truth()
        assert set(told.objects) == set(real.objects) and set(told.persons) == set(real.persons)
        for name, item in real.objects.items():
            same = told.objects[name]
            assert replace(same, position_in_world=item.position_in_world, yaw_rad=item.yaw_rad) == item
            assert same.position_in_world == pytest.approx(item.position_in_world, abs=0.005), name
        for name, person in real.persons.items():
            assert told.persons[name].facing_rad == pytest.approx(person.facing_rad)
            measured = {key: getattr(person, key) for key in ("position_in_world", "hand_in_world", "facing_rad")}
            assert replace(told.persons[name], **measured) == person
            if person.gesture == "offering":
                assert told.persons[name].hand_in_world == pytest.approx(person.hand_in_world, abs=0.03)
        assert told.opened == pytest.approx(real.opened, abs=0.02)
        assert replace(told, objects={}, persons={}, opened={}) == replace(real, objects={}, persons={}, opened={})
