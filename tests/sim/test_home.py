"""The home as data: what a seed gives, who is there, and that a robot can drive everywhere."""

import json
import math
from collections import Counter
from itertools import combinations
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from vlp.sim import open_world, sample
from vlp.sim.language.household.sample import kinds, sample_command
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.places import places, stations, surfaces
from vlp.sim.worlds.home.rooms import floor_plan
from vlp.sim.worlds.home.sampling import reach_m, sample_home
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.home.spoken import household_of
from vlp.sim.worlds.home.true_state import truth_of

SCENES = [sample_home(seed) for seed in range(200)]


def test_a_seed_gives_the_same_home_again_and_another_seed_another():
    assert sample_home(7) == sample_home(7)
    assert len({json.dumps(scene.to_json()["objects"]) for scene in SCENES}) == len(SCENES)


def test_a_home_survives_json():
    for scene in SCENES[:20]:
        assert HomeScene.from_json(json.loads(json.dumps(scene.to_json()))) == scene


def test_things_are_many_and_of_every_category():
    seen = Counter(thing.name for scene in SCENES for thing in scene.objects)
    assert set(seen) == set(products()) and min(seen.values()) >= 10
    assert len({p.kind for p in products().values()}) >= 20
    wanted = {"cleaning supply", "drink", "food", "fruit", "snack", "dish", "toy"}
    assert {p.category for p in products().values()} == wanted


def test_a_gripper_that_opens_thirteen_centimetres_takes_every_thing():
    for name, product in products().items():
        assert product.holds or min(product.size_m[:2]) <= 0.10, name


def test_things_stand_apart_on_their_surfaces():
    for scene in SCENES:
        tops = surfaces(scene.furniture, scene.fixtures)
        for a, b in combinations([o for o in scene.objects if o.support in tops], 2):
            apart = math.dist(a.position_m[:2], b.position_m[:2]) - reach_m(a.product) - reach_m(b.product)
            assert a.support != b.support or apart >= 0.034
        for o in (o for o in scene.objects if o.support in tops):
            top, reach = tops[o.support], reach_m(o.product)
            assert all(low + reach <= x <= high - reach for low, x, high in zip(top.low, o.position_m, top.high, strict=False))
            assert o.position_m[2] + o.size_m[2] / 2 < top.floor_m + top.headroom_m


def test_some_things_begin_out_of_view():
    hidden = [s for s in SCENES if any(o.support in ("drawer", "cupboard") for o in s.objects)]
    assert 0.2 < len(hidden) / len(SCENES) < 0.8


def test_persons_are_told_apart_and_the_first_one_stands():
    assert {len(s.persons) for s in SCENES} == {1, 2, 3, 4}
    seen = Counter((p.pose, p.gesture) for s in SCENES for p in s.persons)
    assert {"standing", "sitting", "lying"} == {pose for pose, _ in seen} and len({gesture for _, gesture in seen}) == 7
    for scene in SCENES:
        for value in ("name", "shirt", "spot"):
            assert len({getattr(p, value) for p in scene.persons}) == len(scene.persons)
        assert scene.persons[0].pose == "standing"


@pytest.mark.parametrize("factor", [0.0, 3.0])
def test_a_factor_narrows_or_widens_looks_and_leaves_the_rest(factor: float):
    usual, other = SCENES[5], sample_home(5, factor)
    assert other.objects == usual.objects and other.furniture == usual.furniture
    assert other.look != usual.look
    if factor == 0:
        assert other.look.camera_shift_m == (0.0, 0.0, 0.0)
        assert other.look.light_strength == sample_home(6, factor).look.light_strength


def test_no_two_stands_are_so_near_that_they_are_mistaken():
    for scene in SCENES[:50]:
        made = stations(scene)
        assert list(made) == [place.name for place in places()]
        for a, b in combinations(made.values(), 2):
            assert math.dist(a.stand[:2], b.stand[:2]) > 0.16


def test_every_place_can_be_driven_to_from_every_other_with_30_centimetres_to_everything():
    """Checked by colouring the free squares: a disc of 0.30 m radius reaches all stands of 200 homes."""
    for scene in SCENES:
        floor = floor_plan(scene)
        low, size = np.array(floor.low), 0.10
        shape = np.ceil((np.array(floor.high) - low) / size).astype(int)
        centres = (np.indices(tuple(shape)).reshape(2, -1).T + 0.5) * size + low
        labelled: Any = ndimage.label((floor.clearance_m(centres) >= 0.30).reshape(tuple(shape)))
        colours = labelled[0]
        stands = np.array([place.stand[:2] for place in stations(scene).values()])
        assert floor.clearance_m(stands).min() >= 0.30
        found = set()
        for stand in stands:
            cells = np.floor((stand - low) / size - 0.5).astype(int)
            near = colours[cells[0] : cells[0] + 2, cells[1] : cells[1] + 2]
            found.add(int(near.max()))
            assert len(set(near[near > 0].tolist())) == 1
        assert len(found) == 1, scene.seed


def test_commands_of_every_kind_speak_of_a_home():
    """Words of the world and of the commands had to be the same: categories, gestures, places."""
    for kind in kinds():
        found = [sample_command(household_of(truth_of(scene)), Random(scene.seed), kind=kind) for scene in SCENES[:12]]
        assert sum(command is not None for command in found) >= 4, kind
    for scene in SCENES[:50]:
        told = household_of(truth_of(scene))
        names = {place.name for place in places()}
        assert set(told.takes) <= names and all(thing.place in told.takes for thing in told.things)
        assert len(told.things) + sum(bool(p.holds) for p in scene.persons) == len(scene.objects)
        assert not {thing.name for thing in told.things} & set(told.absent)


def test_a_listing_names_everything():
    text = open_world("home").describe(sample("home", 5))
    for thing in SCENES[5].objects:
        line = next(line for line in text.splitlines() if line.startswith(thing.name))
        assert line.endswith(f"{thing.relation} {thing.support}")
    assert all(person.name in text for person in SCENES[5].persons) and "seed 5, train split" in text
