"""Boxes and points in what a model writes, as general models write them: JSON, mostly, among other text.

```json
[{"bbox_2d": [x1, y1, x2, y2], "label": "striped towel"}, {"point_2d": [x, y], "label": "handle"}]
```
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vlp.core.observation import Box


@dataclass(frozen=True)
class Mark:
    """A place that a model wrote.

    Args:
        box: in the model's own units; of a point, both corners are the point.
        label: what it wrote beside it; "" for nothing.
    """

    box: Box
    label: str = ""

    @property
    def is_point(self) -> bool:
        """Whether it is a point and no box."""
        return self.box[:2] == self.box[2:]


def read_marks(text: str) -> list[Mark] | None:
    """Return the boxes and points in a reply, in its order and each once; None when the reply says nothing about places.

    A list that was cut off keeps its whole entries. What spans nothing is left out.

    Args:
        text: the reply, at most some ten thousand characters.
    """
    bare = re.sub(r"^\s*```\w*\s*|\s*```\s*$", "", text).strip()
    whole = _parsed(bare)
    if whole == []:
        return []
    entries = list(_entries(bare)) or ([] if whole is None else list(_bare_lists(whole)))
    if not entries:
        return None
    marks = (_mark(numbers, label) for numbers, label in entries[:128])
    return list(dict.fromkeys(mark for mark in marks if mark is not None))


def _entries(text: str) -> Iterator[tuple[list[Any], str]]:
    """Yield the numbers and the label of each whole object with a place in a text."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            label = next((found[key] for key in ("label", "name", "object") if isinstance(found.get(key), str)), "")
            for key in ("bbox_2d", "bbox", "box", "bounding_box", "point_2d", "point"):
                if _is_place(found.get(key)):
                    yield found[key], label
                    break
            else:
                end = at + 1  # a list may stand inside: {"objects": [...]}
        at = text.find("{", end)


def _bare_lists(value: Any) -> Iterator[tuple[list[Any], str]]:
    """Yield a list of numbers alone, or each of a list of them."""
    for each in [value] if _is_place(value) else value if isinstance(value, list) else ():
        if _is_place(each):
            yield each, ""


def _is_place(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (2, 4) and all(type(n) in (int, float) for n in value)


def _mark(numbers: list[Any], label: str) -> Mark | None:
    x1, y1, x2, y2 = (float(n) for n in (numbers if len(numbers) == 4 else (*numbers, *numbers)))
    if not all(math.isfinite(n) and abs(n) <= 1e5 for n in (x1, y1, x2, y2)):
        return None
    if len(numbers) == 4 and not (x1 < x2 and y1 < y2):
        return None
    return Mark((x1, y1, x2, y2), label)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
