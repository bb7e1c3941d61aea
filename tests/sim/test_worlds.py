"""The tabletop world: what a seed gives, and which seeds belong to whom."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from vlp.core.errors import UsageError
from vlp.sim.embodiments.hsr.body import spec
from vlp.sim.worlds.seeds import SPLITS, seed_of, split_of
from vlp.sim.worlds.tabletop.building import build
from vlp.sim.worlds.tabletop.layout import footprint
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, KINDS, THINGS
from vlp.sim.worlds.tabletop.world import AREA_X_M, AREA_Y_M, sample_scene

SCENES = [sample_scene(seed) for seed in range(200)]


def test_a_seed_gives_the_same_scene_again_and_another_seed_another():
    assert sample_scene(7) == sample_scene(7)
    assert len({json.dumps(scene.to_json()["objects"]) for scene in SCENES}) == len(SCENES)


def test_a_scene_survives_json():
    for scene in SCENES[:20]:
        assert Scene.from_json(json.loads(json.dumps(scene.to_json()))) == scene


def test_no_two_objects_are_alike_and_all_words_are_known():
    for scene in SCENES:
        phrases = [o.phrase for o in scene.objects]
        assert len(set(phrases)) == len(phrases) and 3 <= len(phrases) <= 8
        assert all(o.colour in COLOURS and o.kind in KINDS for o in scene.objects)


def test_most_scenes_hold_a_container_and_two_things():
    good = [sum(o.kind in CONTAINERS for o in s.objects) >= 1 and sum(o.kind in THINGS for o in s.objects) >= 2 for s in SCENES]
    assert np.mean(good) > 0.85


def test_every_kind_and_colour_is_common():
    kinds = Counter(o.kind for s in SCENES for o in s.objects)
    colours = Counter(o.colour for s in SCENES for o in s.objects)
    total = sum(kinds.values())
    assert min(kinds[k] for k in KINDS) > 0.04 * total and min(colours[c] for c in COLOURS) > 0.07 * total


def test_things_fit_the_gripper():
    for scene in SCENES:
        for thing in (o for o in scene.objects if o.kind in THINGS):
            assert 0.045 <= thing.size_m[1] <= 0.075


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Smallest distance between points along two outlines: slower than `gap_m` and independent of it."""
    t = np.linspace(0, 1, 40)[:, None]
    along = [np.concatenate([p + t * (q - p) for p, q in zip(o, np.roll(o, -1, axis=0), strict=True)]) for o in (a, b)]
    return float(np.linalg.norm(along[0][:, None] - along[1][None], axis=2).min())


def test_objects_on_the_table_leave_room_for_the_gripper():
    for scene in SCENES[:60]:
        standing = [footprint(o) for o in scene.objects if o.support == "table"]
        for i, a in enumerate(standing):
            assert all(_distance(a, b) >= 0.035 for b in standing[:i])


def test_things_that_share_a_container_leave_room_for_the_gripper():
    """Two things four millimetres apart in one tray could not be grasped, so no plan could have succeeded."""
    shared = 0
    for scene in (sample_scene(seed) for seed in range(1500, 2000)):
        for host in scene.objects:
            inside = [footprint(o) for o in scene.objects if o.support == host.phrase]
            shared += len(inside) > 1
            assert all(_distance(a, b) >= 0.034 for i, a in enumerate(inside) for b in inside[:i])
    assert shared >= 1


def test_objects_stand_within_the_area_and_on_the_table():
    for scene in SCENES:
        near, far = scene.table.near_m, scene.table.near_m + scene.table.depth_m
        for o in scene.objects:
            if o.support == "table":
                assert AREA_X_M[0] <= o.position_m[0] <= AREA_X_M[1] and abs(o.position_m[1]) <= AREA_Y_M[1]
                outline = footprint(o)
                assert near < outline[:, 0].min() and outline[:, 0].max() < far


def test_a_third_of_scenes_begin_with_something_in_or_on_another_object():
    share = np.mean([any(o.support != "table" for o in scene.objects) for scene in SCENES])
    assert 0.20 < share < 0.40


def test_the_built_model_bears_the_objects_names():
    model = build(SCENES[3], spec())
    assert all(model.body(o.phrase).id > 0 for o in SCENES[3].objects)


def test_splits_are_disjoint_and_known_both_ways():
    ranges = sorted(SPLITS.values(), key=lambda r: r.start)
    assert all(a.stop <= b.start for a, b in pairwise(ranges))
    for split in SPLITS:
        assert split_of(seed_of(split, 0)) == split == split_of(seed_of(split, 9_999_999))
    assert split_of(99_000_000) == ""


@pytest.mark.parametrize(("split", "index"), [("train", -1), ("test", 10_000_000), ("tset", 0)])
def test_a_seed_outside_its_split_is_refused(split: str, index: int):
    with pytest.raises(UsageError):
        seed_of(split, index)
