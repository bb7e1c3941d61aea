"""Simulated robot bodies, by name: a row is all that one more body needs beside its own code."""

from typing import TYPE_CHECKING

from vlp.core.errors import open_row

if TYPE_CHECKING:
    from vlp.sim.embodiments.protocol import Embodiment

EMBODIMENTS: dict[str, str] = {"hsr": "vlp.sim.embodiments.hsr.embodiment:Hsr"}
"""Objects or classes that fit `vlp.sim.embodiments.protocol.Embodiment`; the first row is the default."""


def open_embodiment(name: str = "") -> "Embodiment":
    """Return a simulated body.

    Args:
        name: a row of `EMBODIMENTS`; "" takes the first.

    Raises:
        UsageError: no such row.
    """
    return open_row(name, EMBODIMENTS, "robot")
