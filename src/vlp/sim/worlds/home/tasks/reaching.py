"""What a hand can take and put where, by the true state: under a board it must come from the front, past what stands there."""

import math
from dataclasses import dataclass, replace

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.approach import Approach, choose_approach
from vlp.sim.embodiments.actions.map import into
from vlp.sim.heightmap import HeightMap
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.tasks.goals import has_solid_front, hinge_side_m, is_covered, place_under, stand_yaw_rad
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.protocol import Station


@dataclass(frozen=True)
class AnyHand:
    """A hand of which only the opening is known; a `vlp.sim.embodiments.actions.approach.Hand`."""

    widest_m: float
    thick_m: float = 0.012

    def knuckle_reach(self, opening_m: float) -> float:
        """Return how far its knuckles stand out, which is that of the wider of the known hands."""
        knuckle_m = 0.032
        return opening_m / 2 + knuckle_m

    def tip_reach(self, opening_m: float) -> float:
        """Return how far its tips stand out beyond the palm, half opened."""
        del opening_m
        return 0.085

    def stands_before(self, way: Approach, front_m: float) -> bool:
        """Return whether a body behind it stays before the front of the furniture; the shortest of the known arms counts."""
        arm_m, body_m = 0.73, 0.235  # from the axis to the tips of a hand that points ahead; of the body
        return way.tip[0] - arm_m * math.cos(way.heading_rad) < front_m - body_m


def out_of_reach(truth: HomeTruth, name: str, opening_m: float) -> str:
    """Return why a hand that opens so wide cannot take a thing, "" when it can; infinity asks for no hand in particular."""
    place, thing, width_m = place_under(truth, name), truth.objects.get(name), products()[name].width_m
    finger_m = 0.016  # room for both fingers, with what a thing is seen too large
    if place == "hand" or thing is None:
        return ""
    if width_m > opening_m - finger_m:
        return f"the {name} is {100 * width_m:.0f} cm wide, and this hand opens {100 * opening_m:.0f} cm"
    over_m = 0.0 if is_covered(place) else reached_over_m(place)
    if opening_m == math.inf or over_m == math.inf or place not in truth.surfaces:
        return ""
    top, frame = truth.surfaces[place], (0.0, 0.0, stand_yaw_rad(place))
    corners = [into(frame, *corner) for corner in (top.low, top.high)]
    (ax, bx), (ay, by) = (sorted(values) for values in zip(*corners, strict=True))
    middle = ((ax + bx) / 2, (ay + by) / 2, top.floor_m)
    hinge = (ax, middle[1] + hinge_side_m(place)) if hinge_side_m(place) else None
    station = Station(frame, middle, "on", (ax, ay), (bx, by), top.floor_m, headroom_m=top.headroom_m, hinge=hinge)
    seen_m, boxes = 0.012, []  # how much larger than it is a thing may be seen
    for other in truth.inside(place):
        item = truth.objects[other]
        x, y = into(frame, *item.position_in_world[:2])
        length, width, height = item.size_m
        boxes.append(((x, y, item.yaw_rad - frame[2]), (length + seen_m / 2, width + seen_m / 2, height)))
    heights = HeightMap.of_boxes(station.low, station.high, top.floor_m, boxes)
    x, y = into(frame, *thing.position_in_world[:2])
    if x < ax + over_m:
        return ""
    length, width, height = thing.size_m
    corners_m = 0.001 if products()[name].square else 0.0  # what is exactly as long as wide is round
    target = Located(name, (0, 0, 1, 1), (x, y, thing.position_in_world[2]), thing.size_m, thing.yaw_rad - frame[2], 1.0, 0.0)
    target = replace(target, size_m=(length + seen_m + corners_m, width + seen_m, height))
    spare_m = 0.004  # what fingers open less than is declared
    hand = AnyHand(opening_m - spare_m)
    way = choose_approach(hand, target, heights, station, top.floor_m, lambda way: hand.stands_before(way, ax))
    return f"the {name} stands where this hand does not come to it; {way}" if isinstance(way, str) else ""


def reached_over_m(place: str) -> float:
    """Return how far across a place every hand comes from above, infinity where a body can drive under it or walks up to it.

    Before what is solid from the floor up the shortest of the known arms comes 0.18 m far, and farther only from the front.
    """
    return 0.18 if has_solid_front(place) else math.inf


def cannot_put(name: str, place: str) -> str:
    """Return why no hand puts a thing at a place, "" when one can: what hangs upright in a hand does not fit under a board."""
    if products()[name].shape == "cup" and is_covered(place):
        return f"the {name} is held from above, and under the board is no room for that"
    return ""
