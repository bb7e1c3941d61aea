"""How large the things of this world are, for whoever measures them in its images."""

import tomllib
from functools import cache
from importlib.resources import files

from vlp.core.observation import SizeBounds, Sizes


@cache
def sizes() -> Sizes:
    """Return the bounds of `sizes.toml`, by kind."""
    rows = tomllib.loads((files("vlp.sim.worlds.tabletop") / "sizes.toml").read_text("utf-8"))
    return {kind: SizeBounds(**row) for kind, row in rows.items()}
