"""The world `guests`: a home that six people will eat in, with as much as setting a table for them takes."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

import numpy as np

from vlp.sim.truth import Truth
from vlp.sim.worlds.home.catalogue import Product, products
from vlp.sim.worlds.home.home import Home
from vlp.sim.worlds.home.places import surfaces
from vlp.sim.worlds.home.sampling import place_thing, sample_home
from vlp.sim.worlds.home.scene import HomeScene, Thing
from vlp.sim.worlds.home.tasks.families import families
from vlp.sim.worlds.home.tasks.task import HomeTask, home
from vlp.sim.worlds.home.tasks.tasks import HomeTasks
from vlp.sim.worlds.tasks import Split


class GuestTasks(HomeTasks):
    """`vlp.sim.worlds.tasks.Tasks` of the world `guests`: the table is set for six; a typed sentence may ask for anything."""

    @property
    def kinds(self) -> dict[str, dict[str, float]]:
        """Nothing else is drawn."""
        return {"static": {"lay": 1.0}}

    def draw(
        self, truth: Truth, rng: Random, split: Split = "train", odds: Mapping[str, float] | None = None
    ) -> HomeTask | None:
        """Return the task of setting the table for six."""
        del odds
        return families()["lay"].sample(home(truth), rng, split, {"number": "6"})


class Guests(Home):
    """A `World`."""

    name = "guests"
    tasks = GuestTasks()

    def sample(self, seed: int) -> HomeScene:
        """Return the home of a seed, see `sample_guests`."""
        return sample_guests(seed)


def sample_guests(seed: int) -> HomeScene:
    """Return the home of a seed with other things in it: what six people eat and drink from, and what is in the way.

    Rooms, furniture, people and looks are those of `sample_home`. Nothing is to be poured, and nobody holds a thing.
    """
    scene, rng = sample_home(seed), np.random.default_rng([seed, 43])
    fixtures = replace(scene.fixtures, balls=0, ball_cup="")
    tops, placed = surfaces(scene.furniture, fixtures), list[Thing]()
    cabinet, front_m = tops["cabinet"], 0.22  # so far across it every hand comes from above, see `tasks.reaching`
    tops["cabinet"] = replace(cabinet, high=(cabinet.high[0], cabinet.low[1] + front_m))
    for name, where in _wanted(rng):
        placed += filter(None, [place_thing(name, where, tops, placed, rng)])
    persons = tuple(replace(person, holds="") for person in scene.persons)
    return replace(scene, objects=tuple(placed), persons=persons, fixtures=fixtures)


def _wanted(rng: np.random.Generator) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of a thing and the surfaces of which one is to bear it."""
    dishes, drinks, food = _shuffled(rng, "dish"), _shuffled(rng, "drink"), _shuffled(rng, "fruit", "food", "snack")
    clutter = _shuffled(rng, "toy", "cleaning supply")
    from_plate = [name for name in dishes if products()[name].shape in ("bowl", "plate")]
    from_cup = [name for name in dishes if name not in from_plate]
    food, clutter = ([name for name in names if _handy(products()[name])] for names in (food, clutter))
    yield from ((name, ("kitchen table",)) for name in (*from_plate[:2], *clutter[:3]))
    away = ("coffee table",) * 6 + ("cabinet",) * 2 + ("shelf: middle",) * 2 + ("shelf: upper",)
    names = rng.permutation([*from_cup[:6], *drinks[:2], *food[:3]]).tolist()
    # Cups are taken from above, so under no board; of the others what shows its broad side is taken so, too.
    names.sort(key=lambda name: (products()[name].shape != "cup", -max(products()[name].size_m[:2])))
    for name, place in zip(names, away, strict=True):
        yield name, (place,)
    yield next(name for name in food[3:] if products()[name].size_m[2] < 0.10), ("drawer",)


def _shuffled(rng: np.random.Generator, *categories: str) -> list[str]:
    return rng.permutation([name for name, product in products().items() if product.category in categories]).tolist()


def _handy(product: Product) -> bool:
    """Return whether every hand takes it from above, and it needs no more room on the table than a mug.

    What is put down from the front needs a lane from the table's edge, and a table has four of them.
    """
    widest_m, highest_m = 0.09, 0.13
    low = product.width_m <= widest_m and product.size_m[2] <= highest_m
    return low and max(product.size_m[:2]) <= products()["red mug"].size_m[0]
