"""From a box to a pose: where a thing is, how large and how turned, from depth inside its box."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vlp.core.observation import Array, Box, Located, Observation, SizeBounds, Sizes
from vlp.perception.bars import locate_bar
from vlp.perception.grounder import Detection
from vlp.perception.looks import NounShape, colour_of, noun_of, shape_of
from vlp.perception.points import Cloud, cloud
from vlp.perception.segment import Mask, bounds, eroded, object_mask, open_close
from vlp.perception.shapes import Outline, fit_circle, fit_rectangle, fit_sphere, outermost

TOP_TOLERANCE_M = 0.003
RIM_TOLERANCE_M = 0.01
ON_TABLE_M = 0.02
"""A thing whose lowest visible point is below this height stands on the table itself."""


@dataclass(frozen=True)
class Seen:
    """What is known of one thing before its shape is fitted: its pixels, their points, heights, and how wide it is at most."""

    cloud: Cloud
    mask: Mask
    points: Array
    top_z_m: float
    bottom_z_m: float
    wide_m: float = math.inf

    def top_pixels(self, tolerance_m: float = TOP_TOLERANCE_M) -> Mask:
        """Return the pixels of the thing within a tolerance of its top."""
        height = smoothed(self.cloud.height_m, self.mask & self.cloud.valid)
        top = self.mask & self.cloud.valid & (height + self.cloud.support_z_m > self.top_z_m - tolerance_m)
        return without_strays(top) if top.any() else top

    def outline_points(self) -> Array:
        """Return the top's pixels, cast onto the level plane of the top, as (n, 2)."""
        top = self.top_pixels()
        if top.sum() < 12:
            top = self.top_pixels(2.5 * TOP_TOLERANCE_M)
        spots = self.cloud.on_plane(top if top.sum() >= 12 else self.mask, self.top_z_m)
        return spots + self._edge_shift(spots)

    def shows_top(self) -> bool:
        """Return whether its top is seen from well above, see `shows_top`."""
        return shows_top(self.cloud, self.points, self.top_z_m)

    def core(self) -> Array:
        """Return its points without those of its outermost pixels, which may lie on what is seen past its edges."""
        core = self.cloud.points(eroded(eroded(self.mask)))
        return core if len(core) > 36 else self.points

    def above(self, z_m: float) -> "Seen":
        """Return the part of it that is higher than that."""
        mask = self.mask & (self.cloud.height_m + self.cloud.support_z_m > z_m)
        return replace(self, mask=mask) if (mask & self.cloud.valid).sum() >= 36 else self

    def _edge_shift(self, spots: Array) -> Array:
        """Return what the nearest outline is off: the tolerance lets a strip of the front count as top."""
        away = spots.mean(axis=0) - self.cloud.eye[:2]
        return away / (self.cloud.eye[2] - self.top_z_m) * TOP_TOLERANCE_M / 2


Fit = Callable[[Seen], tuple[Outline, float, float]]
"""From what is seen to (outline, bottom, top), heights in metres above the floor."""


def locate(
    observation: Observation, detection: Detection, scene: Cloud | None = None, sizes: Sizes | None = None
) -> Located | None:
    """Return the pose of what a detection's box holds, None when nothing with depth stands out there.

    Args:
        observation: the image that was grounded, with its depth.
        detection: phrase and box; the phrase's noun tells which shape is fitted.
        scene: the observation's cloud where several things are located in one image.
        sizes: how large things are, where that is known.
    """
    scene = scene or cloud(observation)
    shape, size = shape_of(detection.phrase), (sizes or {}).get(noun_of(detection.phrase), SizeBounds())
    if shape.fit == "bar":
        return locate_bar(observation, detection, scene)
    scene = _on_its_own_floor(scene, detection.box)
    mask = object_mask(
        observation.rgb, scene, detection.box, colour_of(detection.phrase) if shape.plain else "", size.span_m or 0.25
    )
    if size.tallest_m is not None and mask.any():
        lowest = 0.0 if shape.container else float(np.nanquantile(np.r_[scene.height_m[mask], 0.0], 0.02))
        mask &= ~(scene.height_m > max(lowest - ON_TABLE_M, 0.0) + size.tallest_m)
    if scene.points(mask).size < 36:
        return None
    lying = size.lying_m is not None and bool(np.nanquantile(scene.height_m[mask], 0.985) < size.lying_m)
    axis = column_of(scene, mask) if shape.capped and not lying else None
    if axis is not None:
        mask |= axis.pixels(scene, detection.box, size.tallest_m or 0.4)
    outline, bottom, top = (fit_upright if lying else FITS.get(shape.fit, fit_upright))(
        replace(see(scene, mask, shape), wide_m=size.wide_m or math.inf)
    )
    if size.shortest_m is not None and not lying:
        bottom = max(min(bottom, top - size.shortest_m), scene.support_z_m)
    if axis is not None and shape.fit != "handled" and not axis.agrees(outline):  # a handle is part of the silhouette
        outline = Outline(axis.centre, 2 * axis.radius_m, 2 * axis.radius_m)
    return Located(
        phrase=detection.phrase,
        box=detection.box,
        position_in_world=(outline.centre[0], outline.centre[1], (bottom + top) / 2),
        size_m=(outline.length_m, outline.width_m, top - bottom),
        yaw_rad=outline.yaw_rad,
        score=detection.score,
        stamp_s=observation.stamp_s,
    )


def _on_its_own_floor(scene: Cloud, box: Box) -> Cloud:
    """Return the scene with heights above what a thing stands on, where that is not the support.

    What lies in a drawer, or on a board below the widest one, lies below the support, and nothing stood out in its box. On a
    board above it everything stood out, the board itself with it.
    """
    apart_m, ground_m = 0.03, 0.09  # what is lower than that is the floor or a bin's bottom; a cupboard's is at 0.10
    x1, y1, x2, y2 = (round(side) for side in box)
    part = (slice(max(y1, 0), y2), slice(max(x1, 0), x2))
    z = scene.height_m[part][scene.valid[part]] + scene.support_z_m
    if not z.size:
        return scene
    floor_m, below = float(np.quantile(z, 0.02)), ground_m < float(np.median(z)) < scene.support_z_m - apart_m
    if not below and not (floor_m > scene.support_z_m + apart_m and _is_level(scene, box, floor_m)):
        return scene
    return replace(scene, height_m=scene.height_m + scene.support_z_m - floor_m, support_z_m=floor_m)


def _is_level(scene: Cloud, box: Box, z_m: float) -> bool:
    """Return whether beside and below a box most of what is seen lies at one height."""
    x1, y1, x2, y2 = (round(side) for side in box)
    beside, below, most = (x2 - x1) // 2, (y2 - y1) // 4, 0.5
    part = (slice(max(y2 - below, 0), y2 + below), slice(max(x1 - beside, 0), x2 + beside))
    z = scene.height_m[part][scene.valid[part]] + scene.support_z_m
    return bool(z.size and (np.abs(z - z_m) < 0.012).mean() > most)


@dataclass(frozen=True)
class Column:
    """An upright round thing as the silhouette of its coloured body shows it: axis, radius, lowest visible height."""

    centre: tuple[float, float]
    radius_m: float
    bottom_m: float

    def pixels(self, scene: Cloud, box: Box, tallest_m: float) -> Mask:
        """Return the pixels in a box that belong to the column whatever their colour: lids and caps have their own."""
        x1, y1, x2, y2 = (int(v) for v in box)
        part = (slice(max(y1 - 2, 0), y2 + 2), slice(max(x1 - 2, 0), x2 + 2))
        places = scene.eye + scene.rays[part] * scene.depth_m[part][..., None]
        near = np.linalg.norm(places[..., :2] - np.array(self.centre), axis=-1) < 1.2 * self.radius_m
        height = scene.height_m[part]
        found = np.zeros_like(scene.valid)
        found[part] = near & (height > max(0.015, self.bottom_m)) & (height < self.bottom_m + tallest_m)
        return found

    def agrees(self, outline: Outline) -> bool:
        """Return whether a circle fitted to the top is this column's, and not a piece of what hides it."""
        away = np.hypot(outline.centre[0] - self.centre[0], outline.centre[1] - self.centre[1])
        return bool(away < 0.6 * self.radius_m and outline.length_m < 3.2 * self.radius_m)


def column_of(scene: Cloud, mask: Mask) -> Column:
    """Return the column of a mask: its sides give the radius, its nearest points the axis."""
    points = scene.points(mask)
    flat = points[:, :2] - scene.eye[:2]
    ahead = np.median(flat, axis=0)
    ahead /= np.linalg.norm(ahead)
    across = np.array([-ahead[1], ahead[0]])
    left, right = np.quantile(flat @ across, [0.02, 0.98])
    radius = max((right - left) / 2, 0.01)
    nearest = np.quantile(flat @ ahead, 0.02)
    x, y = scene.eye[:2] + ahead * (nearest + radius) + across * (left + right) / 2
    return Column((float(x), float(y)), float(radius), float(np.quantile(points[:, 2], 0.05)) - scene.support_z_m)


def smoothed(values: Array, mask: Mask) -> Array:
    """Return the mean of each pixel and its neighbours inside the mask; only there is it meaningful."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = mask[part]
    padded = np.pad(np.where(inside, values[part], 0.0), 1), np.pad(inside.astype(float), 1)
    shape = inside.shape
    total, count = (sum(p[i : i + shape[0], j : j + shape[1]] for i in range(3) for j in range(3)) for p in padded)
    result = np.full_like(values, np.nan)
    result[part] = np.asarray(total) / np.maximum(np.asarray(count), 1.0)
    return result


def see(scene: Cloud, mask: Mask, shape: NounShape) -> Seen:
    """Return what is seen of a thing, with the heights of its top and bottom.

    A flat top is where most of the upper points are, a rim what lies outermost on the far side.
    """
    points = scene.points(mask)
    z = points[:, 2]
    highest = float(np.quantile(z, 0.985))
    lowest = float(np.quantile(z, 0.02))
    top = highest
    if shape.flat_top and shows_top(scene, points, highest):
        upper = z[z > highest - 0.02]
        counts = np.histogram(upper, bins=np.arange(highest - 0.02, highest + 0.012, 0.002))[0]
        mode = highest - 0.02 + 0.002 * (int(np.convolve(counts, [1, 1, 1], "same").argmax()) + 0.5)
        top = float(np.median(upper[np.abs(upper - mode) < 0.004]))
    if shape.container:
        top = rim_height(scene, mask, highest)
        mask = mask & ~(scene.height_m + scene.support_z_m > top + RIM_TOLERANCE_M)
    bottom = scene.support_z_m if lowest < scene.support_z_m + ON_TABLE_M else lowest
    return Seen(scene, mask, points, top, min(bottom, top - 0.005))


def shows_top(scene: Cloud, points: Array, top_z_m: float) -> bool:
    """Return whether the eye is so far above a thing's top that depth tells the top from the sides."""
    least = 0.50  # of slope: at 0.3 a can was a third too wide, from 2 cm below its top a carton was 1.6 m long
    away_m = float(np.linalg.norm(np.median(points[:, :2], axis=0) - scene.eye[:2]))
    return bool(scene.eye[2] - top_z_m > least * away_m)


def without_strays(mask: Mask) -> Mask:
    """Return a mask that is not empty without single pixels: two of a box's rim made a mug beside it 16 cm wide."""
    x1, y1, x2, y2 = (int(v) for v in bounds(mask))
    kept = np.zeros_like(mask)
    kept[y1:y2, x1:x2] = mask[y1:y2, x1:x2] & open_close(mask[y1:y2, x1:x2])
    return kept


def rim_height(scene: Cloud, mask: Mask, highest_m: float) -> float:
    """Return the height of a container's rim: what lies outermost on the far side.

    Where that side is hidden the rim shows elsewhere and higher, at the edge too; what is higher and not at the edge is
    something of the same colour in the container (a black box took the height of the mug in it, and its width).
    """
    core = scene.points(eroded(mask))
    if len(core) <= 30:
        return highest_m
    far = float(np.quantile(core[outermost(core, toward=np.median(core[:, :2], axis=0) - scene.eye[:2]), 2], 0.7))
    edge = core[outermost(core), 2]
    high = max(far, float(np.quantile(core[:, 2], 0.9)))
    return high if (edge > far + RIM_TOLERANCE_M).mean() > 0.1 else far


def fit_block(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the rectangle of a flat top, all of which is visible from above; else what the sides show."""
    if not seen.shows_top():
        return fit_sides(seen)
    return fit_rectangle(seen.outline_points()), seen.bottom_z_m, seen.top_z_m


def fit_cube(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the square of a top; where something stands on it, the visible sides, completed to a square behind them."""
    outline = fit_rectangle(seen.outline_points())
    if outline.width_m < 0.75 * outline.length_m:
        outline = squared(fit_rectangle(seen.points[:, :2], trim=0.02), seen.cloud.eye)
    return outline, seen.bottom_z_m, seen.top_z_m


def fit_sides(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the rectangle around the visible sides; where only one is seen, it is completed behind it."""
    outline, thin_m, least_m = fit_rectangle(seen.core()[:, :2], hollow=True), 0.035, 0.001
    if outline.width_m < thin_m:
        outline = squared(outline, seen.cloud.eye, seen.wide_m)
        # What is exactly as long as wide counts as round: a square carton was taken by two of its corners, and slipped.
        outline = replace(outline, width_m=min(outline.width_m, outline.length_m - least_m))
    return outline, seen.bottom_z_m, seen.top_z_m


def fit_silhouette(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the upright column whose sides are seen: from its outermost points, since a cup is widest at its rim alone."""
    scene, core = seen.cloud, seen.core()[:, :2] - seen.cloud.eye[:2]
    ahead = np.median(core, axis=0)
    away_m = float(np.linalg.norm(ahead))
    ahead /= away_m
    across = np.array([-ahead[1], ahead[0]])
    left, right = (core @ across).min(), (core @ across).max()
    edge_m = 2 * away_m * float(np.linalg.norm(scene.rays[0, 1] - scene.rays[0, 0]))  # what the core lacks at each side
    radius = (right - left) / 2 + edge_m
    x, y = scene.eye[:2] + ahead * (np.quantile(core @ ahead, 0.02) + radius) + across * (left + right) / 2
    return Outline((float(x), float(y)), 2 * radius, 2 * radius), seen.bottom_z_m, seen.top_z_m


def squared(outline: Outline, eye: Array, deepest_m: float = math.inf) -> Outline:
    """Return a rectangle of which only the near part was seen as a square that reaches away from the eye, or less deep."""
    deep_m = min(outline.length_m, max(deepest_m, outline.width_m))
    across = np.array([-np.sin(outline.yaw_rad), np.cos(outline.yaw_rad)])
    if across @ (np.array(outline.centre) - eye[:2]) < 0:
        across = -across
    x, y = np.array(outline.centre) + across * (deep_m - outline.width_m) / 2
    return Outline((float(x), float(y)), outline.length_m, deep_m, outline.yaw_rad)


def fit_round(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the circle of a top or rim."""
    if not seen.shows_top():
        return fit_silhouette(seen)
    return fit_circle(seen.outline_points()), seen.bottom_z_m, seen.top_z_m


def fit_mug(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the circle of the rim; the yaw is the handle's, which a gripper should not close on."""
    rim_m = 0.018  # above every handle
    rim = fit_circle(seen.outline_points()) if seen.shows_top() else fit_silhouette(seen.above(seen.top_z_m - rim_m))[0]
    flat = seen.points[:, :2] - np.array(rim.centre)
    handle = flat[np.linalg.norm(flat, axis=1) > rim.length_m / 2 + 0.008]
    towards = handle.mean(axis=0) if len(handle) > 15 else np.array(rim.centre) - seen.cloud.eye[:2]
    yaw = float(np.arctan2(towards[1], towards[0]))
    return Outline(rim.centre, rim.length_m, rim.width_m, yaw), seen.bottom_z_m, seen.top_z_m


def fit_ball(seen: Seen) -> tuple[Outline, float, float]:
    """Fit a sphere to the visible cap."""
    centre, radius = fit_sphere(seen.core())
    radius = min(max(radius, 0.01), 0.08)
    return Outline((float(centre[0]), float(centre[1])), 2 * radius, 2 * radius), centre[2] - radius, centre[2] + radius


def fit_bottle(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the circle of the cap for the axis; the body's width comes from its silhouette."""
    if not seen.shows_top():
        return fit_silhouette(seen)
    cap = fit_circle(seen.outline_points())
    view = np.array(cap.centre) - seen.cloud.eye[:2]
    across = np.array([-view[1], view[0]]) / np.linalg.norm(view)
    sides = np.quantile(seen.points[:, :2] @ across, [0.01, 0.99])
    width = float(max(sides[1] - sides[0], cap.length_m))
    return Outline(cap.centre, width, width), seen.bottom_z_m, seen.top_z_m


def fit_bear(seen: Seen) -> tuple[Outline, float, float]:
    """Fit a column below the head, as wide as the whole: arms and legs stand out to one side or the other."""
    head_m = 0.45 * (seen.top_z_m - seen.bottom_z_m)
    head, whole = (fit_silhouette(part)[0] for part in (seen.above(seen.top_z_m - head_m), seen))
    return Outline(head.centre, whole.length_m, whole.width_m), seen.bottom_z_m, seen.top_z_m


def fit_upright(seen: Seen) -> tuple[Outline, float, float]:
    """Fit the rectangle around everything visible, for kinds that are not known."""
    return fit_rectangle(seen.core()[:, :2]), seen.bottom_z_m, seen.top_z_m


FITS: dict[str, Fit] = {
    "square": fit_cube,
    "rectangle": fit_block,
    "sphere": fit_ball,
    "circle": fit_round,
    "handled": fit_mug,
    "bottle": fit_bottle,
    "bear": fit_bear,
}
"""How each outline of `nouns.toml` is fitted."""
