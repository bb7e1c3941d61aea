"""The named places of this world, as a manifest tells them."""

from vlp.primitives.manifest import Place

PLACES: tuple[Place, ...] = (
    Place("table", ("on",), visible=True, clearable=True),
    Place("bin", ("in",), final=True),
    Place("start"),
)
