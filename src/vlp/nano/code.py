"""The scene code: what vlp-nano's vision tower writes into the first channels of every image token.

The image is cut into cells of 36 x 36 pixels, one per merged token. The object whose box centre lies in a cell is described
by that cell's token: one slot of channels for a graspable thing and one for a container, so that a cube in a bowl does not
hide the bowl. A slot holds presence, colour, kind, box and relations as numbers near 0 or 1. The code serves three ends:
dense supervision of the vision tower, training of the language part before it has seen a picture, and the grounder, which
reads boxes straight off it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlp.core.images import Rgb
from vlp.core.observation import Box, iou
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, THINGS

Array = NDArray[np.float32]


@dataclass(frozen=True)
class CellGrid:
    """The size of an image, and the cells that it is cut into.

    Args:
        width_px, height_px: of the image.
        cell_px: side of a cell.
        merge: patches of the vision tower along the side of a cell.
    """

    width_px: int
    height_px: int
    cell_px: int
    merge: int = 2

    @property
    def columns(self) -> int:
        """Cells from left to right."""
        return self.width_px // self.cell_px

    @property
    def rows(self) -> int:
        """Cells from the top down."""
        return self.height_px // self.cell_px

    @property
    def cells(self) -> int:
        """All cells: the tokens of an image."""
        return self.rows * self.columns

    @property
    def patch_px(self) -> int:
        """Side of a patch."""
        return self.cell_px // self.merge


GRID = CellGrid(432, 324, 36)


@dataclass(frozen=True)
class Slot:
    """Where one slot's channels lie in a token.

    Args:
        kinds: the kinds it can hold.
        start: its first channel, which is presence; then colours, kinds, 4 of the box, the size, and 3 flags: `supported`
            (rests in or on another object), `covered` (something rests in or on it), `held`.
    """

    kinds: tuple[str, ...]
    start: int

    @property
    def colours(self) -> slice:
        """Channels of the colour, one each."""
        return slice(self.start + 1, self.start + 1 + len(COLOURS))

    @property
    def kind(self) -> slice:
        """Channels of the kind, one each."""
        return slice(self.colours.stop, self.colours.stop + len(self.kinds))

    @property
    def box(self) -> slice:
        """Centre offset from the cell's centre in cells (x, y), then log2 of width and height in cells."""
        return slice(self.kind.stop, self.kind.stop + 4)

    @property
    def size(self) -> int:
        """The channel of `size_code`."""
        return self.box.stop

    @property
    def measures(self) -> slice:
        """Box and size: what is regressed."""
        return slice(self.box.start, self.size + 1)

    @property
    def flags(self) -> slice:
        """supported, covered, held."""
        return slice(self.size + 1, self.size + 4)


class Slots(NamedTuple):
    """The slots of a token."""

    thing: Slot
    container: Slot


SLOTS = Slots(Slot(THINGS, 0), Slot(CONTAINERS, Slot(THINGS, 0).flags.stop))
CHANNELS = SLOTS.container.flags.stop


@dataclass(frozen=True)
class SeenObject:
    """One object in an image of 432 x 324 pixels.

    Args:
        colour, kind: words of the vocabulary.
        box: in pixels of that image.
        supported, covered, held: the flags of the slot.
        size_m: cube root of its volume. A box alone does not tell the bigger of two cubes, one of which is turned.
        score: confidence when it was read from a code.
    """

    colour: str
    kind: str
    box: Box
    supported: bool = False
    covered: bool = False
    held: bool = False
    size_m: float = 0.06
    score: float = 1.0

    @property
    def phrase(self) -> str:
        """Its name, e.g. "red cube"."""
        return f"{self.colour} {self.kind}"


SHARPNESS = 6.0
"""Turns channels near 0 and 1 into logits: a right colour at 1 among zeros has probability 0.98."""

USUAL_SIZE_M = 0.06


def size_code(size_m: float) -> float:
    """Return the channel for a size: 0 for a usual thing, 1 more for each doubling of its area."""
    return 2 * float(np.log2(size_m / USUAL_SIZE_M))


def encode(objects: Sequence[SeenObject]) -> Array:
    """Return the code (rows, columns, CHANNELS) of the objects in an image; empty cells are 0.

    Of two objects that want the same slot of the same cell, the smaller keeps it and the other moves to the free
    neighbouring cell that is nearest to its centre.
    """
    code = np.zeros((GRID.rows, GRID.columns, CHANNELS), np.float32)
    for item in sorted(objects, key=lambda o: (o.box[2] - o.box[0]) * (o.box[3] - o.box[1])):
        slot = SLOTS.thing if item.kind in THINGS else SLOTS.container
        x, y = (item.box[0] + item.box[2]) / 2 / GRID.cell_px, (item.box[1] + item.box[3]) / 2 / GRID.cell_px
        free = [
            ((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2, row, column)
            for row in range(max(0, int(y) - 1), min(GRID.rows, int(y) + 2))
            for column in range(max(0, int(x) - 1), min(GRID.columns, int(x) + 2))
            if code[row, column, slot.start] == 0
        ]
        if not free:
            continue
        _, row, column = min(free)
        token = code[row, column]
        token[slot.start] = 1
        token[slot.colours.start + COLOURS.index(item.colour)] = 1
        token[slot.kind.start + slot.kinds.index(item.kind)] = 1
        width, height = max(item.box[2] - item.box[0], 2.0), max(item.box[3] - item.box[1], 2.0)
        token[slot.box] = (x - column - 0.5, y - row - 0.5, np.log2(width / GRID.cell_px), np.log2(height / GRID.cell_px))
        token[slot.size] = size_code(item.size_m)
        token[slot.flags] = (item.supported, item.covered, item.held)
    return code


def seen_twice(look: Callable[[Sequence[Rgb]], Sequence[Array]], rgb: Rgb) -> Array:
    """Return the code of an image, the mean of what is seen in it and in its mirror image.

    Args:
        look: from images to their codes (rows, columns, at least CHANNELS).
        rgb: the image; looked at last, so that a model's cache holds it for what is asked next.
    """
    mirror = np.ascontiguousarray(rgb).view("V3")[:, ::-1].copy().view(np.uint8)  # by pixels: by numbers it takes 2 ms
    twin, code = look([mirror, rgb])
    mirrored = twin[:, ::-1, :CHANNELS].copy()
    for slot in SLOTS:
        mirrored[..., slot.box.start] *= -1
    mean: Array = 0.5 * (code[..., :CHANNELS] + mirrored)
    return mean


def decode(code: Array, spoken: Iterable[str] = (), threshold: float = 0.5, overlap: float = 0.6) -> list[SeenObject]:
    """Return the objects that a code (rows, columns, at least CHANNELS) describes, best first.

    A person who says "red block" makes it likely that there is one: it is seen where it has a fair chance to be, in place of
    a red cube, or of nothing, that was read there.

    Args:
        code: the first channels of the image tokens, rows from the top.
        spoken: names of things that were spoken of, e.g. "red block".
        threshold: least presence.
        overlap: of two boxes of the same slot that overlap more (IoU), or two objects of one name, the better one stays.
    """
    names = sorted(set(spoken))
    found = [item for slot in SLOTS for item in _in_slot(code, slot, names, threshold, overlap)]
    return sorted(found, key=lambda o: -o.score)


def _in_slot(code: Array, slot: Slot, spoken: Sequence[str], threshold: float, overlap: float) -> list[SeenObject]:
    kept: dict[tuple[int, int], SeenObject] = {}
    for cell, item in sorted(_present(code, slot, threshold, overlap), key=lambda pair: -pair[1].score):
        if all(iou(item.box, other.box) < overlap and item.phrase != other.phrase for other in kept.values()):
            kept[cell] = item
    for name in spoken:
        colour, _, kind = name.partition(" ")
        if colour not in COLOURS or kind not in slot.kinds or name in (o.phrase for o in kept.values()):
            continue
        chances = _chances(code, slot, COLOURS.index(colour), slot.kinds.index(kind))
        for cell, item in kept.items():
            chances[cell] *= item.phrase not in spoken
        row, column = (int(i) for i in np.unravel_index(int(np.argmax(chances)), chances.shape))
        chance = float(chances[row, column])
        fair = 0.1
        if chance > fair:
            sure = chance / (chance + fair * (1 - chance))  # a fair chance becomes an even one by being spoken of
            item = replace(_read(code[row, column], slot, row, column), colour=colour, kind=kind, score=sure)
            kept = {c: o for c, o in kept.items() if o.phrase in spoken or iou(item.box, o.box) < overlap}
            kept[row, column] = item
    return list(kept.values())


def _present(code: Array, slot: Slot, threshold: float, overlap: float) -> Iterator[tuple[tuple[int, int], SeenObject]]:
    """Yield each cell that describes an object, and this, where its presence and that of neighbours who say the same is enough.

    An object whose middle lies on the border of two cells is described by both, by each with half the presence.
    """
    start = code[..., slot.start]
    cells = [(int(r), int(c)) for r, c in zip(*np.nonzero(start > 0.1), strict=True)]
    read = {cell: _read(code[cell], slot, *cell) for cell in cells}
    for (row, column), item in read.items():
        around = [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
        same = [cell for cell in around if cell in read and read[cell].phrase == item.phrase]
        also = sum(float(start[cell]) for cell in same if iou(read[cell].box, item.box) > overlap)
        presence = float(start[row, column]) + also
        if presence > threshold:
            yield (row, column), replace(item, score=min(1.0, presence) * item.score / min(1.0, float(start[row, column])))


def _chances(code: Array, slot: Slot, colour: int, kind: int) -> Array:
    """Return for each cell (rows, columns) the probability that a thing of that colour and kind is in a slot."""
    chances = 1 / (1 + np.exp(SHARPNESS * (0.5 - code[..., slot.start])))
    for part, index in ((slot.colours, colour), (slot.kind, kind)):
        shares = np.exp(SHARPNESS * (code[..., part] - code[..., part].max(-1, keepdims=True)))
        chances = chances * shares[..., index] / shares.sum(-1)
    return chances.astype(np.float32)


def _read(token: Array, slot: Slot, row: int, column: int) -> SeenObject:
    dx, dy, log_width, log_height = (float(v) for v in token[slot.box])
    x, y = (column + 0.5 + dx) * GRID.cell_px, (row + 0.5 + dy) * GRID.cell_px
    width, height = GRID.cell_px * 2.0 ** min(log_width, 4.0), GRID.cell_px * 2.0 ** min(log_height, 4.0)
    box = (
        max(0.0, x - width / 2),
        max(0.0, y - height / 2),
        min(float(GRID.width_px), x + width / 2),
        min(float(GRID.height_px), y + height / 2),
    )
    colour, kind = int(np.argmax(token[slot.colours])), int(np.argmax(token[slot.kind]))
    sure = min(1.0, float(token[slot.colours][colour])) * min(1.0, float(token[slot.kind][kind]))
    supported, covered, held = (bool(v > 0.5) for v in token[slot.flags])
    size_m = USUAL_SIZE_M * 2.0 ** float(np.clip(token[slot.size] / 2, -2, 2))
    score = max(0.0, min(1.0, float(token[slot.start]))) * max(0.0, sure)
    return SeenObject(COLOURS[colour], slot.kinds[kind], box, supported, covered, held, size_m, score)
