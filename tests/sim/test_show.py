"""What `vlp world show` prints and draws."""

import numpy as np
import pytest

from vlp.core.errors import UsageError
from vlp.sim import open_world, sample
from vlp.sim.render import Camera
from vlp.sim.show import show
from vlp.sim.simulation import Simulation


def test_every_object_is_named_with_what_it_rests_on():
    scene = sample("tabletop", 14)
    text = open_world("tabletop").describe(scene)
    for o in scene.objects:
        line = next(line for line in text.splitlines() if line.startswith(o.phrase))
        assert line.endswith(f"{o.relation} {o.support}")
    assert "seed 14, train split" in text


def test_an_object_taken_away_is_said_to_be():
    simulation = Simulation(sample("tabletop", 14))
    gone = simulation.scene.objects[-1].phrase
    simulation.remove(gone)
    told = simulation.world.describe(simulation.scene, simulation.truth())
    assert gone in told and "taken away" in told


def test_the_picture_is_the_cameras_with_boxes_drawn_in():
    picture, text = show(14)
    simulation = Simulation(sample("tabletop", 14))
    plain = Camera(simulation.model, "head_rgbd").rgb(simulation.data)
    changed = (picture != plain).any(axis=2)
    assert 0 < np.mean(changed) < 0.2 and text


def test_an_audience_sees_the_scene_without_boxes():
    picture, _ = show(14, audience=True)
    simulation = Simulation(sample("tabletop", 14))
    assert (picture == Camera(simulation.model, "audience").rgb(simulation.data, oversample=2)).all()


@pytest.mark.parametrize(("world", "seed", "words"), [("tabeltop", 1, "tabletop"), ("tabletop", -1, "negative")])
def test_unknown_worlds_and_negative_seeds_get_one_line(world: str, seed: int, words: str):
    with pytest.raises(UsageError) as error:
        sample(world, seed)
    assert words in str(error.value)
