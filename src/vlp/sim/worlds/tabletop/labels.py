"""What a frame's label says that its picture does not show is left out: what is seen, and the true state of just that."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vlp.sim.truth import TrueObject, Truth

MIN_FRACTION, MIN_PIXELS = 0.15, 90
"""An object counts as seen from this visible share of its outline, or this many pixels at 432 x 324, on."""

PLACES = ("table", "bin", "floor", "hand")


def seen_rows(label: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows of a label (`vlp.sim.worlds.tabletop.frames.Frame.labels`) about what is to be seen, by phrase."""
    return {
        row["phrase"]: row
        for row in label["objects"]
        if row["box"] and (row["fraction"] >= MIN_FRACTION or row["pixels"] >= MIN_PIXELS)
    }


def seen_truth(label: Mapping[str, Any]) -> Truth:
    """Return the true state without what is not seen; away from the table station, with all that is not in the bin."""
    rows = {row["phrase"]: row for row in label["objects"]}
    kept = set(seen_rows(label)) if label["at"] == "table" else {p for p, r in rows.items() if r["support"] != "bin"}
    if label["holding"]:
        kept = kept | {label["holding"]}
    truth = _without_circles({p: _true(rows[p], kept) for p in rows if p in kept})
    return Truth(truth, label["holding"], label["at"])


def _without_circles(objects: dict[str, TrueObject]) -> dict[str, TrueObject]:
    """Return the objects with those put on the table that physics found leaning on each other in a circle."""
    for name, item in list(objects.items()):
        seen, support = {name}, item.support
        while support in objects and support not in seen:
            seen.add(support)
            support = objects[support].support
        if support in seen:
            objects[name] = replace(item, support="table", relation="on")
    return objects


def _true(row: Mapping[str, Any], kept: set[str]) -> TrueObject:
    support = row["support"] if row["support"] in kept or row["support"] in PLACES else "table"
    x, y, z = row["position_in_world"]
    a, b, c = row["size_m"]
    return TrueObject(
        row["colour"], row["kind"], (x, y, z), (a, b, c), row["yaw_rad"], support, row["relation"], row["upright"]
    )
