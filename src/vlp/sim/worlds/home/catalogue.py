"""What the things of this world are like, by name, without their shapes: from `things.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Rgb = tuple[float, float, float]
Size = tuple[float, float, float]


@dataclass(frozen=True)
class Product:
    """One thing as the shop sells it: every one of its name is alike.

    Args:
        category: one of RoboCup@Home's, e.g. "drink".
        kind: the noun, e.g. "box" of "cereal box".
        shape: how it is built, a row of `vlp.sim.worlds.home.things.SHAPES`.
        size_m: length, width and height.
        mass_kg: its mass.
        colour: the word for most of it; "" where no colour prevails.
        rgb, rgb2: its main and its second colour, 0 to 1.
        label: words printed on it.
        pattern: "", "stripes" or "dots", in the second colour.
    """

    category: str
    kind: str
    shape: str
    size_m: Size
    mass_kg: float
    colour: str
    rgb: Rgb
    rgb2: Rgb
    label: str = ""
    pattern: str = ""

    @property
    def holds(self) -> bool:
        """Whether smaller things can lie in it."""
        return self.shape in ("bowl", "cup", "plate")

    @property
    def width_m(self) -> float:
        """How far a hand must open to take it: between walls for a mug, whose handle is no part of that."""
        return min(self.size_m[:2])

    @property
    def square(self) -> bool:
        """Whether it has corners, seen from above."""
        return self.shape in ("carton", "sponge", "brick", "car", "puzzle")

    @property
    def portable(self) -> bool:
        """Whether a hand of a usual size takes it; bowls and plates are too wide."""
        usual_m = 0.10
        return self.width_m <= usual_m


@cache
def products() -> dict[str, Product]:
    """Return every thing by its name."""
    rows = tomllib.loads(resources.files("vlp.sim.worlds.home").joinpath("things.toml").read_text("utf-8"))
    return {name: Product(**_tuples(row)) for name, row in rows.items()}


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
