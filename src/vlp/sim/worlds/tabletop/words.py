"""The words for objects that the shipped worlds and the embedded model share."""

import re

COLOURS: tuple[str, ...] = ("red", "green", "blue", "yellow", "orange", "purple", "white", "black")
THINGS: tuple[str, ...] = ("cube", "block", "ball", "can", "bottle", "mug")
CONTAINERS: tuple[str, ...] = ("bowl", "plate", "tray", "box")
KINDS: tuple[str, ...] = THINGS + CONTAINERS
FLAT_TOPPED: tuple[str, ...] = ("cube", "block", "can")

PUT_RELATION: dict[str, str] = {
    **dict.fromkeys(("bowl", "box"), "in"),
    **dict.fromkeys(("tray", "plate", *FLAT_TOPPED), "on"),
}
"""The relation that `put A ... B` means, by the kind of B."""


def phrases_in(text: str) -> list[str]:
    """Return the names such as "red cube" that a text holds, in order."""
    return re.findall(rf"\b(?:{'|'.join(COLOURS)}) (?:{'|'.join(KINDS)})\b", text)
