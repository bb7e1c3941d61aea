"""The named places of this world, as a manifest tells them."""

from vlp.primitives.manifest import Place

PLACES: tuple[Place, ...] = (
    Place("table", ("on",), visible=True, clearable=True, doc="where things stand, in view"),
    Place("bin", ("in",), doc="takes what is thrown away; one cannot look into it"),
    Place("start", doc="where the robot waits"),
)
