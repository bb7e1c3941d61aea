"""Where things are put down inside containers."""

from dataclasses import dataclass

import numpy as np

from vlp.core.located import Located
from vlp.sim.actions.spots import inner_spot

TRAY = Located("white tray", (0.0, 0.0, 1.0, 1.0), (0.6, 0.0, 0.445), (0.22, 0.16, 0.03), 0.0, 1.0, 0.0)


@dataclass
class FakeHeights:
    """A tray on which one tall thing stands: (x, y, half, height)."""

    tall: tuple[float, float, float, float]

    def highest_within(self, x: float, y: float, half_x: float, half_y: float, yaw_rad: float) -> float:
        """Return the thing's height where the rectangle touches it, else the tray's floor."""
        tx, ty, half, height = self.tall
        return height if abs(x - tx) < half_x + half and abs(y - ty) < half_y + half else 0.439


def test_the_fingers_keep_off_what_stands_beside():
    """Guards against a hand that comes down on a neighbour: on a tray with a can the place was free, the fingers' was not."""
    heights = FakeHeights((0.6, 0.055, 0.03, 0.55))
    free = inner_spot(heights, TRAY, 0.025, 0.025, 0.43)  # type: ignore[arg-type]
    kept_off = inner_spot(heights, TRAY, 0.025, 0.025, 0.43, fingers=(0.015, 0.06), tip_m=0.05)  # type: ignore[arg-type]
    assert np.hypot(kept_off[1] - 0.6, kept_off[2] - 0.055) > np.hypot(free[1] - 0.6, free[2] - 0.055)
    assert heights.highest_within(kept_off[1], kept_off[2], 0.015, 0.06, 0.0) < 0.5
