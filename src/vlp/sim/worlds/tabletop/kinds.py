"""What the things of this world are like, without their shapes: sizes, masses and colours, from `kinds.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Range = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Args:
        length_m: bounds of the length in metres.
        width_share, height_share: bounds of width and height as shares of the length.
        mass_kg: of each thing of this kind.
        round: whether its outline is a circle, but for a handle.
        wall_m: how thick its walls are; 0 for kinds without straight walls.
    """

    length_m: Range
    width_share: Range
    height_share: Range
    mass_kg: float
    round: bool = False
    wall_m: float = 0.0


@cache
def kinds() -> dict[str, Kind]:
    """Return every kind by its name."""
    return {name: _kind(row) for name, row in _file()["kinds"].items()}


@cache
def colours() -> dict[str, tuple[float, float, float]]:
    """Return the middle shade of every colour as red, green and blue, 0 to 1."""
    return {name: (rgb[0], rgb[1], rgb[2]) for name, rgb in _file()["colours"].items()}


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(resources.files("vlp.sim.worlds.tabletop").joinpath("kinds.toml").read_text("utf-8"))


def _kind(row: dict[str, Any]) -> Kind:
    ranges = {name: tuple(row[name]) for name in ("length_m", "width_share", "height_share")}
    return Kind(**{**row, **ranges})
