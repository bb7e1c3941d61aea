"""Which pixels in and around a box belong to the thing that the box was drawn for."""

import numpy as np
from numpy.typing import NDArray

from vlp.core.images import Rgb
from vlp.core.observation import Array, Box, iou
from vlp.perception.looks import Mask, has_colour, is_colour
from vlp.perception.points import Cloud

JUMP_M = 0.015
"""Two neighbours whose depths differ by more belong to two things."""


def object_mask(rgb: Rgb, cloud: Cloud, box: Box, colour: str, span_m: float = 0.25) -> Mask:
    """Return the pixels (height, width) of the thing in a box; all False when nothing stands out.

    Colour separates it from what it rests in or on, height from the table. Of the connected pieces that remain those
    near each other whose common bounding box fits the given box best are the thing: a box surrounds what is visible.

    Args:
        colour: the colour word asked for; "" or unknown to go by height alone.
        span_m: the largest size of such a thing; pieces further apart are not one thing.
    """
    min_pixels, lowest_m = 25, 0.004
    y1, y2, x1, x2 = _window(box, rgb.shape[:2])
    part = (slice(y1, y2), slice(x1, x2))
    height = cloud.height_m[part]
    raised = np.where(np.isfinite(height), height, 0.02) > lowest_m
    coloured = has_colour(rgb[part], colour) if is_colour(colour) else np.ones_like(raised)
    local = (box[0] - x1, box[1] - y1, box[2] - x1, box[3] - y1)
    places = cloud.eye + cloud.rays[part] * cloud.depth_m[part][..., None]
    depth = np.where(cloud.valid[part], cloud.depth_m[part], np.nan)
    chosen = _best_pieces(open_close(raised & coloured), local, depth, places, span_m)
    if chosen.sum() < max(min_pixels, 0.12 * (local[2] - local[0]) * (local[3] - local[1])):
        by_height = _best_pieces(open_close(raised & _inside(raised.shape, local)), local, depth, places, span_m)
        chosen = by_height if by_height.sum() > 2 * chosen.sum() else chosen
    if _runs_on(chosen, (y1, y2, x1, x2), rgb.shape[:2]):
        chosen &= _inside(raised.shape, local)
    chosen &= ~(height < lowest_m)
    mask = np.zeros(rgb.shape[:2], dtype=bool)
    if chosen.sum() >= min_pixels:
        mask[part] = chosen
    return mask


def pieces(mask: Mask) -> NDArray[np.int64]:
    """Return labels of the 4-connected pieces: 0 outside, else a number per piece."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        spread = _spread(_spread(labels, mask).T, mask.T).T
        if (spread == labels).all():
            return labels
        labels = spread


def _spread(labels: NDArray[np.int64], mask: Mask) -> NDArray[np.int64]:
    """Return the labels with the highest of every unbroken part of a row all over it."""
    begins = mask.copy()
    begins[:, 1:] &= ~mask[:, :-1]
    values, starts = labels[mask], np.flatnonzero(begins[mask])
    spread = np.zeros_like(labels)
    if len(starts):
        spread[mask] = np.repeat(np.maximum.reduceat(values, starts), np.diff(starts, append=len(values)))
    return spread


def open_close(mask: Mask) -> Mask:
    """Drop single pixels and thin bridges, and fill single holes."""
    return _majority(_majority(mask))


def _majority(mask: Mask) -> Mask:
    padded = np.pad(mask, 1).astype(np.int64)
    height, width = mask.shape
    total = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    return np.asarray(total) >= 5


def _best_pieces(mask: Mask, box: Box, depth: Array, places: Array, span_m: float) -> Mask:
    """Return the pieces near each other in space whose common bounding box fits best.

    A jump in depth parts two pieces even where their colours run into each other.
    """
    whole = mask & np.isfinite(depth) & ~_jumps(depth)
    labels = pieces(whole)
    names, counts = np.unique(labels[labels > 0], return_counts=True)
    inside = [n for n in names[counts >= 12] if _mostly_in(bounds(labels == n), box)]
    large = sorted(inside, key=lambda n: -counts[names == n][0])[:12]
    if not large:
        return np.zeros_like(mask)
    middle = {n: np.median(places[(labels == n) & np.isfinite(depth)], axis=0) for n in large}
    chosen, best, spare = np.zeros_like(mask), -1.0, 0.03
    for anchor in large:
        near = [n for n in large if np.linalg.norm(middle[n] - middle[anchor]) < 0.75 * span_m]
        for names_chosen in (near, [anchor]):  # alone, where the rest belongs to a neighbour of the same colour
            cluster = np.isin(labels, names_chosen)
            # Pieces that widen it by nothing are what is seen past its sides: a wall close behind it, the floor before it.
            fit = iou(bounds(cluster), box) + (spare if names_chosen == [anchor] else 0.0) + 1e-6 * cluster.sum()
            if fit > best:
                chosen, best = cluster, fit
    for _ in range(2):
        chosen = _grown(chosen, mask, depth)
    return chosen


def eroded(mask: Mask) -> Mask:
    """Return the mask without its outermost pixels, whose depth may be the background's."""
    inner = mask.copy()
    for axis in (0, 1):
        for shift in (1, -1):
            inner &= np.roll(mask, shift, axis)
    return inner


def _jumps(depth: Array) -> Mask:
    """Return the pixels at which depth jumps to a neighbour."""
    jump = np.zeros(depth.shape, dtype=bool)
    for axis in (0, 1):
        step = np.abs(np.diff(depth, axis=axis)) > JUMP_M
        pad = ((1, 0), (0, 0)) if axis == 0 else ((0, 0), (1, 0))
        jump |= np.pad(step, pad) | np.pad(step, tuple(p[::-1] for p in pad))
    return jump


def _grown(chosen: Mask, mask: Mask, depth: Array) -> Mask:
    """Return the chosen pixels with their neighbours in the mask that have no, or nearly the same, depth."""
    grown = chosen.copy()
    for axis in (0, 1):
        for shift in (1, -1):
            beside, their_depth = np.roll(chosen, shift, axis), np.roll(depth, shift, axis)
            grown |= mask & beside & ~(np.abs(depth - their_depth) > JUMP_M)
    return grown


def bounds(mask: Mask) -> Box:
    """Return the bounding box of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _window(box: Box, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    margin = 0.25  # a share of the box's size: boxes of a grounder are not exact
    dx, dy = margin * (box[2] - box[0]) + 4, margin * (box[3] - box[1]) + 4
    y1, y2 = max(int(box[1] - dy), 0), min(int(np.ceil(box[3] + dy)), shape[0])
    x1, x2 = max(int(box[0] - dx), 0), min(int(np.ceil(box[2] + dx)), shape[1])
    return y1, max(y2, y1), x1, max(x2, x1)


def _runs_on(mask: Mask, window: tuple[int, int, int, int], shape: tuple[int, int]) -> bool:
    """Return whether a mask goes on beyond its window: it runs into another thing of that colour, e.g. one below it."""
    y1, y2, x1, x2 = window
    edges = ((mask[0], y1 > 0), (mask[-1], y2 < shape[0]), (mask[:, 0], x1 > 0), (mask[:, -1], x2 < shape[1]))
    return any(bool(edge.any()) for edge, open_end in edges if open_end)


def _mostly_in(piece: Box, box: Box) -> bool:
    """Return whether at least half of a piece's bounding box lies in the box."""
    width, height = min(piece[2], box[2]) - max(piece[0], box[0]), min(piece[3], box[3]) - max(piece[1], box[1])
    return width > 0 and height > 0 and width * height >= 0.5 * (piece[2] - piece[0]) * (piece[3] - piece[1])


def _inside(shape: tuple[int, ...], box: Box) -> Mask:
    v, u = np.mgrid[: shape[0], : shape[1]] + 0.5
    return (u > box[0]) & (u < box[2]) & (v > box[1]) & (v < box[3])
