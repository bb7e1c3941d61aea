"""The camera of films follows a robot that would be small, and leaves a world alone that shows it large."""

import numpy as np
import pytest

from vlp.sim import WORLDS, sample
from vlp.sim.filming import FilmCamera
from vlp.sim.render import Camera
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import seed_of


@pytest.mark.parametrize(("world", "follows"), [("tabletop", False), ("home", True)])
def test_it_turns_to_the_robot_where_that_is_small(world: str, follows: bool) -> None:
    assert world in WORLDS
    simulation = Simulation(sample(world, seed_of("train", 3)), "hsr", world)
    plain = Camera(simulation.model, simulation.world.audience, 320, 240).rgb(simulation.data)
    film = FilmCamera(simulation, (320, 240))
    first = film.rgb(simulation.data)
    assert first.shape == plain.shape and (first != plain).any() == follows
    share = [
        np.isin(c.bodies(simulation.data), _of_robot(simulation)).mean()
        for c in (film, Camera(simulation.model, simulation.world.audience, 320, 240))
    ]
    assert share[0] > (4 * share[1] if follows else 0.02)


def _of_robot(simulation: Simulation) -> list[int]:
    things = set(simulation.objects)
    names = [simulation.model.body(i).name for i in range(simulation.model.nbody)]
    return [
        i
        for i, name in enumerate(names)
        if name.startswith(("base", "hand", "arm", "torso", "wrist", "head")) and name not in things
    ]
