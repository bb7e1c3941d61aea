"""Where in a drawer, a bin or a basket one more thing goes: where the height map shows nothing, with room for the hand."""

from collections.abc import Callable
from itertools import product

import numpy as np

from vlp.sim.heightmap import CELL_M, HeightMap
from vlp.sim.worlds.protocol import Station

Half = tuple[float, float]
"""Half extents in metres ahead and to the side."""


def spot_inside(
    heights: HeightMap, there: Station, thing: Half, hand: Half, below_m: float, stands: Callable[[float, float], bool]
) -> tuple[float, float, float]:
    """Return x, y of the best spot for something that a hand lowers into a container, and the height of what it will rest on.

    Args:
        heights: what lies there, in the frame.
        there: the container, in the frame.
        thing: of what is put in.
        hand: of the hand with its fingers open.
        below_m: how far the thing reaches below the finger tips.
        stands: whether the robot has room to stand with its hand at a point.
    """
    step_m, noise_m, wall_m = 0.03, 0.02, 0.02  # depth sees walls up to 1 cm away from where they are
    ways = []
    for low, high, half_thing, half_hand in zip(there.low, there.high, thing, hand, strict=True):
        inset = max(half_thing + wall_m, half_hand)
        middle, half = (low + high) / 2, max(0.0, (high - low) / 2 - inset)
        ways.append([middle + half * k for k in np.linspace(-1, 1, 2 * round(half / step_m) + 1)])

    def floor(x: float, y: float) -> float:
        seen_m = heights.highest_within(x, y, thing[0] + CELL_M, thing[1] + CELL_M, 0.0)
        return seen_m if seen_m > there.floor_m + noise_m else there.floor_m

    def cost(spot: tuple[float, float]) -> float:
        x, y = spot
        rests_m = floor(x, y)
        beside_m = max(0.0, heights.highest_within(x, y, *hand, 0.0) - rests_m - max(below_m, noise_m))
        hidden = 1.0 - heights.seen_within(x, y, thing[0], thing[1])
        away_m = abs(x - there.middle[0]) + abs(y - there.middle[1])
        pressed = 0.0 if stands(x, y) else 10.0  # a basket stands at a wall
        return 10 * (rests_m - there.floor_m) + 10 * beside_m + 0.3 * hidden + away_m + pressed

    x, y = min(product(*ways), key=cost)
    return float(x), float(y), floor(x, y)
