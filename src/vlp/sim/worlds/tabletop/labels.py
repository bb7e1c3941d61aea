"""What a frame's label says that its picture does not show is left out: what is seen, and the true state of just that."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vlp.sim.truth import TrueObject, Truth


def seen_rows(label: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows of a label (`vlp.sim.worlds.tabletop.frames.Frame.labels`) about what is to be seen, by phrase.

    An object counts as seen when 15 % of its outline is visible, or 90 pixels at 432 x 324.
    """
    return {row["phrase"]: row for row in label["objects"] if row["box"] and (row["fraction"] >= 0.15 or row["pixels"] >= 90)}


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
    support = row["support"] if row["support"] in kept or row["support"] in ("table", "bin", "floor", "hand") else "table"
    x, y, z = row["position_in_world"]
    a, b, c = row["size_m"]
    return TrueObject(
        row["colour"], row["kind"], (x, y, z), (a, b, c), row["yaw_rad"], support, row["relation"], row["upright"]
    )
